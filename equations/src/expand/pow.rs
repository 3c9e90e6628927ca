//! xʸ = e^(y·ln x), with the logarithm and the product carried in two parts.

use super::format::Expander;
use crate::ir::{Binary, Value};

impl Expander<'_> {
    /// xʸ for x ≥ 0; what is below the smallest normal number counts as 0, and 0ʸ is 0 for y > 0.
    pub(super) fn pow(&mut self, x: Value, y: Value) -> Value {
        let (ln_high, ln_low) = self.ln_pair(x);
        let (product, lost) = self.exact_product(y, ln_high);
        let from_low = self.mul(y, ln_low);
        let low = self.add(lost, from_low);
        let clamped = self.at_most(product, self.format.exp_high);
        let clamped = self.at_least(clamped, self.format.exp_low);
        // Where the clamp acted, the correction belongs to another number.
        let kept = self.b.binary(Binary::Eq, clamped, product);
        let zero = self.c(0.0);
        let low = self.select(kept, low, zero);
        let reduced = self.reduce(clamped, Some(low));
        let power = self.assemble(&reduced);
        self.without_underflow(x, y, product, power)
    }

    /// ln x as the sum of a float and a far smaller one.
    fn ln_pair(&mut self, x: Value) -> (Value, Value) {
        let parts = self.ln_parts(x);
        // ln(1 + f) = near + near_low exactly up to the rounding of `bend`; then the large part.
        let near = self.sub(parts.f, parts.bend);
        let back = self.sub(parts.f, near);
        let near_low = self.sub(back, parts.bend);
        let high = self.add(parts.high, near);
        let back = self.sub(high, parts.high);
        let lost_near = self.sub(near, back);
        let high_back = self.sub(high, back);
        let lost_high = self.sub(parts.high, high_back);
        let lost = self.add(lost_near, lost_high);
        let small = self.add(near_low, parts.low);
        (high, self.add(lost, small))
    }

    /// x·y as the sum of the rounded product and what rounding lost.
    fn exact_product(&mut self, x: Value, y: Value) -> (Value, Value) {
        let product = self.mul(x, y);
        let (x_high, x_low) = self.split(x);
        let (y_high, y_low) = self.split(y);
        let high = self.mul(x_high, y_high);
        let mut lost = self.sub(high, product);
        for (p, q) in [(x_high, y_low), (x_low, y_high), (x_low, y_low)] {
            let part = self.mul(p, q);
            lost = self.add(lost, part);
        }
        (product, lost)
    }

    /// 0 where the result is below the smallest normal number, or x counts as 0 and y > 0.
    fn without_underflow(&mut self, x: Value, y: Value, exponent: Value, power: Value) -> Value {
        let zero = self.c(0.0);
        let low = self.below(exponent, self.format.exp_low);
        let at_zero = self.below(x, self.format.smallest);
        let positive = self.b.gt(y, zero);
        let vanishing = self.b.binary(Binary::And, at_zero, positive);
        let nothing = self.b.binary(Binary::Or, low, vanishing);
        self.select(nothing, zero, power)
    }
}
