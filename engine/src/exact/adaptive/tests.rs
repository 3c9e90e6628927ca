//! Adaptive flows against closed forms by hand and against the classical Runge-Kutta method in small
//! steps.

use std::sync::Arc;

use rheobase_equations::lower::lower;
use rheobase_equations::parse_one;

use super::*;

fn flow(text: &str, parameters: &[f64], tolerance: f64) -> AdaptiveFlow {
    let component = lower(&Arc::new(parse_one(text, "test").unwrap()), None).unwrap();
    AdaptiveFlow::new(
        &EventPrograms::of(&component).unwrap(),
        parameters,
        tolerance,
    )
    .unwrap()
}

const LIF: &str = "neuron lif
   parameter tau = 10 ms, drive = 10 mV
   dv/dt = (drive - v)/tau : mV (unless refractory)
   input jump(w : mV): v += w (unless refractory)
   input kept(w : mV): v += 2*w
   spike when v >= 9 mV, reset v = 1 mV, refractory 2 ms";

#[test]
fn errors_follow_the_tolerance() {
    for tolerance in [1e-5, 1e-8, 1e-11] {
        let mut lif = flow(LIF, &[10.0, 10.0], tolerance);
        let t = lif.next_crossing(&[0.0], 100.0).after_ms.unwrap();
        let expected = 10.0 * 10.0_f64.ln();
        let error = (t - expected).abs();
        // The slope is 0.1 mV/ms.
        assert!(error < 1000.0 * tolerance, "{tolerance}: {error:e}");
        let mut v = [0.0];
        lif.advance(&mut v, t, false);
        assert!(
            (v[0] - 9.0).abs() < 1e-13,
            "the state at the crossing: {}",
            v[0]
        );
        assert_eq!(lif.next_crossing(&[0.0], t - 0.01).after_ms, None);
    }
}

#[test]
fn events_act_as_the_text_says() {
    let mut lif = flow(LIF, &[10.0, 10.0], 1e-9);
    let mut v = [5.0];
    lif.input(&mut v, 0, 1.0, true);
    assert_eq!(v, [5.0], "lost");
    lif.input(&mut v, 1, 1.0, true);
    assert_eq!(v, [7.0]);
    lif.advance(&mut v, 3.0, true);
    assert_eq!(v, [7.0], "held");
    lif.input(&mut v, 0, 2.0, false);
    assert!(lif.fires(&v));
    assert_eq!(lif.next_crossing(&v, 1.0).after_ms, Some(0.0));
    lif.reset(&mut v);
    assert_eq!((v, lif.refractory_ms(), lif.n_states()), ([1.0], 2.0, 1));
}

/// v = w·t·e^{−t/τ}: a peak of w·τ/e at τ, seen also where it lies within one step.
#[test]
fn peaks_near_the_threshold() {
    let text = "neuron alpha
       parameter tau = 10 ms, th = 1 mV
       dv/dt = -v/tau + i/(1 ms) : mV
       di/dt = -i/tau : mV
       spike when v >= th, reset v = 0";
    let peak = 10.0 / std::f64::consts::E;
    let mut alpha = flow(text, &[10.0, peak], 1e-11);
    for k in 1..8 {
        let d = 10.0_f64.powi(-k);
        let above = alpha.next_crossing(&[0.0, 1.0 + d], 100.0);
        let near = 10.0 * (1.0 - (2.0 * d).sqrt());
        assert!(
            (above.after_ms.unwrap() - near).abs() < 10.0 * d + 1e-4,
            "{k} {above:?}"
        );
        assert_eq!(
            alpha.next_crossing(&[0.0, 1.0 - d], 100.0).after_ms,
            None,
            "{k}"
        );
    }
    assert!(alpha.next_crossing(&[0.0, 1.0 + 1e-13], 100.0).grazing);
}

/// Two coupled states that are not linear, against fourth-order steps of 1/2048 ms.
#[test]
fn izhikevich_follows_small_steps() {
    let text = "neuron simple
       parameter a = 0.02/(1 ms), b = 0.2
       dv/dt = (0.04*v*v/(1 mV) + 5*v + 140 mV - u)/(1 ms) + 10 mV/ms : mV = -65 mV
       du/dt = a*(b*v - u) : mV = -13 mV
       spike when v >= 30 mV, reset v = -65 mV, u += 8 mV";
    let mut simple = flow(text, &[0.02, 0.2], DEFAULT_TOLERANCE);
    let rates = |x: [f64; 2]| {
        let v = 0.04 * x[0] * x[0] + 5.0 * x[0] + 140.0 - x[1] + 10.0;
        [v, 0.02 * (0.2 * x[0] - x[1])]
    };
    let h = 1.0 / 2048.0;
    let step = |x: [f64; 2], h: f64| {
        let plus = |k: [f64; 2], s: f64| [x[0] + s * k[0], x[1] + s * k[1]];
        let a = rates(x);
        let b = rates(plus(a, 0.5 * h));
        let c = rates(plus(b, 0.5 * h));
        let d = rates(plus(c, h));
        [0, 1].map(|i| x[i] + h / 6.0 * (a[i] + 2.0 * b[i] + 2.0 * c[i] + d[i]))
    };
    let mut reference = [-65.0, -13.0];
    let mut found = reference;
    for _ in 0..5 {
        let start = reference;
        let (mut x, mut n) = (start, 0_u32);
        while step(x, h)[0] < 30.0 {
            x = step(x, h);
            n += 1;
        }
        let (mut low, mut high) = (0.0, h);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if step(x, middle)[0] < 30.0 {
                low = middle
            } else {
                high = middle
            }
        }
        let expected = f64::from(n) * h + high;
        let t = simple.next_crossing(&found, 1000.0).after_ms.unwrap();
        assert!((t - expected).abs() < 1e-7, "{t} {expected}");
        simple.advance(&mut found, t, false);
        simple.reset(&mut found);
        reference = [-65.0, step(x, high)[1] + 8.0];
        assert!((found[1] - reference[1]).abs() < 1e-7);
    }
}

#[test]
fn a_trajectory_that_blows_up_ends_in_nan() {
    let text = "neuron cubic
       dv/dt = v*v*v/(1 mV*mV*ms) : mV
       input x(w : mV): v += w
       spike when v >= 1e6 mV, reset v = 0";
    let mut cubic = flow(text, &[], 1e-9);
    // v = 1/√(1 − 2t) from 1.
    let t = cubic.next_crossing(&[1.0], 10.0).after_ms.unwrap();
    assert!((t - 0.5).abs() < 1e-7);
    let mut v = [1.0];
    cubic.advance(&mut v, 10.0, false);
    assert!(v[0].is_nan());
}

#[test]
fn too_many_states_and_bad_tolerances_are_refused() {
    let states: String = (0..13)
        .map(|i| format!("dx{i}/dt = -x{i}/(1 ms) : 1\n"))
        .collect();
    let text = format!("neuron many\n {states} spike when x0 >= 1, reset x0 = 0");
    let component = lower(&Arc::new(parse_one(&text, "test").unwrap()), None).unwrap();
    let programs = EventPrograms::of(&component).unwrap();
    let refused = AdaptiveFlow::new(&programs, &[], 1e-9).err();
    assert_eq!(refused, Some(NotExact::TooManyStates(13)));
}
