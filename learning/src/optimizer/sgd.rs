//! Gradient descent.

use std::borrow::Cow;

use rheobase_engine::port::Tensor;
use rheobase_equations::real::Real;

use super::{Moment, OptimizerError, UpdateRule, expect, expect_not_negative};

/// Gradient descent, with momentum where it is not 0.
///
/// With gradient g, parameter p, rate η: g ← g + decay·p; b ← momentum·b + (1 − dampening)·g, b = g at
/// first; p ← p − η·b, or p − η·(g + momentum·b) with Nesterov's momentum. Keeps `momentum_buffer` (b)
/// where there is momentum.
///
/// Source: `torch.optim.SGD`, PyTorch 2.15.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sgd {
    /// η (default 10⁻³).
    pub learning_rate: f64,
    /// Momentum (default 0).
    pub momentum: f64,
    /// Dampening of momentum (default 0).
    pub dampening: f64,
    /// Decay of weights (default 0).
    pub weight_decay: f64,
    /// Nesterov's momentum (default no). Needs momentum, and no dampening.
    pub nesterov: bool,
}

impl Default for Sgd {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            momentum: 0.0,
            dampening: 0.0,
            weight_decay: 0.0,
            nesterov: false,
        }
    }
}

const NAME: &str = "sgd";

impl<R: Real> UpdateRule<R> for Sgd {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&self) -> Result<(), OptimizerError> {
        expect_not_negative(NAME, "learning_rate", self.learning_rate)?;
        expect_not_negative(NAME, "momentum", self.momentum)?;
        expect_not_negative(NAME, "weight_decay", self.weight_decay)?;
        let dampening = self.dampening;
        expect(
            dampening.is_finite(),
            NAME,
            "dampening",
            dampening,
            "a finite number",
        )?;
        if self.nesterov {
            let momentum = self.momentum;
            let expected = "above 0 for Nesterov's momentum";
            expect(momentum > 0.0, NAME, "momentum", momentum, expected)?;
            let expected = "0 for Nesterov's momentum";
            expect(
                dampening.abs() == 0.0,
                NAME,
                "dampening",
                dampening,
                expected,
            )?;
        }
        Ok(())
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn arrays(&self) -> Vec<(Cow<'static, str>, R)> {
        let buffer = (self.momentum > 0.0).then_some(("momentum_buffer".into(), R::ZERO));
        buffer.into_iter().collect()
    }

    fn equations(&self) -> Option<String> {
        Some(self.text())
    }

    fn update(&self, at: Moment, parameter: &mut [R], gradient: &[R], state: &mut [Tensor<R>]) {
        let rate = R::from_f64(-at.learning_rate);
        let decay = R::from_f64(self.weight_decay);
        let [buffer] = state else {
            plain(parameter, gradient, rate, decay);
            return;
        };
        // The buffer begins with the gradient itself: it is 0 before.
        let taken = if at.step == 1 {
            1.0
        } else {
            1.0 - self.dampening
        };
        let factors = Factors {
            rate,
            decay,
            momentum: R::from_f64(self.momentum),
            taken: R::from_f64(taken),
        };
        let buffer = &mut buffer.values;
        if self.nesterov {
            nesterov(parameter, gradient, buffer, factors);
        } else {
            momentum(parameter, gradient, buffer, factors);
        }
    }
}

#[derive(Clone, Copy)]
struct Factors<R> {
    /// −η.
    rate: R,
    decay: R,
    momentum: R,
    /// What of the gradient goes into the buffer.
    taken: R,
}

#[inline(always)]
fn plain_body<R: Real>(parameter: &mut [R], gradient: &[R], rate: R, decay: R) {
    for (p, &g) in parameter.iter_mut().zip(gradient) {
        *p = *p + rate * (g + decay * *p);
    }
}

#[inline(always)]
fn momentum_body<R: Real>(
    parameter: &mut [R],
    gradient: &[R],
    buffer: &mut [R],
    factors: Factors<R>,
) {
    let f = factors;
    for ((p, &g), b) in parameter.iter_mut().zip(gradient).zip(buffer) {
        *b = *b * f.momentum + f.taken * (g + f.decay * *p);
        *p += f.rate * *b;
    }
}

#[inline(always)]
fn nesterov_body<R: Real>(
    parameter: &mut [R],
    gradient: &[R],
    buffer: &mut [R],
    factors: Factors<R>,
) {
    let f = factors;
    for ((p, &g), b) in parameter.iter_mut().zip(gradient).zip(buffer) {
        let g = g + f.decay * *p;
        *b = *b * f.momentum + f.taken * g;
        *p += f.rate * (g + f.momentum * *b);
    }
}

rheobase_engine::simd::dispatch! {
    fn plain<R: Real> = plain_body(parameter: &mut [R], gradient: &[R], rate: R, decay: R);
}
rheobase_engine::simd::dispatch! {
    fn momentum<R: Real> = momentum_body(
        parameter: &mut [R], gradient: &[R], buffer: &mut [R], factors: Factors<R>,
    );
}
rheobase_engine::simd::dispatch! {
    fn nesterov<R: Real> = nesterov_body(
        parameter: &mut [R], gradient: &[R], buffer: &mut [R], factors: Factors<R>,
    );
}
