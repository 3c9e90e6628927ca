// `synapses_gradients` of a projection.
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
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> synapses: array<u32>;
@group(0) @binding(4) var<storage, read_write> gradient_0: array<f32>;

const N_SOURCE = 30u;
const N_TARGET = 7u;
const N_SYNAPSES = 100u;
const LONGEST = 4u;
const COUNTS = false;

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

@compute @workgroup_size(64)
fn synapses_gradients_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i < N_SYNAPSES) {
        element(i);
    }
}
