//! The one trait through which everything in a network runs.
//!
//! An actor is a coarse thing: the populations of one shard that depend on each other, with the target
//! sides of their projections; a layer, a stimulus, an input; a user's own. Never a single neuron. It
//! stands for one node of the network or several, advances by a slice of time at a stretch, reads what
//! others emitted from the [`History`], and writes one [`Packet`] for each of its nodes.

use rheobase_equations::real::Real;

use crate::packet::{History, Packet};
use crate::plan::NodeId;
use crate::port::Tensor;
use crate::record::Records;
use crate::time::Slice;

/// What is shown each parameter of a layer: its node and the array.
pub type VisitParameters<'a, R> = dyn FnMut(NodeId, &mut Tensor<R>) + 'a;

/// A part of a running network.
pub trait Actor<R: Real>: Send {
    /// Runs the steps of `slice`: deliver → integrate → emit for each, then record. `packets` holds an
    /// empty packet for each node, in the order in which the actor was placed.
    ///
    /// # Errors
    /// A state that is no longer finite, or whatever stops the run.
    fn advance(
        &mut self,
        slice: Slice,
        history: &History<R>,
        packets: &mut [Packet<R>],
    ) -> Result<(), RunError>;

    /// Place of the node that is being advanced among those of the actor: whom to blame for a panic.
    /// `None` if it is all of them.
    fn running(&self) -> Option<usize> {
        None
    }

    /// Every array that makes up its state, by node and name: what reset, monitors and checkpoints see.
    fn state(&mut self, visit: &mut dyn FnMut(NodeId, &str, &mut [R]));

    /// As [`Self::state`], for what is kept in f64 whatever the precision of the network. What is seen
    /// may be changed: the actor goes on from there.
    fn state_f64(&mut self, _visit: &mut dyn FnMut(NodeId, &str, &mut [f64])) {}

    /// Why what [`Self::state`] shows is not the state of now: a device that has failed.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// Back to the initial state; recordings are dropped.
    fn reset(&mut self);

    /// A checkpoint taken after step `now` has been written into the arrays that [`Self::state`] shows:
    /// what follows from them is made anew.
    fn resume(&mut self, _now: u64) {}

    /// Takes what was recorded and counted since the last call, node by node.
    fn take_records(&mut self) -> Vec<Records>;

    /// Real values of the last steps that packets did not hold, as somebody is still to hear them: of a node,
    /// `[steps, lanes]` up to now. What a checkpoint sees.
    fn past(&mut self, _visit: &mut dyn FnMut(NodeId, &[R])) {}

    /// Parameters of layers, by node; empty for others.
    fn parameters(&mut self, _visit: &mut VisitParameters<'_, R>) {}
}

/// Why a run stopped.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A state variable is NaN or infinite.
    #[error(
        "population `{population}`, neuron {neuron}: `{variable}` is {value} at t = {time_ms} ms (found by a check every {checked_every_steps} steps); a smaller dt, another integrator or other parameters may help"
    )]
    NotFinite {
        /// The population.
        population: String,
        /// The neuron.
        neuron: usize,
        /// The state variable.
        variable: String,
        /// Its value.
        value: f64,
        /// When it was found.
        time_ms: f64,
        /// How often states are checked.
        checked_every_steps: u64,
    },
    /// A neuron in continuous time fires without end.
    #[error(
        "population `{population}`, neuron {neuron}: {spikes} spikes at t = {time_ms} ms: without a refractory time, a reset must lead below the threshold"
    )]
    Unending {
        /// The population.
        population: String,
        /// The neuron.
        neuron: usize,
        /// Spikes at the same moment, after which the run stopped.
        spikes: u32,
        /// The moment.
        time_ms: f64,
    },
    /// An actor panicked.
    #[error("actor `{actor}` panicked: {message}")]
    Panicked {
        /// The actor.
        actor: String,
        /// What it said.
        message: String,
    },
    /// A worker waited in vain for a message of another.
    #[error(
        "deadlock at t = {time_ms} ms: worker {worker} waited {waited_s} s for what worker {missing} emits ({actors}); {backlog}"
    )]
    Deadlock {
        /// Who waited.
        worker: usize,
        /// For whom.
        missing: usize,
        /// The nodes whose emissions were missing.
        actors: String,
        /// Seconds.
        waited_s: f64,
        /// When.
        time_ms: f64,
        /// Who waits for whom, and what waits.
        backlog: Backlog,
    },
    /// More came for a mailbox than it holds.
    #[error("overflow at t = {time_ms} ms: `{actor}`: {waiting} where {mailbox} holds {capacity}")]
    Overflow {
        /// The actor whose mailbox it is.
        actor: String,
        /// Which of its mailboxes, and from whom.
        mailbox: String,
        /// Spikes of one step, or messages of a worker, that wanted to wait there.
        waiting: usize,
        /// How many it holds.
        capacity: usize,
        /// When.
        time_ms: f64,
    },
    /// A user's own actor did not answer.
    #[error(
        "actor `{actor}` has not answered for {waited_s} s at t = {time_ms} ms; {waiting} message waits for it. Its thread is left to itself"
    )]
    NoAnswer {
        /// The actor.
        actor: String,
        /// Seconds.
        waited_s: f64,
        /// Messages in its mailbox, the one it works on included.
        waiting: usize,
        /// When.
        time_ms: f64,
    },
    /// A user's own actor emitted what cannot be used.
    #[error("actor `{actor}` at t = {time_ms} ms: {message}")]
    Output {
        /// The actor.
        actor: String,
        /// What is wrong.
        message: String,
        /// When.
        time_ms: f64,
    },
    /// A user's own actor stopped the run.
    #[error("actor `{actor}` stopped the run at t = {time_ms} ms: {message}")]
    Actor {
        /// The actor.
        actor: String,
        /// What it said.
        message: String,
        /// When.
        time_ms: f64,
    },
    /// A device failed.
    #[error("the device failed at t = {time_ms} ms: {message}")]
    Device {
        /// Why.
        message: String,
        /// The last moment that is known.
        time_ms: f64,
    },
    /// Another worker failed first.
    #[error("stopped because another worker failed")]
    Aborted,
    /// Data for an input node is missing or of the wrong size.
    #[error("input `{node}`: {message}")]
    Input {
        /// The node.
        node: String,
        /// What is wrong.
        message: String,
    },
}

/// What is known of a stalled exchange: who waits for whom, and what waits in mailboxes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Backlog {
    /// Workers that wait, and for which one each waits.
    pub waits: Vec<(usize, usize)>,
    /// Messages in the mailboxes of the worker that tells: from, to, how many.
    pub messages: Vec<(usize, usize, usize)>,
}

impl std::fmt::Display for Backlog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waits = self.waits.iter();
        let waits: Vec<String> = waits.map(|(w, for_)| format!("{w} for {for_}")).collect();
        let messages = self.messages.iter();
        let messages: Vec<String> = messages
            .map(|(from, to, n)| format!("{n} from {from} to {to}"))
            .collect();
        let or_none = |list: Vec<String>| match list.is_empty() {
            true => "none".to_owned(),
            false => list.join(", "),
        };
        write!(
            f,
            "workers waiting: {}; messages in mailboxes: {}",
            or_none(waits),
            or_none(messages)
        )
    }
}
