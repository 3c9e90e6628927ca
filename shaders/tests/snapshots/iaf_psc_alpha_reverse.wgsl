// `reverse`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 26>,
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
    let v4 = sources[params.places[2].x + i * params.places[2].y]; // State(4)
    let v5 = sources[params.places[2].z + i * params.places[2].w]; // State(5)
    let v7 = 0.0f < v5;
    let v8 = sources[params.places[3].x + i * params.places[3].y]; // Derived(0)
    let v9 = rounded(v0 * v8);
    let v10 = sources[params.places[3].z + i * params.places[3].w]; // Derived(1)
    let v11 = rounded(v1 * v10);
    let v12 = rounded(v9 + v11);
    let v13 = sources[params.places[4].x + i * params.places[4].y]; // Derived(2)
    let v14 = rounded(v2 * v13);
    let v15 = rounded(v12 + v14);
    let v16 = sources[params.places[4].z + i * params.places[4].w]; // Derived(3)
    let v17 = rounded(v3 * v16);
    let v18 = rounded(v15 + v17);
    let v19 = sources[params.places[5].x + i * params.places[5].y]; // Derived(4)
    let v20 = rounded(v4 * v19);
    let v21 = rounded(v18 + v20);
    let v22 = sources[params.places[5].z + i * params.places[5].w]; // Derived(5)
    let v23 = rounded(v21 + v22);
    let v24 = sources[params.places[6].x + i * params.places[6].y]; // Derived(6)
    let v25 = sources[params.places[6].z + i * params.places[6].w]; // Derived(7)
    let v26 = sources[params.places[7].x + i * params.places[7].y]; // Derived(8)
    let v27 = sources[params.places[7].z + i * params.places[7].w]; // Derived(9)
    let v28 = select(v23, v0, v7);
    let v29 = sources[params.places[8].x + i * params.places[8].y]; // Input(0)
    let v30 = sources[params.places[8].z + i * params.places[8].w]; // Derived(10)
    let v31 = sources[params.places[9].x + i * params.places[9].y]; // Input(1)
    let v32 = sources[params.places[9].z + i * params.places[9].w]; // Derived(11)
    let v33 = sources[params.places[10].x + i * params.places[10].y]; // Derived(12)
    let v34 = v28 - v33;
    let v35 = v33 <= v28;
    let v36 = !v7;
    let v37 = v35 && v36;
    let v38 = sources[params.places[10].z + i * params.places[10].w]; // Derived(13)
    let v40 = sources[params.places[11].x + i * params.places[11].y]; // SpikeCotangent
    let v41 = sources[params.places[11].z + i * params.places[11].w]; // StateCotangent(0)
    let v42 = sources[params.places[12].x + i * params.places[12].y]; // StateCotangent(1)
    let v43 = sources[params.places[12].z + i * params.places[12].w]; // StateCotangent(2)
    let v44 = sources[params.places[13].x + i * params.places[13].y]; // StateCotangent(3)
    let v45 = sources[params.places[13].z + i * params.places[13].w]; // StateCotangent(4)
    let v46 = sources[params.places[14].x + i * params.places[14].y]; // StateCotangent(5)
    let v47 = select(0.0f, v46, v37);
    let v48 = v38 - v28;
    let v49 = rounded(v41 * v48);
    let v50 = v40 + v49;
    let v51 = select(0.0f, v41, v37);
    let v52 = select(v41, 0.0f, v37);
    let v53 = select(v50, 0.0f, v7);
    let v55 = rounded(v34 * 3.1415927f);
    let v56 = rounded(v55 * v55);
    let v57 = 1.0f + v56;
    let v58 = rounded(1.0f / v57);
    let v59 = rounded(v53 * v58);
    let v60 = rounded(v52 + v59);
    let v61 = -v59;
    let v62 = v32 * v45;
    let v63 = v31 * v45;
    let v64 = v30 * v43;
    let v65 = v29 * v43;
    let v66 = select(0.0f, v60, v7);
    let v67 = select(v60, 0.0f, v7);
    let v68 = rounded(v26 * v45);
    let v69 = rounded(v4 * v45);
    let v70 = rounded(v27 * v44);
    let v71 = rounded(v68 + v70);
    let v72 = v4 * v44;
    let v73 = rounded(v26 * v44);
    let v74 = rounded(v3 * v44);
    let v75 = v69 + v74;
    let v76 = rounded(v24 * v43);
    let v77 = rounded(v2 * v43);
    let v78 = rounded(v25 * v42);
    let v79 = rounded(v76 + v78);
    let v80 = v2 * v42;
    let v81 = rounded(v24 * v42);
    let v82 = rounded(v1 * v42);
    let v83 = v77 + v82;
    let v84 = rounded(v19 * v67);
    let v85 = v71 + v84;
    let v86 = v4 * v67;
    let v87 = rounded(v16 * v67);
    let v88 = v73 + v87;
    let v89 = v3 * v67;
    let v90 = rounded(v13 * v67);
    let v91 = v79 + v90;
    let v92 = v2 * v67;
    let v93 = rounded(v10 * v67);
    let v94 = v81 + v93;
    let v95 = v1 * v67;
    let v96 = rounded(v8 * v67);
    let v97 = v66 + v96;
    let v98 = v0 * v67;
    results[params.places[14].z + i * params.places[14].w] = v97; // StateCotangent(0)
    results[params.places[15].x + i * params.places[15].y] = v94; // StateCotangent(1)
    results[params.places[15].z + i * params.places[15].w] = v91; // StateCotangent(2)
    results[params.places[16].x + i * params.places[16].y] = v88; // StateCotangent(3)
    results[params.places[16].z + i * params.places[16].w] = v85; // StateCotangent(4)
    results[params.places[17].x + i * params.places[17].y] = v64; // InputCotangent(0)
    results[params.places[17].z + i * params.places[17].w] = v62; // InputCotangent(1)
    results[params.places[18].x + i * params.places[18].y] = v98; // DerivedCotangent(0)
    results[params.places[18].z + i * params.places[18].w] = v95; // DerivedCotangent(1)
    results[params.places[19].x + i * params.places[19].y] = v92; // DerivedCotangent(2)
    results[params.places[19].z + i * params.places[19].w] = v89; // DerivedCotangent(3)
    results[params.places[20].x + i * params.places[20].y] = v86; // DerivedCotangent(4)
    results[params.places[20].z + i * params.places[20].w] = v67; // DerivedCotangent(5)
    results[params.places[21].x + i * params.places[21].y] = v83; // DerivedCotangent(6)
    results[params.places[21].z + i * params.places[21].w] = v80; // DerivedCotangent(7)
    results[params.places[22].x + i * params.places[22].y] = v75; // DerivedCotangent(8)
    results[params.places[22].z + i * params.places[22].w] = v72; // DerivedCotangent(9)
    results[params.places[23].x + i * params.places[23].y] = v65; // DerivedCotangent(10)
    results[params.places[23].z + i * params.places[23].w] = v63; // DerivedCotangent(11)
    results[params.places[24].x + i * params.places[24].y] = v61; // DerivedCotangent(12)
    results[params.places[24].z + i * params.places[24].w] = v51; // DerivedCotangent(13)
    results[params.places[25].x + i * params.places[25].y] = v47; // DerivedCotangent(14)
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
