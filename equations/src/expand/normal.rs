//! Standard normal numbers from uniform ones, by the inverse of the distribution function.

use super::coefficients::{
    NORMAL_CENTER_F32, NORMAL_CENTER_F64, NORMAL_MIDDLE_F64, NORMAL_TAIL_F32, NORMAL_TAIL_F64,
};
use super::format::Expander;
use crate::ir::{Builder, Unary, Value};
use crate::real::Precision;

/// The number x with Φ(x) = `u`, for u in (0, 1): a standard normal number if u is uniform.
///
/// With y = 2u − 1 and w = −ln(4u(1 − u)) = −ln(1 − y²), the result is y times a polynomial in w, or
/// in √w towards the tails. Relative error of the result below 4e-7 in f32 (u from 2⁻³³) and 3e-15
/// in f64 (u from 2⁻⁶⁴), apart from what the rounding of u itself does near 1; beyond that the
/// result stays finite. The ops are expanded already.
///
/// ```
/// use rheobase_equations::expand::normal_from_uniform;
/// use rheobase_equations::interpret;
/// use rheobase_equations::ir::{Builder, Slot};
/// use rheobase_equations::real::Precision;
///
/// let mut b = Builder::new();
/// let u = b.load(Slot::Uniform(0));
/// let x = normal_from_uniform(&mut b, u, Precision::F64);
/// b.store(Slot::Output(0), x);
/// let (_, x) = interpret::run(&b.finish(), &mut |_| 0.975)[0];
/// assert!((x - 1.959_963_984_540_054).abs() < 1e-14);
/// ```
pub fn normal_from_uniform(b: &mut Builder, u: Value, precision: Precision) -> Value {
    let mut e = Expander::new(b, precision);
    let twice = e.add(u, u);
    let y = e.plus(twice, -1.0);
    let one = e.c(1.0);
    let rest = e.sub(one, u);
    let product = e.mul(u, rest);
    let fourfold = e.times(4.0, product);
    let ln = e.ln(fourfold);
    let w = e.neg(ln);
    let w = e.at_least(w, 0.0);
    let factor = match precision {
        Precision::F32 => e.factor_f32(w),
        Precision::F64 => e.factor_f64(w),
    };
    e.mul(y, factor)
}

impl Expander<'_> {
    fn factor_f32(&mut self, w: Value) -> Value {
        let w = self.at_most(w, 23.0);
        let root = self.b.unary(Unary::Sqrt, w);
        let near = self.shifted_polynomial(w, 2.5, NORMAL_CENTER_F32);
        let far = self.shifted_polynomial(root, 3.5, NORMAL_TAIL_F32);
        let is_near = self.below(w, 5.0);
        self.select(is_near, near, far)
    }

    fn factor_f64(&mut self, w: Value) -> Value {
        let w = self.at_most(w, 46.0);
        let root = self.b.unary(Unary::Sqrt, w);
        let near = self.shifted_polynomial(w, 3.0, NORMAL_CENTER_F64);
        let middle = self.shifted_polynomial(root, 3.25, NORMAL_MIDDLE_F64);
        let far = self.shifted_polynomial(root, 5.4, NORMAL_TAIL_F64);
        let is_near = self.below(w, 6.25);
        let is_far = self.below(w, 16.0);
        let outer = self.select(is_far, middle, far);
        self.select(is_near, near, outer)
    }

    fn shifted_polynomial(&mut self, x: Value, centre: f64, coefficients: &[f64]) -> Value {
        let offset = self.plus(x, -centre);
        self.polynomial(offset, coefficients)
    }
}
