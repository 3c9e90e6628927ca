//! Power spectrum of the population rate by Welch's method.

use crate::{Spikes, TimeStep};

/// Bins of a segment.
const SEGMENT: usize = 1024;
/// Shortest segment from which a spectrum is made.
const SHORTEST: usize = 16;
/// Width of a bin \[ms\], where steps are not longer.
const BIN_MS: f64 = 1.0;

/// One-sided power spectral density of the population rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// Distance of the frequencies \[Hz\]; the first is 0.
    pub step_hz: f64,
    /// Density at each frequency \[Hz²/Hz\].
    pub density: Vec<f64>,
    /// Segments that were averaged.
    pub segments: u64,
}

impl Spectrum {
    /// The frequency of the largest density, 0 and the lowest frequency left out \[Hz\].
    #[must_use]
    pub fn peak_hz(&self) -> Option<f64> {
        let places = 2..self.density.len();
        let largest = places.max_by(|&a, &b| self.density[a].total_cmp(&self.density[b]))?;
        #[expect(clippy::cast_precision_loss, reason = "an index of a short array")]
        Some(largest as f64 * self.step_hz)
    }
}

/// Collects counts per bin and sums the spectra of segments.
pub(super) struct Welch {
    start_step: u64,
    bin_steps: u64,
    /// Whole bins in the window.
    bins: u64,
    bin_ms: f64,
    neurons: f64,
    /// The bin that is open, and spikes in it.
    open: u64,
    count: u64,
    any: bool,
    /// Rates of closed bins not yet used twice.
    rates: Vec<f64>,
    length: usize,
    window: Vec<f64>,
    fourier: Fourier,
    sums: Vec<f64>,
    segments: u64,
}

impl Welch {
    pub(super) fn new(size: u32, dt_ms: f64, start_step: u64, end_step: u64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and 10⁶"
        )]
        let bin_steps = (BIN_MS / dt_ms).round().max(1.0) as u64;
        let bins = end_step.saturating_sub(start_step) / bin_steps;
        let length = (0..=SEGMENT.ilog2())
            .map(|k| 1_usize << k)
            .filter(|&l| l as u64 <= bins)
            .max()
            .unwrap_or(0);
        let length = if length < SHORTEST { 0 } else { length };
        let window = (0..length)
            .map(|k| {
                let sine = libm::sin(std::f64::consts::PI * float(k) / float(length));
                sine * sine
            })
            .collect();
        let bin_ms = TimeStep::from_ms(dt_ms).map_or(BIN_MS, |dt| dt.time_ms(bin_steps));
        Self {
            start_step,
            bin_steps,
            bins,
            bin_ms,
            neurons: f64::from(size),
            open: 0,
            count: 0,
            any: false,
            rates: Vec::with_capacity(length),
            length,
            window,
            fourier: Fourier::new(length),
            sums: vec![0.0; length / 2 + 1],
            segments: 0,
        }
    }

    pub(super) fn bins(&self) -> u64 {
        self.bins
    }

    pub(super) fn bin_ms(&self) -> f64 {
        self.bin_ms
    }

    pub(super) fn extend(&mut self, spikes: Spikes<'_>) {
        if self.length == 0 {
            return;
        }
        for &step in spikes.steps() {
            let bin = (step - self.start_step - 1) / self.bin_steps;
            self.any |= bin < self.bins;
            self.close_until(bin.min(self.bins));
            if bin < self.bins {
                self.count += 1;
            }
        }
    }

    /// Closes the open bin and silent ones up to `bin`, which is open then.
    fn close_until(&mut self, bin: u64) {
        while self.open < bin {
            #[expect(clippy::cast_precision_loss, reason = "spikes of a bin")]
            let rate = self.count as f64 / (self.neurons * self.bin_ms / 1000.0);
            self.rates.push(rate);
            self.count = 0;
            self.open += 1;
            if self.rates.len() == self.length {
                self.add_segment();
                self.rates.drain(..self.length / 2);
            }
        }
    }

    fn add_segment(&mut self) {
        let mean = self.rates.iter().sum::<f64>() / float(self.length);
        let windowed = self.rates.iter().zip(&self.window);
        let mut values: Vec<(f64, f64)> =
            windowed.map(|(rate, w)| ((rate - mean) * w, 0.0)).collect();
        self.fourier.transform(&mut values);
        for (sum, (re, im)) in self.sums.iter_mut().zip(&values) {
            *sum += re * re + im * im;
        }
        self.segments += 1;
    }

    pub(super) fn finish(mut self) -> Option<Spectrum> {
        if self.length == 0 || !self.any {
            return None;
        }
        self.close_until(self.bins);
        let power: f64 = self.window.iter().map(|w| w * w).sum();
        let bin_s = self.bin_ms / 1000.0;
        #[expect(clippy::cast_precision_loss, reason = "a number of segments")]
        let scale = bin_s / (power * self.segments as f64);
        let nyquist = self.length / 2;
        let sides = |k: usize| if k == 0 || k == nyquist { 1.0 } else { 2.0 };
        let density = self.sums.iter().enumerate();
        Some(Spectrum {
            step_hz: 1.0 / (float(self.length) * bin_s),
            density: density.map(|(k, sum)| sides(k) * scale * sum).collect(),
            segments: self.segments,
        })
    }
}

/// Discrete Fourier transform of a fixed length, a power of two.
pub(super) struct Fourier {
    /// e^(−2πik/n) for k < n/2.
    factors: Vec<(f64, f64)>,
}

impl Fourier {
    pub(super) fn new(length: usize) -> Self {
        let factor = |k: usize| {
            let angle = -2.0 * std::f64::consts::PI * float(k) / float(length);
            (libm::cos(angle), libm::sin(angle))
        };
        Self {
            factors: (0..length / 2).map(factor).collect(),
        }
    }

    /// Transforms in place: decimation in time, O(n log n).
    pub(super) fn transform(&self, values: &mut [(f64, f64)]) {
        let n = values.len();
        if n < 2 {
            return;
        }
        let shift = usize::BITS - n.ilog2();
        for k in 0..n {
            let mirrored = k.reverse_bits() >> shift;
            if k < mirrored {
                values.swap(k, mirrored);
            }
        }
        let mut half = 1;
        while half < n {
            let stride = n / (2 * half);
            for block in values.chunks_exact_mut(2 * half) {
                let (even, odd) = block.split_at_mut(half);
                for (k, (a, b)) in even.iter_mut().zip(odd).enumerate() {
                    let (re, im) = self.factors[k * stride];
                    let turned = (b.0 * re - b.1 * im, b.0 * im + b.1 * re);
                    (*a, *b) = (
                        (a.0 + turned.0, a.1 + turned.1),
                        (a.0 - turned.0, a.1 - turned.1),
                    );
                }
            }
            half *= 2;
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "lengths of segments")]
fn float(x: usize) -> f64 {
    x as f64
}
