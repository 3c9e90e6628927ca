fn batch_norm_forward(i: u32) {
    let channel = i / POSITIONS % CHANNELS;
    let factor = scale(channel) * scratch[INVERSES + channel];
    let from_mean = x[params.x_first * CHANNELS * POSITIONS + i] - scratch[MEANS + channel];
    y[params.y_first * CHANNELS * POSITIONS + i] = from_mean * factor + shift(channel);
}
