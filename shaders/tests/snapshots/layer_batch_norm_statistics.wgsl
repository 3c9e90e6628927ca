// Mean and squares about it, of each part of each channel.
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
@group(0) @binding(2) var<storage, read_write> scratch: array<f32>;

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

const INVOCATIONS = 256u;

var<workgroup> tree: array<vec2<f32>, INVOCATIONS>;

// Sum over the invocations of a workgroup, as a tree.
fn total(lane: u32, value: vec2<f32>) -> vec2<f32> {
    workgroupBarrier();
    tree[lane] = value;
    workgroupBarrier();
    for (var n = INVOCATIONS / 2u; n > 0u; n /= 2u) {
        if (lane < n) {
            tree[lane] += tree[lane + n];
        }
        workgroupBarrier();
    }
    return tree[0];
}

// Mean of a part of a channel, then the sum of squares about it.
@compute @workgroup_size(256)
fn batch_norm_statistics_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = group.y * groups.x + group.x;
    if (index >= CHANNELS * PARTS || params.training == 0u) {
        return;
    }
    let channel = index / PARTS;
    let part = index % PARTS;
    let begin = part_begin(part);
    let end = part_begin(part + 1u);
    var sum = 0.0;
    for (var k = begin + lane; k < end; k += INVOCATIONS) {
        sum += x[place(params.x_first, channel, k)];
    }
    let mean = total(lane, vec2<f32>(sum, 0.0)).x / max(f32(end - begin), 1.0);
    var squares = 0.0;
    for (var k = begin + lane; k < end; k += INVOCATIONS) {
        let from_mean = x[place(params.x_first, channel, k)] - mean;
        squares += from_mean * from_mean;
    }
    let all_squares = total(lane, vec2<f32>(squares, 0.0)).x;
    if (lane == 0u) {
        scratch[PART_SUMS + 2u * index] = mean;
        scratch[PART_SUMS + 2u * index + 1u] = all_squares;
    }
}
