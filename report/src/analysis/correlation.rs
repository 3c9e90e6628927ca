//! Mean correlation of the spike counts of pairs of neurons.

use crate::Spikes;

/// Neurons whose pairs are correlated at most.
pub const MOST_CORRELATED: u32 = 200;

/// Sums over bins, one bin open at a time; most counts are 0, so products are formed of those
/// neurons only that fired in a bin.
pub(super) struct Correlation {
    size: u64,
    chosen: u64,
    start_step: u64,
    bin_steps: u64,
    /// Whole bins in the window.
    bins: u64,
    open: u64,
    /// Counts in the open bin, by chosen neuron.
    counts: Vec<u64>,
    /// Chosen neurons that fired in the open bin.
    fired: Vec<usize>,
    sums: Vec<u64>,
    /// Row by row, the pairs (i, j ≤ i) of chosen neurons.
    products: Vec<u64>,
}

impl Correlation {
    pub(super) fn new(size: u32, start_step: u64, end_step: u64, bin_steps: u64) -> Self {
        let chosen = size.min(MOST_CORRELATED);
        let m = chosen as usize;
        let bin_steps = bin_steps.max(1);
        Self {
            size: u64::from(size),
            chosen: u64::from(chosen),
            start_step,
            bin_steps,
            bins: end_step.saturating_sub(start_step) / bin_steps,
            open: 0,
            counts: vec![0; m],
            fired: Vec::new(),
            sums: vec![0; m],
            products: vec![0; m * m],
        }
    }

    /// The place of a neuron among those chosen, `floor(k·n/m)`.
    fn place(&self, neuron: u32) -> Option<usize> {
        let neuron = u64::from(neuron);
        let place = (neuron * self.chosen).div_ceil(self.size);
        let chosen = place < self.chosen && place * self.size / self.chosen == neuron;
        usize::try_from(place).ok().filter(|_| chosen)
    }

    pub(super) fn extend(&mut self, spikes: Spikes<'_>) {
        for (step, neuron) in spikes.iter() {
            let Some(place) = self.place(neuron) else {
                continue;
            };
            let bin = (step - self.start_step - 1) / self.bin_steps;
            if bin != self.open {
                self.close();
                self.open = bin;
            }
            if self.counts[place] == 0 {
                self.fired.push(place);
            }
            self.counts[place] += 1;
        }
    }

    fn close(&mut self) {
        let m = self.counts.len();
        if self.open < self.bins {
            for &i in &self.fired {
                self.sums[i] += self.counts[i];
                for &j in &self.fired {
                    self.products[i * m + j] += self.counts[i] * self.counts[j];
                }
            }
        }
        for i in self.fired.drain(..) {
            self.counts[i] = 0;
        }
    }

    /// The mean coefficient and the number of pairs it is the mean of.
    pub(super) fn finish(mut self) -> (Option<f64>, u64) {
        self.close();
        let m = self.counts.len();
        // B²·cov = B·Σxy − Σx·Σy, an exact integer.
        let covariance = |i: usize, j: usize| {
            let products = i128::from(self.bins) * i128::from(self.products[i * m + j]);
            products - i128::from(self.sums[i]) * i128::from(self.sums[j])
        };
        let variances: Vec<f64> = (0..m).map(|i| float(covariance(i, i))).collect();
        let (mut sum, mut pairs) = (0.0, 0_u64);
        for i in 0..m {
            for j in 0..i {
                let scale = variances[i].sqrt() * variances[j].sqrt();
                if scale > 0.0 {
                    sum += float(covariance(i, j)) / scale;
                    pairs += 1;
                }
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 19,900 pairs")]
        let mean = (pairs > 0).then(|| sum / pairs as f64);
        (mean, pairs)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact integers leave integer arithmetic here"
)]
fn float(x: i128) -> f64 {
    x as f64
}
