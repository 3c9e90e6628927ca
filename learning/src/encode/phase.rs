//! Values as their binary digits.

use rheobase_equations::real::Real;

use super::{Coded, Draws, EncodeError, Encoder, RealRows, Samples, SpikeRows, check_steps};

/// The first K binary digits of each value, one a step, the most significant first; then again from
/// the first. A spike in step k (from 1) is worth 2⁻ᵏ. Values in 0 … 1 − 2⁻ᴷ.
///
/// Source: `WeightedPhaseEncoder` of SpikingJelly 2.0.0; Kim et al. 2018
/// (doi:10.1016/j.neucom.2018.05.087).
///
/// ```
/// use rheobase_learning::encode::{Draws, Samples, WeightedPhase, dense};
///
/// let mut out = Vec::new();
/// let samples = Samples::new(&[0.625], 1, &[0])?;
/// dense(&WeightedPhase { phases: 3 }, 4, samples, Draws::new(1, 0), &mut out)?;
/// assert_eq!(out, [1.0, 0.0, 1.0, 1.0]);
/// # Ok::<(), rheobase_learning::encode::EncodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WeightedPhase {
    /// K, 1 to 32.
    pub phases: u32,
}

impl<R: Real> Encoder<R> for WeightedPhase {
    fn begin(
        &self,
        steps: usize,
        samples: Samples<'_, R>,
        _draws: Draws,
    ) -> Result<Coded<R>, EncodeError> {
        check_steps(steps)?;
        if !(1..=32).contains(&self.phases) {
            return Err(EncodeError::Parameter {
                name: "phases",
                value: f64::from(self.phases),
                expected: "1 to 32",
            });
        }
        let unit = libm::ldexp(1.0, self.phases.cast_signed());
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "below 2³²"
        )]
        let digits = |x: f64| (x * unit) as u32;
        Ok(Coded::Spikes(Box::new(Rows {
            digits: samples.convert(1.0, (0.0, 1.0 - 1.0 / unit), digits)?,
            elements: samples.elements,
            phases: self.phases,
        })))
    }
}

struct Rows {
    /// The digits of every value, the last one in bit 0.
    digits: Vec<u32>,
    elements: usize,
    phases: u32,
}

impl Rows {
    /// Whether each element of a row fires.
    fn row(&self, step: usize, sample: usize) -> impl Iterator<Item = bool> {
        let phases = self.phases as usize;
        let bit = phases - 1 - step % phases;
        let digits = &self.digits[sample * self.elements..][..self.elements];
        digits.iter().map(move |d| d >> bit & 1 == 1)
    }
}

impl<R: Real> RealRows<R> for Rows {
    fn dense(&mut self, step: usize, sample: usize, row: &mut [R]) {
        for (x, fires) in row.iter_mut().zip(self.row(step, sample)) {
            *x = if fires { R::ONE } else { R::ZERO };
        }
    }
}

impl<R: Real> SpikeRows<R> for Rows {
    fn spikes(&mut self, step: usize, sample: usize, indices: &mut Vec<u32>) {
        let row = (0..).zip(self.row(step, sample));
        indices.extend(row.filter(|&(_, fires)| fires).map(|(element, _)| element));
    }
}
