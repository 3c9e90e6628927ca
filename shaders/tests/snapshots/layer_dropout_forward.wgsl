// In training, inputs set to 0 at random.
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
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const N = 37u;
const THRESHOLD = 1073741824u;
const DROPS_ALL = false;
const SCALE = f32(1.3333334);

// Philox4x32-10: four 32-bit random numbers from a counter and a key, without state.
//
// Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3. SC '11,
// doi:10.1145/2063384.2063405. WGSL has no 64-bit product, so the upper half of one is put together
// from four products of 16-bit pieces.

fn multiply_high(a: u32, b: u32) -> u32 {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    let cross_1 = a_low * b_high;
    let cross_2 = a_high * b_low;
    // At most 3 (2^16 - 1): no overflow.
    let middle = ((a_low * b_low) >> 16u) + (cross_1 & 0xffffu) + (cross_2 & 0xffffu);
    return a_high * b_high + (cross_1 >> 16u) + (cross_2 >> 16u) + (middle >> 16u);
}

fn philox_round(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    let multiplier_0 = 0xd2511f53u;
    let multiplier_1 = 0xcd9e8d57u;
    return vec4<u32>(
        multiply_high(multiplier_1, counter.z) ^ counter.y ^ key.x,
        multiplier_1 * counter.z,
        multiply_high(multiplier_0, counter.x) ^ counter.w ^ key.y,
        multiplier_0 * counter.x,
    );
}

fn philox4x32_10(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    let weyl = vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    var block = philox_round(counter, key);
    var round_key = key;
    for (var round = 1u; round < 10u; round++) {
        round_key += weyl;
        block = philox_round(block, round_key);
    }
    return block;
}


// The word of one lane: lanes share blocks by four.
fn word(lane: u32, low: u32, high: u32, draw: u32, key: vec2<u32>) -> u32 {
    return philox4x32_10(vec4<u32>(lane >> 2u, low, high, draw), key)[lane & 3u];
}

// What an element is multiplied by: drawn for every element of every sample, once for all steps of a
// pass.
fn factor(i: u32) -> f32 {
    let sample = i / N % max(params.batch, 1u);
    let key = vec2<u32>(params.key_low, params.key_high);
    let drawn = word(sample * N + i % N, params.pass_number, 0u, 0u, key);
    return select(0.0, SCALE, !DROPS_ALL && drawn >= THRESHOLD);
}

fn dropout_forward(i: u32) {
    let value = x[params.x_first * N + i];
    let to = params.y_first * N + i;
    if (params.training == 1u) {
        y[to] = value * factor(i);
    } else {
        y[to] = value;
    }
}

@compute @workgroup_size(64)
fn dropout_forward_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i < params.rows * 37u) {
        dropout_forward(i);
    }
}
