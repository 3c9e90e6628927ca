// One step of `iaf_psc_delta`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 3>,
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
    let v1 = states[params.stride + i]; // refractory_steps
    let v3 = 0.0f < v1;
    let v4 = derived[params.places[0].x + i * params.places[0].y];
    let v5 = rounded(v0 * v4);
    let v6 = derived[params.places[0].z + i * params.places[0].w];
    let v7 = rounded(v5 + v6);
    let v8 = select(v7, v0, v3);
    let v9 = inputs[i]; // delta
    let v10 = v8 + v9;
    let v11 = select(v10, v8, v3);
    let v12 = derived[params.places[1].x + i * params.places[1].y];
    let v13 = v12 <= v11;
    let v14 = !v3;
    let v15 = v13 && v14;
    let v16 = derived[params.places[1].z + i * params.places[1].w];
    let v17 = select(v11, v16, v15);
    let v19 = v1 - 1.0f;
    let v20 = select(0.0f, v19, v3);
    let v21 = derived[params.places[2].x + i * params.places[2].y];
    let v22 = select(v20, v21, v15);
    fired[i] = select(0u, 1u, v15);
    states[i] = v17; // v
    states[params.stride + i] = v22; // refractory_steps
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
