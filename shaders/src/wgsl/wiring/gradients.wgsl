
fn element(k: u32) {
    let source = synapses[3u * k];
    let neuron = synapses[3u * k + 1u];
    let first = params.x_first - synapses[3u * k + 2u] * params.batch;
    var sum = 0.0f;
    for (var row = 0u; row < params.rows; row++) {
        let value = x[(first + row) * N_SOURCE + source];
        if (value != 0.0f) {
            sum = fma(value, dy[(params.y_first + row) * N_TARGET + neuron], sum);
        }
    }
    gradient_0[k] += sum;
}
