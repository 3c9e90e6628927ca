//! How long a sum over a [`Basis`] certainly stays below zero.
//!
//! Over a window of time each function lies between known bounds; where the sum of the upper ones of
//! positive terms and the lower ones of negative terms is below zero, so is the sum. Windows double in
//! length. It takes a few multiplications where a crossing takes exponentials, and most crossings
//! that could be solved for never come: input arrives before.

use super::basis::{Basis, MAX_TERMS, Terms};

/// Windows; the first is a sixteenth of the fastest time constant.
const WINDOWS: usize = 9;
const FIRST: f64 = 1.0 / 16.0;
/// Share of the sizes of the terms that rounding may hide, many times over.
const HIDDEN: f64 = 1e-9;

/// Bounds of the functions of a basis over windows of time.
#[derive(Clone, Debug)]
pub(crate) struct Quiet {
    n_terms: usize,
    windows: Vec<Window>,
}

#[derive(Clone, Debug)]
struct Window {
    /// End \[ms\]; each begins where the one before ends.
    end_ms: f64,
    /// Factors of positive and of negative coefficients, what rounding may hide included.
    most: Terms,
    least: Terms,
}

impl Quiet {
    /// Without windows where a function grows.
    pub(crate) fn new(basis: &Basis) -> Self {
        let n = basis.n_terms();
        let fastest = basis.nodes().iter().fold(0.0_f64, |m, k| m.max(k.abs()));
        let grows = basis.nodes().iter().any(|k| *k > 0.0);
        let mut windows = Vec::new();
        let (mut start, mut length) = (0.0, FIRST / fastest);
        if !grows && length.is_finite() {
            for _ in 0..WINDOWS {
                windows.push(Window::new(basis, start, start + length));
                start += length;
                length = start;
            }
        }
        Self {
            n_terms: n,
            windows,
        }
    }

    /// A time from now before whose end Σ cⱼφⱼ stays below 0 \[ms\]; 0 where there is none.
    #[inline]
    pub(crate) fn before(&self, c: &Terms) -> f64 {
        let mut quiet_ms = 0.0;
        for window in &self.windows {
            let mut sum = 0.0;
            for ((c, most), least) in c
                .iter()
                .zip(&window.most)
                .zip(&window.least)
                .take(self.n_terms)
            {
                sum += c * if *c > 0.0 { most } else { least };
            }
            // Also where it is no number.
            if !(sum < 0.0) {
                break;
            }
            quiet_ms = window.end_ms;
        }
        quiet_ms
    }
}

impl Window {
    fn new(basis: &Basis, start: f64, end: f64) -> Self {
        let n = basis.n_terms();
        let (mut first, mut last) = ([0.0; MAX_TERMS], [0.0; MAX_TERMS]);
        basis.evaluate(start, 0.0, n, &mut first);
        basis.evaluate(end, 0.0, n, &mut last);
        let (mut most, mut least) = ([0.0; MAX_TERMS], [0.0; MAX_TERMS]);
        for cluster in basis.clusters() {
            let mut before = 0.0;
            for k in cluster.first..cluster.first + cluster.len {
                // φⱼ' = κⱼφⱼ + φⱼ₋₁ ≤ φⱼ₋₁; it rises at most once, then falls.
                let most_here = first[k] + (end - start) * before;
                before = most_here;
                let least_here = f64::min(first[k], last[k]);
                most[k] = most_here + HIDDEN * (most_here + 1.0);
                least[k] = least_here - HIDDEN * (most_here + 1.0);
            }
        }
        Self {
            end_ms: end,
            most,
            least,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// At many times within what is called quiet, the sum is below zero.
        #[test]
        fn what_is_quiet_stays_below(
            c in proptest::collection::vec(-10.0..4.0_f64, 5),
            near in 0.0..0.3_f64,
        ) {
            let mut basis = Basis::empty();
            basis.push(&[0.0]);
            basis.push(&[-0.05]);
            basis.push(&[-0.1, -0.1 - near * 1e-3]);
            basis.push(&[-0.5 - near]);
            let mut terms = [0.0; MAX_TERMS];
            terms[..5].copy_from_slice(&c);
            let quiet_ms = Quiet::new(&basis).before(&terms);
            let mut phi = [0.0; MAX_TERMS];
            for k in 0..=1000 {
                let t = quiet_ms * f64::from(k) / 1000.0;
                if quiet_ms == 0.0 {
                    break;
                }
                basis.evaluate(t, 0.0, 5, &mut phi);
                let sum: f64 = terms.iter().zip(&phi).map(|(c, p)| c * p).sum();
                prop_assert!(sum < 0.0, "{sum} at {t} of {quiet_ms}");
            }
        }
    }

    #[test]
    fn windows_reach_far_where_nothing_rises() {
        let mut basis = Basis::empty();
        basis.push(&[0.0]);
        basis.push(&[-0.2]);
        let quiet = Quiet::new(&basis);
        let mut terms = [0.0; MAX_TERMS];
        terms[..2].copy_from_slice(&[-1.0, 0.5]);
        assert!(quiet.before(&terms) > 50.0);
        // −e^{−t/5} + 0.5 crosses at 5·ln 2 = 3.5.
        terms[..2].copy_from_slice(&[0.5, -1.0]);
        let before = quiet.before(&terms);
        assert!(before > 1.0 && before < 3.47, "{before}");
        terms[..2].copy_from_slice(&[f64::NAN, -1.0]);
        assert!(quiet.before(&terms) == 0.0);
    }
}
