// What an input gets from the windows over it that have chosen it: line by line, each line from its end,
// which is the order in which taps meet an input.
fn max_pool2d_reverse(i: u32) {
    let channel = i / PLANE;
    let place = i % PLANE;
    let at = vec2<u32>(place / INPUT.y, place % INPUT.y);
    let first_x = (params.x_first * CHANNELS + channel) * PLANE;
    let first_y = (params.y_first * CHANNELS + channel) * POSITIONS;
    let begin = over_begin(at);
    let end = over_end(at);
    var sum = dx[first_x + place];
    for (var line = begin.x; line < end.x; line++) {
        for (var column = end.y; column > begin.y; column--) {
            let window = vec2<u32>(line, column - 1u);
            if (chosen(first_x, window) == place) {
                sum += dy[first_y + line * OUTPUT.y + column - 1u];
            }
        }
    }
    dx[first_x + place] = sum;
}
