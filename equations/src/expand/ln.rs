//! Natural logarithms.
//!
//! x = 2ᵏ·(1 + f) with 1 + f in [√½, √2), by integer operations. Then ln x = k·ln 2 + ln(1 + f):
//! in f32 f − f²/2 + f³·p(f); in f64, with s = f/(2 + f) and h = f²/2, f − (h − s·(h + s²·p(s²))).

use super::coefficients::{LN_ODD_F64, LN_TAIL_F32};
use super::format::Expander;
use crate::ir::{Binary, Unary, Value};
use crate::real::Precision;

/// ln x in parts: k·ln 2 = `high` + `low` and ln(1 + f) = `f` − `bend`.
pub(super) struct LnParts {
    pub(super) high: Value,
    pub(super) low: Value,
    pub(super) f: Value,
    pub(super) bend: Value,
}

impl Expander<'_> {
    /// ln x; what is below the smallest normal number counts as that.
    pub(super) fn ln(&mut self, x: Value) -> Value {
        let parts = self.ln_parts(x);
        let low = self.sub(parts.low, parts.bend);
        let rest = self.add(parts.f, low);
        self.add(parts.high, rest)
    }

    /// ln(1 + x) = ln u + e/u, with u = 1 + x rounded and e what rounding lost.
    pub(super) fn ln1p(&mut self, x: Value) -> Value {
        let x = self.at_least(x, -1.0);
        let one = self.c(1.0);
        let u = self.add(one, x);
        let back = self.sub(u, one);
        let lost_of_x = self.sub(x, back);
        let one_back = self.sub(u, back);
        let lost_of_one = self.sub(one, one_back);
        let lost = self.add(lost_of_one, lost_of_x);
        let ln = self.ln(u);
        let divisor = self.at_least(u, self.format.smallest);
        let correction = self.div(lost, divisor);
        self.add(ln, correction)
    }

    pub(super) fn ln_parts(&mut self, x: Value) -> LnParts {
        let clamped = self.at_least(x, self.format.smallest);
        let bits = self.b.unary(Unary::ToBits, clamped);
        let origin = self.b.int(self.format.sqrt_half_bits);
        let by = self.b.int(self.format.mantissa);
        let above = self.b.binary(Binary::IntSub, bits, origin);
        let k = self.b.binary(Binary::Shr, above, by);
        let exponent = self.b.binary(Binary::Shl, k, by);
        let mantissa_bits = self.b.binary(Binary::IntSub, bits, exponent);
        let mantissa = self.b.unary(Unary::FromBits, mantissa_bits);
        let f = self.plus(mantissa, -1.0);
        // The bits of NaN would pass for a number.
        let is_number = self.b.binary(Binary::Eq, x, x);
        let f = self.select(is_number, f, x);
        let k = self.b.unary(Unary::ToFloat, k);
        let [ln2_high, ln2_low] = self.format.ln2;
        let (high, low) = (self.times(ln2_high, k), self.times(ln2_low, k));
        LnParts {
            high,
            low,
            f,
            bend: self.bend(f),
        }
    }

    /// f − ln(1 + f).
    fn bend(&mut self, f: Value) -> Value {
        let square = self.mul(f, f);
        let half = self.times(0.5, square);
        match self.precision {
            Precision::F32 => {
                let tail = self.polynomial(f, LN_TAIL_F32);
                let cube = self.mul(square, f);
                let cubic = self.mul(cube, tail);
                self.sub(half, cubic)
            }
            Precision::F64 => {
                let denominator = self.plus(f, 2.0);
                let s = self.div(f, denominator);
                let z = self.mul(s, s);
                let tail = self.polynomial(z, LN_ODD_F64);
                let odd = self.mul(z, tail);
                let sum = self.add(half, odd);
                let product = self.mul(s, sum);
                self.sub(half, product)
            }
        }
    }
}
