// Adds the sums of parts, one part after the other.
fn part_sums(i: u32) {
    var sum = 0.0;
    for (var part = 0u; part < PARTS; part++) {
        sum += scratch[part * (WEIGHTS + BIASES) + i];
    }
    if (i < WEIGHTS) {
        gradient_0[i] += sum;
    } else {
        add_bias(i - WEIGHTS, sum);
    }
}
