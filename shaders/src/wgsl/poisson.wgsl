
// `base`, and one more for each of the `n` ascending thresholds that the word reaches.
fn poisson(word: u32, base: u32, first: u32, n: u32) -> u32 {
    var k = 0u;
    while (k < n && word >= tables[first + k]) {
        k += 1u;
    }
    return base + k;
}
