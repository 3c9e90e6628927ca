//! Is the gradient of a component right? Two judges that share no code with the reverse pass.
//!
//! *Forward mode*: with random directions v of inputs, start and parameters, and random weights u of
//! everything a run gives, ⟨Jv, u⟩ by dual numbers through the interpreter must be ⟨v, Jᵀu⟩ by the
//! reverse pass. This judges the gradient that training takes, surrogates included.
//!
//! *Differences*: in [primitive mode](crate::primitive) the run is smooth, and the derivative along v
//! must be the central difference. This judges the rules themselves. What follows a threshold without
//! a gradient (counters, detached resets, `select` on a comparison) follows it here too.
//!
//! ```
//! use std::sync::Arc;
//! use rheobase_equations::gradient_check::{Setting, check};
//! use rheobase_equations::{lower::lower, parse_one};
//!
//! let text = "neuron mine
//!   parameter tau = 2, gain = 1.3
//!   input x : 1
//!   update v = v + (tanh(gain*x) - v)/tau : 1
//!   spike when v >= 0.4, reset v = 0, surrogate atan(2)";
//! let component = lower(&Arc::new(parse_one(text, "mine.rheo")?), None)?;
//! let report = check(&component, &Setting::default())?;
//! assert!(report.spikes > 0);
//! assert!(report.transpose < 1e-12, "{report:?}");
//! assert!(report.differences.unwrap() < 1e-6, "{report:?}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod forward_mode;
mod random;

use crate::gradient::Reverse;
use crate::lower::Component;
use crate::surrogate::OWN;
use crate::unroll::{Gradients, UnrollError, Unrolled, Upstream};

use random::Random;

/// What is run.
#[derive(Clone, PartialEq, Debug)]
pub struct Setting {
    /// Steps.
    pub steps: usize,
    /// Neurons, each with input of its own.
    pub neurons: usize,
    /// Length of a step \[ms\].
    pub dt_ms: f64,
    /// Size of what arrives in a step, per input port in base units; 1 for ports beyond the list.
    pub input_sizes: Vec<f64>,
    /// Of the random numbers.
    pub seed: u64,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            steps: 20,
            neurons: 4,
            dt_ms: 1.0,
            input_sizes: Vec::new(),
            seed: 1,
        }
    }
}

/// What came out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Report {
    /// Spikes of the run: without any, the surrogate was judged far from threshold only.
    pub spikes: usize,
    /// |⟨Jv, u⟩ − ⟨v, Jᵀu⟩| over the sum of the magnitudes of their terms; infinite where the two runs
    /// do not even spike alike.
    pub transpose: f64,
    /// The same for the central difference; `None` where the surrogate has no primitive.
    pub differences: Option<f64>,
}

/// Judges the gradient of `component` by its inputs, start and all parameters.
///
/// # Errors
/// None for a component that was lowered; arrays are of the right length.
pub fn check(component: &Component, setting: &Setting) -> Result<Report, UnrollError> {
    let case = Case::new(component, setting);
    let mut cells = case.unrolled(component);
    case.forward(&mut cells, 0.0)?;
    let fired = |step| cells.spikes(step).iter().filter(|s| **s != 0.0).count();
    let spikes = (0..setting.steps).map(fired).sum();
    let backward = case.along(&cells.backward(&case.upstream())?, true);
    let forward = forward_mode::run(component, &case, &cells);
    let has_primitive = component
        .model
        .spike
        .as_ref()
        .is_none_or(|s| s.surrogate != OWN || s.surrogate_arguments.len() > 1);
    Ok(Report {
        spikes,
        transpose: forward.map_or(f64::INFINITY, |forward| gap(forward, backward)),
        differences: if has_primitive {
            Some(case.differences(&component.in_primitive_mode())?)
        } else {
            None
        },
    })
}

/// A sum and the sum of the magnitudes of its terms.
#[derive(Clone, Copy, Default)]
struct Sum {
    value: f64,
    size: f64,
}

impl Sum {
    fn add(&mut self, term: f64) {
        self.value += term;
        self.size += term.abs();
    }
}

fn gap(a: Sum, b: Sum) -> f64 {
    let size = a.size + b.size;
    if size > 0.0 {
        (a.value - b.value).abs() / size
    } else {
        0.0
    }
}

/// Where the gradient is taken, in which direction, and what it is the gradient of.
struct Case<'s> {
    setting: &'s Setting,
    parameters: Vec<f64>,
    parameter_direction: Vec<f64>,
    /// `[steps, ports, n]`.
    inputs: Vec<f64>,
    input_direction: Vec<f64>,
    draws: Vec<f64>,
    /// `[states, n]`.
    start_direction: Vec<f64>,
    /// Weights: of spikes `[steps, n]`, states and outputs.
    of_spikes: Vec<f64>,
    of_states: Vec<f64>,
    of_outputs: Vec<f64>,
}

impl<'s> Case<'s> {
    fn new(component: &Component, setting: &'s Setting) -> Self {
        let mut random = Random::new(setting.seed);
        let (steps, n) = (setting.steps, setting.neurons);
        let ports = component.model.inputs.len();
        let (uniforms, normals) = component.n_draws();
        let parameters = component.default_parameters();
        let initial = component.initial_states(&parameters, setting.dt_ms);
        let scale = |x: &f64| if *x == 0.0 { 1.0 } else { x.abs() };
        let size = |k: usize| {
            let port = k / n.max(1) % ports.max(1);
            setting.input_sizes.get(port).copied().unwrap_or(1.0)
        };
        let count = steps * ports * n;
        let inputs = (0..count).map(|k| size(k) * (0.75 + 1.25 * random.signed()));
        let inputs = inputs.collect();
        let input_direction = (0..count).map(|k| size(k) * random.signed()).collect();
        let draw = |k: usize, random: &mut Random| {
            let is_uniform = k / n.max(1) % (uniforms + normals) < uniforms;
            let x = random.signed();
            if is_uniform { 0.5 + 0.499 * x } else { 1.7 * x }
        };
        let draws = (0..steps * (uniforms + normals) * n)
            .map(|k| draw(k, &mut random))
            .collect();
        // Counters have no direction.
        let states = component.states.iter().zip(&initial);
        let start_direction = states
            .flat_map(|(state, initial)| {
                let size = if state.differentiable {
                    0.1 * scale(initial)
                } else {
                    0.0
                };
                random.directions(n).map(move |x| size * x)
            })
            .collect();
        let parameter_direction = parameters
            .iter()
            .map(|p| 0.1 * scale(p) * random.signed())
            .collect();
        let weights =
            |rows: usize, random: &mut Random| random.directions(steps * rows * n).collect();
        Self {
            setting,
            parameters,
            parameter_direction,
            inputs,
            input_direction,
            draws,
            start_direction,
            of_spikes: weights(1, &mut random),
            of_states: weights(component.states.len(), &mut random),
            of_outputs: weights(component.model.outputs.len(), &mut random),
        }
    }

    fn unrolled(&self, component: &Component) -> Unrolled<f64> {
        let all: Vec<u32> = (0_u32..).take(component.model.parameters.len()).collect();
        let reverse = Reverse::new(component, &all);
        Unrolled::learning(component, reverse, self.setting.neurons, self.setting.dt_ms)
    }

    /// Time at the end of a step, as the run has it.
    #[allow(clippy::cast_precision_loss, reason = "steps of a run are in memory")]
    fn time(&self, step: usize) -> f64 {
        self.setting.dt_ms * (step + 1) as f64
    }

    fn upstream(&self) -> Upstream<'_, f64> {
        Upstream {
            spikes: &self.of_spikes,
            states: &self.of_states,
            outputs: &self.of_outputs,
        }
    }

    /// Runs from the start, inputs and parameters moved by `along` in their direction.
    fn forward(&self, cells: &mut Unrolled<f64>, along: f64) -> Result<(), UnrollError> {
        let names = cells.component().model.parameters.clone();
        for (i, parameter) in names.iter().enumerate() {
            let value = self.parameters[i] + along * self.parameter_direction[i];
            cells.set_parameter(&parameter.name, &[value])?;
        }
        let inputs: Vec<f64> = self
            .inputs
            .iter()
            .zip(&self.input_direction)
            .map(|(x, d)| x + along * d)
            .collect();
        cells.restart();
        cells.forward(self.setting.steps, &inputs, &self.draws)
    }

    /// ⟨v, gradient⟩, with or without the direction of the start.
    fn along(&self, gradients: &Gradients<f64>, with_start: bool) -> Sum {
        let mut sum = Sum::default();
        let mut add = |values: &[f64], direction: &[f64]| {
            values
                .iter()
                .zip(direction)
                .for_each(|(x, d)| sum.add(x * d));
        };
        add(&gradients.inputs, &self.input_direction);
        if with_start {
            add(&gradients.start, &self.start_direction);
        }
        for (gradient, direction) in gradients.parameters.iter().zip(&self.parameter_direction) {
            add(&gradient.values, &[*direction]);
        }
        sum
    }

    /// What the weights make of a run.
    fn loss(&self, cells: &Unrolled<f64>) -> Result<f64, UnrollError> {
        let n = self.setting.neurons;
        let model = cells.component().model.clone();
        let mut loss = 0.0;
        let mut add = |values: &[f64], weights: &[f64], row: usize| {
            let weights = &weights[row * n..];
            loss += values.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>();
        };
        let states: Vec<(usize, String)> = (0..)
            .zip(&cells.component().states)
            .filter(|(_, s)| s.differentiable)
            .map(|(i, s)| (i, s.name.clone()))
            .collect();
        let n_states = cells.component().states.len();
        for step in 0..self.setting.steps {
            add(cells.spikes(step), &self.of_spikes, step);
            for (i, name) in &states {
                add(
                    cells.state(name, step)?,
                    &self.of_states,
                    step * n_states + i,
                );
            }
            for (i, output) in model.outputs.iter().enumerate() {
                let row = step * model.outputs.len() + i;
                add(cells.output(&output.name, step)?, &self.of_outputs, row);
            }
        }
        Ok(loss)
    }

    /// Gap of the gradient of a smooth component and its central difference.
    fn differences(&self, smooth: &Component) -> Result<f64, UnrollError> {
        /// Of the fourth order with its half: the error of both is far below 1e-6.
        const STEP: f64 = 1e-4;
        let mut cells = self.unrolled(smooth);
        self.forward(&mut cells, 0.0)?;
        let expected = self.along(&cells.backward(&self.upstream())?, false);
        let mut slope = |h: f64| -> Result<f64, UnrollError> {
            self.forward(&mut cells, h)?;
            let above = self.loss(&cells)?;
            self.forward(&mut cells, -h)?;
            Ok((above - self.loss(&cells)?) / (2.0 * h))
        };
        let (whole, half) = (slope(STEP)?, slope(STEP / 2.0)?);
        let found = (4.0 * half - whole) / 3.0;
        let difference = Sum {
            value: found,
            size: found.abs(),
        };
        Ok(gap(difference, expected))
    }
}

#[cfg(test)]
mod tests;
