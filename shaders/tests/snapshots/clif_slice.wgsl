// The steps of a chunk of `clif`.
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
    var s1 = states[STRIDE + i]; // m
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
        let v1 = s1; // m
        let v2 = derived[0u];
        let v3 = rounded(v0 * v2);
        let v4 = rounded(v0 - v3);
        let v5 = x0; // x
        let v6 = rounded(v4 + v5);
        let v7 = derived[1u + i];
        let v10 = v7 <= v6;
        let v11 = select(0.0f, 1.0f, v10);
        let v12 = v2 * v6;
        let v13 = abs(v12);
        let v14 = -v13;
        let v16 = select(v14, 88.72283f, 88.72283f < v14);
        let v18 = select(v16, (-87.336f), v16 < (-87.336f));
        let v20 = v18 * 1.442695f;
        let v21 = round(v20);
        let v23 = rounded(v21 * 0.69314575f);
        let v24 = rounded(v18 - v23);
        let v26 = rounded(v21 * 1.4286068e-6f);
        let v27 = rounded(v24 - v26);
        let v28 = rounded(v27 * v27);
        let v30 = rounded(v27 * 0.0013946104f);
        let v32 = v30 + 0.008366608f;
        let v33 = rounded(v27 * v32);
        let v35 = v33 + 0.041666288f;
        let v36 = rounded(v27 * v35);
        let v38 = v36 + 0.16666543f;
        let v39 = rounded(v27 * v38);
        let v41 = v39 + 0.5f;
        let v42 = rounded(v28 * v41);
        let v43 = rounded(v27 + v42);
        let v44 = 1.0f + v43;
        let v45 = i32(v21);
        let v47 = v45 << 23u;
        let v48 = bitcast<i32>(v44);
        let v49 = v47 + v48;
        let v50 = bitcast<f32>(v49);
        let v51 = v14 < (-87.336f);
        let v52 = select(v50, 0.0f, v51);
        let v53 = 1.0f + v52;
        let v54 = v12 < 0.0f;
        let v55 = select(1.0f, v52, v54);
        let v56 = rounded(v55 / v53);
        let v57 = rounded(v1 * v56);
        let v58 = v11 + v57;
        let v59 = abs(v58);
        let v60 = -v59;
        let v61 = select(v60, 88.72283f, 88.72283f < v60);
        let v62 = select(v61, (-87.336f), v61 < (-87.336f));
        let v63 = 1.442695f * v62;
        let v64 = round(v63);
        let v65 = rounded(0.69314575f * v64);
        let v66 = rounded(v62 - v65);
        let v67 = rounded(1.4286068e-6f * v64);
        let v68 = rounded(v66 - v67);
        let v69 = rounded(v68 * v68);
        let v70 = rounded(0.0013946104f * v68);
        let v71 = 0.008366608f + v70;
        let v72 = rounded(v68 * v71);
        let v73 = 0.041666288f + v72;
        let v74 = rounded(v68 * v73);
        let v75 = 0.16666543f + v74;
        let v76 = rounded(v68 * v75);
        let v77 = 0.5f + v76;
        let v78 = rounded(v69 * v77);
        let v79 = rounded(v68 + v78);
        let v80 = 1.0f + v79;
        let v81 = i32(v64);
        let v82 = v81 << 23u;
        let v83 = bitcast<i32>(v80);
        let v84 = v82 + v83;
        let v85 = bitcast<f32>(v84);
        let v86 = v60 < (-87.336f);
        let v87 = select(v85, 0.0f, v86);
        let v88 = 1.0f + v87;
        let v89 = v58 < 0.0f;
        let v90 = select(1.0f, v87, v89);
        let v91 = rounded(v90 / v88);
        let v92 = v7 + v91;
        let v93 = rounded(v11 * v92);
        let v94 = v6 - v93;
        has_fired = v10;
        s0 = rounded(v94); // v
        s1 = rounded(v58); // m
        if (has_fired) {
            atomicOr(&fired[k * WORDS + 8u + (i >> 5u)], 1u << (i & 31u));
        }
        if (columns[i] != 0u) {
            let at = (params.offset + k) * 3u + columns[i] - 1u;
            traces[at + 0u] = s0; // v
        }
    }
    states[i] = s0;
    states[STRIDE + i] = s1;
    if (params.check != 0u && ((bitcast<u32>(s0) & 0x7f800000u) == 0x7f800000u || (bitcast<u32>(s1) & 0x7f800000u) == 0x7f800000u)) {
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
