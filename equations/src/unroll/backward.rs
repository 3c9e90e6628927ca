//! Backward in time.

use super::{Entry, Read, UnrollError, Unrolled, count, length};
use crate::block::Operand;
use crate::ir::Slot;
use crate::real::Real;

/// What comes back from a loss: cotangents of what every step gave. An empty array is zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct Upstream<'a, R> {
    /// Of spikes, `[steps, n]`.
    pub spikes: &'a [R],
    /// Of states after each step, `[steps, states, n]`, counters included.
    pub states: &'a [R],
    /// Of outputs, `[steps, outputs, n]`.
    pub outputs: &'a [R],
}

/// The gradient of a loss.
#[derive(Clone, Debug)]
pub struct Gradients<R> {
    /// By the inputs, `[steps, ports, n]`.
    pub inputs: Vec<R>,
    /// By the states before the first step, `[states, n]`.
    pub start: Vec<R>,
    /// By each learned parameter; what a parameter does through the initial states is included.
    pub parameters: Vec<ParameterGradient>,
}

/// The gradient by one parameter, in base units.
#[derive(Clone, PartialEq, Debug)]
pub struct ParameterGradient {
    /// Index of the parameter.
    pub parameter: u32,
    /// One value where all neurons share it, else one per neuron.
    pub values: Vec<f64>,
}

/// Cotangents on their way back.
struct Sweep<R> {
    /// Of the states after the step that is reversed next.
    states: Vec<R>,
    inputs: Vec<R>,
    spikes: Vec<R>,
    outputs: Vec<R>,
    derived: Vec<R>,
    /// Of derived quantities, summed over the steps: `[derived, n]`.
    sums: Vec<f64>,
}

impl<R: Real> Unrolled<R> {
    /// The gradient of a loss whose derivatives by what the steps gave are `upstream`. Cotangents sum
    /// from the last step to the first, then over neurons in ascending order.
    ///
    /// # Errors
    /// An array of the wrong length.
    pub fn backward(&mut self, upstream: &Upstream<'_, R>) -> Result<Gradients<R>, UnrollError> {
        let (n_states, n_outputs) = (
            self.component.states.len(),
            self.component.model.outputs.len(),
        );
        for (what, array, rows) in [
            ("cotangents of spikes", upstream.spikes, 1),
            ("cotangents of states", upstream.states, n_states),
            ("cotangents of outputs", upstream.outputs, n_outputs),
        ] {
            let expected = self.tape.len() * rows * self.n;
            if !array.is_empty() && array.len() != expected {
                return Err(length(what, format!("0 or {expected}"), array.len()));
            }
        }
        let ports = self.component.model.inputs.len();
        let mut sweep = Sweep {
            states: vec![R::ZERO; n_states * self.stride],
            inputs: vec![R::ZERO; ports * self.stride],
            spikes: vec![R::ZERO; self.stride],
            outputs: vec![R::ZERO; n_outputs * self.stride],
            derived: vec![R::ZERO; self.reverse.derived().len() * self.stride],
            sums: vec![0.0; self.reverse.derived().len() * self.n],
        };
        let mut inputs = vec![R::ZERO; self.tape.len() * ports * self.n];
        for step in (0..self.tape.len()).rev() {
            self.reverse_step(step, upstream, &mut sweep);
            let first = step * ports * self.n;
            let into = &mut inputs[first..first + ports * self.n];
            copy_rows(&sweep.inputs, self.stride, into, self.n);
        }
        let mut start = vec![R::ZERO; n_states * self.n];
        copy_rows(&sweep.states, self.stride, &mut start, self.n);
        let parameters = self.parameter_gradients(&sweep.sums, &start);
        Ok(Gradients {
            inputs,
            start,
            parameters,
        })
    }

    fn reverse_step(&mut self, step: usize, upstream: &Upstream<'_, R>, sweep: &mut Sweep<R>) {
        let (n, stride) = (self.n, self.stride);
        // Cotangents of one step, one row per state or output.
        let rows = |array: &'_ [R], rows: usize| -> Vec<R> {
            match array.get(step * rows * n..(step + 1) * rows * n) {
                Some(given) => given.to_vec(),
                None => vec![R::ZERO; rows * n],
            }
        };
        let n_outputs = self.component.model.outputs.len();
        sweep.spikes[..n].copy_from_slice(&rows(upstream.spikes, 1));
        sweep.outputs = self.padded(&rows(upstream.outputs, n_outputs), n_outputs);
        let n_states = self.component.states.len();
        let given = rows(upstream.states, n_states);
        for (to, from) in sweep.states.chunks_exact_mut(stride).zip(given.chunks(n)) {
            to.iter_mut().zip(from).for_each(|(to, &x)| *to += x);
        }
        let Entry {
            before,
            inputs,
            draws,
            ..
        } = &self.tape[step];
        let read = Read {
            before,
            inputs,
            draws,
            derived: &self.derived,
            n_uniforms: self.component.n_draws().0,
            stride,
            time: R::from_f64(self.dt_ms * count(step + 1)),
        };
        let (spikes, outputs) = (&sweep.spikes, &sweep.outputs);
        let mut writes: Vec<(Slot, &mut [R])> = Vec::new();
        let states = (0..).zip(sweep.states.chunks_exact_mut(stride));
        for ((i, array), info) in states.zip(&self.component.states) {
            if info.differentiable {
                writes.push((Slot::StateCotangent(i), array));
            }
        }
        let ports = sweep.inputs.chunks_exact_mut(stride);
        writes.extend((0..).map(Slot::InputCotangent).zip(ports));
        let derived = self.reverse.derived().iter();
        let arrays = sweep.derived.chunks_exact_mut(stride);
        writes.extend(derived.map(|&k| Slot::DerivedCotangent(k)).zip(arrays));
        self.backward.run(
            stride,
            |slot| match slot {
                Slot::SpikeCotangent => Operand::Array(spikes),
                Slot::OutputCotangent(k) => {
                    Operand::Array(&outputs[k as usize * stride..][..stride])
                }
                other => read.slot(other),
            },
            &mut writes,
        );
        let sums = sweep.sums.chunks_mut(n.max(1));
        for (sums, values) in sums.zip(sweep.derived.chunks_exact(stride)) {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += value.to_f64();
            }
        }
    }

    /// From cotangents of derived quantities and initial states to those of parameters.
    fn parameter_gradients(&self, sums: &[f64], start: &[R]) -> Vec<ParameterGradient> {
        let n = self.n;
        let learned = self.reverse.learned();
        let mut gradients: Vec<ParameterGradient> = learned
            .iter()
            .map(|&parameter| ParameterGradient {
                parameter,
                values: vec![0.0; self.parameters[parameter as usize].len()],
            })
            .collect();
        // Neurons that share all parameters are turned into gradients at once.
        let groups = if self.is_per_neuron() { n } else { 1 };
        for group in 0..groups {
            let neurons = if groups == 1 { 0..n } else { group..group + 1 };
            let row = |row: usize| {
                let from = row * n;
                from + neurons.start..from + neurons.end
            };
            let derived = |k: u32| {
                let place = self.reverse.derived().iter().position(|&d| d == k);
                place.map_or(0.0, |p| sums[row(p)].iter().sum())
            };
            let initial = |i: u32| match self.given[i as usize] {
                true => 0.0,
                false => start[row(i as usize)].iter().map(|x| x.to_f64()).sum(),
            };
            let parameters = self.of_neuron(group);
            let mut all = vec![0.0; learned.len()];
            self.reverse
                .add_parameters(&parameters, self.dt_ms, derived, initial, &mut all);
            for (gradient, value) in gradients.iter_mut().zip(all) {
                let last = gradient.values.len().saturating_sub(1);
                if let Some(place) = gradient.values.get_mut(group.min(last)) {
                    *place += value;
                }
            }
        }
        gradients
    }
}

fn copy_rows<R: Copy>(from: &[R], stride: usize, to: &mut [R], n: usize) {
    let rows = to.chunks_exact_mut(n.max(1));
    for (to, from) in rows.zip(from.chunks_exact(stride)) {
        to.copy_from_slice(&from[..n]);
    }
}
