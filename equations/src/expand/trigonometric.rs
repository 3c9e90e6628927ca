//! Sine and cosine.
//!
//! x = n·π/2 + r with |r| ≤ π/4 and π/2 in three parts; sine or cosine of r by n modulo 4.

use super::coefficients::{COS_TAIL_F32, COS_TAIL_F64, SIN_TAIL_F32, SIN_TAIL_F64};
use super::format::Expander;
use crate::ir::{Binary, Unary, Value};

impl Expander<'_> {
    pub(super) fn sin(&mut self, x: Value) -> Value {
        self.quarter_turns_ahead(x, 0.0)
    }

    pub(super) fn cos(&mut self, x: Value) -> Value {
        self.quarter_turns_ahead(x, 1.0)
    }

    /// sin(x + turns·π/2).
    fn quarter_turns_ahead(&mut self, x: Value, turns: f64) -> Value {
        let quarters = self.times(std::f64::consts::FRAC_2_PI, x);
        let n = self.b.unary(Unary::Round, quarters);
        let mut r = x;
        for part in self.format.half_pi {
            let product = self.times(part, n);
            r = self.sub(r, product);
        }
        // Only for arguments so large that r has lost its meaning: keeps the result within ±1.
        let r = self.at_most(r, 0.8);
        let r = self.at_least(r, -0.8);
        let z = self.mul(r, r);
        let (sin, cos) = (self.sin_near(r, z), self.cos_near(z));
        let n = if turns > 0.0 { self.plus(n, turns) } else { n };
        let quadrant = self.modulo_4(n);
        let (zero, one) = (self.b.int(0), self.b.int(1));
        let low_bit = self.b.binary(Binary::IntAnd, quadrant, one);
        let odd = self.b.binary(Binary::IntLt, zero, low_bit);
        let lower_half = self.b.binary(Binary::IntLt, one, quadrant);
        let magnitude = self.select(odd, cos, sin);
        let minus = self.neg(magnitude);
        self.select(lower_half, minus, magnitude)
    }

    /// n modulo 4 as an integer; in floats first, so that n may be large.
    fn modulo_4(&mut self, n: Value) -> Value {
        let quarter = self.times(0.25, n);
        let whole = self.b.unary(Unary::Floor, quarter);
        let multiple = self.times(4.0, whole);
        let rest = self.sub(n, multiple);
        self.b.unary(Unary::ToInt, rest)
    }

    fn sin_near(&mut self, r: Value, z: Value) -> Value {
        let tail = self.polynomial(z, self.choose(SIN_TAIL_F32, SIN_TAIL_F64));
        let bend = self.mul(z, tail);
        let change = self.mul(r, bend);
        self.add(r, change)
    }

    fn cos_near(&mut self, z: Value) -> Value {
        let tail = self.polynomial(z, self.choose(COS_TAIL_F32, COS_TAIL_F64));
        let square = self.mul(z, z);
        let quartic = self.mul(square, tail);
        let half = self.times(-0.5, z);
        let parabola = self.plus(half, 1.0);
        self.add(parabola, quartic)
    }
}
