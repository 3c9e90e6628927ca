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
    let v30 = select(v28, 88.72283f, 88.72283f < v28);
    let v32 = select(v30, (-87.336f), v30 < (-87.336f));
    let v34 = v32 * 1.442695f;
    let v35 = round(v34);
    let v37 = rounded(v35 * 0.69314575f);
    let v38 = rounded(v32 - v37);
    let v40 = rounded(v35 * 1.4286068e-6f);
    let v41 = rounded(v38 - v40);
    let v42 = rounded(v41 * v41);
    let v44 = rounded(v41 * 0.0013946104f);
    let v46 = v44 + 0.008366608f;
    let v47 = rounded(v41 * v46);
    let v49 = v47 + 0.041666288f;
    let v50 = rounded(v41 * v49);
    let v52 = v50 + 0.16666543f;
    let v53 = rounded(v41 * v52);
    let v55 = v53 + 0.5f;
    let v56 = rounded(v42 * v55);
    let v57 = rounded(v41 + v56);
    let v59 = v57 + 1.0f;
    let v60 = i32(v35);
    let v62 = v60 << 23u;
    let v63 = bitcast<i32>(v59);
    let v64 = v62 + v63;
    let v65 = bitcast<f32>(v64);
    let v66 = v28 < (-87.336f);
    let v67 = select(v65, 0.0f, v66);
    let v68 = v28 == 0.0f;
    let v70 = v60 + 126i;
    let v71 = v70 << 23u;
    let v72 = bitcast<f32>(v71);
    let v73 = rounded(v57 * v72);
    let v75 = rounded(v72 + (-0.5f));
    let v76 = rounded(v73 + v75);
    let v77 = v76 + v76;
    let v78 = select(v77, 1.0f, v68);
    let v79 = select(v28, 1.0f, v68);
    let v80 = rounded(v78 / v79);
    let v81 = rounded(v0 * v67);
    let v82 = rounded(v27 * v80);
    let v83 = rounded(v26 * v82);
    let v84 = v81 + v83;
    let v85 = select(v84, v0, v5);
    let v86 = derived[params.places[4].z + i * params.places[4].w];
    let v87 = rounded(v1 * v86);
    let v88 = derived[params.places[5].x + i * params.places[5].y];
    let v89 = rounded(v2 * v88);
    let v90 = inputs[i]; // ex
    let v91 = v87 + v90;
    let v92 = inputs[params.stride + i]; // in
    let v93 = v89 + v92;
    let v94 = derived[params.places[5].z + i * params.places[5].w];
    let v95 = v94 <= v85;
    let v96 = !v5;
    let v97 = v95 && v96;
    let v98 = derived[params.places[6].x + i * params.places[6].y];
    let v99 = select(v85, v98, v97);
    let v100 = v3 - 1.0f;
    let v101 = select(0.0f, v100, v5);
    let v102 = derived[params.places[6].z + i * params.places[6].w];
    let v103 = select(v101, v102, v97);
    fired[i] = select(0u, 1u, v97);
    states[i] = v99; // v
    states[params.stride + i] = v91; // g_ex
    states[2u * params.stride + i] = v93; // g_in
    states[3u * params.stride + i] = v103; // refractory_steps
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
