//! When neurons fire, tabulated over the steps of an epoch.

use rheobase_equations::linear_system::{AffineMap, Firing};
use rheobase_equations::real::Real;

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
}
