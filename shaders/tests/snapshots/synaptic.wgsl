// One step of `synaptic`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 2>,
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
    let v0 = states[i]; // i
    let v1 = states[params.stride + i]; // v
    let v2 = derived[params.places[0].x + i * params.places[0].y];
    let v3 = rounded(v0 * v2);
    let v4 = inputs[i]; // x
    let v5 = rounded(v3 + v4);
    let v6 = derived[params.places[0].z + i * params.places[0].w];
    let v7 = v6 < v1;
    let v10 = select(0.0f, 1.0f, v7);
    let v11 = derived[params.places[1].x + i * params.places[1].y];
    let v12 = rounded(v1 * v11);
    let v13 = rounded(v5 + v12);
    let v14 = rounded(v6 * v10);
    let v15 = v13 - v14;
    let v16 = v6 < v15;
    fired[i] = select(0u, 1u, v16);
    states[i] = v5; // i
    states[params.stride + i] = v15; // v
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
