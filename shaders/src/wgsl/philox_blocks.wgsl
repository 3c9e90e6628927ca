
// Row k of `sources`: word k of the counters (0 to 3), then of the keys (4, 5).
// Row k of `results`: word k of the random blocks.
fn philox_blocks(i: u32) {
    let n = params.stride;
    let counter = vec4<u32>(
        sources[i],
        sources[n + i],
        sources[2u * n + i],
        sources[3u * n + i],
    );
    let key = vec2<u32>(sources[4u * n + i], sources[5u * n + i]);
    let block = philox4x32_10(counter, key);
    results[i] = block.x;
    results[n + i] = block.y;
    results[2u * n + i] = block.z;
    results[3u * n + i] = block.w;
}
