// One step of `iaf_psc_alpha`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 8>,
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
    let v1 = states[params.stride + i]; // i_ex
    let v2 = states[2u * params.stride + i]; // j_ex
    let v3 = states[3u * params.stride + i]; // i_in
    let v4 = states[4u * params.stride + i]; // j_in
    let v5 = states[5u * params.stride + i]; // refractory_steps
    let v7 = 0.0f < v5;
    let v8 = derived[params.places[0].x + i * params.places[0].y];
    let v9 = rounded(v0 * v8);
    let v10 = derived[params.places[0].z + i * params.places[0].w];
    let v11 = rounded(v1 * v10);
    let v12 = rounded(v9 + v11);
    let v13 = derived[params.places[1].x + i * params.places[1].y];
    let v14 = rounded(v2 * v13);
    let v15 = rounded(v12 + v14);
    let v16 = derived[params.places[1].z + i * params.places[1].w];
    let v17 = rounded(v3 * v16);
    let v18 = rounded(v15 + v17);
    let v19 = derived[params.places[2].x + i * params.places[2].y];
    let v20 = rounded(v4 * v19);
    let v21 = rounded(v18 + v20);
    let v22 = derived[params.places[2].z + i * params.places[2].w];
    let v23 = v21 + v22;
    let v24 = derived[params.places[3].x + i * params.places[3].y];
    let v25 = rounded(v1 * v24);
    let v26 = derived[params.places[3].z + i * params.places[3].w];
    let v27 = rounded(v2 * v26);
    let v28 = v25 + v27;
    let v29 = rounded(v2 * v24);
    let v30 = derived[params.places[4].x + i * params.places[4].y];
    let v31 = rounded(v3 * v30);
    let v32 = derived[params.places[4].z + i * params.places[4].w];
    let v33 = rounded(v4 * v32);
    let v34 = v31 + v33;
    let v35 = rounded(v4 * v30);
    let v36 = select(v23, v0, v7);
    let v37 = inputs[i]; // ex
    let v38 = derived[params.places[5].x + i * params.places[5].y];
    let v39 = rounded(v37 * v38);
    let v40 = v29 + v39;
    let v41 = inputs[params.stride + i]; // in
    let v42 = derived[params.places[5].z + i * params.places[5].w];
    let v43 = rounded(v41 * v42);
    let v44 = v35 + v43;
    let v45 = derived[params.places[6].x + i * params.places[6].y];
    let v46 = v45 <= v36;
    let v47 = !v7;
    let v48 = v46 && v47;
    let v49 = derived[params.places[6].z + i * params.places[6].w];
    let v50 = select(v36, v49, v48);
    let v52 = v5 - 1.0f;
    let v53 = select(0.0f, v52, v7);
    let v54 = derived[params.places[7].x + i * params.places[7].y];
    let v55 = select(v53, v54, v48);
    fired[i] = select(0u, 1u, v48);
    states[i] = v50; // v
    states[params.stride + i] = v28; // i_ex
    states[2u * params.stride + i] = v40; // j_ex
    states[3u * params.stride + i] = v34; // i_in
    states[4u * params.stride + i] = v44; // j_in
    states[5u * params.stride + i] = v55; // refractory_steps
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
