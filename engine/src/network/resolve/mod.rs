//! From a description to a [`Plan`]: every name looked up, every quantity in base units, every
//! contradiction reported.
//!
//! Reading goes on after an error where that makes sense, so that one run reports several. A thing
//! that could not be resolved is remembered by name ([`Found::Broken`]), and what refers to it adds
//! no second error.

mod actors;
mod clock;
mod cycles;
mod edges;
mod layers;
mod models;
mod monitors;
mod nodes;
mod stimuli;
mod time;

use std::sync::Arc;

use indexmap::IndexMap;
use rheobase_equations::unit::{Scope, Unit};

use super::describe::{Count, Network};
use super::error::{ErrorKind, Errors, NetworkErrors, Path};
use crate::arguments::whole_of;
use crate::plan::{DriveEdge, Edge, InputKind, LayerInitial, Node, NodeId, NodeKind, Plan};
use crate::port::{NeuronType, Registry};
use crate::suggest;
use clock::Clock;
use edges::EdgeDelay;

impl Network {
    /// Looks up every name, reads every quantity and checks that everything fits.
    ///
    /// # Errors
    /// Everything found wrong, in the order of the description.
    pub fn resolve(&self, registry: &Registry) -> Result<Plan, NetworkErrors> {
        let mut errors = Errors::default();
        let scope = super::parameters::read(&self.parameters, &mut errors);
        // What names a wrong parameter would only repeat its error.
        let scope = errors.finish(scope)?;
        let mut errors = Errors::default();
        let clock = Clock::read(self, &scope, &mut errors);
        let models = models::read(self, &mut errors);
        let mut r = Resolver {
            network: self,
            registry,
            scope,
            models,
            clock,
            errors,
            nodes: Vec::new(),
            found: IndexMap::new(),
            edges: Vec::new(),
            delays: Vec::new(),
            drives: Vec::new(),
            layer_initial: Vec::new(),
            monitors: Vec::new(),
            warnings: Vec::new(),
        };
        r.hidden_models();
        r.nodes();
        r.drives();
        r.layer_shapes();
        r.edges();
        r.actor_ports();
        r.cycles();
        r.monitors();
        r.finish()
    }
}

/// What a name of the description refers to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    /// A node.
    Node(NodeId),
    /// A stimulus that acts on a port.
    Drive,
    /// Something with errors of its own, already reported.
    Broken,
}

/// What a node emits.
#[derive(Clone, PartialEq, Debug)]
enum Emission {
    Spikes,
    /// Real values; of that unit, where they are no pure numbers.
    Real(Option<Unit>),
}

/// Everything resolved so far.
struct Resolver<'a> {
    network: &'a Network,
    registry: &'a Registry,
    /// The parameters of the description.
    scope: Scope,
    models: IndexMap<String, Option<Arc<dyn NeuronType>>>,
    clock: Clock,
    errors: Errors,
    nodes: Vec<Node>,
    found: IndexMap<&'a str, Found>,
    edges: Vec<Edge>,
    /// Delay of each edge and where it stands in the description.
    delays: Vec<EdgeDelay>,
    drives: Vec<DriveEdge>,
    layer_initial: Vec<LayerInitial>,
    monitors: Vec<crate::plan::Monitor>,
    warnings: Vec<String>,
}

/// The input port of layers.
const LAYER_PORT: &str = "x";

impl Resolver<'_> {
    /// The value of a count from 1 to `most`; `None` after reporting what is wrong.
    fn count(&mut self, count: &Count, most: u64, path: &Path) -> Option<u64> {
        whole_of(&count.to_value(), 1, most, &self.scope)
            .map_err(|message| self.errors.push(ErrorKind::Value, path, message))
            .ok()
    }

    fn error<T>(&mut self, kind: ErrorKind, path: &Path, message: impl Into<String>) -> Option<T> {
        self.errors.push(kind, path, message);
        None
    }

    /// Components of the file go before built-in ones of the same name; that is worth a word.
    fn hidden_models(&mut self) {
        for name in self.network.models.keys() {
            if self.registry.neurons.contains_key(name) {
                let warning = format!("models.{name}: hides the built-in of the same name");
                self.warnings.push(warning);
            }
        }
    }

    /// The node of that name; `None` after reporting that there is none.
    fn node(&mut self, name: &str, path: &Path) -> Option<NodeId> {
        match self.found.get(name) {
            Some(Found::Node(node)) => Some(*node),
            Some(Found::Broken) => None,
            Some(Found::Drive) => {
                let message = format!(
                    "`{name}` acts on a port of its target and is no node: nothing leads from or \
                     to it"
                );
                self.error(ErrorKind::Wiring, path, message)
            }
            None => {
                let known: Vec<&str> = self.found.keys().copied().collect();
                let message = suggest::unknown("node", name, &known);
                self.error(ErrorKind::Name, path, message)
            }
        }
    }

    /// Names and units of the input ports of a node; the unit is `None` for pure numbers.
    fn input_ports(&self, node: NodeId) -> Vec<(String, Unit)> {
        match &self.nodes[node].kind {
            NodeKind::Population(p) => {
                let inputs = &p.neuron.ports().inputs;
                inputs
                    .iter()
                    .map(|q| (q.name.clone(), q.unit.clone()))
                    .collect()
            }
            NodeKind::Layer(_) => vec![(LAYER_PORT.to_owned(), Unit::one())],
            NodeKind::Actor(user) => {
                let inputs = user.ports.inputs.iter();
                inputs.map(|p| (p.name.clone(), p.unit.clone())).collect()
            }
            NodeKind::Source(_) | NodeKind::Input(_) => Vec::new(),
        }
    }

    /// The port of that name, or the only one; `None` after reporting what is wrong.
    fn port(&mut self, node: NodeId, port: Option<&str>, path: &Path) -> Option<(usize, Unit)> {
        let ports = self.input_ports(node);
        let names: Vec<&str> = ports.iter().map(|(name, _)| name.as_str()).collect();
        let target = &self.nodes[node].name;
        let index = match (port, ports.len()) {
            (_, 0) => Err(format!("`{target}` has no input port")),
            (None, 1) => Ok(0),
            (None, _) => Err(format!(
                "`port` is missing: `{target}` has the ports {}",
                names.join(", ")
            )),
            (Some(name), _) => names
                .iter()
                .position(|n| *n == name)
                .ok_or_else(|| suggest::unknown("port", name, &names)),
        };
        match index {
            Ok(i) => Some((i, ports[i].1.clone())),
            Err(message) => {
                let path = if port.is_some() {
                    path.key("port")
                } else {
                    path.clone()
                };
                self.error(ErrorKind::Wiring, &path, message)
            }
        }
    }

    fn emission(&self, node: NodeId) -> Emission {
        match &self.nodes[node].kind {
            NodeKind::Population(p) => match p.emits {
                None => Emission::Spikes,
                Some(k) => {
                    let unit = p.neuron.ports().outputs[k].unit.clone();
                    Emission::Real((!unit.dimension.is_none()).then_some(unit))
                }
            },
            NodeKind::Source(_) | NodeKind::Input(InputKind::Spikes) => Emission::Spikes,
            NodeKind::Layer(_) | NodeKind::Input(InputKind::Real) => Emission::Real(None),
            NodeKind::Actor(user) => match user.ports.kind {
                InputKind::Spikes => Emission::Spikes,
                InputKind::Real => Emission::Real(None),
            },
        }
    }

    /// Values of the parameters, in the order of the description.
    fn parameter_values(&self) -> Vec<(String, String)> {
        let names = self.network.parameters.keys();
        let value = |name: &String| {
            let quantity = self.scope.get(name)?;
            let number = quantity.unit.from_base(quantity.value_base);
            let text = match quantity.dimension.is_none() {
                true => number.to_string(),
                false => format!("{number} {}", quantity.unit),
            };
            Some((name.clone(), text))
        };
        names.filter_map(value).collect()
    }

    fn finish(self) -> Result<Plan, NetworkErrors> {
        let plan = Plan {
            name: self.network.name.clone(),
            parameters: self.parameter_values(),
            dt_ms: self.clock.dt_ms,
            seed: self.clock.seed,
            precision: self.clock.precision,
            batch: self.clock.batch,
            weight_storage: self.network.weight_storage,
            steps: self.clock.steps,
            discard_steps: self.clock.discard_steps,
            nodes: self.nodes,
            edges: self.edges,
            drives: self.drives,
            layer_initial: self.layer_initial,
            monitors: self.monitors,
            warnings: self.warnings,
        };
        self.errors.finish(plan)
    }
}
