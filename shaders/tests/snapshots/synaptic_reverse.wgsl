// `reverse`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 8>,
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
    let v1 = sources[params.places[0].z + i * params.places[0].w]; // State(1)
    let v2 = sources[params.places[1].x + i * params.places[1].y]; // Derived(0)
    let v3 = rounded(v0 * v2);
    let v4 = sources[params.places[1].z + i * params.places[1].w]; // Input(0)
    let v5 = rounded(v3 + v4);
    let v6 = sources[params.places[2].x + i * params.places[2].y]; // Derived(1)
    let v7 = v6 < v1;
    let v10 = select(0.0f, 1.0f, v7);
    let v11 = sources[params.places[2].z + i * params.places[2].w]; // Derived(2)
    let v12 = rounded(v1 * v11);
    let v13 = rounded(v5 + v12);
    let v14 = rounded(v6 * v10);
    let v15 = rounded(v13 - v14);
    let v16 = v15 - v6;
    let v17 = sources[params.places[3].x + i * params.places[3].y]; // SpikeCotangent
    let v18 = sources[params.places[3].z + i * params.places[3].w]; // StateCotangent(0)
    let v19 = sources[params.places[4].x + i * params.places[4].y]; // StateCotangent(1)
    let v21 = rounded(v16 * 3.1415927f);
    let v22 = rounded(v21 * v21);
    let v23 = 1.0f + v22;
    let v24 = rounded(1.0f / v23);
    let v25 = rounded(v17 * v24);
    let v26 = rounded(v19 + v25);
    let v27 = -v25;
    let v28 = -v26;
    let v29 = rounded(v10 * v28);
    let v30 = v27 + v29;
    let v31 = v18 + v26;
    let v32 = v11 * v26;
    let v33 = v1 * v26;
    let v34 = v2 * v31;
    let v35 = v0 * v31;
    results[params.places[4].z + i * params.places[4].w] = v34; // StateCotangent(0)
    results[params.places[5].x + i * params.places[5].y] = v32; // StateCotangent(1)
    results[params.places[5].z + i * params.places[5].w] = v31; // InputCotangent(0)
    results[params.places[6].x + i * params.places[6].y] = v35; // DerivedCotangent(0)
    results[params.places[6].z + i * params.places[6].w] = v30; // DerivedCotangent(1)
    results[params.places[7].x + i * params.places[7].y] = v33; // DerivedCotangent(2)
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
