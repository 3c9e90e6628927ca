//! Encoders: from samples `[N, elements]` to an input over time `[T, N, elements]`.
//!
//! | encoder | a value x becomes | values |
//! |---|---|---|
//! | [`Poisson`] | in every step a spike with probability x | 0 … 1 |
//! | [`Latency`] | one spike, the earlier the larger x | 0 … 1 |
//! | [`WeightedPhase`] | its binary digits, one a step | 0 … 1 − 2⁻ᴷ |
//! | [`Integrate`] | the spikes of an integrate-and-fire neuron driven by x | any |
//! | [`ConstantCurrent`] | x in every step | any |
//! | [`Sequence`] | what the sample holds for each step | any; 0 and 1 where they are spikes |
//!
//! A [`Tuning`] turns each value into the activities of a population first, which any of these then
//! encodes.
//!
//! [`spikes`] gives index lists, [`dense`] an array of zeros and ones; for one step at a time, ask the
//! rows that [`Encoder::begin`] gives. Random encoders draw by (sample, element, step) from the stream of
//! [`Draws`]: what a sample becomes does not depend on the batch it is in, nor on the thread that
//! encodes it.
//!
//! # Example
//! ```
//! use rheobase_learning::encode::{Draws, Latency, Poisson, Samples, SpikeLists, dense, spikes};
//!
//! // Samples number 7 and 2 of a data set, of three elements each, over four steps.
//! let values = [0.0_f32, 1.0, 0.5, 1.0, 0.0, 0.0];
//! let samples = Samples::new(&values, 3, &[7, 2])?;
//! let mut out = Vec::new();
//! dense(&Latency::Linear, 4, samples, Draws::new(1, 0), &mut out)?;
//! assert_eq!(out[..6], [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
//!
//! let mut lists = SpikeLists::default();
//! spikes(&Poisson::default(), 4, samples, Draws::new(1, 0), &mut lists)?;
//! // The second sample fires with its first element only, and in every step.
//! assert_eq!(lists.row(1), [0]);
//! # Ok::<(), rheobase_learning::encode::EncodeError>(())
//! ```

mod constant;
mod draws;
mod integrate;
mod latency;
mod lists;
mod phase;
mod poisson;
mod sequence;
mod tuning;

pub use constant::ConstantCurrent;
pub use draws::Draws;
pub use integrate::Integrate;
pub use latency::Latency;
pub use lists::SpikeLists;
pub use phase::WeightedPhase;
pub use poisson::{Bernoulli, Poisson};
pub use sequence::Sequence;
pub use tuning::Tuning;

use rheobase_equations::real::Real;

/// Why samples cannot be encoded.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// Values that are not so many samples of so many elements.
    #[error("{found} values are not {samples} samples of {elements} elements, 1 to 2^32 − 1 each")]
    Shape {
        /// Samples.
        samples: usize,
        /// Elements of each.
        elements: usize,
        /// Values given.
        found: usize,
    },
    /// A number of steps that cannot be.
    #[error("{steps} steps: expected 1 to 2^32 − 1")]
    Steps {
        /// The refused number.
        steps: usize,
    },
    /// A value outside what the encoder takes.
    #[error("element {element} of sample {sample} is {value}: expected {low} … {high}")]
    Range {
        /// The number of the sample in its data set.
        sample: u32,
        /// The element.
        element: usize,
        /// Its value, scaled as the encoder does.
        value: f64,
        /// The least value.
        low: f64,
        /// The largest value.
        high: f64,
    },
    /// A parameter of an encoder that cannot be.
    #[error("{name} of an encoder is {value}: expected {expected}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// The refused value.
        value: f64,
        /// What would be accepted.
        expected: &'static str,
    },
    /// Samples that are no sequences of so many steps.
    #[error(
        "samples of {elements} elements are no sequences of {steps} steps: expected a multiple of {steps}"
    )]
    Sequence {
        /// Steps.
        steps: usize,
        /// Elements of a sample.
        elements: usize,
    },
    /// Index lists of an encoder that gives real values.
    #[error("this encoder gives real values, which are no spikes: take them as a dense array")]
    NotSpikes,
    /// More spikes than index lists can address.
    #[error("more than 2^32 − 1 spikes in a batch: encode fewer samples or steps at a time")]
    TooManySpikes,
}

/// A batch of samples.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a, R> {
    values: &'a [R],
    elements: usize,
    numbers: &'a [u32],
}

impl<'a, R: Real> Samples<'a, R> {
    /// `values` is `[N, elements]`, row-major; `numbers` says which sample of the data set each is.
    ///
    /// # Errors
    /// If there are not N · `elements` values, or none.
    pub fn new(values: &'a [R], elements: usize, numbers: &'a [u32]) -> Result<Self, EncodeError> {
        let fits = numbers.len().checked_mul(elements) == Some(values.len());
        if !fits || values.is_empty() || u32::try_from(elements).is_err() {
            return Err(EncodeError::Shape {
                samples: numbers.len(),
                elements,
                found: values.len(),
            });
        }
        Ok(Self {
            values,
            elements,
            numbers,
        })
    }

    /// Their values, `[N, elements]`.
    #[must_use]
    pub fn values(&self) -> &'a [R] {
        self.values
    }

    /// Elements of each.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// Their numbers in the data set.
    #[must_use]
    pub fn numbers(&self) -> &'a [u32] {
        self.numbers
    }

    /// `convert` of every value that lies, times `scale`, in `low ..= high`.
    fn convert<X>(
        &self,
        scale: f64,
        (low, high): (f64, f64),
        mut convert: impl FnMut(f64) -> X,
    ) -> Result<Vec<X>, EncodeError> {
        let mut converted = Vec::with_capacity(self.values.len());
        for (k, x) in self.values.iter().enumerate() {
            let value = x.to_f64() * scale;
            if !(low <= value && value <= high) {
                return Err(EncodeError::Range {
                    sample: self.numbers[k / self.elements],
                    element: k % self.elements,
                    value,
                    low,
                    high,
                });
            }
            converted.push(convert(value));
        }
        Ok(converted)
    }
}

/// A way to put samples into time.
pub trait Encoder<R: Real>: Send + Sync {
    /// Prepares a batch for `steps` steps. O(values).
    ///
    /// # Errors
    /// If there are no steps, a value is outside the encoder's range, or a parameter cannot be.
    fn begin(
        &self,
        steps: usize,
        samples: Samples<'_, R>,
        draws: Draws,
    ) -> Result<Coded<R>, EncodeError>;

    /// Whether it gives real values that are the same in every step.
    fn is_constant(&self) -> bool {
        false
    }

    /// Whether steps may be asked for in any order, and a batch begun on several threads.
    fn has_free_order(&self) -> bool {
        false
    }

    /// Elements of a step, for samples of so many elements over `steps` steps.
    ///
    /// # Errors
    /// If such samples cannot be put into so many steps.
    fn width(&self, _steps: usize, elements: usize) -> Result<usize, EncodeError> {
        Ok(elements)
    }
}

/// A batch that is being encoded.
pub enum Coded<R> {
    /// As spikes.
    Spikes(Box<dyn SpikeRows<R>>),
    /// As real values.
    Real(Box<dyn RealRows<R>>),
}

/// Hands out an encoded batch row by row: steps ascending from 0, every sample once in each.
pub trait RealRows<R>: Send {
    /// Overwrites `row`, as long as a step has elements ([`Encoder::width`]), with what sample `sample` of the batch is in
    /// `step`. O(elements).
    fn dense(&mut self, step: usize, sample: usize, row: &mut [R]);
}

/// The same, of spikes.
pub trait SpikeRows<R>: RealRows<R> {
    /// Appends the elements of sample `sample` of the batch that fire in `step`, ascending.
    fn spikes(&mut self, step: usize, sample: usize, indices: &mut Vec<u32>);

    /// Sets the bits of the elements that fire in `row`, which is all zeros: element i is bit i mod 64 of
    /// word i/64. `indices` is memory to work with.
    fn bits(&mut self, step: usize, sample: usize, row: &mut [u64], indices: &mut Vec<u32>) {
        indices.clear();
        self.spikes(step, sample, indices);
        for &i in indices.iter() {
            row[i as usize / 64] |= 1 << (i % 64);
        }
    }
}

/// Encodes a batch as an array `[T, N, elements]`; replaces what `out` holds. O(T·N·elements).
///
/// # Errors
/// As [`Encoder::begin`].
pub fn dense<R: Real>(
    encoder: &dyn Encoder<R>,
    steps: usize,
    samples: Samples<'_, R>,
    draws: Draws,
    out: &mut Vec<R>,
) -> Result<(), EncodeError> {
    let coded = encoder.begin(steps, samples, draws)?;
    let n = samples.numbers.len();
    let width = encoder.width(steps, samples.elements)?;
    // Every row is overwritten: what is kept of an earlier batch need not be cleared.
    out.resize(steps * n * width, R::ZERO);
    let rows = out.chunks_exact_mut(width).enumerate();
    match coded {
        Coded::Spikes(mut coded) => rows.for_each(|(r, row)| coded.dense(r / n, r % n, row)),
        Coded::Real(mut coded) => rows.for_each(|(r, row)| coded.dense(r / n, r % n, row)),
    }
    Ok(())
}

/// Encodes a batch as index lists, rows in the order of `[T, N]`; replaces what `out` holds.
/// O(T·N·elements) of random encoders, O(T·N + spikes) of latencies.
///
/// # Errors
/// As [`Encoder::begin`]; if the encoder gives real values; if there are 2³² spikes or more.
pub fn spikes<R: Real>(
    encoder: &dyn Encoder<R>,
    steps: usize,
    samples: Samples<'_, R>,
    draws: Draws,
    out: &mut SpikeLists,
) -> Result<(), EncodeError> {
    let Coded::Spikes(mut coded) = encoder.begin(steps, samples, draws)? else {
        return Err(EncodeError::NotSpikes);
    };
    out.begin(encoder.width(steps, samples.elements)?);
    for step in 0..steps {
        for sample in 0..samples.numbers.len() {
            coded.spikes(step, sample, &mut out.indices);
            out.end_row()?;
        }
    }
    Ok(())
}

/// Encodes a batch as bits, rows in the order of `[T, N]`, each of whole words; replaces what `out` holds.
/// On `threads` threads where the encoder allows; the result does not depend on it.
/// O(T·N·elements).
///
/// # Errors
/// As [`Encoder::begin`]; if the encoder gives real values.
pub fn bits<R: Real>(
    encoder: &dyn Encoder<R>,
    steps: usize,
    samples: Samples<'_, R>,
    draws: Draws,
    threads: usize,
    out: &mut Vec<u64>,
) -> Result<(), EncodeError> {
    let width = encoder.width(steps, samples.elements)?;
    let (n, words) = (samples.numbers.len(), width.div_ceil(64));
    out.clear();
    out.resize(steps * n * words, 0);
    let threads = if encoder.has_free_order() { threads } else { 1 };
    let steps_of_part = steps.div_ceil(threads.max(1)).max(1);
    let part = |first: usize, rows: &mut [u64]| -> Result<(), EncodeError> {
        let Coded::Spikes(mut coded) = encoder.begin(steps, samples, draws)? else {
            return Err(EncodeError::NotSpikes);
        };
        let mut indices = Vec::new();
        for (r, row) in rows.chunks_exact_mut(words).enumerate() {
            coded.bits(first + r / n, r % n, row, &mut indices);
        }
        Ok(())
    };
    if threads <= 1 {
        return part(0, out);
    }
    let parts = out.chunks_mut(steps_of_part * n * words).enumerate();
    std::thread::scope(|scope| {
        let part = &part;
        let running: Vec<_> = parts
            .map(|(k, rows)| scope.spawn(move || part(k * steps_of_part, rows)))
            .collect();
        // A part that panics takes this thread with it.
        let joined = running.into_iter().map(|handle| match handle.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect()
    })
}

/// Steps, if there can be so many.
fn check_steps(steps: usize) -> Result<u32, EncodeError> {
    let narrow = u32::try_from(steps).ok().filter(|&s| s > 0);
    narrow.ok_or(EncodeError::Steps { steps })
}

fn expect_finite(name: &'static str, value: f64) -> Result<(), EncodeError> {
    if value.is_finite() {
        return Ok(());
    }
    Err(EncodeError::Parameter {
        name,
        value,
        expected: "a finite number",
    })
}

/// Largest and smallest finite value: for encoders that take any.
const ANY: (f64, f64) = (f64::MIN, f64::MAX);

#[cfg(test)]
mod tests;
