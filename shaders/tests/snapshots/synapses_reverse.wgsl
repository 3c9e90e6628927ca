// `synapses_reverse` of a projection.
struct Params {
    rows: u32,
    x_first: u32,
    y_first: u32,
    batch: u32,
    first_step: u32,
    repeats: u32,
    training: u32,
    pass_number: u32,
    key_low: u32,
    key_high: u32,
    again: u32,
    zero: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read> synapses: array<u32>;
@group(0) @binding(4) var<storage, read> parameter_0: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

const N_SOURCE = 30u;
const N_TARGET = 7u;
const N_SYNAPSES = 100u;
const LONGEST = 4u;
const COUNTS = false;

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

@compute @workgroup_size(64)
fn synapses_reverse_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i < (params.rows + LONGEST * params.batch) * N_SOURCE) {
        element(i);
    }
}
