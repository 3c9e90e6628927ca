// One step of `if`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 1>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> states: array<f32>;
@group(0) @binding(2) var<storage, read_write> inputs: array<f32>;
@group(0) @binding(3) var<storage, read> derived: array<f32>;
@group(0) @binding(4) var<storage, read_write> fired: array<u32>;

fn step(i: u32) {
    let v0 = states[i]; // v
    let v1 = inputs[i]; // x
    let v2 = v0 + v1;
    let v3 = derived[params.places[0].x + i * params.places[0].y];
    let v4 = v3 <= v2;
    let v5 = derived[params.places[0].z + i * params.places[0].w];
    let v6 = select(v2, v5, v4);
    fired[i] = select(0u, 1u, v4);
    states[i] = v6; // v
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
