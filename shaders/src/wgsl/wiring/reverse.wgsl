
fn element(i: u32) {
    let before = LONGEST * params.batch;
    let row = i / N_SOURCE;
    let neuron = i % N_SOURCE;
    var sum = 0.0f;
    for (var k = rows[neuron]; k < rows[neuron + 1u]; k++) {
        let arrives = row + synapses[3u * k + 2u] * params.batch;
        if (arrives >= before && arrives - before < params.rows) {
            let at = params.y_first + arrives - before;
            sum = fma(parameter_0[k], dy[at * N_TARGET + synapses[3u * k + 1u]], sum);
        }
    }
    dx[(params.x_first - before + row) * N_SOURCE + neuron] += sum;
}
