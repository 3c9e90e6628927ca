// One step of `iaf_cond_exp`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 7>,
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
    let v6 = derived[params.places[0].x + i * params.places[0].y];
    let v7 = rounded(v1 * v6);
    let v8 = derived[params.places[0].z + i * params.places[0].w];
    let v9 = rounded(v2 * v8);
    let v10 = -v7;
    let v11 = derived[params.places[1].x + i * params.places[1].y];
    let v12 = rounded(v7 * v11);
    let v13 = derived[params.places[1].z + i * params.places[1].w];
    let v14 = rounded(v10 + v13);
    let v15 = derived[params.places[2].x + i * params.places[2].y];
    let v16 = rounded(v12 + v15);
    let v17 = -v9;
    let v18 = derived[params.places[2].z + i * params.places[2].w];
    let v19 = rounded(v9 * v18);
    let v20 = v14 + v17;
    let v21 = rounded(v16 + v19);
    let v22 = derived[params.places[3].x + i * params.places[3].y];
    let v23 = v21 + v22;
    let v24 = derived[params.places[3].z + i * params.places[3].w];
    let v25 = rounded(v20 * v24);
    let v26 = rounded(v23 * v24);
    let v27 = derived[params.places[4].x + i * params.places[4].y];
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
    let v80 = derived[params.places[4].z + i * params.places[4].w];
    let v81 = rounded(v1 * v80);
    let v82 = derived[params.places[5].x + i * params.places[5].y];
    let v83 = rounded(v2 * v82);
    let v84 = inputs[i]; // ex
    let v85 = v81 + v84;
    let v86 = inputs[params.stride + i]; // in
    let v87 = v83 + v86;
    let v88 = derived[params.places[5].z + i * params.places[5].w];
    let v89 = v88 <= v79;
    let v90 = !v5;
    let v91 = v89 && v90;
    let v92 = derived[params.places[6].x + i * params.places[6].y];
    let v93 = select(v79, v92, v91);
    let v94 = v3 - 1.0f;
    let v95 = select(0.0f, v94, v5);
    let v96 = derived[params.places[6].z + i * params.places[6].w];
    let v97 = select(v95, v96, v91);
    fired[i] = select(0u, 1u, v91);
    states[i] = v93; // v
    states[params.stride + i] = v85; // g_ex
    states[2u * params.stride + i] = v87; // g_in
    states[3u * params.stride + i] = v97; // refractory_steps
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
