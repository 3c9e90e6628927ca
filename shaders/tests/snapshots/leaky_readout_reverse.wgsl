// `reverse`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 4>,
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
    let v2 = v1 - v0;
    let v3 = sources[params.places[1].x + i * params.places[1].y]; // Derived(0)
    let v4 = sources[params.places[1].z + i * params.places[1].w]; // OutputCotangent(0)
    let v5 = sources[params.places[2].x + i * params.places[2].y]; // StateCotangent(0)
    let v6 = rounded(v4 + v5);
    let v7 = rounded(v3 * v6);
    let v8 = v2 * v6;
    let v9 = -v7;
    let v10 = v6 + v9;
    results[params.places[2].z + i * params.places[2].w] = v10; // StateCotangent(0)
    results[params.places[3].x + i * params.places[3].y] = v7; // InputCotangent(0)
    results[params.places[3].z + i * params.places[3].w] = v8; // DerivedCotangent(0)
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
