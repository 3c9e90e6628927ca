// One step of `izhikevich_discrete`.
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
    let v1 = states[params.stride + i]; // w
    let v2 = inputs[i]; // x
    let v3 = derived[params.places[0].x + i * params.places[0].y];
    let v4 = v0 - v3;
    let v5 = derived[params.places[0].z + i * params.places[0].w];
    let v6 = rounded(v4 * v5);
    let v7 = derived[params.places[1].x + i * params.places[1].y];
    let v8 = v0 - v7;
    let v9 = rounded(v6 * v8);
    let v10 = rounded(v2 + v9);
    let v11 = v10 - v1;
    let v12 = derived[params.places[1].z + i * params.places[1].w];
    let v13 = rounded(v11 * v12);
    let v14 = rounded(v0 + v13);
    let v15 = v14 - v3;
    let v16 = derived[params.places[2].x + i * params.places[2].y];
    let v17 = rounded(v15 * v16);
    let v18 = v17 - v1;
    let v19 = derived[params.places[2].z + i * params.places[2].w];
    let v20 = rounded(v18 * v19);
    let v21 = rounded(v1 + v20);
    let v22 = derived[params.places[3].x + i * params.places[3].y];
    let v23 = v22 <= v14;
    let v24 = select(0.0f, 1.0f, v23);
    let v25 = derived[params.places[3].z + i * params.places[3].w];
    let v26 = select(v14, v25, v23);
    let v27 = derived[params.places[4].x + i * params.places[4].y];
    let v28 = rounded(v24 * v27);
    let v29 = v21 + v28;
    fired[i] = select(0u, 1u, v23);
    states[i] = v26; // v
    states[params.stride + i] = v29; // w
    inputs[i] = 0.0f;
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
