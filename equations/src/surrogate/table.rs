//! The registry of surrogates: one line each.

use super::Surrogate;
use crate::ir::{Builder, Value};

/// Every surrogate known to the language.
pub const SURROGATES: &[Surrogate] = &[Surrogate {
    name: "atan",
    arguments: &[("alpha", 2.0)],
    derivative: atan_derivative,
    primitive: atan_derivative,
    source: "SpikingJelly 2.0.0, surrogate.ATan",
}];

/// (α/2) / (1 + (π/2·α·x)²).
fn atan_derivative(b: &mut Builder, x: Value, arguments: &[Value]) -> Value {
    let alpha = arguments[0];
    let half_pi = b.constant(std::f64::consts::FRAC_PI_2);
    let two = b.constant(2.0);
    let one = b.constant(1.0);
    let scaled = b.mul(half_pi, alpha);
    let u = b.mul(scaled, x);
    let u2 = b.mul(u, u);
    let denominator = b.add(one, u2);
    let numerator = b.div(alpha, two);
    b.div(numerator, denominator)
}
