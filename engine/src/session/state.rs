//! What a session remembers from step to step, apart from its parameters.

use serde::{Deserialize, Serialize};

use super::{Session, work::Work};
use crate::instantiate::Instantiate;

/// The last step there can be.
const MOST_STEPS: u64 = 1 << 53;

/// Everything that passes from one step to the next: neuron states and what is on its way over
/// delayed edges. Taken from one session, it fits every session of the same description.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// Steps taken.
    pub step: u64,
    /// `(node, variable, values)`; values of f32 sessions are exact in f64.
    pub variables: Vec<(String, String, Vec<f64>)>,
    /// By node and slot of its delay line: elements that fired, and values.
    pub emitted: Vec<(String, Vec<(Vec<u32>, Vec<f64>)>)>,
}

/// Why a state does not fit a session. The session is as before.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// It is of another description.
    #[error("the state does not fit this network: {what}")]
    Mismatch {
        /// What differs.
        what: String,
    },
}

impl<R: Instantiate> Session<R> {
    /// A copy of the state.
    pub fn state(&mut self) -> State {
        let mut state = State {
            step: self.now,
            ..State::default()
        };
        for node in &mut self.nodes {
            let numbers = |values: &[R]| values.iter().map(|x| x.to_f64()).collect::<Vec<_>>();
            if let Work::Population(population) = &mut node.work {
                let names = &population.shape.state_names;
                population.neurons.state(names, &mut |variable, values| {
                    let variable = variable.to_owned();
                    state
                        .variables
                        .push((node.name.clone(), variable, numbers(values)));
                });
            }
            let slots = node.emitted.slots.iter().map(|slot| {
                if node.work.is_relay() {
                    // As another session may hold it; the next step overwrites it anyway.
                    return (Vec::new(), vec![0.0; node.size]);
                }
                (slot.spikes.clone(), numbers(&slot.values))
            });
            state.emitted.push((node.name.clone(), slots.collect()));
        }
        state
    }

    /// Goes on from a state.
    ///
    /// # Errors
    /// If it is of another description.
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        let own = self.state();
        let shape_of = |s: &State| -> Vec<(String, String, usize)> {
            let sizes = s.variables.iter();
            sizes
                .map(|(n, v, x)| (n.clone(), v.clone(), x.len()))
                .collect()
        };
        let (found, expected) = (shape_of(state), shape_of(&own));
        if found != expected {
            let differs = expected.iter().zip(&found).find(|(a, b)| a != b);
            let what = match differs {
                Some((a, b)) => format!(
                    "{} values of `{}.{}` expected, {} of `{}.{}` found",
                    a.2, a.0, a.1, b.2, b.0, b.1
                ),
                None => format!(
                    "{} variables expected, {} found",
                    expected.len(),
                    found.len()
                ),
            };
            return Err(StateError::Mismatch { what });
        }
        let fits = own.emitted.len() == state.emitted.len()
            && own
                .emitted
                .iter()
                .zip(&state.emitted)
                .zip(&self.nodes)
                .all(|((a, b), node)| {
                    a.0 == b.0
                        && a.1.len() == b.1.len()
                        && a.1.iter().zip(&b.1).all(|(a, b)| {
                            a.1.len() == b.1.len()
                                && b.0.is_sorted()
                                && b.0.last().is_none_or(|&n| (n as usize) < node.size)
                        })
                });
        if !fits {
            return Err(StateError::Mismatch {
                what: "delay lines differ in length or size, or are out of order".to_owned(),
            });
        }
        if state.step > MOST_STEPS {
            return Err(StateError::Mismatch {
                what: format!("step {} is beyond {MOST_STEPS}, the last", state.step),
            });
        }
        self.now = state.step;
        self.is_fresh = true;
        let mut variables = state.variables.iter();
        for (node, (_, slots)) in self.nodes.iter_mut().zip(&state.emitted) {
            node.work.restart();
            if let Work::Population(population) = &mut node.work {
                let names = &population.shape.state_names;
                population.neurons.state(names, &mut |_, values| {
                    let Some((.., from)) = variables.next() else {
                        return;
                    };
                    values
                        .iter_mut()
                        .zip(from)
                        .for_each(|(to, &x)| *to = R::from_f64(x));
                });
                population.neurons.resume(state.step);
            }
            for (slot, (spikes, values)) in node.emitted.slots.iter_mut().zip(slots) {
                slot.spikes.clear();
                slot.spikes.extend_from_slice(spikes);
                slot.values
                    .iter_mut()
                    .zip(values)
                    .for_each(|(to, &x)| *to = R::from_f64(x));
            }
        }
        Ok(())
    }
}
