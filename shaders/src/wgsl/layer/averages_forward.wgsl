fn averages_forward(i: u32) {
    let first = (params.x_first * CHANNELS + i / POSITIONS) * PLANE;
    let place = i % POSITIONS;
    let window = vec2<u32>(place / OUTPUT.y, place % OUTPUT.y);
    let begin = window_begin(window);
    let end = window_end(window);
    var sum = 0.0;
    for (var line = begin.x; line < end.x; line++) {
        for (var column = begin.y; column < end.y; column++) {
            sum += x[first + line * INPUT.y + column];
        }
    }
    y[params.y_first * CHANNELS * POSITIONS + i] = sum / divisor(window);
}
