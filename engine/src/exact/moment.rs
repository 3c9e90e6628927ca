//! Continuous time.
//!
//! A [`Moment`] is a step and an offset within it: t = (step − 1)·dt + offset, 0 < offset ≤ dt. So the
//! end of step k, the grid time k·dt, is (k, dt), and a spike at t belongs to the step that ends at the
//! first grid time not before it. Offsets stay small however long a run is: a moment is exact to about
//! 2·10⁻¹⁶ dt, at 1 ms as after an hour.
//!
//! This is the one place where continuous times are compared, added and subtracted.

use std::cmp::Ordering;

/// A point in continuous time.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    step: u64,
    offset_ms: f64,
}

impl Moment {
    /// The step it lies in: the grid time `step`·dt is the first that is not before it.
    #[must_use]
    pub fn step(self) -> u64 {
        self.step
    }

    /// Time since the beginning of its step \[ms\], in (0, dt].
    #[must_use]
    pub fn offset_ms(self) -> f64 {
        self.offset_ms
    }
}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> Ordering {
        let offsets = || self.offset_ms.total_cmp(&other.offset_ms);
        self.step.cmp(&other.step).then_with(offsets)
    }
}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Moment {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Moment {}

/// A length of time: whole steps and a rest, 0 ≤ rest < dt.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Span {
    /// Whole steps.
    pub steps: u64,
    /// What is left \[ms\].
    pub rest_ms: f64,
}

impl Span {
    /// The steps it reaches into, counted up.
    #[must_use]
    pub fn steps_up(self) -> u64 {
        self.steps + u64::from(self.rest_ms > 0.0)
    }
}

impl PartialOrd for Span {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let rests = self.rest_ms.total_cmp(&other.rest_ms);
        Some(self.steps.cmp(&other.steps).then(rests))
    }
}

/// Does arithmetic with moments.
///
/// ```
/// use rheobase_engine::exact::moment::Clock;
///
/// let clock = Clock::new(0.1);
/// let moment = clock.later(clock.step_end(3), clock.delay(0.25).unwrap());
/// assert_eq!(moment.step(), 6);
/// assert!((clock.between(clock.start(), moment) - 0.55).abs() < 1e-15);
/// // A delay of whole steps leads from the grid to the grid.
/// let delay = clock.delay(1.5).unwrap();
/// assert_eq!(clock.later(clock.step_end(3), delay), clock.step_end(18));
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Clock {
    dt_ms: f64,
}

/// Spans of more steps than this have no use: they are beyond every run.
const MOST_STEPS: f64 = 4.0e15;

impl Clock {
    /// A clock with steps of `dt_ms` > 0.
    #[must_use]
    pub fn new(dt_ms: f64) -> Self {
        Self { dt_ms }
    }

    /// Time 0.
    #[must_use]
    pub fn start(self) -> Moment {
        self.step_end(0)
    }

    /// The grid time `step`·dt.
    #[must_use]
    pub fn step_end(self, step: u64) -> Moment {
        Moment {
            step,
            offset_ms: self.dt_ms,
        }
    }

    /// `offset_ms` after the beginning of `step`. What lies outside (0, dt] is moved to the nearest
    /// moment of the step.
    #[must_use]
    pub fn within(self, step: u64, offset_ms: f64) -> Moment {
        Moment {
            step,
            offset_ms: offset_ms.max(f64::MIN_POSITIVE).min(self.dt_ms),
        }
    }

    /// The offset of a spike that is emitted in `step`: a neuron that fires at time 0 does so at the
    /// beginning of the first step.
    #[must_use]
    pub fn offset_within(self, step: u64, moment: Moment) -> f64 {
        if moment.step < step {
            return f64::MIN_POSITIVE;
        }
        moment.offset_ms
    }

    /// `ms` ≥ 0 as a span, exactly. `None` if it is negative, no number, or longer than any run.
    #[must_use]
    pub fn span(self, ms: f64) -> Option<Span> {
        if !(0.0..self.dt_ms * MOST_STEPS).contains(&ms) {
            return None;
        }
        if ms < self.dt_ms {
            return Some(Span {
                steps: 0,
                rest_ms: ms,
            });
        }
        // The remainder is exact.
        let rest_ms = libm::fmod(ms, self.dt_ms);
        Some(Span {
            steps: whole((ms - rest_ms) / self.dt_ms),
            rest_ms,
        })
    }

    /// As [`Self::span`], for a time that people write: 1.5 ms are fifteen steps of 0.1 ms, although
    /// neither number is exact in binary. Whole steps are those within the rounding of both numbers.
    #[must_use]
    pub fn delay(self, ms: f64) -> Option<Span> {
        let ratio = ms / self.dt_ms;
        let nearest = libm::rint(ratio);
        let rounding = 2.0 * f64::EPSILON * nearest;
        if (1.0..MOST_STEPS).contains(&nearest) && (ratio - nearest).abs() <= rounding {
            return Some(Span {
                steps: whole(nearest),
                rest_ms: 0.0,
            });
        }
        self.span(ms)
    }

    /// The moment `span` after `moment`.
    #[must_use]
    #[inline]
    pub fn later(self, moment: Moment, span: Span) -> Moment {
        let offset_ms = moment.offset_ms + span.rest_ms;
        let step = moment.step + span.steps;
        if offset_ms <= self.dt_ms {
            return Moment { step, offset_ms };
        }
        // Exact: both are within a factor of two.
        Moment {
            step: step + 1,
            offset_ms: offset_ms - self.dt_ms,
        }
    }

    /// The moment `ms` after `moment`; `None` where [`Self::span`] gives none.
    #[must_use]
    #[inline]
    pub fn after(self, moment: Moment, ms: f64) -> Option<Moment> {
        Some(self.later(moment, self.span(ms)?))
    }

    /// Time from `earlier` to `later` \[ms\]; negative if they come the other way round.
    #[must_use]
    #[inline]
    pub fn between(self, earlier: Moment, later: Moment) -> f64 {
        let offsets = later.offset_ms - earlier.offset_ms;
        if earlier.step == later.step {
            return offsets;
        }
        let steps = if later.step > earlier.step {
            float(later.step - earlier.step)
        } else {
            -float(earlier.step - later.step)
        };
        steps * self.dt_ms + offsets
    }

    /// Time since the start \[ms\], for people: it is rounded more the longer the run.
    #[must_use]
    pub fn time_ms(self, moment: Moment) -> f64 {
        self.between(self.start(), moment)
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and MOST_STEPS; rounding to the nearest undoes that of the division"
)]
fn whole(steps: f64) -> u64 {
    libm::rint(steps) as u64
}

#[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
fn float(steps: u64) -> f64 {
    steps as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A double below 2³⁰ as a multiple of 2⁻⁷⁰; exactly, where it is one.
    fn fixed(x: f64) -> i128 {
        let bits = x.to_bits();
        let exponent = i32::try_from(bits >> 52).unwrap() - 1075;
        if x == 0.0 {
            return 0;
        }
        let mantissa = i128::from((bits & ((1 << 52) - 1)) | 1 << 52);
        match u32::try_from(exponent + 70) {
            Ok(shift) => mantissa << shift,
            Err(_) => mantissa >> (-(exponent + 70)).min(127),
        }
    }

    fn fixed_moment(clock: Clock, moment: Moment) -> i128 {
        (i128::from(moment.step) - 1) * fixed(clock.dt_ms) + fixed(moment.offset_ms)
    }

    #[test]
    fn ten_million_additions_lose_nothing() {
        let clock = Clock::new(0.1);
        let span = clock.span(0.734_512_9).unwrap();
        let mut moment = clock.start();
        let n = 10_000_000;
        for _ in 0..n {
            moment = clock.later(moment, span);
        }
        let error = fixed_moment(clock, moment) - i128::from(n) * fixed(0.734_512_9);
        // Half a unit of dt for each addition at most, and in the mean far less.
        let unit = fixed(0.1 * f64::EPSILON);
        assert!(error.abs() <= unit * i128::from(n) / 2, "{error} {unit}");
        // A sum kept in one double is ten thousand times further off.
        let plain = (0..n).fold(0.0, |t, _| t + 0.734_512_9);
        let plain_error = fixed(plain) - i128::from(n) * fixed(0.734_512_9);
        assert!(
            plain_error.abs() > 1000 * error.abs(),
            "{plain_error} {error}"
        );
    }

    #[test]
    fn written_times_are_whole_steps_and_others_are_not() {
        let clock = Clock::new(0.1);
        for k in 1..100_000_u32 {
            let written: f64 = format!("{}.{}", k / 10, k % 10).parse().unwrap();
            let span = clock.delay(written).unwrap();
            assert_eq!((span.steps, span.rest_ms), (u64::from(k), 0.0), "{written}");
        }
        for ms in [0.1 * (1.0 + 1e-14), 1.5 - 1e-13, 7.000_000_000_001] {
            let span = clock.delay(ms).unwrap();
            assert!(span.rest_ms > 0.0, "{ms}");
        }
        assert_eq!(clock.delay(0.0), clock.span(0.0));
        for bad in [-1e-300, f64::NAN, f64::INFINITY, 1e300] {
            assert!(
                clock.span(bad).is_none() && clock.delay(bad).is_none(),
                "{bad}"
            );
        }
    }

    proptest! {
        #[test]
        fn spans_are_exact_and_moments_stay_within_their_step(
            dt in prop_oneof![Just(0.1), Just(0.125), Just(0.25), Just(1.0), 0.01_f64..2.0],
            start in 0_u64..1_000_000_000,
            offset in 0.000_1_f64..1.0,
            ms in prop_oneof![0.001_f64..0.1, 0.1_f64..1e5],
        ) {
            let clock = Clock::new(dt);
            let span = clock.span(ms).unwrap();
            prop_assert!(span.rest_ms >= 0.0 && span.rest_ms < dt);
            let exact = i128::from(span.steps) * fixed(dt) + fixed(span.rest_ms);
            prop_assert_eq!(exact, fixed(ms));
            let from = clock.within(start, offset * dt);
            let to = clock.later(from, span);
            prop_assert!(to.offset_ms > 0.0 && to.offset_ms <= dt);
            let error = fixed_moment(clock, to) - fixed_moment(clock, from) - fixed(ms);
            prop_assert!(error.abs() <= fixed(dt * f64::EPSILON), "{}", error);
            prop_assert!(to > from);
            let back = clock.between(from, to);
            prop_assert!((back - ms).abs() <= 4.0 * f64::EPSILON * (ms + dt), "{} {}", back, ms);
            prop_assert_eq!(clock.between(to, from), -back);
        }
    }
}
