// Windows chosen so that the output has a given size; vectors are (y, x).

// First input that a window lies over, and the one behind the last.
fn window_begin(window: vec2<u32>) -> vec2<u32> {
    return window * INPUT / OUTPUT;
}

fn window_end(window: vec2<u32>) -> vec2<u32> {
    return ((window + 1u) * INPUT + OUTPUT - 1u) / OUTPUT;
}

// First window that lies over an input, and the one behind the last.
fn over_begin(at: vec2<u32>) -> vec2<u32> {
    return at * OUTPUT / INPUT;
}

fn over_end(at: vec2<u32>) -> vec2<u32> {
    return ((at + 1u) * OUTPUT + INPUT - 1u) / INPUT;
}

