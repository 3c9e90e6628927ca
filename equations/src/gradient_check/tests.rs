use std::sync::Arc;

use super::*;
use crate::choice::Choices;
use crate::ir::{Op, Program, Unary};
use crate::lower::lower;
use crate::parse_one;

/// Everything a gradient goes through at once.
const RICH: &str = "neuron rich
  option detach_reset = false
  parameter tau = 3 ms, v_th = 1, alpha = 1.5, rest = 0.2, rho = 0.8, k = 0.7
  dc/dt = -c/tau : 1
  dv/dt = (rest - v + c)/tau : 1 = rest/2
  input x(w : 1): c += w*k
  input y : 1
  update a = a*rho + 0.1*y*v : 1
  spike when v >= v_th + a, reset v = v - v_th, surrogate sigmoid(2*alpha),
    detached when detach_reset, then a = a + (1 - rho)*spike, m = m*sigmoid(v) + spike
  state m : 1
  output z = tanh(v)*m";

fn component(text: &str, choices: &Choices) -> Component {
    let model = parse_one(text, "rich").unwrap().choose(choices).unwrap();
    lower(&Arc::new(model), None).unwrap()
}

fn setting() -> Setting {
    Setting {
        input_sizes: vec![1.2, 0.3],
        ..Setting::default()
    }
}

#[test]
fn both_judges_agree_with_the_reverse_pass() {
    for detach in ["false", "true"] {
        let choices = Choices::new().option("detach_reset", detach);
        let report = check(&component(RICH, &choices), &setting()).unwrap();
        assert!(report.spikes > 10, "{report:?}");
        assert!(report.transpose < 1e-13, "{report:?}");
        assert!(report.differences.unwrap() < 1e-9, "{report:?}");
    }
}

/// A slope of the text's own is judged by duals, and with a primitive by differences too.
#[test]
fn own_surrogates_are_judged() {
    let with = |own: &str| RICH.replace("sigmoid(2*alpha)", own);
    let nothing = Choices::new();
    let slope = component(&with("(u) = 1/(1 + 5*abs(u))^2"), &nothing);
    let report = check(&slope, &setting()).unwrap();
    assert!(report.transpose < 1e-13, "{report:?}");
    assert_eq!(report.differences, None);
    let both = "(u) = 3*sigmoid(3*u)*(1 - sigmoid(3*u)) primitive sigmoid(3*u)";
    let report = check(&component(&with(both), &nothing), &setting()).unwrap();
    assert!(report.transpose < 1e-13, "{report:?}");
    assert!(report.differences.unwrap() < 1e-9, "{report:?}");
}

/// `program` with one op replaced: a wrong derivation.
fn spoiled(component: &Component, change: impl Fn(&Op) -> Option<Op>) -> Component {
    let mut other = component.clone();
    let spoil = |program: &mut Program| {
        for op in &mut program.ops {
            if let Some(new) = change(op) {
                *op = new;
            }
        }
    };
    spoil(&mut other.step);
    other
}

/// The judges see a wrong gradient: one of a component whose sigmoid was detached.
#[test]
fn a_wrong_gradient_is_seen() {
    let right = component(RICH, &Choices::new());
    let wrong = spoiled(&right, |op| match op {
        Op::Unary(Unary::Tanh, x) => Some(Op::Unary(Unary::Detach, *x)),
        _ => None,
    });
    let (setting, nothing) = (setting(), 1e-9);
    let case = Case::new(&right, &setting);
    let mut cells = case.unrolled(&wrong);
    case.forward(&mut cells, 0.0).unwrap();
    let backward = case.along(&cells.backward(&case.upstream()).unwrap(), true);
    let forward = forward_mode::run(&right, &case, &cells).unwrap();
    assert!(gap(forward, backward) > nothing);
}

#[test]
fn random_draws_and_time_are_the_same_for_both() {
    let text = "neuron noisy
      parameter sigma = 0.3
      input x : 1
      update v = 0.5*v + x + sigma*normal() + 0.1*uniform() + 0.01*t/ms : 1
      spike when v >= 1, reset v = 0";
    let report = check(&component(text, &Choices::new()), &Setting::default()).unwrap();
    assert!(report.transpose < 1e-13, "{report:?}");
    assert!(report.differences.unwrap() < 1e-9, "{report:?}");
}
