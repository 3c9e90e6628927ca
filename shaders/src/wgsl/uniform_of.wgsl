
// (word + 1/2) / 2^32, rounded to the nearest float, ties to even, and kept below 1.
fn uniform_of(word: u32) -> f32 {
    if (word < 0x800000u) {
        return (f32(word) + 0.5f) * 0x1p-32f;
    }
    // Bits beyond the 24 of a float. Where there are none, the half that is added is a tie.
    let dropped = firstLeadingBit(word) - 23u;
    var mantissa = word + (word & 1u);
    if (dropped > 0u) {
        let half = 1u << (dropped - 1u);
        let rest = word & (2u * half - 1u);
        mantissa = (word >> dropped) + select(0u, 1u, rest >= half);
    }
    let unit = bitcast<f32>((dropped + 95u) << 23u);
    return min(f32(mantissa) * unit, 0x1.fffffep-1f);
}
