fn dropout_reverse(i: u32) {
    let value = dy[params.y_first * N + i];
    let to = params.x_first * N + i;
    if (params.training == 1u) {
        dx[to] += value * factor(i);
    } else {
        dx[to] += value;
    }
}
