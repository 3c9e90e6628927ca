//! Gradients divided by the root of their mean square.

use std::borrow::Cow;

use rheobase_engine::port::Tensor;
use rheobase_equations::real::Real;

use super::{Moment, OptimizerError, UpdateRule, expect_not_negative, expect_share};

/// RMSprop: gradients divided by the root of a moving mean of their squares.
///
/// With gradient g, parameter p, rate η: g ← g + decay·p; v ← α·v + (1 − α)·g²; d = √v + ε, or, where
/// `centered`, a ← a + (1 − α)·(g − a) and d = √(v − a²) + ε; p ← p − η·g/d, or, with momentum,
/// b ← momentum·b + g/d and p ← p − η·b. Keeps `v` and, where they are needed, `mean` (a) and
/// `momentum_buffer` (b).
///
/// Source: `torch.optim.RMSprop`, PyTorch 2.15.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RmsProp {
    /// η (default 10⁻²).
    pub learning_rate: f64,
    /// α, the factor of the means (default 0.99).
    pub alpha: f64,
    /// ε (default 10⁻⁸).
    pub epsilon: f64,
    /// Decay of weights (default 0).
    pub weight_decay: f64,
    /// Momentum (default 0).
    pub momentum: f64,
    /// Divides by an estimate of the standard deviation (default no).
    pub centered: bool,
}

impl Default for RmsProp {
    fn default() -> Self {
        Self {
            learning_rate: 1e-2,
            alpha: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.0,
            momentum: 0.0,
            centered: false,
        }
    }
}

const NAME: &str = "rmsprop";

impl<R: Real> UpdateRule<R> for RmsProp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&self) -> Result<(), OptimizerError> {
        expect_not_negative(NAME, "learning_rate", self.learning_rate)?;
        expect_share(NAME, "alpha", self.alpha)?;
        expect_not_negative(NAME, "epsilon", self.epsilon)?;
        expect_not_negative(NAME, "weight_decay", self.weight_decay)?;
        expect_not_negative(NAME, "momentum", self.momentum)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn arrays(&self) -> Vec<(Cow<'static, str>, R)> {
        let mut arrays = vec![("v".into(), R::ZERO)];
        if self.centered {
            arrays.push(("mean".into(), R::ZERO));
        }
        if self.momentum > 0.0 {
            arrays.push(("momentum_buffer".into(), R::ZERO));
        }
        arrays
    }

    fn equations(&self) -> Option<String> {
        Some(self.text())
    }

    fn update(&self, at: Moment, parameter: &mut [R], gradient: &[R], state: &mut [Tensor<R>]) {
        let factors = Factors {
            rate: R::from_f64(-at.learning_rate),
            alpha: R::from_f64(self.alpha),
            new: R::from_f64(1.0 - self.alpha),
            epsilon: R::from_f64(self.epsilon),
            decay: R::from_f64(self.weight_decay),
            momentum: R::from_f64(self.momentum),
        };
        let mut arrays = state.iter_mut().map(|array| array.values.as_mut_slice());
        let v = arrays.next().unwrap_or_default();
        match (self.centered, self.momentum > 0.0) {
            (false, false) => plain(parameter, gradient, v, factors),
            (false, true) => {
                let buffer = arrays.next().unwrap_or_default();
                momentum(parameter, gradient, v, buffer, factors);
            }
            (true, false) => {
                let mean = arrays.next().unwrap_or_default();
                centered(parameter, gradient, v, mean, factors);
            }
            (true, true) => {
                let mean = arrays.next().unwrap_or_default();
                let buffer = arrays.next().unwrap_or_default();
                centered_momentum(parameter, gradient, v, mean, buffer, factors);
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Factors<R> {
    /// −η.
    rate: R,
    alpha: R,
    /// 1 − α.
    new: R,
    epsilon: R,
    decay: R,
    momentum: R,
}

impl<R: Real> Factors<R> {
    /// The decayed gradient; moves the mean of squares.
    #[inline(always)]
    fn square(self, p: R, g: R, v: &mut R) -> R {
        let g = g + self.decay * p;
        *v = *v * self.alpha + self.new * g * g;
        g
    }

    /// The divisor with the mean left in; moves the mean.
    #[inline(always)]
    fn deviation(self, g: R, v: R, mean: &mut R) -> R {
        *mean += self.new * (g - *mean);
        (v - *mean * *mean).sqrt() + self.epsilon
    }
}

#[inline(always)]
fn plain_body<R: Real>(parameter: &mut [R], gradient: &[R], v: &mut [R], factors: Factors<R>) {
    for ((p, &g), v) in parameter.iter_mut().zip(gradient).zip(v) {
        let g = factors.square(*p, g, v);
        *p += factors.rate * g / (v.sqrt() + factors.epsilon);
    }
}

#[inline(always)]
fn momentum_body<R: Real>(
    parameter: &mut [R],
    gradient: &[R],
    v: &mut [R],
    buffer: &mut [R],
    factors: Factors<R>,
) {
    for (((p, &g), v), b) in parameter.iter_mut().zip(gradient).zip(v).zip(buffer) {
        let g = factors.square(*p, g, v);
        *b = *b * factors.momentum + g / (v.sqrt() + factors.epsilon);
        *p += factors.rate * *b;
    }
}

#[inline(always)]
fn centered_body<R: Real>(
    parameter: &mut [R],
    gradient: &[R],
    v: &mut [R],
    mean: &mut [R],
    factors: Factors<R>,
) {
    for (((p, &g), v), mean) in parameter.iter_mut().zip(gradient).zip(v).zip(mean) {
        let g = factors.square(*p, g, v);
        *p += factors.rate * g / factors.deviation(g, *v, mean);
    }
}

#[inline(always)]
fn centered_momentum_body<R: Real>(
    parameter: &mut [R],
    gradient: &[R],
    v: &mut [R],
    mean: &mut [R],
    buffer: &mut [R],
    factors: Factors<R>,
) {
    let kept = v.iter_mut().zip(mean).zip(buffer);
    for ((p, &g), ((v, mean), b)) in parameter.iter_mut().zip(gradient).zip(kept) {
        let g = factors.square(*p, g, v);
        *b = *b * factors.momentum + g / factors.deviation(g, *v, mean);
        *p += factors.rate * *b;
    }
}

rheobase_engine::simd::dispatch! {
    fn plain<R: Real> = plain_body(
        parameter: &mut [R], gradient: &[R], v: &mut [R], factors: Factors<R>,
    );
}
rheobase_engine::simd::dispatch! {
    fn momentum<R: Real> = momentum_body(
        parameter: &mut [R], gradient: &[R], v: &mut [R], buffer: &mut [R], factors: Factors<R>,
    );
}
rheobase_engine::simd::dispatch! {
    fn centered<R: Real> = centered_body(
        parameter: &mut [R], gradient: &[R], v: &mut [R], mean: &mut [R], factors: Factors<R>,
    );
}
rheobase_engine::simd::dispatch! {
    fn centered_momentum<R: Real> = centered_momentum_body(
        parameter: &mut [R], gradient: &[R], v: &mut [R], mean: &mut [R], buffer: &mut [R],
        factors: Factors<R>,
    );
}
