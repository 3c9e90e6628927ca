//! The traits that components implement. The engine knows no concrete component: it is handed a
//! [`Registry`] that maps names to these.

pub(crate) mod actor;
mod layer;
mod step;

use std::ops::Range;
use std::sync::Arc;

use indexmap::IndexMap;
use rheobase_equations::gradient::Reverse;
use rheobase_equations::lower::Component;
use rheobase_equations::native::{NativeReverse, StepArgs};
use rheobase_equations::real::Real;
use rheobase_equations::unit::Unit;

use crate::arguments::{ArgumentError, ArgumentSpec, Arguments};
use crate::neuron::EquationNeuron;
use crate::random::{Construction, Philox, Purpose, construction_stream};

pub use layer::{Layer, LayerCall, LayerInput, LayerShape, LayerType};
pub use step::{StepInput, StepLayer};

pub use actor::{
    ActorContext, ActorError, ActorInputs, ActorOutput, ActorPort, ActorPorts, ActorType,
    MAILBOX_SPIKES, UserActor,
};

/// A named quantity of a neuron type.
#[derive(Clone, Debug)]
pub struct Quantity {
    /// Name.
    pub name: String,
    /// Documentation; may be empty.
    pub doc: String,
    /// Unit for reading and display; fixes the dimension.
    pub unit: Unit,
    /// Default of a parameter, initial value of a state, 0 for ports; in base units.
    pub default: f64,
}

/// What a neuron type offers to the outside.
#[derive(Clone, Debug, Default)]
pub struct NeuronPorts {
    /// Parameters.
    pub parameters: Vec<Quantity>,
    /// State variables, counters included.
    pub states: Vec<Quantity>,
    /// Input ports; the unit is that of weights onto the port.
    pub inputs: Vec<Quantity>,
    /// Real-valued output ports. Every neuron also has the spike output.
    pub outputs: Vec<Quantity>,
    /// Uniform draws per step.
    pub n_uniforms: usize,
    /// Normal draws per step.
    pub n_normals: usize,
}

/// A neuron type: equations, or a hand-written Rust type where equations do not reach.
pub trait NeuronType: Send + Sync {
    /// Names, units and defaults.
    fn ports(&self) -> &NeuronPorts;

    /// Quantities the kernel reads besides state and inputs, from one set of parameters (base
    /// units) and the step \[ms\]. Called once per population, or once per neuron where parameters
    /// differ between neurons.
    fn derive(&self, parameters: &[f64], dt_ms: f64) -> Vec<f64>;

    /// Initial value of every state for one set of parameters.
    fn initial_states(&self, parameters: &[f64], dt_ms: f64) -> Vec<f64>;

    /// A kernel for f32 populations.
    fn kernel_f32(&self) -> Box<dyn Kernel<f32>>;

    /// A kernel for f64 populations.
    fn kernel_f64(&self) -> Box<dyn Kernel<f64>>;

    /// The lowered equations, if it has any: what training and other backends are derived from.
    fn component(&self) -> Option<&Component> {
        None
    }

    /// The compiled reverse of its step, where there is one that computes the same as `reverse`.
    fn native_reverse(&self, _reverse: &Reverse) -> Option<NativeReverse> {
        None
    }

    /// A neuron type of other equations, which came from those of this one by choosing an integrator,
    /// options or a surrogate. What was compiled stays in use where it computes the same.
    fn with(&self, component: Component) -> Arc<dyn NeuronType> {
        Arc::new(EquationNeuron::new(component, None))
    }
}

/// Advances a population by one step.
pub trait Kernel<R: Real>: Send {
    /// One step: reads and writes what [`StepArgs`] says.
    fn step(&mut self, args: &mut StepArgs<'_, R>);

    /// How it runs, for the report: `native`, `block`, `rust`.
    fn name(&self) -> &'static str;
}

/// One drawn synapse of a row.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Candidate {
    /// Source neuron.
    pub source: u32,
    /// Weight in base units and delay in ms, where the rule fixes them (explicit lists).
    pub fixed: Option<(f64, f64)>,
}

/// Size of the two sides of a projection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sides {
    /// Neurons of the source.
    pub n_source: u32,
    /// Neurons of the target.
    pub n_target: u32,
    /// Source and target are the same population.
    pub same: bool,
}

/// A connectivity rule: which sources each target neuron receives.
pub trait ConnectivityRule: Send + Sync {
    /// Whether the rule fits the two sides.
    ///
    /// # Errors
    /// A sentence that says what does not fit and what to do.
    fn check(&self, sides: Sides) -> Result<(), String>;

    /// Expected number of synapses, for the memory estimate.
    fn expected_synapses(&self, sides: Sides) -> f64;

    /// Whether rows carry their own weights and delays ([`Candidate::fixed`]).
    fn fixes_weights(&self) -> bool {
        false
    }

    /// Delays \[ms\] that the rule fixes ([`Candidate::fixed`]), as its argument `delays` gives them:
    /// one per synapse, or one for all; none where it fixes none. They are checked against the grid
    /// and for cycles when a network is resolved.
    fn fixed_delays(&self) -> &[f64] {
        &[]
    }

    /// What draws the rows of the targets in `range`. A row must not depend on `range`: targets may
    /// be cut into ranges in any way, and every range may be drawn twice or on another thread.
    /// Rules that draw each row from the stream of its target alone use [`each_row`].
    fn rows<'a>(
        &'a self,
        sides: Sides,
        range: Range<u32>,
        streams: RuleStreams,
    ) -> Box<dyn RowDrawer + 'a>;
}

/// Draws the rows of a range of targets.
pub trait RowDrawer {
    /// Appends the synapses of `target`, in the rule's order. Every target of the range is asked for
    /// once, in ascending order. `random` is [`RuleStreams::row`] of the target; what is left of it
    /// draws the weights and delays of the row.
    fn row(&mut self, target: u32, random: &mut Construction, row: &mut Vec<Candidate>);
}

impl<F: FnMut(u32, &mut Construction, &mut Vec<Candidate>)> RowDrawer for F {
    #[inline]
    fn row(&mut self, target: u32, random: &mut Construction, row: &mut Vec<Candidate>) {
        self(target, random, row);
    }
}

/// A drawer that needs nothing but the target and its stream.
pub fn each_row<'a>(
    draw: impl FnMut(u32, &mut Construction, &mut Vec<Candidate>) + 'a,
) -> Box<dyn RowDrawer + 'a> {
    Box::new(draw)
}

/// The construction streams of one projection.
#[derive(Clone, Copy, Debug)]
pub struct RuleStreams {
    seed: u64,
    projection: u64,
}

impl RuleStreams {
    /// Streams of the `projection`-th projection of a network.
    #[must_use]
    pub fn new(seed: u64, projection: u64) -> Self {
        Self { seed, projection }
    }

    /// The stream of a target's row: sources first, then weights and delays.
    #[must_use]
    pub fn row(&self, target: u32) -> Construction {
        construction_stream(
            self.seed,
            Purpose::Projection,
            self.projection,
            u64::from(target),
        )
    }

    /// A stream of the rule's own, e.g. one for the whole projection or one for each source.
    #[must_use]
    pub fn rule(&self, row: u64) -> Construction {
        construction_stream(self.seed, Purpose::Rule, self.projection, row)
    }
}

/// A stimulus that is a node of its own and emits spikes.
pub trait SpikeSource: Send {
    /// Steps are asked for in ascending order, one after the other; a run that continues from a checkpoint
    /// begins at a later one.
    ///
    /// Neurons of the node that fire in `step`, within `range`, ascending; a neuron that fires k
    /// times appears k times.
    ///
    /// With a batch, where [`SpikeSourceType::size`] is `None` the range may lie beyond the node's
    /// size: neuron i of copy c is lane c · size + i, with draws of its own. Trains of a fixed size
    /// are asked for once and repeated in every copy.
    fn emit(&mut self, step: u64, range: Range<u32>, spikes: &mut Vec<u32>);

    /// As [`Self::emit`], with the offset of each spike from the beginning of the step, in (0, dt]
    /// \[ms\]; those of a neuron ascending. Asked for where [`SpikeSourceType::is_timed`] says so.
    fn emit_timed(
        &mut self,
        step: u64,
        range: Range<u32>,
        spikes: &mut Vec<u32>,
        _offsets_ms: &mut Vec<f64>,
    ) {
        self.emit(step, range, spikes);
    }
}

/// A stimulus that acts on an input port of a population directly.
pub trait Drive<R: Real>: Send {
    /// Steps are asked for in ascending order; a run that continues from a checkpoint begins at a later
    /// one, so that draws must be counted by step.
    ///
    /// Adds what arrives in `step` at lanes `first .. first + input.len()` of the population.
    fn drive(&mut self, step: u64, first: u32, input: &mut [R]);
}

/// What a stimulus is given when a network is built.
#[derive(Clone, Copy, Debug)]
pub struct StimulusContext {
    /// Length of a step \[ms\].
    pub dt_ms: f64,
    /// Its random stream.
    pub stream: Philox,
    /// Neurons of the node, or of the population it drives.
    pub size: u32,
}

/// Makes spike sources; one instance per shard.
pub trait SpikeSourceType: Send + Sync {
    /// Number of neurons where the stimulus fixes it (explicit spike trains); `None` where the
    /// network gives a size.
    fn size(&self) -> Option<u32> {
        None
    }
    /// Whether it can run with steps of `dt_ms` \[ms\].
    ///
    /// # Errors
    /// A sentence that says what does not fit and what to do.
    fn check(&self, _dt_ms: f64) -> Result<(), String> {
        Ok(())
    }
    /// Whether its spikes fall between the steps: populations in continuous time then receive them at
    /// their own moments.
    fn is_timed(&self) -> bool {
        false
    }
    /// A source for one shard.
    fn instantiate(&self, context: StimulusContext) -> Box<dyn SpikeSource>;
}

/// Makes drives; one instance per shard.
pub trait DriveType: Send + Sync {
    /// Whether it can run with steps of `dt_ms` \[ms\].
    ///
    /// # Errors
    /// A sentence that says what does not fit and what to do.
    fn check(&self, _dt_ms: f64) -> Result<(), String> {
        Ok(())
    }
    /// A drive of an f32 population.
    fn instantiate_f32(&self, context: StimulusContext) -> Box<dyn Drive<f32>>;
    /// A drive of an f64 population.
    fn instantiate_f64(&self, context: StimulusContext) -> Box<dyn Drive<f64>>;
    /// What it does, where a device can do the same; `None` keeps the population on the processor.
    fn on_device(&self, _context: StimulusContext) -> Option<DeviceDrive> {
        None
    }
}

/// A drive that devices know: in every step, for every neuron, what it adds to the port.
#[derive(Clone, PartialEq, Debug)]
pub enum DeviceDrive {
    /// This.
    Constant(f64),
    /// A random number times the weight. The word of the stream, draw 0, gives `base` and one more for
    /// each threshold that it reaches.
    Counts {
        /// The weight.
        weight: f64,
        /// The stream.
        stream: Philox,
        /// The smallest number.
        base: u32,
        /// Thresholds, ascending.
        thresholds: Vec<u32>,
    },
}

/// A stimulus, of either kind.
#[derive(Clone)]
pub enum StimulusType {
    /// A node that emits spikes.
    Source(Arc<dyn SpikeSourceType>),
    /// Acts on a port.
    Drive(Arc<dyn DriveType>),
}

/// A named array.
#[derive(Clone, PartialEq, Debug)]
pub struct Tensor<R> {
    /// Name.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<R>,
}

/// Makes a component from its arguments.
pub type Make<T> = fn(&Arguments) -> Result<T, ArgumentError>;

/// A registered component that takes arguments.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// One line for `models`.
    pub summary: &'static str,
    /// The arguments it takes.
    pub arguments: &'static [ArgumentSpec],
    /// Makes it.
    pub make: Make<T>,
}

/// Every component a network may name. Assembled by the facade, passed to the engine.
#[derive(Clone, Default)]
pub struct Registry {
    /// Neuron types.
    pub neurons: IndexMap<String, Arc<dyn NeuronType>>,
    /// Connectivity rules.
    pub rules: IndexMap<String, Entry<Arc<dyn ConnectivityRule>>>,
    /// Stimuli.
    pub stimuli: IndexMap<String, Entry<StimulusType>>,
    /// Layers.
    pub layers: IndexMap<String, Entry<Arc<dyn LayerType>>>,
    /// Types of users' own actors.
    pub actors: IndexMap<String, Arc<dyn ActorType>>,
}
