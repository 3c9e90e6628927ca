//! A population in a random state, and what a step makes of it.

use rheobase_equations::lower::Component;
use rheobase_equations::native::{Aligned, Derived, StepArgs, padded};
use rheobase_equations::real::Real;

/// xorshift64*.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Uniform in (0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 12;
        (bits as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Roughly standard normal.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// How far states may lie from their initial values: wide enough that some neurons fire, some are
/// refractory.
fn spread(state: &str) -> (f64, f64) {
    match state {
        "v" => (-20.0, 95.0),
        "refractory_steps" => (0.0, 3.0),
        "i_ex" | "i_in" | "adaptation" => (-300.0, 300.0),
        "u" => (-10.0, 10.0),
        "g_ex" | "g_in" => (0.0, 20.0),
        _ => (-2.0, 2.0),
    }
}

#[derive(Clone)]
pub(crate) struct Population<R: Real> {
    pub(crate) n: usize,
    pub(crate) stride: usize,
    pub(crate) states: Aligned<R>,
    pub(crate) inputs: Aligned<R>,
    pub(crate) derived: Vec<Derived<R>>,
    pub(crate) random: Aligned<R>,
    pub(crate) outputs: Aligned<R>,
    pub(crate) spikes: Vec<u32>,
}

impl<R: Real> Population<R> {
    /// `n` neurons. Every derived quantity is shared, or, with `varied`, every second one differs
    /// from neuron to neuron.
    pub(crate) fn new(component: &Component, n: usize, varied: bool, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        // One block of padding more than needed: kernels must leave it alone or keep it silent.
        let stride = padded(n) + 64;
        let parameters = component.default_parameters();
        let derived = component.derive(&parameters, 0.1);
        let initial = component.initial_states(&parameters, 0.1);
        let mut states = Vec::with_capacity(initial.len() * stride);
        for (info, start) in component.states.iter().zip(initial) {
            let (low, high) = spread(&info.name);
            for _ in 0..stride {
                let x = start + low + (high - low) * dice.uniform();
                let is_counter = info.name == "refractory_steps";
                states.push(R::from_f64(if is_counter { x.floor() } else { x }));
            }
        }
        let n_inputs = component.model.inputs.len() * stride;
        let inputs: Vec<R> = (0..n_inputs)
            .map(|_| R::from_f64(8.0 * dice.uniform() - 4.0))
            .collect();
        let mut per_slot = |(k, x): (usize, &f64)| {
            if varied && k % 2 == 0 {
                let value = |dice: &mut Dice| R::from_f64(x * (0.9 + 0.2 * dice.uniform()));
                Derived::PerNeuron((0..stride).map(|_| value(&mut dice)).collect())
            } else {
                Derived::shared(R::from_f64(*x))
            }
        };
        let derived = derived.iter().enumerate().map(&mut per_slot).collect();
        let (uniforms, normals) = component.n_draws();
        let mut random: Vec<R> = Vec::new();
        random.extend((0..uniforms * stride).map(|_| R::from_f64(dice.uniform())));
        random.extend((0..normals * stride).map(|_| R::from_f64(dice.normal())));
        Self {
            n,
            stride,
            states: Aligned::from_slice(&states),
            inputs: Aligned::from_slice(&inputs),
            derived,
            random: Aligned::from_slice(&random),
            outputs: Aligned::zeroed(component.model.outputs.len() * stride),
            spikes: Vec::new(),
        }
    }

    pub(crate) fn step(&mut self, mut kernel: impl FnMut(&mut StepArgs<'_, R>)) {
        kernel(&mut StepArgs {
            n: self.n,
            stride: self.stride,
            states: &mut self.states,
            inputs: &mut self.inputs,
            input_stride: self.stride,
            derived: &self.derived,
            random: &self.random,
            time: R::from_f64(12.3),
            outputs: &mut self.outputs,
            spikes: &mut self.spikes,
            bits: None,
        });
    }

    /// The value of a derived quantity for a neuron.
    pub(crate) fn derived_of(&self, k: usize, neuron: usize) -> R {
        match &self.derived[k] {
            Derived::Shared(block) => block[0],
            Derived::PerNeuron(values) => values[neuron],
        }
    }

    /// Value `neuron` of array `k` of a group.
    pub(crate) fn of(&self, group: &[R], k: usize, neuron: usize) -> R {
        group[k * self.stride + neuron]
    }
}
