// One step of `iaf_cond_exp`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 6>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> states: array<f32>;
@group(0) @binding(2) var<storage, read_write> inputs: array<f32>;
@group(0) @binding(3) var<storage, read> derived: array<f32>;
@group(0) @binding(4) var<storage, read_write> fired: array<u32>;

// Rounds here and now: no compiler knows that `zero` is 0.
fn rounded(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ params.zero);
}

fn step(i: u32) {
    let v0 = states[i]; // v
    let v1 = states[params.stride + i]; // g_ex
    let v2 = states[2u * params.stride + i]; // g_in
    let v3 = states[3u * params.stride + i]; // refractory_steps
    let v5 = 0.0f < v3;
    let v6 = -v1;
    let v7 = derived[params.places[0].x + i * params.places[0].y];
    let v8 = rounded(v1 * v7);
    let v9 = derived[params.places[0].z + i * params.places[0].w];
    let v10 = rounded(v6 + v9);
    let v11 = derived[params.places[1].x + i * params.places[1].y];
    let v12 = rounded(v8 + v11);
    let v13 = -v2;
    let v14 = derived[params.places[1].z + i * params.places[1].w];
    let v15 = rounded(v2 * v14);
    let v16 = v10 + v13;
    let v17 = rounded(v12 + v15);
    let v18 = derived[params.places[2].x + i * params.places[2].y];
    let v19 = v17 + v18;
    let v20 = derived[params.places[2].z + i * params.places[2].w];
    let v21 = rounded(v16 * v20);
    let v22 = rounded(v19 * v20);
    let v23 = derived[params.places[3].x + i * params.places[3].y];
    let v24 = rounded(v21 * v23);
    let v26 = select(v24, 88.72283f, 88.72283f < v24);
    let v28 = select(v26, (-87.336f), v26 < (-87.336f));
    let v30 = v28 * 1.442695f;
    let v31 = round(v30);
    let v33 = rounded(v31 * 0.69314575f);
    let v34 = rounded(v28 - v33);
    let v36 = rounded(v31 * 1.4286068e-6f);
    let v37 = rounded(v34 - v36);
    let v38 = rounded(v37 * v37);
    let v40 = rounded(v37 * 0.0013946104f);
    let v42 = v40 + 0.008366608f;
    let v43 = rounded(v37 * v42);
    let v45 = v43 + 0.041666288f;
    let v46 = rounded(v37 * v45);
    let v48 = v46 + 0.16666543f;
    let v49 = rounded(v37 * v48);
    let v51 = v49 + 0.5f;
    let v52 = rounded(v38 * v51);
    let v53 = rounded(v37 + v52);
    let v55 = v53 + 1.0f;
    let v56 = i32(v31);
    let v58 = v56 << 23u;
    let v59 = bitcast<i32>(v55);
    let v60 = v58 + v59;
    let v61 = bitcast<f32>(v60);
    let v62 = v24 < (-87.336f);
    let v63 = select(v61, 0.0f, v62);
    let v64 = v24 == 0.0f;
    let v66 = v56 + 126i;
    let v67 = v66 << 23u;
    let v68 = bitcast<f32>(v67);
    let v69 = rounded(v53 * v68);
    let v71 = rounded(v68 + (-0.5f));
    let v72 = rounded(v69 + v71);
    let v73 = v72 + v72;
    let v74 = select(v73, 1.0f, v64);
    let v75 = select(v24, 1.0f, v64);
    let v76 = rounded(v74 / v75);
    let v77 = rounded(v0 * v63);
    let v78 = rounded(v23 * v76);
    let v79 = rounded(v22 * v78);
    let v80 = v77 + v79;
    let v81 = select(v80, v0, v5);
    let v82 = derived[params.places[3].z + i * params.places[3].w];
    let v83 = rounded(v1 * v82);
    let v84 = derived[params.places[4].x + i * params.places[4].y];
    let v85 = rounded(v2 * v84);
    let v86 = inputs[i]; // ex
    let v87 = v83 + v86;
    let v88 = inputs[params.stride + i]; // in
    let v89 = v85 + v88;
    let v90 = derived[params.places[4].z + i * params.places[4].w];
    let v91 = v90 <= v81;
    let v92 = !v5;
    let v93 = v91 && v92;
    let v94 = derived[params.places[5].x + i * params.places[5].y];
    let v95 = select(v81, v94, v93);
    let v96 = v3 - 1.0f;
    let v97 = select(0.0f, v96, v5);
    let v98 = derived[params.places[5].z + i * params.places[5].w];
    let v99 = select(v97, v98, v93);
    fired[i] = select(0u, 1u, v93);
    states[i] = v95; // v
    states[params.stride + i] = v87; // g_ex
    states[2u * params.stride + i] = v89; // g_in
    states[3u * params.stride + i] = v99; // refractory_steps
    inputs[i] = 0.0f;
    inputs[params.stride + i] = 0.0f;
}

@compute @workgroup_size(64)
fn step_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i < params.n) {
        step(i);
    }
}
