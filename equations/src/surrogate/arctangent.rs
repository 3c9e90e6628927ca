//! Arctangent from add, multiply, divide and select, for primitives.

use super::pen::Pen;
use crate::ir::Value;

#[allow(
    clippy::excessive_precision,
    clippy::unreadable_literal,
    reason = "generated"
)]
/// atan(t)/t in t², |t| ≤ √2 − 1; largest weighted error 2.56e-18.
const ATAN: &[f64] = &[
    1.0,
    -0.3333333333333313,
    0.19999999999943252,
    -0.14285714279459877,
    0.11111110754485387,
    -0.09090897063803982,
    0.07692049560079212,
    -0.06662996897285292,
    0.058471869507291295,
    -0.050364141887104245,
    0.03799675041368088,
    -0.01783803631501213,
];

impl Pen<'_> {
    /// atan x: 1/x for |x| > 1, then (t − 1)/(t + 1) for t > √2 − 1, then a polynomial.
    pub(super) fn atan(&mut self, x: Value) -> Value {
        let (zero, one) = (self.number(0.0), self.number(1.0));
        let magnitude = self.abs(x);
        let is_large = self.less(one, magnitude);
        let divisor = self.select(is_large, magnitude, one);
        let dividend = self.select(is_large, one, magnitude);
        let t = self.div(dividend, divisor);
        let limit = self.number(std::f64::consts::SQRT_2 - 1.0);
        let is_middle = self.less(limit, t);
        let below = self.plus(t, -1.0);
        let above = self.plus(t, 1.0);
        let turned = self.div(below, above);
        let u = self.select(is_middle, turned, t);
        let near = self.atan_near(u);
        let quarter = self.number(std::f64::consts::FRAC_PI_4);
        let offset = self.select(is_middle, quarter, zero);
        let angle = self.add(offset, near);
        let complement = self.from(std::f64::consts::FRAC_PI_2, angle);
        let angle = self.select(is_large, complement, angle);
        self.with_sign_of(x, angle)
    }

    fn atan_near(&mut self, t: Value) -> Value {
        let z = self.square(t);
        let mut sum = self.number(0.0);
        for &coefficient in ATAN.iter().rev() {
            let product = self.mul(sum, z);
            sum = self.plus(product, coefficient);
        }
        self.mul(t, sum)
    }
}
