// `reverse`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 9>,
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
    let v3 = 0.0f < v1;
    let v4 = sources[params.places[1].x + i * params.places[1].y]; // Derived(0)
    let v5 = rounded(v0 * v4);
    let v6 = sources[params.places[1].z + i * params.places[1].w]; // Derived(1)
    let v7 = rounded(v5 + v6);
    let v8 = select(v7, v0, v3);
    let v9 = sources[params.places[2].x + i * params.places[2].y]; // Input(0)
    let v10 = rounded(v8 + v9);
    let v11 = select(v10, v8, v3);
    let v12 = sources[params.places[2].z + i * params.places[2].w]; // Derived(2)
    let v13 = v11 - v12;
    let v14 = v12 <= v11;
    let v15 = !v3;
    let v16 = v14 && v15;
    let v17 = sources[params.places[3].x + i * params.places[3].y]; // Derived(3)
    let v19 = sources[params.places[3].z + i * params.places[3].w]; // SpikeCotangent
    let v20 = sources[params.places[4].x + i * params.places[4].y]; // StateCotangent(0)
    let v21 = sources[params.places[4].z + i * params.places[4].w]; // StateCotangent(1)
    let v22 = select(0.0f, v21, v16);
    let v23 = v17 - v11;
    let v24 = rounded(v20 * v23);
    let v25 = v19 + v24;
    let v26 = select(0.0f, v20, v16);
    let v27 = select(v20, 0.0f, v16);
    let v28 = select(v25, 0.0f, v3);
    let v30 = rounded(v13 * 3.1415927f);
    let v31 = rounded(v30 * v30);
    let v32 = 1.0f + v31;
    let v33 = rounded(1.0f / v32);
    let v34 = rounded(v28 * v33);
    let v35 = rounded(v27 + v34);
    let v36 = -v34;
    let v37 = select(0.0f, v35, v3);
    let v38 = select(v35, 0.0f, v3);
    let v39 = rounded(v37 + v38);
    let v40 = select(0.0f, v39, v3);
    let v41 = select(v39, 0.0f, v3);
    let v42 = rounded(v4 * v41);
    let v43 = v40 + v42;
    let v44 = v0 * v41;
    results[params.places[5].x + i * params.places[5].y] = v43; // StateCotangent(0)
    results[params.places[5].z + i * params.places[5].w] = v38; // InputCotangent(0)
    results[params.places[6].x + i * params.places[6].y] = v44; // DerivedCotangent(0)
    results[params.places[6].z + i * params.places[6].w] = v41; // DerivedCotangent(1)
    results[params.places[7].x + i * params.places[7].y] = v36; // DerivedCotangent(2)
    results[params.places[7].z + i * params.places[7].w] = v26; // DerivedCotangent(3)
    results[params.places[8].x + i * params.places[8].y] = v22; // DerivedCotangent(4)
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
