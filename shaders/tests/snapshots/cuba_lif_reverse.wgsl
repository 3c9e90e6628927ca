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
    let v2 = sources[params.places[1].x + i * params.places[1].y]; // Derived(0)
    let v3 = rounded(v0 * v2);
    let v4 = sources[params.places[1].z + i * params.places[1].w]; // Input(0)
    let v5 = rounded(v3 + v4);
    let v6 = sources[params.places[2].x + i * params.places[2].y]; // Derived(1)
    let v7 = rounded(v1 * v6);
    let v8 = rounded(v5 + v7);
    let v9 = sources[params.places[2].z + i * params.places[2].w]; // Derived(2)
    let v10 = v8 - v9;
    let v13 = v9 <= v8;
    let v14 = sources[params.places[3].x + i * params.places[3].y]; // Derived(3)
    let v15 = sources[params.places[3].z + i * params.places[3].w]; // SpikeCotangent
    let v16 = sources[params.places[4].x + i * params.places[4].y]; // StateCotangent(0)
    let v17 = sources[params.places[4].z + i * params.places[4].w]; // StateCotangent(1)
    let v18 = v14 - v8;
    let v19 = rounded(v17 * v18);
    let v20 = v15 + v19;
    let v21 = select(0.0f, v17, v13);
    let v22 = select(v17, 0.0f, v13);
    let v23 = abs(v10);
    let v25 = v23 < 0.5f;
    let v26 = select(0.0f, 1.0f, v25);
    let v27 = rounded(v20 * v26);
    let v28 = rounded(v22 + v27);
    let v29 = -v27;
    let v30 = v16 + v28;
    let v31 = v6 * v28;
    let v32 = v1 * v28;
    let v33 = v2 * v30;
    let v34 = v0 * v30;
    results[params.places[5].x + i * params.places[5].y] = v33; // StateCotangent(0)
    results[params.places[5].z + i * params.places[5].w] = v31; // StateCotangent(1)
    results[params.places[6].x + i * params.places[6].y] = v30; // InputCotangent(0)
    results[params.places[6].z + i * params.places[6].w] = v34; // DerivedCotangent(0)
    results[params.places[7].x + i * params.places[7].y] = v32; // DerivedCotangent(1)
    results[params.places[7].z + i * params.places[7].w] = v29; // DerivedCotangent(2)
    results[params.places[8].x + i * params.places[8].y] = v21; // DerivedCotangent(3)
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
