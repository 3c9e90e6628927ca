// The input under a tap of a window, 0 over padding. `position` counts those of all rows, `k` runs
// over (channel, y, x) of the window.
fn under(slice: u32, position: u32, k: u32) -> f32 {
    let row = position / POSITIONS;
    let place = position % POSITIONS;
    let channel = k / TAPS;
    let tap = k % TAPS;
    // What lies before the input wraps around to behind it.
    let at_y = place / OUT_WIDTH * STRIDE_Y + tap / KERNEL_X * DILATION_Y - PADDING_Y;
    let at_x = place % OUT_WIDTH * STRIDE_X + tap % KERNEL_X * DILATION_X - PADDING_X;
    if (at_y >= HEIGHT || at_x >= WIDTH) {
        return 0.0;
    }
    let of_channel = slice * SLICE_CHANNELS + channel;
    let first = (params.x_first + row) * CHANNELS * HEIGHT * WIDTH;
    return x[first + (of_channel * HEIGHT + at_y) * WIDTH + at_x];
}

