//! A population of one model: the parameters of its neurons.

use std::collections::BTreeMap;
use std::sync::Arc;

use rheobase_engine::anchored::Arithmetic;
use rheobase_engine::plan::{Population, Time};
use rheobase_engine::port::{NeuronPorts, Registry};
use rheobase_engine::value::Value;
use rheobase_equations::model::Integrator;

use super::SonataError;
use super::config::Config;
use super::models::{self, CURRENT, INITIAL_POTENTIAL_MV, POTENTIAL, Template};
use super::nodes::{NodePopulation, ParameterFiles, Parameters};

/// A value and what it is of: a parameter by its place, or the potential.
type Setting = (Option<usize>, f64);

/// A population of one model being made.
pub(super) struct Model<'a> {
    pub(super) config: &'a Config,
    pub(super) registry: &'a Registry,
    pub(super) population: &'a NodePopulation,
    /// Places in the population.
    pub(super) members: &'a [u32],
    pub(super) template: &'static Template,
}

impl Model<'_> {
    /// Parameters from types and nodes; `currents` \[pA\] of the whole population are added, if any.
    pub(super) fn build(
        &self,
        files: &mut ParameterFiles,
        currents: &[f64],
    ) -> Result<Population, SonataError> {
        let place = &self.population.place;
        let neuron = models::neuron(self.template, self.registry, place)?;
        let ports = neuron.ports();
        let column = |default| vec![default; self.members.len()];
        let defaults = ports.parameters.iter().map(|q| column(q.default));
        let mut columns: Vec<Vec<f64>> = defaults.collect();
        let mut potential = column(INITIAL_POTENTIAL_MV);
        let types = self.types(files)?;
        for (at, &member) in self.members.iter().enumerate() {
            let row = self.population.rows[member as usize];
            if let Some(given) = types.get(&row) {
                for &(target, value) in given {
                    match target {
                        Some(k) => columns[k][at] = value,
                        None => potential[at] = value,
                    }
                }
            }
        }
        for (name, values) in &self.population.overrides {
            let target = self.target(name, ports, &format!("{place}, dynamics_params"))?;
            let column = target.map_or(&mut potential, |k| &mut columns[k]);
            for (at, &member) in self.members.iter().enumerate() {
                let value = values[member as usize];
                if !value.is_nan() {
                    column[at] = value;
                }
            }
        }
        if !currents.is_empty() {
            let k = self.template.parameter(CURRENT, ports, place)?;
            for (at, &member) in self.members.iter().enumerate() {
                columns[k][at] += currents[member as usize];
            }
        }
        let state = self.template.state(POTENTIAL, ports, place)?;
        let parameters: Vec<Value> = columns.into_iter().map(value).collect();
        self.check_bounds(&parameters)?;
        Ok(Population {
            arithmetic: Arithmetic::Auto,
            model: self.template.neuron.to_owned(),
            integrator: neuron
                .component()
                .map_or(Integrator::Exact, |c| c.integrator),
            neuron: Arc::clone(neuron),
            parameters,
            initial: vec![(state, value(potential))],
            emits: None,
            time: Time::Grid,
        })
    }

    /// Values that each type gives: place of the parameter (none for the potential), value.
    fn types(
        &self,
        files: &mut ParameterFiles,
    ) -> Result<BTreeMap<u16, Vec<Setting>>, SonataError> {
        let place = &self.population.place;
        let ports = models::neuron(self.template, self.registry, place)?.ports();
        let table = &self.population.types;
        let mut types = BTreeMap::new();
        for &member in self.members {
            let row = self.population.rows[member as usize];
            if types.contains_key(&row) {
                continue;
            }
            let key = "point_neuron_models_dir";
            let given: Arc<Parameters> = files.of_type(self.config, key, table, row as usize)?;
            let at = table.place(row as usize, "dynamics_params");
            let mut targets = Vec::with_capacity(given.len());
            for (name, &value) in given.iter() {
                targets.push((self.target(name, ports, &at)?, value));
            }
            types.insert(row, targets);
        }
        Ok(types)
    }

    fn target(
        &self,
        name: &str,
        ports: &NeuronPorts,
        place: &str,
    ) -> Result<Option<usize>, SonataError> {
        if name == POTENTIAL {
            return Ok(None);
        }
        self.template.parameter(name, ports, place).map(Some)
    }

    /// Bounds that the text of the neuron declares.
    fn check_bounds(&self, parameters: &[Value]) -> Result<(), SonataError> {
        let place = &self.population.place;
        let neuron = models::neuron(self.template, self.registry, place)?;
        let Some(component) = neuron.component() else {
            return Ok(());
        };
        for (parameter, value) in component.model.parameters.iter().zip(parameters) {
            let Some((low, high)) = parameter.bounds else {
                continue;
            };
            let values = match value {
                Value::Constant(x) => std::slice::from_ref(x),
                Value::List(list) => list,
                Value::Drawn(_) => &[],
            };
            if let Some(x) = values.iter().find(|x| !(low..=high).contains(*x)) {
                let message = format!("{} = {x} is outside [{low}, {high}]", parameter.name);
                return Err(SonataError::wrong(place, message));
            }
        }
        Ok(())
    }
}

/// One value for all where they are the same.
fn value(column: Vec<f64>) -> Value {
    match column.first() {
        Some(&first) if column.iter().all(|x| x.to_bits() == first.to_bits()) => {
            Value::Constant(first)
        }
        _ => Value::List(column),
    }
}
