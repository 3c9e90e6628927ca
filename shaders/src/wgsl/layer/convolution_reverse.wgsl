// Lines are inputs of all rows, columns input channels of a group, the depth is (output channel, tap).
const PLANE = HEIGHT * WIDTH;

fn lines() -> u32 {
    return params.rows * PLANE;
}

fn depth() -> u32 {
    return SLICE_OUTPUTS * TAPS;
}

// The cotangent of the position whose tap lies over an input, 0 if none does.
fn left(slice: u32, line: u32, k: u32) -> f32 {
    let row = line / PLANE;
    let place = line % PLANE;
    let channel = slice * SLICE_OUTPUTS + k / TAPS;
    let tap = k % TAPS;
    let shift_y = tap / KERNEL_X * DILATION_Y;
    let shift_x = tap % KERNEL_X * DILATION_X;
    let from_y = place / WIDTH + PADDING_Y;
    let from_x = place % WIDTH + PADDING_X;
    if (from_y < shift_y || from_x < shift_x) {
        return 0.0;
    }
    let at_y = (from_y - shift_y) / STRIDE_Y;
    let at_x = (from_x - shift_x) / STRIDE_X;
    let between = (from_y - shift_y) % STRIDE_Y + (from_x - shift_x) % STRIDE_X;
    if (between != 0u || at_y >= OUT_HEIGHT || at_x >= OUT_WIDTH) {
        return 0.0;
    }
    let first = ((params.y_first + row) * SLICES * SLICE_OUTPUTS + channel) * POSITIONS;
    return dy[first + at_y * OUT_WIDTH + at_x];
}

fn right(slice: u32, k: u32, column: u32) -> f32 {
    let channel = slice * SLICE_OUTPUTS + k / TAPS;
    return parameter_0[(channel * COLUMNS + column) * TAPS + k % TAPS];
}

fn four_start(slice: u32, column: u32) -> vec4<f32> {
    return vec4<f32>();
}

fn store(slice: u32, part: u32, line: u32, column: u32, sum: f32) {
    let channel = slice * COLUMNS + column;
    let row = params.x_first + line / PLANE;
    dx[(row * SLICES * COLUMNS + channel) * PLANE + line % PLANE] += sum;
}

fn store_column(slice: u32, part: u32, column: u32, sum: f32) {}

