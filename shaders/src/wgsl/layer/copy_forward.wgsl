fn copy_forward(i: u32) {
    y[params.y_first * N + i] = x[params.x_first * N + i];
}
