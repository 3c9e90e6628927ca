// The steps of a chunk of `iaf_cond_exp`.
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
    var s1 = states[STRIDE + i]; // g_ex
    var s2 = states[2u * STRIDE + i]; // g_in
    var s3 = states[3u * STRIDE + i]; // refractory_steps
    for (var k = 0u; k < params.len; k++) {
        let slot = ((params.slot + k) % RING) * ARRIVALS + i;
        let low = params.first_low + k;
        let high = params.first_high + select(0u, 1u, low < k);
        var x0 = 0.0f; // ex
        var x1 = 0.0f; // in
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
        let n4 = arrivals[slot + 64u];
        if (n4 != 0i) {
            arrivals[slot + 64u] = 0i;
            for (var j = 0i; j < n4; j++) {
                x1 = rounded(x1 + 87.8f);
            }
        }
        let n5 = arrivals[slot + 1088u];
        if (n5 != 0i) {
            arrivals[slot + 1088u] = 0i;
            x1 = rounded(x1 + rounded(f32(n5) * 0.00012207031f));
        }
        let n6 = poisson(word(i, low, high, 0u, vec2<u32>(17u, 4000000000u)), 2u, 5u, 9u);
        x1 = rounded(x1 + rounded((-1.5f) * f32(n6)));
        x1 = rounded(x1 + 0.1f);
        var has_fired = false;
        let v0 = s0; // v
        let v1 = s1; // g_ex
        let v2 = s2; // g_in
        let v3 = s3; // refractory_steps
        let v5 = 0.0f < v3;
        let v6 = derived[0u];
        let v7 = rounded(v1 * v6);
        let v8 = derived[1u + i];
        let v9 = rounded(v2 * v8);
        let v10 = -v7;
        let v11 = derived[2u];
        let v12 = rounded(v7 * v11);
        let v13 = derived[3u + i];
        let v14 = rounded(v10 + v13);
        let v15 = derived[4u];
        let v16 = rounded(v12 + v15);
        let v17 = -v9;
        let v18 = derived[5u + i];
        let v19 = rounded(v9 * v18);
        let v20 = v14 + v17;
        let v21 = rounded(v16 + v19);
        let v22 = derived[6u];
        let v23 = v21 + v22;
        let v24 = derived[7u + i];
        let v25 = rounded(v20 * v24);
        let v26 = rounded(v23 * v24);
        let v27 = derived[8u];
        let v28 = rounded(v25 * v27);
        let v30 = v28 == 0.0f;
        let v32 = select(v28, 88.72283f, 88.72283f < v28);
        let v34 = select(v32, (-87.336f), v32 < (-87.336f));
        let v36 = v34 * 1.442695f;
        let v37 = round(v36);
        let v39 = rounded(v37 * 0.69314575f);
        let v40 = rounded(v34 - v39);
        let v42 = rounded(v37 * 1.4286068e-6f);
        let v43 = rounded(v40 - v42);
        let v44 = rounded(v43 * v43);
        let v46 = rounded(v43 * 0.0013946104f);
        let v48 = v46 + 0.008366608f;
        let v49 = rounded(v43 * v48);
        let v51 = v49 + 0.041666288f;
        let v52 = rounded(v43 * v51);
        let v54 = v52 + 0.16666543f;
        let v55 = rounded(v43 * v54);
        let v57 = v55 + 0.5f;
        let v58 = rounded(v44 * v57);
        let v59 = v43 + v58;
        let v60 = i32(v37);
        let v62 = v60 + 126i;
        let v64 = v62 << 23u;
        let v65 = bitcast<f32>(v64);
        let v66 = rounded(v59 * v65);
        let v68 = rounded(v65 + (-0.5f));
        let v69 = rounded(v66 + v68);
        let v70 = v69 + v69;
        let v71 = select(v70, 1.0f, v30);
        let v72 = select(v28, 1.0f, v30);
        let v73 = rounded(v71 / v72);
        let v74 = rounded(v27 * v73);
        let v75 = rounded(v0 * v25);
        let v76 = v26 + v75;
        let v77 = rounded(v74 * v76);
        let v78 = v0 + v77;
        let v79 = select(v78, v0, v5);
        let v80 = derived[9u + i];
        let v81 = rounded(v1 * v80);
        let v82 = derived[10u];
        let v83 = rounded(v2 * v82);
        let v84 = x0; // ex
        let v85 = v81 + v84;
        let v86 = x1; // in
        let v87 = v83 + v86;
        let v88 = derived[11u + i];
        let v89 = v88 <= v79;
        let v90 = !v5;
        let v91 = v89 && v90;
        let v92 = derived[12u];
        let v93 = select(v79, v92, v91);
        let v94 = v3 - 1.0f;
        let v95 = select(0.0f, v94, v5);
        let v96 = derived[13u + i];
        let v97 = select(v95, v96, v91);
        has_fired = v91;
        s0 = rounded(v93); // v
        s1 = rounded(v85); // g_ex
        s2 = rounded(v87); // g_in
        s3 = rounded(v97); // refractory_steps
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
    states[2u * STRIDE + i] = s2;
    states[3u * STRIDE + i] = s3;
    if (params.check != 0u && ((bitcast<u32>(s0) & 0x7f800000u) == 0x7f800000u || (bitcast<u32>(s1) & 0x7f800000u) == 0x7f800000u || (bitcast<u32>(s2) & 0x7f800000u) == 0x7f800000u || (bitcast<u32>(s3) & 0x7f800000u) == 0x7f800000u)) {
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
