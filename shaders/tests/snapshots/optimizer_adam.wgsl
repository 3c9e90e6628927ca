// One update by `adam`.
struct Params {
    n: u32,
    scale: f32,
    zero: u32,
    unused: u32,
    derived: array<vec4<f32>, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> parameter_0: array<f32>;
@group(0) @binding(2) var<storage, read> gradient_0: array<f32>;
@group(0) @binding(3) var<storage, read_write> kept_0: array<f32>;
@group(0) @binding(4) var<storage, read_write> kept_1: array<f32>;

// Rounds here and now: no compiler knows that `zero` is 0.
fn rounded(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ params.zero);
}

fn update(i: u32) {
    let v0 = parameter_0[i]; // p
    let v1 = kept_0[i]; // m
    let v2 = kept_1[i]; // v
    let v3 = rounded(gradient_0[i] * params.scale); // gradient
    let v4 = v3 - v1;
    let v5 = params.derived[0].x;
    let v6 = rounded(v4 * v5);
    let v7 = v1 + v6;
    let v8 = params.derived[0].y;
    let v9 = rounded(v2 * v8);
    let v10 = params.derived[0].z;
    let v11 = rounded(v3 * v10);
    let v12 = rounded(v3 * v11);
    let v13 = v9 + v12;
    let v14 = params.derived[0].w;
    let v15 = rounded(v7 * v14);
    let v16 = sqrt(v13);
    let v17 = params.derived[1].x;
    let v18 = rounded(v16 * v17);
    let v19 = params.derived[1].y;
    let v20 = v18 + v19;
    let v21 = rounded(v15 / v20);
    let v22 = v0 - v21;
    parameter_0[i] = v22; // p
    kept_0[i] = v7; // m
    kept_1[i] = v13; // v
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
