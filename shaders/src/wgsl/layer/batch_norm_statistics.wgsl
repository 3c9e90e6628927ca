// Mean of a part of a channel, then the sum of squares about it.
@compute @workgroup_size(256)
fn batch_norm_statistics_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = group.y * groups.x + group.x;
    if (index >= CHANNELS * PARTS || params.training == 0u) {
        return;
    }
    let channel = index / PARTS;
    let part = index % PARTS;
    let begin = part_begin(part);
    let end = part_begin(part + 1u);
    var sum = 0.0;
    for (var k = begin + lane; k < end; k += INVOCATIONS) {
        sum += x[place(params.x_first, channel, k)];
    }
    let mean = total(lane, vec2<f32>(sum, 0.0)).x / max(f32(end - begin), 1.0);
    var squares = 0.0;
    for (var k = begin + lane; k < end; k += INVOCATIONS) {
        let from_mean = x[place(params.x_first, channel, k)] - mean;
        squares += from_mean * from_mean;
    }
    let all_squares = total(lane, vec2<f32>(squares, 0.0)).x;
    if (lane == 0u) {
        scratch[PART_SUMS + 2u * index] = mean;
        scratch[PART_SUMS + 2u * index + 1u] = all_squares;
    }
}
