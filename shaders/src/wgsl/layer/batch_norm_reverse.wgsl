fn batch_norm_reverse(i: u32) {
    let channel = i / POSITIONS % CHANNELS;
    let inverse = scratch[INVERSES + channel];
    let at = params.x_first * CHANNELS * POSITIONS + i;
    let normal = (x[at] - scratch[MEANS + channel]) * inverse;
    var pull = 0.0;
    // Statistics that follow the input take a part of the cotangent away.
    if (params.training == 1u) {
        let share = 1.0 / f32(params.rows * POSITIONS);
        pull = share * scratch[SUMS + channel] + normal * (share * scratch[PRODUCTS + channel]);
    }
    let of_y = dy[params.y_first * CHANNELS * POSITIONS + i];
    dx[at] += (of_y - pull) * (scale(channel) * inverse);
}
