// What an element is multiplied by: drawn for every element of every sample, once for all steps of a
// pass.
fn factor(i: u32) -> f32 {
    let sample = i / N % max(params.batch, 1u);
    let key = vec2<u32>(params.key_low, params.key_high);
    let drawn = word(sample * N + i % N, params.pass_number, 0u, 0u, key);
    return select(0.0, SCALE, !DROPS_ALL && drawn >= THRESHOLD);
}

