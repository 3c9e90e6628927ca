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
    let v1 = sources[params.places[0].z + i * params.places[0].w]; // Input(0)
    let v2 = sources[params.places[1].x + i * params.places[1].y]; // Derived(0)
    let v3 = v0 - v2;
    let v4 = sources[params.places[1].z + i * params.places[1].w]; // Derived(1)
    let v5 = rounded(v3 * v4);
    let v6 = sources[params.places[2].x + i * params.places[2].y]; // Derived(2)
    let v7 = v0 - v6;
    let v8 = rounded(v5 * v7);
    let v9 = v1 + v8;
    let v10 = sources[params.places[2].z + i * params.places[2].w]; // Derived(3)
    let v11 = rounded(v9 * v10);
    let v12 = rounded(v0 + v11);
    let v13 = sources[params.places[3].x + i * params.places[3].y]; // Derived(4)
    let v14 = v12 - v13;
    let v17 = v13 <= v12;
    let v18 = sources[params.places[3].z + i * params.places[3].w]; // Derived(5)
    let v19 = sources[params.places[4].x + i * params.places[4].y]; // SpikeCotangent
    let v20 = sources[params.places[4].z + i * params.places[4].w]; // StateCotangent(0)
    let v21 = v18 - v12;
    let v22 = rounded(v20 * v21);
    let v23 = v19 + v22;
    let v24 = select(0.0f, v20, v17);
    let v25 = select(v20, 0.0f, v17);
    let v26 = v14 * 4.0f;
    let v27 = -v26;
    let v28 = abs(v26);
    let v29 = -v28;
    let v31 = select(v29, 88.72283f, 88.72283f < v29);
    let v33 = select(v31, (-87.336f), v31 < (-87.336f));
    let v35 = v33 * 1.442695f;
    let v36 = round(v35);
    let v38 = rounded(v36 * 0.69314575f);
    let v39 = rounded(v33 - v38);
    let v41 = rounded(v36 * 1.4286068e-6f);
    let v42 = rounded(v39 - v41);
    let v43 = rounded(v42 * v42);
    let v45 = rounded(v42 * 0.0013946104f);
    let v47 = v45 + 0.008366608f;
    let v48 = rounded(v42 * v47);
    let v50 = v48 + 0.041666288f;
    let v51 = rounded(v42 * v50);
    let v53 = v51 + 0.16666543f;
    let v54 = rounded(v42 * v53);
    let v56 = v54 + 0.5f;
    let v57 = rounded(v43 * v56);
    let v58 = rounded(v42 + v57);
    let v60 = v58 + 1.0f;
    let v61 = i32(v36);
    let v63 = v61 << 23u;
    let v64 = bitcast<i32>(v60);
    let v65 = v63 + v64;
    let v66 = bitcast<f32>(v65);
    let v67 = v29 < (-87.336f);
    let v68 = select(v66, 0.0f, v67);
    let v69 = 1.0f + v68;
    let v70 = v26 < 0.0f;
    let v71 = select(1.0f, v68, v70);
    let v72 = rounded(v71 / v69);
    let v73 = abs(v27);
    let v74 = -v73;
    let v75 = select(v74, 88.72283f, 88.72283f < v74);
    let v76 = select(v75, (-87.336f), v75 < (-87.336f));
    let v77 = 1.442695f * v76;
    let v78 = round(v77);
    let v79 = rounded(0.69314575f * v78);
    let v80 = rounded(v76 - v79);
    let v81 = rounded(1.4286068e-6f * v78);
    let v82 = rounded(v80 - v81);
    let v83 = rounded(v82 * v82);
    let v84 = rounded(0.0013946104f * v82);
    let v85 = 0.008366608f + v84;
    let v86 = rounded(v82 * v85);
    let v87 = 0.041666288f + v86;
    let v88 = rounded(v82 * v87);
    let v89 = 0.16666543f + v88;
    let v90 = rounded(v82 * v89);
    let v91 = 0.5f + v90;
    let v92 = rounded(v83 * v91);
    let v93 = rounded(v82 + v92);
    let v94 = 1.0f + v93;
    let v95 = i32(v78);
    let v96 = v95 << 23u;
    let v97 = bitcast<i32>(v94);
    let v98 = v96 + v97;
    let v99 = bitcast<f32>(v98);
    let v100 = v74 < (-87.336f);
    let v101 = select(v99, 0.0f, v100);
    let v102 = 1.0f + v101;
    let v103 = v27 < 0.0f;
    let v104 = select(1.0f, v101, v103);
    let v105 = rounded(v104 / v102);
    let v106 = rounded(v72 * v105);
    let v107 = rounded(4.0f * v106);
    let v108 = rounded(v23 * v107);
    let v109 = rounded(v25 + v108);
    let v110 = -v108;
    let v111 = rounded(v10 * v109);
    let v112 = v9 * v109;
    let v113 = rounded(v7 * v111);
    let v114 = rounded(v5 * v111);
    let v115 = rounded(v109 + v114);
    let v116 = -v114;
    let v117 = rounded(v4 * v113);
    let v118 = v3 * v113;
    let v119 = v115 + v117;
    let v120 = -v117;
    results[params.places[5].x + i * params.places[5].y] = v119; // StateCotangent(0)
    results[params.places[5].z + i * params.places[5].w] = v111; // InputCotangent(0)
    results[params.places[6].x + i * params.places[6].y] = v120; // DerivedCotangent(0)
    results[params.places[6].z + i * params.places[6].w] = v118; // DerivedCotangent(1)
    results[params.places[7].x + i * params.places[7].y] = v116; // DerivedCotangent(2)
    results[params.places[7].z + i * params.places[7].w] = v112; // DerivedCotangent(3)
    results[params.places[8].x + i * params.places[8].y] = v110; // DerivedCotangent(4)
    results[params.places[8].z + i * params.places[8].w] = v24; // DerivedCotangent(5)
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
