// `reverse`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 11>,
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
    let v2 = sources[params.places[1].x + i * params.places[1].y]; // Input(0)
    let v3 = sources[params.places[1].z + i * params.places[1].w]; // Derived(0)
    let v4 = rounded(v0 - v3);
    let v5 = v2 - v4;
    let v6 = sources[params.places[2].x + i * params.places[2].y]; // Derived(1)
    let v7 = rounded(v5 * v6);
    let v8 = rounded(v0 + v7);
    let v9 = sources[params.places[2].z + i * params.places[2].w]; // Derived(2)
    let v10 = rounded(v1 * v9);
    let v11 = sources[params.places[3].x + i * params.places[3].y]; // Derived(3)
    let v12 = rounded(v10 + v11);
    let v13 = rounded(v8 - v12);
    let v15 = v12 <= v8;
    let v16 = select(0.0f, 1.0f, v15);
    let v17 = sources[params.places[3].z + i * params.places[3].w]; // Derived(4)
    let v18 = sources[params.places[4].x + i * params.places[4].y]; // Derived(5)
    let v19 = sources[params.places[4].z + i * params.places[4].w]; // SpikeCotangent
    let v20 = sources[params.places[5].x + i * params.places[5].y]; // StateCotangent(0)
    let v21 = sources[params.places[5].z + i * params.places[5].w]; // StateCotangent(1)
    let v22 = rounded(v18 * v21);
    let v23 = rounded(v19 + v22);
    let v24 = v16 * v21;
    let v25 = rounded(v17 * v21);
    let v26 = v1 * v21;
    let v27 = v13 - v8;
    let v28 = rounded(v20 * v27);
    let v29 = v23 + v28;
    let v30 = select(0.0f, v20, v15);
    let v31 = select(v20, 0.0f, v15);
    let v33 = rounded(v13 * 3.1415927f);
    let v34 = rounded(v33 * v33);
    let v36 = v34 + 1.0f;
    let v37 = rounded(1.0f / v36);
    let v38 = rounded(v29 * v37);
    let v39 = rounded(v30 + v38);
    let v40 = rounded(v31 + v39);
    let v41 = -v39;
    let v42 = rounded(v9 * v41);
    let v43 = v25 + v42;
    let v44 = v1 * v41;
    let v45 = rounded(v6 * v40);
    let v46 = v5 * v40;
    let v47 = -v45;
    let v48 = v40 + v47;
    results[params.places[6].x + i * params.places[6].y] = v48; // StateCotangent(0)
    results[params.places[6].z + i * params.places[6].w] = v43; // StateCotangent(1)
    results[params.places[7].x + i * params.places[7].y] = v45; // InputCotangent(0)
    results[params.places[7].z + i * params.places[7].w] = v45; // DerivedCotangent(0)
    results[params.places[8].x + i * params.places[8].y] = v46; // DerivedCotangent(1)
    results[params.places[8].z + i * params.places[8].w] = v44; // DerivedCotangent(2)
    results[params.places[9].x + i * params.places[9].y] = v41; // DerivedCotangent(3)
    results[params.places[9].z + i * params.places[9].w] = v26; // DerivedCotangent(4)
    results[params.places[10].x + i * params.places[10].y] = v24; // DerivedCotangent(5)
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
