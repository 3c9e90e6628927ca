// Σ dy and Σ dy·x̂ of a part of a channel.
@compute @workgroup_size(256)
fn batch_norm_sums_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = group.y * groups.x + group.x;
    if (index >= CHANNELS * PARTS) {
        return;
    }
    let channel = index / PARTS;
    let part = index % PARTS;
    let mean = scratch[MEANS + channel];
    let inverse = scratch[INVERSES + channel];
    let end = part_begin(part + 1u);
    var sums = vec2<f32>();
    for (var k = part_begin(part) + lane; k < end; k += INVOCATIONS) {
        let of_y = dy[place(params.y_first, channel, k)];
        let normal = (x[place(params.x_first, channel, k)] - mean) * inverse;
        sums += vec2<f32>(of_y, of_y * normal);
    }
    let all_sums = total(lane, sums);
    if (lane == 0u) {
        scratch[PART_SUMS + 2u * index] = all_sums.x;
        scratch[PART_SUMS + 2u * index + 1u] = all_sums.y;
    }
}
