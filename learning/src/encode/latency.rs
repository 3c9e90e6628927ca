//! Values as the times of single spikes.

use rheobase_equations::real::Real;

use super::{Coded, Draws, EncodeError, Encoder, RealRows, Samples, SpikeRows, check_steps};

/// One spike for each value, the earlier the larger it is; values in 0 … 1. Steps count from 0; halves
/// are rounded to even.
///
/// ```
/// use rheobase_learning::encode::{Draws, Latency, Samples, SpikeLists, spikes};
///
/// let samples = Samples::new(&[1.0, 0.5, 0.0], 3, &[0])?;
/// let mut lists = SpikeLists::default();
/// spikes(&Latency::Linear, 5, samples, Draws::new(1, 0), &mut lists)?;
/// assert_eq!(lists.offsets, [0, 1, 1, 2, 2, 3]);
/// assert_eq!(lists.indices, [0, 1, 2]);
/// # Ok::<(), rheobase_learning::encode::EncodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Latency {
    /// t = round((T − 1)·(1 − x)).
    ///
    /// Source: `LatencyEncoder(T, 'linear')` of SpikingJelly 2.0.0.
    Linear,
    /// t = round(T − 1 − ln(α·x + 1)), α = e^(T − 1) − 1; computed as −ln(x + (1 − x)·e^(1 − T)), which
    /// is the same and overflows for no T.
    ///
    /// Source: `LatencyEncoder(T, 'log')` of SpikingJelly 2.0.0.
    Logarithmic,
    /// t = round(T·(1 − x)); no spike where that is T. For the activities of a
    /// [`Tuning`](super::Tuning).
    ///
    /// Source: `GaussianTuning` of SpikingJelly 2.0.0, whose times are these before rounding.
    Activity,
}

impl Latency {
    /// The step of the spike of a value, among `steps`; `steps` for none.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 … steps, for values from 0 to 1"
    )]
    fn step<R: Real>(self, x: R, steps: u32) -> u32 {
        let duration = f64::from(steps);
        // In the precision of the data, where halves fall as they do in the source.
        let linear = |n: f64| (R::from_f64(n) * (R::ONE - x)).round_ties_even().to_f64();
        let t = match self {
            Self::Linear => linear(duration - 1.0),
            Self::Logarithmic => {
                let x = x.to_f64();
                let t = -libm::log(x + (1.0 - x) * libm::exp(1.0 - duration));
                // Where the exponential underflows, 0 has no logarithm.
                t.min(duration - 1.0).round_ties_even()
            }
            Self::Activity => linear(duration),
        };
        t as u32
    }
}

impl<R: Real> Encoder<R> for Latency {
    fn begin(
        &self,
        steps: usize,
        samples: Samples<'_, R>,
        _draws: Draws,
    ) -> Result<Coded<R>, EncodeError> {
        let n_steps = check_steps(steps)?;
        samples.convert(1.0, (0.0, 1.0), |_| ())?;
        let mut rows = Rows {
            steps,
            starts: Vec::with_capacity(samples.numbers.len() * steps + 1),
            elements: vec![0; samples.values.len()],
        };
        let mut ends = vec![0; steps + 1];
        let mut begun = 0;
        for sample in samples.values.chunks_exact(samples.elements) {
            // Counted, then put in place: elements stay ascending within a step.
            let times: Vec<u32> = sample.iter().map(|&x| self.step(x, n_steps)).collect();
            ends.fill(0);
            times.iter().for_each(|&t| ends[t as usize] += 1);
            for end in &mut ends[..steps] {
                rows.starts.push(begun);
                begun += std::mem::replace(end, begun);
            }
            for (element, &t) in (0..).zip(&times).filter(|&(_, &t)| t < n_steps) {
                let place = &mut ends[t as usize];
                rows.elements[*place] = element;
                *place += 1;
            }
        }
        rows.starts.push(begun);
        rows.elements.truncate(begun);
        Ok(Coded::Spikes(Box::new(rows)))
    }
}

/// Elements by (sample, step).
struct Rows {
    steps: usize,
    starts: Vec<usize>,
    elements: Vec<u32>,
}

impl Rows {
    fn row(&self, step: usize, sample: usize) -> &[u32] {
        let row = sample * self.steps + step;
        &self.elements[self.starts[row]..self.starts[row + 1]]
    }
}

impl<R: Real> RealRows<R> for Rows {
    fn dense(&mut self, step: usize, sample: usize, row: &mut [R]) {
        row.fill(R::ZERO);
        for &element in self.row(step, sample) {
            row[element as usize] = R::ONE;
        }
    }
}

impl<R: Real> SpikeRows<R> for Rows {
    fn spikes(&mut self, step: usize, sample: usize, indices: &mut Vec<u32>) {
        indices.extend_from_slice(self.row(step, sample));
    }
}
