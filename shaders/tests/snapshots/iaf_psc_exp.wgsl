// One step of `iaf_psc_exp`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 5>,
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
    let v2 = states[2u * params.stride + i]; // i_in
    let v3 = states[3u * params.stride + i]; // refractory_steps
    let v5 = 0.0f < v3;
    let v6 = derived[params.places[0].x + i * params.places[0].y];
    let v7 = rounded(v0 * v6);
    let v8 = derived[params.places[0].z + i * params.places[0].w];
    let v9 = rounded(v1 * v8);
    let v10 = rounded(v7 + v9);
    let v11 = derived[params.places[1].x + i * params.places[1].y];
    let v12 = rounded(v2 * v11);
    let v13 = rounded(v10 + v12);
    let v14 = derived[params.places[1].z + i * params.places[1].w];
    let v15 = v13 + v14;
    let v16 = derived[params.places[2].x + i * params.places[2].y];
    let v17 = rounded(v1 * v16);
    let v18 = derived[params.places[2].z + i * params.places[2].w];
    let v19 = rounded(v2 * v18);
    let v20 = select(v15, v0, v5);
    let v21 = inputs[i]; // ex
    let v22 = v17 + v21;
    let v23 = inputs[params.stride + i]; // in
    let v24 = v19 + v23;
    let v25 = derived[params.places[3].x + i * params.places[3].y];
    let v26 = v25 <= v20;
    let v27 = !v5;
    let v28 = v26 && v27;
    let v29 = derived[params.places[3].z + i * params.places[3].w];
    let v30 = select(v20, v29, v28);
    let v32 = v3 - 1.0f;
    let v33 = select(0.0f, v32, v5);
    let v34 = derived[params.places[4].x + i * params.places[4].y];
    let v35 = select(v33, v34, v28);
    fired[i] = select(0u, 1u, v28);
    states[i] = v30; // v
    states[params.stride + i] = v22; // i_ex
    states[2u * params.stride + i] = v24; // i_in
    states[3u * params.stride + i] = v35; // refractory_steps
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
