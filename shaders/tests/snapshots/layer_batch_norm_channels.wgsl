// Mean and variance of each channel.
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
@group(0) @binding(2) var<storage, read_write> buffer_0: array<f32>;
@group(0) @binding(3) var<storage, read_write> buffer_1: array<f32>;

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

// Mean and variance of a channel from those of its parts, one after the other, or the running ones.
fn batch_norm_channels(channel: u32) {
    let n = params.rows * POSITIONS;
    var mean = buffer_0[channel];
    var variance = buffer_1[channel];
    if (params.training == 1u && n > 0u) {
        let first = PART_SUMS + 2u * channel * PARTS;
        let count = f32(n);
        // From the first part's mean, which is near: little is lost.
        let near = scratch[first];
        var away = 0.0;
        for (var part = 0u; part < PARTS; part++) {
            let share = f32(part_begin(part + 1u) - part_begin(part)) / count;
            away += share * (scratch[first + 2u * part] - near);
        }
        mean = near + away;
        var squares = 0.0;
        for (var part = 0u; part < PARTS; part++) {
            let from_mean = scratch[first + 2u * part] - mean;
            let of_part = f32(part_begin(part + 1u) - part_begin(part));
            squares += scratch[first + 2u * part + 1u] + of_part * from_mean * from_mean;
        }
        variance = squares / count;
        if (params.again == 0u) {
            let all = count * f32(params.repeats);
            let correction = select(1.0, all / (all - 1.0), all > 1.0);
            buffer_0[channel] = KEPT * buffer_0[channel] + MOMENTUM * mean;
            buffer_1[channel] = KEPT * buffer_1[channel] + MOMENTUM * variance * correction;
        }
    }
    scratch[MEANS + channel] = mean;
    scratch[INVERSES + channel] = 1.0 / sqrt(variance + EPS);
}

@compute @workgroup_size(64)
fn batch_norm_channels_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i < 12u) {
        batch_norm_channels(i);
    }
}
