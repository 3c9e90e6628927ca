//! Weights in fewer bits: multiples of a step, which is one number for each output.

use rheobase_engine::plan::WeightFormat;
use rheobase_equations::real::Real;

/// How the weights of a layer become multiples.
pub(super) struct Multiples {
    /// The step of each output; 0 where all its weights are 0.
    pub(super) scales: Vec<f64>,
}

impl Multiples {
    /// For weights `[out, …]`; `None` where they are kept as they are.
    pub(super) fn new<R: Real>(weight: &[R], n_out: usize, format: WeightFormat) -> Option<Self> {
        let most = match format {
            WeightFormat::Exact => return None,
            WeightFormat::Int16 => 32_767.0,
            WeightFormat::Int8 => 127.0,
        };
        let rows = weight.chunks_exact((weight.len() / n_out.max(1)).max(1));
        let largest = |row: &[R]| row.iter().fold(0.0_f64, |m, w| m.max(w.to_f64().abs()));
        let scales = rows.map(|row| largest(row) / most).collect();
        Some(Self { scales })
    }

    /// The multiple nearest to a weight of output `o`: at most 127, or 32,767, by the choice of the
    /// step.
    pub(super) fn of<R: Real>(&self, x: R, o: usize) -> f64 {
        let scale = self.scales[o];
        if scale > 0.0 {
            libm::rint(x.to_f64() / scale)
        } else {
            0.0
        }
    }

    /// How far a weight may be from its multiple.
    pub(super) fn error(&self) -> f64 {
        0.5 * self.scales.iter().fold(0.0_f64, |m, &s| m.max(s))
    }
}
