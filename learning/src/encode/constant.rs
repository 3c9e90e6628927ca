//! Values as they are.

use rheobase_equations::real::Real;

use super::{ANY, Coded, Draws, EncodeError, Encoder, RealRows, Samples, check_steps};

/// scale · x in every step: real values, no spikes. With scale 1, the bits of x.
///
/// Source: `constant_current` of SPAIC 0.6.3.
///
/// ```
/// use rheobase_learning::encode::{ConstantCurrent, Draws, Samples, dense};
///
/// let mut out = Vec::new();
/// let samples = Samples::new(&[0.5, -2.0], 2, &[0])?;
/// dense(&ConstantCurrent { scale: 2.0 }, 2, samples, Draws::new(1, 0), &mut out)?;
/// assert_eq!(out, [1.0, -4.0, 1.0, -4.0]);
/// # Ok::<(), rheobase_learning::encode::EncodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ConstantCurrent {
    /// What values are multiplied by (default 1).
    pub scale: f64,
}

impl Default for ConstantCurrent {
    fn default() -> Self {
        Self { scale: 1.0 }
    }
}

impl<R: Real> Encoder<R> for ConstantCurrent {
    fn begin(
        &self,
        steps: usize,
        samples: Samples<'_, R>,
        _draws: Draws,
    ) -> Result<Coded<R>, EncodeError> {
        check_steps(steps)?;
        super::expect_finite("scale", self.scale)?;
        Ok(Coded::Real(Box::new(Rows {
            values: samples.convert(self.scale, ANY, R::from_f64)?,
            elements: samples.elements,
        })))
    }

    fn is_constant(&self) -> bool {
        true
    }
}

struct Rows<R> {
    values: Vec<R>,
    elements: usize,
}

impl<R: Real> RealRows<R> for Rows<R> {
    fn dense(&mut self, _step: usize, sample: usize, row: &mut [R]) {
        row.copy_from_slice(&self.values[sample * self.elements..][..self.elements]);
    }
}
