// `reverse`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 10>,
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
    let v2 = v0 - v1;
    let v3 = sources[params.places[1].x + i * params.places[1].y]; // Derived(1)
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
    let v47 = sources[params.places[1].z + i * params.places[1].w]; // Derived(2)
    let v48 = rounded(v46 * v47);
    let v49 = sources[params.places[2].x + i * params.places[2].y]; // Input(0)
    let v50 = sources[params.places[2].z + i * params.places[2].w]; // Derived(3)
    let v51 = rounded(v49 + v50);
    let v52 = rounded(v51 - v0);
    let v53 = v48 + v52;
    let v54 = sources[params.places[3].x + i * params.places[3].y]; // Derived(4)
    let v55 = rounded(v53 * v54);
    let v56 = rounded(v0 + v55);
    let v57 = sources[params.places[3].z + i * params.places[3].w]; // Derived(5)
    let v58 = v56 - v57;
    let v60 = v57 <= v56;
    let v61 = sources[params.places[4].x + i * params.places[4].y]; // Derived(6)
    let v62 = sources[params.places[4].z + i * params.places[4].w]; // SpikeCotangent
    let v63 = sources[params.places[5].x + i * params.places[5].y]; // StateCotangent(0)
    let v64 = v61 - v56;
    let v65 = rounded(v63 * v64);
    let v66 = v62 + v65;
    let v67 = select(0.0f, v63, v60);
    let v68 = select(v63, 0.0f, v60);
    let v69 = v58 * 4.0f;
    let v70 = -v69;
    let v71 = abs(v69);
    let v72 = -v71;
    let v73 = select(v72, 88.72283f, 88.72283f < v72);
    let v74 = select(v73, (-87.336f), v73 < (-87.336f));
    let v75 = 1.442695f * v74;
    let v76 = round(v75);
    let v77 = rounded(0.69314575f * v76);
    let v78 = rounded(v74 - v77);
    let v79 = rounded(1.4286068e-6f * v76);
    let v80 = rounded(v78 - v79);
    let v81 = rounded(v80 * v80);
    let v82 = rounded(0.0013946104f * v80);
    let v83 = 0.008366608f + v82;
    let v84 = rounded(v80 * v83);
    let v85 = 0.041666288f + v84;
    let v86 = rounded(v80 * v85);
    let v87 = 0.16666543f + v86;
    let v88 = rounded(v80 * v87);
    let v89 = 0.5f + v88;
    let v90 = rounded(v81 * v89);
    let v91 = rounded(v80 + v90);
    let v92 = 1.0f + v91;
    let v93 = i32(v76);
    let v94 = v93 << 23u;
    let v95 = bitcast<i32>(v92);
    let v96 = v94 + v95;
    let v97 = bitcast<f32>(v96);
    let v98 = v72 < (-87.336f);
    let v99 = select(v97, 0.0f, v98);
    let v100 = 1.0f + v99;
    let v101 = v69 < 0.0f;
    let v102 = select(1.0f, v99, v101);
    let v103 = rounded(v102 / v100);
    let v104 = abs(v70);
    let v105 = -v104;
    let v106 = select(v105, 88.72283f, 88.72283f < v105);
    let v107 = select(v106, (-87.336f), v106 < (-87.336f));
    let v108 = 1.442695f * v107;
    let v109 = round(v108);
    let v110 = rounded(0.69314575f * v109);
    let v111 = rounded(v107 - v110);
    let v112 = rounded(1.4286068e-6f * v109);
    let v113 = rounded(v111 - v112);
    let v114 = rounded(v113 * v113);
    let v115 = rounded(0.0013946104f * v113);
    let v116 = 0.008366608f + v115;
    let v117 = rounded(v113 * v116);
    let v118 = 0.041666288f + v117;
    let v119 = rounded(v113 * v118);
    let v120 = 0.16666543f + v119;
    let v121 = rounded(v113 * v120);
    let v122 = 0.5f + v121;
    let v123 = rounded(v114 * v122);
    let v124 = rounded(v113 + v123);
    let v125 = 1.0f + v124;
    let v126 = i32(v109);
    let v127 = v126 << 23u;
    let v128 = bitcast<i32>(v125);
    let v129 = v127 + v128;
    let v130 = bitcast<f32>(v129);
    let v131 = v105 < (-87.336f);
    let v132 = select(v130, 0.0f, v131);
    let v133 = 1.0f + v132;
    let v134 = v70 < 0.0f;
    let v135 = select(1.0f, v132, v134);
    let v136 = rounded(v135 / v133);
    let v137 = rounded(v103 * v136);
    let v138 = rounded(4.0f * v137);
    let v139 = rounded(v66 * v138);
    let v140 = rounded(v68 + v139);
    let v141 = -v139;
    let v142 = rounded(v54 * v140);
    let v143 = v53 * v140;
    let v144 = -v142;
    let v145 = rounded(v140 + v144);
    let v146 = rounded(v47 * v142);
    let v147 = v46 * v142;
    let v148 = rounded(v46 * v146);
    let v149 = 80.0f < v4;
    let v150 = select(v148, 0.0f, v149);
    let v151 = rounded(v3 * v150);
    let v152 = v2 * v150;
    let v153 = v145 + v151;
    let v154 = -v151;
    results[params.places[5].z + i * params.places[5].w] = v153; // StateCotangent(0)
    results[params.places[6].x + i * params.places[6].y] = v142; // InputCotangent(0)
    results[params.places[6].z + i * params.places[6].w] = v154; // DerivedCotangent(0)
    results[params.places[7].x + i * params.places[7].y] = v152; // DerivedCotangent(1)
    results[params.places[7].z + i * params.places[7].w] = v147; // DerivedCotangent(2)
    results[params.places[8].x + i * params.places[8].y] = v142; // DerivedCotangent(3)
    results[params.places[8].z + i * params.places[8].w] = v143; // DerivedCotangent(4)
    results[params.places[9].x + i * params.places[9].y] = v141; // DerivedCotangent(5)
    results[params.places[9].z + i * params.places[9].w] = v67; // DerivedCotangent(6)
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
