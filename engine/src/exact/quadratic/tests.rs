//! Quadratic flows against Runge-Kutta in small steps and against formulas by hand.

use proptest::prelude::*;
use rheobase_equations::lower::lower;
use rheobase_equations::parse_one;
use rheobase_equations::quadratic::QuadraticModel;

use super::*;

fn flow(k: f64, rest: f64, top: f64, drive: f64, threshold: f64) -> QuadraticFlow {
    let text = "neuron qif
       parameter k = 1/(1 mV*ms), r = 0 mV, top = 1 mV, i = 0 mV/ms, th = 30 mV
       dv/dt = k*(v - r)*(v - top) + i : mV (unless refractory)
       input jump(w : mV): v += w (unless refractory)
       spike when v >= th, reset v = r - 10 mV, refractory 1 ms";
    let component = lower(&std::sync::Arc::new(parse_one(text, "test").unwrap()), None).unwrap();
    let model = QuadraticModel::analyse(&component).unwrap();
    QuadraticFlow::new(&model.at(&[k, rest, top, drive, threshold])).unwrap()
}

/// One step of the classical Runge-Kutta method.
fn step(f: impl Fn(f64) -> f64, v: f64, h: f64) -> f64 {
    let a = f(v);
    let b = f(v + 0.5 * h * a);
    let c = f(v + 0.5 * h * b);
    let d = f(v + h * c);
    v + h / 6.0 * (a + 2.0 * b + 2.0 * c + d)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, rng_seed: prop::test_runner::RngSeed::Fixed(2), ..ProptestConfig::default() })]

    #[test]
    fn trajectories_and_crossings_are_those_of_small_steps(
        k in 0.02_f64..0.2,
        rest in -5.0_f64..5.0,
        gap in 0.0_f64..5.0,
        drive in prop_oneof![Just(0.0), -1.0_f64..2.0],
        v in -12.0_f64..8.0,
        sign in prop_oneof![Just(1.0_f64), Just(-1.0)],
    ) {
        let threshold = 10.0;
        let mut flow = flow(sign * k, rest, rest + gap, drive, threshold);
        let rate = |v: f64| sign * k * (v - rest) * (v - rest - gap) + drive;
        let (mut x, mut t) = (v, 0.0);
        let h = 1.0 / 256.0;
        while x < threshold && t < 40.0 && x > -1e3 {
            x = step(rate, x, h);
            t += h;
        }
        let found = flow.next_crossing(&[v], 40.0);
        let mut state = [v];
        if x >= threshold {
            let after = found.after_ms.unwrap();
            prop_assert!((t - h..t + 1e-6).contains(&after), "{after} {t}");
            flow.advance(&mut state, after, false);
            prop_assert!((state[0] - threshold).abs() < 1e-9, "{}", state[0]);
        } else {
            prop_assert_eq!(found.after_ms, None);
            if x > -1e3 {
                flow.advance(&mut state, t, false);
                prop_assert!((state[0] - x).abs() < 1e-6 * (1.0 + x.abs()), "{} {x}", state[0]);
            }
        }
        let (mut whole, mut parts) = ([v], [v]);
        flow.advance(&mut whole, 0.5, false);
        flow.advance(&mut parts, 0.2, false);
        flow.advance(&mut parts, 0.3, false);
        prop_assert!((whole[0] - parts[0]).abs() <= 1e-12 * (1.0 + whole[0].abs()) || !whole[0].is_finite() || whole[0].abs() > 1e2);
    }
}

#[test]
fn each_sign_of_the_discriminant_by_hand() {
    // dv/dt = v² + 1 from 0: v = tan t.
    let t = flow(1.0, 0.0, 0.0, 1.0, 30.0).next_crossing(&[0.0], 10.0);
    assert!((t.after_ms.unwrap() - 30.0_f64.atan()).abs() < 1e-15);
    // dv/dt = v² from 1: v = 1/(1 − t).
    let t = flow(1.0, 0.0, 0.0, 0.0, 30.0).next_crossing(&[1.0], 10.0);
    assert!((t.after_ms.unwrap() - (1.0 - 1.0 / 30.0)).abs() < 1e-15);
    // dv/dt = v² − 1 from 2: (v − 1)/(v + 1) = e^{2t}/3.
    let mut saddle = flow(1.0, -1.0, 1.0, 0.0, 30.0);
    let t = saddle.next_crossing(&[2.0], 10.0).after_ms.unwrap();
    assert!((t - 0.5 * (3.0 * 29.0 / 31.0_f64).ln()).abs() < 1e-15);
    // From below 1 it goes to −1; at 1 it stays, and rounding might have it otherwise.
    assert_eq!(
        saddle.next_crossing(&[0.9], f64::INFINITY),
        Crossing::default()
    );
    let stays = saddle.next_crossing(&[1.0], f64::INFINITY);
    assert_eq!((stays.after_ms, stays.grazing), (None, true));
    // dv/dt = v² − 1 from 0: v = −tanh t.
    let mut v = [0.0];
    saddle.advance(&mut v, 0.7, false);
    assert!((v[0] + 0.7_f64.tanh()).abs() < 1e-15);
    saddle.advance(&mut v, 1e6, false);
    assert!((v[0] + 1.0).abs() < 1e-15);
}

/// Near the bifurcation the passage takes π/√(k·drive), for rest = top and thresholds far away.
#[test]
fn a_slow_passage_keeps_its_accuracy() {
    for drive in [1e-4, 1e-8, 1e-12] {
        let mut flow = flow(0.04, -60.0, -60.0, drive, 1e6);
        let omega = (0.04 * drive).sqrt();
        let t = flow.next_crossing(&[-1e6], f64::INFINITY).after_ms.unwrap();
        let angle = |u: f64| (0.04 * u / omega).atan();
        let expected = (angle(1e6 + 60.0) - angle(-1e6 + 60.0)) / omega;
        assert!(
            (t / expected - 1.0).abs() < 1e-12,
            "{drive}: {t} {expected}"
        );
    }
}

#[test]
fn held_lost_and_blown_up() {
    let mut qif = flow(1.0, 0.0, 0.0, 0.0, 30.0);
    let mut v = [1.0];
    qif.advance(&mut v, 0.5, true);
    assert_eq!(v, [1.0]);
    qif.input(&mut v, 0, 2.0, true);
    assert_eq!(v, [1.0]);
    qif.input(&mut v, 0, 2.0, false);
    assert_eq!(v, [3.0]);
    qif.reset(&mut v);
    assert_eq!((v, qif.refractory_ms()), ([-10.0], 1.0));
    v = [1.0];
    qif.advance(&mut v, 1.5, false);
    assert_eq!(v, [f64::INFINITY]);
    qif.advance(&mut v, 1.5, false);
    assert_eq!(v, [f64::INFINITY]);
    assert!(qif.fires(&v));
}
