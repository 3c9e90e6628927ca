//! Spikes at random.

use rheobase_equations::real::Real;

use super::{Coded, Draws, EncodeError, Encoder, RealRows, Samples, SpikeRows};
use super::{check_steps, expect_finite};

/// In every step a spike with probability scale · x, independent of all others; x · scale in 0 … 1.
///
/// A 31-bit number of the element's own, for every step, is compared with the probability: it is met
/// within 2⁻³², and exactly where it is 0 or 1. Where eight neighbours (from a multiple of eight on) are 0,
/// nothing is drawn: blank parts of a picture cost nothing.
///
/// Source: `PoissonEncoder` of SpikingJelly 2.0.0 (a spike where rand ≤ x; scale 1); `poisson` of SPAIC
/// 0.6.3 with scale = unit · dt.
///
/// ```
/// use rheobase_learning::encode::{Draws, Poisson, Samples, dense};
///
/// let samples = Samples::new(&[0.0_f32, 0.25, 1.0], 3, &[0])?;
/// let mut out = Vec::new();
/// dense(&Poisson::default(), 1000, samples, Draws::new(1, 0), &mut out)?;
/// let count = |element: usize| out.iter().skip(element).step_by(3).sum::<f32>();
/// assert_eq!((count(0), count(2)), (0.0, 1000.0));
/// assert!((count(1) - 250.0).abs() < 50.0);
/// # Ok::<(), rheobase_learning::encode::EncodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Poisson {
    /// Probability of a spike in a step where x is 1 (default 1).
    pub scale: f64,
}

/// The same encoder by its other name: the spikes of a step are a Bernoulli trial.
pub type Bernoulli = Poisson;

impl Default for Poisson {
    fn default() -> Self {
        Self { scale: 1.0 }
    }
}

/// Blocks of four elements drawn at a time.
const BLOCKS: usize = 32;
const LANES: usize = 4 * BLOCKS;
type Words = [[u32; 4]; BLOCKS];

/// One more than the largest number drawn.
const NUMBERS: f64 = 2_147_483_648.0;

impl<R: Real> Encoder<R> for Poisson {
    fn begin(
        &self,
        steps: usize,
        samples: Samples<'_, R>,
        draws: Draws,
    ) -> Result<Coded<R>, EncodeError> {
        check_steps(steps)?;
        expect_finite("scale", self.scale)?;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 … 2³¹"
        )]
        let threshold = |p: f64| (p * NUMBERS).round_ties_even() as u32;
        let thresholds = samples.convert(self.scale, (0.0, 1.0), threshold)?;
        let mut rows = Rows {
            draws,
            numbers: samples.numbers.to_vec(),
            starts: vec![0],
            blocks: Vec::new(),
            thresholds: Vec::new(),
        };
        for sample in thresholds.chunks_exact(samples.elements) {
            for (pair, of_pair) in (0..).zip(sample.chunks(8)) {
                if of_pair.iter().any(|&t| t > 0) {
                    let mut eight = [[0; 4]; 2];
                    eight.as_flattened_mut()[..of_pair.len()].copy_from_slice(of_pair);
                    rows.blocks.extend([2 * pair, 2 * pair + 1]);
                    rows.thresholds.extend(eight);
                }
            }
            rows.starts.push(rows.blocks.len());
        }
        Ok(Coded::Spikes(Box::new(rows)))
    }

    fn has_free_order(&self) -> bool {
        true
    }
}

/// What can fire.
struct Rows {
    draws: Draws,
    numbers: Vec<u32>,
    /// Where the blocks of each sample begin, and their number.
    starts: Vec<usize>,
    /// Blocks of four elements, in pairs of neighbours of which an element can fire.
    blocks: Vec<u32>,
    /// An element fires where its number is below.
    thresholds: Vec<[u32; 4]>,
}

impl Rows {
    /// Hands the blocks, words and thresholds of a row to `each`, [`BLOCKS`] at a time.
    fn row(&self, step: usize, sample: usize, mut each: impl FnMut(&[u32], &Words, &[[u32; 4]])) {
        let range = self.starts[sample]..self.starts[sample + 1];
        let number = self.numbers[sample];
        let mut words = [[0; 4]; BLOCKS];
        let blocks = self.blocks[range.clone()].chunks(BLOCKS);
        for (blocks, thresholds) in blocks.zip(self.thresholds[range].chunks(BLOCKS)) {
            self.draws.fill(number, step as u64, blocks, &mut words);
            each(blocks, &words, thresholds);
        }
    }
}

impl<R: Real> RealRows<R> for Rows {
    fn dense(&mut self, step: usize, sample: usize, row: &mut [R]) {
        row.fill(R::ZERO);
        self.row(step, sample, |blocks, words, thresholds| {
            compare(blocks, words, thresholds, row);
        });
    }
}

impl<R: Real> SpikeRows<R> for Rows {
    fn spikes(&mut self, step: usize, sample: usize, indices: &mut Vec<u32>) {
        let mut hits = [0; LANES + 8];
        self.row(step, sample, |blocks, words, thresholds| {
            let n = below(blocks, words, thresholds, &mut hits);
            indices.extend_from_slice(&hits[..n]);
        });
    }

    fn bits(&mut self, step: usize, sample: usize, row: &mut [u64], _indices: &mut Vec<u32>) {
        self.row(step, sample, |blocks, words, thresholds| {
            mark(blocks, words, thresholds, row);
        });
    }
}

#[inline(always)]
fn compare_body<R: Real>(blocks: &[u32], words: &Words, thresholds: &[[u32; 4]], row: &mut [R]) {
    let fires = |word: u32, threshold: u32| {
        if word >> 1 < threshold {
            R::ONE
        } else {
            R::ZERO
        }
    };
    for ((&block, words), thresholds) in blocks.iter().zip(words).zip(thresholds) {
        let start = 4 * block as usize;
        if let Some(out) = row.get_mut(start..start + 4) {
            for ((x, &word), &threshold) in out.iter_mut().zip(words).zip(thresholds) {
                *x = fires(word, threshold);
            }
        } else {
            let rest = row.iter_mut().skip(start);
            for ((x, &word), &threshold) in rest.zip(words).zip(thresholds) {
                *x = fires(word, threshold);
            }
        }
    }
}

/// Gathers the lowest bits of eight bytes in the highest byte: bit k is that of byte k.
const GATHER: u64 = 0x0102_0408_1020_4080;

/// The places of the bits of every byte that are set, ascending; then anything.
const PLACES: [[u8; 8]; 256] = {
    let mut places = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut n, mut bit) = (0, 0_u8);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                places[byte][n] = bit;
                n += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    places
};

/// Whether each element of some blocks fires.
#[inline(always)]
fn fire(words: &Words, thresholds: &[[u32; 4]]) -> [[u8; 4]; BLOCKS] {
    let mut fires = [[0_u8; 4]; BLOCKS];
    for ((fires, words), thresholds) in fires.iter_mut().zip(words).zip(thresholds) {
        for ((fires, word), threshold) in fires.iter_mut().zip(words).zip(thresholds) {
            *fires = u8::from(word >> 1 < *threshold);
        }
    }
    fires
}

#[inline(always)]
fn mark_body(blocks: &[u32], words: &Words, thresholds: &[[u32; 4]], row: &mut [u64]) {
    let fires = fire(words, thresholds);
    let eights = fires.as_flattened().as_chunks::<8>().0;
    for (&eight, pair) in eights.iter().zip(blocks.as_chunks::<2>().0) {
        let byte = u64::from_le_bytes(eight).wrapping_mul(GATHER) >> 56;
        let place = pair[0] as usize / 2;
        if let Some(word) = row.get_mut(place / 8) {
            *word |= byte << (place % 8 * 8);
        }
    }
}

#[inline(always)]
fn below_body(
    blocks: &[u32],
    words: &Words,
    thresholds: &[[u32; 4]],
    hits: &mut [u32; LANES + 8],
) -> usize {
    let fires = fire(words, thresholds);
    let mut n = 0;
    let eights = fires.as_flattened().as_chunks::<8>().0;
    for (&eight, pair) in eights.iter().zip(blocks.as_chunks::<2>().0) {
        let byte = u64::from_le_bytes(eight).wrapping_mul(GATHER) >> 56;
        // Eight are written always, those that fire first, and as many kept: no branch to mispredict.
        let places = PLACES[(byte & 255) as usize];
        for (hit, place) in hits[n..n + 8].iter_mut().zip(places) {
            *hit = 4 * pair[0] + u32::from(place);
        }
        n += byte.count_ones() as usize;
    }
    n
}

rheobase_engine::simd::dispatch! {
    fn compare<R: Real> = compare_body(
        blocks: &[u32], words: &Words, thresholds: &[[u32; 4]], row: &mut [R],
    );
}
rheobase_engine::simd::dispatch! {
    /// Sets the bits of the elements that fire.
    fn mark = mark_body(
        blocks: &[u32], words: &Words, thresholds: &[[u32; 4]], row: &mut [u64],
    );
}
rheobase_engine::simd::dispatch! {
    /// Writes the elements that fire and gives their number.
    fn below = below_body(
        blocks: &[u32], words: &Words, thresholds: &[[u32; 4]], hits: &mut [u32; LANES + 8],
    ) -> usize;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_strictly() {
        let mut words = [[u32::MAX; 4]; BLOCKS];
        words[0] = [0, 1, 2, 3];
        words[1] = [9, 9, u32::MAX, 9];
        words[31] = [8, 7, 6, 5];
        let mut thresholds = [[0; 4]; BLOCKS];
        thresholds[0] = [0, 1, 1, 2];
        thresholds[1] = [0, 5, 1 << 31, 4];
        thresholds[31] = [4, 4, 4, 4];
        // Pairs of blocks at 8, 88, 168, …
        let blocks: Vec<u32> = (0..16)
            .flat_map(|pair| [20 * pair + 2, 20 * pair + 3])
            .collect();
        let mut hits = [0; LANES + 8];
        let n = below(&blocks, &words, &thresholds, &mut hits);
        assert_eq!(hits[..n], [9, 11, 13, 14, 1213, 1214, 1215]);
        // The row ends within the last block.
        let mut row = vec![0.0; 1215];
        compare(&blocks, &words, &thresholds, &mut row);
        let fired = (0_usize..).zip(&row).filter(|&(_, &x)| x == 1.0);
        assert!(fired.map(|(e, _)| e).eq([9, 11, 13, 14, 1213, 1214]));
        // The last chunk of a row holds fewer blocks.
        let n = below(&blocks[..2], &words, &thresholds[..2], &mut hits);
        assert_eq!(hits[..n], [9, 11, 13, 14]);
    }

    #[test]
    fn all_can_fire() {
        let blocks: Vec<u32> = (0..32).collect();
        let (words, thresholds) = ([[0; 4]; BLOCKS], [[1; 4]; BLOCKS]);
        let mut hits = [0; LANES + 8];
        assert_eq!(below(&blocks, &words, &thresholds, &mut hits), LANES);
        assert!(hits[..LANES].iter().copied().eq(0..128));
    }
}
