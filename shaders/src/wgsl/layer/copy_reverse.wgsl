fn copy_reverse(i: u32) {
    dx[params.x_first * N + i] += dy[params.y_first * N + i];
}
