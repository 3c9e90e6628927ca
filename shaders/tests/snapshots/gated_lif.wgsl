// One step of `gated_lif`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 3>,
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
    let v1 = states[params.stride + i]; // fired
    let v2 = derived[params.places[0].x + i * params.places[0].y];
    let v3 = rounded(v0 * v2);
    let v4 = derived[params.places[0].z + i * params.places[0].w];
    let v5 = rounded(v3 * v4);
    let v6 = rounded(v1 * v5);
    let v7 = derived[params.places[1].x + i * params.places[1].y];
    let v8 = rounded(v1 * v7);
    let v9 = inputs[i]; // x
    let v10 = inputs[params.stride + i]; // conduct
    let v11 = abs(v10);
    let v12 = -v11;
    let v14 = select(v12, 88.72283f, 88.72283f < v12);
    let v16 = select(v14, (-87.336f), v14 < (-87.336f));
    let v18 = v16 * 1.442695f;
    let v19 = round(v18);
    let v21 = rounded(v19 * 0.69314575f);
    let v22 = rounded(v16 - v21);
    let v24 = rounded(v19 * 1.4286068e-6f);
    let v25 = rounded(v22 - v24);
    let v26 = rounded(v25 * v25);
    let v28 = rounded(v25 * 0.0013946104f);
    let v30 = v28 + 0.008366608f;
    let v31 = rounded(v25 * v30);
    let v33 = v31 + 0.041666288f;
    let v34 = rounded(v25 * v33);
    let v36 = v34 + 0.16666543f;
    let v37 = rounded(v25 * v36);
    let v39 = v37 + 0.5f;
    let v40 = rounded(v26 * v39);
    let v41 = rounded(v25 + v40);
    let v43 = v41 + 1.0f;
    let v44 = i32(v19);
    let v46 = v44 << 23u;
    let v47 = bitcast<i32>(v43);
    let v48 = v46 + v47;
    let v49 = bitcast<f32>(v48);
    let v50 = v12 < (-87.336f);
    let v52 = select(v49, 0.0f, v50);
    let v53 = 1.0f + v52;
    let v54 = v10 < 0.0f;
    let v55 = select(1.0f, v52, v54);
    let v56 = rounded(v55 / v53);
    let v57 = 1.0f - v56;
    let v58 = derived[params.places[1].z + i * params.places[1].w];
    let v59 = rounded(v57 * v58);
    let v60 = 1.0f - v59;
    let v61 = rounded(v9 * v60);
    let v62 = derived[params.places[2].x + i * params.places[2].y];
    let v63 = rounded(v3 - v62);
    let v64 = rounded(v61 + v63);
    let v65 = rounded(v64 - v6);
    let v66 = v65 - v8;
    let v67 = derived[params.places[2].z + i * params.places[2].w];
    let v68 = v67 <= v66;
    let v69 = select(0.0f, 1.0f, v68);
    fired[i] = select(0u, 1u, v68);
    states[i] = v66; // v
    states[params.stride + i] = v69; // fired
    inputs[i] = 0.0f;
    inputs[params.stride + i] = 0.0f;
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
