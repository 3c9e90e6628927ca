//! What can be said of spikes after a run: statistics, correlation, power spectrum, distributions.
//!
//! For a population of `n` neurons and the window of the steps `start < s ≤ end` of `dt` ms, next
//! to what [`statistics`](crate::statistics) defines:
//!
//! * **correlation** = mean, over all pairs of `m = min(n, 200)` evenly chosen neurons
//!   (`floor(k·n/m)`), of Pearson's coefficient of their spike counts in bins of
//!   [`AnalysisOptions::bin_steps`] steps; whole bins only; pairs with a neuron whose counts do not
//!   vary are left out. Sums are exact integers;
//! * **spectrum** = one-sided power spectral density of the population rate
//!   `r_k = c_k / (n·Δ)` in bins `Δ` of 1 ms (one step, where steps are longer), by Welch's method:
//!   segments of `L` = 1024 bins (the largest power of two that fits a shorter window), half
//!   overlapping, each less its mean and under a Hann window `w_k = sin²(πk/L)`;
//!   `S(f_j) = 2Δ/(Σw²) · ⟨|Σ_k w_k (r_k − r̄) e^(−2πijk/L)|²⟩` in Hz²/Hz, without the factor 2 at
//!   0 and at the Nyquist frequency. Independent Poisson trains of rate ν give 2ν/n at every
//!   frequency.
//!
//! Spikes are visited once, block by block; memory is 48 bytes a neuron and 8·m² for the pairs.

mod correlation;
mod distribution;
mod spectrum;

pub use correlation::MOST_CORRELATED;
pub use distribution::Distribution;
pub use spectrum::Spectrum;

use crate::statistics::{PopulationStatistics, Statistics, StatisticsError};
use crate::{SourceError, SpikeSource};
use correlation::Correlation;
use spectrum::Welch;
use thiserror::Error;

/// Why spikes cannot be analysed.
#[derive(Debug, Error)]
pub enum AnalysisError {
    /// They cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The window or the time step is of no use.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
    /// So many neurons do not fit into memory.
    #[error(
        "population {population} has {neurons} neurons: the analysis would need {bytes} bytes, \
         but only {limit} may be used"
    )]
    Memory {
        /// Name of the population.
        population: String,
        /// Its size.
        neurons: u32,
        /// Bytes needed.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A window so long that it must be an error.
    #[error("the window holds {bins} bins of {bin_ms} ms; at most {MOST_BINS} are analysed")]
    TooLong {
        /// Bins in the window.
        bins: u64,
        /// Their width \[ms\].
        bin_ms: f64,
    },
}

/// Bins of a spectrum at most: 24 days in bins of 1 ms.
pub const MOST_BINS: u64 = 1 << 31;

/// Bytes per neuron that an analysis takes at most, plots included.
const NEURON_BYTES: u64 = 80;

/// What is analysed.
#[derive(Debug, Clone, Copy)]
pub struct AnalysisOptions {
    /// Time step \[ms\].
    pub dt_ms: f64,
    /// Last step before the window.
    pub start_step: u64,
    /// Last step of the window.
    pub end_step: u64,
    /// Steps of a bin of the correlation.
    pub bin_steps: u64,
    /// Bytes that may be used.
    pub memory_limit: u64,
}

/// What came out of one population.
#[derive(Debug, Clone)]
pub struct PopulationAnalysis {
    /// Name.
    pub name: String,
    /// Rate, irregularity, synchrony.
    pub statistics: Statistics,
    /// Mean correlation of pairs; `None` where no pair varies.
    pub correlation: Option<f64>,
    /// Pairs that went into it.
    pub pairs: u64,
    /// Power spectrum of the rate; `None` without spikes or in a window below 16 bins.
    pub spectrum: Option<Spectrum>,
    /// Rates of the neurons \[Hz\].
    pub rates: Distribution,
    /// Coefficients of variation of the neurons that have one.
    pub cvs: Distribution,
}

/// Analyses one population.
///
/// # Errors
/// See [`AnalysisError`].
///
/// # Example
/// ```
/// use rheobase_report::analysis::{AnalysisOptions, analyse};
/// use rheobase_report::{PopulationSpikes, Spikes};
///
/// // Two neurons of three fire together every 10 ms.
/// let steps: Vec<u64> = (1..=100).flat_map(|k| [100 * k, 100 * k]).collect();
/// let neurons: Vec<u32> = (0..100).flat_map(|_| [0, 2]).collect();
/// let spikes = Spikes::new(&steps, &neurons)?;
/// let options = AnalysisOptions {
///     dt_ms: 0.1,
///     start_step: 0,
///     end_step: 10_000,
///     bin_steps: 20,
///     memory_limit: u64::MAX,
/// };
/// let result = analyse(&mut PopulationSpikes { name: "E", size: 3, spikes }, &options)?;
/// assert_eq!(result.correlation, Some(1.0));
/// assert_eq!(result.pairs, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn analyse(
    source: &mut dyn SpikeSource,
    options: &AnalysisOptions,
) -> Result<PopulationAnalysis, AnalysisError> {
    let (name, size) = (source.name().to_owned(), source.size());
    check_memory(&name, size, options)?;
    let (start, end) = (options.start_step, options.end_step);
    let mut statistics = PopulationStatistics::new(size, options.dt_ms, start)?;
    let mut correlation = Correlation::new(size, start, end, options.bin_steps);
    let mut welch = Welch::new(size, options.dt_ms, start, end);
    if welch.bins() > MOST_BINS {
        return Err(AnalysisError::TooLong {
            bins: welch.bins(),
            bin_ms: welch.bin_ms(),
        });
    }
    let mut failed = None;
    source.visit(start, end, &mut |block| {
        if failed.is_none() {
            failed = statistics.extend(block).err();
        }
        correlation.extend(block);
        welch.extend(block);
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let summary = statistics.finish(end)?;
    let (correlation, pairs) = correlation.finish();
    let seconds = summary.window_s;
    #[expect(clippy::cast_precision_loss, reason = "a number of spikes")]
    let rates = statistics.counts().map(|count| count as f64 / seconds);
    Ok(PopulationAnalysis {
        name,
        statistics: summary,
        correlation,
        pairs,
        spectrum: welch.finish(),
        rates: Distribution::of(rates),
        cvs: Distribution::of(statistics.cvs()),
    })
}

fn check_memory(name: &str, size: u32, options: &AnalysisOptions) -> Result<(), AnalysisError> {
    let bytes = NEURON_BYTES.saturating_mul(u64::from(size));
    if bytes <= options.memory_limit {
        return Ok(());
    }
    Err(AnalysisError::Memory {
        population: name.to_owned(),
        neurons: size,
        bytes,
        limit: options.memory_limit,
    })
}

#[cfg(test)]
mod tests;
