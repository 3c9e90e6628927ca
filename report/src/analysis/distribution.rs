//! A histogram of one number per neuron.

/// Bins of a histogram at most.
const MOST_BINS: usize = 40;

/// How a quantity is distributed over neurons.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// Width of a bin; the first begins at 0.
    pub width: f64,
    /// Neurons in each bin. The last bin is closed at both ends.
    pub counts: Vec<u64>,
    /// Mean of all neurons; `None` of none.
    pub mean: Option<f64>,
    /// Least value.
    pub least: f64,
    /// Largest value.
    pub largest: f64,
}

impl Distribution {
    /// Of values that are finite and not negative; they are visited twice. Bins are 1, 2 or 5
    /// times a power of ten wide, at most 40 of them.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let (mut sum, mut n) = (0.0, 0_u64);
        let (mut least, mut largest) = (f64::INFINITY, 0.0_f64);
        for value in values.clone() {
            sum += value;
            n += 1;
            (least, largest) = (least.min(value), largest.max(value));
        }
        let width = width(largest);
        let mut counts = Vec::new();
        for value in values {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a small positive number; the cast saturates"
            )]
            let bin = ((value / width) as usize).min(MOST_BINS - 1);
            if bin >= counts.len() {
                counts.resize(bin + 1, 0);
            }
            counts[bin] += 1;
        }
        #[expect(clippy::cast_precision_loss, reason = "a number of neurons")]
        let mean = (n > 0).then(|| sum / n as f64);
        Self {
            width,
            counts,
            mean,
            least: if n > 0 { least } else { 0.0 },
            largest,
        }
    }

    /// Number of neurons.
    #[must_use]
    pub fn neurons(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// The round width for which `largest` lies within 40 bins.
fn width(largest: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let least = largest / MOST_BINS as f64;
    if !(1e-9..1e12).contains(&least) {
        return if least < 1e-9 { 1.0 } else { least };
    }
    let mut power = 1e-9;
    loop {
        for factor in [1.0, 2.0, 5.0] {
            if factor * power >= least {
                return factor * power;
            }
        }
        power *= 10.0;
    }
}
