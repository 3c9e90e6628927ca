// `reverse`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 5>,
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
    let v1 = sources[params.places[0].z + i * params.places[0].w]; // Derived(0)
    let v2 = v1 < v0;
    let v5 = select(0.0f, 1.0f, v2);
    let v6 = sources[params.places[1].x + i * params.places[1].y]; // Derived(1)
    let v7 = rounded(v0 * v6);
    let v8 = sources[params.places[1].z + i * params.places[1].w]; // Input(0)
    let v9 = rounded(v7 + v8);
    let v10 = rounded(v1 * v5);
    let v11 = rounded(v9 - v10);
    let v12 = v11 - v1;
    let v14 = sources[params.places[2].x + i * params.places[2].y]; // SpikeCotangent
    let v15 = sources[params.places[2].z + i * params.places[2].w]; // StateCotangent(0)
    let v16 = abs(v12);
    let v17 = rounded(25.0f * v16);
    let v18 = 1.0f + v17;
    let v19 = rounded(v18 * v18);
    let v20 = rounded(1.0f / v19);
    let v21 = rounded(v14 * v20);
    let v22 = v15 + v21;
    let v23 = -v21;
    let v24 = -v22;
    let v25 = rounded(v5 * v24);
    let v26 = v23 + v25;
    let v27 = v6 * v22;
    let v28 = v0 * v22;
    results[params.places[3].x + i * params.places[3].y] = v27; // StateCotangent(0)
    results[params.places[3].z + i * params.places[3].w] = v22; // InputCotangent(0)
    results[params.places[4].x + i * params.places[4].y] = v26; // DerivedCotangent(0)
    results[params.places[4].z + i * params.places[4].w] = v28; // DerivedCotangent(1)
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
