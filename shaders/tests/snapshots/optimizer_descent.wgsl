// One update by `descent`.
struct Params {
    n: u32,
    scale: f32,
    zero: u32,
    unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> parameter_0: array<f32>;
@group(0) @binding(2) var<storage, read> gradient_0: array<f32>;

// Rounds here and now: no compiler knows that `zero` is 0.
fn rounded(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ params.zero);
}

fn update(i: u32) {
    let v0 = parameter_0[i]; // p
    let v1 = rounded(gradient_0[i] * params.scale); // gradient
    let v2 = v0 - v1;
    parameter_0[i] = v2; // p
}

@compute @workgroup_size(64)
fn update_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i < params.n) {
        update(i);
    }
}
