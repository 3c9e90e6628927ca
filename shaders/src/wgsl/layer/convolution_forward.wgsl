// Lines are positions of all rows, columns output channels of a group, the depth is that of a window.
fn lines() -> u32 {
    return params.rows * POSITIONS;
}

fn depth() -> u32 {
    return SLICE_CHANNELS * TAPS;
}

fn left(slice: u32, line: u32, k: u32) -> f32 {
    return under(slice, line, k);
}

fn right(slice: u32, k: u32, column: u32) -> f32 {
    return parameter_0[(slice * COLUMNS + column) * SLICE_CHANNELS * TAPS + k];
}

fn four_start(slice: u32, column: u32) -> vec4<f32> {
    let first = slice * COLUMNS;
    let last = COLUMNS - 1u;
    return vec4<f32>(
        bias(first + min(column, last)),
        bias(first + min(column + 1u, last)),
        bias(first + min(column + 2u, last)),
        bias(first + min(column + 3u, last)),
    );
}

fn store(slice: u32, part: u32, line: u32, column: u32, sum: f32) {
    let channel = slice * COLUMNS + column;
    let row = params.y_first + line / POSITIONS;
    y[(row * SLICES * COLUMNS + channel) * POSITIONS + line % POSITIONS] = sum;
}

fn store_column(slice: u32, part: u32, column: u32, sum: f32) {}

