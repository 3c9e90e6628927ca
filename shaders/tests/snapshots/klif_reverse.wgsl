// `reverse`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 7>,
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
    let v7 = v0 + v6;
    let v8 = sources[params.places[2].x + i * params.places[2].y]; // Derived(2)
    let v9 = v7 * v8;
    let v11 = select(0.0f, v9, 0.0f < v9);
    let v12 = sources[params.places[2].z + i * params.places[2].w]; // Derived(3)
    let v13 = v11 - v12;
    let v15 = v12 <= v11;
    let v16 = sources[params.places[3].x + i * params.places[3].y]; // SpikeCotangent
    let v17 = sources[params.places[3].z + i * params.places[3].w]; // StateCotangent(0)
    let v18 = v2 - v11;
    let v19 = rounded(v17 * v18);
    let v20 = v16 + v19;
    let v21 = select(0.0f, v17, v15);
    let v22 = select(v17, 0.0f, v15);
    let v23 = v13 * 4.0f;
    let v24 = -v23;
    let v25 = abs(v23);
    let v26 = -v25;
    let v28 = select(v26, 88.72283f, 88.72283f < v26);
    let v30 = select(v28, (-87.336f), v28 < (-87.336f));
    let v32 = v30 * 1.442695f;
    let v33 = round(v32);
    let v35 = rounded(v33 * 0.69314575f);
    let v36 = rounded(v30 - v35);
    let v38 = rounded(v33 * 1.4286068e-6f);
    let v39 = rounded(v36 - v38);
    let v40 = rounded(v39 * v39);
    let v42 = rounded(v39 * 0.0013946104f);
    let v44 = v42 + 0.008366608f;
    let v45 = rounded(v39 * v44);
    let v47 = v45 + 0.041666288f;
    let v48 = rounded(v39 * v47);
    let v50 = v48 + 0.16666543f;
    let v51 = rounded(v39 * v50);
    let v53 = v51 + 0.5f;
    let v54 = rounded(v40 * v53);
    let v55 = rounded(v39 + v54);
    let v57 = v55 + 1.0f;
    let v58 = i32(v33);
    let v60 = v58 << 23u;
    let v61 = bitcast<i32>(v57);
    let v62 = v60 + v61;
    let v63 = bitcast<f32>(v62);
    let v64 = v26 < (-87.336f);
    let v65 = select(v63, 0.0f, v64);
    let v66 = 1.0f + v65;
    let v67 = v23 < 0.0f;
    let v68 = select(1.0f, v65, v67);
    let v69 = rounded(v68 / v66);
    let v70 = abs(v24);
    let v71 = -v70;
    let v72 = select(v71, 88.72283f, 88.72283f < v71);
    let v73 = select(v72, (-87.336f), v72 < (-87.336f));
    let v74 = 1.442695f * v73;
    let v75 = round(v74);
    let v76 = rounded(0.69314575f * v75);
    let v77 = rounded(v73 - v76);
    let v78 = rounded(1.4286068e-6f * v75);
    let v79 = rounded(v77 - v78);
    let v80 = rounded(v79 * v79);
    let v81 = rounded(0.0013946104f * v79);
    let v82 = 0.008366608f + v81;
    let v83 = rounded(v79 * v82);
    let v84 = 0.041666288f + v83;
    let v85 = rounded(v79 * v84);
    let v86 = 0.16666543f + v85;
    let v87 = rounded(v79 * v86);
    let v88 = 0.5f + v87;
    let v89 = rounded(v80 * v88);
    let v90 = rounded(v79 + v89);
    let v91 = 1.0f + v90;
    let v92 = i32(v75);
    let v93 = v92 << 23u;
    let v94 = bitcast<i32>(v91);
    let v95 = v93 + v94;
    let v96 = bitcast<f32>(v95);
    let v97 = v71 < (-87.336f);
    let v98 = select(v96, 0.0f, v97);
    let v99 = 1.0f + v98;
    let v100 = v24 < 0.0f;
    let v101 = select(1.0f, v98, v100);
    let v102 = rounded(v101 / v99);
    let v103 = rounded(v69 * v102);
    let v104 = rounded(4.0f * v103);
    let v105 = rounded(v20 * v104);
    let v106 = v22 + v105;
    let v107 = -v105;
    let v108 = 0.0f < v9;
    let v109 = select(0.0f, v106, v108);
    let v110 = rounded(v8 * v109);
    let v111 = v7 * v109;
    let v112 = rounded(v5 * v110);
    let v113 = v4 * v110;
    let v114 = -v112;
    let v115 = v110 + v114;
    let v116 = v21 + v112;
    results[params.places[4].x + i * params.places[4].y] = v115; // StateCotangent(0)
    results[params.places[4].z + i * params.places[4].w] = v112; // InputCotangent(0)
    results[params.places[5].x + i * params.places[5].y] = v116; // DerivedCotangent(0)
    results[params.places[5].z + i * params.places[5].w] = v113; // DerivedCotangent(1)
    results[params.places[6].x + i * params.places[6].y] = v111; // DerivedCotangent(2)
    results[params.places[6].z + i * params.places[6].w] = v107; // DerivedCotangent(3)
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
