//! Shorthands to write expressions.

use crate::ir::{Binary, Builder, Unary, Value};

/// Writes expressions into a builder.
pub(super) struct Pen<'a>(pub(super) &'a mut Builder);

impl Pen<'_> {
    pub(super) fn number(&mut self, x: f64) -> Value {
        self.0.constant(x)
    }

    pub(super) fn add(&mut self, x: Value, y: Value) -> Value {
        self.0.add(x, y)
    }

    pub(super) fn sub(&mut self, x: Value, y: Value) -> Value {
        self.0.sub(x, y)
    }

    pub(super) fn mul(&mut self, x: Value, y: Value) -> Value {
        self.0.mul(x, y)
    }

    pub(super) fn div(&mut self, x: Value, y: Value) -> Value {
        self.0.div(x, y)
    }

    pub(super) fn neg(&mut self, x: Value) -> Value {
        self.0.neg(x)
    }

    pub(super) fn square(&mut self, x: Value) -> Value {
        self.0.mul(x, x)
    }

    /// c·x.
    pub(super) fn times(&mut self, c: f64, x: Value) -> Value {
        let c = self.number(c);
        self.mul(c, x)
    }

    /// x + c.
    pub(super) fn plus(&mut self, x: Value, c: f64) -> Value {
        let c = self.number(c);
        self.add(x, c)
    }

    /// c − x.
    pub(super) fn from(&mut self, c: f64, x: Value) -> Value {
        let c = self.number(c);
        self.sub(c, x)
    }

    /// c/x.
    pub(super) fn over(&mut self, c: f64, x: Value) -> Value {
        let c = self.number(c);
        self.div(c, x)
    }

    pub(super) fn function(&mut self, u: Unary, x: Value) -> Value {
        self.0.unary(u, x)
    }

    pub(super) fn abs(&mut self, x: Value) -> Value {
        self.function(Unary::Abs, x)
    }

    pub(super) fn exp(&mut self, x: Value) -> Value {
        self.function(Unary::Exp, x)
    }

    pub(super) fn min(&mut self, x: Value, y: Value) -> Value {
        self.0.binary(Binary::Min, x, y)
    }

    pub(super) fn max(&mut self, x: Value, y: Value) -> Value {
        self.0.binary(Binary::Max, x, y)
    }

    /// x < y.
    pub(super) fn less(&mut self, x: Value, y: Value) -> Value {
        self.0.binary(Binary::Lt, x, y)
    }

    /// x ≤ y.
    pub(super) fn at_most(&mut self, x: Value, y: Value) -> Value {
        self.0.binary(Binary::Le, x, y)
    }

    pub(super) fn negative(&mut self, x: Value) -> Value {
        let zero = self.number(0.0);
        self.less(x, zero)
    }

    pub(super) fn select(&mut self, condition: Value, yes: Value, no: Value) -> Value {
        self.0.select(condition, yes, no)
    }

    /// `magnitude` with a minus where x < 0.
    pub(super) fn with_sign_of(&mut self, x: Value, magnitude: Value) -> Value {
        let negative = self.negative(x);
        let minus = self.neg(magnitude);
        self.select(negative, minus, magnitude)
    }

    /// e^(−α|x|).
    pub(super) fn decay(&mut self, alpha: Value, x: Value) -> Value {
        let magnitude = self.abs(x);
        let product = self.mul(alpha, magnitude);
        let minus = self.neg(product);
        self.exp(minus)
    }

    /// 1 + α|x|.
    pub(super) fn one_plus_scaled(&mut self, alpha: Value, x: Value) -> Value {
        let magnitude = self.abs(x);
        let product = self.mul(alpha, magnitude);
        self.plus(product, 1.0)
    }
}
