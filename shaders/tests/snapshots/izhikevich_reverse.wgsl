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
    let v3 = rounded(v0 * 0.04f);
    let v4 = rounded(v0 * v3);
    let v6 = rounded(v0 * 5.0f);
    let v7 = rounded(v4 + v6);
    let v9 = rounded(v7 + 140.0f);
    let v10 = rounded(v9 - v1);
    let v11 = sources[params.places[1].x + i * params.places[1].y]; // Input(0)
    let v12 = rounded(v10 + v11);
    let v13 = sources[params.places[1].z + i * params.places[1].w]; // Derived(0)
    let v14 = rounded(v0 * v13);
    let v15 = v14 - v1;
    let v16 = sources[params.places[2].x + i * params.places[2].y]; // Derived(1)
    let v17 = rounded(v15 * v16);
    let v18 = sources[params.places[2].z + i * params.places[2].w]; // Derived(2)
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
    let v47 = sources[params.places[3].x + i * params.places[3].y]; // Derived(3)
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
    let v71 = sources[params.places[3].z + i * params.places[3].w]; // Derived(4)
    let v72 = rounded(v69 * v71);
    let v73 = rounded(v0 + v72);
    let v74 = rounded(v70 * v71);
    let v75 = rounded(v1 + v74);
    let v76 = sources[params.places[4].x + i * params.places[4].y]; // Input(1)
    let v77 = rounded(v73 + v76);
    let v78 = sources[params.places[4].z + i * params.places[4].w]; // Derived(5)
    let v79 = v77 - v78;
    let v81 = v78 <= v77;
    let v82 = sources[params.places[5].x + i * params.places[5].y]; // Derived(6)
    let v83 = sources[params.places[5].z + i * params.places[5].w]; // Derived(7)
    let v84 = rounded(v75 + v83);
    let v85 = sources[params.places[6].x + i * params.places[6].y]; // SpikeCotangent
    let v86 = sources[params.places[6].z + i * params.places[6].w]; // StateCotangent(0)
    let v87 = sources[params.places[7].x + i * params.places[7].y]; // StateCotangent(1)
    let v88 = v84 - v75;
    let v89 = rounded(v87 * v88);
    let v90 = rounded(v85 + v89);
    let v91 = select(0.0f, v87, v81);
    let v92 = select(v87, 0.0f, v81);
    let v93 = rounded(v91 + v92);
    let v94 = v82 - v77;
    let v95 = rounded(v86 * v94);
    let v96 = v90 + v95;
    let v97 = select(0.0f, v86, v81);
    let v98 = select(v86, 0.0f, v81);
    let v100 = rounded(v79 * 3.1415927f);
    let v101 = rounded(v100 * v100);
    let v103 = v101 + 1.0f;
    let v104 = rounded(1.0f / v103);
    let v105 = rounded(v96 * v104);
    let v106 = rounded(v98 + v105);
    let v107 = -v105;
    let v108 = rounded(v71 * v93);
    let v109 = rounded(v70 * v93);
    let v110 = rounded(v71 * v106);
    let v111 = rounded(v69 * v106);
    let v112 = v109 + v111;
    let v113 = rounded(2.0f * v108);
    let v114 = rounded(2.0f * v110);
    let v115 = rounded(v60 * v108);
    let v116 = rounded(v16 * v108);
    let v117 = -v116;
    let v118 = rounded(v49 * v116);
    let v119 = rounded(v13 * v116);
    let v120 = -v110;
    let v121 = rounded(v117 + v120);
    let v122 = rounded(v49 * v110);
    let v123 = rounded(5.0f * v110);
    let v124 = rounded(v119 + v123);
    let v125 = rounded(v52 * v110);
    let v126 = rounded(v124 + v125);
    let v127 = rounded(0.04f * v122);
    let v128 = rounded(v126 + v127);
    let v129 = rounded(v93 + v121);
    let v130 = rounded(v47 * v121);
    let v131 = v113 + v130;
    let v132 = rounded(v46 * v121);
    let v133 = rounded(v106 + v128);
    let v134 = rounded(v47 * v128);
    let v135 = rounded(v114 + v134);
    let v136 = rounded(v43 * v128);
    let v137 = v132 + v136;
    let v138 = rounded(v45 * v131);
    let v139 = rounded(v115 + v138);
    let v140 = rounded(v16 * v131);
    let v141 = -v140;
    let v142 = rounded(v34 * v140);
    let v143 = rounded(v118 + v142);
    let v144 = rounded(v13 * v140);
    let v145 = rounded(v110 + v135);
    let v146 = -v135;
    let v147 = rounded(v141 + v146);
    let v148 = rounded(v34 * v135);
    let v149 = rounded(5.0f * v135);
    let v150 = rounded(v144 + v149);
    let v151 = rounded(v37 * v135);
    let v152 = rounded(v150 + v151);
    let v153 = rounded(0.04f * v148);
    let v154 = rounded(v152 + v153);
    let v155 = rounded(v129 + v147);
    let v156 = rounded(v32 * v147);
    let v157 = rounded(v18 * v147);
    let v158 = v113 + v157;
    let v159 = rounded(v133 + v154);
    let v160 = rounded(v29 * v154);
    let v161 = rounded(v156 + v160);
    let v162 = rounded(v18 * v154);
    let v163 = rounded(v114 + v162);
    let v164 = rounded(v31 * v158);
    let v165 = rounded(v139 + v164);
    let v166 = rounded(v16 * v158);
    let v167 = -v166;
    let v168 = rounded(v20 * v166);
    let v169 = rounded(v143 + v168);
    let v170 = rounded(v13 * v166);
    let v171 = rounded(v145 + v163);
    let v172 = -v163;
    let v173 = rounded(v167 + v172);
    let v174 = rounded(v20 * v163);
    let v175 = rounded(5.0f * v163);
    let v176 = rounded(v170 + v175);
    let v177 = rounded(v23 * v163);
    let v178 = rounded(v176 + v177);
    let v179 = rounded(0.04f * v174);
    let v180 = rounded(v178 + v179);
    let v181 = rounded(v155 + v173);
    let v182 = rounded(v18 * v173);
    let v183 = v108 + v182;
    let v184 = rounded(v17 * v173);
    let v185 = rounded(v161 + v184);
    let v186 = rounded(v159 + v180);
    let v187 = rounded(v18 * v180);
    let v188 = rounded(v110 + v187);
    let v189 = rounded(v12 * v180);
    let v190 = v185 + v189;
    let v191 = rounded(v16 * v183);
    let v192 = rounded(v15 * v183);
    let v193 = v165 + v192;
    let v194 = -v191;
    let v195 = rounded(v181 + v194);
    let v196 = rounded(v13 * v191);
    let v197 = rounded(v186 + v196);
    let v198 = rounded(v0 * v191);
    let v199 = v169 + v198;
    let v200 = v171 + v188;
    let v201 = -v188;
    let v202 = v195 + v201;
    let v203 = rounded(5.0f * v188);
    let v204 = rounded(v197 + v203);
    let v205 = rounded(v0 * v188);
    let v206 = rounded(v3 * v188);
    let v207 = rounded(v204 + v206);
    let v208 = rounded(0.04f * v205);
    let v209 = v207 + v208;
    results[params.places[7].z + i * params.places[7].w] = v209; // StateCotangent(0)
    results[params.places[8].x + i * params.places[8].y] = v202; // StateCotangent(1)
    results[params.places[8].z + i * params.places[8].w] = v200; // InputCotangent(0)
    results[params.places[9].x + i * params.places[9].y] = v106; // InputCotangent(1)
    results[params.places[9].z + i * params.places[9].w] = v199; // DerivedCotangent(0)
    results[params.places[10].x + i * params.places[10].y] = v193; // DerivedCotangent(1)
    results[params.places[10].z + i * params.places[10].w] = v190; // DerivedCotangent(2)
    results[params.places[11].x + i * params.places[11].y] = v137; // DerivedCotangent(3)
    results[params.places[11].z + i * params.places[11].w] = v112; // DerivedCotangent(4)
    results[params.places[12].x + i * params.places[12].y] = v107; // DerivedCotangent(5)
    results[params.places[12].z + i * params.places[12].w] = v97; // DerivedCotangent(6)
    results[params.places[13].x + i * params.places[13].y] = v91; // DerivedCotangent(7)
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
