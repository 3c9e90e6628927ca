// `reverse`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 6>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> sources: array<f32>;
@group(0) @binding(2) var<storage, read_write> results: array<f32>;

// Rounds here and now: no compiler knows that `zero` is 0.
fn rounded(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ params.zero);
}

fn reverse_body(i: u32) {
    let v0 = sources[params.places[0].x + i * params.places[0].y]; // State(0)
    let v1 = sources[params.places[0].z + i * params.places[0].w]; // Input(0)
    let v2 = sources[params.places[1].x + i * params.places[1].y]; // Derived(0)
    let v3 = rounded(v0 - v2);
    let v4 = v1 - v3;
    let v5 = sources[params.places[1].z + i * params.places[1].w]; // Derived(1)
    let v6 = rounded(v4 * v5);
    let v7 = rounded(v0 + v6);
    let v8 = sources[params.places[2].x + i * params.places[2].y]; // Derived(2)
    let v9 = v7 - v8;
    let v11 = v8 <= v7;
    let v12 = sources[params.places[2].z + i * params.places[2].w]; // SpikeCotangent
    let v13 = sources[params.places[3].x + i * params.places[3].y]; // StateCotangent(0)
    let v14 = v2 - v7;
    let v15 = rounded(v13 * v14);
    let v16 = v12 + v15;
    let v17 = select(0.0f, v13, v11);
    let v18 = select(v13, 0.0f, v11);
    let v20 = rounded(v9 * 3.1415927f);
    let v21 = rounded(v20 * v20);
    let v23 = v21 + 1.0f;
    let v24 = rounded(1.0f / v23);
    let v25 = rounded(v16 * v24);
    let v26 = rounded(v18 + v25);
    let v27 = -v25;
    let v28 = rounded(v5 * v26);
    let v29 = v4 * v26;
    let v30 = -v28;
    let v31 = v26 + v30;
    let v32 = v17 + v28;
    results[params.places[3].z + i * params.places[3].w] = v31; // StateCotangent(0)
    results[params.places[4].x + i * params.places[4].y] = v28; // InputCotangent(0)
    results[params.places[4].z + i * params.places[4].w] = v32; // DerivedCotangent(0)
    results[params.places[5].x + i * params.places[5].y] = v29; // DerivedCotangent(1)
    results[params.places[5].z + i * params.places[5].w] = v27; // DerivedCotangent(2)
}

@compute @workgroup_size(64)
fn reverse_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i < params.n) {
        reverse_body(i);
    }
}
