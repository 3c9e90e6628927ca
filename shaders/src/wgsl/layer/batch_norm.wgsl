// Scratch: of each channel the mean, 1/√(σ² + ε), Σ dy and Σ dy·x̂; then two sums of each part of each
// channel.
const MEANS = 0u;
const INVERSES = CHANNELS;
const SUMS = 2u * CHANNELS;
const PRODUCTS = 3u * CHANNELS;
const PART_SUMS = 4u * CHANNELS;

// Rows and positions are cut into parts: this one's elements, counted over all rows.
fn part_begin(part: u32) -> u32 {
    let n = params.rows * POSITIONS;
    return min(part * ((n + PARTS - 1u) / PARTS), n);
}

// Place of element `k` of a channel, where rows begin with `first`.
fn place(first: u32, channel: u32, k: u32) -> u32 {
    return ((first + k / POSITIONS) * CHANNELS + channel) * POSITIONS + k % POSITIONS;
}

