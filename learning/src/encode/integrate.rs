//! Values as the spikes of integrate-and-fire neurons.

use rheobase_equations::real::Real;

use super::{ANY, Coded, Draws, EncodeError, Encoder, RealRows, Samples, SpikeRows, check_steps};

/// Each value drives an integrate-and-fire neuron: in every step v ← v + x, a spike where v ≥ θ, then
/// v ← v − θ. From v = 0: evenly spaced spikes, x/θ a step as long as x ≤ θ.
///
/// Source: `PopSpikeEncoderDeterministic` of SpikingJelly 2.0.0, whose second half this is; the first
/// is [`Tuning::even`](super::Tuning::even).
///
/// ```
/// use rheobase_learning::encode::{Draws, Integrate, Samples, dense};
///
/// let mut out = Vec::new();
/// let samples = Samples::new(&[0.5], 1, &[0])?;
/// dense(&Integrate::default(), 4, samples, Draws::new(1, 0), &mut out)?;
/// assert_eq!(out, [0.0, 1.0, 0.0, 1.0]);
/// # Ok::<(), rheobase_learning::encode::EncodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Integrate {
    /// θ (default 0.999).
    pub threshold: f64,
}

impl Default for Integrate {
    fn default() -> Self {
        Self { threshold: 0.999 }
    }
}

impl<R: Real> Encoder<R> for Integrate {
    fn begin(
        &self,
        steps: usize,
        samples: Samples<'_, R>,
        _draws: Draws,
    ) -> Result<Coded<R>, EncodeError> {
        check_steps(steps)?;
        if !(self.threshold > 0.0 && self.threshold.is_finite()) {
            return Err(EncodeError::Parameter {
                name: "threshold",
                value: self.threshold,
                expected: "a finite number above 0",
            });
        }
        samples.convert(1.0, ANY, |_| ())?;
        Ok(Coded::Spikes(Box::new(Rows {
            drive: samples.values.to_vec(),
            v: vec![R::ZERO; samples.values.len()],
            elements: samples.elements,
            threshold: R::from_f64(self.threshold),
        })))
    }
}

struct Rows<R> {
    drive: Vec<R>,
    v: Vec<R>,
    elements: usize,
    threshold: R,
}

impl<R: Real> Rows<R> {
    /// Advances the neurons of a sample by a step: whether each of them fires.
    fn advance(&mut self, sample: usize) -> impl Iterator<Item = bool> {
        let first = sample * self.elements;
        let v = &mut self.v[first..][..self.elements];
        let threshold = self.threshold;
        v.iter_mut().zip(&self.drive[first..]).map(move |(v, &x)| {
            *v += x;
            let fires = *v >= threshold;
            *v -= if fires { threshold } else { R::ZERO };
            fires
        })
    }
}

impl<R: Real> RealRows<R> for Rows<R> {
    fn dense(&mut self, _step: usize, sample: usize, row: &mut [R]) {
        for (x, fires) in row.iter_mut().zip(self.advance(sample)) {
            *x = if fires { R::ONE } else { R::ZERO };
        }
    }
}

impl<R: Real> SpikeRows<R> for Rows<R> {
    fn spikes(&mut self, _step: usize, sample: usize, indices: &mut Vec<u32>) {
        let row = (0..).zip(self.advance(sample));
        indices.extend(row.filter(|&(_, fires)| fires).map(|(element, _)| element));
    }
}
