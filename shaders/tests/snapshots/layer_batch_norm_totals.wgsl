// Sums of cotangents, of each channel.
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
@group(0) @binding(1) var<storage, read_write> scratch: array<f32>;

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

// Sums of a channel from those of its parts, one after the other.
fn batch_norm_totals(channel: u32) {
    let first = PART_SUMS + 2u * channel * PARTS;
    var sums = vec2<f32>();
    for (var part = 0u; part < PARTS; part++) {
        sums += vec2<f32>(scratch[first + 2u * part], scratch[first + 2u * part + 1u]);
    }
    scratch[SUMS + channel] = sums.x;
    scratch[PRODUCTS + channel] = sums.y;
}

@compute @workgroup_size(64)
fn batch_norm_totals_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i < 12u) {
        batch_norm_totals(i);
    }
}
