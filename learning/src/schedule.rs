//! Learning rates over time.
//!
//! A [`Schedule`] gives the rate of an epoch (or of a step: whichever it is asked by) as a pure
//! function of its number, from 0. [`Plateau`] watches a metric instead and keeps a state.
//!
//! With base rate η, epoch e:
//!
//! | schedule | rate |
//! |---|---|
//! | [`Schedule::constant`] | η |
//! | [`Schedule::step`] | η·γ^⌊e/size⌋ |
//! | [`Schedule::multi_step`] | η·γ^k, k milestones being ≤ e |
//! | [`Schedule::exponential`] | η·γ^e |
//! | [`Schedule::cosine`] | η_min + (η − η_min)·(1 + cos(π·e/period))/2 |
//! | [`Schedule::warm_restarts`] | the same, restarting; each period `factor` times the one before |
//! | [`Schedule::cyclic`] | from η up to `max` in `up` epochs, down again in `down` |
//! | [`Schedule::lambda`] | η·f(e) |
//! | [`Schedule::with_warm_up`] | any of these, times a factor that rises linearly to 1 |
//!
//! Source: `torch.optim.lr_scheduler` of PyTorch 2.15 (`StepLR`, `MultiStepLR`, `ExponentialLR`,
//! `CosineAnnealingLR`, `CosineAnnealingWarmRestarts`, `CyclicLR`, `LambdaLR`, `LinearLR`,
//! `ReduceLROnPlateau`), whose rates these equal but for rounding.
//!
//! # Example
//! ```
//! use rheobase_learning::schedule::Schedule;
//!
//! let schedule = Schedule::step(0.1, 30, 0.5)?.with_warm_up(4, 0.2)?;
//! let rates: Vec<f64> = [0, 2, 4, 29, 30].map(|e| schedule.rate(e)).to_vec();
//! assert!(rates.iter().zip([0.02, 0.06, 0.1, 0.1, 0.05]).all(|(a, b)| (a - b).abs() < 1e-15));
//! # Ok::<(), rheobase_learning::schedule::ScheduleError>(())
//! ```

mod plateau;

pub use plateau::{Aim, Plateau, PlateauState, Threshold};

/// Why a schedule cannot be.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("{name} of a schedule is {value}: expected {expected}")]
pub struct ScheduleError {
    /// The parameter.
    pub name: &'static str,
    /// The refused value.
    pub value: f64,
    /// What would be accepted.
    pub expected: &'static str,
}

pub(crate) fn expect(
    holds: bool,
    name: &'static str,
    value: f64,
    expected: &'static str,
) -> Result<(), ScheduleError> {
    let error = ScheduleError {
        name,
        value,
        expected,
    };
    if holds { Ok(()) } else { Err(error) }
}

fn expect_rate(name: &'static str, rate: f64) -> Result<(), ScheduleError> {
    expect(
        rate >= 0.0 && rate.is_finite(),
        name,
        rate,
        "a finite number of 0 or more",
    )
}

fn expect_gamma(gamma: f64) -> Result<(), ScheduleError> {
    expect(
        gamma > 0.0 && gamma.is_finite(),
        "gamma",
        gamma,
        "a finite number above 0",
    )
}

fn expect_length(name: &'static str, length: u64) -> Result<(), ScheduleError> {
    expect(length > 0, name, float(length), "1 or more")
}

/// A learning rate as a function of the epoch.
#[derive(Clone, Debug)]
pub struct Schedule {
    base: f64,
    form: Form,
    /// Length, and the factor at epoch 0.
    warm_up: Option<(u64, f64)>,
}

#[derive(Clone, Debug)]
enum Form {
    Constant,
    Step {
        size: u64,
        gamma: f64,
    },
    MultiStep {
        /// Ascending.
        milestones: Vec<u64>,
        gamma: f64,
    },
    Exponential {
        gamma: f64,
    },
    Cosine {
        period: u64,
        min: f64,
    },
    WarmRestarts {
        period: u64,
        factor: u64,
        min: f64,
    },
    Cyclic {
        max: f64,
        up: u64,
        down: u64,
        /// The height of each cycle, as a share of that of the one before.
        decay: f64,
    },
    Lambda(fn(u64) -> f64),
}

impl Schedule {
    fn new(base: f64, form: Form) -> Result<Self, ScheduleError> {
        expect_rate("base rate", base)?;
        Ok(Self {
            base,
            form,
            warm_up: None,
        })
    }

    /// Always `base`.
    ///
    /// # Errors
    /// If `base` is negative or not finite.
    pub fn constant(base: f64) -> Result<Self, ScheduleError> {
        Self::new(base, Form::Constant)
    }

    /// Times `gamma` (PyTorch's default 0.1) every `size` epochs.
    ///
    /// # Errors
    /// If `base` is negative, `gamma` not above 0, or `size` 0.
    pub fn step(base: f64, size: u64, gamma: f64) -> Result<Self, ScheduleError> {
        expect_length("size", size)?;
        expect_gamma(gamma)?;
        Self::new(base, Form::Step { size, gamma })
    }

    /// Times `gamma` (PyTorch's default 0.1) at every milestone; one that is named twice counts twice.
    ///
    /// # Errors
    /// If `base` is negative or `gamma` not above 0.
    pub fn multi_step(base: f64, milestones: &[u64], gamma: f64) -> Result<Self, ScheduleError> {
        expect_gamma(gamma)?;
        let mut milestones = milestones.to_vec();
        milestones.sort_unstable();
        Self::new(base, Form::MultiStep { milestones, gamma })
    }

    /// Times `gamma` every epoch.
    ///
    /// # Errors
    /// If `base` is negative or `gamma` not above 0.
    pub fn exponential(base: f64, gamma: f64) -> Result<Self, ScheduleError> {
        expect_gamma(gamma)?;
        Self::new(base, Form::Exponential { gamma })
    }

    /// Half a cosine from `base` down to `min` (PyTorch's default 0) in `period` epochs; then up again.
    ///
    /// # Errors
    /// If a rate is negative or `period` 0.
    pub fn cosine(base: f64, period: u64, min: f64) -> Result<Self, ScheduleError> {
        expect_length("period", period)?;
        expect_rate("min", min)?;
        Self::new(base, Form::Cosine { period, min })
    }

    /// Half a cosine from `base` down towards `min` in `period` epochs, then from `base` again in
    /// `factor` times as many (PyTorch's default 1), and so on.
    ///
    /// # Errors
    /// If a rate is negative, or `period` or `factor` 0.
    pub fn warm_restarts(
        base: f64,
        period: u64,
        factor: u64,
        min: f64,
    ) -> Result<Self, ScheduleError> {
        expect_length("period", period)?;
        expect_length("factor", factor)?;
        expect_rate("min", min)?;
        Self::new(
            base,
            Form::WarmRestarts {
                period,
                factor,
                min,
            },
        )
    }

    /// Triangles from `base` up to `max` in `up` epochs and down in `down`. Each is `decay` times as
    /// high as the one before: 1 for PyTorch's mode `triangular`, ½ for `triangular2`.
    ///
    /// # Errors
    /// If a rate is negative, a length 0, or `decay` outside 0 … 1 or 0.
    pub fn cyclic(
        base: f64,
        max: f64,
        up: u64,
        down: u64,
        decay: f64,
    ) -> Result<Self, ScheduleError> {
        expect_rate("max", max)?;
        expect_length("up", up)?;
        expect_length("down", down)?;
        expect(
            decay > 0.0 && decay <= 1.0,
            "decay",
            decay,
            "above 0, at most 1",
        )?;
        Self::new(
            base,
            Form::Cyclic {
                max,
                up,
                down,
                decay,
            },
        )
    }

    /// `base` times a factor of your own. It should depend on nothing but the epoch: a resumed training
    /// asks it again.
    ///
    /// # Errors
    /// If `base` is negative or not finite.
    pub fn lambda(base: f64, factor: fn(u64) -> f64) -> Result<Self, ScheduleError> {
        Self::new(base, Form::Lambda(factor))
    }

    /// The same schedule times a factor that rises linearly from `start` (PyTorch's default ⅓) at epoch
    /// 0 to 1 at epoch `length`. Replaces an earlier warm-up.
    ///
    /// # Errors
    /// If `length` is 0 or `start` outside 0 … 1.
    pub fn with_warm_up(mut self, length: u64, start: f64) -> Result<Self, ScheduleError> {
        expect_length("warm-up", length)?;
        expect(
            (0.0..=1.0).contains(&start),
            "start of the warm-up",
            start,
            "0 … 1",
        )?;
        self.warm_up = Some((length, start));
        Ok(self)
    }

    /// The rate of an epoch, counted from 0. O(1); of milestones and restarts, O(log) of their number.
    #[must_use]
    pub fn rate(&self, epoch: u64) -> f64 {
        let rate = self.form.rate(self.base, epoch);
        match self.warm_up {
            Some((length, start)) if epoch < length => {
                rate * (start + (1.0 - start) * float(epoch) / float(length))
            }
            _ => rate,
        }
    }
}

impl Form {
    fn rate(&self, base: f64, epoch: u64) -> f64 {
        match self {
            Self::Constant => base,
            Self::Step { size, gamma } => base * libm::pow(*gamma, float(epoch / size)),
            Self::MultiStep { milestones, gamma } => {
                let passed = milestones.partition_point(|&m| m <= epoch);
                base * libm::pow(*gamma, float(passed as u64))
            }
            Self::Exponential { gamma } => base * libm::pow(*gamma, float(epoch)),
            Self::Cosine { period, min } => {
                cosine(base, *min, epoch % period.saturating_mul(2), *period)
            }
            Self::WarmRestarts {
                period,
                factor,
                min,
            } => {
                let (since, length) = since_restart(epoch, *period, *factor);
                cosine(base, *min, since, length)
            }
            Self::Cyclic {
                max,
                up,
                down,
                decay,
            } => {
                let length = up.saturating_add(*down);
                let (cycle, place) = (epoch / length, epoch % length);
                let height = if place <= *up {
                    float(place) / float(*up)
                } else {
                    float(length - place) / float(*down)
                };
                base + (max - base) * height * libm::pow(*decay, float(cycle))
            }
            Self::Lambda(factor) => base * factor(epoch),
        }
    }
}

fn cosine(base: f64, min: f64, epoch: u64, period: u64) -> f64 {
    let phase = std::f64::consts::PI * float(epoch) / float(period);
    min + (base - min) * (1.0 + libm::cos(phase)) / 2.0
}

/// Epochs since the last restart, and the length of the period it began.
fn since_restart(epoch: u64, period: u64, factor: u64) -> (u64, u64) {
    if factor == 1 {
        return (epoch % period, period);
    }
    let (mut since, mut length) = (epoch, period);
    while since >= length {
        since -= length;
        length = length.saturating_mul(factor);
    }
    (since, length)
}

#[allow(clippy::cast_precision_loss, reason = "numbers of epochs")]
fn float(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_rates(schedule: &Schedule, expected: &[(u64, f64)]) {
        for &(epoch, rate) in expected {
            let found = schedule.rate(epoch);
            assert!((found - rate).abs() < 1e-15, "{epoch}: {found}, {rate}");
        }
    }

    #[test]
    fn rates_by_hand() {
        assert_rates(&Schedule::constant(0.1).unwrap(), &[(0, 0.1), (9_999, 0.1)]);
        let step = Schedule::step(0.8, 3, 0.5).unwrap();
        assert_rates(&step, &[(0, 0.8), (2, 0.8), (3, 0.4), (8, 0.2), (9, 0.1)]);
        let multi = Schedule::multi_step(0.8, &[7, 2, 7], 0.5).unwrap();
        assert_rates(&multi, &[(1, 0.8), (2, 0.4), (6, 0.4), (7, 0.1)]);
        let exponential = Schedule::exponential(0.8, 0.5).unwrap();
        assert_rates(&exponential, &[(0, 0.8), (1, 0.4), (3, 0.1)]);
        let cosine = Schedule::cosine(0.9, 10, 0.1).unwrap();
        let expected = [(0, 0.9), (5, 0.5), (10, 0.1), (15, 0.5), (20, 0.9)];
        assert_rates(&cosine, &expected);
        let cyclic = Schedule::cyclic(0.1, 0.5, 4, 2, 0.5).unwrap();
        let expected = [(0, 0.1), (2, 0.3), (4, 0.5), (5, 0.3), (6, 0.1), (10, 0.3)];
        assert_rates(&cyclic, &expected);
        let lambda = Schedule::lambda(0.5, |epoch| 1.0 / float(epoch + 1)).unwrap();
        assert_rates(&lambda, &[(0, 0.5), (4, 0.1)]);
    }

    #[test]
    fn restarts_by_hand() {
        let restarts = Schedule::warm_restarts(0.9, 2, 3, 0.1).unwrap();
        // Periods of 2, 6 and 18 epochs.
        assert_rates(&restarts, &[(0, 0.9), (1, 0.5), (2, 0.9), (5, 0.5)]);
        assert_rates(&restarts, &[(8, 0.9), (17, 0.5), (26, 0.9)]);
        let even = Schedule::warm_restarts(0.9, 2, 1, 0.1).unwrap();
        assert_rates(&even, &[(1, 0.5), (u64::MAX, 0.5), (u64::MAX - 1, 0.9)]);
        assert!(restarts.rate(u64::MAX).is_finite());
    }

    #[test]
    fn a_warm_up_ends_in_the_schedule() {
        let warm = Schedule::exponential(1.0, 0.5).unwrap();
        let warm = warm.with_warm_up(2, 0.0).unwrap();
        assert_rates(&warm, &[(0, 0.0), (1, 0.25), (2, 0.25), (3, 0.125)]);
    }

    #[test]
    fn wrong_parameters_are_errors() {
        let refused = [
            Schedule::constant(-1.0),
            Schedule::constant(f64::NAN),
            Schedule::step(0.1, 0, 0.5),
            Schedule::step(0.1, 1, 0.0),
            Schedule::multi_step(0.1, &[], f64::INFINITY),
            Schedule::exponential(0.1, -0.5),
            Schedule::cosine(0.1, 0, 0.0),
            Schedule::cosine(0.1, 1, -0.1),
            Schedule::warm_restarts(0.1, 1, 0, 0.0),
            Schedule::cyclic(0.1, 0.2, 0, 1, 1.0),
            Schedule::cyclic(0.1, 0.2, 1, 0, 1.0),
            Schedule::cyclic(0.1, 0.2, 1, 1, 1.5),
            Schedule::lambda(f64::INFINITY, |_| 1.0),
            Schedule::constant(0.1).unwrap().with_warm_up(0, 0.5),
            Schedule::constant(0.1).unwrap().with_warm_up(1, 1.5),
        ];
        for (k, schedule) in refused.into_iter().enumerate() {
            assert!(schedule.is_err(), "{k}");
        }
        let error = Schedule::step(0.1, 0, 0.5).unwrap_err();
        let text = "size of a schedule is 0: expected 1 or more";
        assert_eq!(error.to_string(), text);
    }
}
