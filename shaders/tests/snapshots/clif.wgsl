// One step of `clif`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 1>,
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
    let v1 = states[params.stride + i]; // m
    let v2 = derived[params.places[0].x + i * params.places[0].y];
    let v3 = rounded(v0 * v2);
    let v4 = rounded(v0 - v3);
    let v5 = inputs[i]; // x
    let v6 = rounded(v4 + v5);
    let v7 = derived[params.places[0].z + i * params.places[0].w];
    let v10 = v7 <= v6;
    let v11 = select(0.0f, 1.0f, v10);
    let v12 = v2 * v6;
    let v13 = abs(v12);
    let v14 = -v13;
    let v16 = select(v14, 88.72283f, 88.72283f < v14);
    let v18 = select(v16, (-87.336f), v16 < (-87.336f));
    let v20 = v18 * 1.442695f;
    let v21 = round(v20);
    let v23 = rounded(v21 * 0.69314575f);
    let v24 = rounded(v18 - v23);
    let v26 = rounded(v21 * 1.4286068e-6f);
    let v27 = rounded(v24 - v26);
    let v28 = rounded(v27 * v27);
    let v30 = rounded(v27 * 0.0013946104f);
    let v32 = v30 + 0.008366608f;
    let v33 = rounded(v27 * v32);
    let v35 = v33 + 0.041666288f;
    let v36 = rounded(v27 * v35);
    let v38 = v36 + 0.16666543f;
    let v39 = rounded(v27 * v38);
    let v41 = v39 + 0.5f;
    let v42 = rounded(v28 * v41);
    let v43 = rounded(v27 + v42);
    let v44 = 1.0f + v43;
    let v45 = i32(v21);
    let v47 = v45 << 23u;
    let v48 = bitcast<i32>(v44);
    let v49 = v47 + v48;
    let v50 = bitcast<f32>(v49);
    let v51 = v14 < (-87.336f);
    let v52 = select(v50, 0.0f, v51);
    let v53 = 1.0f + v52;
    let v54 = v12 < 0.0f;
    let v55 = select(1.0f, v52, v54);
    let v56 = rounded(v55 / v53);
    let v57 = rounded(v1 * v56);
    let v58 = v11 + v57;
    let v59 = abs(v58);
    let v60 = -v59;
    let v61 = select(v60, 88.72283f, 88.72283f < v60);
    let v62 = select(v61, (-87.336f), v61 < (-87.336f));
    let v63 = 1.442695f * v62;
    let v64 = round(v63);
    let v65 = rounded(0.69314575f * v64);
    let v66 = rounded(v62 - v65);
    let v67 = rounded(1.4286068e-6f * v64);
    let v68 = rounded(v66 - v67);
    let v69 = rounded(v68 * v68);
    let v70 = rounded(0.0013946104f * v68);
    let v71 = 0.008366608f + v70;
    let v72 = rounded(v68 * v71);
    let v73 = 0.041666288f + v72;
    let v74 = rounded(v68 * v73);
    let v75 = 0.16666543f + v74;
    let v76 = rounded(v68 * v75);
    let v77 = 0.5f + v76;
    let v78 = rounded(v69 * v77);
    let v79 = rounded(v68 + v78);
    let v80 = 1.0f + v79;
    let v81 = i32(v64);
    let v82 = v81 << 23u;
    let v83 = bitcast<i32>(v80);
    let v84 = v82 + v83;
    let v85 = bitcast<f32>(v84);
    let v86 = v60 < (-87.336f);
    let v87 = select(v85, 0.0f, v86);
    let v88 = 1.0f + v87;
    let v89 = v58 < 0.0f;
    let v90 = select(1.0f, v87, v89);
    let v91 = rounded(v90 / v88);
    let v92 = v7 + v91;
    let v93 = rounded(v11 * v92);
    let v94 = v6 - v93;
    fired[i] = select(0u, 1u, v10);
    states[i] = v94; // v
    states[params.stride + i] = v58; // m
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
