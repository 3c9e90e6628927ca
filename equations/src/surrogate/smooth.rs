//! Surrogates without kinks, or with one at 0.

use super::pen::Pen;
use crate::ir::{Builder, Unary, Value};

/// α·g·(1 − g) with g = sigmoid(αx).
pub(super) fn sigmoid_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let scaled = p.mul(a[0], x);
    let minus = p.neg(scaled);
    let g = p.function(Unary::Sigmoid, scaled);
    // 1 − sigmoid(u) = sigmoid(−u), without cancellation.
    let rest = p.function(Unary::Sigmoid, minus);
    let product = p.mul(g, rest);
    p.mul(a[0], product)
}

/// sigmoid(αx).
pub(super) fn sigmoid_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let scaled = p.mul(a[0], x);
    p.function(Unary::Sigmoid, scaled)
}

/// α/2·e^(−α|x|).
pub(super) fn piecewise_exp_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let decay = p.decay(a[0], x);
    let half = p.times(0.5, a[0]);
    p.mul(half, decay)
}

/// ½e^(αx) below 0, 1 − ½e^(−αx) above.
pub(super) fn piecewise_exp_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let decay = p.decay(a[0], x);
    let below = p.times(0.5, decay);
    let above = p.from(1.0, below);
    let negative = p.negative(x);
    p.select(negative, below, above)
}

/// α/(2(1 + α|x|)²).
pub(super) fn soft_sign_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let base = p.one_plus_scaled(a[0], x);
    let square = p.square(base);
    let half = p.times(0.5, a[0]);
    p.div(half, square)
}

/// ½·(αx/(1 + α|x|) + 1).
pub(super) fn soft_sign_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let base = p.one_plus_scaled(a[0], x);
    let scaled = p.mul(a[0], x);
    let ratio = p.div(scaled, base);
    let shifted = p.plus(ratio, 1.0);
    p.times(0.5, shifted)
}

/// (α/2)/(1 + (π/2·αx)²).
pub(super) fn atan_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let slope = p.times(std::f64::consts::FRAC_PI_2, a[0]);
    let scaled = p.mul(slope, x);
    let square = p.square(scaled);
    let denominator = p.plus(square, 1.0);
    let half = p.times(0.5, a[0]);
    p.div(half, denominator)
}

/// atan(π/2·αx)/π + ½.
pub(super) fn atan_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let slope = p.times(std::f64::consts::FRAC_PI_2, a[0]);
    let scaled = p.mul(slope, x);
    let angle = p.atan(scaled);
    let share = p.times(std::f64::consts::FRAC_1_PI, angle);
    p.plus(share, 0.5)
}

/// 1/(1/α + |x|).
pub(super) fn nonzero_sign_log_abs_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let magnitude = p.abs(x);
    let reciprocal = p.over(1.0, a[0]);
    let denominator = p.add(reciprocal, magnitude);
    p.over(1.0, denominator)
}

/// sign(x)·ln(1 + α|x|).
pub(super) fn nonzero_sign_log_abs_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let magnitude = p.abs(x);
    let scaled = p.mul(a[0], magnitude);
    let ln = p.function(Unary::Ln1p, scaled);
    p.with_sign_of(x, ln)
}

/// α/√π·e^(−α²x²).
pub(super) fn erf_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let scaled = p.mul(a[0], x);
    let square = p.square(scaled);
    let minus = p.neg(square);
    let bell = p.exp(minus);
    let height = p.times(0.5 * std::f64::consts::FRAC_2_SQRT_PI, a[0]);
    p.mul(height, bell)
}

/// ½·(1 + erf(αx)).
pub(super) fn erf_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let scaled = p.mul(a[0], x);
    let erf = p.function(Unary::Erf, scaled);
    let shifted = p.plus(erf, 1.0);
    p.times(0.5, shifted)
}

/// α/(1 + |x|)².
pub(super) fn super_spike_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let magnitude = p.abs(x);
    let base = p.plus(magnitude, 1.0);
    let square = p.square(base);
    p.div(a[0], square)
}

/// ½ + αx/(1 + |x|).
pub(super) fn super_spike_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let magnitude = p.abs(x);
    let base = p.plus(magnitude, 1.0);
    let scaled = p.mul(a[0], x);
    let ratio = p.div(scaled, base);
    p.plus(ratio, 0.5)
}

/// 1/(1 + α|x|)².
pub(super) fn inv_square_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let base = p.one_plus_scaled(a[0], x);
    let square = p.square(base);
    p.over(1.0, square)
}

/// x/(1 + α|x|).
pub(super) fn inv_square_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let base = p.one_plus_scaled(a[0], x);
    p.div(x, base)
}

/// e^(−α|x|).
pub(super) fn slayer_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    Pen(b).decay(a[0], x)
}

/// sign(x)·(1 − e^(−α|x|))/α.
pub(super) fn slayer_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let magnitude = p.abs(x);
    let scaled = p.mul(a[0], magnitude);
    let minus = p.neg(scaled);
    let fallen = p.function(Unary::Expm1, minus);
    let risen = p.neg(fallen);
    let height = p.div(risen, a[0]);
    p.with_sign_of(x, height)
}

/// Normal density of mean `mean` and deviation `sigma` at x.
fn density(p: &mut Pen<'_>, x: Value, mean: Option<Value>, sigma: Value) -> Value {
    let distance = mean.map_or(x, |mean| p.sub(x, mean));
    let scaled = p.div(distance, sigma);
    let square = p.square(scaled);
    let exponent = p.times(-0.5, square);
    let bell = p.exp(exponent);
    let root = (2.0 * std::f64::consts::PI).sqrt();
    let width = p.times(root, sigma);
    p.div(bell, width)
}

/// ½·erf((x − mean)/(√2·sigma)), whose derivative is the density.
fn distribution(p: &mut Pen<'_>, x: Value, mean: Option<Value>, sigma: Value) -> Value {
    let distance = mean.map_or(x, |mean| p.sub(x, mean));
    let width = p.times(std::f64::consts::SQRT_2, sigma);
    let scaled = p.div(distance, width);
    let erf = p.function(Unary::Erf, scaled);
    p.times(0.5, erf)
}

/// α·N(x; 0, σ).
pub(super) fn gaussian_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let bell = density(&mut p, x, None, a[0]);
    p.mul(a[1], bell)
}

/// α·Φ(x/σ).
pub(super) fn gaussian_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let mut p = Pen(b);
    let centred = distribution(&mut p, x, None, a[0]);
    let share = p.plus(centred, 0.5);
    p.mul(a[1], share)
}

type Shape = fn(&mut Pen<'_>, Value, Option<Value>, Value) -> Value;

/// scale·((1 + h)·f(0, σ) − h·f(σ, sσ) − h·f(−σ, sσ)).
fn three_bells(b: &mut Builder, x: Value, a: &[Value], f: Shape) -> Value {
    let (h, s, sigma, scale) = (a[0], a[1], a[2], a[3]);
    let mut p = Pen(b);
    let wide = p.mul(s, sigma);
    let minus_sigma = p.neg(sigma);
    let centre = f(&mut p, x, None, sigma);
    let right = f(&mut p, x, Some(sigma), wide);
    let left = f(&mut p, x, Some(minus_sigma), wide);
    let height = p.plus(h, 1.0);
    let tall = p.mul(height, centre);
    let sides = p.add(right, left);
    let sides = p.mul(h, sides);
    let sum = p.sub(tall, sides);
    p.mul(scale, sum)
}

/// scale·((1 + h)·N(x; 0, σ) − h·N(x; σ, sσ) − h·N(x; −σ, sσ)).
pub(super) fn multi_gaussian_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    three_bells(b, x, a, density)
}

/// ½ + the same with distribution functions.
pub(super) fn multi_gaussian_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let sum = three_bells(b, x, a, distribution);
    Pen(b).plus(sum, 0.5)
}

/// Terms of the Fourier series that can be asked for.
const MAX_TERMS: u32 = 16;

/// Sum over 1 ≤ i < n of term(i, 2πx(2i − 1)/T).
fn odd_harmonics(
    b: &mut Builder,
    x: Value,
    a: &[Value],
    mut term: impl FnMut(&mut Pen<'_>, f64, Value) -> Value,
) -> Value {
    let mut p = Pen(b);
    let turns = p.times(2.0 * std::f64::consts::PI, x);
    let base = p.div(turns, a[1]);
    let mut sum = p.number(0.0);
    for i in 1..MAX_TERMS {
        let order = f64::from(2 * i - 1);
        let (zero, index) = (p.number(0.0), p.number(f64::from(i)));
        let angle = p.times(order, base);
        let harmonic = term(&mut p, order, angle);
        let counts = p.less(index, a[0]);
        let kept = p.select(counts, harmonic, zero);
        sum = p.add(sum, kept);
    }
    sum
}

/// 4/T·Σ_{1 ≤ i < n} cos(2π(2i − 1)x/T).
pub(super) fn squarewave_derivative(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let sum = odd_harmonics(b, x, a, |p, _, angle| p.function(Unary::Cos, angle));
    let mut p = Pen(b);
    let height = p.over(4.0, a[1]);
    p.mul(height, sum)
}

/// ½ + 2/π·Σ_{1 ≤ i < n} sin(2π(2i − 1)x/T)/(2i − 1).
pub(super) fn squarewave_primitive(b: &mut Builder, x: Value, a: &[Value]) -> Value {
    let sum = odd_harmonics(b, x, a, |p, order, angle| {
        let sine = p.function(Unary::Sin, angle);
        p.times(1.0 / order, sine)
    });
    let mut p = Pen(b);
    let scaled = p.times(std::f64::consts::FRAC_2_PI, sum);
    p.plus(scaled, 0.5)
}
