// `reverse`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 6>,
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
    let v2 = sources[params.places[1].x + i * params.places[1].y]; // Derived(0)
    let v3 = rounded(v0 - v2);
    let v4 = v1 - v3;
    let v5 = sources[params.places[1].z + i * params.places[1].w]; // Derived(1)
    let v6 = rounded(v4 * v5);
    let v7 = rounded(v0 + v6);
    let v8 = sources[params.places[2].x + i * params.places[2].y]; // Derived(2)
    let v9 = v7 - v8;
    let v12 = v8 <= v7;
    let v13 = sources[params.places[2].z + i * params.places[2].w]; // SpikeCotangent
    let v14 = sources[params.places[3].x + i * params.places[3].y]; // StateCotangent(0)
    let v15 = v2 - v7;
    let v16 = rounded(v14 * v15);
    let v17 = v13 + v16;
    let v18 = select(0.0f, v14, v12);
    let v19 = select(v14, 0.0f, v12);
    let v20 = v9 * 4.0f;
    let v21 = -v20;
    let v22 = abs(v20);
    let v23 = -v22;
    let v25 = select(v23, 88.72283f, 88.72283f < v23);
    let v27 = select(v25, (-87.336f), v25 < (-87.336f));
    let v29 = v27 * 1.442695f;
    let v30 = round(v29);
    let v32 = rounded(v30 * 0.69314575f);
    let v33 = rounded(v27 - v32);
    let v35 = rounded(v30 * 1.4286068e-6f);
    let v36 = rounded(v33 - v35);
    let v37 = rounded(v36 * v36);
    let v39 = rounded(v36 * 0.0013946104f);
    let v41 = v39 + 0.008366608f;
    let v42 = rounded(v36 * v41);
    let v44 = v42 + 0.041666288f;
    let v45 = rounded(v36 * v44);
    let v47 = v45 + 0.16666543f;
    let v48 = rounded(v36 * v47);
    let v50 = v48 + 0.5f;
    let v51 = rounded(v37 * v50);
    let v52 = rounded(v36 + v51);
    let v54 = v52 + 1.0f;
    let v55 = i32(v30);
    let v57 = v55 << 23u;
    let v58 = bitcast<i32>(v54);
    let v59 = v57 + v58;
    let v60 = bitcast<f32>(v59);
    let v61 = v23 < (-87.336f);
    let v62 = select(v60, 0.0f, v61);
    let v63 = 1.0f + v62;
    let v64 = v20 < 0.0f;
    let v65 = select(1.0f, v62, v64);
    let v66 = rounded(v65 / v63);
    let v67 = abs(v21);
    let v68 = -v67;
    let v69 = select(v68, 88.72283f, 88.72283f < v68);
    let v70 = select(v69, (-87.336f), v69 < (-87.336f));
    let v71 = 1.442695f * v70;
    let v72 = round(v71);
    let v73 = rounded(0.69314575f * v72);
    let v74 = rounded(v70 - v73);
    let v75 = rounded(1.4286068e-6f * v72);
    let v76 = rounded(v74 - v75);
    let v77 = rounded(v76 * v76);
    let v78 = rounded(0.0013946104f * v76);
    let v79 = 0.008366608f + v78;
    let v80 = rounded(v76 * v79);
    let v81 = 0.041666288f + v80;
    let v82 = rounded(v76 * v81);
    let v83 = 0.16666543f + v82;
    let v84 = rounded(v76 * v83);
    let v85 = 0.5f + v84;
    let v86 = rounded(v77 * v85);
    let v87 = rounded(v76 + v86);
    let v88 = 1.0f + v87;
    let v89 = i32(v72);
    let v90 = v89 << 23u;
    let v91 = bitcast<i32>(v88);
    let v92 = v90 + v91;
    let v93 = bitcast<f32>(v92);
    let v94 = v68 < (-87.336f);
    let v95 = select(v93, 0.0f, v94);
    let v96 = 1.0f + v95;
    let v97 = v21 < 0.0f;
    let v98 = select(1.0f, v95, v97);
    let v99 = rounded(v98 / v96);
    let v100 = rounded(v66 * v99);
    let v101 = rounded(4.0f * v100);
    let v102 = rounded(v17 * v101);
    let v103 = rounded(v19 + v102);
    let v104 = -v102;
    let v105 = rounded(v5 * v103);
    let v106 = v4 * v103;
    let v107 = -v105;
    let v108 = v103 + v107;
    let v109 = v18 + v105;
    results[params.places[3].z + i * params.places[3].w] = v108; // StateCotangent(0)
    results[params.places[4].x + i * params.places[4].y] = v105; // InputCotangent(0)
    results[params.places[4].z + i * params.places[4].w] = v109; // DerivedCotangent(0)
    results[params.places[5].x + i * params.places[5].y] = v106; // DerivedCotangent(1)
    results[params.places[5].z + i * params.places[5].w] = v104; // DerivedCotangent(2)
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
