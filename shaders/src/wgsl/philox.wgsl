// Philox4x32-10: four 32-bit random numbers from a counter and a key, without state.
//
// Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3. SC '11,
// doi:10.1145/2063384.2063405. WGSL has no 64-bit product, so the upper half of one is put together
// from four products of 16-bit pieces.

fn multiply_high(a: u32, b: u32) -> u32 {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    let cross_1 = a_low * b_high;
    let cross_2 = a_high * b_low;
    // At most 3 (2^16 - 1): no overflow.
    let middle = ((a_low * b_low) >> 16u) + (cross_1 & 0xffffu) + (cross_2 & 0xffffu);
    return a_high * b_high + (cross_1 >> 16u) + (cross_2 >> 16u) + (middle >> 16u);
}

fn philox_round(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    let multiplier_0 = 0xd2511f53u;
    let multiplier_1 = 0xcd9e8d57u;
    return vec4<u32>(
        multiply_high(multiplier_1, counter.z) ^ counter.y ^ key.x,
        multiplier_1 * counter.z,
        multiply_high(multiplier_0, counter.x) ^ counter.w ^ key.y,
        multiplier_0 * counter.x,
    );
}

fn philox4x32_10(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    let weyl = vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    var block = philox_round(counter, key);
    var round_key = key;
    for (var round = 1u; round < 10u; round++) {
        round_key += weyl;
        block = philox_round(block, round_key);
    }
    return block;
}
