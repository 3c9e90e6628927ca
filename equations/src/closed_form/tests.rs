use super::*;
use crate::adjoint::adjoint;
use crate::expand::expand;
use crate::integrate::testing::{leak, model, parameter, propagator, state};
use crate::interpret::run;
use crate::ir::Program;
use crate::real::Precision;

/// Rows of numbers of the reference table that begin with `name`.
fn table(name: &str) -> Vec<Vec<f64>> {
    let rows = include_str!("propagators.tsv")
        .lines()
        .map(|line| line.split('\t'));
    let rows = rows.filter_map(|mut row| (row.next() == Some(name)).then_some(row));
    let number = |text: &str| text.parse().expect("a number");
    let rows: Vec<Vec<f64>> = rows.map(|row| row.map(number).collect()).collect();
    assert!(rows.len() >= 20, "{name}: {} rows", rows.len());
    rows
}

/// v' = −v/tau_m + (i + 1)/c_m, i' = −i/tau_syn.
fn exponential_synapse() -> Model {
    model(&["v", "i"], &["tau_m", "tau_syn", "c_m"], |b| {
        let relax = leak(b, 0, 0);
        let (i, c_m, one) = (state(b, 1), parameter(b, 2), b.constant(1.0));
        let sum = b.add(i, one);
        let drive = b.div(sum, c_m);
        vec![(0, b.add(relax, drive), false), (1, leak(b, 1, 1), false)]
    })
}

/// As [`exponential_synapse`] with i' = −i/tau_syn + y, y' = −y/tau_syn.
fn alpha_synapse() -> Model {
    model(&["v", "i", "y"], &["tau_m", "tau_syn", "c_m"], |b| {
        let relax = leak(b, 0, 0);
        let (i, y, c_m, one) = (state(b, 1), state(b, 2), parameter(b, 2), b.constant(1.0));
        let sum = b.add(i, one);
        let drive = b.div(sum, c_m);
        let fall = leak(b, 1, 1);
        vec![
            (0, b.add(relax, drive), false),
            (1, b.add(fall, y), false),
            (2, leak(b, 2, 1), false),
        ]
    })
}

fn constant(form: &ClosedForm, i: u32, parameters: &[f64], t: f64) -> f64 {
    let mut b = Builder::new();
    let time = b.load(Slot::Dt);
    let v = form
        .constant(&mut b, i, time, &mut |b, slot| b.load(slot))
        .expect("not zero");
    b.store(Slot::Output(0), v);
    run(&b.finish(), &mut |slot| match slot {
        Slot::Parameter(k) => parameters[k as usize],
        _ => t,
    })[0]
        .1
}

#[test]
fn entries_are_accurate_as_time_constants_coincide() {
    let exp = ClosedForm::analyse(&exponential_synapse()).expect("closed");
    let alpha = ClosedForm::analyse(&alpha_synapse()).expect("closed");
    let mut worst: f64 = 0.0;
    for row in table("synapse") {
        let (tau_m, tau_syn, t, expected) = (row[0], row[1], row[2], &row[3..]);
        let p = [tau_m, tau_syn, 250.0];
        let got = [
            propagator(&exp, 0, 1, &p, t).expect("v feels i"),
            constant(&exp, 0, &p, t),
            propagator(&alpha, 0, 1, &p, t).expect("v feels i"),
            propagator(&alpha, 0, 2, &p, t).expect("v feels y"),
        ];
        for (got, expected) in got.iter().zip(expected) {
            // Rates are rounded before they are multiplied by t: exp turns that into |λt|·ε.
            let bound = 4e-15 + 4.0 * f64::EPSILON * t / tau_syn.min(tau_m);
            let error = ((got - expected) / expected).abs();
            assert!(error < bound, "{tau_m} {tau_syn} {t}: {got} {expected}");
            worst = worst.max(error);
        }
    }
    assert!(worst > 0.0, "some rounding is expected");
}

#[test]
fn structural_zeros_are_absent() {
    let form = ClosedForm::analyse(&alpha_synapse()).expect("closed");
    let p = [10.0, 2.0, 250.0];
    assert!(propagator(&form, 1, 0, &p, 0.1).is_none());
    assert!(propagator(&form, 2, 1, &p, 0.1).is_none());
    assert!(form.is_explicit(0) && form.depends(0, 2) && !form.depends(2, 0));
    let mut b = Builder::new();
    let t = b.load(Slot::Dt);
    assert!(
        form.constant(&mut b, 1, t, &mut |b, slot| b.load(slot))
            .is_none()
    );
}

#[test]
fn paths_describe_the_entries() {
    let form = ClosedForm::analyse(&alpha_synapse()).expect("closed");
    let paths = form.paths(0).expect("explicit");
    let sources: Vec<PathSource> = paths.iter().map(|p| p.source).collect();
    assert_eq!(
        sources,
        [
            PathSource::ConstantRate(0),
            PathSource::State(0),
            PathSource::State(1),
            PathSource::State(2)
        ]
    );
    // v ← i ← y: 1/c_m·1·t²·exp[λ_m t, λ_s t, λ_s t].
    let last = &paths[3];
    assert_eq!(last.states, [0, 1, 2]);
    assert_eq!((last.coefficients.len(), last.rates.len()), (2, 3));
    assert_eq!(
        last.rates[1], last.rates[2],
        "one time constant is one value"
    );
    let mut b = Builder::new();
    let mut memo = HashMap::new();
    for (k, v) in (0_u32..).zip(last.coefficients.iter().chain(last.rates.iter().flatten())) {
        let v = b.import(form.arena(), *v, &mut memo, &mut |b, slot| b.load(slot));
        b.store(Slot::Output(k), v);
    }
    let parameters = [10.0, 2.0, 250.0];
    let values = run(&b.finish(), &mut |slot| match slot {
        Slot::Parameter(k) => parameters[k as usize],
        _ => 0.0,
    });
    let values: Vec<f64> = values.into_iter().map(|(_, v)| v).collect();
    assert_eq!(values, [1.0 / 250.0, 1.0, -0.1, -0.5, -0.5]);
}

/// v' = −v/10 − w, w' = (a·v − w)/40.
fn adaptive() -> Model {
    model(&["v", "w"], &["a"], |b| {
        let (v, w, a) = (state(b, 0), state(b, 1), parameter(b, 0));
        let (tau_m, tau_w) = (b.constant(10.0), b.constant(40.0));
        let relax = b.div(v, tau_m);
        let sum = b.add(relax, w);
        let dv = b.neg(sum);
        let drive = b.mul(a, v);
        let difference = b.sub(drive, w);
        vec![(0, dv, false), (1, b.div(difference, tau_w), false)]
    })
}

#[test]
fn coupled_states_get_the_matrix_exponential() {
    let form = ClosedForm::analyse(&adaptive()).expect("closed");
    assert!(!form.is_explicit(0) && form.paths(0).is_none());
    for row in table("adaptive") {
        let (a, t, expected) = (row[0], row[1], &row[2..]);
        let largest = expected.iter().fold(0.0_f64, |m, e| m.max(e.abs()));
        for (k, expected) in expected.iter().enumerate() {
            let (i, j) = (k as u32 / 2, k as u32 % 2);
            let got = propagator(&form, i, j, &[a], t).expect("dense");
            let error = (got - expected).abs();
            assert!(
                error < 1e-14 * largest + 1e-15,
                "a {a}, t {t}, ({i}, {j}): {got} {expected}"
            );
        }
    }
}

/// A ring of n states, each driven by the next.
fn ring(n: u32) -> Model {
    let names: Vec<String> = (0..n).map(|i| format!("x{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    model(&names, &[], |b| {
        (0..n)
            .map(|i| {
                let (own, next) = (state(b, i), state(b, (i + 1) % n));
                (i, b.sub(next, own), false)
            })
            .collect()
    })
}

#[test]
fn feedback_loops_have_a_limit() {
    assert!(ClosedForm::analyse(&ring(12)).is_ok());
    let error = ClosedForm::analyse(&ring(13)).expect_err("too large");
    assert_eq!(
        error,
        NotClosed::TooLarge {
            states: 13,
            limit: 12
        }
    );
}

#[test]
fn a_ring_conserves_its_sum_and_converges() {
    // Column sums of A are 0, so the sum of states stays; rows too, so all tend to the mean.
    let form = ClosedForm::analyse(&ring(5)).expect("closed");
    for t in [0.01, 1.0, 50.0] {
        let column: Vec<f64> = (0..5)
            .map(|i| propagator(&form, i, 2, &[], t).expect("dense"))
            .collect();
        assert!(
            (column.iter().sum::<f64>() - 1.0).abs() < 1e-14,
            "{t}: {column:?}"
        );
        if t > 40.0 {
            // The slowest mode decays with 1 − cos 72° = 0.69.
            assert!(column.iter().all(|c| (c - 0.2).abs() < 1e-13), "{column:?}");
        }
    }
}

#[test]
fn many_paths_fall_back_to_the_matrix() {
    // Ten states, each driven by all later ones: 512 paths into the first, 256 into the second.
    let dense = |n: u32| {
        let names: Vec<String> = (0..n).map(|i| format!("x{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        model(&names, &[], |b| {
            (0..n)
                .map(|i| {
                    let mut rate = state(b, i);
                    rate = b.neg(rate);
                    for j in i + 1..n {
                        let other = state(b, j);
                        rate = b.add(rate, other);
                    }
                    (i, rate, false)
                })
                .collect()
        })
    };
    let form = ClosedForm::analyse(&dense(11)).expect("closed");
    assert!(!form.is_explicit(0) && form.is_explicit(1));
    // All rates −1: A + I is nilpotent, N = strictly upper ones; (e^{At})₀₁ = e^−t·t, and one row on
    // both representations agree.
    let by_matrix = propagator(&form, 0, 1, &[], 0.7).expect("driven");
    let by_paths = propagator(&form, 1, 2, &[], 0.7).expect("driven");
    let expected = 0.7 * (-0.7_f64).exp();
    assert!((by_matrix - expected).abs() < 1e-15 && (by_paths - expected).abs() < 1e-15);
}

/// Prologue of the propagator v ← i as a program of parameters.
fn prologue() -> Program {
    let form = ClosedForm::analyse(&alpha_synapse()).expect("closed");
    let mut b = Builder::new();
    let time = b.load(Slot::Dt);
    let mut load = |b: &mut Builder, slot| b.load(slot);
    let v = form
        .propagator(&mut b, 0, 2, time, &mut load)
        .expect("driven");
    b.store(Slot::Derived(0), v);
    b.finish()
}

#[test]
fn entries_are_differentiable_where_time_constants_coincide() {
    let gradient = adjoint(&prologue(), &[Slot::Parameter(0), Slot::Parameter(1)]);
    let at = |program: &Program, tau_m: f64, tau_s: f64| {
        run(program, &mut |slot| match slot {
            Slot::Parameter(0) => tau_m,
            Slot::Parameter(1) => tau_s,
            Slot::Parameter(_) => 250.0,
            Slot::Dt => 1.0,
            _ => 1.0,
        })
    };
    for (tau_m, tau_s) in [(10.0, 2.0), (2.0, 2.0), (2.0 + 1e-9, 2.0), (2.0, 2.1)] {
        let got = at(&gradient, tau_m, tau_s);
        let h = 1e-4;
        let value = |m: f64, s: f64| at(&prologue(), m, s)[0].1;
        let by_m = (value(tau_m + h, tau_s) - value(tau_m - h, tau_s)) / (2.0 * h);
        let by_s = (value(tau_m, tau_s + h) - value(tau_m, tau_s - h)) / (2.0 * h);
        assert!(
            (got[0].1 - by_m).abs() < 1e-8 * by_m.abs(),
            "{tau_m}: {} {by_m}",
            got[0].1
        );
        assert!(
            (got[1].1 - by_s).abs() < 1e-8 * by_s.abs(),
            "{tau_s}: {} {by_s}",
            got[1].1
        );
    }
}

#[test]
fn expanded_prologues_agree() {
    let expanded = expand(&prologue(), Precision::F64);
    let load = |slot| match slot {
        Slot::Parameter(0) => 10.0,
        Slot::Parameter(1) => 2.0,
        Slot::Parameter(_) => 250.0,
        _ => 0.1,
    };
    let (p, q) = (
        run(&prologue(), &mut { load })[0].1,
        run(&expanded, &mut { load })[0].1,
    );
    assert!((p - q).abs() <= 1e-15 * p.abs(), "{p} {q}");
}
