// The steps of a chunk of `leaky_readout`.
struct Params {
    first_low: u32,
    first_high: u32,
    len: u32,
    offset: u32,
    slot: u32,
    zero: u32,
    first_word: u32,
    end_word: u32,
    range: u32,
    least_delay: u32,
    check: u32,
    unused: u32,
    times: array<vec4<f32>, 16>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> fired: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> states: array<f32>;
@group(0) @binding(3) var<storage, read_write> status: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read> derived: array<f32>;
@group(0) @binding(5) var<storage, read_write> arrivals: array<i32>;
@group(0) @binding(6) var<storage, read> tables: array<u32>;
@group(0) @binding(7) var<storage, read> columns: array<u32>;
@group(0) @binding(8) var<storage, read_write> traces: array<f32>;

// Rounds here and now: no compiler knows that `zero` is 0.
fn rounded(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ params.zero);
}

const ARRIVALS = 4096u;
const RING = 83u;
const WORDS = 40u;
const NEURONS = 1000u;
const STRIDE = 1024u;

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

// `base`, and one more for each of the `n` ascending thresholds that the word reaches.
fn poisson(word: u32, base: u32, first: u32, n: u32) -> u32 {
    var k = 0u;
    while (k < n && word >= tables[first + k]) {
        k += 1u;
    }
    return base + k;
}

fn advance(i: u32) {
    var s0 = states[i]; // v
    for (var k = 0u; k < params.len; k++) {
        let slot = ((params.slot + k) % RING) * ARRIVALS + i;
        let low = params.first_low + k;
        let high = params.first_high + select(0u, 1u, low < k);
        var x0 = 0.0f; // x
        let n0 = arrivals[slot + 64u];
        if (n0 != 0i) {
            arrivals[slot + 64u] = 0i;
            for (var j = 0i; j < n0; j++) {
                x0 = rounded(x0 + 87.8f);
            }
        }
        let n1 = arrivals[slot + 1088u];
        if (n1 != 0i) {
            arrivals[slot + 1088u] = 0i;
            x0 = rounded(x0 + rounded(f32(n1) * 0.00012207031f));
        }
        let n2 = poisson(word(i, low, high, 0u, vec2<u32>(17u, 4000000000u)), 2u, 5u, 9u);
        x0 = rounded(x0 + rounded((-1.5f) * f32(n2)));
        x0 = rounded(x0 + 0.1f);
        var has_fired = false;
        let v0 = s0; // v
        let v1 = x0; // x
        let v2 = v1 - v0;
        let v3 = derived[0u];
        let v4 = rounded(v2 * v3);
        let v5 = v0 + v4;
        s0 = rounded(v5); // v
        if (has_fired) {
            atomicOr(&fired[k * WORDS + 8u + (i >> 5u)], 1u << (i & 31u));
        }
        if (columns[i] != 0u) {
            let at = (params.offset + k) * 3u + columns[i] - 1u;
            traces[at + 0u] = s0; // v
        }
    }
    states[i] = s0;
    if (params.check != 0u && ((bitcast<u32>(s0) & 0x7f800000u) == 0x7f800000u)) {
        atomicMax(&status[1u], 1u);
    }
}

@compute @workgroup_size(64)
fn slice_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i < NEURONS) {
        advance(i);
    }
}
