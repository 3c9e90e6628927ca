
// The word of one lane: lanes share blocks by four.
fn word(lane: u32, low: u32, high: u32, draw: u32, key: vec2<u32>) -> u32 {
    return philox4x32_10(vec4<u32>(lane >> 2u, low, high, draw), key)[lane & 3u];
}
