//! A user's own actor: a Rust type with ports that is a node of the network.

use rheobase_equations::real::Real;
use rheobase_equations::unit::Unit;

use crate::arguments::{ArgumentError, ArgumentSpec, Arguments};
use crate::plan::InputKind;
use crate::random::Philox;

/// Spikes that a mailbox holds for one step where its port does not say otherwise.
pub const MAILBOX_SPIKES: usize = 1 << 20;

/// Makes a user's own actor: a robot, an environment, an encoder, a decoder. Registered by name in
/// [`Registry::actors`](super::Registry::actors); a network names it under `[actors]`.
///
/// ```
/// use std::sync::Arc;
/// use rheobase_engine::arguments::{ArgumentError, Arguments};
/// use rheobase_engine::port::{
///     ActorContext, ActorError, ActorInputs, ActorOutput, ActorPort, ActorPorts, ActorType,
///     Registry, UserActor,
/// };
///
/// /// Fires once for every three spikes it receives.
/// struct EveryThird;
///
/// impl ActorType for EveryThird {
///     fn ports(&self, _: &Arguments) -> Result<ActorPorts, ArgumentError> {
///         Ok(ActorPorts::emitting_spikes([1]).input(ActorPort::spikes("in", 100)))
///     }
///     fn instantiate(&self, _: &ActorContext) -> Result<Box<dyn UserActor>, ActorError> {
///         Ok(Box::new(Counter { count: 0.0 }))
///     }
/// }
///
/// struct Counter {
///     count: f64,
/// }
///
/// impl UserActor for Counter {
///     fn step(&mut self, inputs: &ActorInputs<'_>, output: &mut ActorOutput) -> Result<(), ActorError> {
///         for _ in inputs.spikes(0) {
///             self.count += 1.0;
///             if self.count == 3.0 {
///                 self.count = 0.0;
///                 output.spike(0);
///             }
///         }
///         Ok(())
///     }
///     fn state(&mut self, visit: &mut dyn FnMut(&str, &mut [f64])) {
///         visit("count", std::slice::from_mut(&mut self.count));
///     }
/// }
///
/// let mut registry = Registry::default();
/// registry.actors.insert("every_third".to_owned(), Arc::new(EveryThird));
/// ```
pub trait ActorType: Send + Sync {
    /// The arguments it takes in a network file.
    fn arguments(&self) -> &'static [ArgumentSpec] {
        &[]
    }

    /// What it receives and emits.
    ///
    /// # Errors
    /// The argument that does not fit, and why.
    fn ports(&self, arguments: &Arguments) -> Result<ActorPorts, ArgumentError>;

    /// Whether it may wait for something outside the network. It then runs on a thread of its own,
    /// and a run ends with an error where it does not answer in time
    /// ([`BuildOptions::answer_within`](crate::build::BuildOptions::answer_within)). An actor that
    /// only computes may say `false`: it runs on its worker, which saves some microseconds a slice;
    /// but nothing ends a run in which it never returns.
    fn may_block(&self) -> bool {
        true
    }

    /// A new actor in its initial state: when a network is built, and whenever it is reset.
    ///
    /// # Errors
    /// Why there can be none.
    fn instantiate(&self, context: &ActorContext) -> Result<Box<dyn UserActor>, ActorError>;
}

/// A running actor. It is never called by two threads at once, but not always by the same.
pub trait UserActor: Send {
    /// One step t: reads what arrives at t (emitted at t − delay) and emits what is stamped t. Steps
    /// are asked for one after the other; a run that continues from a checkpoint begins at a later
    /// one. What it emits may depend on its state, its inputs, and the step alone; draws are counted
    /// by step ([`ActorContext::stream`]).
    ///
    /// # Errors
    /// Whatever stops the run.
    fn step(
        &mut self,
        inputs: &ActorInputs<'_>,
        output: &mut ActorOutput,
    ) -> Result<(), ActorError>;

    /// Every array that makes up its state, by name, always the same ones of the same lengths: what
    /// checkpoints hold, and [`Simulation::state`](crate::simulation::Simulation::state) reads. Values
    /// are kept in f64 in whatever precision the network runs; integers are exact up to 2⁵³. Called
    /// after every slice, and from the thread of whoever saves: it must not wait for anything.
    fn state(&mut self, visit: &mut dyn FnMut(&str, &mut [f64]));
}

/// Why an actor stops a run, in a sentence.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct ActorError(String);

impl ActorError {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl From<std::io::Error> for ActorError {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// What an actor is given when it is made.
#[derive(Clone, Debug)]
pub struct ActorContext {
    /// Length of a step \[ms\].
    pub dt_ms: f64,
    /// Its random stream: a word for every (lane, step, draw), so that draws have no state.
    pub stream: Philox,
    /// Its arguments, checked against [`ActorType::arguments`].
    pub arguments: Arguments,
}

/// What an actor receives and emits.
#[derive(Clone, PartialEq, Debug)]
pub struct ActorPorts {
    /// Input ports. Exactly one edge leads to each.
    pub inputs: Vec<ActorPort>,
    /// What it emits.
    pub kind: InputKind,
    /// Shape of what it emits. One that emits nothing has one neuron that stays silent.
    pub shape: Vec<u64>,
    /// Most spikes it emits in a step.
    pub most_spikes: usize,
}

impl ActorPorts {
    /// Emits spikes of neurons in that shape; no input ports so far.
    #[must_use]
    pub fn emitting_spikes(shape: impl Into<Vec<u64>>) -> Self {
        Self {
            inputs: Vec::new(),
            kind: InputKind::Spikes,
            shape: shape.into(),
            most_spikes: MAILBOX_SPIKES,
        }
    }

    /// Emits real values of that shape, in the base unit (ms, mV, pA) of the port they are led to; no
    /// input ports so far.
    #[must_use]
    pub fn emitting_real(shape: impl Into<Vec<u64>>) -> Self {
        Self {
            kind: InputKind::Real,
            ..Self::emitting_spikes(shape)
        }
    }

    /// Adds an input port. Ports are counted from 0.
    #[must_use]
    pub fn input(mut self, port: ActorPort) -> Self {
        self.inputs.push(port);
        self
    }

    /// Emits at most so many spikes in a step; more stop the run.
    #[must_use]
    pub fn most_spikes(mut self, spikes: usize) -> Self {
        self.most_spikes = spikes;
        self
    }
}

/// An input port of an actor.
#[derive(Clone, PartialEq, Debug)]
pub struct ActorPort {
    /// Name.
    pub name: String,
    /// What it takes.
    pub kind: InputKind,
    /// Elements of the node that is led to it.
    pub size: usize,
    /// Unit of real values, which arrive in base units.
    pub unit: Unit,
    /// Most spikes its mailbox holds for a step; more stop the run.
    pub most_spikes: usize,
}

impl ActorPort {
    /// Takes the spikes of a node of `size` neurons.
    #[must_use]
    pub fn spikes(name: impl Into<String>, size: usize) -> Self {
        Self {
            name: name.into(),
            kind: InputKind::Spikes,
            size,
            unit: Unit::one(),
            most_spikes: MAILBOX_SPIKES,
        }
    }

    /// Takes the real values of a node of `size` elements that emits them in `unit`.
    #[must_use]
    pub fn real(name: impl Into<String>, size: usize, unit: Unit) -> Self {
        Self {
            kind: InputKind::Real,
            unit,
            ..Self::spikes(name, size)
        }
    }

    /// Holds at most so many spikes of one step.
    #[must_use]
    pub fn most_spikes(mut self, spikes: usize) -> Self {
        self.most_spikes = spikes;
        self
    }
}

/// What arrives at one port over a slice.
#[derive(Clone, Debug)]
pub(crate) struct PortSlice {
    size: usize,
    /// Start of each step's spikes in `neurons`; one entry more than steps.
    offsets: Vec<usize>,
    neurons: Vec<u32>,
    /// `[steps, size]`; empty for spikes.
    values: Vec<f64>,
}

impl PortSlice {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            size,
            offsets: vec![0],
            neurons: Vec::new(),
            values: Vec::new(),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.offsets.truncate(1);
        self.neurons.clear();
        self.values.clear();
    }

    /// The spikes of the next step.
    pub(crate) fn push_spikes(&mut self, spikes: &[u32]) {
        self.neurons.extend_from_slice(spikes);
        self.offsets.push(self.neurons.len());
    }

    /// The values of the next step; 0 before there are any.
    pub(crate) fn push_real<R: Real>(&mut self, row: Option<&[R]>) {
        match row {
            Some(row) => self.values.extend(row.iter().map(|x| x.to_f64())),
            None => self.values.resize(self.values.len() + self.size, 0.0),
        }
    }
}

/// What arrives at an actor in one step.
#[derive(Clone, Copy, Debug)]
pub struct ActorInputs<'a> {
    pub(crate) step: u64,
    pub(crate) dt_ms: f64,
    /// Place of the step in the slice.
    pub(crate) offset: usize,
    pub(crate) ports: &'a [PortSlice],
}

impl<'a> ActorInputs<'a> {
    /// The step t that is being advanced; the first is 1. It leads from (t − 1)·dt to t·dt.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The end of the step \[ms\]: when what it emits is stamped.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
    pub fn time_ms(&self) -> f64 {
        self.step as f64 * self.dt_ms
    }

    /// Neurons whose spikes arrive at a port in this step, ascending; one that fired k times stands k
    /// times. Ports are counted from 0; one that takes real values has none.
    #[must_use]
    pub fn spikes(&self, port: usize) -> &'a [u32] {
        let Some(port) = self.ports.get(port) else {
            return &[];
        };
        match port.offsets.get(self.offset..self.offset + 2) {
            Some(&[start, end]) => &port.neurons[start..end],
            _ => &[],
        }
    }

    /// The values that arrive at a port in this step, in base units; 0 before anything has arrived.
    /// Empty for a port that takes spikes.
    #[must_use]
    pub fn real(&self, port: usize) -> &'a [f64] {
        let row = self.ports.get(port).and_then(|port| {
            let start = self.offset * port.size;
            port.values.get(start..start + port.size)
        });
        row.unwrap_or(&[])
    }
}

/// Where an actor puts what it emits.
#[derive(Clone, Debug)]
pub struct ActorOutput {
    kind: InputKind,
    lanes: usize,
    most_spikes: usize,
    /// Start of each step's spikes in `neurons`; one entry more than steps that were ended.
    offsets: Vec<usize>,
    neurons: Vec<u32>,
    /// `[steps, lanes]`; empty for spikes.
    values: Vec<f64>,
    /// Spikes of the current step, also those that found no place.
    spikes_of_step: usize,
}

/// What is wrong with what an actor emitted.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum WrongOutput {
    /// More spikes than it may emit.
    TooMany(usize),
    /// Anything else.
    Wrong(String),
}

impl ActorOutput {
    pub(crate) fn new(ports: &ActorPorts, lanes: usize) -> Self {
        Self {
            kind: ports.kind,
            lanes,
            most_spikes: ports.most_spikes,
            offsets: vec![0],
            neurons: Vec::new(),
            values: Vec::new(),
            spikes_of_step: 0,
        }
    }

    /// Neuron `neuron` fires in this step. Neurons come in ascending order; one that fires k times is
    /// named k times. Beyond [`ActorPorts::most_spikes`] nothing is kept, and the run stops.
    pub fn spike(&mut self, neuron: u32) {
        self.spikes_of_step += 1;
        if self.spikes_of_step <= self.most_spikes {
            self.neurons.push(neuron);
        }
    }

    /// The values of this step, all 0 at its beginning. Empty where spikes are emitted.
    pub fn real(&mut self) -> &mut [f64] {
        let start = self.values.len() - self.row_len();
        &mut self.values[start..]
    }

    fn row_len(&self) -> usize {
        match self.kind {
            InputKind::Real => self.lanes,
            InputKind::Spikes => 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.offsets.truncate(1);
        self.neurons.clear();
        self.values.clear();
    }

    pub(crate) fn begin_step(&mut self) {
        self.spikes_of_step = 0;
        let end = self.values.len() + self.row_len();
        self.values.resize(end, 0.0);
    }

    /// Ends a step, and checks it.
    pub(crate) fn end_step(&mut self) -> Result<(), WrongOutput> {
        let start = self.offsets.last().copied().unwrap_or(0);
        self.offsets.push(self.neurons.len());
        if self.kind == InputKind::Real && self.spikes_of_step > 0 {
            let message = "it emits real values, but named a neuron that fires".to_owned();
            return Err(WrongOutput::Wrong(message));
        }
        if self.spikes_of_step > self.most_spikes {
            return Err(WrongOutput::TooMany(self.spikes_of_step));
        }
        let fired = &self.neurons[start..];
        if let Some(neuron) = fired.iter().find(|&&n| n as usize >= self.lanes) {
            let message = format!("neuron {neuron} fired, but it has {} neurons", self.lanes);
            return Err(WrongOutput::Wrong(message));
        }
        if let Some(pair) = fired.windows(2).find(|pair| pair[0] > pair[1]) {
            let message = format!(
                "neuron {} was named after neuron {}; neurons come in ascending order",
                pair[1], pair[0]
            );
            return Err(WrongOutput::Wrong(message));
        }
        let row = &*self.real();
        if let Some(k) = row.iter().position(|x| !x.is_finite()) {
            return Err(WrongOutput::Wrong(format!("value {k} is {}", row[k])));
        }
        Ok(())
    }

    /// Spikes of the `offset`-th step of the slice.
    pub(crate) fn spikes_at(&self, offset: usize) -> &[u32] {
        &self.neurons[self.offsets[offset]..self.offsets[offset + 1]]
    }

    /// Real values of all steps.
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }
}
