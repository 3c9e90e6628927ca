// `reverse`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 16>,
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
    let v2 = sources[params.places[1].x + i * params.places[1].y]; // State(2)
    let v3 = sources[params.places[1].z + i * params.places[1].w]; // State(3)
    let v5 = 0.0f < v3;
    let v6 = sources[params.places[2].x + i * params.places[2].y]; // Derived(0)
    let v7 = rounded(v0 * v6);
    let v8 = sources[params.places[2].z + i * params.places[2].w]; // Derived(1)
    let v9 = rounded(v1 * v8);
    let v10 = rounded(v7 + v9);
    let v11 = sources[params.places[3].x + i * params.places[3].y]; // Derived(2)
    let v12 = rounded(v2 * v11);
    let v13 = rounded(v10 + v12);
    let v14 = sources[params.places[3].z + i * params.places[3].w]; // Derived(3)
    let v15 = rounded(v13 + v14);
    let v16 = sources[params.places[4].x + i * params.places[4].y]; // Derived(4)
    let v17 = sources[params.places[4].z + i * params.places[4].w]; // Derived(5)
    let v18 = select(v15, v0, v5);
    let v19 = sources[params.places[5].x + i * params.places[5].y]; // Derived(6)
    let v20 = v18 - v19;
    let v21 = v19 <= v18;
    let v22 = !v5;
    let v23 = v21 && v22;
    let v24 = sources[params.places[5].z + i * params.places[5].w]; // Derived(7)
    let v26 = sources[params.places[6].x + i * params.places[6].y]; // SpikeCotangent
    let v27 = sources[params.places[6].z + i * params.places[6].w]; // StateCotangent(0)
    let v28 = sources[params.places[7].x + i * params.places[7].y]; // StateCotangent(1)
    let v29 = sources[params.places[7].z + i * params.places[7].w]; // StateCotangent(2)
    let v30 = sources[params.places[8].x + i * params.places[8].y]; // StateCotangent(3)
    let v31 = select(0.0f, v30, v23);
    let v32 = v24 - v18;
    let v33 = rounded(v27 * v32);
    let v34 = v26 + v33;
    let v35 = select(0.0f, v27, v23);
    let v36 = select(v27, 0.0f, v23);
    let v37 = select(v34, 0.0f, v5);
    let v39 = rounded(v20 * 3.1415927f);
    let v40 = rounded(v39 * v39);
    let v41 = 1.0f + v40;
    let v42 = rounded(1.0f / v41);
    let v43 = rounded(v37 * v42);
    let v44 = rounded(v36 + v43);
    let v45 = -v43;
    let v46 = select(0.0f, v44, v5);
    let v47 = select(v44, 0.0f, v5);
    let v48 = rounded(v17 * v29);
    let v49 = v2 * v29;
    let v50 = rounded(v16 * v28);
    let v51 = v1 * v28;
    let v52 = rounded(v11 * v47);
    let v53 = v48 + v52;
    let v54 = v2 * v47;
    let v55 = rounded(v8 * v47);
    let v56 = v50 + v55;
    let v57 = v1 * v47;
    let v58 = rounded(v6 * v47);
    let v59 = v46 + v58;
    let v60 = v0 * v47;
    results[params.places[8].z + i * params.places[8].w] = v59; // StateCotangent(0)
    results[params.places[9].x + i * params.places[9].y] = v56; // StateCotangent(1)
    results[params.places[9].z + i * params.places[9].w] = v53; // StateCotangent(2)
    results[params.places[10].x + i * params.places[10].y] = v28; // InputCotangent(0)
    results[params.places[10].z + i * params.places[10].w] = v29; // InputCotangent(1)
    results[params.places[11].x + i * params.places[11].y] = v60; // DerivedCotangent(0)
    results[params.places[11].z + i * params.places[11].w] = v57; // DerivedCotangent(1)
    results[params.places[12].x + i * params.places[12].y] = v54; // DerivedCotangent(2)
    results[params.places[12].z + i * params.places[12].w] = v47; // DerivedCotangent(3)
    results[params.places[13].x + i * params.places[13].y] = v51; // DerivedCotangent(4)
    results[params.places[13].z + i * params.places[13].w] = v49; // DerivedCotangent(5)
    results[params.places[14].x + i * params.places[14].y] = v45; // DerivedCotangent(6)
    results[params.places[14].z + i * params.places[14].w] = v35; // DerivedCotangent(7)
    results[params.places[15].x + i * params.places[15].y] = v31; // DerivedCotangent(8)
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
