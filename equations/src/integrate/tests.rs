use super::testing::{advance, leak, model, parameter, state, step_program};
use super::*;
use crate::ir::Binary;

/// Leaky integrate-and-fire with two exponential synapses; parameters
/// `tau_m, tau_ex, tau_in, e_l, c_m, i_e`.
fn psc_exp() -> Model {
    let names = ["tau_m", "tau_ex", "tau_in", "e_l", "c_m", "i_e"];
    model(&["v", "i_ex", "i_in"], &names, |b| {
        let (v, e_l, tau_m) = (state(b, 0), parameter(b, 3), parameter(b, 0));
        let towards = b.sub(e_l, v);
        let relax = b.div(towards, tau_m);
        let (i_ex, i_in, i_e) = (state(b, 1), state(b, 2), parameter(b, 5));
        let synaptic = b.add(i_ex, i_in);
        let current = b.add(synaptic, i_e);
        let c_m = parameter(b, 4);
        let drive = b.div(current, c_m);
        let rate = b.add(relax, drive);
        vec![
            (0, rate, true),
            (1, leak(b, 1, 1), false),
            (2, leak(b, 2, 2), false),
        ]
    })
}

const PSC_EXP: [f64; 6] = [10.0, 0.5, 2.0, -65.0, 250.0, 300.0];

/// FitzHugh–Nagumo: v' = v − v³/3 − w + 0.5, w' = 0.08·(v + 0.7 − 0.8·w).
fn fitzhugh() -> Model {
    model(&["v", "w"], &[], |b| {
        let (v, w) = (state(b, 0), state(b, 1));
        let (third, half) = (b.constant(1.0 / 3.0), b.constant(0.5));
        let cube = b.powi(v, 3);
        let cubic = b.mul(cube, third);
        let fast = b.sub(v, cubic);
        let fast = b.sub(fast, w);
        let fast = b.add(fast, half);
        let (a, c, slow) = (b.constant(0.7), b.constant(0.8), b.constant(0.08));
        let cw = b.mul(c, w);
        let sum = b.add(v, a);
        let sum = b.sub(sum, cw);
        let slow = b.mul(slow, sum);
        vec![(0, fast, false), (1, slow, false)]
    })
}

/// Error of `method` at t = 8 against rk4 with steps of 2⁻¹⁰.
fn fitzhugh_error(method: Integrator, dt: f64) -> f64 {
    let reference = step_program(&fitzhugh(), Integrator::RungeKutta4, false);
    let steps = |dt: f64| (8.0 / dt).round() as usize;
    let start = [-1.0, 0.2];
    let exact = advance(
        &reference,
        &[],
        &start,
        1.0 / 1024.0,
        steps(1.0 / 1024.0),
        |_| 0.0,
    );
    let program = step_program(&fitzhugh(), method, false);
    let got = advance(&program, &[], &start, dt, steps(dt), |_| 0.0);
    (0..2)
        .map(|i| (got[i] - exact[i]).abs())
        .fold(0.0, f64::max)
}

#[test]
fn methods_converge_with_their_order() {
    for (method, coarse, order) in [
        (Integrator::Euler, 1.0 / 64.0, 1.0),
        (Integrator::Heun, 1.0 / 32.0, 2.0),
        (Integrator::RungeKutta4, 1.0 / 8.0, 4.0),
    ] {
        let ratio = fitzhugh_error(method, coarse) / fitzhugh_error(method, coarse / 2.0);
        let measured = ratio.log2();
        assert!(
            (measured - order).abs() < 0.15,
            "{}: order {measured}",
            method.name()
        );
    }
}

/// Two coupled gates x' = (1 − x)·y − x, y' = −y·(1 + x): each linear in itself, together not.
fn gates() -> Model {
    model(&["x", "y"], &[], |b| {
        let (x, y, one) = (state(b, 0), state(b, 1), b.constant(1.0));
        let free = b.sub(one, x);
        let opening = b.mul(free, y);
        let dx = b.sub(opening, x);
        let more = b.add(one, x);
        let product = b.mul(y, more);
        let dy = b.neg(product);
        vec![(0, dx, false), (1, dy, false)]
    })
}

#[test]
fn exponential_euler_converges_with_order_one_and_is_exact_where_decoupled() {
    assert_eq!(resolve(&gates()), Integrator::ExponentialEuler);
    let reference = step_program(&gates(), Integrator::RungeKutta4, false);
    let exact = advance(&reference, &[], &[0.2, 1.5], 1.0 / 1024.0, 2048, |_| 0.0);
    let program = step_program(&gates(), Integrator::ExponentialEuler, false);
    let error = |n: usize| {
        let got = advance(&program, &[], &[0.2, 1.5], 2.0 / n as f64, n, |_| 0.0);
        (got[0] - exact[0]).abs().max((got[1] - exact[1]).abs())
    };
    let order = (error(64) / error(128)).log2();
    assert!((order - 1.0).abs() < 0.15, "order {order}");

    let decoupled = step_program(&psc_exp(), Integrator::ExponentialEuler, false);
    let got = advance(&decoupled, &PSC_EXP, &[-65.0, 100.0, -40.0], 3.0, 1, |_| {
        0.0
    });
    assert!((got[1] - 100.0 * (-6.0_f64).exp()).abs() < 1e-13);
    assert!((got[2] + 40.0 * (-1.5_f64).exp()).abs() < 1e-13);
}

/// A conductance that decays by itself counts with its mean over the step: second order.
#[test]
fn exponential_euler_converges_with_order_two_where_conductances_decay() {
    // v' = −v + g·(4 − v), g' = −g/tau.
    let conductance = model(&["v", "g"], &["tau"], |b| {
        let (v, g, reversal) = (state(b, 0), state(b, 1), b.constant(4.0));
        let distance = b.sub(reversal, v);
        let drive = b.mul(g, distance);
        let dv = b.sub(drive, v);
        vec![(0, dv, false), (1, leak(b, 1, 0), false)]
    });
    assert_eq!(resolve(&conductance), Integrator::ExponentialEuler);
    let start = [0.0, 2.0];
    let reference = step_program(&conductance, Integrator::RungeKutta4, false);
    let exact = advance(&reference, &[0.5], &start, 1.0 / 1024.0, 1024, |_| 0.0);
    let program = step_program(&conductance, Integrator::ExponentialEuler, false);
    let error = |n: usize| {
        let got = advance(&program, &[0.5], &start, 1.0 / n as f64, n, |_| 0.0);
        (got[0] - exact[0]).abs()
    };
    let order = (error(32) / error(64)).log2();
    assert!((order - 2.0).abs() < 0.15, "order {order}");
}

#[test]
fn one_exact_step_equals_a_hundred_small_ones() {
    let program = step_program(&psc_exp(), Integrator::Exact, false);
    let start = [-70.0, 800.0, -300.0];
    let one = advance(&program, &PSC_EXP, &start, 1.0, 1, |_| 0.0);
    let many = advance(&program, &PSC_EXP, &start, 0.01, 100, |_| 0.0);
    for (p, q) in one.iter().zip(&many) {
        assert!((p - q).abs() <= 1e-12 * q.abs(), "{p} {q}");
    }
}

#[test]
fn exact_step_agrees_with_rk4() {
    let exact = step_program(&psc_exp(), Integrator::Exact, false);
    let rk4 = step_program(&psc_exp(), Integrator::RungeKutta4, false);
    let start = [-70.0, 800.0, -300.0];
    let p = advance(&exact, &PSC_EXP, &start, 2.0, 1, |_| 0.0);
    let q = advance(&rk4, &PSC_EXP, &start, 2.0 / 4096.0, 4096, |_| 0.0);
    for (p, q) in p.iter().zip(&q) {
        assert!((p - q).abs() <= 1e-11 * q.abs().max(1.0), "{p} {q}");
    }
}

#[test]
fn refractory_holds_the_state_and_nothing_else() {
    let start = [-60.0, 800.0, -300.0];
    for method in [
        Integrator::Exact,
        Integrator::ExponentialEuler,
        Integrator::Euler,
        Integrator::Heun,
        Integrator::RungeKutta4,
    ] {
        let gated = step_program(&psc_exp(), method, true);
        let free = step_program(&psc_exp(), method, false);
        let held = advance(&gated, &PSC_EXP, &start, 0.1, 1, |_| 1.0);
        let not_held = advance(&gated, &PSC_EXP, &start, 0.1, 1, |_| 0.0);
        let reference = advance(&free, &PSC_EXP, &start, 0.1, 1, |_| 0.0);
        assert_eq!(held[0], -60.0, "{}", method.name());
        assert_eq!(held[1..], reference[1..], "{}", method.name());
        assert_eq!(not_held, reference, "{}", method.name());
    }
}

/// w follows v: while v is held, w must relax towards the held value.
fn adaptive() -> Model {
    model(&["v", "w"], &["tau_m", "tau_w"], |b| {
        let dv = leak(b, 0, 0);
        let (v, w, tau_w) = (state(b, 0), state(b, 1), parameter(b, 1));
        let difference = b.sub(v, w);
        let dw = b.div(difference, tau_w);
        vec![(0, dv, true), (1, dw, false)]
    })
}

#[test]
fn exact_states_that_follow_a_held_one_see_it_held() {
    let program = step_program(&adaptive(), Integrator::Exact, true);
    let (tau_w, dt) = (20.0, 5.0);
    let held = advance(&program, &[10.0, tau_w], &[-10.0, 3.0], dt, 1, |_| 1.0);
    let expected = -10.0 + 13.0 * (-dt / tau_w).exp();
    assert_eq!(held[0], -10.0);
    assert!(
        (held[1] - expected).abs() < 1e-14 * expected.abs(),
        "{} {expected}",
        held[1]
    );
}

#[test]
fn auto_takes_the_best_method_that_applies() {
    assert_eq!(resolve(&psc_exp()), Integrator::Exact);
    assert_eq!(resolve(&gates()), Integrator::ExponentialEuler);
    assert_eq!(resolve(&fitzhugh()), Integrator::RungeKutta4);
}

fn attempt(model: &Model, method: Integrator) -> IntegrateError {
    let mut b = Builder::new();
    let now: Vec<Value> = (0_u32..)
        .take(model.states.len())
        .map(|i| b.load(Slot::State(i)))
        .collect();
    let mut load = |b: &mut Builder, slot| b.load(slot);
    integrate(&mut b, model, method, &now, None, &mut load).expect_err("method must not apply")
}

#[test]
fn messages_name_the_state_and_the_term() {
    let message = attempt(&fitzhugh(), Integrator::ExponentialEuler).to_string();
    assert_eq!(
        message,
        "integrator `exponential_euler` does not apply: the equation of `v` is not linear in `v`: \
         `v * v`"
    );
    let message = attempt(&gates(), Integrator::Exact).to_string();
    assert_eq!(
        message,
        "integrator `exact` does not apply: the equation of `x` is not linear in the states: \
         `y * (1 - x)`"
    );
}

#[test]
fn inputs_multiply_no_state_in_a_closed_form() {
    let conductance = model(&["v"], &["tau"], |b| {
        let relax = leak(b, 0, 0);
        let (g, v) = (b.load(Slot::Input(0)), state(b, 0));
        let current = b.mul(g, v);
        vec![(0, b.sub(relax, current), false)]
    });
    let error = attempt(&conductance, Integrator::Exact);
    assert!(matches!(
        error,
        IntegrateError::NotClosed(NotClosed::VaryingCoefficient { .. })
    ));
    assert_eq!(resolve(&conductance), Integrator::ExponentialEuler);

    let timed = model(&["v"], &["tau"], |b| {
        let relax = leak(b, 0, 0);
        let time = b.load(Slot::Time);
        vec![(0, b.add(relax, time), false)]
    });
    let error = attempt(&timed, Integrator::Exact);
    assert!(matches!(
        error,
        IntegrateError::NotClosed(NotClosed::TimeDependent { .. })
    ));
}

#[test]
fn inputs_are_constant_over_an_exact_step() {
    // v' = −v/tau + input/tau + max(input, 0): linear and nonlinear parts.
    for nonlinear in [false, true] {
        let driven = model(&["v"], &["tau"], |b| {
            let relax = leak(b, 0, 0);
            let (input, tau, zero) = (b.load(Slot::Input(0)), parameter(b, 0), b.constant(0.0));
            let mut drive = b.div(input, tau);
            if nonlinear {
                let rectified = b.binary(Binary::Max, input, zero);
                drive = b.add(drive, rectified);
            }
            vec![(0, b.add(relax, drive), false)]
        });
        let program = step_program(&driven, Integrator::Exact, false);
        let got = advance(&program, &[10.0], &[2.0], 5.0, 1, |_| 7.0)[0];
        let target = if nonlinear { 7.0 + 70.0 } else { 7.0 };
        let expected = target + (2.0 - target) * (-0.5_f64).exp();
        assert!((got - expected).abs() < 1e-13, "{got} {expected}");
    }
}
