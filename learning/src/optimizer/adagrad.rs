//! Gradients divided by the root of the sum of their squares.

use std::borrow::Cow;

use rheobase_engine::port::Tensor;
use rheobase_equations::real::Real;

use super::{Moment, OptimizerError, UpdateRule, expect_not_negative};

/// Adagrad: gradients divided by the root of the sum of all their squares.
///
/// With gradient g, parameter p, rate η, update number k: g ← g + decay·p; v ← v + g²;
/// p ← p − η/(1 + (k − 1)·rate decay)·g/(√v + ε). Keeps `v`.
///
/// Source: `torch.optim.Adagrad`, PyTorch 2.15; Duchi, Hazan and Singer 2011 (JMLR 12, 2121–2159).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Adagrad {
    /// η (default 10⁻²).
    pub learning_rate: f64,
    /// Decay of the rate (default 0).
    pub rate_decay: f64,
    /// Decay of weights (default 0).
    pub weight_decay: f64,
    /// Where v begins (default 0).
    pub initial_sum: f64,
    /// ε (default 10⁻¹⁰).
    pub epsilon: f64,
}

impl Default for Adagrad {
    fn default() -> Self {
        Self {
            learning_rate: 1e-2,
            rate_decay: 0.0,
            weight_decay: 0.0,
            initial_sum: 0.0,
            epsilon: 1e-10,
        }
    }
}

const NAME: &str = "adagrad";

impl<R: Real> UpdateRule<R> for Adagrad {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&self) -> Result<(), OptimizerError> {
        expect_not_negative(NAME, "learning_rate", self.learning_rate)?;
        expect_not_negative(NAME, "rate_decay", self.rate_decay)?;
        expect_not_negative(NAME, "weight_decay", self.weight_decay)?;
        expect_not_negative(NAME, "initial_sum", self.initial_sum)?;
        expect_not_negative(NAME, "epsilon", self.epsilon)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn arrays(&self) -> Vec<(Cow<'static, str>, R)> {
        vec![("v".into(), R::from_f64(self.initial_sum))]
    }

    fn equations(&self) -> Option<String> {
        Some(self.text())
    }

    fn update(&self, at: Moment, parameter: &mut [R], gradient: &[R], state: &mut [Tensor<R>]) {
        let rate = at.learning_rate / (1.0 + (at.step_float() - 1.0) * self.rate_decay);
        let factors = Factors {
            rate: R::from_f64(-rate),
            decay: R::from_f64(self.weight_decay),
            epsilon: R::from_f64(self.epsilon),
        };
        for v in state {
            sum(parameter, gradient, &mut v.values, factors);
        }
    }
}

#[derive(Clone, Copy)]
struct Factors<R> {
    /// −η, decayed.
    rate: R,
    decay: R,
    epsilon: R,
}

#[inline(always)]
fn sum_body<R: Real>(parameter: &mut [R], gradient: &[R], v: &mut [R], factors: Factors<R>) {
    for ((p, &g), v) in parameter.iter_mut().zip(gradient).zip(v) {
        let g = g + factors.decay * *p;
        *v += g * g;
        *p += factors.rate * g / (v.sqrt() + factors.epsilon);
    }
}

rheobase_engine::simd::dispatch! {
    fn sum<R: Real> = sum_body(
        parameter: &mut [R], gradient: &[R], v: &mut [R], factors: Factors<R>,
    );
}
