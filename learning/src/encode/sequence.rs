//! Samples that are sequences already.

use rheobase_equations::real::Real;

use super::{ANY, Coded, Draws, EncodeError, Encoder, RealRows, Samples, SpikeRows, check_steps};

/// A sample holds what is given in each step, `[T, elements of a step]`: step t is its row t.
///
/// For recorded or generated sequences, such as those of [`Task`](crate::data::Task). The number of
/// steps divides the elements of a sample.
///
/// ```
/// use rheobase_learning::encode::{Draws, Samples, Sequence, SpikeLists, spikes};
///
/// // One sample of three steps of two elements.
/// let samples = Samples::new(&[0.0_f32, 1.0, 0.0, 0.0, 1.0, 1.0], 6, &[0])?;
/// let mut lists = SpikeLists::default();
/// spikes(&Sequence { spikes: true }, 3, samples, Draws::new(1, 0), &mut lists)?;
/// assert_eq!((lists.width, lists.row(0), lists.row(1), lists.row(2)), (2, &[1][..], &[][..], &[0, 1][..]));
/// # Ok::<(), rheobase_learning::encode::EncodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sequence {
    /// The values are spikes, 0 or 1 (default false: real values).
    pub spikes: bool,
}

impl<R: Real> Encoder<R> for Sequence {
    fn begin(
        &self,
        steps: usize,
        samples: Samples<'_, R>,
        _draws: Draws,
    ) -> Result<Coded<R>, EncodeError> {
        check_steps(steps)?;
        let width = Encoder::<R>::width(self, steps, samples.elements)?;
        if !self.spikes {
            return Ok(Coded::Real(Box::new(Values {
                values: samples.convert(1.0, ANY, R::from_f64)?,
                steps,
                width,
            })));
        }
        Ok(Coded::Spikes(Box::new(Spikes {
            bits: pack(samples, width)?,
            steps,
            words: width.div_ceil(64),
        })))
    }

    fn width(&self, steps: usize, elements: usize) -> Result<usize, EncodeError> {
        match elements.checked_div(steps) {
            Some(width) if width > 0 && width * steps == elements => Ok(width),
            _ => Err(EncodeError::Sequence { steps, elements }),
        }
    }
}

/// Bits of rows of `width` values, each of whole words.
fn pack<R: Real>(samples: Samples<'_, R>, width: usize) -> Result<Vec<u64>, EncodeError> {
    let mut bits = Vec::with_capacity(samples.values.len() / width * width.div_ceil(64));
    let mut are_spikes = true;
    for row in samples.values.chunks_exact(width) {
        for part in row.chunks(64) {
            let mut word = 0;
            for (bit, &x) in part.iter().enumerate() {
                are_spikes &= x == R::ZERO || x == R::ONE;
                word |= u64::from(x != R::ZERO) << bit;
            }
            bits.push(word);
        }
    }
    if are_spikes {
        return Ok(bits);
    }
    let is_other = |x: &R| *x != R::ZERO && *x != R::ONE;
    let k = samples.values.iter().position(is_other).unwrap_or(0);
    Err(EncodeError::Range {
        sample: samples.numbers[k / samples.elements],
        element: k % samples.elements,
        value: samples.values[k].to_f64(),
        low: 0.0,
        high: 1.0,
    })
}

struct Values<R> {
    /// `[N, T, width]`.
    values: Vec<R>,
    steps: usize,
    width: usize,
}

impl<R: Real> RealRows<R> for Values<R> {
    fn dense(&mut self, step: usize, sample: usize, row: &mut [R]) {
        let first = (sample * self.steps + step) * self.width;
        row.copy_from_slice(&self.values[first..][..self.width]);
    }
}

struct Spikes {
    /// `[N, T, words]`.
    bits: Vec<u64>,
    steps: usize,
    words: usize,
}

impl Spikes {
    fn row(&self, step: usize, sample: usize) -> &[u64] {
        &self.bits[(sample * self.steps + step) * self.words..][..self.words]
    }
}

impl<R: Real> RealRows<R> for Spikes {
    fn dense(&mut self, step: usize, sample: usize, row: &mut [R]) {
        for (part, word) in row.chunks_mut(64).zip(self.row(step, sample)) {
            for (bit, x) in part.iter_mut().enumerate() {
                *x = if word >> bit & 1 == 1 {
                    R::ONE
                } else {
                    R::ZERO
                };
            }
        }
    }
}

impl<R: Real> SpikeRows<R> for Spikes {
    fn spikes(&mut self, step: usize, sample: usize, indices: &mut Vec<u32>) {
        for (&word, first) in self.row(step, sample).iter().zip((0..).step_by(64)) {
            let mut left = word;
            while left != 0 {
                indices.push(first + left.trailing_zeros());
                left &= left - 1;
            }
        }
    }

    fn bits(&mut self, step: usize, sample: usize, row: &mut [u64], _indices: &mut Vec<u32>) {
        row.copy_from_slice(self.row(step, sample));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{SpikeLists, bits, dense, spikes};

    /// Two samples of three steps of 70 elements: each way to take them gives the same spikes.
    #[test]
    fn sequences_come_as_they_are() {
        let values: Vec<f32> = (0..2 * 3 * 70)
            .map(|k| if k * 7 % 5 == 0 { 1.0 } else { 0.0 })
            .collect();
        let samples = Samples::new(&values, 210, &[4, 5]).unwrap();
        let draws = Draws::new(1, 0);
        let encoder = Sequence { spikes: true };
        let (mut words, mut reals, mut array) = (Vec::new(), Vec::new(), Vec::new());
        let mut lists = SpikeLists::default();
        bits(&encoder, 3, samples, draws, 2, &mut words).unwrap();
        spikes(&encoder, 3, samples, draws, &mut lists).unwrap();
        dense(&encoder, 3, samples, draws, &mut array).unwrap();
        dense(&Sequence::default(), 3, samples, draws, &mut reals).unwrap();
        assert_eq!((words.len(), array.len()), (3 * 2 * 2, 3 * 2 * 70));
        assert_eq!(array, reals);
        for row in 0..6 {
            let (step, sample) = (row / 2, row % 2);
            let given = &values[sample * 210 + step * 70..][..70];
            assert_eq!(&array[row * 70..][..70], given);
            let fired = |i: usize| words[row * 2 + i / 64] >> (i % 64) & 1 == 1;
            let indices: Vec<u32> = (0..70).filter(|&i| given[i as usize] == 1.0).collect();
            assert_eq!(lists.row(row), indices);
            assert!((0..70).all(|i| fired(i) == (given[i] == 1.0)));
        }
    }

    #[test]
    fn what_is_no_sequence_is_told() {
        let fails = |values: &[f64], steps: usize, spikes: bool| {
            let samples = Samples::new(values, values.len(), &[7]).unwrap();
            let mut out = Vec::new();
            let encoder = Sequence { spikes };
            let outcome = dense(&encoder, steps, samples, Draws::new(1, 0), &mut out);
            outcome.unwrap_err().to_string()
        };
        assert!(fails(&[0.0; 6], 4, true).contains("no sequences of 4 steps"));
        assert!(fails(&[0.0; 6], 0, true).contains("0 steps"));
        assert!(fails(&[0.0; 6], 12, false).contains("no sequences of 12 steps"));
        assert!(fails(&[0.0, 1.0, 0.5, 0.0], 2, true).contains("element 2 of sample 7 is 0.5"));
        assert!(fails(&[0.0, f64::NAN], 2, false).contains("element 1 of sample 7 is NaN"));
    }
}
