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
    let v1 = sources[params.places[0].z + i * params.places[0].w]; // State(1)
    let v2 = sources[params.places[1].x + i * params.places[1].y]; // Derived(0)
    let v3 = rounded(v0 * v2);
    let v4 = rounded(v0 - v3);
    let v5 = sources[params.places[1].z + i * params.places[1].w]; // Input(0)
    let v6 = rounded(v4 + v5);
    let v7 = sources[params.places[2].x + i * params.places[2].y]; // Derived(1)
    let v8 = v6 - v7;
    let v11 = v7 <= v6;
    let v12 = select(0.0f, 1.0f, v11);
    let v13 = v2 * v6;
    let v14 = abs(v13);
    let v15 = -v14;
    let v17 = select(v15, 88.72283f, 88.72283f < v15);
    let v19 = select(v17, (-87.336f), v17 < (-87.336f));
    let v21 = v19 * 1.442695f;
    let v22 = round(v21);
    let v24 = rounded(v22 * 0.69314575f);
    let v25 = rounded(v19 - v24);
    let v27 = rounded(v22 * 1.4286068e-6f);
    let v28 = rounded(v25 - v27);
    let v29 = rounded(v28 * v28);
    let v31 = rounded(v28 * 0.0013946104f);
    let v33 = v31 + 0.008366608f;
    let v34 = rounded(v28 * v33);
    let v36 = v34 + 0.041666288f;
    let v37 = rounded(v28 * v36);
    let v39 = v37 + 0.16666543f;
    let v40 = rounded(v28 * v39);
    let v42 = v40 + 0.5f;
    let v43 = rounded(v29 * v42);
    let v44 = rounded(v28 + v43);
    let v45 = 1.0f + v44;
    let v46 = i32(v22);
    let v48 = v46 << 23u;
    let v49 = bitcast<i32>(v45);
    let v50 = v48 + v49;
    let v51 = bitcast<f32>(v50);
    let v52 = v15 < (-87.336f);
    let v53 = select(v51, 0.0f, v52);
    let v54 = 1.0f + v53;
    let v55 = v13 < 0.0f;
    let v56 = select(1.0f, v53, v55);
    let v57 = rounded(v56 / v54);
    let v58 = rounded(v1 * v57);
    let v59 = v12 + v58;
    let v60 = abs(v59);
    let v61 = -v60;
    let v62 = select(v61, 88.72283f, 88.72283f < v61);
    let v63 = select(v62, (-87.336f), v62 < (-87.336f));
    let v64 = 1.442695f * v63;
    let v65 = round(v64);
    let v66 = rounded(0.69314575f * v65);
    let v67 = rounded(v63 - v66);
    let v68 = rounded(1.4286068e-6f * v65);
    let v69 = rounded(v67 - v68);
    let v70 = rounded(v69 * v69);
    let v71 = rounded(0.0013946104f * v69);
    let v72 = 0.008366608f + v71;
    let v73 = rounded(v69 * v72);
    let v74 = 0.041666288f + v73;
    let v75 = rounded(v69 * v74);
    let v76 = 0.16666543f + v75;
    let v77 = rounded(v69 * v76);
    let v78 = 0.5f + v77;
    let v79 = rounded(v70 * v78);
    let v80 = rounded(v69 + v79);
    let v81 = 1.0f + v80;
    let v82 = i32(v65);
    let v83 = v82 << 23u;
    let v84 = bitcast<i32>(v81);
    let v85 = v83 + v84;
    let v86 = bitcast<f32>(v85);
    let v87 = v61 < (-87.336f);
    let v88 = select(v86, 0.0f, v87);
    let v89 = 1.0f + v88;
    let v90 = v59 < 0.0f;
    let v91 = select(1.0f, v88, v90);
    let v92 = rounded(v91 / v89);
    let v93 = v7 + v92;
    let v94 = sources[params.places[2].z + i * params.places[2].w]; // SpikeCotangent
    let v95 = sources[params.places[3].x + i * params.places[3].y]; // StateCotangent(0)
    let v96 = sources[params.places[3].z + i * params.places[3].w]; // StateCotangent(1)
    let v97 = -v95;
    let v98 = rounded(v93 * v97);
    let v99 = rounded(v94 + v98);
    let v100 = rounded(v12 * v97);
    let v101 = -v59;
    let v102 = abs(v101);
    let v103 = -v102;
    let v104 = select(v103, 88.72283f, 88.72283f < v103);
    let v105 = select(v104, (-87.336f), v104 < (-87.336f));
    let v106 = 1.442695f * v105;
    let v107 = round(v106);
    let v108 = rounded(0.69314575f * v107);
    let v109 = rounded(v105 - v108);
    let v110 = rounded(1.4286068e-6f * v107);
    let v111 = rounded(v109 - v110);
    let v112 = rounded(v111 * v111);
    let v113 = rounded(0.0013946104f * v111);
    let v114 = 0.008366608f + v113;
    let v115 = rounded(v111 * v114);
    let v116 = 0.041666288f + v115;
    let v117 = rounded(v111 * v116);
    let v118 = 0.16666543f + v117;
    let v119 = rounded(v111 * v118);
    let v120 = 0.5f + v119;
    let v121 = rounded(v112 * v120);
    let v122 = rounded(v111 + v121);
    let v123 = 1.0f + v122;
    let v124 = i32(v107);
    let v125 = v124 << 23u;
    let v126 = bitcast<i32>(v123);
    let v127 = v125 + v126;
    let v128 = bitcast<f32>(v127);
    let v129 = v103 < (-87.336f);
    let v130 = select(v128, 0.0f, v129);
    let v131 = 1.0f + v130;
    let v132 = v101 < 0.0f;
    let v133 = select(1.0f, v130, v132);
    let v134 = rounded(v133 / v131);
    let v135 = rounded(v92 * v134);
    let v136 = rounded(v100 * v135);
    let v137 = rounded(v96 + v136);
    let v138 = v99 + v137;
    let v139 = v57 * v137;
    let v140 = rounded(v1 * v137);
    let v141 = -v13;
    let v142 = abs(v141);
    let v143 = -v142;
    let v144 = select(v143, 88.72283f, 88.72283f < v143);
    let v145 = select(v144, (-87.336f), v144 < (-87.336f));
    let v146 = 1.442695f * v145;
    let v147 = round(v146);
    let v148 = rounded(0.69314575f * v147);
    let v149 = rounded(v145 - v148);
    let v150 = rounded(1.4286068e-6f * v147);
    let v151 = rounded(v149 - v150);
    let v152 = rounded(v151 * v151);
    let v153 = rounded(0.0013946104f * v151);
    let v154 = 0.008366608f + v153;
    let v155 = rounded(v151 * v154);
    let v156 = 0.041666288f + v155;
    let v157 = rounded(v151 * v156);
    let v158 = 0.16666543f + v157;
    let v159 = rounded(v151 * v158);
    let v160 = 0.5f + v159;
    let v161 = rounded(v152 * v160);
    let v162 = rounded(v151 + v161);
    let v163 = 1.0f + v162;
    let v164 = i32(v147);
    let v165 = v164 << 23u;
    let v166 = bitcast<i32>(v163);
    let v167 = v165 + v166;
    let v168 = bitcast<f32>(v167);
    let v169 = v143 < (-87.336f);
    let v170 = select(v168, 0.0f, v169);
    let v171 = 1.0f + v170;
    let v172 = v141 < 0.0f;
    let v173 = select(1.0f, v170, v172);
    let v174 = rounded(v173 / v171);
    let v175 = rounded(v57 * v174);
    let v176 = rounded(v140 * v175);
    let v177 = rounded(v6 * v176);
    let v178 = rounded(v2 * v176);
    let v179 = rounded(v95 + v178);
    let v180 = abs(v8);
    let v181 = v180 < 0.5f;
    let v182 = select(0.0f, 1.0f, v181);
    let v183 = rounded(v138 * v182);
    let v184 = rounded(v179 + v183);
    let v185 = -v183;
    let v186 = v100 + v185;
    let v187 = -v184;
    let v188 = rounded(v2 * v187);
    let v189 = v184 + v188;
    let v190 = rounded(v0 * v187);
    let v191 = v177 + v190;
    results[params.places[4].x + i * params.places[4].y] = v189; // StateCotangent(0)
    results[params.places[4].z + i * params.places[4].w] = v139; // StateCotangent(1)
    results[params.places[5].x + i * params.places[5].y] = v184; // InputCotangent(0)
    results[params.places[5].z + i * params.places[5].w] = v191; // DerivedCotangent(0)
    results[params.places[6].x + i * params.places[6].y] = v186; // DerivedCotangent(1)
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
