//! What the texts say under *Example*.

use crate::cell::{Cell, registered};

fn cell(name: &str, parameters: &[(&str, f64)]) -> Cell<f64> {
    Cell::new(&*registered(name), parameters, 1, 0.1)
}

/// Steps, of the first `n`, in which the neuron fires.
fn spikes(cell: &mut Cell<f64>, n: u64, mut before_step: impl FnMut(&mut Cell<f64>)) -> Vec<u64> {
    (1..=n)
        .filter(|_| {
            before_step(cell);
            !cell.step().is_empty()
        })
        .collect()
}

#[test]
fn lif_fires_in_the_second_step() {
    let mut lif = cell("lif", &[]);
    lif.arrive("x", 0, 1.5);
    assert!(lif.step().is_empty());
    assert_eq!(lif.get("v", 0), 0.75);
    lif.arrive("x", 0, 1.5);
    assert_eq!(lif.step(), [0]);
    assert_eq!(lif.get("v", 0), 0.0);
}

#[test]
fn iaf_psc_exp_has_its_period() {
    let exact_ms = 2.0 + 10.0 * 4.0_f64.ln();
    assert!((exact_ms - 15.9_f64).abs() < 0.05);
    let steps = spikes(&mut cell("iaf_psc_exp", &[("i_e", 500.0)]), 2000, |_| ());
    assert_eq!(steps.len(), 12);
    assert!(steps.windows(2).all(|w| w[1] - w[0] == 159));
}

#[test]
fn iaf_psc_alpha_has_its_peak() {
    let mut alpha = cell("iaf_psc_alpha", &[]);
    alpha.arrive("ex", 0, 100.0);
    alpha.step();
    (0..20).for_each(|_| drop(alpha.step().to_vec()));
    assert!((alpha.get("i_ex", 0) - 100.0).abs() < 1e-11);
    (0..20).for_each(|_| drop(alpha.step().to_vec()));
    assert!((alpha.get("i_ex", 0) - 200.0 * (-1.0_f64).exp()).abs() < 1e-11);
}

#[test]
fn iaf_psc_delta_fires_at_once_or_never() {
    let mut enough = cell("iaf_psc_delta", &[]);
    enough.arrive("delta", 0, 15.0);
    assert_eq!(enough.step(), [0]);
    let mut short = cell("iaf_psc_delta", &[]);
    short.arrive("delta", 0, 14.9);
    assert!(spikes(&mut short, 1000, |_| ()).is_empty());
}

#[test]
fn iaf_cond_exp_has_its_target() {
    let mut cond = cell("iaf_cond_exp", &[("i_e", 500.0), ("v_th", 0.0)]);
    spikes(&mut cond, 10_000, |_| ());
    assert!((cond.get("v", 0) - (-70.0 + 500.0 / 16.6667)).abs() < 1e-10);
}

#[test]
fn izhikevich_has_a_rheobase() {
    let driven = |current: f64| {
        let mut cell = cell("izhikevich", &[]);
        spikes(&mut cell, 10_000, |cell| cell.arrive("current", 0, current))
    };
    assert!(driven(3.0).is_empty());
    let steps = driven(10.0);
    let intervals: Vec<u64> = steps.windows(2).map(|w| w[1] - w[0]).collect();
    assert!(intervals.len() > 10);
    let settled = &intervals[2..];
    assert!(
        settled.iter().all(|i| i.abs_diff(settled[0]) <= 1),
        "{intervals:?}"
    );
}
