//! A network with every name resolved and every quantity in base units: what is built and run.

mod weights;

use std::sync::Arc;

use rheobase_equations::model::Integrator;
use rheobase_equations::real::{Precision, Real};

use crate::anchored::Arithmetic;
use crate::arguments::Arguments;
use crate::port::{
    ActorPorts, ActorType, ConnectivityRule, DriveType, LayerType, NeuronType, SpikeSourceType,
};
use crate::value::Value;

pub use weights::WeightsError;

/// Index of a node in [`Plan::nodes`].
pub type NodeId = usize;

/// A checked network.
#[derive(Clone)]
pub struct Plan {
    /// Name of the network.
    pub name: String,
    /// Parameters of the description by name, with their values: `("w", "87.8 pA")`.
    pub parameters: Vec<(String, String)>,
    /// Length of a step \[ms\].
    pub dt_ms: f64,
    /// Seed of every stream.
    pub seed: u64,
    /// Precision of populations.
    pub precision: Precision,
    /// Batch size N.
    pub batch: usize,
    /// How weights that differ from synapse to synapse are kept.
    pub weight_storage: WeightStorage,
    /// Steps of the run, the discarded ones included.
    pub steps: u64,
    /// Steps before statistics begin.
    pub discard_steps: u64,
    /// Populations, stimuli that are nodes, layers, inputs; in the order of the description.
    pub nodes: Vec<Node>,
    /// Edges between nodes, in the order of the description.
    pub edges: Vec<Edge>,
    /// Stimuli that act on ports.
    pub drives: Vec<DriveEdge>,
    /// Parameters of layers that do not begin as the layer says.
    pub layer_initial: Vec<LayerInitial>,
    /// What is recorded.
    pub monitors: Vec<Monitor>,
    /// Delays that were rounded to the grid while reading (explicit ones; drawn ones are counted
    /// when they are drawn).
    pub warnings: Vec<String>,
}

/// What a trained parameter of a layer begins with.
#[derive(Clone, PartialEq, Debug)]
pub struct LayerInitial {
    /// The layer.
    pub layer: NodeId,
    /// Name of the parameter.
    pub parameter: String,
    /// Its values, row-major; draws come from the layer's stream, after its own.
    pub value: Value,
}

/// How time passes in a population.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Time {
    /// In steps: states and spikes at whole multiples of dt.
    #[default]
    Grid,
    /// Continuously, from event to event; threshold crossings are solved to machine precision.
    Exact,
    /// Continuously; between events the equations are integrated with steps of controlled error.
    Adaptive,
}

impl Time {
    /// Whether spikes fall between the steps.
    #[must_use]
    pub fn is_continuous(self) -> bool {
        self != Self::Grid
    }

    /// Relative error allowed per step of the integration, where there is one.
    #[must_use]
    pub fn tolerance(self) -> Option<f64> {
        (self == Self::Adaptive).then_some(1e-10)
    }
}

impl Plan {
    /// Whether the spikes of `node` fall between the steps: those of populations in continuous time and
    /// of stimuli that say so.
    #[must_use]
    pub fn has_offsets(&self, node: NodeId) -> bool {
        match &self.nodes[node].kind {
            NodeKind::Source(source) => source.is_timed(),
            _ => self.is_continuous(node),
        }
    }

    /// Whether `node` is a population in continuous time.
    #[must_use]
    pub fn is_continuous(&self, node: NodeId) -> bool {
        match &self.nodes[node].kind {
            NodeKind::Population(p) => p.time.is_continuous(),
            _ => false,
        }
    }
}

/// How weights that differ from synapse to synapse are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightStorage {
    /// In the precision of the population.
    #[default]
    Exact,
    /// In 16 bits: as multiples of 1/32,767 of the largest weight that the projections stored together
    /// may have (9 standard deviations from the mean of a normal distribution). The build reports how
    /// far a stored weight may be from the drawn one.
    Quantised,
}

/// How the weights of layers are kept for step-by-step inference.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightFormat {
    /// As they are.
    #[default]
    Exact,
    /// In 16 bits: as multiples of 1/32,767 of the largest weight onto the same output.
    Int16,
    /// In 8 bits: as multiples of 1/127 of the largest weight onto the same output.
    Int8,
}

/// A node.
#[derive(Clone)]
pub struct Node {
    /// Name.
    pub name: String,
    /// Shape without the batch axis.
    pub shape: Vec<usize>,
    /// What it is.
    pub kind: NodeKind,
}

impl Node {
    /// Number of elements: the product of the shape.
    #[must_use]
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }
}

/// What a node is.
#[derive(Clone)]
pub enum NodeKind {
    /// A population of neurons.
    Population(Population),
    /// A stimulus that emits spikes.
    Source(Arc<dyn SpikeSourceType>),
    /// A stateless layer.
    Layer(Arc<dyn LayerType>),
    /// Values given from outside for every step.
    Input(InputKind),
    /// A user's own actor.
    Actor(UserActor),
}

/// A user's own actor.
#[derive(Clone)]
pub struct UserActor {
    /// What makes it.
    pub actor: Arc<dyn ActorType>,
    /// Name of its type.
    pub model: String,
    /// Its arguments.
    pub arguments: Arguments,
    /// What it receives and emits.
    pub ports: ActorPorts,
}

/// What an input node carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// Real values.
    #[default]
    Real,
    /// Spikes.
    Spikes,
}

/// A population of neurons.
#[derive(Clone)]
pub struct Population {
    /// The neuron type.
    pub neuron: Arc<dyn NeuronType>,
    /// Name of the neuron type.
    pub model: String,
    /// Integrator in use.
    pub integrator: Integrator,
    /// One value per parameter of the type (base units).
    pub parameters: Vec<Value>,
    /// Initial values that replace the type's, by state index.
    pub initial: Vec<(usize, Value)>,
    /// Real-valued output the node emits instead of spikes, if chosen.
    pub emits: Option<usize>,
    /// How its state is to be kept.
    pub arithmetic: Arithmetic,
    /// How time passes.
    pub time: Time,
}

impl Population {
    /// Moves values of its `parameter`-th parameter to the bounds that its text declares: an update of
    /// training knows none. A value within bounds keeps its bits.
    pub(crate) fn keep_within_bounds<R: Real>(&self, parameter: usize, values: &mut [R]) {
        let model = self.neuron.component().map(|c| &c.model);
        let Some((low, high)) = model.and_then(|m| m.parameters[parameter].bounds) else {
            return;
        };
        for x in values {
            let value = x.to_f64();
            if value < low || value > high {
                *x = R::from_f64(value.clamp(low, high));
            }
        }
    }
}

/// An edge: carries what the source emits to a port of the target.
#[derive(Clone)]
pub struct Edge {
    /// Name for messages: `source -> target` and its place in the description.
    pub name: String,
    /// Where from.
    pub source: NodeId,
    /// Where to.
    pub target: NodeId,
    /// Input port of the target.
    pub port: usize,
    /// How.
    pub kind: EdgeKind,
}

impl Edge {
    /// Whether it joins element i to element i, rather than being a projection.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        matches!(self.kind, EdgeKind::Identity { .. })
    }
}

/// How an edge joins two nodes.
#[derive(Clone)]
pub enum EdgeKind {
    /// Element i to element i, factor 1. A spike arrives as 1.
    Identity {
        /// Delay in steps.
        delay_steps: u64,
    },
    /// A projection: synapses.
    Synapses(Synapses),
}

/// The synapses of a projection.
#[derive(Clone)]
pub struct Synapses {
    /// Who is connected with whom.
    pub rule: Arc<dyn ConnectivityRule>,
    /// Weights, in the unit of the port (base units).
    pub weight: Value,
    /// Delays \[ms\].
    pub delay: Value,
    /// Smallest delay allowed, in steps: 1 on a cycle, else 0. Drawn delays below it are raised to
    /// it; given ones, constant or listed, are refused.
    pub min_delay_steps: u64,
    /// Round given delays that are off the grid, rather than refuse them (drawn ones always round).
    pub round_delay: bool,
    /// Whether training changes the weights.
    pub learnable: bool,
}

impl Synapses {
    /// The weight of all synapses, where it is the same. Lists that fix weights keep a constant 1 in
    /// the description that means nothing.
    #[must_use]
    pub fn constant_weight(&self) -> Option<f64> {
        self.weight
            .constant()
            .filter(|_| !self.rule.fixes_weights())
    }
}

/// A stimulus that acts on a port.
#[derive(Clone)]
pub struct DriveEdge {
    /// Name of the stimulus.
    pub name: String,
    /// Population it acts on.
    pub target: NodeId,
    /// Input port.
    pub port: usize,
    /// The stimulus.
    pub drive: Arc<dyn DriveType>,
}

/// What is recorded of a node.
#[derive(Clone, PartialEq, Debug)]
pub enum Monitor {
    /// Every spike of a node.
    Spikes {
        /// The node.
        node: NodeId,
    },
    /// State variables of some neurons.
    State {
        /// The population.
        node: NodeId,
        /// State indices.
        states: Vec<usize>,
        /// Neurons, ascending.
        neurons: Vec<u32>,
        /// Record every this many steps.
        every_steps: u64,
    },
}
