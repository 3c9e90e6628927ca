fn dropout_forward(i: u32) {
    let value = x[params.x_first * N + i];
    let to = params.y_first * N + i;
    if (params.training == 1u) {
        y[to] = value * factor(i);
    } else {
        y[to] = value;
    }
}
