// Adds the sums of all parts to the gradients.
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
@group(0) @binding(1) var<storage, read> scratch: array<f32>;
@group(0) @binding(2) var<storage, read_write> gradient_0: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradient_1: array<f32>;

const PARTS = 256u;
const WEIGHTS = 180u;
const BIASES = 12u;

fn add_bias(i: u32, sum: f32) {
    gradient_1[i] += sum;
}

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

@compute @workgroup_size(64)
fn part_sums_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i < 192u) {
        part_sums(i);
    }
}
