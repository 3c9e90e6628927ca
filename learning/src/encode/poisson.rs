//! Spikes at random.

use rheobase_equations::real::Real;

use super::{Coded, Draws, EncodeError, Encoder, RealRows, Samples, SpikeRows};
use super::{check_steps, expect_finite};

/// In every step a spike with probability scale · x, independent of all others; x · scale in 0 … 1.
///
/// A 31-bit number of the element's own, for every step, is compared with the probability: it is met
/// within 2⁻³², and exactly where it is 0 or 1. The first 16 bits of the number decide nearly always, and
/// only where they do not the others are drawn. Where eight neighbours (from a multiple of eight on) are
/// 0, nothing is drawn: blank parts of a picture cost nothing.
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

/// Eights that are compared at a time.
const EIGHTS: usize = 8;
/// Eights that are drawn at a time: a few whole numbers of those.
const CHUNK: usize = 8 * EIGHTS;
/// Bits of a number that are drawn where its first 16 do not decide.
const LAST_BITS: u32 = 15;
/// Added to an element for the lane of its last bits: far above any element.
const LAST_LANES: u32 = 1 << 31;

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
        if samples.elements >= LAST_LANES as usize {
            #[allow(clippy::cast_precision_loss, reason = "for a message")]
            return Err(EncodeError::Parameter {
                name: "number of elements",
                value: samples.elements as f64,
                expected: "below 2^31",
            });
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 … 2³¹"
        )]
        let threshold = |p: f64| (p * NUMBERS).round_ties_even() as u32;
        let thresholds = samples.convert(self.scale, (0.0, 1.0), threshold)?;
        let mut rows = Rows {
            draws,
            elements: samples.elements,
            numbers: samples.numbers.to_vec(),
            starts: vec![0],
            eights: Vec::new(),
            first: Vec::new(),
            last: Vec::new(),
        };
        for sample in thresholds.chunks_exact(samples.elements) {
            for (eight, thresholds) in (0..).zip(sample.chunks(8)) {
                if thresholds.iter().any(|&t| t > 0) {
                    rows.push(eight, thresholds);
                }
            }
            while !rows.eights.len().is_multiple_of(EIGHTS) {
                // What can never fire.
                rows.push(0, &[]);
            }
            rows.starts.push(rows.eights.len());
        }
        Ok(Coded::Spikes(Box::new(rows)))
    }

    fn has_free_order(&self) -> bool {
        true
    }
}

/// What can fire: eights of neighbours of which at least one can, and a few of which none can.
struct Rows {
    draws: Draws,
    /// Elements of a row.
    elements: usize,
    numbers: Vec<u32>,
    /// Where the eights of each sample begin, and their number.
    starts: Vec<usize>,
    /// Which ones: elements / 8.
    eights: Vec<u32>,
    /// Of each of their elements, the first bits of its threshold: it fires where its number is below.
    first: Vec<[u16; 8]>,
    /// The other bits of thresholds, up to one more than the largest number of so many bits.
    last: Vec<[u16; 8]>,
}

impl Rows {
    fn push(&mut self, eight: u32, thresholds: &[u32]) {
        let (mut first, mut last) = ([0; 8], [0; 8]);
        for (k, &threshold) in thresholds.iter().enumerate() {
            // The largest threshold, above all numbers, is above them by its other bits.
            let head = (threshold >> LAST_BITS).min(u32::from(u16::MAX));
            let rest = threshold - (head << LAST_BITS);
            #[allow(clippy::cast_possible_truncation, reason = "16 bits, and at most 2¹⁵")]
            ((first[k], last[k]) = (head as u16, rest as u16));
        }
        self.eights.push(eight);
        self.first.push(first);
        self.last.push(last);
    }

    /// Hands every eight of a row that was drawn for, with the bits of its elements that fire, to `each`.
    fn row(&self, step: usize, sample: usize, mut each: impl FnMut(usize, u8)) {
        let range = self.starts[sample]..self.starts[sample + 1];
        let (sample, step) = (self.numbers[sample], step as u64);
        let eights = self.eights[range.clone()].chunks(CHUNK);
        let first = self.first[range.clone()].chunks(CHUNK);
        let last = self.last[range].chunks(CHUNK);
        for ((eights, first), last) in eights.zip(first).zip(last) {
            // First bits of the numbers: those of element k of an eight are half k of its block, where
            // the lower half of a word comes first.
            let mut words = [[0; 4]; CHUNK];
            let words = &mut words[..eights.len()];
            self.draws.fill(sample, step, eights, words);
            if cfg!(target_endian = "big") {
                let words = words.as_flattened_mut().iter_mut();
                words.for_each(|word| *word = word.rotate_left(16));
            }
            let is_open = compare(first, words);
            for (k, (&eight, bits)) in eights.iter().zip(words).enumerate() {
                let mut fires = byte(*bits);
                if is_open {
                    let thresholds = (&first[k], &last[k]);
                    fires |= self.draws.decide((sample, step), eight, thresholds);
                }
                each(eight as usize, fires);
            }
        }
    }
}

impl Draws {
    /// The elements of an eight whose first bits are those of their thresholds and that fire by the
    /// other bits.
    #[cold]
    fn decide(
        &self,
        (sample, step): (u32, u64),
        eight: u32,
        (first, last): (&[u16; 8], &[u16; 8]),
    ) -> u8 {
        let mut words = [[0; 4]];
        self.fill(sample, step, &[eight], &mut words);
        let mut fires = 0;
        for k in 0..8 {
            let number = words[0][k / 2] >> (16 * (k % 2)) & 0xffff;
            if number == u32::from(first[k]) {
                #[allow(clippy::cast_possible_truncation, reason = "below 8")]
                let lane = LAST_LANES + 8 * eight + k as u32;
                let number = self.word(sample, step, lane) >> (32 - LAST_BITS);
                fires |= u8::from(number < u32::from(last[k])) << k;
            }
        }
        fires
    }
}

/// Calls `each` with the places of a byte's bits.
fn bits_of(byte: u8, mut each: impl FnMut(usize)) {
    let mut rest = byte;
    while rest != 0 {
        each(rest.trailing_zeros() as usize);
        rest &= rest - 1;
    }
}

impl<R: Real> RealRows<R> for Rows {
    fn dense(&mut self, step: usize, sample: usize, row: &mut [R]) {
        row.fill(R::ZERO);
        self.row(step, sample, |eight, fires| {
            bits_of(fires, |k| row[8 * eight + k] = R::ONE);
        });
    }
}

impl<R: Real> SpikeRows<R> for Rows {
    fn spikes(&mut self, step: usize, sample: usize, indices: &mut Vec<u32>) {
        indices.reserve(self.elements);
        self.row(step, sample, |eight, fires| {
            #[allow(clippy::cast_possible_truncation, reason = "elements are below 2³¹")]
            bits_of(fires, |k| indices.push((8 * eight + k) as u32));
        });
    }

    fn bits(&mut self, step: usize, sample: usize, row: &mut [u64], _indices: &mut Vec<u32>) {
        // Byte by byte: eights of one word would wait for one another.
        let row: &mut [u8] = bytemuck::cast_slice_mut(row);
        let last = if cfg!(target_endian = "little") { 0 } else { 7 };
        self.row(step, sample, |eight, fires| row[eight ^ last] |= fires);
    }
}

rheobase_engine::simd::dispatch! {
    /// Replaces every half of a word by the bit of its element if it is below the first bits of the
    /// element's threshold, and by 0 if not; returns whether any is equal to them.
    fn compare = compare_body(first: &[[u16; 8]], words: &mut [[u32; 4]]) -> bool;
}

#[inline(always)]
fn compare_body(first: &[[u16; 8]], words: &mut [[u32; 4]]) -> bool {
    let mut equal = [0; HALVES];
    let first = first.as_flattened().as_chunks::<HALVES>().0;
    let numbers: &mut [u16] = bytemuck::cast_slice_mut(words);
    for (numbers, first) in numbers.as_chunks_mut::<HALVES>().0.iter_mut().zip(first) {
        for k in 0..HALVES {
            let (number, first) = (numbers[k], first[k]);
            equal[k] |= u16::from(number == first);
            numbers[k] = if number < first { BITS[k] } else { 0 };
        }
    }
    equal != [0; HALVES]
}

/// The bits of an eight from those of its elements.
#[inline(always)]
fn byte(bits: [u32; 4]) -> u8 {
    let both = bits[0] | bits[1] | bits[2] | bits[3];
    ((both | both >> 16) & 0xff) as u8
}

/// Halves of words that are compared at a time.
const HALVES: usize = 8 * EIGHTS;

/// The bit of each element in the byte of its eight.
const BITS: [u16; HALVES] = {
    let mut bits = [0; HALVES];
    let mut k = 0;
    while k < HALVES {
        bits[k] = 1 << (k % 8);
        k += 1;
    }
    bits
};

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition, a number at a time.
    fn expected(draws: Draws, (step, sample): (u64, u32), thresholds: &[u32]) -> Vec<u32> {
        let fires = |&element: &u32| {
            let first = draws.word(sample, step, element / 2) >> (16 * (element % 2)) & 0xffff;
            let last = draws.word(sample, step, element + LAST_LANES) >> (32 - LAST_BITS);
            (first << LAST_BITS | last) < thresholds[element as usize]
        };
        (0..thresholds.len() as u32).filter(fires).collect()
    }

    /// Probabilities so near to the numbers that the first bits do not decide, and all others; blank
    /// eights between, more elements than are drawn at a time, two samples.
    #[test]
    fn numbers_are_compared_with_all_their_bits() {
        let (elements, draws, step) = (1203_u32, Draws::new(5, 2), 3);
        let numbers = [11, 12];
        let exact: Vec<Vec<u32>> = numbers
            .iter()
            .map(|&sample| {
                let threshold = |element: u32| {
                    let first = draws.word(sample, step, element / 2) >> (16 * (element % 2));
                    let last = draws.word(sample, step, element + LAST_LANES) >> (32 - LAST_BITS);
                    let number = (first & 0xffff) << LAST_BITS | last;
                    match element % 7 {
                        _ if element / 8 % 3 == 1 => 0,
                        0 | 1 => number,
                        2 | 3 => number + 1,
                        4 => 1 << 31,
                        5 => number ^ 1 << 13,
                        _ => 0,
                    }
                };
                (0..elements).map(threshold).collect()
            })
            .collect();
        let values: Vec<f64> = exact
            .iter()
            .flatten()
            .map(|&t| f64::from(t) / NUMBERS)
            .collect();
        let samples = Samples::new(&values, elements as usize, &numbers).unwrap();
        let Ok(Coded::Spikes(mut rows)) = Poisson::default().begin(4, samples, draws) else {
            panic!();
        };
        for (place, (&sample, exact)) in numbers.iter().zip(&exact).enumerate() {
            for step in 0..4 {
                let expected = expected(draws, (step, sample), exact);
                let step = step as usize;
                let mut found = Vec::new();
                rows.spikes(step, place, &mut found);
                assert_eq!(found, expected);
                assert_ne!(found.len(), 0);
                let (mut dense, mut bits) = (vec![0.5; elements as usize], vec![0; 19]);
                rows.dense(step, place, &mut dense);
                rows.bits(step, place, &mut bits, &mut Vec::new());
                for element in 0..elements {
                    let fires = expected.contains(&element);
                    assert_eq!(dense[element as usize] == 1.0, fires);
                    let bit = bits[element as usize / 64] >> (element % 64) & 1;
                    assert_eq!(bit == 1, fires);
                }
            }
            // In the step whose numbers they are, so many only just fire, and others just do not.
            let fires = expected(draws, (step, sample), exact);
            let is_near = |e: &u32| e / 8 % 3 != 1 && matches!(e % 7, 2 | 3);
            let near = (0..elements).filter(is_near).count();
            assert!(fires.iter().all(|e| !matches!(e % 7, 0 | 1 | 6)));
            assert_eq!(fires.iter().filter(|&e| is_near(e)).count(), near);
        }
    }
}
