//! A few neurons of one type, stepped by their kernel alone.

use std::sync::Arc;

use rheobase_engine::neuron::EquationNeuron;
use rheobase_engine::port::{Kernel, NeuronPorts, NeuronType};
use rheobase_engine::random::{Construction, Purpose, construction_stream};
use rheobase_equations::lower::{Component, lower};
use rheobase_equations::model::Integrator;
use rheobase_equations::native::{Derived, LANES, StepArgs};
use rheobase_equations::parse_one;
use rheobase_equations::real::Real;

/// A precision with its kernels.
pub(crate) trait Precise: Real {
    fn kernel(neuron: &dyn NeuronType) -> Box<dyn Kernel<Self>>;
}

impl Precise for f32 {
    fn kernel(neuron: &dyn NeuronType) -> Box<dyn Kernel<f32>> {
        neuron.kernel_f32()
    }
}

impl Precise for f64 {
    fn kernel(neuron: &dyn NeuronType) -> Box<dyn Kernel<f64>> {
        neuron.kernel_f64()
    }
}

/// The registered neurons.
pub(crate) fn zoo() -> Vec<(String, Arc<dyn NeuronType>)> {
    rheobase_components::registry()
        .neurons
        .into_iter()
        .collect()
}

/// The registered neuron of that name.
pub(crate) fn registered(name: &str) -> Arc<dyn NeuronType> {
    rheobase_components::registry().neurons[name].clone()
}

/// The lowered equations of a registered neuron.
pub(crate) fn component(neuron: &dyn NeuronType) -> Component {
    neuron.component().unwrap().clone()
}

/// The same text with another integrator, interpreted.
pub(crate) fn with_integrator(name: &str, integrator: Integrator) -> EquationNeuron {
    let text = &component(&*registered(name)).model.text;
    let model = Arc::new(parse_one(text, name).unwrap());
    EquationNeuron::new(lower(&model, Some(integrator)).unwrap(), None)
}

/// A random state and input for a neuron type.
pub(crate) struct Scatter(Construction);

impl Scatter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(construction_stream(seed, Purpose::Neuron, 0, 0))
    }

    pub(crate) fn uniform(&mut self) -> f64 {
        self.0.uniform()
    }

    /// A value around `center` of a size that is usual for the unit.
    pub(crate) fn around(&mut self, center: f64, unit: &str) -> f64 {
        let x = self.0.normal();
        match unit {
            "mV" => center + 10.0 * x,
            "mV/ms" => center + 8.0 * x,
            "pA" => center + 300.0 * x,
            "pA/ms" => center + 100.0 * x,
            "nS" => (center + 10.0 * x).abs(),
            "1" => center + 0.7 * x,
            other => panic!("no usual size is known for {other}"),
        }
    }
}

/// Neurons and everything their kernel reads and writes.
pub(crate) struct Cell<R> {
    pub(crate) n: usize,
    ports: NeuronPorts,
    stride: usize,
    states: Vec<R>,
    inputs: Vec<R>,
    outputs: Vec<R>,
    random: Vec<R>,
    derived: Vec<Derived<R>>,
    kernel: Box<dyn Kernel<R>>,
    dt_ms: f64,
    steps: u64,
    spikes: Vec<u32>,
}

impl<R: Precise> Cell<R> {
    /// `n` neurons with some parameters (base units) that differ from their defaults.
    pub(crate) fn new(
        neuron: &dyn NeuronType,
        parameters: &[(&str, f64)],
        n: usize,
        dt_ms: f64,
    ) -> Self {
        let ports = neuron.ports().clone();
        assert_eq!(
            ports.n_uniforms + ports.n_normals,
            0,
            "random draws are not supplied here"
        );
        let mut values: Vec<f64> = ports.parameters.iter().map(|p| p.default).collect();
        for (name, value) in parameters {
            let index = ports.parameters.iter().position(|p| p.name == *name);
            values[index.unwrap_or_else(|| panic!("no parameter {name}"))] = *value;
        }
        let stride = n.next_multiple_of(LANES);
        let filled = |values: Vec<f64>| {
            values
                .into_iter()
                .flat_map(|x| vec![R::from_f64(x); stride])
                .collect::<Vec<R>>()
        };
        Self {
            n,
            stride,
            states: filled(neuron.initial_states(&values, dt_ms)),
            inputs: vec![R::ZERO; ports.inputs.len() * stride],
            outputs: vec![R::ZERO; ports.outputs.len() * stride],
            random: Vec::new(),
            derived: neuron
                .derive(&values, dt_ms)
                .into_iter()
                .map(|x| Derived::shared(R::from_f64(x)))
                .collect(),
            kernel: R::kernel(neuron),
            ports,
            dt_ms,
            steps: 0,
            spikes: Vec::new(),
        }
    }

    /// How the kernel runs.
    pub(crate) fn kernel_name(&self) -> &'static str {
        self.kernel.name()
    }

    /// Adds to what arrives in the next step.
    pub(crate) fn arrive(&mut self, port: &str, lane: usize, weight: f64) {
        let index = self.ports.inputs.iter().position(|p| p.name == port);
        let index = index.unwrap_or_else(|| panic!("no input {port}"));
        self.inputs[index * self.stride + lane] += R::from_f64(weight);
    }

    /// One step; gives the neurons that fired.
    pub(crate) fn step(&mut self) -> &[u32] {
        self.steps += 1;
        self.spikes.clear();
        self.kernel.step(&mut StepArgs {
            n: self.n,
            stride: self.stride,
            states: &mut self.states,
            inputs: &mut self.inputs,
            input_stride: self.stride,
            derived: &self.derived,
            random: &self.random,
            time: R::from_f64(self.steps as f64 * self.dt_ms),
            outputs: &mut self.outputs,
            spikes: &mut self.spikes,
            bits: None,
        });
        &self.spikes
    }

    fn place(&self, state: &str) -> usize {
        let index = self.ports.states.iter().position(|s| s.name == state);
        index.unwrap_or_else(|| panic!("no state {state}")) * self.stride
    }

    /// A state variable of one neuron.
    pub(crate) fn get(&self, state: &str, lane: usize) -> f64 {
        self.states[self.place(state) + lane].to_f64()
    }

    /// Sets a state variable of one neuron.
    pub(crate) fn set(&mut self, state: &str, lane: usize, value: f64) {
        let place = self.place(state);
        self.states[place + lane] = R::from_f64(value);
    }

    /// Every state of every neuron.
    pub(crate) fn states(&self) -> Vec<R> {
        (0..self.ports.states.len())
            .flat_map(|k| &self.states[k * self.stride..k * self.stride + self.n])
            .copied()
            .collect()
    }

    /// The bits of every state of every neuron.
    pub(crate) fn bits(&self) -> Vec<i64> {
        self.states().into_iter().map(R::to_int_bits).collect()
    }

    /// Random states, except for counters.
    pub(crate) fn scatter_states(&mut self, scatter: &mut Scatter) {
        for state in self.ports.states.clone() {
            if state.name != rheobase_equations::lower::REFRACTORY_STATE {
                for lane in 0..self.n {
                    self.set(
                        &state.name,
                        lane,
                        scatter.around(state.default, &state.unit.name),
                    );
                }
            }
        }
    }

    /// Random input at every port, for about a third of the neurons.
    pub(crate) fn scatter_inputs(&mut self, scatter: &mut Scatter) {
        for port in self.ports.inputs.clone() {
            for lane in 0..self.n {
                let weight = scatter.around(0.0, &port.unit.name);
                if scatter.uniform() < 0.33 {
                    self.arrive(&port.name, lane, weight);
                }
            }
        }
    }

    /// The inputs as they stand, `n` per port.
    pub(crate) fn inputs(&self) -> Vec<R> {
        (0..self.ports.inputs.len())
            .flat_map(|k| &self.inputs[k * self.stride..k * self.stride + self.n])
            .copied()
            .collect()
    }

    /// One derived quantity, the same for every neuron.
    pub(crate) fn derived(&self, index: usize) -> R {
        self.derived[index].block(0)[0]
    }
}
