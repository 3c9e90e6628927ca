
fn element(i: u32) {
    let row = i / N_TARGET;
    let neuron = i % N_TARGET;
    let at = (params.y_first + row) * N_TARGET + neuron;
    var sum = y[at];
    for (var k = rows[neuron]; k < rows[neuron + 1u]; k++) {
        let source = synapses[3u * k + 1u];
        let emitted = params.x_first + row - synapses[3u * k + 2u] * params.batch;
        let value = x[emitted * N_SOURCE + source];
        if (value != 0.0f) {
            let weight = parameter_0[synapses[3u * k]];
            if (COUNTS) {
                for (var n = 0.0f; n < value; n += 1.0f) {
                    sum = rounded(sum + weight);
                }
            } else {
                sum = rounded(sum + rounded(weight * value));
            }
        }
    }
    y[at] = sum;
}
