//! How time passes in a population, and what does not go with continuous time.

use super::Resolver;
use crate::exact::make;
use crate::network::describe::Population;
use crate::network::error::{ErrorKind, Path};
use crate::plan::{NodeId, NodeKind, Time};
use crate::port::NeuronType;
use crate::value::{Shape, Value};

/// What becomes of delays that are given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Grid {
    /// They must be whole steps.
    Strict,
    /// They are rounded to whole steps.
    Rounded,
    /// They stay as they are.
    None,
}

impl Resolver<'_> {
    /// How time passes in a population, if its neurons allow it.
    pub(super) fn time(
        &mut self,
        description: &Population,
        neuron: &dyn NeuronType,
        parameters: &[Value],
        path: &Path,
    ) -> Option<Time> {
        let time = description.time.unwrap_or(self.network.time);
        if !time.is_continuous() {
            return Some(time);
        }
        if description.emits.is_some() {
            let message = "a population in continuous time emits spikes only; leave this out, or set \
                           time = \"grid\"";
            return self.error(ErrorKind::Wiring, &path.key("emits"), message);
        }
        let path = path.key("time");
        let Some(component) = neuron.component() else {
            let message = format!(
                "`{}` is written in Rust and has no equations to solve; set time = \"grid\"",
                description.model
            );
            return self.error(ErrorKind::Model, &path, message);
        };
        let first: Vec<f64> = parameters.iter().map(typical).collect();
        match make::flow(component, &first, time.tolerance()) {
            Ok(_) => Some(time),
            Err(reason) => self.error(ErrorKind::Model, &path, reason.to_string()),
        }
    }

    /// Whether a node is a population in continuous time.
    pub(super) fn is_continuous(&self, node: NodeId) -> bool {
        match &self.nodes[node].kind {
            NodeKind::Population(p) => p.time.is_continuous(),
            _ => false,
        }
    }

    /// The grid of delays onto a node.
    pub(super) fn grid_of(&self, target: NodeId, round: bool) -> Grid {
        match (self.is_continuous(target), round) {
            (true, _) => Grid::None,
            (false, true) => Grid::Rounded,
            (false, false) => Grid::Strict,
        }
    }

    /// A stimulus that acts in every step has no place between the steps.
    pub(super) fn drive_in_continuous_time<T>(
        &mut self,
        name: &str,
        target: NodeId,
        path: &Path,
    ) -> Option<T> {
        let target = &self.nodes[target].name;
        let message = format!(
            "`{name}` acts on `{target}` in every step, but `{target}` runs in continuous time; take a \
             source of spikes and a projection, or set time = \"grid\" for `{target}`"
        );
        self.error(ErrorKind::Wiring, &path.key("target"), message)
    }

    /// Real values change in every step.
    pub(super) fn values_in_continuous_time<T>(
        &mut self,
        (source, target): (NodeId, NodeId),
        path: &Path,
    ) -> Option<T> {
        let (source, target) = (&self.nodes[source].name, &self.nodes[target].name);
        let message = format!(
            "`{source}` emits real values in every step, but `{target}` runs in continuous time; set \
             time = \"grid\" for `{target}`"
        );
        self.error(ErrorKind::Wiring, path, message)
    }
}

/// A value as some neuron may have it: whether equations can be solved is seen from one set of them.
fn typical(value: &Value) -> f64 {
    match value {
        Value::Constant(x) => *x,
        Value::List(list) => list.first().copied().unwrap_or(f64::NAN),
        Value::Drawn(distribution) => {
            let x = match distribution.shape {
                Shape::Uniform { low, high } => low + 0.5 * (high - low),
                Shape::Normal { mean, .. } | Shape::Exponential { mean } => mean,
                Shape::Lognormal { mu, scale, .. } => scale * libm::exp(mu),
            };
            let bounds = distribution.bounds;
            bounds.map_or(x, |b| x.clamp(b.low, b.high))
        }
    }
}
