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

/// What a neuron of a layered network does with its first inputs: whether it fires, and its states.
#[test]
fn layered_neurons_do_what_their_texts_say() {
    let sigmoid_of_one = 1.0 / (1.0 + (-1.0_f64).exp());
    type Step = (f64, bool, &'static [(&'static str, f64)]);
    let examples: [(&str, &[(&str, f64)], &[Step]); 11] = [
        (
            "if",
            &[],
            &[
                (0.4, false, &[("v", 0.4)]),
                (0.4, false, &[("v", 0.8)]),
                (0.4, true, &[("v", 0.0)]),
            ],
        ),
        (
            "plif",
            &[],
            &[(1.5, false, &[("v", 0.75)]), (1.5, true, &[])],
        ),
        (
            "izhikevich_discrete",
            &[("b", 0.2)],
            &[(3.0, true, &[("w", 0.2)])],
        ),
        ("klif", &[("k", 2.0)], &[(1.0, true, &[("v", 0.0)])]),
        ("liaf", &[], &[(3.0, true, &[("v", 0.0)])]),
        (
            "cuba_lif",
            &[],
            &[(0.3, false, &[("c", 0.3)]), (0.3, true, &[("c", 0.45)])],
        ),
        (
            "gated_lif",
            &[],
            &[(1.0, true, &[("v", 0.75 - 0.5 / 64.0)])],
        ),
        ("alif", &[], &[(2.0, true, &[("v", 0.0), ("a", 0.05)])]),
        (
            "leaky",
            &[],
            &[
                (0.6, false, &[("v", 0.6)]),
                (0.6, true, &[("v", 1.14)]),
                (0.6, false, &[("v", 0.626)]),
            ],
        ),
        (
            "synaptic",
            &[],
            &[
                (0.6, false, &[("v", 0.6), ("i", 0.6)]),
                (0.6, true, &[("v", 1.62), ("i", 1.08)]),
                (0.6, true, &[("v", 1.922)]),
            ],
        ),
        (
            "psp_lif",
            &[],
            &[
                (10.0, false, &[("v", 0.0)]),
                (0.0, false, &[("v", 0.041_234_921_449_944_93)]),
            ],
        ),
    ];
    for (name, parameters, steps) in examples {
        let mut one = cell(name, parameters);
        for (x, fires, states) in steps {
            one.arrive("x", 0, *x);
            assert_eq!(!one.step().is_empty(), *fires, "{name}");
            for (state, value) in *states {
                assert!((one.get(state, 0) - value).abs() < 1e-12, "{name} {state}");
            }
        }
    }
    let mut clif = cell("clif", &[]);
    clif.arrive("x", 0, 1.0);
    assert_eq!(clif.step(), [0]);
    assert!((clif.get("v", 0) + sigmoid_of_one).abs() < 1e-12);
}

#[test]
fn qif_grows_by_itself_and_eif_too() {
    for (name, from, to) in [("qif", 0.9, 0.945), ("eif", 0.8, 0.9)] {
        let mut one = cell(name, &[]);
        one.set("v", 0, from);
        one.step();
        assert!((one.get("v", 0) - to).abs() < 1e-12, "{name}");
    }
}
