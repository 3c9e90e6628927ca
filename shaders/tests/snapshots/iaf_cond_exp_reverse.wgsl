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
    let v30 = select(v28, 88.72283f, 88.72283f < v28);
    let v32 = select(v30, (-87.336f), v30 < (-87.336f));
    let v34 = v32 * 1.442695f;
    let v35 = round(v34);
    let v37 = rounded(v35 * 0.69314575f);
    let v38 = rounded(v32 - v37);
    let v40 = rounded(v35 * 1.4286068e-6f);
    let v41 = rounded(v38 - v40);
    let v42 = rounded(v41 * v41);
    let v44 = rounded(v41 * 0.0013946104f);
    let v46 = v44 + 0.008366608f;
    let v47 = rounded(v41 * v46);
    let v49 = v47 + 0.041666288f;
    let v50 = rounded(v41 * v49);
    let v52 = v50 + 0.16666543f;
    let v53 = rounded(v41 * v52);
    let v55 = v53 + 0.5f;
    let v56 = rounded(v42 * v55);
    let v57 = rounded(v41 + v56);
    let v59 = v57 + 1.0f;
    let v60 = i32(v35);
    let v62 = v60 << 23u;
    let v63 = bitcast<i32>(v59);
    let v64 = v62 + v63;
    let v65 = bitcast<f32>(v64);
    let v66 = v28 < (-87.336f);
    let v67 = select(v65, 0.0f, v66);
    let v68 = v28 == 0.0f;
    let v70 = v60 + 126i;
    let v71 = v70 << 23u;
    let v72 = bitcast<f32>(v71);
    let v73 = rounded(v57 * v72);
    let v75 = rounded(v72 + (-0.5f));
    let v76 = rounded(v73 + v75);
    let v77 = v76 + v76;
    let v78 = select(v77, 1.0f, v68);
    let v79 = select(v28, 1.0f, v68);
    let v80 = rounded(v78 / v79);
    let v81 = rounded(v0 * v67);
    let v82 = rounded(v27 * v80);
    let v83 = rounded(v26 * v82);
    let v84 = rounded(v81 + v83);
    let v85 = select(v84, v0, v5);
    let v86 = sources[params.places[6].z + i * params.places[6].w]; // Derived(9)
    let v87 = sources[params.places[7].x + i * params.places[7].y]; // Derived(10)
    let v88 = sources[params.places[7].z + i * params.places[7].w]; // Derived(11)
    let v89 = v85 - v88;
    let v90 = v88 <= v85;
    let v91 = !v5;
    let v92 = v90 && v91;
    let v93 = sources[params.places[8].x + i * params.places[8].y]; // Derived(12)
    let v94 = sources[params.places[8].z + i * params.places[8].w]; // SpikeCotangent
    let v95 = sources[params.places[9].x + i * params.places[9].y]; // StateCotangent(0)
    let v96 = sources[params.places[9].z + i * params.places[9].w]; // StateCotangent(1)
    let v97 = sources[params.places[10].x + i * params.places[10].y]; // StateCotangent(2)
    let v98 = sources[params.places[10].z + i * params.places[10].w]; // StateCotangent(3)
    let v99 = select(0.0f, v98, v92);
    let v100 = v93 - v85;
    let v101 = rounded(v95 * v100);
    let v102 = v94 + v101;
    let v103 = select(0.0f, v95, v92);
    let v104 = select(v95, 0.0f, v92);
    let v105 = select(v102, 0.0f, v5);
    let v107 = rounded(v89 * 3.1415927f);
    let v108 = rounded(v107 * v107);
    let v109 = 1.0f + v108;
    let v110 = rounded(1.0f / v109);
    let v111 = rounded(v105 * v110);
    let v112 = rounded(v104 + v111);
    let v113 = -v111;
    let v114 = rounded(v87 * v97);
    let v115 = v2 * v97;
    let v116 = rounded(v86 * v96);
    let v117 = v1 * v96;
    let v118 = select(0.0f, v112, v5);
    let v119 = select(v112, 0.0f, v5);
    let v120 = rounded(v82 * v119);
    let v121 = rounded(v26 * v119);
    let v122 = rounded(v80 * v121);
    let v123 = rounded(v27 * v121);
    let v124 = rounded(v67 * v119);
    let v125 = v118 + v124;
    let v126 = rounded(v0 * v119);
    let v128 = abs(v28);
    let v129 = v128 < 0.7f;
    let v130 = select(0.0f, v28, v129);
    let v133 = rounded(v130 * 2.6552651e-15f);
    let v134 = 4.4983318e-14f + v133;
    let v136 = rounded(v130 * v134);
    let v137 = 7.169216e-13f + v136;
    let v139 = rounded(v130 * v137);
    let v140 = 1.0706029e-11f + v139;
    let v142 = rounded(v130 * v140);
    let v143 = 1.4911969e-10f + v142;
    let v145 = rounded(v130 * v143);
    let v146 = 1.9270852e-9f + v145;
    let v148 = rounded(v130 * v146);
    let v149 = 2.2964432e-8f + v148;
    let v151 = rounded(v130 * v149);
    let v152 = 2.5052108e-7f + v151;
    let v154 = rounded(v130 * v152);
    let v155 = 2.4801586e-6f + v154;
    let v157 = rounded(v130 * v155);
    let v158 = 2.2045855e-5f + v157;
    let v160 = rounded(v130 * v158);
    let v161 = 0.00017361112f + v160;
    let v163 = rounded(v130 * v161);
    let v164 = 0.0011904762f + v163;
    let v166 = rounded(v130 * v164);
    let v167 = 0.0069444445f + v166;
    let v169 = rounded(v130 * v167);
    let v170 = 0.033333335f + v169;
    let v172 = rounded(v130 * v170);
    let v173 = 0.125f + v172;
    let v175 = rounded(v130 * v173);
    let v176 = 0.33333334f + v175;
    let v177 = rounded(v130 * v176);
    let v178 = 0.5f + v177;
    let v179 = v67 - v80;
    let v180 = select(v28, 1.0f, v129);
    let v181 = rounded(v179 / v180);
    let v182 = select(v181, v178, v129);
    let v183 = rounded(v123 * v182);
    let v184 = rounded(v67 * v126);
    let v185 = v183 + v184;
    let v186 = rounded(v27 * v185);
    let v187 = rounded(v25 * v185);
    let v188 = v122 + v187;
    let v189 = rounded(v24 * v120);
    let v190 = rounded(v23 * v120);
    let v191 = rounded(v24 * v186);
    let v192 = rounded(v20 * v186);
    let v193 = v190 + v192;
    let v194 = rounded(v18 * v189);
    let v195 = v9 * v189;
    let v196 = -v191;
    let v197 = v194 + v196;
    let v198 = rounded(v11 * v189);
    let v199 = v7 * v189;
    let v200 = v196 + v198;
    let v201 = rounded(v8 * v197);
    let v202 = v114 + v201;
    let v203 = v2 * v197;
    let v204 = rounded(v6 * v200);
    let v205 = v116 + v204;
    let v206 = v1 * v200;
    results[params.places[11].x + i * params.places[11].y] = v125; // StateCotangent(0)
    results[params.places[11].z + i * params.places[11].w] = v205; // StateCotangent(1)
    results[params.places[12].x + i * params.places[12].y] = v202; // StateCotangent(2)
    results[params.places[12].z + i * params.places[12].w] = v96; // InputCotangent(0)
    results[params.places[13].x + i * params.places[13].y] = v97; // InputCotangent(1)
    results[params.places[13].z + i * params.places[13].w] = v206; // DerivedCotangent(0)
    results[params.places[14].x + i * params.places[14].y] = v203; // DerivedCotangent(1)
    results[params.places[14].z + i * params.places[14].w] = v199; // DerivedCotangent(2)
    results[params.places[15].x + i * params.places[15].y] = v191; // DerivedCotangent(3)
    results[params.places[15].z + i * params.places[15].w] = v189; // DerivedCotangent(4)
    results[params.places[16].x + i * params.places[16].y] = v195; // DerivedCotangent(5)
    results[params.places[16].z + i * params.places[16].w] = v189; // DerivedCotangent(6)
    results[params.places[17].x + i * params.places[17].y] = v193; // DerivedCotangent(7)
    results[params.places[17].z + i * params.places[17].w] = v188; // DerivedCotangent(8)
    results[params.places[18].x + i * params.places[18].y] = v117; // DerivedCotangent(9)
    results[params.places[18].z + i * params.places[18].w] = v115; // DerivedCotangent(10)
    results[params.places[19].x + i * params.places[19].y] = v113; // DerivedCotangent(11)
    results[params.places[19].z + i * params.places[19].w] = v103; // DerivedCotangent(12)
    results[params.places[20].x + i * params.places[20].y] = v99; // DerivedCotangent(13)
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
