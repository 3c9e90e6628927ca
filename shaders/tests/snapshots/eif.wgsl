// One step of `eif`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 4>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> states: array<f32>;
@group(0) @binding(2) var<storage, read_write> inputs: array<f32>;
@group(0) @binding(3) var<storage, read> derived: array<f32>;
@group(0) @binding(4) var<storage, read_write> fired: array<u32>;

// Rounds here and now: no compiler knows that `zero` is 0.
fn rounded(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ params.zero);
}

fn step(i: u32) {
    let v0 = states[i]; // v
    let v1 = derived[params.places[0].x + i * params.places[0].y];
    let v2 = v0 - v1;
    let v3 = derived[params.places[0].z + i * params.places[0].w];
    let v4 = v2 * v3;
    let v6 = select(v4, 80.0f, 80.0f < v4);
    let v8 = select(v6, 88.72283f, 88.72283f < v6);
    let v10 = select(v8, (-87.336f), v8 < (-87.336f));
    let v12 = v10 * 1.442695f;
    let v13 = round(v12);
    let v15 = rounded(v13 * 0.69314575f);
    let v16 = rounded(v10 - v15);
    let v18 = rounded(v13 * 1.4286068e-6f);
    let v19 = rounded(v16 - v18);
    let v20 = rounded(v19 * v19);
    let v22 = rounded(v19 * 0.0013946104f);
    let v24 = v22 + 0.008366608f;
    let v25 = rounded(v19 * v24);
    let v27 = v25 + 0.041666288f;
    let v28 = rounded(v19 * v27);
    let v30 = v28 + 0.16666543f;
    let v31 = rounded(v19 * v30);
    let v33 = v31 + 0.5f;
    let v34 = rounded(v20 * v33);
    let v35 = rounded(v19 + v34);
    let v37 = v35 + 1.0f;
    let v38 = i32(v13);
    let v40 = v38 << 23u;
    let v41 = bitcast<i32>(v37);
    let v42 = v40 + v41;
    let v43 = bitcast<f32>(v42);
    let v44 = v6 < (-87.336f);
    let v46 = select(v43, 0.0f, v44);
    let v47 = derived[params.places[1].x + i * params.places[1].y];
    let v48 = rounded(v46 * v47);
    let v49 = inputs[i]; // x
    let v50 = derived[params.places[1].z + i * params.places[1].w];
    let v51 = rounded(v49 + v50);
    let v52 = rounded(v51 - v0);
    let v53 = v48 + v52;
    let v54 = derived[params.places[2].x + i * params.places[2].y];
    let v55 = rounded(v53 * v54);
    let v56 = v0 + v55;
    let v57 = derived[params.places[2].z + i * params.places[2].w];
    let v58 = v57 <= v56;
    let v59 = derived[params.places[3].x + i * params.places[3].y];
    let v60 = select(v56, v59, v58);
    fired[i] = select(0u, 1u, v58);
    states[i] = v60; // v
    inputs[i] = 0.0f;
}

@compute @workgroup_size(64)
fn step_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i < params.n) {
        step(i);
    }
}
