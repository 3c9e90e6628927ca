//! Weights in fewer bits: multiples of a step, which is one number for each output.

use rheobase_engine::plan::WeightFormat;
use rheobase_equations::real::Real;

/// How the weights of a layer become multiples.
pub(super) struct Multiples<R> {
    /// The step of each output; 0 where all its weights are 0.
    pub(super) scales: Vec<R>,
    /// The largest multiple.
    most: f64,
}

impl<R: Real> Multiples<R> {
    /// For weights `[out, …]`; `None` where they are kept as they are.
    pub(super) fn new(weight: &[R], n_out: usize, format: WeightFormat) -> Option<Self> {
        let most = match format {
            WeightFormat::Exact => return None,
            WeightFormat::Int16 => 32_767.0,
            WeightFormat::Int8 => 127.0,
        };
        let rows = weight.chunks_exact((weight.len() / n_out.max(1)).max(1));
        let largest = |row: &[R]| row.iter().fold(0.0_f64, |m, w| m.max(w.to_f64().abs()));
        let scales = rows.map(|row| R::from_f64(largest(row) / most)).collect();
        Some(Self { scales, most })
    }

    /// The multiple nearest to a weight of output `o`.
    pub(super) fn of(&self, x: R, o: usize) -> f64 {
        let scale = self.scales[o].to_f64();
        if scale > 0.0 {
            libm::rint(x.to_f64() / scale).clamp(-self.most, self.most)
        } else {
            0.0
        }
    }

    /// What a weight of output `o` becomes.
    pub(super) fn rounded(&self, x: R, o: usize) -> R {
        R::from_f64(self.of(x, o) * self.scales[o].to_f64())
    }

    /// How far one of the weights `[out, …]` is from its multiple at most.
    pub(super) fn error(&self, weight: &[R]) -> f64 {
        let row = (weight.len() / self.scales.len().max(1)).max(1);
        let far = |(k, &x): (usize, &R)| {
            let exact = self.of(x, k / row) * self.scales[k / row].to_f64();
            let kept = self.rounded(x, k / row).to_f64();
            (x.to_f64() - exact).abs().max((x.to_f64() - kept).abs())
        };
        weight.iter().enumerate().map(far).fold(0.0, f64::max)
    }
}
