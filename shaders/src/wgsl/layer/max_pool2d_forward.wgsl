fn max_pool2d_forward(i: u32) {
    let channel = params.x_first * CHANNELS + i / POSITIONS;
    let place = i % POSITIONS;
    let first = channel * PLANE;
    let window = vec2<u32>(place / OUTPUT.y, place % OUTPUT.y);
    y[params.y_first * CHANNELS * POSITIONS + i] = x[first + chosen(first, window)];
}
