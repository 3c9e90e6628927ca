//! One population, unrolled over steps: forward with a tape, and backward.
//!
//! This is the smallest thing that trains: no network, one thread. Gradients of any component can be
//! had from it, in f64 and f32; the gradient checker ([`crate::gradient_check`]) is built on it.
//!
//! ```
//! use std::sync::Arc;
//! use rheobase_equations::unroll::{Unrolled, Upstream};
//! use rheobase_equations::{lower::lower, parse_one};
//!
//! let text = "neuron leaky
//!   parameter tau = 2 learnable, v_th = 1
//!   input x : 1
//!   update v = v + (x - v)/tau : 1
//!   spike when v >= v_th, reset v = 0, surrogate atan(2)";
//! let component = lower(&Arc::new(parse_one(text, "leaky.rheo")?), None)?;
//! let mut two = Unrolled::<f64>::new(&component, 2, 1.0);
//! two.forward(3, &[1.5, 0.1, 1.5, 0.2, 0.0, 0.3], &[])?;
//! assert_eq!(two.spikes(1), [1.0, 0.0]);
//! assert_eq!(two.state("v", 0)?, [0.75, 0.05]);
//! let gradients = two.backward(&Upstream { spikes: &[1.0; 6], ..Upstream::default() })?;
//! assert_eq!(gradients.inputs.len(), 6);
//! assert!(gradients.parameters[0].values[0] < 0.0, "a slower neuron fires less");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backward;
#[cfg(test)]
mod tests;

use crate::block::{BlockFunction, Operand};
use crate::gradient::Reverse;
use crate::ir::Slot;
use crate::lower::Component;
use crate::native::{Derived, LANES};
use crate::real::Real;

pub use backward::{Gradients, ParameterGradient, Upstream};

/// What does not fit the component or the population.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnrollError {
    /// No parameter, state or output of that name.
    #[error("`{model}` has no {kind} `{name}`")]
    Unknown {
        /// The component.
        model: String,
        /// Parameter, state or output.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// An array of the wrong length.
    #[error("{what}: {found} values, expected {expected}")]
    Length {
        /// Which array.
        what: String,
        /// How many values it should have.
        expected: String,
        /// How many it has.
        found: usize,
    },
    /// A step that has not been run.
    #[error("step {step} of {steps}")]
    Step {
        /// Which.
        step: usize,
        /// How many there are.
        steps: usize,
    },
}

/// A population with the record of its steps.
#[derive(Debug)]
pub struct Unrolled<R: Real> {
    component: Component,
    reverse: Reverse,
    forward: BlockFunction<R>,
    backward: BlockFunction<R>,
    n: usize,
    stride: usize,
    dt_ms: f64,
    /// One value, or one per neuron, of each parameter.
    parameters: Vec<Vec<f64>>,
    derived: Vec<Derived<R>>,
    /// States that start from given values, not from the text's.
    given: Vec<bool>,
    start: Vec<R>,
    now: Vec<R>,
    tape: Vec<Entry<R>>,
}

/// What a step read and what it gave.
#[derive(Clone, Debug)]
struct Entry<R> {
    before: Vec<R>,
    inputs: Vec<R>,
    draws: Vec<R>,
    spikes: Vec<R>,
    outputs: Vec<R>,
}

impl<R: Real> Unrolled<R> {
    /// `n` neurons with default parameters at their initial states; what the text declares
    /// `learnable` is learned.
    #[must_use]
    pub fn new(component: &Component, n: usize, dt_ms: f64) -> Self {
        Self::learning(component, Reverse::of_learnable(component), n, dt_ms)
    }

    /// As [`Self::new`], with another choice of learned parameters.
    #[must_use]
    pub fn learning(component: &Component, reverse: Reverse, n: usize, dt_ms: f64) -> Self {
        let defaults = component.default_parameters();
        let mut new = Self {
            forward: BlockFunction::new(&component.step),
            backward: BlockFunction::new(reverse.step()),
            reverse,
            n,
            stride: n.max(1).next_multiple_of(LANES),
            dt_ms,
            parameters: defaults.into_iter().map(|p| vec![p]).collect(),
            derived: Vec::new(),
            given: vec![false; component.states.len()],
            start: Vec::new(),
            now: Vec::new(),
            tape: Vec::new(),
            component: component.clone(),
        };
        new.start = vec![R::ZERO; new.component.states.len() * new.stride];
        new.derive();
        new
    }

    /// The component.
    #[must_use]
    pub fn component(&self) -> &Component {
        &self.component
    }

    /// Sets a parameter (base units) from one value, or one per neuron, and starts again.
    ///
    /// # Errors
    /// An unknown name, or another number of values.
    pub fn set_parameter(&mut self, name: &str, values: &[f64]) -> Result<(), UnrollError> {
        let parameters = &self.component.model.parameters;
        let index = self.index("parameter", name, parameters.iter().map(|p| &*p.name))?;
        if values.len() != 1 && values.len() != self.n {
            let expected = format!("1 or {}", self.n);
            return Err(length(
                format!("parameter `{name}`"),
                expected,
                values.len(),
            ));
        }
        self.parameters[index] = values.to_vec();
        self.derive();
        Ok(())
    }

    /// Lets a state start from given values, one per neuron, and starts again.
    ///
    /// # Errors
    /// An unknown name, or another number of values.
    pub fn set_start(&mut self, name: &str, values: &[R]) -> Result<(), UnrollError> {
        let index = self.state_index(name)?;
        if values.len() != self.n {
            return Err(length(
                format!("state `{name}`"),
                self.n.to_string(),
                values.len(),
            ));
        }
        self.given[index] = true;
        self.start[index * self.stride..][..self.n].copy_from_slice(values);
        self.restart();
        Ok(())
    }

    /// Forgets every step and goes back to the start.
    pub fn restart(&mut self) {
        self.tape.clear();
        self.now.clone_from(&self.start);
    }

    /// Runs `steps` further steps. `inputs` is `[steps, ports, n]` in the order of the declarations;
    /// `draws` is `[steps, uniforms and normals, n]`, empty where the component draws nothing.
    ///
    /// # Errors
    /// An array of the wrong length.
    pub fn forward(&mut self, steps: usize, inputs: &[R], draws: &[R]) -> Result<(), UnrollError> {
        let ports = self.component.model.inputs.len();
        let (uniforms, normals) = self.component.n_draws();
        for (what, array, rows) in [
            ("inputs", inputs, ports),
            ("draws", draws, uniforms + normals),
        ] {
            let expected = steps * rows * self.n;
            if array.len() != expected {
                return Err(length(what, expected.to_string(), array.len()));
            }
        }
        for step in 0..steps {
            let rows = |array: &[R], rows: usize| {
                let first = step * rows * self.n;
                self.padded(&array[first..first + rows * self.n], rows)
            };
            let (inputs, draws) = (rows(inputs, ports), rows(draws, uniforms + normals));
            self.step(inputs, draws);
        }
        Ok(())
    }

    /// Steps run since the start.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.tape.len()
    }

    /// 1 where a neuron fired in a step (counted from 0), else 0; empty for a step not run.
    #[must_use]
    pub fn spikes(&self, step: usize) -> &[R] {
        self.tape.get(step).map_or(&[], |e| &e.spikes[..self.n])
    }

    /// A state after a step.
    ///
    /// # Errors
    /// An unknown name; a step that has not been run.
    pub fn state(&self, name: &str, step: usize) -> Result<&[R], UnrollError> {
        let index = self.state_index(name)?;
        let steps = self.tape.len();
        let after = match self.tape.get(step + 1) {
            Some(next) => &next.before,
            None if step + 1 == steps => &self.now,
            None => return Err(UnrollError::Step { step, steps }),
        };
        Ok(&after[index * self.stride..][..self.n])
    }

    /// A real-valued output of a step.
    ///
    /// # Errors
    /// An unknown name; a step that has not been run.
    pub fn output(&self, name: &str, step: usize) -> Result<&[R], UnrollError> {
        let outputs = &self.component.model.outputs;
        let index = self.index("output", name, outputs.iter().map(|o| &*o.name))?;
        let steps = self.tape.len();
        let entry = self.tape.get(step);
        let entry = entry.ok_or(UnrollError::Step { step, steps })?;
        Ok(&entry.outputs[index * self.stride..][..self.n])
    }

    fn state_index(&self, name: &str) -> Result<usize, UnrollError> {
        let states = &self.component.states;
        self.index("state", name, states.iter().map(|s| &*s.name))
    }

    fn index<'a>(
        &self,
        kind: &'static str,
        name: &str,
        mut names: impl Iterator<Item = &'a str>,
    ) -> Result<usize, UnrollError> {
        names
            .position(|n| n == name)
            .ok_or_else(|| UnrollError::Unknown {
                model: self.component.model.name.clone(),
                kind,
                name: name.to_owned(),
            })
    }

    fn padded(&self, values: &[R], rows: usize) -> Vec<R> {
        let mut padded = vec![R::ZERO; rows * self.stride];
        for (row, values) in padded
            .chunks_exact_mut(self.stride)
            .zip(values.chunks(self.n.max(1)))
        {
            row[..self.n].copy_from_slice(values);
        }
        padded
    }

    /// Whether any parameter differs between neurons.
    fn is_per_neuron(&self) -> bool {
        self.parameters.iter().any(|p| p.len() != 1)
    }

    /// The parameters of one neuron.
    fn of_neuron(&self, neuron: usize) -> Vec<f64> {
        let value = |p: &Vec<f64>| p.get(neuron).or(p.first()).copied().unwrap_or(f64::NAN);
        self.parameters.iter().map(value).collect()
    }

    /// Derived quantities and initial states from the parameters.
    fn derive(&mut self) {
        let neurons = if self.is_per_neuron() { self.n } else { 1 };
        let mut derived: Vec<Vec<R>> = vec![Vec::new(); self.component.n_derived];
        for neuron in 0..neurons {
            let parameters = self.of_neuron(neuron);
            let values = self.component.derive(&parameters, self.dt_ms);
            for (all, value) in derived.iter_mut().zip(values) {
                all.push(R::from_f64(value));
            }
            let initial = self.component.initial_states(&parameters, self.dt_ms);
            let end = if neurons == 1 {
                self.stride
            } else {
                neuron + 1
            };
            for (i, &value) in initial.iter().enumerate() {
                if !self.given[i] {
                    self.start[i * self.stride..][neuron..end].fill(R::from_f64(value));
                }
            }
        }
        let stride = self.stride;
        self.derived = derived
            .into_iter()
            .map(|mut values| {
                if neurons == 1 {
                    return Derived::shared(values.first().copied().unwrap_or(R::ZERO));
                }
                // Lanes beyond the population compute, and what they give is not looked at.
                let filler = values.last().copied().unwrap_or(R::ZERO);
                values.resize(stride, filler);
                Derived::PerNeuron(values)
            })
            .collect();
        self.restart();
    }

    fn step(&mut self, inputs: Vec<R>, draws: Vec<R>) {
        let stride = self.stride;
        let time = R::from_f64(self.dt_ms * count(self.tape.len() + 1));
        let before = self.now.clone();
        let mut spikes = vec![R::ZERO; stride];
        let mut outputs = vec![R::ZERO; self.component.model.outputs.len() * stride];
        let mut writes: Vec<(Slot, &mut [R])> = vec![(Slot::Spike, &mut spikes)];
        let arrays = self.now.chunks_exact_mut(stride);
        writes.extend((0..).map(Slot::State).zip(arrays));
        writes.extend(
            (0..)
                .map(Slot::Output)
                .zip(outputs.chunks_exact_mut(stride)),
        );
        let read = Read {
            before: &before,
            inputs: &inputs,
            draws: &draws,
            derived: &self.derived,
            n_uniforms: self.component.n_draws().0,
            stride,
            time,
        };
        self.forward
            .run(stride, |slot| read.slot(slot), &mut writes);
        self.tape.push(Entry {
            before,
            inputs,
            draws,
            spikes,
            outputs,
        });
    }
}

/// What a step and its reverse read.
struct Read<'a, R> {
    before: &'a [R],
    inputs: &'a [R],
    draws: &'a [R],
    derived: &'a [Derived<R>],
    n_uniforms: usize,
    stride: usize,
    time: R,
}

impl<'a, R: Real> Read<'a, R> {
    fn slot(&self, slot: Slot) -> Operand<'a, R> {
        let row =
            |array: &'a [R], k: usize| Operand::Array(&array[k * self.stride..][..self.stride]);
        match slot {
            Slot::State(i) => row(self.before, i as usize),
            Slot::Input(i) => row(self.inputs, i as usize),
            Slot::Uniform(k) => row(self.draws, k as usize),
            Slot::Normal(k) => row(self.draws, self.n_uniforms + k as usize),
            Slot::Derived(k) => match &self.derived[k as usize] {
                Derived::Shared(block) => Operand::Scalar(block[0]),
                Derived::PerNeuron(values) => Operand::Array(values),
            },
            Slot::Time => Operand::Scalar(self.time),
            // A cotangent that nobody gave.
            _ => Operand::Scalar(R::ZERO),
        }
    }
}

fn length(what: impl Into<String>, expected: String, found: usize) -> UnrollError {
    UnrollError::Length {
        what: what.into(),
        expected,
        found,
    }
}

#[allow(clippy::cast_precision_loss, reason = "steps of a tape are in memory")]
fn count(steps: usize) -> f64 {
    steps as f64
}
