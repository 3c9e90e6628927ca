// `reverse`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 12>,
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
    let v3 = sources[params.places[1].z + i * params.places[1].w]; // Derived(0)
    let v4 = rounded(v0 * v3);
    let v5 = sources[params.places[2].x + i * params.places[2].y]; // Input(0)
    let v6 = sources[params.places[2].z + i * params.places[2].w]; // Derived(1)
    let v7 = rounded(v5 * v6);
    let v8 = rounded(v4 + v7);
    let v9 = sources[params.places[3].x + i * params.places[3].y]; // Derived(2)
    let v10 = rounded(v1 * v9);
    let v11 = rounded(v7 + v10);
    let v12 = rounded(v8 - v11);
    let v13 = rounded(v12 - v2);
    let v14 = sources[params.places[3].z + i * params.places[3].w]; // Derived(3)
    let v15 = v13 - v14;
    let v18 = v14 < v13;
    let v19 = select(0.0f, 1.0f, v18);
    let v20 = sources[params.places[4].x + i * params.places[4].y]; // Derived(4)
    let v21 = sources[params.places[4].z + i * params.places[4].w]; // SpikeCotangent
    let v22 = sources[params.places[5].x + i * params.places[5].y]; // StateCotangent(0)
    let v23 = sources[params.places[5].z + i * params.places[5].w]; // StateCotangent(1)
    let v24 = sources[params.places[6].x + i * params.places[6].y]; // StateCotangent(2)
    let v25 = sources[params.places[6].z + i * params.places[6].w]; // StateCotangent(3)
    let v26 = rounded(v19 * v24);
    let v27 = rounded(v14 * v24);
    let v28 = v21 + v27;
    let v29 = rounded(v20 * v24);
    let v30 = v2 * v24;
    let v31 = abs(v15);
    let v33 = v31 < 0.5f;
    let v34 = select(0.0f, 1.0f, v33);
    let v35 = rounded(v28 * v34);
    let v36 = rounded(v25 + v35);
    let v37 = -v35;
    let v38 = v26 + v37;
    let v39 = -v36;
    let v40 = v29 + v39;
    let v41 = rounded(v22 + v36);
    let v42 = rounded(v23 + v39);
    let v43 = v9 * v42;
    let v44 = v1 * v42;
    let v45 = v41 + v42;
    let v46 = v6 * v45;
    let v47 = v5 * v45;
    let v48 = v3 * v41;
    let v49 = v0 * v41;
    results[params.places[7].x + i * params.places[7].y] = v48; // StateCotangent(0)
    results[params.places[7].z + i * params.places[7].w] = v43; // StateCotangent(1)
    results[params.places[8].x + i * params.places[8].y] = v40; // StateCotangent(2)
    results[params.places[8].z + i * params.places[8].w] = 0.0f; // StateCotangent(3)
    results[params.places[9].x + i * params.places[9].y] = v46; // InputCotangent(0)
    results[params.places[9].z + i * params.places[9].w] = v49; // DerivedCotangent(0)
    results[params.places[10].x + i * params.places[10].y] = v47; // DerivedCotangent(1)
    results[params.places[10].z + i * params.places[10].w] = v44; // DerivedCotangent(2)
    results[params.places[11].x + i * params.places[11].y] = v38; // DerivedCotangent(3)
    results[params.places[11].z + i * params.places[11].w] = v30; // DerivedCotangent(4)
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
