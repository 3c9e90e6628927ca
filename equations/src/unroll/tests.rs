use std::sync::Arc;

use super::*;
use crate::lower::lower;
use crate::parse_one;

const LEAKY: &str = "neuron leaky
  parameter w = 0.3 learnable, v_rest = -0.1 learnable, alpha = 2 learnable
  input x : 1
  update v = v + (x - (v - v_rest))*sigmoid(w) : 1 = v_rest
  spike when v >= 1, reset v = v - 1, surrogate atan(alpha)
  output y = 2*v";

fn leaky(n: usize) -> Unrolled<f64> {
    let component = lower(&Arc::new(parse_one(LEAKY, "leaky").unwrap()), None).unwrap();
    Unrolled::new(&component, n, 1.0)
}

fn wave(len: usize) -> Vec<f64> {
    (0..len)
        .map(|k| (count(k) * 0.754_877_666).fract() * 3.0 - 0.5)
        .collect()
}

fn bits(g: &Gradients<f64>) -> Vec<u64> {
    let parameters = g.parameters.iter().flat_map(|p| &p.values);
    let all = g.inputs.iter().chain(&g.start).chain(parameters);
    all.map(|x| x.to_bits()).collect()
}

#[test]
fn steps_taken_one_by_one_are_steps_taken_together() {
    let (steps, n) = (12, 5);
    let x = wave(steps * n);
    let mut together = leaky(n);
    together.forward(steps, &x, &[]).unwrap();
    let mut single = leaky(n);
    for row in x.chunks(n) {
        single.forward(1, row, &[]).unwrap();
    }
    for step in 0..steps {
        assert_eq!(together.spikes(step), single.spikes(step));
        assert_eq!(together.state("v", step), single.state("v", step));
    }
    let upstream = Upstream {
        spikes: &wave(steps * n),
        ..Upstream::default()
    };
    let (a, b) = (together.backward(&upstream), single.backward(&upstream));
    assert_eq!(bits(&a.unwrap()), bits(&b.unwrap()));
}

/// Neurons with equal parameters of their own have gradients that sum to the shared one.
#[test]
fn gradients_per_neuron_sum_to_the_shared_gradient() {
    let (steps, n) = (9, 4);
    let (x, g) = (wave(steps * n), wave(steps * n));
    let upstream = Upstream {
        spikes: &g,
        states: &g,
        outputs: &g,
    };
    let mut shared = leaky(n);
    shared.forward(steps, &x, &[]).unwrap();
    let shared = shared.backward(&upstream).unwrap();
    let mut own = leaky(n);
    own.set_parameter("w", &[0.3; 4]).unwrap();
    own.forward(steps, &x, &[]).unwrap();
    let own = own.backward(&upstream).unwrap();
    assert_eq!(own.parameters[0].values.len(), n);
    for (one, all) in own.parameters.iter().zip(&shared.parameters) {
        assert_eq!(all.values.len(), 1);
        let sum: f64 = one.values.iter().sum();
        assert!((sum - all.values[0]).abs() < 1e-12 * sum.abs(), "{sum}");
        assert!(sum != 0.0);
    }
}

#[test]
fn a_given_start_is_no_matter_of_the_parameters() {
    let run = |start: Option<&[f64]>| {
        let mut one = leaky(1);
        if let Some(v) = start {
            one.set_start("v", v).unwrap();
        }
        one.forward(1, &[0.2], &[]).unwrap();
        let g = one.backward(&Upstream {
            states: &[1.0],
            ..Upstream::default()
        });
        let g = g.unwrap();
        (g.start[0], g.parameters[1].values[0])
    };
    let (start, own) = run(None);
    let (_, given) = run(Some(&[-0.1]));
    assert!((own - (given + start)).abs() < 1e-15);
    assert!(start > 0.1);
}

#[test]
fn wrong_names_and_lengths_are_errors() {
    let mut two = leaky(2);
    let said = |e: Result<(), UnrollError>| e.err().map_or(String::new(), |e| e.to_string());
    assert_eq!(
        said(two.set_parameter("tau", &[1.0])),
        "`leaky` has no parameter `tau`"
    );
    assert_eq!(
        said(two.set_parameter("w", &[1.0; 3])),
        "parameter `w`: 3 values, expected 1 or 2"
    );
    assert_eq!(
        said(two.set_start("v", &[1.0])),
        "state `v`: 1 values, expected 2"
    );
    assert_eq!(
        said(two.forward(3, &[1.0; 5], &[])),
        "inputs: 5 values, expected 6"
    );
    assert_eq!(
        said(two.forward(1, &[1.0; 2], &[0.5])),
        "draws: 1 values, expected 0"
    );
    assert_eq!(said(two.state("v", 0).map(drop)), "step 0 of 0");
    assert_eq!(
        said(two.output("z", 0).map(drop)),
        "`leaky` has no output `z`"
    );
    two.forward(1, &[1.0; 2], &[]).unwrap();
    let upstream = Upstream {
        spikes: &[1.0],
        ..Upstream::default()
    };
    let refused = two.backward(&upstream).map(drop);
    assert_eq!(
        said(refused),
        "cotangents of spikes: 1 values, expected 0 or 2"
    );
}
