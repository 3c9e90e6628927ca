//! What a neuron costs per step without synapses: every neuron of the registry, compiled and
//! interpreted, driven to about 15 Hz where it has a current `i_e` to drive it with.

use std::time::Instant;

use rheobase_engine::Instantiate;
use rheobase_engine::port::{Kernel, NeuronType};
use rheobase_equations::block::BlockProgram;
use rheobase_equations::native::{Aligned, Derived, StepArgs, padded};
use rheobase_equations::real::Real;
use serde_json::json;

use super::spread::Spread;
use super::{Answers, BenchError, Measurement, Setting, float};

const DT_MS: f64 = 0.1;
/// The rate that drives are chosen for \[Hz\].
const RATE_HZ: f64 = 15.0;
/// Strongest drive tried \[pA\].
const MOST_PA: f64 = 4000.0;

/// How much is measured.
#[derive(Clone, Copy)]
struct Effort {
    neurons: usize,
    rounds: usize,
    steps: u32,
}

pub(super) fn ask(setting: &Setting, answers: Answers<'_>) -> Result<(), BenchError> {
    let effort = if setting.quick {
        Effort {
            neurons: 1000,
            rounds: 3,
            steps: 5,
        }
    } else {
        Effort {
            neurons: 10_000,
            rounds: 201,
            steps: 20,
        }
    };
    for (name, neuron) in &crate::registry().neurons {
        let parameters = driven(neuron.as_ref(), setting.quick);
        compare::<f32>(name, neuron.as_ref(), &parameters, effort, answers)?;
        compare::<f64>(name, neuron.as_ref(), &parameters, effort, answers)?;
    }
    Ok(())
}

/// Compiled and interpreted take turns.
fn compare<R: Instantiate>(
    name: &str,
    neuron: &dyn NeuronType,
    parameters: &[f64],
    effort: Effort,
    answers: Answers<'_>,
) -> Result<(), BenchError> {
    let mut runners: Vec<Runner<R>> = vec![Runner::Kernel(R::kernel(neuron))];
    if let Some(component) = neuron.component() {
        runners.push(Runner::Block(Box::new(BlockProgram::new(component))));
    }
    let mut states: Vec<State<R>> = runners
        .iter()
        .map(|_| State::new(neuron, parameters, effort.neurons))
        .collect();
    let mut ns = vec![Vec::with_capacity(effort.rounds); runners.len()];
    for round in 0..=effort.rounds {
        for (k, runner) in runners.iter_mut().enumerate() {
            let x = states[k].advance(runner, effort.steps);
            if round > 0 {
                ns[k].push(x);
            }
        }
    }
    for ((runner, state), ns) in runners.iter().zip(&states).zip(ns) {
        let case = json!({
            "neuron": name, "precision": std::any::type_name::<R>(), "kernel": runner.name(),
            "neurons": effort.neurons,
        });
        let figures = json!({
            "ns_per_neuron_step": Spread::of(ns).json(), "rate_hz": state.rate_hz(),
        });
        answers(Measurement::new("update", 1, case, figures))?;
    }
    Ok(())
}

enum Runner<R: Real> {
    Kernel(Box<dyn Kernel<R>>),
    Block(Box<BlockProgram<R>>),
}

impl<R: Real> Runner<R> {
    fn step(&mut self, args: &mut StepArgs<'_, R>) {
        match self {
            Self::Kernel(kernel) => kernel.step(args),
            Self::Block(program) => program.step(args),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Kernel(kernel) => kernel.name(),
            Self::Block(_) => "block",
        }
    }
}

struct State<R: Real> {
    n: usize,
    stride: usize,
    states: Aligned<R>,
    inputs: Aligned<R>,
    outputs: Aligned<R>,
    random: Aligned<R>,
    derived: Vec<Derived<R>>,
    spikes: Vec<u32>,
    n_spikes: u64,
    steps: u32,
}

impl<R: Real> State<R> {
    fn new(neuron: &dyn NeuronType, parameters: &[f64], n: usize) -> Self {
        let (stride, ports) = (padded(n), neuron.ports());
        let initial = neuron.initial_states(parameters, DT_MS);
        let mut states = Aligned::zeroed(initial.len() * stride);
        for (values, x) in states.chunks_exact_mut(stride).zip(&initial) {
            values.fill(R::from_f64(*x));
        }
        let mut random = Aligned::zeroed((ports.n_uniforms + ports.n_normals) * stride);
        random.fill(R::from_f64(0.25));
        let derived = neuron.derive(parameters, DT_MS);
        Self {
            n,
            stride,
            states,
            inputs: Aligned::zeroed(ports.inputs.len() * stride),
            outputs: Aligned::zeroed(ports.outputs.len() * stride),
            random,
            derived: derived
                .iter()
                .map(|x| Derived::shared(R::from_f64(*x)))
                .collect(),
            spikes: Vec::with_capacity(n),
            n_spikes: 0,
            steps: 0,
        }
    }

    /// Nanoseconds per neuron and step.
    fn advance(&mut self, runner: &mut Runner<R>, steps: u32) -> f64 {
        let begun = Instant::now();
        for _ in 0..steps {
            self.steps += 1;
            runner.step(&mut StepArgs {
                n: self.n,
                stride: self.stride,
                states: &mut self.states,
                inputs: &mut self.inputs,
                input_stride: self.stride,
                derived: &self.derived,
                random: &self.random,
                time: R::from_f64(f64::from(self.steps) * DT_MS),
                outputs: &mut self.outputs,
                spikes: &mut self.spikes,
                bits: None,
            });
            self.n_spikes += self.spikes.len() as u64;
            self.spikes.clear();
        }
        begun.elapsed().as_secs_f64() * 1e9 / float(self.n as u64) / f64::from(steps)
    }

    fn rate_hz(&self) -> f64 {
        float(self.n_spikes) / float(self.n as u64) / (f64::from(self.steps) * DT_MS * 1e-3)
    }
}

/// Default parameters, `i_e` replaced by the current that makes the neuron fire at [`RATE_HZ`].
fn driven(neuron: &dyn NeuronType, quick: bool) -> Vec<f64> {
    let ports = neuron.ports();
    let mut parameters: Vec<f64> = ports.parameters.iter().map(|p| p.default).collect();
    let Some(i_e) = ports.parameters.iter().position(|p| p.name == "i_e") else {
        return parameters;
    };
    let steps = if quick { 2000 } else { 10_000 };
    let (mut low, mut high) = (0.0, MOST_PA);
    for _ in 0..16 {
        parameters[i_e] = f64::midpoint(low, high);
        let mut runner = Runner::Kernel(neuron.kernel_f64());
        let mut state = State::<f64>::new(neuron, &parameters, 1);
        state.advance(&mut runner, steps);
        if state.rate_hz() < RATE_HZ {
            low = parameters[i_e];
        } else {
            high = parameters[i_e];
        }
    }
    parameters[i_e] = high;
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drive_makes_integrators_fire_at_the_chosen_rate() {
        let registry = crate::registry();
        for name in ["iaf_psc_exp", "iaf_cond_exp"] {
            let neuron = registry.neurons[name].as_ref();
            let parameters = driven(neuron, false);
            let mut state = State::<f64>::new(neuron, &parameters, 1);
            state.advance(&mut Runner::Kernel(neuron.kernel_f64()), 20_000);
            assert!(
                (state.rate_hz() - RATE_HZ).abs() <= 1.0,
                "{name}: {}",
                state.rate_hz()
            );
        }
    }
}
