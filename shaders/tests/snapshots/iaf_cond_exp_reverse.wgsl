// `reverse`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 19>,
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
    let v6 = -v1;
    let v7 = sources[params.places[2].x + i * params.places[2].y]; // Derived(0)
    let v8 = rounded(v1 * v7);
    let v9 = sources[params.places[2].z + i * params.places[2].w]; // Derived(1)
    let v10 = rounded(v6 + v9);
    let v11 = sources[params.places[3].x + i * params.places[3].y]; // Derived(2)
    let v12 = rounded(v8 + v11);
    let v13 = -v2;
    let v14 = sources[params.places[3].z + i * params.places[3].w]; // Derived(3)
    let v15 = rounded(v2 * v14);
    let v16 = v10 + v13;
    let v17 = rounded(v12 + v15);
    let v18 = sources[params.places[4].x + i * params.places[4].y]; // Derived(4)
    let v19 = v17 + v18;
    let v20 = sources[params.places[4].z + i * params.places[4].w]; // Derived(5)
    let v21 = rounded(v16 * v20);
    let v22 = rounded(v19 * v20);
    let v23 = sources[params.places[5].x + i * params.places[5].y]; // Derived(6)
    let v24 = rounded(v21 * v23);
    let v26 = select(v24, 88.72283f, 88.72283f < v24);
    let v28 = select(v26, (-87.336f), v26 < (-87.336f));
    let v30 = v28 * 1.442695f;
    let v31 = round(v30);
    let v33 = rounded(v31 * 0.69314575f);
    let v34 = rounded(v28 - v33);
    let v36 = rounded(v31 * 1.4286068e-6f);
    let v37 = rounded(v34 - v36);
    let v38 = rounded(v37 * v37);
    let v40 = rounded(v37 * 0.0013946104f);
    let v42 = v40 + 0.008366608f;
    let v43 = rounded(v37 * v42);
    let v45 = v43 + 0.041666288f;
    let v46 = rounded(v37 * v45);
    let v48 = v46 + 0.16666543f;
    let v49 = rounded(v37 * v48);
    let v51 = v49 + 0.5f;
    let v52 = rounded(v38 * v51);
    let v53 = rounded(v37 + v52);
    let v55 = v53 + 1.0f;
    let v56 = i32(v31);
    let v58 = v56 << 23u;
    let v59 = bitcast<i32>(v55);
    let v60 = v58 + v59;
    let v61 = bitcast<f32>(v60);
    let v62 = v24 < (-87.336f);
    let v63 = select(v61, 0.0f, v62);
    let v64 = v24 == 0.0f;
    let v66 = v56 + 126i;
    let v67 = v66 << 23u;
    let v68 = bitcast<f32>(v67);
    let v69 = rounded(v53 * v68);
    let v71 = rounded(v68 + (-0.5f));
    let v72 = rounded(v69 + v71);
    let v73 = v72 + v72;
    let v74 = select(v73, 1.0f, v64);
    let v75 = select(v24, 1.0f, v64);
    let v76 = rounded(v74 / v75);
    let v77 = rounded(v0 * v63);
    let v78 = rounded(v23 * v76);
    let v79 = rounded(v22 * v78);
    let v80 = rounded(v77 + v79);
    let v81 = select(v80, v0, v5);
    let v82 = sources[params.places[5].z + i * params.places[5].w]; // Derived(7)
    let v83 = sources[params.places[6].x + i * params.places[6].y]; // Derived(8)
    let v84 = sources[params.places[6].z + i * params.places[6].w]; // Derived(9)
    let v85 = v81 - v84;
    let v86 = v84 <= v81;
    let v87 = !v5;
    let v88 = v86 && v87;
    let v89 = sources[params.places[7].x + i * params.places[7].y]; // Derived(10)
    let v90 = sources[params.places[7].z + i * params.places[7].w]; // SpikeCotangent
    let v91 = sources[params.places[8].x + i * params.places[8].y]; // StateCotangent(0)
    let v92 = sources[params.places[8].z + i * params.places[8].w]; // StateCotangent(1)
    let v93 = sources[params.places[9].x + i * params.places[9].y]; // StateCotangent(2)
    let v94 = sources[params.places[9].z + i * params.places[9].w]; // StateCotangent(3)
    let v95 = select(0.0f, v94, v88);
    let v96 = v89 - v81;
    let v97 = rounded(v91 * v96);
    let v98 = v90 + v97;
    let v99 = select(0.0f, v91, v88);
    let v100 = select(v91, 0.0f, v88);
    let v101 = select(v98, 0.0f, v5);
    let v103 = rounded(v85 * 3.1415927f);
    let v104 = rounded(v103 * v103);
    let v105 = 1.0f + v104;
    let v106 = rounded(1.0f / v105);
    let v107 = rounded(v101 * v106);
    let v108 = rounded(v100 + v107);
    let v109 = -v107;
    let v110 = rounded(v83 * v93);
    let v111 = v2 * v93;
    let v112 = rounded(v82 * v92);
    let v113 = v1 * v92;
    let v114 = select(0.0f, v108, v5);
    let v115 = select(v108, 0.0f, v5);
    let v116 = rounded(v78 * v115);
    let v117 = rounded(v22 * v115);
    let v118 = rounded(v76 * v117);
    let v119 = rounded(v23 * v117);
    let v120 = rounded(v63 * v115);
    let v121 = v114 + v120;
    let v122 = rounded(v0 * v115);
    let v124 = abs(v24);
    let v125 = v124 < 0.7f;
    let v126 = select(0.0f, v24, v125);
    let v129 = rounded(v126 * 2.6552651e-15f);
    let v130 = 4.4983318e-14f + v129;
    let v132 = rounded(v126 * v130);
    let v133 = 7.169216e-13f + v132;
    let v135 = rounded(v126 * v133);
    let v136 = 1.0706029e-11f + v135;
    let v138 = rounded(v126 * v136);
    let v139 = 1.4911969e-10f + v138;
    let v141 = rounded(v126 * v139);
    let v142 = 1.9270852e-9f + v141;
    let v144 = rounded(v126 * v142);
    let v145 = 2.2964432e-8f + v144;
    let v147 = rounded(v126 * v145);
    let v148 = 2.5052108e-7f + v147;
    let v150 = rounded(v126 * v148);
    let v151 = 2.4801586e-6f + v150;
    let v153 = rounded(v126 * v151);
    let v154 = 2.2045855e-5f + v153;
    let v156 = rounded(v126 * v154);
    let v157 = 0.00017361112f + v156;
    let v159 = rounded(v126 * v157);
    let v160 = 0.0011904762f + v159;
    let v162 = rounded(v126 * v160);
    let v163 = 0.0069444445f + v162;
    let v165 = rounded(v126 * v163);
    let v166 = 0.033333335f + v165;
    let v168 = rounded(v126 * v166);
    let v169 = 0.125f + v168;
    let v171 = rounded(v126 * v169);
    let v172 = 0.33333334f + v171;
    let v173 = rounded(v126 * v172);
    let v174 = 0.5f + v173;
    let v175 = v63 - v76;
    let v176 = select(v24, 1.0f, v125);
    let v177 = rounded(v175 / v176);
    let v178 = select(v177, v174, v125);
    let v179 = rounded(v119 * v178);
    let v180 = rounded(v63 * v122);
    let v181 = v179 + v180;
    let v182 = rounded(v23 * v181);
    let v183 = rounded(v21 * v181);
    let v184 = v118 + v183;
    let v185 = rounded(v20 * v116);
    let v186 = rounded(v19 * v116);
    let v187 = rounded(v20 * v182);
    let v188 = rounded(v16 * v182);
    let v189 = v186 + v188;
    let v190 = rounded(v14 * v185);
    let v191 = rounded(v110 + v190);
    let v192 = v2 * v185;
    let v193 = -v187;
    let v194 = v191 + v193;
    let v195 = rounded(v7 * v185);
    let v196 = rounded(v112 + v195);
    let v197 = v1 * v185;
    let v198 = v193 + v196;
    results[params.places[10].x + i * params.places[10].y] = v121; // StateCotangent(0)
    results[params.places[10].z + i * params.places[10].w] = v198; // StateCotangent(1)
    results[params.places[11].x + i * params.places[11].y] = v194; // StateCotangent(2)
    results[params.places[11].z + i * params.places[11].w] = v92; // InputCotangent(0)
    results[params.places[12].x + i * params.places[12].y] = v93; // InputCotangent(1)
    results[params.places[12].z + i * params.places[12].w] = v197; // DerivedCotangent(0)
    results[params.places[13].x + i * params.places[13].y] = v187; // DerivedCotangent(1)
    results[params.places[13].z + i * params.places[13].w] = v185; // DerivedCotangent(2)
    results[params.places[14].x + i * params.places[14].y] = v192; // DerivedCotangent(3)
    results[params.places[14].z + i * params.places[14].w] = v185; // DerivedCotangent(4)
    results[params.places[15].x + i * params.places[15].y] = v189; // DerivedCotangent(5)
    results[params.places[15].z + i * params.places[15].w] = v184; // DerivedCotangent(6)
    results[params.places[16].x + i * params.places[16].y] = v113; // DerivedCotangent(7)
    results[params.places[16].z + i * params.places[16].w] = v111; // DerivedCotangent(8)
    results[params.places[17].x + i * params.places[17].y] = v109; // DerivedCotangent(9)
    results[params.places[17].z + i * params.places[17].w] = v99; // DerivedCotangent(10)
    results[params.places[18].x + i * params.places[18].y] = v95; // DerivedCotangent(11)
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
