//! Spikes at random.

use rheobase_equations::real::Real;

use super::{Coded, Draws, EncodeError, Encoder, RealRows, Samples, SpikeRows};
use super::{check_steps, expect_finite};

/// In every step a spike with probability scale · x, independent of all others; x · scale in 0 … 1.
///
/// A 31-bit number of the element's own, for every step, is compared with the probability: it is met
/// within 2⁻³², and exactly where it is 0 or 1. Where four neighbours (from a multiple of four on) are 0,
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
            for (block, of_block) in (0..).zip(sample.chunks(4)) {
                if of_block.iter().any(|&t| t > 0) {
                    let mut four = [0; 4];
                    four[..of_block.len()].copy_from_slice(of_block);
                    rows.blocks.push(block);
                    rows.thresholds.push(four);
                }
            }
            rows.starts.push(rows.blocks.len());
        }
        Ok(Coded::Spikes(Box::new(rows)))
    }
}

/// What can fire.
struct Rows {
    draws: Draws,
    numbers: Vec<u32>,
    /// Where the blocks of each sample begin, and their number.
    starts: Vec<usize>,
    /// Blocks of four elements of which one can fire.
    blocks: Vec<u32>,
    /// An element fires where its number is below.
    thresholds: Vec<[u32; 4]>,
}

impl Rows {
    /// Hands the elements that fire to `each`, ascending.
    fn row(&self, step: usize, sample: usize, mut each: impl FnMut(&[u32])) {
        let range = self.starts[sample]..self.starts[sample + 1];
        let number = self.numbers[sample];
        let mut words = [[0; 4]; BLOCKS];
        let mut hits = [0; LANES];
        let blocks = self.blocks[range.clone()].chunks(BLOCKS);
        for (blocks, thresholds) in blocks.zip(self.thresholds[range].chunks(BLOCKS)) {
            self.draws.fill(number, step as u64, blocks, &mut words);
            let n = below(&words, thresholds, blocks, &mut hits);
            each(&hits[..n]);
        }
    }
}

impl<R: Real> RealRows<R> for Rows {
    fn dense(&mut self, step: usize, sample: usize, row: &mut [R]) {
        row.fill(R::ZERO);
        self.row(step, sample, |hits| {
            for &element in hits {
                row[element as usize] = R::ONE;
            }
        });
    }
}

impl<R: Real> SpikeRows<R> for Rows {
    fn spikes(&mut self, step: usize, sample: usize, indices: &mut Vec<u32>) {
        self.row(step, sample, |hits| indices.extend_from_slice(hits));
    }
}

/// Gathers the lowest bits of eight bytes: bit k of the result is that of byte k.
const GATHER: u64 = 0x0102_0408_1020_4080;

#[inline(always)]
fn below_body(
    words: &[[u32; 4]; BLOCKS],
    thresholds: &[[u32; 4]],
    blocks: &[u32],
    hits: &mut [u32; LANES],
) -> usize {
    let mut fires = [[0_u8; 4]; BLOCKS];
    for ((fires, words), thresholds) in fires.iter_mut().zip(words).zip(thresholds) {
        for ((fires, word), threshold) in fires.iter_mut().zip(words).zip(thresholds) {
            *fires = u8::from(word >> 1 < *threshold);
        }
    }
    let mut n = 0;
    // 64 lanes at a time, so that the end of the inner loop is rarely mispredicted.
    let halves = fires.as_flattened().as_chunks::<64>().0;
    for (fires, blocks) in halves.iter().zip(blocks.chunks(16)) {
        let mut mask = 0;
        for (k, eight) in fires.as_chunks::<8>().0.iter().enumerate() {
            mask |= (u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56) << (8 * k);
        }
        let fired = mask.count_ones() as usize;
        for hit in &mut hits[n..n + fired] {
            let lane = mask.trailing_zeros();
            *hit = 4 * blocks[(lane / 4) as usize] + lane % 4;
            mask &= mask - 1;
        }
        n += fired;
    }
    n
}

rheobase_engine::simd::dispatch! {
    /// Writes the elements that fire and gives their number.
    fn below = below_body(
        words: &[[u32; 4]; BLOCKS], thresholds: &[[u32; 4]], blocks: &[u32],
        hits: &mut [u32; LANES],
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
        let blocks: Vec<u32> = (0..32).map(|block| 10 * block).collect();
        let mut hits = [0; LANES];
        let n = below(&words, &thresholds, &blocks, &mut hits);
        assert_eq!(hits[..n], [1, 3, 41, 42, 1241, 1242, 1243]);
        // The last chunk of a row holds fewer blocks.
        let n = below(&words, &thresholds[..2], &blocks[..2], &mut hits);
        assert_eq!(hits[..n], [1, 3, 41, 42]);
    }
}
