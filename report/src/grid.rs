//! The time step as an exact rational number, so that bins and stamps need no float comparison.

use thiserror::Error;

/// Why a number cannot be a time step.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("time step {dt_ms} ms is outside {MIN_MS} ms to {MAX_MS} ms")]
pub struct TimeStepError {
    /// The refused value \[ms\].
    pub dt_ms: f64,
}

const MIN_MS: f64 = 1e-6;
const MAX_MS: f64 = 1e6;

/// A time step \[ms\], kept as the exact fraction its shortest decimal form denotes.
///
/// `0.1` as a binary float is not a tenth; the number its author wrote is. All bin borders and
/// time stamps are therefore computed from the fraction `p/q` of the shortest decimal that reads
/// back as the given float (`0.1` → 1/10), in integers.
///
/// Steps are counted from 1: the state after `s` steps has time `s·dt`, and a spike of step `s`
/// is stamped `s·dt`. A window `(start, end]` holds the steps `start < s ≤ end`.
///
/// # Example
/// ```
/// use rheobase_report::TimeStep;
///
/// let dt = TimeStep::from_ms(0.1)?;
/// assert_eq!(dt.time_ms(3), 0.3); // 3.0 * 0.1 would give 0.30000000000000004
/// assert_eq!(dt.bin(30, 3), 0);   // step 30 ends the first 3 ms bin
/// assert_eq!(dt.bin(31, 3), 1);
/// # Ok::<(), rheobase_report::TimeStepError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeStep {
    ms: f64,
    numerator: u128,
    denominator: u128,
}

impl TimeStep {
    /// Reads a time step \[ms\].
    ///
    /// # Errors
    /// When `dt_ms` is not a number between 1e-6 ms and 1e6 ms.
    pub fn from_ms(dt_ms: f64) -> Result<Self, TimeStepError> {
        if !(MIN_MS..=MAX_MS).contains(&dt_ms) {
            return Err(TimeStepError { dt_ms });
        }
        let (numerator, denominator) =
            decimal_fraction(&dt_ms.to_string()).ok_or(TimeStepError { dt_ms })?;
        Ok(Self {
            ms: dt_ms,
            numerator,
            denominator,
        })
    }

    /// The time step \[ms\].
    #[must_use]
    pub fn ms(self) -> f64 {
        self.ms
    }

    /// The time of `step` \[ms\], correctly rounded while `step·p < 2^53` (`dt = p/q`).
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "rounding to the nearest float is the point"
    )]
    pub fn time_ms(self, step: u64) -> f64 {
        (u128::from(step) * self.numerator) as f64 / self.denominator as f64
    }

    /// The step nearest to a time \[ms\]; `None` where that is no step.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a whole number in range"
    )]
    pub fn nearest_step(self, time_ms: f64) -> Option<u64> {
        const FIRST_INEXACT: f64 = 9_007_199_254_740_992.0;
        let step = (time_ms / self.ms).round();
        (0.0..FIRST_INEXACT).contains(&step).then_some(step as u64)
    }

    /// The length of `steps` steps \[s\].
    #[must_use]
    pub fn seconds(self, steps: u64) -> f64 {
        self.time_ms(steps) / 1000.0
    }

    /// The bin that holds the `step`-th step after the origin (`step ≥ 1`) when bins are
    /// `bin_ms` ms wide: the `k` with `k·bin < step·dt ≤ (k+1)·bin`.
    ///
    /// Where the step divides the bin, that is `(step − 1) / (bin/dt)`; elsewhere the exact
    /// fraction is rounded down, so a bin holds now one step more, now one less.
    #[must_use]
    pub fn bin(self, step: u64, bin_ms: u32) -> u64 {
        let reached = u128::from(step) * self.numerator;
        saturate(reached.saturating_sub(1) / (self.denominator * u128::from(bin_ms.max(1))))
    }

    /// How many bins of `bin_ms` ms fit wholly into `steps` steps.
    #[must_use]
    pub fn whole_bins(self, steps: u64, bin_ms: u32) -> u64 {
        let length = u128::from(steps) * self.numerator;
        saturate(length / (self.denominator * u128::from(bin_ms.max(1))))
    }
}

fn saturate(x: u128) -> u64 {
    u64::try_from(x).unwrap_or(u64::MAX)
}

/// The reduced fraction of a decimal such as `0.025`. The range of [`TimeStep`] keeps both parts
/// below 2^80: at most 17 digits, the last at most at 1e-23.
fn decimal_fraction(text: &str) -> Option<(u128, u128)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let shared = greatest_common_divisor(digits, scale);
    Some((digits / shared, scale / shared))
}

fn greatest_common_divisor(a: u128, b: u128) -> u128 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_become_reduced_fractions() {
        for (text, expected) in [
            ("0.1", (1, 10)),
            ("1", (1, 1)),
            ("0.025", (1, 40)),
            ("1.5", (3, 2)),
            ("7", (7, 1)),
        ] {
            assert_eq!(decimal_fraction(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn stamps_are_the_nearest_floats_of_the_decimals() {
        let dt = TimeStep::from_ms(0.1).unwrap();
        for step in 0..100_000_u64 {
            let decimal: f64 = format!("{}.{}", step / 10, step % 10).parse().unwrap();
            assert_eq!(dt.time_ms(step).to_bits(), decimal.to_bits(), "step {step}");
        }
    }

    #[test]
    fn a_step_that_does_not_divide_the_bin_is_binned_by_its_end() {
        // dt 0.7 ms, bins of 3 ms: steps end at 0.7 1.4 2.1 2.8 | 3.5 4.2 4.9 5.6 | 6.3 …
        let dt = TimeStep::from_ms(0.7).unwrap();
        let bins: Vec<u64> = (1..=9).map(|step| dt.bin(step, 3)).collect();
        assert_eq!(bins, [0, 0, 0, 0, 1, 1, 1, 1, 2]);
        assert_eq!(dt.whole_bins(8, 3), 1);
        assert_eq!(dt.whole_bins(9, 3), 2);
        assert_eq!(dt.whole_bins(30, 3), 7);
    }

    #[test]
    fn extremes_neither_overflow_nor_pass() {
        for bad in [0.0, -0.1, f64::NAN, f64::INFINITY, 1e-7, 1.1e6] {
            assert!(TimeStep::from_ms(bad).is_err(), "{bad}");
        }
        for good in [
            1e-6,
            1e6,
            1.0 / 3.0,
            1.2345678901234567e-6,
            999_999.999_999_999_9,
        ] {
            let dt = TimeStep::from_ms(good).unwrap();
            let step = u64::MAX;
            let relative = dt.time_ms(step) / (step as f64 * good) - 1.0;
            assert!(relative.abs() < 1e-15, "{good}: {relative}");
            assert!(dt.bin(step, 3) <= dt.whole_bins(step, 3));
        }
    }
}
