use proptest::prelude::*;

use super::*;
use crate::expand::expand;
use crate::interpret::{Dual, run, run_dual};
use crate::real::Precision;
use crate::testing::{RandomProgram, random_program};

/// Direction and cotangent components from a counter: no two alike, of both signs.
fn component(k: u32) -> f64 {
    (f64::from(k) * 0.754_877_666 + 0.3).fract() * 2.0 - 1.0
}

fn argument_values(slot: Slot) -> f64 {
    match slot {
        Slot::Argument(k) => component(k + 17),
        Slot::OutputCotangent(k) => component(k + 91),
        _ => 0.0,
    }
}

/// ⟨Jv, u⟩ by forward mode and ⟨v, Jᵀu⟩ by the given adjoint, and the sum of magnitudes.
fn products(random: &RandomProgram, gradient: &Program) -> (f64, f64, f64) {
    let forward = run_dual(&random.program, &mut |slot| match slot {
        Slot::Argument(k) => Dual {
            value: argument_values(slot),
            tangent: component(k + 3),
        },
        _ => Dual::default(),
    });
    let mut jv_u = 0.0;
    let mut size = 1.0;
    for (slot, dual) in forward {
        if let Some(cotangent) = slot.cotangent() {
            jv_u += dual.tangent * argument_values(cotangent);
            size += (dual.tangent * argument_values(cotangent)).abs();
        }
    }
    let mut v_jtu = 0.0;
    for (slot, value) in run(gradient, &mut argument_values) {
        if let Slot::ArgumentCotangent(k) = slot {
            v_jtu += component(k + 3) * value;
            size += (component(k + 3) * value).abs();
        }
    }
    (jv_u, v_jtu, size)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn adjoint_is_the_transpose_of_forward_mode(random in random_program(60)) {
        let gradient = adjoint(&random.program, &random.arguments);
        let (jv_u, v_jtu, size) = products(&random, &gradient);
        prop_assert!((jv_u - v_jtu).abs() <= 1e-12 * size, "{jv_u} {v_jtu}\n{}", random.program);
        let expanded = expand(&gradient, Precision::F64);
        let (_, v_jtu, size) = products(&random, &expanded);
        prop_assert!((jv_u - v_jtu).abs() <= 1e-12 * size, "expanded: {jv_u} {v_jtu}");
    }
}

/// Gradient of `build` at `x` and the central difference.
fn slopes(build: impl Fn(&mut Builder, Value) -> Value, x: f64) -> (f64, f64) {
    let mut b = Builder::new();
    let argument = b.load(Slot::Argument(0));
    let y = build(&mut b, argument);
    b.store(Slot::Output(0), y);
    let program = b.finish();
    let gradient = adjoint(&program, &[Slot::Argument(0)]);
    let load = |slot| if slot == Slot::Argument(0) { x } else { 1.0 };
    let got = run(&gradient, &mut { load })[0].1;
    let h = 1e-5 * x.abs().max(0.1);
    let at = |x: f64| run(&program, &mut |_| x)[0].1;
    (got, (at(x + h) - at(x - h)) / (2.0 * h))
}

#[test]
fn every_function_has_the_slope_of_its_central_difference() {
    let functions = [
        Unary::Neg,
        Unary::Abs,
        Unary::Sqrt,
        Unary::Exp,
        Unary::Expm1,
        Unary::Exprel,
        Unary::Ln,
        Unary::Ln1p,
        Unary::Sin,
        Unary::Cos,
        Unary::Tanh,
        Unary::Erf,
        Unary::Sigmoid,
    ];
    for u in functions {
        for x in [0.05, 0.3, 0.69, 0.71, 1.7, 3.0] {
            let signed = !matches!(u, Unary::Sqrt | Unary::Ln | Unary::Ln1p);
            for x in [x, if signed { -x } else { x }] {
                let (got, expected) = slopes(|b, v| b.unary(u, v), x);
                assert!(
                    (got - expected).abs() < 1e-8 * expected.abs().max(1.0),
                    "{u:?} at {x}: {got} {expected}"
                );
            }
        }
    }
}

#[test]
fn divided_differences_have_the_slope_of_their_central_difference() {
    for x in [-3.0, -0.2, -0.1, 0.0] {
        let (got, expected) = slopes(
            |b, v| {
                let other = b.constant(-0.2);
                let product = b.push(Op::ExpDifference(vec![v, v, other]));
                let pair = b.push(Op::ExpDifference(vec![v, other]));
                b.add(product, pair)
            },
            x,
        );
        assert!((got - expected).abs() < 1e-9, "{x}: {got} {expected}");
    }
}

#[test]
fn powers_have_slopes_by_base_and_exponent() {
    for x in [0.2, 1.0, 3.7] {
        let (got, expected) = slopes(
            |b, v| {
                let e = b.constant(1.3);
                b.binary(Binary::Pow, v, e)
            },
            x,
        );
        assert!((got - expected).abs() < 1e-8, "{got} {expected}");
        let (got, expected) = slopes(
            |b, v| {
                let base = b.constant(2.2);
                b.binary(Binary::Pow, base, v)
            },
            x,
        );
        assert!((got - expected).abs() < 1e-7, "{got} {expected}");
    }
}

/// Charge, fire, reset with a soft reset; `detached` cuts the path through the spike.
fn reset_step(detached: bool) -> Program {
    let mut b = Builder::new();
    let (v, input) = (b.load(Slot::State(0)), b.load(Slot::Input(0)));
    let h = b.add(v, input);
    let one = b.constant(1.0);
    let margin = b.sub(h, one);
    let surrogate = crate::surrogate::find("sigmoid").expect("registered");
    let alpha = b.constant(4.0);
    let spike = b.push(Op::Heaviside {
        x: margin,
        strict: false,
        surrogate,
        arguments: vec![alpha],
    });
    let seen = if detached {
        b.unary(Unary::Detach, spike)
    } else {
        spike
    };
    let fired = b.unary(Unary::Fired, seen);
    let lowered = b.sub(h, one);
    let reset = b.select(fired, lowered, h);
    b.store(Slot::State(0), reset);
    b.store(Slot::Spike, spike);
    b.finish()
}

#[test]
fn spike_and_reset_gradients_follow_the_published_rule() {
    // gH = gS·σ' + gV·(1 − θσ') (soft reset, θ = 1), without σ' in the second term if detached.
    let (g_spike, g_v, h) = (0.7, -0.4, 1.2);
    let e = (-4.0 * (h - 1.0_f64)).exp();
    let slope = 4.0 * e / (1.0 + e).powi(2);
    for detached in [false, true] {
        let gradient = adjoint(&reset_step(detached), &[Slot::State(0), Slot::Input(0)]);
        let results = run(&gradient, &mut |slot| match slot {
            Slot::State(0) => 0.9,
            Slot::Input(0) => h - 0.9,
            Slot::SpikeCotangent => g_spike,
            Slot::StateCotangent(0) => g_v,
            other => panic!("{other:?} is not read"),
        });
        let through = if detached { 0.0 } else { slope };
        let expected = g_spike * slope + g_v * (1.0 - through);
        assert_eq!(results.len(), 2);
        for (slot, value) in results {
            assert!(
                (value - expected).abs() < 1e-15,
                "{slot:?}: {value} {expected}"
            );
        }
    }
}

#[test]
fn slots_without_influence_get_zero() {
    let gradient = adjoint(&reset_step(false), &[Slot::Parameter(3), Slot::Time]);
    let results = run(&gradient, &mut |_| 1.0);
    assert_eq!(results, [(Slot::ParameterCotangent(3), 0.0)]);
}
