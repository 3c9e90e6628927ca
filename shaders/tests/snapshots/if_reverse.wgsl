// `reverse`.
struct Params {
    n: u32,
    stride: u32,
    zero: u32,
    time: f32,
    places: array<vec4<u32>, 5>,
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
    let v2 = rounded(v0 + v1);
    let v3 = sources[params.places[1].x + i * params.places[1].y]; // Derived(0)
    let v4 = v2 - v3;
    let v7 = v3 <= v2;
    let v8 = sources[params.places[1].z + i * params.places[1].w]; // Derived(1)
    let v9 = sources[params.places[2].x + i * params.places[2].y]; // SpikeCotangent
    let v10 = sources[params.places[2].z + i * params.places[2].w]; // StateCotangent(0)
    let v11 = v8 - v2;
    let v12 = rounded(v10 * v11);
    let v13 = v9 + v12;
    let v14 = select(0.0f, v10, v7);
    let v15 = select(v10, 0.0f, v7);
    let v16 = v4 * 4.0f;
    let v17 = -v16;
    let v18 = abs(v16);
    let v19 = -v18;
    let v21 = select(v19, 88.72283f, 88.72283f < v19);
    let v23 = select(v21, (-87.336f), v21 < (-87.336f));
    let v25 = v23 * 1.442695f;
    let v26 = round(v25);
    let v28 = rounded(v26 * 0.69314575f);
    let v29 = rounded(v23 - v28);
    let v31 = rounded(v26 * 1.4286068e-6f);
    let v32 = rounded(v29 - v31);
    let v33 = rounded(v32 * v32);
    let v35 = rounded(v32 * 0.0013946104f);
    let v37 = v35 + 0.008366608f;
    let v38 = rounded(v32 * v37);
    let v40 = v38 + 0.041666288f;
    let v41 = rounded(v32 * v40);
    let v43 = v41 + 0.16666543f;
    let v44 = rounded(v32 * v43);
    let v46 = v44 + 0.5f;
    let v47 = rounded(v33 * v46);
    let v48 = rounded(v32 + v47);
    let v50 = v48 + 1.0f;
    let v51 = i32(v26);
    let v53 = v51 << 23u;
    let v54 = bitcast<i32>(v50);
    let v55 = v53 + v54;
    let v56 = bitcast<f32>(v55);
    let v57 = v19 < (-87.336f);
    let v58 = select(v56, 0.0f, v57);
    let v59 = 1.0f + v58;
    let v60 = v16 < 0.0f;
    let v61 = select(1.0f, v58, v60);
    let v62 = rounded(v61 / v59);
    let v63 = abs(v17);
    let v64 = -v63;
    let v65 = select(v64, 88.72283f, 88.72283f < v64);
    let v66 = select(v65, (-87.336f), v65 < (-87.336f));
    let v67 = 1.442695f * v66;
    let v68 = round(v67);
    let v69 = rounded(0.69314575f * v68);
    let v70 = rounded(v66 - v69);
    let v71 = rounded(1.4286068e-6f * v68);
    let v72 = rounded(v70 - v71);
    let v73 = rounded(v72 * v72);
    let v74 = rounded(0.0013946104f * v72);
    let v75 = 0.008366608f + v74;
    let v76 = rounded(v72 * v75);
    let v77 = 0.041666288f + v76;
    let v78 = rounded(v72 * v77);
    let v79 = 0.16666543f + v78;
    let v80 = rounded(v72 * v79);
    let v81 = 0.5f + v80;
    let v82 = rounded(v73 * v81);
    let v83 = rounded(v72 + v82);
    let v84 = 1.0f + v83;
    let v85 = i32(v68);
    let v86 = v85 << 23u;
    let v87 = bitcast<i32>(v84);
    let v88 = v86 + v87;
    let v89 = bitcast<f32>(v88);
    let v90 = v64 < (-87.336f);
    let v91 = select(v89, 0.0f, v90);
    let v92 = 1.0f + v91;
    let v93 = v17 < 0.0f;
    let v94 = select(1.0f, v91, v93);
    let v95 = rounded(v94 / v92);
    let v96 = rounded(v62 * v95);
    let v97 = rounded(4.0f * v96);
    let v98 = rounded(v13 * v97);
    let v99 = v15 + v98;
    let v100 = -v98;
    results[params.places[3].x + i * params.places[3].y] = v99; // StateCotangent(0)
    results[params.places[3].z + i * params.places[3].w] = v99; // InputCotangent(0)
    results[params.places[4].x + i * params.places[4].y] = v100; // DerivedCotangent(0)
    results[params.places[4].z + i * params.places[4].w] = v14; // DerivedCotangent(1)
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
