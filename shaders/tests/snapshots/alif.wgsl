// One step of `alif`.
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
    let v1 = states[params.stride + i]; // a
    let v2 = inputs[i]; // x
    let v3 = derived[params.places[0].x + i * params.places[0].y];
    let v4 = rounded(v0 - v3);
    let v5 = v2 - v4;
    let v6 = derived[params.places[0].z + i * params.places[0].w];
    let v7 = rounded(v5 * v6);
    let v8 = rounded(v0 + v7);
    let v9 = derived[params.places[1].x + i * params.places[1].y];
    let v10 = rounded(v1 * v9);
    let v11 = derived[params.places[1].z + i * params.places[1].w];
    let v12 = rounded(v10 + v11);
    let v13 = v8 - v12;
    let v14 = v12 <= v8;
    let v15 = select(0.0f, 1.0f, v14);
    let v16 = select(v8, v13, v14);
    let v17 = derived[params.places[2].x + i * params.places[2].y];
    let v18 = rounded(v1 * v17);
    let v19 = derived[params.places[2].z + i * params.places[2].w];
    let v20 = rounded(v15 * v19);
    let v21 = v18 + v20;
    fired[i] = select(0u, 1u, v14);
    states[i] = v16; // v
    states[params.stride + i] = v21; // a
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
