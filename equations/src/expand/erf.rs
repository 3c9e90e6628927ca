//! Gauss error function: x·p(x²) within ±1, 1 − e^q(|x|) beyond, with q a fit of ln erfc.

use super::coefficients::{ERF_SMALL_F32, ERF_SMALL_F64, ERF_TAIL_F32, ERF_TAIL_F64};
use super::format::Expander;
use crate::ir::Value;
use crate::real::Precision;

impl Expander<'_> {
    pub(super) fn erf(&mut self, x: Value) -> Value {
        // Where the function is 1 to the last bit, and where the fit is centred.
        let (end, centre) = match self.precision {
            Precision::F32 => (4.0, 2.5),
            Precision::F64 => (6.0, 3.0),
        };
        let magnitude = self.abs(x);
        let clamped = self.at_most(magnitude, end);
        let near = self.erf_near(clamped);
        let offset = self.plus(clamped, -centre);
        let logarithm = self.polynomial(offset, self.choose(ERF_TAIL_F32, ERF_TAIL_F64));
        let reduced = self.reduce(logarithm, None);
        let complement = self.assemble(&reduced);
        let one = self.c(1.0);
        let far = self.sub(one, complement);
        let is_near = self.below(clamped, 1.0);
        let magnitude = self.select(is_near, near, far);
        self.with_sign_of(x, magnitude)
    }

    /// x·p(x²); where it is used x² is at most 1, elsewhere it only has to stay finite.
    fn erf_near(&mut self, x: Value) -> Value {
        let z = self.mul(x, x);
        let factor = self.polynomial(z, self.choose(ERF_SMALL_F32, ERF_SMALL_F64));
        self.mul(x, factor)
    }
}
