//! The description as data: one schema for TOML, JSON and the builder.
//!
//! Quantities stay as written (`"10 ms"`) until [`Network::resolve`] knows which unit is expected.

use std::path::PathBuf;

use indexmap::IndexMap;
use rheobase_equations::model::Integrator;
use rheobase_equations::real::Precision;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::actor::Actor;
use crate::anchored::Arithmetic;
use crate::plan::{InputKind, Time, WeightStorage};

/// A network, as people write it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Name; appears in results.
    pub name: String,
    /// Seed of every random stream.
    pub seed: u64,
    /// Length of a step.
    pub dt: String,
    /// Biological time to simulate.
    pub duration: String,
    /// Time at the start that statistics leave out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discard: Option<String>,
    /// Precision of populations and layers.
    pub precision: Precision,
    /// Copies of the network that run side by side.
    pub batch: usize,
    /// How weights that differ from synapse to synapse are kept.
    pub weight_storage: WeightStorage,
    /// How the states of populations are kept.
    pub arithmetic: Arithmetic,
    /// How time passes in populations that do not say so themselves.
    #[serde(skip_serializing_if = "is_grid")]
    pub time: Time,
    /// Quantities by name: numbers, quantities or expressions. Expressions anywhere in the
    /// description may use them.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub parameters: IndexMap<String, Json>,
    /// Components described in this file.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub models: IndexMap<String, ModelText>,
    /// Populations of neurons.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub populations: IndexMap<String, Population>,
    /// Stimuli.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub stimuli: IndexMap<String, Stimulus>,
    /// Layers.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub layers: IndexMap<String, Layer>,
    /// Values given from outside for every step.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub inputs: IndexMap<String, Input>,
    /// Users' own actors.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub actors: IndexMap<String, Actor>,
    /// Synapses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub projections: Vec<Projection>,
    /// Connections of element i to element i.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<Edge>,
    /// What is recorded; the spikes of every population where none is given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub monitors: Vec<Monitor>,
    /// How it is trained: what `rheobase train` reads. It has no part in a simulation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training: Option<Json>,
    /// Where it was read from.
    #[serde(skip)]
    pub(super) origin: Origin,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            name: "network".to_owned(),
            seed: 1,
            dt: "0.1 ms".to_owned(),
            duration: "1 s".to_owned(),
            discard: None,
            precision: Precision::F32,
            batch: 1,
            weight_storage: WeightStorage::Exact,
            arithmetic: Arithmetic::Auto,
            time: Time::Grid,
            parameters: IndexMap::new(),
            models: IndexMap::new(),
            populations: IndexMap::new(),
            stimuli: IndexMap::new(),
            layers: IndexMap::new(),
            inputs: IndexMap::new(),
            actors: IndexMap::new(),
            projections: Vec::new(),
            edges: Vec::new(),
            monitors: Vec::new(),
            training: None,
            origin: Origin::default(),
        }
    }
}

/// Where a description was read from: for messages and for files named relative to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    /// Name of the file; empty if it was built in a program.
    pub(super) name: String,
    /// Folder that relative paths start from.
    pub(super) folder: PathBuf,
}

impl PartialEq for Origin {
    /// Where a description was read from is no part of what it says.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Text of a component, or where to find it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ModelText {
    /// The text itself.
    Text(String),
    /// A file that holds it.
    File {
        /// Path, relative to the network file.
        file: PathBuf,
    },
}

/// A whole number, or an expression whose value is rounded to the nearest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Count {
    /// The number.
    Number(u64),
    /// An expression such as `20683 * scale`.
    Expression(String),
}

impl Count {
    /// As in a file.
    pub(super) fn to_value(&self) -> Json {
        match self {
            Self::Number(n) => Json::from(*n),
            Self::Expression(text) => Json::from(text.as_str()),
        }
    }
}

impl From<u64> for Count {
    fn from(n: u64) -> Self {
        Self::Number(n)
    }
}

impl From<&str> for Count {
    fn from(text: &str) -> Self {
        Self::Expression(text.to_owned())
    }
}

/// Neurons of one type.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// A component of [`Network::models`] or of the registry.
    pub model: String,
    /// Number of neurons; this or `shape`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Count>,
    /// Shape without the batch axis; this or `size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Vec<Count>>,
    /// How differential equations are advanced, where not as the model says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrator: Option<Integrator>,
    /// Values of the component's options, where not as its text says: true, false or a word.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub options: IndexMap<String, Json>,
    /// Surrogate of the spike's derivative, where not as the model says: `"atan(2)"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surrogate: Option<String>,
    /// How the state is kept, where not as the network says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arithmetic: Option<Arithmetic>,
    /// Real-valued output the population emits instead of spikes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emits: Option<String>,
    /// How time passes: in steps, or continuously.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// Parameters that differ from the model's defaults.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub parameters: IndexMap<String, Json>,
    /// Initial values that differ from the model's.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub initial: IndexMap<String, Json>,
    /// Parameters that training changes, instead of those the model declares `learnable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learn: Option<Learn>,
}

/// Parameters that training changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Learn {
    /// By name: one value for the population, or one for each neuron where they begin with such.
    Names(Vec<String>),
    /// Each with what shares its value.
    Scopes(IndexMap<String, LearnScope>),
}

/// What shares a learned value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LearnScope {
    /// All neurons of the population.
    Population,
    /// Every neuron has its own.
    Neuron,
}

impl Learn {
    /// The names, in order, with what was said about each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<LearnScope>)> {
        let (names, scopes) = match self {
            Self::Names(names) => (names.as_slice(), None),
            Self::Scopes(scopes) => (&[][..], Some(scopes)),
        };
        let names = names.iter().map(|name| (name.as_str(), None));
        let scopes = scopes.into_iter().flatten();
        names.chain(scopes.map(|(name, scope)| (name.as_str(), Some(*scope))))
    }
}

/// A stimulus: a node that emits spikes, or, with a target, something that acts on a port.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Stimulus {
    /// A stimulus of the registry.
    pub model: String,
    /// Populations it acts on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Names>,
    /// Port it acts on; may be left out where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Number of neurons of a node, where the stimulus does not fix it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Count>,
    /// Arguments of the component.
    #[serde(flatten)]
    pub arguments: Map<String, Json>,
}

/// A stateless layer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Layer {
    /// A layer of the registry.
    pub model: String,
    /// Initial values of its trained parameters that differ from the layer's.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub initial: IndexMap<String, Json>,
    /// Arguments of the component.
    #[serde(flatten)]
    pub arguments: Map<String, Json>,
}

/// Values given from outside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Shape without the batch axis.
    pub shape: Vec<Count>,
    /// Real values or spikes.
    #[serde(default)]
    pub kind: InputKind,
}

/// One name, or several.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Names {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Names {
    /// The names, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }
}

/// A connectivity rule: its name alone, or a table of one entry with its arguments.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Rule {
    /// Without arguments.
    Name(String),
    /// With arguments.
    Call(IndexMap<String, Map<String, Json>>),
}

impl Rule {
    /// Name and arguments; `None` unless there is exactly one name.
    #[must_use]
    pub fn parts(&self) -> Option<(&str, Map<String, Json>)> {
        match self {
            Self::Name(name) => Some((name, Map::new())),
            Self::Call(call) => match call.iter().next() {
                Some((name, arguments)) if call.len() == 1 => Some((name, arguments.clone())),
                _ => None,
            },
        }
    }
}

/// Synapses from the neurons of one node to those of another.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Projection {
    /// Where from; a list makes one projection for each pair, in order.
    pub source: Names,
    /// Where to.
    pub target: Names,
    /// Input port of the target; may be left out where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Who is connected with whom.
    pub rule: Rule,
    /// Weights, in the unit of the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Json>,
    /// Delays; 0 where not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Json>,
    /// Round a delay that is no whole number of steps.
    #[serde(default, skip_serializing_if = "is_false")]
    pub round_delay: bool,
    /// Whether training changes the weights. It has no part in a simulation.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub learnable: bool,
}

/// Joins element i of one node to element i of another.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// Where from.
    pub source: String,
    /// Where to.
    pub target: String,
    /// Input port of the target; may be left out where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Delay; 0 where not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<String>,
    /// Round a delay that is no whole number of steps.
    #[serde(default, skip_serializing_if = "is_false")]
    pub round_delay: bool,
}

/// What is recorded: spikes of some nodes, or state variables of one population.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monitor {
    /// Nodes whose spikes are recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spikes: Option<Names>,
    /// Population whose state is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// State variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variables: Option<Names>,
    /// Neurons; all of them where not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neurons: Option<Neurons>,
    /// Time between records; every step where not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
}

/// Some neurons of a population.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Neurons {
    /// By index.
    List(Vec<u64>),
    /// The first few.
    First {
        /// How many.
        first: Count,
    },
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn is_grid(time: &Time) -> bool {
    *time == Time::Grid
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn is_false(x: &bool) -> bool {
    !x
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn is_true(x: &bool) -> bool {
    *x
}

fn yes() -> bool {
    true
}
