//! Any neuron without draws and updates as programs: what happens between events and at them.
//!
//! Where there is no closed form ([`crate::linear_system`], [`crate::quadratic`]), whoever advances a
//! neuron from event to event integrates [`EventPrograms::rates`] and looks for zeros of
//! [`EventPrograms::margin`]. All programs are expanded for f64: the same bits on every machine.

use std::collections::HashMap;

use thiserror::Error;

use crate::closed_form::{describe, live_values, state_name};
use crate::expand::expand;
use crate::ir::{Builder, Op, Program, Slot, Value};
use crate::linear_system::{NotLinear, refuse_every_step};
use crate::lower::Component;
use crate::model::{Assignment, Model};
use crate::real::Precision;

/// Why a component is more than equations, events and a threshold.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum NotEvents {
    /// Something acts in every step.
    #[error("{0}")]
    EveryStep(#[from] NotLinear),
    /// Something depends on time, or on the state at the start of a step.
    #[error("`{0}` depends on more than states and parameters")]
    Time(String),
    /// The condition is not one comparison.
    #[error("the spike condition is not one comparison: `{0}`")]
    Threshold(String),
}

/// A neuron as expanded f64 programs of `State` and `Parameter`.
#[derive(Clone, Debug)]
pub struct EventPrograms {
    /// Number of states, without a refractory counter.
    pub n_states: usize,
    /// → `Output(i)`: the rate of state i \[per ms\].
    pub rates: Program,
    /// By state: it stands still while refractory.
    pub held: Vec<bool>,
    /// → `Output(0)`: the neuron fires where it is ≥ 0; `None` if it never fires.
    pub margin: Option<Program>,
    /// It fires where the margin is > 0, not ≥ 0.
    pub strict: bool,
    /// By port, also from `Input(port)` → `State`: what an event does; then, what it does while
    /// refractory.
    pub inputs: Vec<[Program; 2]>,
    /// → `State`: what a spike does.
    pub reset: Program,
    /// → `Output(0)`: refractory time \[ms\].
    pub refractory: Program,
}

impl EventPrograms {
    /// Builds the programs. The integrator that the text names, if any, plays no part.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use rheobase_equations::{events::EventPrograms, interpret, lower::lower, parse_one};
    ///
    /// let text = "neuron cubic
    ///   dv/dt = v*v*v/(1 mV*mV*ms) : mV
    ///   input jump(w : mV): v += 2*w
    ///   spike when v >= 8 mV, reset v = 0";
    /// let component = lower(&Arc::new(parse_one(text, "cubic.rheo")?), None)?;
    /// let programs = EventPrograms::of(&component)?;
    /// let rates = interpret::run(&programs.rates, &mut |_| 3.0);
    /// assert_eq!(rates[0].1, 27.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`NotEvents`] names what acts otherwise than between events or at them.
    pub fn of(component: &Component) -> Result<Self, NotEvents> {
        let model = component.model.as_ref();
        refuse_every_step(model)?;
        let mut held = vec![false; model.states.len()];
        let mut rates = vec![None; model.states.len()];
        for equation in &model.equations {
            refuse_time(model, equation.rate, &state_name(model, equation.state))?;
            held[equation.state as usize] = equation.unless_refractory;
            rates[equation.state as usize] = Some(equation.rate);
        }
        let spike = model.spike.as_ref();
        if let Some(guard) = spike.and_then(|s| s.guard) {
            return Err(NotEvents::Threshold(describe(model, guard)));
        }
        let margin = spike.and_then(|s| s.margin);
        if let Some(margin) = margin {
            refuse_time(model, margin, "the spike condition")?;
        }
        let reset = spike.map_or(&[][..], |s| &s.reset);
        Ok(Self {
            n_states: model.states.len(),
            rates: outputs(model, &rates),
            held,
            margin: margin.map(|m| outputs(model, &[Some(m)])),
            strict: spike.is_some_and(|s| s.strict),
            inputs: model
                .inputs
                .iter()
                .map(|input| {
                    let kept = |a: &&Assignment| !(a.unless_refractory || input.unless_refractory);
                    let kept: Vec<Assignment> =
                        input.effects.iter().filter(kept).copied().collect();
                    [
                        assignments(model, &input.effects),
                        assignments(model, &kept),
                    ]
                })
                .collect(),
            reset: assignments(model, reset),
            refractory: outputs(model, &[spike.and_then(|s| s.refractory)]),
        })
    }
}

fn refuse_time(model: &Model, root: Value, what: &str) -> Result<(), NotEvents> {
    let is_other = |v: &Value| match &model.ops[v.index()] {
        Op::Load(slot) => !matches!(slot, Slot::State(_) | Slot::Parameter(_)),
        _ => false,
    };
    if live_values(&model.ops, root).iter().any(is_other) {
        return Err(NotEvents::Time(what.to_owned()));
    }
    Ok(())
}

/// `Output(i)` = root i, 0 for none.
fn outputs(model: &Model, roots: &[Option<Value>]) -> Program {
    let mut b = Builder::new();
    let mut memo = HashMap::new();
    for (i, root) in (0_u32..).zip(roots) {
        let value = match root {
            Some(root) => b.import(&model.ops, *root, &mut memo, &mut |b, slot| b.load(slot)),
            None => b.constant(0.0),
        };
        b.store(Slot::Output(i), value);
    }
    expand(&b.finish(), Precision::F64)
}

/// Assignments in order, each reading what earlier ones left.
fn assignments(model: &Model, assignments: &[Assignment]) -> Program {
    let mut b = Builder::new();
    let mut now: HashMap<u32, Value> = HashMap::new();
    let mut changed: Vec<u32> = Vec::new();
    for a in assignments {
        let load = &mut |b: &mut Builder, slot| match slot {
            Slot::State(i) => now.get(&i).copied().unwrap_or_else(|| b.load(slot)),
            other => b.load(other),
        };
        let value = b.import(&model.ops, a.value, &mut HashMap::new(), load);
        now.insert(a.state, value);
        if !changed.contains(&a.state) {
            changed.push(a.state);
        }
    }
    for state in changed {
        b.store(Slot::State(state), now[&state]);
    }
    expand(&b.finish(), Precision::F64)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::interpret;
    use crate::lower::lower;
    use crate::parse_one;

    fn programs(body: &str) -> Result<EventPrograms, NotEvents> {
        let model = parse_one(&format!("neuron x\n {body}"), "test").unwrap();
        EventPrograms::of(&lower(&Arc::new(model), None).unwrap())
    }

    #[test]
    fn assignments_run_in_order() {
        let p = programs(
            "parameter k = 2
             dv/dt = k*v*w/(1 mV*ms) : mV (unless refractory)
             state w = 1 mV : mV
             input in(x : mV): v += x, w += v
             input lost(y : mV): w += y (unless refractory)
             spike when v > 3*w, reset v = w, w = 2*v, refractory k*(1 ms)",
        )
        .unwrap();
        let load = &mut |slot| match slot {
            Slot::State(0) => 5.0,
            Slot::State(1) => 7.0,
            Slot::Parameter(0) => 2.0,
            Slot::Input(_) => 10.0,
            other => panic!("{other:?}"),
        };
        let mut run = |program: &Program| interpret::run(program, load);
        let (v, w) = (Slot::State(0), Slot::State(1));
        assert_eq!(
            run(&p.rates),
            [(Slot::Output(0), 70.0), (Slot::Output(1), 0.0)]
        );
        assert_eq!(run(p.margin.as_ref().unwrap()), [(Slot::Output(0), -16.0)]);
        assert_eq!(run(&p.inputs[0][0]), [(v, 15.0), (w, 22.0)]);
        assert_eq!(run(&p.inputs[0][1]), [(v, 15.0), (w, 22.0)]);
        assert_eq!(run(&p.inputs[1][0]), [(w, 17.0)]);
        assert_eq!(run(&p.inputs[1][1]), []);
        assert_eq!(run(&p.reset), [(v, 7.0), (w, 14.0)]);
        assert_eq!(run(&p.refractory), [(Slot::Output(0), 2.0)]);
        assert_eq!((p.strict, p.held), (true, vec![true, false]));
    }

    #[test]
    fn what_acts_in_every_step_is_named() {
        let cases = [
            (
                "dv/dt = normal()*(1 mV/ms) : mV\n spike when v >= 1 mV, reset v = 0",
                "random",
            ),
            (
                "state v = 0 : mV\n update v = 2*v\n spike when v >= 1 mV, reset v = 0",
                "updated",
            ),
            (
                "dv/dt = -v/(1 ms) + x : mV\n input x : mV/ms\n spike when v >= 1 mV, reset v = 0",
                "input `x`",
            ),
            (
                "dv/dt = t*(1 mV)/(1 ms*ms) : mV\n spike when v >= 1 mV, reset v = 0",
                "`v` depends",
            ),
            (
                "dv/dt = -v/(1 ms) : mV\n spike when v >= 1 mV and v >= 2 mV, reset v = 0",
                "one comparison",
            ),
        ];
        for (body, expected) in cases {
            let message = programs(body).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
