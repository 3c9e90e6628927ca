//! A rate that falls when a metric no longer gets better.

use super::{ScheduleError, expect, expect_rate};

/// Which way is better.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Aim {
    /// Down: losses.
    Min,
    /// Up: accuracies.
    Max,
}

/// By how much a metric has to be better to count.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Threshold {
    /// By this share of the best so far.
    Relative(f64),
    /// By this much.
    Absolute(f64),
}

/// Multiplies the rate by a factor once a metric has not got better for more than `patience` epochs.
///
/// Defaults are PyTorch's: [`Aim::Min`], factor 0.1, patience 10, threshold 10⁻⁴ relative, cooldown 0,
/// least rate 0, smallest change 10⁻⁸. A metric that is NaN is not better.
///
/// Source: `ReduceLROnPlateau`, PyTorch 2.15.
///
/// ```
/// use rheobase_learning::schedule::Plateau;
///
/// let plateau = Plateau { factor: 0.5, patience: 1, ..Plateau::default() };
/// let mut state = plateau.begin(0.1)?;
/// // The second loss is better, the next two are not.
/// let rates: Vec<f64> = [1.0, 0.5, 0.6, 0.7, 0.4].map(|loss| plateau.observe(&mut state, loss)).into();
/// assert_eq!(rates, [0.1, 0.1, 0.1, 0.05, 0.05]);
/// # Ok::<(), rheobase_learning::schedule::ScheduleError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Plateau {
    /// Which way is better.
    pub aim: Aim,
    /// What the rate is multiplied by, above 0 and below 1.
    pub factor: f64,
    /// Epochs that may be no better than the best.
    pub patience: u64,
    /// What counts as better.
    pub threshold: Threshold,
    /// Epochs after a fall that do not count.
    pub cooldown: u64,
    /// The least rate.
    pub min: f64,
    /// A fall by no more than this is left out.
    pub smallest_change: f64,
}

impl Default for Plateau {
    fn default() -> Self {
        Self {
            aim: Aim::Min,
            factor: 0.1,
            patience: 10,
            threshold: Threshold::Relative(1e-4),
            cooldown: 0,
            min: 0.0,
            smallest_change: 1e-8,
        }
    }
}

/// Where a [`Plateau`] stands: all that a checkpoint has to keep.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PlateauState {
    /// The rate.
    pub rate: f64,
    /// The best metric so far; infinitely bad at first.
    pub best: f64,
    /// Epochs in a row that were no better.
    pub n_bad: u64,
    /// Epochs that will not count.
    pub cooldown_left: u64,
}

impl Plateau {
    /// The state before the first epoch, with rate `base`.
    ///
    /// # Errors
    /// If a parameter cannot be: a factor outside 0 … 1 or at its ends, negative rates or thresholds.
    pub fn begin(&self, base: f64) -> Result<PlateauState, ScheduleError> {
        let Self {
            factor,
            min,
            smallest_change,
            ..
        } = *self;
        expect_rate("base rate", base)?;
        expect_rate("min", min)?;
        expect_rate("smallest_change", smallest_change)?;
        let (Threshold::Relative(threshold) | Threshold::Absolute(threshold)) = self.threshold;
        expect_rate("threshold", threshold)?;
        expect(
            factor > 0.0 && factor < 1.0,
            "factor",
            factor,
            "above 0 and below 1",
        )?;
        Ok(PlateauState {
            rate: base,
            best: match self.aim {
                Aim::Min => f64::INFINITY,
                Aim::Max => f64::NEG_INFINITY,
            },
            n_bad: 0,
            cooldown_left: 0,
        })
    }

    /// Takes the metric of an epoch and gives the rate of the next.
    pub fn observe(&self, state: &mut PlateauState, metric: f64) -> f64 {
        if self.is_better(metric, state.best) {
            state.best = metric;
            state.n_bad = 0;
        } else {
            state.n_bad += 1;
        }
        if state.cooldown_left > 0 {
            state.cooldown_left -= 1;
            state.n_bad = 0;
        }
        if state.n_bad > self.patience {
            let lower = (state.rate * self.factor).max(self.min);
            if state.rate - lower > self.smallest_change {
                state.rate = lower;
            }
            state.cooldown_left = self.cooldown;
            state.n_bad = 0;
        }
        state.rate
    }

    fn is_better(&self, metric: f64, best: f64) -> bool {
        match (self.aim, self.threshold) {
            (Aim::Min, Threshold::Relative(share)) => metric < best * (1.0 - share),
            (Aim::Min, Threshold::Absolute(margin)) => metric < best - margin,
            (Aim::Max, Threshold::Relative(share)) => metric > best * (1.0 + share),
            (Aim::Max, Threshold::Absolute(margin)) => metric > best + margin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cooldown_and_least_rate_by_hand() {
        let plateau = Plateau {
            aim: Aim::Max,
            factor: 0.5,
            patience: 0,
            threshold: Threshold::Absolute(0.1),
            cooldown: 2,
            min: 0.3,
            ..Plateau::default()
        };
        let mut state = plateau.begin(1.0).unwrap();
        let rates = [0.5, 0.55, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, f64::NAN]
            .map(|metric| plateau.observe(&mut state, metric));
        // Better; worse: fall; two of cooldown; fall; two of cooldown; none below the least.
        assert_eq!(rates, [1.0, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3]);
        assert_eq!(state.best, 0.5);
    }

    #[test]
    fn a_saved_state_goes_on_as_if_never_saved() {
        let plateau = Plateau {
            patience: 2,
            ..Plateau::default()
        };
        let metric = |epoch: u32| 1.0 / f64::from(epoch.min(5) + 1);
        let mut whole = plateau.begin(0.1).unwrap();
        let rates: Vec<f64> = (0..20)
            .map(|e| plateau.observe(&mut whole, metric(e)))
            .collect();
        let mut state = plateau.begin(0.1).unwrap();
        for e in 0..7 {
            plateau.observe(&mut state, metric(e));
        }
        let mut saved = state;
        let later: Vec<f64> = (7..20)
            .map(|e| plateau.observe(&mut saved, metric(e)))
            .collect();
        assert_eq!(later, rates[7..]);
        assert_eq!(saved, whole);
        assert!(rates[19] < 0.1);
    }

    #[test]
    fn wrong_parameters_are_errors() {
        let good = Plateau::default();
        assert!(good.begin(f64::NAN).is_err());
        for wrong in [
            Plateau {
                factor: 1.0,
                ..good
            },
            Plateau { min: -1.0, ..good },
            Plateau {
                threshold: Threshold::Absolute(-1.0),
                ..good
            },
            Plateau {
                smallest_change: f64::NAN,
                ..good
            },
        ] {
            assert!(wrong.begin(0.1).is_err());
        }
    }
}
