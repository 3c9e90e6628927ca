// `reverse`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 12>,
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
    let v4 = sources[params.places[1].z + i * params.places[1].w]; // Derived(1)
    let v5 = rounded(v3 * v4);
    let v6 = rounded(v1 * v5);
    let v7 = sources[params.places[2].x + i * params.places[2].y]; // Derived(2)
    let v8 = rounded(v1 * v7);
    let v9 = sources[params.places[2].z + i * params.places[2].w]; // Input(0)
    let v10 = sources[params.places[3].x + i * params.places[3].y]; // Input(1)
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
    let v58 = sources[params.places[3].z + i * params.places[3].w]; // Derived(3)
    let v59 = rounded(v57 * v58);
    let v60 = 1.0f - v59;
    let v61 = rounded(v9 * v60);
    let v62 = sources[params.places[4].x + i * params.places[4].y]; // Derived(4)
    let v63 = rounded(v3 - v62);
    let v64 = rounded(v61 + v63);
    let v65 = rounded(v64 - v6);
    let v66 = rounded(v65 - v8);
    let v67 = sources[params.places[4].z + i * params.places[4].w]; // Derived(5)
    let v68 = v66 - v67;
    let v70 = sources[params.places[5].x + i * params.places[5].y]; // SpikeCotangent
    let v71 = sources[params.places[5].z + i * params.places[5].w]; // StateCotangent(0)
    let v72 = sources[params.places[6].x + i * params.places[6].y]; // StateCotangent(1)
    let v73 = v70 + v72;
    let v74 = v68 * 4.0f;
    let v75 = -v74;
    let v76 = abs(v74);
    let v77 = -v76;
    let v78 = select(v77, 88.72283f, 88.72283f < v77);
    let v79 = select(v78, (-87.336f), v78 < (-87.336f));
    let v80 = 1.442695f * v79;
    let v81 = round(v80);
    let v82 = rounded(0.69314575f * v81);
    let v83 = rounded(v79 - v82);
    let v84 = rounded(1.4286068e-6f * v81);
    let v85 = rounded(v83 - v84);
    let v86 = rounded(v85 * v85);
    let v87 = rounded(0.0013946104f * v85);
    let v88 = 0.008366608f + v87;
    let v89 = rounded(v85 * v88);
    let v90 = 0.041666288f + v89;
    let v91 = rounded(v85 * v90);
    let v92 = 0.16666543f + v91;
    let v93 = rounded(v85 * v92);
    let v94 = 0.5f + v93;
    let v95 = rounded(v86 * v94);
    let v96 = rounded(v85 + v95);
    let v97 = 1.0f + v96;
    let v98 = i32(v81);
    let v99 = v98 << 23u;
    let v100 = bitcast<i32>(v97);
    let v101 = v99 + v100;
    let v102 = bitcast<f32>(v101);
    let v103 = v77 < (-87.336f);
    let v104 = select(v102, 0.0f, v103);
    let v105 = 1.0f + v104;
    let v106 = v74 < 0.0f;
    let v107 = select(1.0f, v104, v106);
    let v108 = rounded(v107 / v105);
    let v109 = abs(v75);
    let v110 = -v109;
    let v111 = select(v110, 88.72283f, 88.72283f < v110);
    let v112 = select(v111, (-87.336f), v111 < (-87.336f));
    let v113 = 1.442695f * v112;
    let v114 = round(v113);
    let v115 = rounded(0.69314575f * v114);
    let v116 = rounded(v112 - v115);
    let v117 = rounded(1.4286068e-6f * v114);
    let v118 = rounded(v116 - v117);
    let v119 = rounded(v118 * v118);
    let v120 = rounded(0.0013946104f * v118);
    let v121 = 0.008366608f + v120;
    let v122 = rounded(v118 * v121);
    let v123 = 0.041666288f + v122;
    let v124 = rounded(v118 * v123);
    let v125 = 0.16666543f + v124;
    let v126 = rounded(v118 * v125);
    let v127 = 0.5f + v126;
    let v128 = rounded(v119 * v127);
    let v129 = rounded(v118 + v128);
    let v130 = 1.0f + v129;
    let v131 = i32(v114);
    let v132 = v131 << 23u;
    let v133 = bitcast<i32>(v130);
    let v134 = v132 + v133;
    let v135 = bitcast<f32>(v134);
    let v136 = v110 < (-87.336f);
    let v137 = select(v135, 0.0f, v136);
    let v138 = 1.0f + v137;
    let v139 = v75 < 0.0f;
    let v140 = select(1.0f, v137, v139);
    let v141 = rounded(v140 / v138);
    let v142 = rounded(v108 * v141);
    let v143 = rounded(4.0f * v142);
    let v144 = rounded(v73 * v143);
    let v145 = rounded(v71 + v144);
    let v146 = -v144;
    let v147 = -v145;
    let v148 = v60 * v145;
    let v149 = rounded(v9 * v145);
    let v150 = -v149;
    let v151 = rounded(v58 * v150);
    let v152 = v57 * v150;
    let v153 = -v151;
    let v154 = -v10;
    let v155 = abs(v154);
    let v156 = -v155;
    let v157 = select(v156, 88.72283f, 88.72283f < v156);
    let v158 = select(v157, (-87.336f), v157 < (-87.336f));
    let v159 = 1.442695f * v158;
    let v160 = round(v159);
    let v161 = rounded(0.69314575f * v160);
    let v162 = rounded(v158 - v161);
    let v163 = rounded(1.4286068e-6f * v160);
    let v164 = rounded(v162 - v163);
    let v165 = rounded(v164 * v164);
    let v166 = rounded(0.0013946104f * v164);
    let v167 = 0.008366608f + v166;
    let v168 = rounded(v164 * v167);
    let v169 = 0.041666288f + v168;
    let v170 = rounded(v164 * v169);
    let v171 = 0.16666543f + v170;
    let v172 = rounded(v164 * v171);
    let v173 = 0.5f + v172;
    let v174 = rounded(v165 * v173);
    let v175 = rounded(v164 + v174);
    let v176 = 1.0f + v175;
    let v177 = i32(v160);
    let v178 = v177 << 23u;
    let v179 = bitcast<i32>(v176);
    let v180 = v178 + v179;
    let v181 = bitcast<f32>(v180);
    let v182 = v156 < (-87.336f);
    let v183 = select(v181, 0.0f, v182);
    let v184 = 1.0f + v183;
    let v185 = v154 < 0.0f;
    let v186 = select(1.0f, v183, v185);
    let v187 = rounded(v186 / v184);
    let v188 = rounded(v56 * v187);
    let v189 = v153 * v188;
    let v190 = rounded(v7 * v147);
    let v191 = rounded(v1 * v147);
    let v192 = rounded(v5 * v147);
    let v193 = v190 + v192;
    let v194 = rounded(v4 * v191);
    let v195 = v145 + v194;
    let v196 = v3 * v191;
    let v197 = v2 * v195;
    let v198 = v0 * v195;
    results[params.places[6].z + i * params.places[6].w] = v197; // StateCotangent(0)
    results[params.places[7].x + i * params.places[7].y] = v193; // StateCotangent(1)
    results[params.places[7].z + i * params.places[7].w] = v148; // InputCotangent(0)
    results[params.places[8].x + i * params.places[8].y] = v189; // InputCotangent(1)
    results[params.places[8].z + i * params.places[8].w] = v198; // DerivedCotangent(0)
    results[params.places[9].x + i * params.places[9].y] = v196; // DerivedCotangent(1)
    results[params.places[9].z + i * params.places[9].w] = v191; // DerivedCotangent(2)
    results[params.places[10].x + i * params.places[10].y] = v152; // DerivedCotangent(3)
    results[params.places[10].z + i * params.places[10].w] = v147; // DerivedCotangent(4)
    results[params.places[11].x + i * params.places[11].y] = v146; // DerivedCotangent(5)
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
