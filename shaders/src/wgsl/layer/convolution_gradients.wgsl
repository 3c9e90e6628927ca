// Lines are the elements of a window, columns output channels of a group, the depth is positions of all
// rows. Sums of columns are the cotangents of biases.
fn lines() -> u32 {
    return SLICE_CHANNELS * TAPS;
}

fn depth() -> u32 {
    return params.rows * POSITIONS;
}

fn left(slice: u32, line: u32, k: u32) -> f32 {
    return under(slice, k, line);
}

fn right(slice: u32, k: u32, column: u32) -> f32 {
    let row = params.y_first + k / POSITIONS;
    let channel = slice * COLUMNS + column;
    return dy[(row * SLICES * COLUMNS + channel) * POSITIONS + k % POSITIONS];
}

fn four_start(slice: u32, column: u32) -> vec4<f32> {
    return vec4<f32>();
}

fn store(slice: u32, part: u32, line: u32, column: u32, sum: f32) {
    add_weight(part, (slice * COLUMNS + column) * SLICE_CHANNELS * TAPS + line, sum);
}

fn store_column(slice: u32, part: u32, column: u32, sum: f32) {
    add_bias(part, slice * COLUMNS + column, sum);
}

