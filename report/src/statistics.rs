//! Rate, irregularity and synchrony of one population.
//!
//! For a population of `n` neurons and the window of the steps `start < s ≤ end` of `dt` ms:
//!
//! * **rate** \[Hz\] = spikes / (n · (end − start)·dt);
//! * **irregularity** `cv_isi` = mean over the neurons with at least three spikes in the window
//!   of sd(ISI) / mean(ISI), the standard deviation over all intervals (`ddof` 0);
//! * **synchrony** = variance / mean of the population's spike counts in bins of 3 ms
//!   ([`SYNCHRONY_BIN_MS`]), only whole bins, population variance. Independent Poisson trains
//!   give 1.
//!
//! Counts, intervals and their squares are integers (steps), hence exact; the only roundings are
//! one division and one square root per neuron. [`PopulationStatistics`] is the one
//! implementation, the functions over [`Spikes`] go through it.

mod state;

use crate::{Spikes, TimeStep, TimeStepError};
use thiserror::Error;

/// Width of the bins of the synchrony measure \[ms\].
pub const SYNCHRONY_BIN_MS: u32 = 3;

/// Why statistics cannot be computed.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum StatisticsError {
    /// The time step is not a usable number.
    #[error(transparent)]
    TimeStep(#[from] TimeStepError),
    /// A population of no neurons has no rate.
    #[error("a population of no neurons has no statistics")]
    NoNeurons,
    /// The window holds no step.
    #[error("the window from step {start_step} to step {end_step} holds no step")]
    EmptyWindow {
        /// Last step before the window.
        start_step: u64,
        /// Last step of the window.
        end_step: u64,
    },
    /// A spike names a neuron that is not there.
    #[error("a spike of neuron {neuron} in a population of {n}")]
    NoSuchNeuron {
        /// The neuron named.
        neuron: u32,
        /// Size of the population.
        n: u32,
    },
    /// A spike came after a later one.
    #[error("step {step} came after step {previous}: spikes are pushed in order of time")]
    OutOfOrder {
        /// Step of the late spike.
        step: u64,
        /// Step pushed before it.
        previous: u64,
    },
    /// A spike lies behind the end of the window.
    #[error("a spike at step {step} lies behind the end of the window, step {end_step}")]
    BehindWindow {
        /// Step of the spike.
        step: u64,
        /// Last step of the window.
        end_step: u64,
    },
}

/// The statistics of one population over one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// Size of the population.
    pub n: u32,
    /// Spikes in the window.
    pub spikes: u64,
    /// Length of the window \[s\].
    pub window_s: f64,
    /// Mean rate per neuron \[Hz\].
    pub rate_hz: f64,
    /// Mean coefficient of variation of the inter-spike intervals; `None` where no neuron fired
    /// three times.
    pub cv_isi: Option<f64>,
    /// Variance over mean of the spike counts in 3 ms bins; `None` where no whole bin holds a
    /// spike.
    pub synchrony: Option<f64>,
}

/// What is remembered of one neuron: enough for mean and variance of its intervals.
#[derive(Debug, Clone, Copy, Default)]
struct Intervals {
    spikes: u64,
    first: u64,
    last: u64,
    sum_of_squares: u128,
}

impl Intervals {
    fn push(&mut self, step: u64) {
        if self.spikes == 0 {
            self.first = step;
        } else {
            let interval = u128::from(step - self.last);
            self.sum_of_squares += interval * interval;
        }
        self.last = step;
        self.spikes += 1;
    }

    /// sd/mean of the intervals; intervals telescope to `last − first`.
    fn cv(&self) -> Option<f64> {
        let sum = u128::from(self.last - self.first);
        if self.spikes < 3 || sum == 0 {
            return None;
        }
        let m = u128::from(self.spikes - 1);
        // sd/mean = sqrt(Σx²/m − (Σx/m)²) / (Σx/m) = sqrt(m·Σx² − (Σx)²) / Σx
        let numerator = (m * self.sum_of_squares).saturating_sub(sum * sum);
        Some(to_f64(numerator).sqrt() / to_f64(sum))
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact integers leave integer arithmetic here"
)]
fn to_f64(x: u128) -> f64 {
    x as f64
}

/// Collects the statistics of one population while a simulation runs.
///
/// Memory: 48 bytes a neuron, whatever the length of the window. `push` costs O(spikes).
///
/// # Example
/// ```
/// use rheobase_report::statistics::PopulationStatistics;
///
/// // One neuron of two fires every 10 ms for 1 s.
/// let mut statistics = PopulationStatistics::new(2, 0.1, 0)?;
/// for k in 1..=100 {
///     statistics.push(100 * k, &[1])?;
/// }
/// let result = statistics.finish(10_000)?;
/// assert_eq!(result.rate_hz, 50.0);
/// assert_eq!(result.cv_isi, Some(0.0));
/// # Ok::<(), rheobase_report::statistics::StatisticsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct PopulationStatistics {
    dt: TimeStep,
    start_step: u64,
    latest_step: u64,
    n: u32,
    spikes: u64,
    neurons: Vec<Intervals>,
    bins: Bins,
}

/// Sums over the bins of the synchrony measure; spikes come in order, so one bin is open at a
/// time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Bins {
    /// The bin that is open.
    open: u64,
    /// Spikes in it.
    count: u64,
    /// Spikes in the bins before it.
    sum: u128,
    /// Sum of the squares of their counts.
    squares: u128,
}

impl Bins {
    fn add(&mut self, bin: u64, spikes: u64) {
        if bin != self.open {
            (self.sum, self.squares) = self.sums(u64::MAX);
            (self.open, self.count) = (bin, 0);
        }
        self.count += spikes;
    }

    /// Sums over the first `whole` bins. No bin before the open one lies behind them.
    fn sums(&self, whole: u64) -> (u128, u128) {
        let count = if self.open < whole {
            u128::from(self.count)
        } else {
            0
        };
        (self.sum + count, self.squares + count * count)
    }
}

impl PopulationStatistics {
    /// Starts a window behind `start_step` for `n` neurons and steps of `dt_ms` ms.
    ///
    /// # Errors
    /// When `n` is 0 or `dt_ms` is no usable time step.
    pub fn new(n: u32, dt_ms: f64, start_step: u64) -> Result<Self, StatisticsError> {
        if n == 0 {
            return Err(StatisticsError::NoNeurons);
        }
        Ok(Self {
            dt: TimeStep::from_ms(dt_ms)?,
            start_step,
            latest_step: 0,
            n,
            spikes: 0,
            neurons: vec![Intervals::default(); n as usize],
            bins: Bins::default(),
        })
    }

    /// Adds the spikes of one step, in any order of neurons. Steps come in ascending order; those
    /// up to `start_step` are outside the window and ignored. A neuron named twice fired twice.
    ///
    /// # Errors
    /// When `step` is smaller than one pushed before, or a neuron is not there.
    pub fn push(&mut self, step: u64, neurons: &[u32]) -> Result<(), StatisticsError> {
        if neurons.is_empty() {
            return Ok(());
        }
        if step < self.latest_step {
            return Err(StatisticsError::OutOfOrder {
                step,
                previous: self.latest_step,
            });
        }
        if let Some(&neuron) = neurons.iter().find(|&&neuron| neuron >= self.n) {
            return Err(StatisticsError::NoSuchNeuron { neuron, n: self.n });
        }
        self.latest_step = step;
        if step <= self.start_step {
            return Ok(());
        }
        for &neuron in neurons {
            self.neurons[neuron as usize].push(step);
        }
        self.spikes += neurons.len() as u64;
        let bin = self.dt.bin(step - self.start_step, SYNCHRONY_BIN_MS);
        self.bins.add(bin, neurons.len() as u64);
        Ok(())
    }

    /// Number of neurons.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.n
    }

    /// Spikes counted so far.
    #[must_use]
    pub fn spikes(&self) -> u64 {
        self.spikes
    }

    /// Adds spikes, sorted by step, as [`push`](Self::push).
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub fn extend(&mut self, spikes: Spikes<'_>) -> Result<(), StatisticsError> {
        let mut rest = (spikes.steps(), spikes.neurons());
        while let Some(&step) = rest.0.first() {
            let n = rest.0.iter().take_while(|&&s| s == step).count();
            self.push(step, &rest.1[..n])?;
            rest = (&rest.0[n..], &rest.1[n..]);
        }
        Ok(())
    }

    /// Spikes of each neuron in the window.
    pub fn counts(&self) -> impl Iterator<Item = u64> + Clone {
        self.neurons.iter().map(|neuron| neuron.spikes)
    }

    /// The coefficient of variation of the intervals of each neuron that has one (three spikes or
    /// more), in order of the neurons.
    pub fn cvs(&self) -> impl Iterator<Item = f64> + Clone {
        self.neurons.iter().filter_map(Intervals::cv)
    }

    /// Closes the window after `end_step` and gives its statistics. O(n + bins).
    ///
    /// # Errors
    /// When the window holds no step or a pushed spike lies behind it.
    pub fn finish(&self, end_step: u64) -> Result<Statistics, StatisticsError> {
        let start_step = self.start_step;
        if end_step <= start_step {
            return Err(StatisticsError::EmptyWindow {
                start_step,
                end_step,
            });
        }
        if self.latest_step > end_step {
            return Err(StatisticsError::BehindWindow {
                step: self.latest_step,
                end_step,
            });
        }
        let window_s = self.dt.seconds(end_step - start_step);
        Ok(Statistics {
            n: self.n,
            spikes: self.spikes,
            window_s,
            rate_hz: to_f64(u128::from(self.spikes)) / (f64::from(self.n) * window_s),
            cv_isi: self.mean_cv(),
            synchrony: self.variance_over_mean(end_step),
        })
    }

    fn mean_cv(&self) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0_u32);
        for cv in self.cvs() {
            sum += cv;
            count += 1;
        }
        (count > 0).then(|| sum / f64::from(count))
    }

    fn variance_over_mean(&self, end_step: u64) -> Option<f64> {
        let whole = self
            .dt
            .whole_bins(end_step - self.start_step, SYNCHRONY_BIN_MS);
        let (sum, squares) = self.bins.sums(whole);
        // (Σc²/B − (Σc/B)²) / (Σc/B) = (B·Σc² − (Σc)²) / (B·Σc); bins behind the last spike are 0.
        let bins = u128::from(whole);
        (sum > 0).then(|| to_f64(bins * squares - sum * sum) / (to_f64(bins) * to_f64(sum)))
    }
}

/// The statistics of `spikes`, of which those with `start_step < step ≤ end_step` count.
///
/// # Errors
/// See [`StatisticsError`].
///
/// # Example
/// ```
/// use rheobase_report::{Spikes, statistics::summarise};
///
/// let (steps, neurons) = ([10, 20, 40], [0, 0, 0]);
/// let result = summarise(Spikes::new(&steps, &neurons)?, 1, 0.1, 0, 60)?;
/// assert_eq!(result.spikes, 3);
/// assert_eq!(result.rate_hz, 500.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn summarise(
    spikes: Spikes<'_>,
    n: u32,
    dt_ms: f64,
    start_step: u64,
    end_step: u64,
) -> Result<Statistics, StatisticsError> {
    let mut statistics = PopulationStatistics::new(n, dt_ms, start_step)?;
    statistics.extend(spikes.window(start_step, end_step))?;
    statistics.finish(end_step)
}

/// Mean rate per neuron \[Hz\]; arguments and errors as for [`summarise`].
///
/// # Errors
/// See [`StatisticsError`].
pub fn rate_hz(
    spikes: Spikes<'_>,
    n: u32,
    dt_ms: f64,
    start_step: u64,
    end_step: u64,
) -> Result<f64, StatisticsError> {
    summarise(spikes, n, dt_ms, start_step, end_step).map(|s| s.rate_hz)
}

/// Irregularity (mean CV of the inter-spike intervals); arguments and errors as for
/// [`summarise`].
///
/// # Errors
/// See [`StatisticsError`].
pub fn cv_isi(
    spikes: Spikes<'_>,
    n: u32,
    dt_ms: f64,
    start_step: u64,
    end_step: u64,
) -> Result<Option<f64>, StatisticsError> {
    summarise(spikes, n, dt_ms, start_step, end_step).map(|s| s.cv_isi)
}

/// Synchrony (variance over mean of 3 ms spike counts); arguments and errors as for
/// [`summarise`].
///
/// # Errors
/// See [`StatisticsError`].
pub fn synchrony(
    spikes: Spikes<'_>,
    n: u32,
    dt_ms: f64,
    start_step: u64,
    end_step: u64,
) -> Result<Option<f64>, StatisticsError> {
    summarise(spikes, n, dt_ms, start_step, end_step).map(|s| s.synchrony)
}

#[cfg(test)]
mod tests;
