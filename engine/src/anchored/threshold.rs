//! When neurons fire, tabulated over the steps of an epoch.

use rheobase_equations::linear_system::{AffineMap, Firing};
use rheobase_equations::real::Real;

use super::block::Outlook;
use super::bound::Bounds;
use super::neurons::usize_of;
use super::regime::{Regime, Split};

/// What decides when neurons fire.
pub(super) struct Threshold<R> {
    pub(super) strict: bool,
    pub(super) reset: AffineMap,
    pub(super) refractory_steps: u64,
    /// `[epoch][modes]`, and the constants.
    pub(super) margin: Vec<R>,
    pub(super) constant: Vec<R>,
    /// Factors that turn amplitudes at the beginning of an epoch into those in its n-th step,
    /// `[epoch][pairs]`.
    pub(super) growth: Vec<R>,
    pub(super) bounds: Bounds<R>,
}

impl<R: Real> Threshold<R> {
    pub(super) fn new(
        firing: &Firing,
        split: &Split,
        free: &Regime<R>,
        (epoch, dt_ms): (u64, f64),
        refractory_steps: u64,
    ) -> Self {
        let (mut margin, mut constant, mut growth) = (Vec::new(), Vec::new(), Vec::new());
        for n in (0..epoch).map(usize_of) {
            let (factors, rest) = free.margin(&firing.margin, n);
            margin.extend(factors.into_iter().map(R::from_f64));
            constant.push(R::from_f64(rest));
            growth.extend(free.growth(n).iter().map(|&g| R::from_f64(g)));
        }
        let row = free.of_modes(&firing.margin.row);
        let drift = free.margin_drift(&firing.margin);
        Self {
            strict: firing.strict,
            reset: firing.reset.clone(),
            refractory_steps,
            margin,
            constant,
            growth,
            bounds: Bounds::new(&split.modes, &row, drift, (epoch, dt_ms)),
        }
    }

    /// In the n-th step of an epoch: factors of the amplitudes in the margin, its constant, and whether
    /// the threshold has to be exceeded.
    pub(super) fn margin(&self, n: usize, n_modes: usize) -> (&[R], R, bool) {
        let factors = &self.margin[n * n_modes..(n + 1) * n_modes];
        (factors, self.constant[n], self.strict)
    }

    /// The outlook from the n-th step of an epoch; `pairs` are those of the free regime, `factors` a
    /// buffer.
    pub(super) fn outlook<'a>(
        &'a self,
        n: usize,
        pairs: &'a [(usize, usize)],
        factors: &'a mut Vec<(R, R)>,
    ) -> Outlook<'a, R> {
        let growth = &self.growth[n * pairs.len()..(n + 1) * pairs.len()];
        let (bounds, constant) = self.bounds.outlook(self.constant[n]);
        factors.clear();
        if pairs.iter().all(|(i, j)| i == j) {
            // Modes that stand alone grow by one factor each.
            let grown = bounds.iter().zip(growth);
            factors.extend(grown.map(|(&(most, least), &g)| (most * g, least * g)));
            return Outlook {
                constant,
                factors,
                mixing: &[],
                growth: &[],
            };
        }
        factors.extend_from_slice(bounds);
        Outlook {
            constant,
            factors,
            mixing: pairs,
            growth,
        }
    }
}
