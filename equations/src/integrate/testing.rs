//! Small models made in code, for tests of the passes.

use std::collections::HashMap;

use crate::closed_form::ClosedForm;
use crate::interpret::Interpreter;
use crate::ir::{Builder, Program, Slot, Value};
use crate::model::{Equation, Integrator, Kind, Model, Parameter, State};
use crate::unit::{Dimension, Unit};

pub(crate) fn number() -> Unit {
    Unit {
        dimension: Dimension::default(),
        scale: 1.0,
        name: "1".to_owned(),
    }
}

/// A model of `states` and `parameters` whose equations `rates` builds as (state, rate, unless
/// refractory).
pub(crate) fn model(
    states: &[&str],
    parameters: &[&str],
    rates: impl FnOnce(&mut Builder) -> Vec<(u32, Value, bool)>,
) -> Model {
    let mut b = Builder::new();
    let zero = b.constant(0.0);
    let equations = rates(&mut b)
        .into_iter()
        .map(|(state, rate, unless_refractory)| Equation {
            state,
            rate,
            unless_refractory,
        })
        .collect();
    let state = |name: &&str| State {
        name: (*name).to_owned(),
        doc: String::new(),
        unit: number(),
        initial: zero,
    };
    let parameter = |name: &&str| Parameter {
        name: (*name).to_owned(),
        doc: String::new(),
        unit: number(),
        default: 1.0,
        learnable: false,
        per_neuron: false,
        bounds: None,
    };
    Model {
        kind: Kind::Neuron,
        name: "test".to_owned(),
        doc: String::new(),
        text: String::new(),
        ops: b.ops().to_vec(),
        options: vec![],
        parameters: parameters.iter().map(parameter).collect(),
        states: states.iter().map(state).collect(),
        inputs: vec![],
        outputs: vec![],
        equations,
        updates: vec![],
        spike: None,
        integrator: Integrator::Auto,
        n_uniforms: 0,
        n_normals: 0,
    }
}

pub(crate) fn state(b: &mut Builder, i: u32) -> Value {
    b.load(Slot::State(i))
}

pub(crate) fn parameter(b: &mut Builder, i: u32) -> Value {
    b.load(Slot::Parameter(i))
}

/// `-x/tau`, the leak of state `i` with the time constant of parameter `tau`.
pub(crate) fn leak(b: &mut Builder, i: u32, tau: u32) -> Value {
    let (x, tau) = (state(b, i), parameter(b, tau));
    let minus = b.neg(x);
    b.div(minus, tau)
}

/// One step of the model's equations as a program; argument 0, if not zero, is "refractory".
pub(crate) fn step_program(model: &Model, method: Integrator, refractory: bool) -> Program {
    let mut b = Builder::new();
    let now: Vec<Value> = (0_u32..)
        .take(model.states.len())
        .map(|i| b.load(Slot::State(i)))
        .collect();
    let refractory = refractory.then(|| {
        let flag = b.load(Slot::Argument(0));
        let zero = b.constant(0.0);
        b.binary(crate::ir::Binary::Lt, zero, flag)
    });
    let mut load = |b: &mut Builder, slot| b.load(slot);
    let step = super::integrate(&mut b, model, method, &now, refractory, &mut load)
        .expect("method applies");
    for (i, v) in (0_u32..).zip(step.states) {
        b.store(Slot::State(i), v);
    }
    b.finish()
}

/// Runs `n` steps of `dt` from `start` in f64.
pub(crate) fn advance(
    program: &Program,
    parameters: &[f64],
    start: &[f64],
    dt: f64,
    n: usize,
    other: impl Fn(Slot) -> f64,
) -> Vec<f64> {
    let mut interpreter = Interpreter::<f64>::new(program.clone());
    let mut x = start.to_vec();
    for _ in 0..n {
        let old = x.clone();
        let load = |slot| match slot {
            Slot::State(i) => old[i as usize],
            Slot::Parameter(i) => parameters[i as usize],
            Slot::Dt => dt,
            slot => other(slot),
        };
        interpreter.run(load, |slot, value| {
            if let Slot::State(i) = slot {
                x[i as usize] = value;
            }
        });
    }
    x
}

/// Entry (i, j) of e^{At} in f64.
pub(crate) fn propagator(
    form: &ClosedForm,
    i: u32,
    j: u32,
    parameters: &[f64],
    t: f64,
) -> Option<f64> {
    let mut b = Builder::new();
    let time = b.load(Slot::Dt);
    let v = form.propagator(&mut b, i, j, time, &mut |b, slot| b.load(slot))?;
    b.store(Slot::Output(0), v);
    let values: HashMap<Slot, f64> = (0_u32..)
        .map(Slot::Parameter)
        .zip(parameters.iter().copied())
        .chain([(Slot::Dt, t)])
        .collect();
    Some(crate::interpret::run(&b.finish(), &mut |slot| values[&slot])[0].1)
}
