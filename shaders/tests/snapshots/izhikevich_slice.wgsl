// The steps of a chunk of `izhikevich`.
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
    var s1 = states[STRIDE + i]; // u
    for (var k = 0u; k < params.len; k++) {
        let slot = ((params.slot + k) % RING) * ARRIVALS + i;
        let low = params.first_low + k;
        let high = params.first_high + select(0u, 1u, low < k);
        var x0 = 0.0f; // current
        var x1 = 0.0f; // ex
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
        let v1 = s1; // u
        let v3 = rounded(v0 * 0.04f);
        let v4 = rounded(v0 * v3);
        let v6 = rounded(v0 * 5.0f);
        let v7 = rounded(v4 + v6);
        let v9 = rounded(v7 + 140.0f);
        let v10 = rounded(v9 - v1);
        let v11 = x0; // current
        let v12 = rounded(v10 + v11);
        let v13 = derived[0u];
        let v14 = rounded(v0 * v13);
        let v15 = v14 - v1;
        let v16 = derived[1u + i];
        let v17 = rounded(v15 * v16);
        let v18 = derived[2u];
        let v19 = rounded(v12 * v18);
        let v20 = v0 + v19;
        let v21 = rounded(v17 * v18);
        let v22 = rounded(v1 + v21);
        let v23 = rounded(0.04f * v20);
        let v24 = rounded(v20 * v23);
        let v25 = rounded(5.0f * v20);
        let v26 = rounded(v24 + v25);
        let v27 = rounded(140.0f + v26);
        let v28 = rounded(v27 - v22);
        let v29 = rounded(v11 + v28);
        let v30 = rounded(v13 * v20);
        let v31 = v30 - v22;
        let v32 = rounded(v16 * v31);
        let v33 = rounded(v18 * v29);
        let v34 = v0 + v33;
        let v35 = rounded(v18 * v32);
        let v36 = rounded(v1 + v35);
        let v37 = rounded(0.04f * v34);
        let v38 = rounded(v34 * v37);
        let v39 = rounded(5.0f * v34);
        let v40 = rounded(v38 + v39);
        let v41 = rounded(140.0f + v40);
        let v42 = rounded(v41 - v36);
        let v43 = rounded(v11 + v42);
        let v44 = rounded(v13 * v34);
        let v45 = v44 - v36;
        let v46 = rounded(v16 * v45);
        let v47 = derived[3u + i];
        let v48 = rounded(v43 * v47);
        let v49 = v0 + v48;
        let v50 = rounded(v46 * v47);
        let v51 = rounded(v1 + v50);
        let v52 = rounded(0.04f * v49);
        let v53 = rounded(v49 * v52);
        let v54 = rounded(5.0f * v49);
        let v55 = rounded(v53 + v54);
        let v56 = rounded(140.0f + v55);
        let v57 = rounded(v56 - v51);
        let v58 = rounded(v11 + v57);
        let v59 = rounded(v13 * v49);
        let v60 = v59 - v51;
        let v61 = rounded(v16 * v60);
        let v62 = v29 + v43;
        let v64 = rounded(v62 * 2.0f);
        let v65 = v32 + v46;
        let v66 = rounded(2.0f * v65);
        let v67 = rounded(v12 + v64);
        let v68 = rounded(v17 + v66);
        let v69 = v58 + v67;
        let v70 = v61 + v68;
        let v71 = derived[4u];
        let v72 = rounded(v69 * v71);
        let v73 = rounded(v0 + v72);
        let v74 = rounded(v70 * v71);
        let v75 = rounded(v1 + v74);
        let v76 = x1; // ex
        let v77 = v73 + v76;
        let v78 = derived[5u + i];
        let v79 = v78 <= v77;
        let v80 = derived[6u];
        let v81 = select(v77, v80, v79);
        let v82 = derived[7u + i];
        let v83 = v75 + v82;
        let v84 = select(v75, v83, v79);
        has_fired = v79;
        s0 = rounded(v81); // v
        s1 = rounded(v84); // u
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
