// `not_finite` for each element.
struct Params {
    rows: u32,
    x_first: u32,
    y_first: u32,
    batch: u32,
    first_step: u32,
    repeats: u32,
    training: u32,
    pass_number: u32,
    key_low: u32,
    key_high: u32,
    again: u32,
    zero: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

fn element(i: u32) {
    var found = 0u;
    for (var k = i; k < params.batch; k += params.rows) {
        let exponent = bitcast<u32>(x[params.x_first + k]) & 0x7f800000u;
        found = select(found, 1u, exponent == 0x7f800000u);
    }
    y[params.y_first + i] = found;
}

@compute @workgroup_size(64)
fn not_finite_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i < params.rows) {
        element(i);
    }
}
