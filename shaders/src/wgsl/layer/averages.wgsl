// What the sum of a window is divided by.
fn divisor(window: vec2<u32>) -> f32 {
    let size = window_end(window) - window_begin(window);
    return f32(select(DIVISOR, size.x * size.y, DIVISOR == 0u));
}

