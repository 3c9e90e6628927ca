//! What a population keeps for back-propagation, and its reverse step.

use rheobase_equations::block::{BlockFunction, Operand};
use rheobase_equations::gradient::Reverse;
use rheobase_equations::ir::Slot;
use rheobase_equations::lower::Component;
use rheobase_equations::native::{Derived, LANES};
use rheobase_equations::real::Real;

/// States before, inputs and draws of every step.
#[derive(Debug)]
pub(crate) struct Tape<R> {
    steps: Vec<Entry<R>>,
}

impl<R> Default for Tape<R> {
    fn default() -> Self {
        Self { steps: Vec::new() }
    }
}

#[derive(Clone, Debug)]
struct Entry<R> {
    states: Vec<R>,
    inputs: Vec<R>,
    random: Vec<R>,
}

impl<R: Real> Tape<R> {
    pub(crate) fn push(&mut self, states: &[R], inputs: Vec<R>, random: &[R]) {
        self.steps.push(Entry {
            states: states.to_vec(),
            inputs,
            random: random.to_vec(),
        });
    }

    pub(crate) fn clear(&mut self) {
        self.steps.clear();
    }

    /// Steps kept.
    pub(crate) fn len(&self) -> u64 {
        self.steps.len() as u64
    }
}

/// The reverse of a population's step, derived from its equations.
pub(crate) struct PopulationAdjoint<R: Real> {
    function: BlockFunction<R>,
    stride: usize,
    n_uniforms: usize,
    /// Of the states after the step that is reversed next.
    states: Vec<R>,
    differentiable: Vec<bool>,
    inputs: Vec<R>,
    emitted: Vec<R>,
    zeros: Vec<R>,
}

/// One reverse step of a population.
pub(crate) struct ReverseStep<'a, R> {
    pub(crate) step: u64,
    pub(crate) tape: &'a Tape<R>,
    pub(crate) derived: &'a [Derived<R>],
    /// Cotangent of what was emitted.
    pub(crate) emitted: &'a [R],
    /// The real-valued output that was emitted instead of spikes.
    pub(crate) emits: Option<usize>,
}

impl<R: Real> PopulationAdjoint<R> {
    pub(crate) fn new(component: &Component, stride: usize) -> Self {
        let differentiable: Vec<bool> = component.states.iter().map(|s| s.differentiable).collect();
        Self {
            function: BlockFunction::new(Reverse::new(component, &[]).step()),
            stride,
            n_uniforms: component.n_draws().0,
            states: vec![R::ZERO; component.states.len() * stride],
            differentiable,
            inputs: vec![R::ZERO; component.model.inputs.len() * stride],
            emitted: vec![R::ZERO; stride],
            zeros: vec![R::ZERO; stride],
        }
    }

    /// Begins a new backward pass: no cotangent comes from beyond the last step.
    pub(crate) fn clear(&mut self) {
        self.states.fill(R::ZERO);
    }

    /// Cotangent of what arrived at an input port in the step last reversed.
    pub(crate) fn input(&self, port: usize, n: usize) -> &[R] {
        &self.inputs[port * self.stride..][..n]
    }

    /// Reverses one step: turns the cotangents of the states after it into those before it.
    pub(crate) fn step(&mut self, s: &ReverseStep<'_, R>) {
        let stride = self.stride;
        let n = s.emitted.len();
        self.emitted[..n].copy_from_slice(s.emitted);
        let Some(entry) = usize::try_from(s.step)
            .ok()
            .and_then(|k| s.tape.steps.get(k - 1))
        else {
            return;
        };
        let mut writes: Vec<(Slot, &mut [R])> = Vec::new();
        for (i, array) in self.states.chunks_exact_mut(stride).enumerate() {
            if self.differentiable[i] {
                writes.push((Slot::StateCotangent(index(i)), array));
            }
        }
        for (i, array) in self.inputs.chunks_exact_mut(stride).enumerate() {
            writes.push((Slot::InputCotangent(index(i)), array));
        }
        let (emitted, zeros, n_uniforms) = (&self.emitted, &self.zeros, self.n_uniforms);
        self.function.run(
            n.div_ceil(LANES) * LANES,
            |slot| match slot {
                Slot::State(i) => lane_array(&entry.states, i as usize, stride),
                Slot::Input(i) => lane_array(&entry.inputs, i as usize, stride),
                Slot::Uniform(k) => lane_array(&entry.random, k as usize, stride),
                Slot::Normal(k) => lane_array(&entry.random, n_uniforms + k as usize, stride),
                Slot::Derived(k) => match &s.derived[k as usize] {
                    Derived::Shared(block) => Operand::Scalar(block[0]),
                    Derived::PerNeuron(values) => Operand::Array(values),
                },
                Slot::SpikeCotangent if s.emits.is_none() => Operand::Array(emitted),
                Slot::OutputCotangent(k) if s.emits == Some(k as usize) => Operand::Array(emitted),
                // Nothing comes back through outputs nobody reads and through counters.
                _ => Operand::Array(zeros),
            },
            &mut writes,
        );
    }
}

fn lane_array<R: Real>(values: &[R], k: usize, stride: usize) -> Operand<'_, R> {
    Operand::Array(&values[k * stride..(k + 1) * stride])
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "programs are limited to 65,536 ops"
)]
fn index(i: usize) -> u32 {
    i as u32
}
