//! Parameters and initial values of a population, drawn once for all shards.

use std::ops::Range;

use rheobase_equations::native::Derived;

use super::{BuildError, NodeContext};
use crate::instantiate::Instantiate;
use crate::plan::Population;
use crate::random::{Purpose, construction_stream};

/// Initial states and derived quantities of a whole population, in f64.
pub(super) struct Quantities {
    size: usize,
    /// One row for all neurons, or one per neuron.
    derived: Vec<Vec<f64>>,
    /// `[states][neurons]`.
    initial: Vec<Vec<f64>>,
}

impl Quantities {
    pub(super) fn draw(
        context: &NodeContext<'_>,
        population: &Population,
    ) -> Result<Self, BuildError> {
        let size = context.node.size();
        let neuron = population.neuron.as_ref();
        let ports = neuron.ports();
        let n_parameters = population.parameters.len();
        let mut streams: Vec<_> = (0..n_parameters + ports.states.len())
            .map(|k| {
                construction_stream(
                    context.plan.seed,
                    Purpose::Population,
                    context.id as u64,
                    k as u64,
                )
            })
            .collect();
        let (parameter_streams, state_streams) = streams.split_at_mut(n_parameters);
        let shared = population.parameters.iter().all(|p| p.constant().is_some());
        let n_rows = if shared { 1.min(size) } else { size };
        let mut derived = Vec::with_capacity(n_rows);
        let mut initial = vec![Vec::with_capacity(size); ports.states.len()];
        for neuron_index in 0..n_rows {
            let parameters: Vec<f64> = population
                .parameters
                .iter()
                .zip(parameter_streams.iter_mut())
                .map(|(p, stream)| p.get(neuron_index, stream))
                .collect();
            let row = neuron.derive(&parameters, context.plan.dt_ms);
            for (k, &value) in row.iter().enumerate() {
                finite(context, value, neuron_index, || {
                    format!("derived quantity {k} (from its parameters)")
                })?;
            }
            derived.push(row);
            let states = neuron.initial_states(&parameters, context.plan.dt_ms);
            let copies = if shared { size } else { 1 };
            for (array, value) in initial.iter_mut().zip(states) {
                array.extend(std::iter::repeat_n(value, copies));
            }
        }
        for (state, value) in &population.initial {
            let stream = &mut state_streams[*state];
            for (i, x) in initial[*state].iter_mut().enumerate() {
                *x = value.get(i, stream);
            }
        }
        for (k, array) in initial.iter().enumerate() {
            for (i, &value) in array.iter().enumerate() {
                finite(context, value, i, || {
                    format!("initial `{}`", ports.states[k].name)
                })?;
            }
        }
        Ok(Self {
            size,
            derived,
            initial,
        })
    }

    pub(super) fn initial<R: Instantiate>(&self, range: &Range<u32>) -> Vec<Vec<R>> {
        self.initial
            .iter()
            .map(|values| {
                range
                    .clone()
                    .map(|lane| R::from_f64(values[lane as usize % self.size]))
                    .collect()
            })
            .collect()
    }

    pub(super) fn derived<R: Instantiate>(
        &self,
        range: &Range<u32>,
        stride: usize,
    ) -> Vec<Derived<R>> {
        let Some(first) = self.derived.first() else {
            return Vec::new();
        };
        (0..first.len())
            .map(|k| {
                let same = self
                    .derived
                    .iter()
                    .all(|row| row[k].to_bits() == first[k].to_bits());
                if same {
                    return Derived::shared(R::from_f64(first[k]));
                }
                let mut values: Vec<R> = range
                    .clone()
                    .map(|lane| R::from_f64(self.derived[lane as usize % self.size][k]))
                    .collect();
                values.resize(stride, R::from_f64(first[k]));
                Derived::PerNeuron(values)
            })
            .collect()
    }
}

fn finite(
    context: &NodeContext<'_>,
    value: f64,
    neuron: usize,
    what: impl FnOnce() -> String,
) -> Result<(), BuildError> {
    if value.is_finite() {
        return Ok(());
    }
    Err(BuildError::NotFinite {
        population: context.node.name.clone(),
        what: what(),
        neuron,
        value,
    })
}
