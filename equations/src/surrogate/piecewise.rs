//! Surrogates made of pieces.

use super::pen::Pen;
use crate::ir::{Binary, Builder, Unary, Value};

/// max(0, α − α²|x|).
pub(super) fn piecewise_quadratic_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let magnitude = p.abs(x);
    let square = p.square(a[0]);
    let fallen = p.mul(square, magnitude);
    let left = p.sub(a[0], fallen);
    let zero = p.number(0.0);
    p.max(zero, left)
}

/// With u = αx cut to ±1: ½ + u − ½u|u|.
pub(super) fn piecewise_quadratic_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let scaled = p.mul(a[0], x);
    let u = cut(&mut p, scaled, 1.0);
    let magnitude = p.abs(u);
    let square = p.mul(u, magnitude);
    let bend = p.times(0.5, square);
    let sum = p.sub(u, bend);
    p.plus(sum, 0.5)
}

/// u cut to ±limit.
fn cut(p: &mut Pen<'_>, u: Value, limit: f64) -> Value {
    let (low, high) = (p.number(-limit), p.number(limit));
    let u = p.max(u, low);
    p.min(u, high)
}

/// 1/(2w) where |x| < w, else c.
pub(super) fn piecewise_leaky_relu_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let magnitude = p.abs(x);
    let inside = p.less(magnitude, a[0]);
    let slope = p.over(0.5, a[0]);
    p.select(inside, slope, a[1])
}

/// x/(2w) + ½ where |x| < w; beyond, a line of slope c from 0 or 1.
pub(super) fn piecewise_leaky_relu_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let (w, c) = (a[0], a[1]);
    let minus_w = p.neg(w);
    let low = p.max(x, minus_w);
    let inside = p.min(low, w);
    let beyond = p.sub(x, inside);
    let leak = p.mul(c, beyond);
    let double = p.times(2.0, w);
    let share = p.div(inside, double);
    let middle = p.plus(share, 0.5);
    p.add(middle, leak)
}

/// max(α·(w − |x|), 0).
pub(super) fn relu_grad_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let magnitude = p.abs(x);
    let left = p.sub(a[1], magnitude);
    let height = p.mul(a[0], left);
    let zero = p.number(0.0);
    p.max(height, zero)
}

/// With u = x cut to ±w: α·(½w² + wu − ½u|u|).
pub(super) fn relu_grad_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let w = a[1];
    let minus_w = p.neg(w);
    let low = p.max(x, minus_w);
    let u = p.min(low, w);
    let magnitude = p.abs(u);
    let square = p.mul(u, magnitude);
    let bend = p.times(0.5, square);
    let line = p.mul(w, u);
    let area = p.square(w);
    let half = p.times(0.5, area);
    let sum = p.sub(line, bend);
    let sum = p.add(half, sum);
    p.mul(a[0], sum)
}

/// α where |x| < 1/(2α).
pub(super) fn rect_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let magnitude = p.abs(x);
    let half_width = p.over(0.5, a[0]);
    let inside = p.less(magnitude, half_width);
    let zero = p.number(0.0);
    p.select(inside, a[0], zero)
}

/// αx + ½ cut to 0 … 1.
pub(super) fn rect_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let scaled = p.mul(a[0], x);
    let u = cut(&mut p, scaled, 0.5);
    p.plus(u, 0.5)
}

/// h where |x| < w.
pub(super) fn rectangle_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let magnitude = p.abs(x);
    let inside = p.less(magnitude, a[0]);
    let zero = p.number(0.0);
    p.select(inside, a[1], zero)
}

/// h·(x cut to ±w, + w).
pub(super) fn rectangle_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let minus_w = p.neg(a[0]);
    let low = p.max(x, minus_w);
    let u = p.min(low, a[0]);
    let shifted = p.add(u, a[0]);
    p.mul(a[1], shifted)
}

/// 1 where 0 ≤ x ≤ levels.
pub(super) fn multi_level_count_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let (zero, one) = (p.number(0.0), p.number(1.0));
    let below = p.negative(x);
    let within = p.at_most(x, a[0]);
    let slope = p.select(within, one, zero);
    p.select(below, zero, slope)
}

/// x cut to 0 … levels.
pub(super) fn multi_level_count_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let zero = p.number(0.0);
    let positive = p.max(x, zero);
    p.min(positive, a[0])
}

/// k where x ≥ 0, else the leak.
pub(super) fn leaky_k_relu_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let negative = p.negative(x);
    p.select(negative, a[0], a[1])
}

/// k·x where x ≥ 0, else leak·x.
pub(super) fn leaky_k_relu_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let slope = leaky_k_relu_derivative(b, x, a);
    b.mul(slope, x)
}

/// 1.
pub(super) fn pass_through_derivative(b: &mut Builder, _: Value, _: &[Value]) -> Value {
    b.constant(1.0)
}

/// x.
pub(super) fn pass_through_primitive(_: &mut Builder, x: Value, _: &[Value]) -> Value {
    x
}

/// Sigmoid's slope below 0, β/(1 + x) above.
pub(super) fn s2nn_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let below = super::smooth::sigmoid_derivative(b, x, a);
    let mut p = Pen(b);
    let magnitude = p.abs(x);
    let base = p.plus(magnitude, 1.0);
    let above = p.div(a[1], base);
    let negative = p.negative(x);
    p.select(negative, below, above)
}

/// sigmoid(αx) below 0, ½ + β·ln(1 + x) above.
pub(super) fn s2nn_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let below = super::smooth::sigmoid_primitive(b, x, a);
    let mut p = Pen(b);
    let magnitude = p.abs(x);
    let ln = p.function(Unary::Ln1p, magnitude);
    let scaled = p.mul(a[1], ln);
    let above = p.plus(scaled, 0.5);
    let negative = p.negative(x);
    p.select(negative, below, above)
}

/// 1 + 2|x|/(α − 1).
fn q_base(p: &mut Pen<'_>, x: Value, alpha: Value) -> Value {
    let magnitude = p.abs(x);
    let double = p.times(2.0, magnitude);
    let less = p.plus(alpha, -1.0);
    let ratio = p.div(double, less);
    p.plus(ratio, 1.0)
}

/// (1 + 2|x|/(α − 1))^−α.
pub(super) fn q_pseudo_spike_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let base = q_base(&mut p, x, a[0]);
    let exponent = p.neg(a[0]);
    p.0.binary(Binary::Pow, base, exponent)
}

/// ½·(1 + 2|x|/(α − 1))^(1 − α) below 0, 1 minus that above.
pub(super) fn q_pseudo_spike_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let base = q_base(&mut p, x, a[0]);
    let exponent = p.from(1.0, a[0]);
    let power = p.0.binary(Binary::Pow, base, exponent);
    let below = p.times(0.5, power);
    let above = p.from(1.0, below);
    let negative = p.negative(x);
    p.select(negative, below, above)
}

/// α up to 0, 1 up to 1, 1/x beyond.
pub(super) fn log_tailed_relu_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let (zero, one) = (p.number(0.0), p.number(1.0));
    let at_least_one = p.max(x, one);
    let above = p.over(1.0, at_least_one);
    let below = p.at_most(x, zero);
    p.select(below, a[0], above)
}

/// αx up to 0, x up to 1, 1 + ln x beyond.
pub(super) fn log_tailed_relu_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let (zero, one) = (p.number(0.0), p.number(1.0));
    let at_least_one = p.max(x, one);
    let ln = p.function(Unary::Ln, at_least_one);
    let line = p.min(x, one);
    let above = p.add(line, ln);
    let leak = p.mul(a[0], x);
    let below = p.at_most(x, zero);
    p.select(below, leak, above)
}

/// min(1/|x|, α).
pub(super) fn fake_numerical_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let magnitude = p.abs(x);
    let knee = p.over(1.0, a[0]);
    let is_far = p.less(knee, magnitude);
    let divisor = p.select(is_far, magnitude, knee);
    let reciprocal = p.over(1.0, divisor);
    p.select(is_far, reciprocal, a[0])
}

/// ½ + αx up to |x| = 1/α; beyond, ½ ± (1 + ln(α|x|)).
pub(super) fn fake_numerical_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let magnitude = p.abs(x);
    let scaled = p.mul(a[0], magnitude);
    let one = p.number(1.0);
    let line = p.min(scaled, one);
    let beyond = p.max(scaled, one);
    let ln = p.function(Unary::Ln, beyond);
    let risen = p.add(line, ln);
    let signed = p.with_sign_of(x, risen);
    p.plus(signed, 0.5)
}
