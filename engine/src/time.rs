//! Grid time: whole numbers of steps. Step index s means the instant s·dt; the step that leads to it
//! advances the state from (s − 1)·dt. No float grid time is ever compared.

/// Converts a time to a whole number of steps if it lies on the grid (to 1e-9 relative). Only 0 is 0
/// steps: a time too short to be told from it is off the grid.
#[must_use]
pub fn steps_on_grid(time_ms: f64, dt_ms: f64) -> Option<u64> {
    let ratio = time_ms / dt_ms;
    let nearest = ratio.round_ties_even();
    let on_grid = (ratio - nearest).abs() <= 1e-9 * nearest.abs().max(1.0);
    let not_lost = nearest > 0.0 || time_ms == 0.0;
    (on_grid && not_lost && nearest < 9.0e15).then(|| to_u64(nearest))
}

/// The nearest whole number of steps, ties to even.
#[must_use]
pub fn steps_rounded(time_ms: f64, dt_ms: f64) -> u64 {
    to_u64((time_ms / dt_ms).round_ties_even().max(0.0))
}

/// The step at whose end an input spike at `time_ms` counts: on-grid times at that instant, others
/// at the end of the step they fall in.
#[must_use]
pub fn step_containing(time_ms: f64, dt_ms: f64) -> u64 {
    steps_on_grid(time_ms, dt_ms).unwrap_or_else(|| to_u64((time_ms / dt_ms).ceil().max(0.0)))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "callers pass non-negative whole numbers below 2^53"
)]
fn to_u64(x: f64) -> u64 {
    x as u64
}

/// A slice of time: steps `first ..= first + len − 1`, each naming the instant it ends at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slice {
    /// Index of the first step (≥ 1).
    pub first: u64,
    /// Number of steps.
    pub len: usize,
}

impl Slice {
    /// The step indices of the slice.
    pub fn steps(self) -> impl Iterator<Item = u64> {
        self.first..self.first + self.len as u64
    }

    /// One past the last step.
    #[must_use]
    pub fn end(self) -> u64 {
        self.first + self.len as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zero_is_zero_steps() {
        assert_eq!(steps_on_grid(0.0, 0.1), Some(0));
        assert_eq!(steps_on_grid(-0.0, 0.1), Some(0));
        for time_ms in [0.04, 1e-12, 1e-300, -1e-12, -0.1] {
            assert_eq!(steps_on_grid(time_ms, 0.1), None, "{time_ms}");
        }
        assert_eq!(steps_on_grid(0.1 + 1e-13, 0.1), Some(1));
        assert_eq!(steps_on_grid(0.3, 0.1), Some(3));
        assert_eq!(step_containing(1e-12, 0.1), 1);
        assert_eq!(step_containing(1.03, 0.1), 11);
    }
}
