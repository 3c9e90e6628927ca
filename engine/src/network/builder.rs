//! Descriptions made by a program.

use serde_json::{Map, Value as Json};

use super::actor::Actor;
use super::describe::{
    Count, Edge, Input, Layer, Learn, LearnScope, ModelText, Monitor, Names, Network, Neurons,
    Population, Projection, Rule, Stimulus,
};
use super::error::{ErrorKind, Errors, NetworkErrors, Path};
use crate::anchored::Arithmetic;
use crate::plan::{InputKind, Time, WeightStorage};
use rheobase_equations::model::Integrator;
use rheobase_equations::real::Precision;

/// Builds a [`Network`]; made by [`Network::builder`].
#[derive(Debug)]
#[must_use]
pub struct NetworkBuilder {
    network: Network,
    errors: Errors,
}

impl Network {
    /// Starts a description.
    ///
    /// ```
    /// use rheobase_engine::network::{Network, Population, Projection, Stimulus, values::uniform};
    ///
    /// let network = Network::builder("balanced")
    ///     .dt("0.1 ms")
    ///     .population("E", Population::new("iaf_psc_exp", 80).parameter("tau_m", "10 ms"))
    ///     .population("I", Population::new("iaf_psc_exp", 20).initial("v", uniform("-60 mV", "-50 mV")))
    ///     .stimulus("noise", Stimulus::new("poisson_background").target("E").port("ex").argument("rate", "8 kHz"))
    ///     .projection(
    ///         Projection::new("E", "I")
    ///             .port("ex")
    ///             .rule("pairwise_bernoulli")
    ///             .argument("p", 0.1)
    ///             .weight("4 pA")
    ///             .delay("1.5 ms"),
    ///     )
    ///     .build()?;
    /// assert_eq!(Network::from_toml(&network.to_toml()?, "")?, network);
    /// # Ok::<(), rheobase_engine::network::NetworkErrors>(())
    /// ```
    pub fn builder(name: impl Into<String>) -> NetworkBuilder {
        let network = Self {
            name: name.into(),
            ..Self::default()
        };
        NetworkBuilder {
            network,
            errors: Errors::default(),
        }
    }
}

impl NetworkBuilder {
    /// Seed of every random stream; 1 if not given.
    pub fn seed(mut self, seed: u64) -> Self {
        self.network.seed = seed;
        self
    }

    /// Length of a step; 0.1 ms if not given.
    pub fn dt(mut self, dt: impl Into<String>) -> Self {
        self.network.dt = dt.into();
        self
    }

    /// Biological time to simulate; 1 s if not given.
    pub fn duration(mut self, duration: impl Into<String>) -> Self {
        self.network.duration = duration.into();
        self
    }

    /// Time at the start that statistics leave out.
    pub fn discard(mut self, discard: impl Into<String>) -> Self {
        self.network.discard = Some(discard.into());
        self
    }

    /// Precision; f32 if not given.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.network.precision = precision;
        self
    }

    /// Copies of the network that run side by side; 1 if not given.
    pub fn batch(mut self, batch: usize) -> Self {
        self.network.batch = batch;
        self
    }

    /// How weights that differ from synapse to synapse are kept; exact if not given.
    pub fn weight_storage(mut self, storage: WeightStorage) -> Self {
        self.network.weight_storage = storage;
        self
    }

    /// How the states of populations are kept, where they do not say; `auto` if not given.
    pub fn arithmetic(mut self, arithmetic: Arithmetic) -> Self {
        self.network.arithmetic = arithmetic;
        self
    }

    /// How time passes in populations that do not say so themselves; in steps if not given.
    pub fn time(mut self, time: Time) -> Self {
        self.network.time = time;
        self
    }

    /// A number, quantity or expression by name, for use in expressions.
    pub fn parameter(mut self, name: &str, value: impl Into<Json>) -> Self {
        let earlier = self
            .network
            .parameters
            .insert(name.to_owned(), value.into());
        self.once("parameters", name, earlier.is_some())
    }

    /// A component described by its text.
    pub fn model(mut self, name: &str, text: impl Into<String>) -> Self {
        let earlier = self
            .network
            .models
            .insert(name.to_owned(), ModelText::Text(text.into()));
        self.once("models", name, earlier.is_some())
    }

    /// A population.
    pub fn population(mut self, name: &str, population: Population) -> Self {
        let earlier = self.network.populations.insert(name.to_owned(), population);
        self.once("populations", name, earlier.is_some())
    }

    /// A stimulus.
    pub fn stimulus(mut self, name: &str, stimulus: Stimulus) -> Self {
        let earlier = self.network.stimuli.insert(name.to_owned(), stimulus);
        self.once("stimuli", name, earlier.is_some())
    }

    /// A layer.
    pub fn layer(mut self, name: &str, layer: Layer) -> Self {
        let earlier = self.network.layers.insert(name.to_owned(), layer);
        self.once("layers", name, earlier.is_some())
    }

    /// Values given from outside.
    pub fn input(mut self, name: &str, input: Input) -> Self {
        let earlier = self.network.inputs.insert(name.to_owned(), input);
        self.once("inputs", name, earlier.is_some())
    }

    /// A user's own actor.
    pub fn actor(mut self, name: &str, actor: Actor) -> Self {
        let earlier = self.network.actors.insert(name.to_owned(), actor);
        self.once("actors", name, earlier.is_some())
    }

    /// Synapses.
    pub fn projection(mut self, projection: Projection) -> Self {
        self.network.projections.push(projection);
        self
    }

    /// A connection of element i to element i.
    pub fn edge(mut self, edge: Edge) -> Self {
        self.network.edges.push(edge);
        self
    }

    /// Something to record.
    pub fn monitor(mut self, monitor: Monitor) -> Self {
        self.network.monitors.push(monitor);
        self
    }

    fn once(mut self, section: &str, name: &str, again: bool) -> Self {
        if again {
            let path = Path::root().key(section).key(name);
            self.errors
                .push(ErrorKind::Name, &path, format!("`{name}` stands twice"));
        }
        self
    }

    /// The description, checked as if it had been read from a file.
    ///
    /// # Errors
    /// Everything wrong with entries, as far as that is known without components.
    pub fn build(self) -> Result<Network, NetworkErrors> {
        self.errors.finish(())?;
        Network::from_value(&self.network.to_value()?, "")
    }
}

impl Population {
    /// `size` neurons of the type `model`: a number, or an expression such as `"800 * scale"`.
    #[must_use]
    pub fn new(model: impl Into<String>, size: impl Into<Count>) -> Self {
        Self {
            model: model.into(),
            size: Some(size.into()),
            shape: None,
            integrator: None,
            options: indexmap::IndexMap::new(),
            surrogate: None,
            arithmetic: None,
            emits: None,
            time: None,
            parameters: indexmap::IndexMap::new(),
            initial: indexmap::IndexMap::new(),
            learn: None,
        }
    }

    /// Arranges the neurons in a shape, which replaces the size.
    #[must_use]
    pub fn shape(mut self, shape: impl Into<Vec<u64>>) -> Self {
        (self.size, self.shape) = (None, Some(counts(shape)));
        self
    }

    /// Chooses how differential equations are advanced.
    #[must_use]
    pub fn integrator(mut self, integrator: Integrator) -> Self {
        self.integrator = Some(integrator);
        self
    }

    /// Chooses the value of an option of the component: `"soft_reset"`, `"true"`.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.insert(name.into(), value.into().into());
        self
    }

    /// Chooses the surrogate of the spike's derivative: `"atan(2)"`.
    #[must_use]
    pub fn surrogate(mut self, text: impl Into<String>) -> Self {
        self.surrogate = Some(text.into());
        self
    }

    /// How the state is kept, where not as the network says.
    pub fn arithmetic(mut self, arithmetic: Arithmetic) -> Self {
        self.arithmetic = Some(arithmetic);
        self
    }

    /// Emits a real-valued output instead of spikes.
    #[must_use]
    pub fn emits(mut self, output: impl Into<String>) -> Self {
        self.emits = Some(output.into());
        self
    }

    /// Chooses how time passes: in steps, or continuously.
    #[must_use]
    pub fn time(mut self, time: Time) -> Self {
        self.time = Some(time);
        self
    }

    /// Sets a parameter: a quantity such as `"10 ms"`, a list, or a distribution.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<Json>) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }

    /// Sets the initial value of a state variable.
    #[must_use]
    pub fn initial(mut self, name: impl Into<String>, value: impl Into<Json>) -> Self {
        self.initial.insert(name.into(), value.into());
        self
    }

    /// Chooses which parameters training changes, instead of those the model declares `learnable`.
    #[must_use]
    pub fn learn(mut self, parameters: impl IntoIterator<Item = (String, LearnScope)>) -> Self {
        self.learn = Some(Learn::Scopes(parameters.into_iter().collect()));
        self
    }
}

impl Stimulus {
    /// A stimulus of the type `model`.
    #[must_use]
    pub fn new(model: impl Into<String>) -> Self {
        let arguments = Map::new();
        Self {
            model: model.into(),
            target: None,
            port: None,
            size: None,
            arguments,
        }
    }

    /// The population it acts on.
    #[must_use]
    pub fn target(mut self, target: impl Into<Names>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// The port it acts on.
    #[must_use]
    pub fn port(mut self, port: impl Into<String>) -> Self {
        self.port = Some(port.into());
        self
    }

    /// Number of neurons of a source of spikes.
    #[must_use]
    pub fn size(mut self, size: impl Into<Count>) -> Self {
        self.size = Some(size.into());
        self
    }

    /// Sets an argument of the component.
    #[must_use]
    pub fn argument(mut self, name: impl Into<String>, value: impl Into<Json>) -> Self {
        self.arguments.insert(name.into(), value.into());
        self
    }
}

impl Layer {
    /// A layer of the type `model`.
    #[must_use]
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            initial: indexmap::IndexMap::new(),
            arguments: Map::new(),
        }
    }

    /// Sets the initial values of a trained parameter: a number, a list (row-major), or a distribution.
    #[must_use]
    pub fn initial(mut self, name: impl Into<String>, value: impl Into<Json>) -> Self {
        self.initial.insert(name.into(), value.into());
        self
    }

    /// Sets an argument of the component.
    #[must_use]
    pub fn argument(mut self, name: impl Into<String>, value: impl Into<Json>) -> Self {
        self.arguments.insert(name.into(), value.into());
        self
    }
}

impl Input {
    /// Real values of that shape.
    #[must_use]
    pub fn real(shape: impl Into<Vec<u64>>) -> Self {
        Self {
            shape: counts(shape),
            kind: InputKind::Real,
        }
    }

    /// Spikes of that shape.
    #[must_use]
    pub fn spikes(shape: impl Into<Vec<u64>>) -> Self {
        Self {
            shape: counts(shape),
            kind: InputKind::Spikes,
        }
    }
}

fn counts(shape: impl Into<Vec<u64>>) -> Vec<Count> {
    shape.into().into_iter().map(Count::Number).collect()
}

impl From<&str> for Names {
    fn from(name: &str) -> Self {
        Self::One(name.to_owned())
    }
}

impl From<String> for Names {
    fn from(name: String) -> Self {
        Self::One(name)
    }
}

impl<const N: usize> From<[&str; N]> for Names {
    fn from(names: [&str; N]) -> Self {
        Self::Many(names.map(str::to_owned).to_vec())
    }
}

impl From<Vec<String>> for Names {
    fn from(names: Vec<String>) -> Self {
        Self::Many(names)
    }
}

impl Projection {
    /// All to all, until [`Self::rule`] says otherwise.
    #[must_use]
    pub fn new(source: impl Into<Names>, target: impl Into<Names>) -> Self {
        Self {
            source: source.into(),
            target: target.into(),
            port: None,
            rule: Rule::Name("all_to_all".to_owned()),
            weight: None,
            delay: None,
            round_delay: false,
            learnable: true,
        }
    }

    /// The input port of the target.
    #[must_use]
    pub fn port(mut self, port: impl Into<String>) -> Self {
        self.port = Some(port.into());
        self
    }

    /// The rule, without arguments so far.
    #[must_use]
    pub fn rule(mut self, name: impl Into<String>) -> Self {
        self.rule = Rule::Name(name.into());
        self
    }

    /// Sets an argument of the rule.
    #[must_use]
    pub fn argument(mut self, name: impl Into<String>, value: impl Into<Json>) -> Self {
        let (rule, mut arguments) = match self.rule {
            Rule::Name(rule) => (rule, Map::new()),
            Rule::Call(call) => call.into_iter().next().unwrap_or_default(),
        };
        arguments.insert(name.into(), value.into());
        self.rule = Rule::Call(indexmap::IndexMap::from([(rule, arguments)]));
        self
    }

    /// Weights: a quantity or a distribution.
    #[must_use]
    pub fn weight(mut self, weight: impl Into<Json>) -> Self {
        self.weight = Some(weight.into());
        self
    }

    /// Delays: a time or a distribution.
    #[must_use]
    pub fn delay(mut self, delay: impl Into<Json>) -> Self {
        self.delay = Some(delay.into());
        self
    }

    /// Rounds a delay that is no whole number of steps.
    #[must_use]
    pub fn round_delay(mut self) -> Self {
        self.round_delay = true;
        self
    }

    /// Whether training changes the weights.
    #[must_use]
    pub fn learnable(mut self, learnable: bool) -> Self {
        self.learnable = learnable;
        self
    }
}

impl Edge {
    /// An edge without delay.
    #[must_use]
    pub fn new(source: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            target: target.into(),
            port: None,
            delay: None,
            round_delay: false,
        }
    }

    /// The input port of the target.
    #[must_use]
    pub fn port(mut self, port: impl Into<String>) -> Self {
        self.port = Some(port.into());
        self
    }

    /// The delay.
    #[must_use]
    pub fn delay(mut self, delay: impl Into<String>) -> Self {
        self.delay = Some(delay.into());
        self
    }

    /// Rounds a delay that is no whole number of steps.
    #[must_use]
    pub fn round_delay(mut self) -> Self {
        self.round_delay = true;
        self
    }
}

impl Monitor {
    /// Records the spikes of some nodes.
    #[must_use]
    pub fn spikes(nodes: impl Into<Names>) -> Self {
        Self {
            spikes: Some(nodes.into()),
            ..Self::default()
        }
    }

    /// Records state variables of a population.
    #[must_use]
    pub fn state(population: impl Into<String>, variables: impl Into<Names>) -> Self {
        Self {
            state: Some(population.into()),
            variables: Some(variables.into()),
            ..Self::default()
        }
    }

    /// Of these neurons only.
    #[must_use]
    pub fn neurons(mut self, neurons: impl Into<Vec<u64>>) -> Self {
        self.neurons = Some(Neurons::List(neurons.into()));
        self
    }

    /// Of the first few neurons only.
    #[must_use]
    pub fn first(mut self, first: impl Into<Count>) -> Self {
        let first = first.into();
        self.neurons = Some(Neurons::First { first });
        self
    }

    /// Time between records; every step if not given.
    #[must_use]
    pub fn every(mut self, every: impl Into<String>) -> Self {
        self.every = Some(every.into());
        self
    }
}
