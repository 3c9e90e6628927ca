//! Adaptive moments.

use std::borrow::Cow;

use rheobase_engine::port::Tensor;
use rheobase_equations::real::Real;

use super::{Moment, OptimizerError, UpdateRule, expect_not_negative, expect_share};

/// Adam: steps along a moving mean of gradients, divided by the root of a moving mean of squares.
///
/// With gradient g, parameter p, rate η, update number k: g ← g + decay·p; m ← m + (1 − β₁)·(g − m);
/// v ← β₂·v + (1 − β₂)·g²; p ← p − η/(1 − β₁ᵏ)·m/(√v/√(1 − β₂ᵏ) + ε). With `amsgrad`, v̂ ← max(v̂, v)
/// takes the place of v in the last. Keeps `m`, `v` and, with `amsgrad`, `v_max`.
///
/// Source: `torch.optim.Adam`, PyTorch 2.15; Kingma and Ba 2015 (doi:10.48550/arXiv.1412.6980).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Adam {
    /// η (default 10⁻³).
    pub learning_rate: f64,
    /// Factor of the mean of gradients (default 0.9).
    pub beta1: f64,
    /// Factor of the mean of squares (default 0.999).
    pub beta2: f64,
    /// ε (default 10⁻⁸).
    pub epsilon: f64,
    /// Decay of weights, by way of the gradient (default 0).
    pub weight_decay: f64,
    /// Divides by the largest mean of squares so far (default no).
    pub amsgrad: bool,
}

impl Default for Adam {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            amsgrad: false,
        }
    }
}

/// Adam with decay of weights apart from the gradient: p ← p·(1 − η·decay), then as [`Adam`] without
/// decay. Keeps what [`Adam`] keeps.
///
/// Source: `torch.optim.AdamW`, PyTorch 2.15; Loshchilov and Hutter 2019
/// (doi:10.48550/arXiv.1711.05101).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AdamW {
    /// η (default 10⁻³).
    pub learning_rate: f64,
    /// Factor of the mean of gradients (default 0.9).
    pub beta1: f64,
    /// Factor of the mean of squares (default 0.999).
    pub beta2: f64,
    /// ε (default 10⁻⁸).
    pub epsilon: f64,
    /// Decay of weights (default 10⁻²).
    pub weight_decay: f64,
    /// Divides by the largest mean of squares so far (default no).
    pub amsgrad: bool,
}

impl Default for AdamW {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 1e-2,
            amsgrad: false,
        }
    }
}

impl AdamW {
    pub(super) fn moments(&self) -> Adam {
        Adam {
            learning_rate: self.learning_rate,
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            weight_decay: self.weight_decay,
            amsgrad: self.amsgrad,
        }
    }
}

impl Adam {
    fn check_as(&self, rule: &'static str) -> Result<(), OptimizerError> {
        expect_not_negative(rule, "learning_rate", self.learning_rate)?;
        expect_share(rule, "beta1", self.beta1)?;
        expect_share(rule, "beta2", self.beta2)?;
        expect_not_negative(rule, "epsilon", self.epsilon)?;
        expect_not_negative(rule, "weight_decay", self.weight_decay)
    }

    fn arrays_of<R: Real>(&self) -> Vec<(Cow<'static, str>, R)> {
        let mut arrays = vec![("m".into(), R::ZERO), ("v".into(), R::ZERO)];
        if self.amsgrad {
            arrays.push(("v_max".into(), R::ZERO));
        }
        arrays
    }

    /// One update; weights decay through the gradient by `decay` and are multiplied by `kept`.
    fn update_with<R: Real>(
        &self,
        at: Moment,
        (decay, kept): (f64, f64),
        (parameter, gradient): (&mut [R], &[R]),
        state: &mut [Tensor<R>],
    ) {
        let k = at.step_float();
        let correction1 = 1.0 - libm::pow(self.beta1, k);
        let correction2 = 1.0 - libm::pow(self.beta2, k);
        let factors = Factors {
            step: R::from_f64(-(at.learning_rate / correction1)),
            new1: R::from_f64(1.0 - self.beta1),
            beta2: R::from_f64(self.beta2),
            new2: R::from_f64(1.0 - self.beta2),
            root_correction: R::from_f64(correction2.sqrt()),
            epsilon: R::from_f64(self.epsilon),
            decay: R::from_f64(decay),
            kept: R::from_f64(kept),
        };
        match state {
            [m, v] => moments(parameter, gradient, &mut m.values, &mut v.values, factors),
            [m, v, v_max] => largest(
                parameter,
                gradient,
                &mut m.values,
                &mut v.values,
                &mut v_max.values,
                factors,
            ),
            _ => debug_assert!(false, "state is what `arrays` names"),
        }
    }
}

const ADAM: &str = "adam";
const ADAM_W: &str = "adamw";

impl<R: Real> UpdateRule<R> for Adam {
    fn name(&self) -> &'static str {
        ADAM
    }

    fn check(&self) -> Result<(), OptimizerError> {
        self.check_as(ADAM)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn arrays(&self) -> Vec<(Cow<'static, str>, R)> {
        self.arrays_of()
    }

    fn equations(&self) -> Option<String> {
        Some(self.text())
    }

    fn update(&self, at: Moment, parameter: &mut [R], gradient: &[R], state: &mut [Tensor<R>]) {
        let decay = (self.weight_decay, 1.0);
        self.update_with(at, decay, (parameter, gradient), state);
    }
}

impl<R: Real> UpdateRule<R> for AdamW {
    fn name(&self) -> &'static str {
        ADAM_W
    }

    fn check(&self) -> Result<(), OptimizerError> {
        self.moments().check_as(ADAM_W)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn arrays(&self) -> Vec<(Cow<'static, str>, R)> {
        self.moments().arrays_of()
    }

    fn equations(&self) -> Option<String> {
        Some(self.text())
    }

    fn update(&self, at: Moment, parameter: &mut [R], gradient: &[R], state: &mut [Tensor<R>]) {
        let decay = (0.0, 1.0 - at.learning_rate * self.weight_decay);
        let moments = self.moments();
        moments.update_with(at, decay, (parameter, gradient), state);
    }
}

#[derive(Clone, Copy)]
struct Factors<R> {
    /// −η/(1 − β₁ᵏ).
    step: R,
    /// 1 − β₁.
    new1: R,
    beta2: R,
    /// 1 − β₂.
    new2: R,
    /// √(1 − β₂ᵏ).
    root_correction: R,
    epsilon: R,
    decay: R,
    /// What decay apart from the gradient leaves.
    kept: R,
}

impl<R: Real> Factors<R> {
    /// Moves the means; gives the decayed parameter.
    #[inline(always)]
    fn advance(self, p: R, g: R, m: &mut R, v: &mut R) -> R {
        let g = g + self.decay * p;
        *m += self.new1 * (g - *m);
        *v = *v * self.beta2 + self.new2 * g * g;
        p * self.kept
    }

    #[inline(always)]
    fn apply(self, p: R, m: R, v: R) -> R {
        let denominator = v.sqrt() / self.root_correction + self.epsilon;
        p + self.step * m / denominator
    }
}

#[inline(always)]
fn moments_body<R: Real>(
    parameter: &mut [R],
    gradient: &[R],
    m: &mut [R],
    v: &mut [R],
    factors: Factors<R>,
) {
    for (((p, &g), m), v) in parameter.iter_mut().zip(gradient).zip(m).zip(v) {
        let kept = factors.advance(*p, g, m, v);
        *p = factors.apply(kept, *m, *v);
    }
}

#[inline(always)]
fn largest_body<R: Real>(
    parameter: &mut [R],
    gradient: &[R],
    m: &mut [R],
    v: &mut [R],
    v_max: &mut [R],
    factors: Factors<R>,
) {
    let means = m.iter_mut().zip(v).zip(v_max);
    for ((p, &g), ((m, v), v_max)) in parameter.iter_mut().zip(gradient).zip(means) {
        let kept = factors.advance(*p, g, m, v);
        *v_max = if *v > *v_max { *v } else { *v_max };
        *p = factors.apply(kept, *m, *v_max);
    }
}

rheobase_engine::simd::dispatch! {
    fn moments<R: Real> = moments_body(
        parameter: &mut [R], gradient: &[R], m: &mut [R], v: &mut [R], factors: Factors<R>,
    );
}
rheobase_engine::simd::dispatch! {
    fn largest<R: Real> = largest_body(
        parameter: &mut [R], gradient: &[R], m: &mut [R], v: &mut [R], v_max: &mut [R],
        factors: Factors<R>,
    );
}
