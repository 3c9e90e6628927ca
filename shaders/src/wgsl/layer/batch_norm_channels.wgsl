// Mean and variance of a channel from those of its parts, one after the other, or the running ones.
fn batch_norm_channels(channel: u32) {
    let n = params.rows * POSITIONS;
    var mean = buffer_0[channel];
    var variance = buffer_1[channel];
    if (params.training == 1u && n > 0u) {
        let first = PART_SUMS + 2u * channel * PARTS;
        let count = f32(n);
        // From the first part's mean, which is near: little is lost.
        let near = scratch[first];
        var away = 0.0;
        for (var part = 0u; part < PARTS; part++) {
            let share = f32(part_begin(part + 1u) - part_begin(part)) / count;
            away += share * (scratch[first + 2u * part] - near);
        }
        mean = near + away;
        var squares = 0.0;
        for (var part = 0u; part < PARTS; part++) {
            let from_mean = scratch[first + 2u * part] - mean;
            let of_part = f32(part_begin(part + 1u) - part_begin(part));
            squares += scratch[first + 2u * part + 1u] + of_part * from_mean * from_mean;
        }
        variance = squares / count;
        if (params.again == 0u) {
            let all = count * f32(params.repeats);
            let correction = select(1.0, all / (all - 1.0), all > 1.0);
            buffer_0[channel] = KEPT * buffer_0[channel] + MOMENTUM * mean;
            buffer_1[channel] = KEPT * buffer_1[channel] + MOMENTUM * variance * correction;
        }
    }
    scratch[MEANS + channel] = mean;
    scratch[INVERSES + channel] = 1.0 / sqrt(variance + EPS);
}
