// One step of `izhikevich`.
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
    let v1 = states[params.stride + i]; // u
    let v3 = rounded(v0 * 0.04f);
    let v4 = rounded(v0 * v3);
    let v6 = rounded(v0 * 5.0f);
    let v7 = rounded(v4 + v6);
    let v9 = rounded(v7 + 140.0f);
    let v10 = rounded(v9 - v1);
    let v11 = inputs[i]; // current
    let v12 = rounded(v10 + v11);
    let v13 = derived[params.places[0].x + i * params.places[0].y];
    let v14 = rounded(v0 * v13);
    let v15 = v14 - v1;
    let v16 = derived[params.places[0].z + i * params.places[0].w];
    let v17 = rounded(v15 * v16);
    let v18 = derived[params.places[1].x + i * params.places[1].y];
    let v19 = rounded(v12 * v18);
    let v20 = v0 + v19;
    let v21 = rounded(v17 * v18);
    let v22 = rounded(v1 + v21);
    let v23 = rounded(0.04f * v20);
    let v24 = rounded(v20 * v23);
    let v25 = rounded(5.0f * v20);
    let v26 = rounded(v24 + v25);
    let v27 = rounded(140.0f + v26);
    let v28 = rounded(v27 - v22);
    let v29 = rounded(v11 + v28);
    let v30 = rounded(v13 * v20);
    let v31 = v30 - v22;
    let v32 = rounded(v16 * v31);
    let v33 = rounded(v18 * v29);
    let v34 = v0 + v33;
    let v35 = rounded(v18 * v32);
    let v36 = rounded(v1 + v35);
    let v37 = rounded(0.04f * v34);
    let v38 = rounded(v34 * v37);
    let v39 = rounded(5.0f * v34);
    let v40 = rounded(v38 + v39);
    let v41 = rounded(140.0f + v40);
    let v42 = rounded(v41 - v36);
    let v43 = rounded(v11 + v42);
    let v44 = rounded(v13 * v34);
    let v45 = v44 - v36;
    let v46 = rounded(v16 * v45);
    let v47 = derived[params.places[1].z + i * params.places[1].w];
    let v48 = rounded(v43 * v47);
    let v49 = v0 + v48;
    let v50 = rounded(v46 * v47);
    let v51 = rounded(v1 + v50);
    let v52 = rounded(0.04f * v49);
    let v53 = rounded(v49 * v52);
    let v54 = rounded(5.0f * v49);
    let v55 = rounded(v53 + v54);
    let v56 = rounded(140.0f + v55);
    let v57 = rounded(v56 - v51);
    let v58 = rounded(v11 + v57);
    let v59 = rounded(v13 * v49);
    let v60 = v59 - v51;
    let v61 = rounded(v16 * v60);
    let v62 = v29 + v43;
    let v64 = rounded(v62 * 2.0f);
    let v65 = v32 + v46;
    let v66 = rounded(2.0f * v65);
    let v67 = rounded(v12 + v64);
    let v68 = rounded(v17 + v66);
    let v69 = v58 + v67;
    let v70 = v61 + v68;
    let v71 = derived[params.places[2].x + i * params.places[2].y];
    let v72 = rounded(v69 * v71);
    let v73 = rounded(v0 + v72);
    let v74 = rounded(v70 * v71);
    let v75 = rounded(v1 + v74);
    let v76 = inputs[params.stride + i]; // ex
    let v77 = v73 + v76;
    let v78 = derived[params.places[2].z + i * params.places[2].w];
    let v79 = v78 <= v77;
    let v80 = derived[params.places[3].x + i * params.places[3].y];
    let v81 = select(v77, v80, v79);
    let v82 = derived[params.places[3].z + i * params.places[3].w];
    let v83 = v75 + v82;
    let v84 = select(v75, v83, v79);
    fired[i] = select(0u, 1u, v79);
    states[i] = v81; // v
    states[params.stride + i] = v84; // u
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
