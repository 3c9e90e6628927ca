fn batch_norm_gradients(channel: u32) {
    gradient_0[channel] += scratch[PRODUCTS + channel];
    gradient_1[channel] += scratch[SUMS + channel];
}
