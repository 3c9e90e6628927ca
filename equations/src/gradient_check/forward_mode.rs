//! The derivative of a run along a direction, by dual numbers through the interpreter.

use super::{Case, Sum};
use crate::interpret::{Dual, run_dual};
use crate::ir::Slot;
use crate::lower::Component;
use crate::unroll::Unrolled;

/// ⟨Jv, u⟩; `None` where the spikes are not those of `cells`.
pub(super) fn run(component: &Component, case: &Case<'_>, cells: &Unrolled<f64>) -> Option<Sum> {
    let n = case.setting.neurons;
    let statics = |slot| match slot {
        Slot::Parameter(i) => Dual {
            value: case.parameters[i as usize],
            tangent: case.parameter_direction[i as usize],
        },
        Slot::Dt => constant(case.setting.dt_ms),
        _ => Dual::default(),
    };
    let mut derived = vec![Dual::default(); component.n_derived];
    for (slot, dual) in run_dual(&component.prologue, &mut { statics }) {
        if let Slot::Derived(k) = slot {
            derived[k as usize] = dual;
        }
    }
    let mut sum = Sum::default();
    for neuron in 0..n {
        let mut states = vec![Dual::default(); component.states.len()];
        for (slot, dual) in run_dual(&component.initial, &mut { statics }) {
            if let Slot::State(i) = slot {
                let own = case.start_direction[i as usize * n + neuron];
                states[i as usize] = Dual {
                    tangent: dual.tangent + own,
                    ..dual
                };
            }
        }
        for step in 0..case.setting.steps {
            let fired = advance(
                component,
                case,
                &derived,
                &mut states,
                (step, neuron),
                &mut sum,
            );
            if (fired > 0.5) != (cells.spikes(step)[neuron] > 0.5) {
                return None;
            }
        }
    }
    Some(sum)
}

/// One step of one neuron; gives whether it fired, 1 or 0.
fn advance(
    component: &Component,
    case: &Case<'_>,
    derived: &[Dual],
    states: &mut [Dual],
    (step, neuron): (usize, usize),
    sum: &mut Sum,
) -> f64 {
    let n = case.setting.neurons;
    let n_ports = component.model.inputs.len();
    let n_outputs = component.model.outputs.len();
    let (n_uniforms, n_normals) = component.n_draws();
    let at = |rows: usize, row: usize| (step * rows + row) * n + neuron;
    let draw = |k: usize| constant(case.draws[at(n_uniforms + n_normals, k)]);
    let before = states.to_vec();
    let stored = run_dual(&component.step, &mut |slot| match slot {
        Slot::State(i) => before[i as usize],
        Slot::Derived(k) => derived[k as usize],
        Slot::Input(i) => Dual {
            value: case.inputs[at(n_ports, i as usize)],
            tangent: case.input_direction[at(n_ports, i as usize)],
        },
        Slot::Uniform(k) => draw(k as usize),
        Slot::Normal(k) => draw(n_uniforms + k as usize),
        Slot::Time => constant(case.time(step)),
        _ => Dual::default(),
    });
    let mut fired = 0.0;
    for (slot, dual) in stored {
        match slot {
            Slot::State(i) => {
                states[i as usize] = dual;
                if component.states[i as usize].differentiable {
                    sum.add(dual.tangent * case.of_states[at(states.len(), i as usize)]);
                }
            }
            Slot::Spike => {
                fired = dual.value;
                sum.add(dual.tangent * case.of_spikes[at(1, 0)]);
            }
            Slot::Output(i) => sum.add(dual.tangent * case.of_outputs[at(n_outputs, i as usize)]),
            _ => {}
        }
    }
    fired
}

fn constant(value: f64) -> Dual {
    Dual {
        value,
        tangent: 0.0,
    }
}
