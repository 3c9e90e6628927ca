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
    let v2 = sources[params.places[1].x + i * params.places[1].y]; // Derived(0)
    let v3 = rounded(v0 * v2);
    let v4 = sources[params.places[1].z + i * params.places[1].w]; // Input(0)
    let v5 = sources[params.places[2].x + i * params.places[2].y]; // Derived(1)
    let v6 = rounded(v4 * v5);
    let v7 = rounded(v3 + v6);
    let v8 = sources[params.places[2].z + i * params.places[2].w]; // Derived(2)
    let v9 = v1 - v8;
    let v10 = sources[params.places[3].x + i * params.places[3].y]; // Derived(3)
    let v11 = rounded(v9 * v10);
    let v12 = rounded(v8 + v11);
    let v13 = rounded(v7 + v12);
    let v14 = sources[params.places[3].z + i * params.places[3].w]; // Derived(4)
    let v15 = v13 - v14;
    let v18 = v14 <= v13;
    let v19 = sources[params.places[4].x + i * params.places[4].y]; // Derived(5)
    let v20 = sources[params.places[4].z + i * params.places[4].w]; // SpikeCotangent
    let v21 = sources[params.places[5].x + i * params.places[5].y]; // StateCotangent(0)
    let v22 = sources[params.places[5].z + i * params.places[5].w]; // StateCotangent(1)
    let v23 = v19 - v13;
    let v24 = rounded(v22 * v23);
    let v25 = v20 + v24;
    let v26 = select(0.0f, v22, v18);
    let v27 = select(v22, 0.0f, v18);
    let v28 = abs(v15);
    let v30 = v28 < 0.5f;
    let v31 = select(0.0f, 1.0f, v30);
    let v32 = rounded(v25 * v31);
    let v33 = rounded(v27 + v32);
    let v34 = -v32;
    let v35 = v21 + v33;
    let v36 = rounded(v10 * v33);
    let v37 = v9 * v33;
    let v38 = -v36;
    let v39 = v33 + v38;
    let v40 = v5 * v35;
    let v41 = v4 * v35;
    let v42 = v2 * v35;
    let v43 = v0 * v35;
    results[params.places[6].x + i * params.places[6].y] = v42; // StateCotangent(0)
    results[params.places[6].z + i * params.places[6].w] = v36; // StateCotangent(1)
    results[params.places[7].x + i * params.places[7].y] = v40; // InputCotangent(0)
    results[params.places[7].z + i * params.places[7].w] = v43; // DerivedCotangent(0)
    results[params.places[8].x + i * params.places[8].y] = v41; // DerivedCotangent(1)
    results[params.places[8].z + i * params.places[8].w] = v39; // DerivedCotangent(2)
    results[params.places[9].x + i * params.places[9].y] = v37; // DerivedCotangent(3)
    results[params.places[9].z + i * params.places[9].w] = v34; // DerivedCotangent(4)
    results[params.places[10].x + i * params.places[10].y] = v26; // DerivedCotangent(5)
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
