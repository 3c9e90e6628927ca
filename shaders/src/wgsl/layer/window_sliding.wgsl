// Windows that slide; vectors are (y, x).

// First input that a window lies over, and the one behind the last.
fn window_begin(window: vec2<u32>) -> vec2<u32> {
    return max(window * STRIDE, PADDING) - PADDING;
}

fn window_end(window: vec2<u32>) -> vec2<u32> {
    return min(max(window * STRIDE + KERNEL, PADDING) - PADDING, INPUT);
}

// First window that lies over an input, and the one behind the last.
fn over_begin(at: vec2<u32>) -> vec2<u32> {
    return (max(at + PADDING + 1u, KERNEL) - KERNEL + STRIDE - 1u) / STRIDE;
}

fn over_end(at: vec2<u32>) -> vec2<u32> {
    return min((at + PADDING) / STRIDE + 1u, OUTPUT);
}

