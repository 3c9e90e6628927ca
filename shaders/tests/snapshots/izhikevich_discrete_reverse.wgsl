// `reverse`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 14>,
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
    let v2 = sources[params.places[1].x + i * params.places[1].y]; // Input(0)
    let v3 = sources[params.places[1].z + i * params.places[1].w]; // Derived(0)
    let v4 = v0 - v3;
    let v5 = sources[params.places[2].x + i * params.places[2].y]; // Derived(1)
    let v6 = rounded(v4 * v5);
    let v7 = sources[params.places[2].z + i * params.places[2].w]; // Derived(2)
    let v8 = v0 - v7;
    let v9 = rounded(v6 * v8);
    let v10 = rounded(v2 + v9);
    let v11 = v10 - v1;
    let v12 = sources[params.places[3].x + i * params.places[3].y]; // Derived(3)
    let v13 = rounded(v11 * v12);
    let v14 = rounded(v0 + v13);
    let v15 = v14 - v3;
    let v16 = sources[params.places[3].z + i * params.places[3].w]; // Derived(4)
    let v17 = rounded(v15 * v16);
    let v18 = v17 - v1;
    let v19 = sources[params.places[4].x + i * params.places[4].y]; // Derived(5)
    let v20 = sources[params.places[4].z + i * params.places[4].w]; // Derived(6)
    let v21 = v14 - v20;
    let v24 = v20 <= v14;
    let v25 = select(0.0f, 1.0f, v24);
    let v26 = sources[params.places[5].x + i * params.places[5].y]; // Derived(7)
    let v27 = sources[params.places[5].z + i * params.places[5].w]; // Derived(8)
    let v28 = sources[params.places[6].x + i * params.places[6].y]; // SpikeCotangent
    let v29 = sources[params.places[6].z + i * params.places[6].w]; // StateCotangent(0)
    let v30 = sources[params.places[7].x + i * params.places[7].y]; // StateCotangent(1)
    let v31 = rounded(v27 * v30);
    let v32 = rounded(v28 + v31);
    let v33 = v25 * v30;
    let v34 = v26 - v14;
    let v35 = rounded(v29 * v34);
    let v36 = v32 + v35;
    let v37 = select(0.0f, v29, v24);
    let v38 = select(v29, 0.0f, v24);
    let v39 = v21 * 4.0f;
    let v40 = -v39;
    let v41 = abs(v39);
    let v42 = -v41;
    let v44 = select(v42, 88.72283f, 88.72283f < v42);
    let v46 = select(v44, (-87.336f), v44 < (-87.336f));
    let v48 = v46 * 1.442695f;
    let v49 = round(v48);
    let v51 = rounded(v49 * 0.69314575f);
    let v52 = rounded(v46 - v51);
    let v54 = rounded(v49 * 1.4286068e-6f);
    let v55 = rounded(v52 - v54);
    let v56 = rounded(v55 * v55);
    let v58 = rounded(v55 * 0.0013946104f);
    let v60 = v58 + 0.008366608f;
    let v61 = rounded(v55 * v60);
    let v63 = v61 + 0.041666288f;
    let v64 = rounded(v55 * v63);
    let v66 = v64 + 0.16666543f;
    let v67 = rounded(v55 * v66);
    let v69 = v67 + 0.5f;
    let v70 = rounded(v56 * v69);
    let v71 = rounded(v55 + v70);
    let v73 = v71 + 1.0f;
    let v74 = i32(v49);
    let v76 = v74 << 23u;
    let v77 = bitcast<i32>(v73);
    let v78 = v76 + v77;
    let v79 = bitcast<f32>(v78);
    let v80 = v42 < (-87.336f);
    let v81 = select(v79, 0.0f, v80);
    let v82 = 1.0f + v81;
    let v83 = v39 < 0.0f;
    let v84 = select(1.0f, v81, v83);
    let v85 = rounded(v84 / v82);
    let v86 = abs(v40);
    let v87 = -v86;
    let v88 = select(v87, 88.72283f, 88.72283f < v87);
    let v89 = select(v88, (-87.336f), v88 < (-87.336f));
    let v90 = 1.442695f * v89;
    let v91 = round(v90);
    let v92 = rounded(0.69314575f * v91);
    let v93 = rounded(v89 - v92);
    let v94 = rounded(1.4286068e-6f * v91);
    let v95 = rounded(v93 - v94);
    let v96 = rounded(v95 * v95);
    let v97 = rounded(0.0013946104f * v95);
    let v98 = 0.008366608f + v97;
    let v99 = rounded(v95 * v98);
    let v100 = 0.041666288f + v99;
    let v101 = rounded(v95 * v100);
    let v102 = 0.16666543f + v101;
    let v103 = rounded(v95 * v102);
    let v104 = 0.5f + v103;
    let v105 = rounded(v96 * v104);
    let v106 = rounded(v95 + v105);
    let v107 = 1.0f + v106;
    let v108 = i32(v91);
    let v109 = v108 << 23u;
    let v110 = bitcast<i32>(v107);
    let v111 = v109 + v110;
    let v112 = bitcast<f32>(v111);
    let v113 = v87 < (-87.336f);
    let v114 = select(v112, 0.0f, v113);
    let v115 = 1.0f + v114;
    let v116 = v40 < 0.0f;
    let v117 = select(1.0f, v114, v116);
    let v118 = rounded(v117 / v115);
    let v119 = rounded(v85 * v118);
    let v120 = rounded(4.0f * v119);
    let v121 = rounded(v36 * v120);
    let v122 = rounded(v38 + v121);
    let v123 = -v121;
    let v124 = rounded(v19 * v30);
    let v125 = v18 * v30;
    let v126 = -v124;
    let v127 = rounded(v30 + v126);
    let v128 = rounded(v16 * v124);
    let v129 = v15 * v124;
    let v130 = rounded(v122 + v128);
    let v131 = -v128;
    let v132 = rounded(v12 * v130);
    let v133 = v11 * v130;
    let v134 = -v132;
    let v135 = v127 + v134;
    let v136 = rounded(v8 * v132);
    let v137 = rounded(v6 * v132);
    let v138 = rounded(v130 + v137);
    let v139 = -v137;
    let v140 = rounded(v5 * v136);
    let v141 = v4 * v136;
    let v142 = v138 + v140;
    let v143 = -v140;
    let v144 = v131 + v143;
    results[params.places[7].z + i * params.places[7].w] = v142; // StateCotangent(0)
    results[params.places[8].x + i * params.places[8].y] = v135; // StateCotangent(1)
    results[params.places[8].z + i * params.places[8].w] = v132; // InputCotangent(0)
    results[params.places[9].x + i * params.places[9].y] = v144; // DerivedCotangent(0)
    results[params.places[9].z + i * params.places[9].w] = v141; // DerivedCotangent(1)
    results[params.places[10].x + i * params.places[10].y] = v139; // DerivedCotangent(2)
    results[params.places[10].z + i * params.places[10].w] = v133; // DerivedCotangent(3)
    results[params.places[11].x + i * params.places[11].y] = v129; // DerivedCotangent(4)
    results[params.places[11].z + i * params.places[11].w] = v125; // DerivedCotangent(5)
    results[params.places[12].x + i * params.places[12].y] = v123; // DerivedCotangent(6)
    results[params.places[12].z + i * params.places[12].w] = v37; // DerivedCotangent(7)
    results[params.places[13].x + i * params.places[13].y] = v33; // DerivedCotangent(8)
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
