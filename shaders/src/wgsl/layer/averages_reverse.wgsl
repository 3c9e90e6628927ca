fn averages_reverse(i: u32) {
    let first = (params.y_first * CHANNELS + i / PLANE) * POSITIONS;
    let place = i % PLANE;
    let at = vec2<u32>(place / INPUT.y, place % INPUT.y);
    let begin = over_begin(at);
    let end = over_end(at);
    let to = params.x_first * CHANNELS * PLANE + i;
    var sum = dx[to];
    for (var line = begin.x; line < end.x; line++) {
        for (var column = begin.y; column < end.y; column++) {
            let window = vec2<u32>(line, column);
            sum += dy[first + line * OUTPUT.y + column] / divisor(window);
        }
    }
    dx[to] = sum;
}
