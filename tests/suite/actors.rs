//! Users' own actors: a Rust type as a node of the network, alone, in loops with populations, on any
//! number of threads, after a reset and from a checkpoint. What goes wrong has a file each.

#[path = "actors/answers.rs"]
mod answers;
#[path = "actors/description.rs"]
mod description;
#[path = "actors/loops.rs"]
mod loops;
#[path = "actors/output.rs"]
mod output;
#[path = "actors/overflow.rs"]
mod overflow;
#[path = "actors/panics.rs"]
mod panics;
#[path = "actors/values.rs"]
mod values;

use std::sync::Arc;
use std::time::Duration;

use rheobase::engine::Instantiate;
use rheobase::engine::arguments::{ArgumentError, Arguments};
use rheobase::engine::build::BuildOptions;
use rheobase::engine::network::{Network, NetworkErrors};
use rheobase::engine::plan::Plan;
use rheobase::engine::port::{
    ActorContext, ActorError, ActorInputs, ActorOutput, ActorPorts, ActorType, UserActor,
};
use rheobase::engine::simulation::Simulation;

/// What an actor of a test does in a step, with its one state variable.
type Step =
    dyn Fn(&ActorInputs<'_>, &mut ActorOutput, &mut f64) -> Result<(), ActorError> + Send + Sync;

/// An actor that does what a test says.
#[derive(Clone)]
pub(crate) struct Script {
    ports: ActorPorts,
    may_block: bool,
    step: Arc<Step>,
}

impl Script {
    pub(crate) fn new(
        ports: ActorPorts,
        step: impl Fn(&ActorInputs<'_>, &mut ActorOutput, &mut f64) -> Result<(), ActorError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self {
            ports,
            may_block: true,
            step: Arc::new(step),
        }
    }

    /// On its worker, not on a thread of its own.
    pub(crate) fn on_its_worker(mut self) -> Self {
        self.may_block = false;
        self
    }
}

impl ActorType for Script {
    fn ports(&self, _: &Arguments) -> Result<ActorPorts, ArgumentError> {
        Ok(self.ports.clone())
    }

    fn may_block(&self) -> bool {
        self.may_block
    }

    fn instantiate(&self, _: &ActorContext) -> Result<Box<dyn UserActor>, ActorError> {
        Ok(Box::new(Running {
            step: Arc::clone(&self.step),
            state: 0.0,
        }))
    }
}

struct Running {
    step: Arc<Step>,
    state: f64,
}

impl UserActor for Running {
    fn step(
        &mut self,
        inputs: &ActorInputs<'_>,
        output: &mut ActorOutput,
    ) -> Result<(), ActorError> {
        (self.step)(inputs, output, &mut self.state)
    }

    fn state(&mut self, visit: &mut dyn FnMut(&str, &mut [f64])) {
        visit("x", std::slice::from_mut(&mut self.state));
    }
}

/// Resolves a network whose actors are these.
pub(crate) fn resolve(
    text: &str,
    actors: &[(&str, &dyn Fn() -> Arc<dyn ActorType>)],
) -> Result<Plan, NetworkErrors> {
    let mut registry = rheobase::registry();
    for (name, make) in actors {
        registry.actors.insert((*name).to_owned(), make());
    }
    Network::from_toml(text, "test")?.resolve(&registry)
}

/// Builds a network with the actor `script`.
pub(crate) fn build<R: Instantiate>(text: &str, script: &Script, threads: usize) -> Simulation<R> {
    build_with(text, script, threads, Duration::from_secs(60))
}

/// Builds a network with the actor `script`, which has to answer in time.
pub(crate) fn build_with<R: Instantiate>(
    text: &str,
    script: &Script,
    threads: usize,
    answer_within: Duration,
) -> Simulation<R> {
    let make = || Arc::new(script.clone()) as Arc<dyn ActorType>;
    let plan = resolve(text, &[("script", &make)]).unwrap_or_else(|e| panic!("{e}"));
    let options = BuildOptions {
        threads,
        answer_within,
        ..BuildOptions::default()
    };
    Simulation::build(Arc::new(plan), options).unwrap()
}

/// Populations on several threads beside an actor that nobody listens to; neuron i of `n` fires every
/// few milliseconds.
pub(crate) const BESIDE: &str = r#"
name = "beside"
dt = "0.1 ms"
duration = "40 ms"
[populations.n]
model = "iaf_psc_exp"
size = 300
parameters = { i_e = "600 pA" }
initial = { v = { uniform = ["-65 mV", "-51 mV"] } }
[actors.plant]
model = "script"
[[edges]]
source = "n"
target = "plant"
delay = "0.5 ms"
[[monitors]]
spikes = ["n"]
"#;

/// The spikes that node `name` recorded, as (step, neuron).
pub(crate) fn spikes_of<R: Instantiate>(
    simulation: &mut Simulation<R>,
    name: &str,
) -> Vec<(u64, u32)> {
    let node = simulation.plan().nodes.iter().position(|n| n.name == name);
    let recording = simulation.take_recording();
    let spikes = recording.spikes.iter().find(|(id, _)| Some(*id) == node);
    let (_, spikes) = spikes.unwrap_or_else(|| panic!("no spikes of {name}"));
    let events = spikes.steps.iter().zip(&spikes.neurons);
    events.map(|(&step, &neuron)| (step, neuron)).collect()
}

/// What [`BESIDE`] records up to `last` when nothing goes wrong.
pub(crate) fn undisturbed(last: u64) -> Vec<(u64, u32)> {
    undisturbed_of(BESIDE, last)
}

/// What `text` records of `n` beside an actor that does nothing.
pub(crate) fn undisturbed_of(text: &str, last: u64) -> Vec<(u64, u32)> {
    let silent = Script::new(spikes_in(300), |_, _, _| Ok(()));
    let mut simulation = build::<f32>(text, &silent, 1);
    simulation.advance_to(last).unwrap();
    spikes_of(&mut simulation, "n")
}

/// Takes the spikes of so many neurons, and has one of its own.
pub(crate) fn spikes_in(size: usize) -> ActorPorts {
    ActorPorts::emitting_spikes([1]).input(rheobase::engine::port::ActorPort::spikes("in", size))
}
