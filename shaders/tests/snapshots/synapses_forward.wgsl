// `synapses_forward` of a projection.
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
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read> synapses: array<u32>;
@group(0) @binding(4) var<storage, read> parameter_0: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

// Rounds here and now: no compiler knows that `zero` is 0.
fn rounded(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ params.zero);
}

const N_SOURCE = 30u;
const N_TARGET = 7u;
const N_SYNAPSES = 100u;
const LONGEST = 4u;
const COUNTS = false;

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

@compute @workgroup_size(64)
fn synapses_forward_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i < params.rows * N_TARGET) {
        element(i);
    }
}
