// Sums of cotangents, of each part of each channel.
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
@group(0) @binding(3) var<storage, read_write> scratch: array<f32>;

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

// Σ dy and Σ dy·x̂ of a part of a channel.
@compute @workgroup_size(256)
fn batch_norm_sums_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = group.y * groups.x + group.x;
    if (index >= CHANNELS * PARTS) {
        return;
    }
    let channel = index / PARTS;
    let part = index % PARTS;
    let mean = scratch[MEANS + channel];
    let inverse = scratch[INVERSES + channel];
    let end = part_begin(part + 1u);
    var sums = vec2<f32>();
    for (var k = part_begin(part) + lane; k < end; k += INVOCATIONS) {
        let of_y = dy[place(params.y_first, channel, k)];
        let normal = (x[place(params.x_first, channel, k)] - mean) * inverse;
        sums += vec2<f32>(of_y, of_y * normal);
    }
    let all_sums = total(lane, sums);
    if (lane == 0u) {
        scratch[PART_SUMS + 2u * index] = all_sums.x;
        scratch[PART_SUMS + 2u * index + 1u] = all_sums.y;
    }
}
