//! exp and what is made of it.
//!
//! x = n·ln 2 + r with n an integer and |r| ≤ ln 2/2 (Cody and Waite's reduction with ln 2 in two
//! parts), e^r − 1 = r + r²·q(r) with q a polynomial, and 2ⁿ put in by adding to the exponent.
//! `exp`, `expm1` and `exprel` of one argument share all of it.

use super::coefficients::{EXP_TAIL_F32, EXP_TAIL_F64};
use super::format::Expander;
use crate::ir::{Binary, Unary, Value};

/// x = n·ln 2 + r.
pub(super) struct Reduced {
    /// An integer, as a float.
    pub(super) n: Value,
    /// e^r − 1.
    pub(super) expm1: Value,
}

impl Expander<'_> {
    /// eˣ: 25 operations in f32.
    pub(super) fn exp(&mut self, x: Value) -> Value {
        let reduced = self.reduce_clamped(x);
        let y = self.assemble(&reduced);
        let low = self.below(x, self.format.exp_low);
        let zero = self.c(0.0);
        self.select(low, zero, y)
    }

    /// eˣ − 1 = 2·(2ⁿ⁻¹·(e^r − 1) + (2ⁿ⁻¹ − ½)), which neither cancels nor overflows.
    pub(super) fn expm1(&mut self, x: Value) -> Value {
        let reduced = self.reduce_clamped(x);
        let n = self.b.unary(Unary::ToInt, reduced.n);
        let offset = self.b.int(self.format.bias - 1);
        let exponent = self.b.binary(Binary::IntAdd, n, offset);
        let by = self.b.int(self.format.mantissa);
        let bits = self.b.binary(Binary::Shl, exponent, by);
        let half_power = self.b.unary(Unary::FromBits, bits);
        let product = self.mul(half_power, reduced.expm1);
        let rest = self.plus(half_power, -0.5);
        let half = self.add(product, rest);
        self.add(half, half)
    }

    /// (eˣ − 1)/x, and 1 at 0.
    pub(super) fn exprel(&mut self, x: Value) -> Value {
        let (zero, one) = (self.c(0.0), self.c(1.0));
        let at_zero = self.b.binary(Binary::Eq, x, zero);
        let numerator = self.expm1(x);
        let numerator = self.select(at_zero, one, numerator);
        let denominator = self.select(at_zero, one, x);
        self.div(numerator, denominator)
    }

    /// 1/(1 + e⁻ˣ) from e^−|x|, which cannot overflow.
    pub(super) fn sigmoid(&mut self, x: Value) -> Value {
        let magnitude = self.abs(x);
        let minus = self.neg(magnitude);
        let e = self.exp(minus);
        let denominator = self.plus(e, 1.0);
        let negative = self.below(x, 0.0);
        let one = self.c(1.0);
        let numerator = self.select(negative, e, one);
        self.div(numerator, denominator)
    }

    /// −(e^−2|x| − 1)/(e^−2|x| + 1) with the sign of x.
    pub(super) fn tanh(&mut self, x: Value) -> Value {
        let magnitude = self.abs(x);
        let argument = self.times(-2.0, magnitude);
        let e = self.expm1(argument);
        let numerator = self.neg(e);
        let denominator = self.plus(e, 2.0);
        let t = self.div(numerator, denominator);
        self.with_sign_of(x, t)
    }

    /// 2ⁿ·(1 + (e^r − 1)).
    pub(super) fn assemble(&mut self, reduced: &Reduced) -> Value {
        let mantissa = self.plus(reduced.expm1, 1.0);
        self.scaled(mantissa, reduced.n)
    }

    fn reduce_clamped(&mut self, x: Value) -> Reduced {
        let clamped = self.at_most(x, self.format.exp_high);
        let clamped = self.at_least(clamped, self.format.exp_low);
        self.reduce(clamped, None)
    }

    /// Reduces x + `low`, where `low` is a correction far smaller than x.
    pub(super) fn reduce(&mut self, x: Value, low: Option<Value>) -> Reduced {
        let [ln2_high, ln2_low] = self.format.ln2;
        let turns = self.times(std::f64::consts::LOG2_E, x);
        let n = self.b.unary(Unary::Round, turns);
        let high = self.times(ln2_high, n);
        let r = self.sub(x, high);
        let part = self.times(ln2_low, n);
        let mut r = self.sub(r, part);
        if let Some(low) = low {
            r = self.add(r, low);
        }
        let square = self.mul(r, r);
        let tail = self.polynomial(r, self.choose(EXP_TAIL_F32, EXP_TAIL_F64));
        let bend = self.mul(square, tail);
        Reduced {
            n,
            expm1: self.add(r, bend),
        }
    }
}
