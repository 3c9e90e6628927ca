// `reverse`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 21>,
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
    let v2 = sources[params.places[1].x + i * params.places[1].y]; // State(2)
    let v3 = sources[params.places[1].z + i * params.places[1].w]; // State(3)
    let v5 = 0.0f < v3;
    let v6 = sources[params.places[2].x + i * params.places[2].y]; // Derived(0)
    let v7 = rounded(v1 * v6);
    let v8 = sources[params.places[2].z + i * params.places[2].w]; // Derived(1)
    let v9 = rounded(v2 * v8);
    let v10 = -v7;
    let v11 = sources[params.places[3].x + i * params.places[3].y]; // Derived(2)
    let v12 = rounded(v7 * v11);
    let v13 = sources[params.places[3].z + i * params.places[3].w]; // Derived(3)
    let v14 = rounded(v10 + v13);
    let v15 = sources[params.places[4].x + i * params.places[4].y]; // Derived(4)
    let v16 = rounded(v12 + v15);
    let v17 = -v9;
    let v18 = sources[params.places[4].z + i * params.places[4].w]; // Derived(5)
    let v19 = rounded(v9 * v18);
    let v20 = v14 + v17;
    let v21 = rounded(v16 + v19);
    let v22 = sources[params.places[5].x + i * params.places[5].y]; // Derived(6)
    let v23 = v21 + v22;
    let v24 = sources[params.places[5].z + i * params.places[5].w]; // Derived(7)
    let v25 = rounded(v20 * v24);
    let v26 = rounded(v23 * v24);
    let v27 = sources[params.places[6].x + i * params.places[6].y]; // Derived(8)
    let v28 = rounded(v25 * v27);
    let v30 = v28 == 0.0f;
    let v32 = select(v28, 88.72283f, 88.72283f < v28);
    let v34 = select(v32, (-87.336f), v32 < (-87.336f));
    let v36 = v34 * 1.442695f;
    let v37 = round(v36);
    let v39 = rounded(v37 * 0.69314575f);
    let v40 = rounded(v34 - v39);
    let v42 = rounded(v37 * 1.4286068e-6f);
    let v43 = rounded(v40 - v42);
    let v44 = rounded(v43 * v43);
    let v46 = rounded(v43 * 0.0013946104f);
    let v48 = v46 + 0.008366608f;
    let v49 = rounded(v43 * v48);
    let v51 = v49 + 0.041666288f;
    let v52 = rounded(v43 * v51);
    let v54 = v52 + 0.16666543f;
    let v55 = rounded(v43 * v54);
    let v57 = v55 + 0.5f;
    let v58 = rounded(v44 * v57);
    let v59 = rounded(v43 + v58);
    let v60 = i32(v37);
    let v62 = v60 + 126i;
    let v64 = v62 << 23u;
    let v65 = bitcast<f32>(v64);
    let v66 = rounded(v59 * v65);
    let v68 = rounded(v65 + (-0.5f));
    let v69 = rounded(v66 + v68);
    let v70 = v69 + v69;
    let v71 = select(v70, 1.0f, v30);
    let v72 = select(v28, 1.0f, v30);
    let v73 = rounded(v71 / v72);
    let v74 = rounded(v27 * v73);
    let v75 = rounded(v0 * v25);
    let v76 = v26 + v75;
    let v77 = rounded(v74 * v76);
    let v78 = rounded(v0 + v77);
    let v79 = select(v78, v0, v5);
    let v80 = sources[params.places[6].z + i * params.places[6].w]; // Derived(9)
    let v81 = sources[params.places[7].x + i * params.places[7].y]; // Derived(10)
    let v82 = sources[params.places[7].z + i * params.places[7].w]; // Derived(11)
    let v83 = v79 - v82;
    let v84 = v82 <= v79;
    let v85 = !v5;
    let v86 = v84 && v85;
    let v87 = sources[params.places[8].x + i * params.places[8].y]; // Derived(12)
    let v88 = sources[params.places[8].z + i * params.places[8].w]; // SpikeCotangent
    let v89 = sources[params.places[9].x + i * params.places[9].y]; // StateCotangent(0)
    let v90 = sources[params.places[9].z + i * params.places[9].w]; // StateCotangent(1)
    let v91 = sources[params.places[10].x + i * params.places[10].y]; // StateCotangent(2)
    let v92 = sources[params.places[10].z + i * params.places[10].w]; // StateCotangent(3)
    let v93 = select(0.0f, v92, v86);
    let v94 = v87 - v79;
    let v95 = rounded(v89 * v94);
    let v96 = v88 + v95;
    let v97 = select(0.0f, v89, v86);
    let v98 = select(v89, 0.0f, v86);
    let v99 = select(v96, 0.0f, v5);
    let v101 = rounded(v83 * 3.1415927f);
    let v102 = rounded(v101 * v101);
    let v103 = 1.0f + v102;
    let v104 = rounded(1.0f / v103);
    let v105 = rounded(v99 * v104);
    let v106 = rounded(v98 + v105);
    let v107 = -v105;
    let v108 = rounded(v81 * v91);
    let v109 = v2 * v91;
    let v110 = rounded(v80 * v90);
    let v111 = v1 * v90;
    let v112 = select(0.0f, v106, v5);
    let v113 = select(v106, 0.0f, v5);
    let v114 = rounded(v112 + v113);
    let v115 = rounded(v76 * v113);
    let v116 = rounded(v74 * v113);
    let v117 = rounded(v25 * v116);
    let v118 = v114 + v117;
    let v119 = rounded(v0 * v116);
    let v120 = rounded(v73 * v115);
    let v121 = rounded(v27 * v115);
    let v123 = abs(v28);
    let v124 = v123 < 0.7f;
    let v125 = select(0.0f, v28, v124);
    let v128 = rounded(v125 * 2.6552651e-15f);
    let v129 = 4.4983318e-14f + v128;
    let v131 = rounded(v125 * v129);
    let v132 = 7.169216e-13f + v131;
    let v134 = rounded(v125 * v132);
    let v135 = 1.0706029e-11f + v134;
    let v137 = rounded(v125 * v135);
    let v138 = 1.4911969e-10f + v137;
    let v140 = rounded(v125 * v138);
    let v141 = 1.9270852e-9f + v140;
    let v143 = rounded(v125 * v141);
    let v144 = 2.2964432e-8f + v143;
    let v146 = rounded(v125 * v144);
    let v147 = 2.5052108e-7f + v146;
    let v149 = rounded(v125 * v147);
    let v150 = 2.4801586e-6f + v149;
    let v152 = rounded(v125 * v150);
    let v153 = 2.2045855e-5f + v152;
    let v155 = rounded(v125 * v153);
    let v156 = 0.00017361112f + v155;
    let v158 = rounded(v125 * v156);
    let v159 = 0.0011904762f + v158;
    let v161 = rounded(v125 * v159);
    let v162 = 0.0069444445f + v161;
    let v164 = rounded(v125 * v162);
    let v165 = 0.033333335f + v164;
    let v167 = rounded(v125 * v165);
    let v168 = 0.125f + v167;
    let v170 = rounded(v125 * v168);
    let v171 = 0.33333334f + v170;
    let v172 = rounded(v125 * v171);
    let v173 = 0.5f + v172;
    let v174 = 1.0f + v59;
    let v175 = v60 << 23u;
    let v176 = bitcast<i32>(v174);
    let v177 = v175 + v176;
    let v178 = bitcast<f32>(v177);
    let v179 = v28 < (-87.336f);
    let v180 = select(v178, 0.0f, v179);
    let v181 = v180 - v73;
    let v182 = select(v28, 1.0f, v124);
    let v183 = rounded(v181 / v182);
    let v184 = select(v183, v173, v124);
    let v185 = rounded(v121 * v184);
    let v186 = rounded(v27 * v185);
    let v187 = v119 + v186;
    let v188 = rounded(v25 * v185);
    let v189 = v120 + v188;
    let v190 = rounded(v24 * v116);
    let v191 = rounded(v23 * v116);
    let v192 = rounded(v24 * v187);
    let v193 = rounded(v20 * v187);
    let v194 = v191 + v193;
    let v195 = rounded(v18 * v190);
    let v196 = v9 * v190;
    let v197 = -v192;
    let v198 = v195 + v197;
    let v199 = rounded(v11 * v190);
    let v200 = v7 * v190;
    let v201 = v197 + v199;
    let v202 = rounded(v8 * v198);
    let v203 = v108 + v202;
    let v204 = v2 * v198;
    let v205 = rounded(v6 * v201);
    let v206 = v110 + v205;
    let v207 = v1 * v201;
    results[params.places[11].x + i * params.places[11].y] = v118; // StateCotangent(0)
    results[params.places[11].z + i * params.places[11].w] = v206; // StateCotangent(1)
    results[params.places[12].x + i * params.places[12].y] = v203; // StateCotangent(2)
    results[params.places[12].z + i * params.places[12].w] = v90; // InputCotangent(0)
    results[params.places[13].x + i * params.places[13].y] = v91; // InputCotangent(1)
    results[params.places[13].z + i * params.places[13].w] = v207; // DerivedCotangent(0)
    results[params.places[14].x + i * params.places[14].y] = v204; // DerivedCotangent(1)
    results[params.places[14].z + i * params.places[14].w] = v200; // DerivedCotangent(2)
    results[params.places[15].x + i * params.places[15].y] = v192; // DerivedCotangent(3)
    results[params.places[15].z + i * params.places[15].w] = v190; // DerivedCotangent(4)
    results[params.places[16].x + i * params.places[16].y] = v196; // DerivedCotangent(5)
    results[params.places[16].z + i * params.places[16].w] = v190; // DerivedCotangent(6)
    results[params.places[17].x + i * params.places[17].y] = v194; // DerivedCotangent(7)
    results[params.places[17].z + i * params.places[17].w] = v189; // DerivedCotangent(8)
    results[params.places[18].x + i * params.places[18].y] = v111; // DerivedCotangent(9)
    results[params.places[18].z + i * params.places[18].w] = v109; // DerivedCotangent(10)
    results[params.places[19].x + i * params.places[19].y] = v107; // DerivedCotangent(11)
    results[params.places[19].z + i * params.places[19].w] = v97; // DerivedCotangent(12)
    results[params.places[20].x + i * params.places[20].y] = v93; // DerivedCotangent(13)
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
