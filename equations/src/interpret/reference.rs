//! Transcendental functions of the reference interpreter.

#![allow(
    clippy::disallowed_methods,
    reason = "the reference is judged by accuracy; nothing simulated runs through here"
)]

use crate::ir::Unary;

/// `function`(x) for the functions [`crate::expand`] replaces.
pub(super) fn evaluate(function: Unary, x: f64) -> f64 {
    match function {
        Unary::Exp => x.exp(),
        Unary::Expm1 => x.exp_m1(),
        Unary::Exprel => exprel(x),
        Unary::Ln => x.ln(),
        Unary::Ln1p => x.ln_1p(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Tanh => x.tanh(),
        Unary::Erf => erf(x),
        Unary::Sigmoid => sigmoid(x),
        _ => x,
    }
}

/// xʸ.
pub(super) fn power(x: f64, y: f64) -> f64 {
    x.powf(y)
}

/// ln x.
pub(super) fn ln(x: f64) -> f64 {
    x.ln()
}

/// sin x.
pub(super) fn sin(x: f64) -> f64 {
    x.sin()
}

/// cos x.
pub(super) fn cos(x: f64) -> f64 {
    x.cos()
}

/// eˣ.
pub(super) fn exp(x: f64) -> f64 {
    x.exp()
}

fn exprel(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { x.exp_m1() / x }
}

fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x < 0.0 {
        e / (1.0 + e)
    } else {
        1.0 / (1.0 + e)
    }
}

/// 2/√π·e^(−x²)·Σ 2ⁿx²ⁿ⁺¹/(2n+1)!!, whose terms all have one sign; 1 − erf(6) is 2e-17.
fn erf(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x.abs() > 6.0 {
        return x.signum();
    }
    let mut term = x;
    let mut sum = x;
    let mut n = 0.0;
    while term.abs() > sum.abs() * 1e-18 {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}
