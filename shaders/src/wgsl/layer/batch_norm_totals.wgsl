// Sums of a channel from those of its parts, one after the other.
fn batch_norm_totals(channel: u32) {
    let first = PART_SUMS + 2u * channel * PARTS;
    var sums = vec2<f32>();
    for (var part = 0u; part < PARTS; part++) {
        sums += vec2<f32>(scratch[first + 2u * part], scratch[first + 2u * part + 1u]);
    }
    scratch[SUMS + channel] = sums.x;
    scratch[PRODUCTS + channel] = sums.y;
}
