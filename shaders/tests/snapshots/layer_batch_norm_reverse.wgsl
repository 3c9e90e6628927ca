// Adds to dx what dy implies.
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
@group(0) @binding(1) var<storage, read> parameter_0: array<f32>;
@group(0) @binding(2) var<storage, read> parameter_1: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read> scratch: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

const CHANNELS = 12u;
const POSITIONS = 81u;
const PARTS = 42u;
const EPS = f32(1e-5);
const MOMENTUM = f32(0.1);
const KEPT = f32(0.9);

// Scratch: of each channel the mean, 1/√(σ² + ε), Σ dy and Σ dy·x̂; then two sums of each part of each
// channel.
const MEANS = 0u;
const INVERSES = CHANNELS;
const SUMS = 2u * CHANNELS;
const PRODUCTS = 3u * CHANNELS;
const PART_SUMS = 4u * CHANNELS;

// Rows and positions are cut into parts: this one's elements, counted over all rows.
fn part_begin(part: u32) -> u32 {
    let n = params.rows * POSITIONS;
    return min(part * ((n + PARTS - 1u) / PARTS), n);
}

// Place of element `k` of a channel, where rows begin with `first`.
fn place(first: u32, channel: u32, k: u32) -> u32 {
    return ((first + k / POSITIONS) * CHANNELS + channel) * POSITIONS + k % POSITIONS;
}

fn scale(channel: u32) -> f32 {
    return parameter_0[channel];
}

fn shift(channel: u32) -> f32 {
    return parameter_1[channel];
}

fn batch_norm_reverse(i: u32) {
    let channel = i / POSITIONS % CHANNELS;
    let inverse = scratch[INVERSES + channel];
    let at = params.x_first * CHANNELS * POSITIONS + i;
    let normal = (x[at] - scratch[MEANS + channel]) * inverse;
    var pull = 0.0;
    // Statistics that follow the input take a part of the cotangent away.
    if (params.training == 1u) {
        let share = 1.0 / f32(params.rows * POSITIONS);
        pull = share * scratch[SUMS + channel] + normal * (share * scratch[PRODUCTS + channel]);
    }
    let of_y = dy[params.y_first * CHANNELS * POSITIONS + i];
    dx[at] += (of_y - pull) * (scale(channel) * inverse);
}

@compute @workgroup_size(64)
fn batch_norm_reverse_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i < params.rows * 972u) {
        batch_norm_reverse(i);
    }
}
