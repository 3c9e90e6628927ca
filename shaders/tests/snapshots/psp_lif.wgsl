// One step of `psp_lif`.
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
    let v0 = states[i]; // m
    let v1 = states[params.stride + i]; // s
    let v2 = states[2u * params.stride + i]; // e
    let v3 = derived[params.places[0].x + i * params.places[0].y];
    let v4 = rounded(v0 * v3);
    let v5 = inputs[i]; // x
    let v6 = derived[params.places[0].z + i * params.places[0].w];
    let v7 = rounded(v5 * v6);
    let v8 = rounded(v4 + v7);
    let v9 = derived[params.places[1].x + i * params.places[1].y];
    let v10 = rounded(v1 * v9);
    let v11 = rounded(v7 + v10);
    let v12 = rounded(v8 - v11);
    let v13 = v12 - v2;
    let v14 = derived[params.places[1].z + i * params.places[1].w];
    let v15 = v14 < v13;
    let v16 = select(0.0f, 1.0f, v15);
    let v17 = derived[params.places[2].x + i * params.places[2].y];
    let v18 = rounded(v2 * v17);
    let v19 = rounded(v14 * v16);
    let v20 = v18 + v19;
    fired[i] = select(0u, 1u, v15);
    states[i] = v8; // m
    states[params.stride + i] = v11; // s
    states[2u * params.stride + i] = v20; // e
    states[3u * params.stride + i] = v13; // v
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
