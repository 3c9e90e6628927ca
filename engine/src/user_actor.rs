//! A user's own actor among the others: what arrives is handed to it slice by slice, what it emits is
//! checked before anyone reads it.

mod host;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rheobase_equations::real::Real;

use crate::actor::{Actor, RunError};
use crate::mailbox::Patience;
use crate::packet::{History, Packet};
use crate::plan::{InputKind, NodeId};
use crate::port::actor::{
    ActorContext, ActorOutput, ActorPorts, ActorType, PortSlice, UserActor, WrongOutput,
};
use crate::record::{Records, Spikes};
use crate::time::Slice;
use crate::worker::panic_message;
use host::{Host, Job, Stopped};

/// Where what arrives at a port comes from.
pub(crate) struct PortSource {
    pub(crate) node: NodeId,
    pub(crate) name: String,
    pub(crate) delay: u64,
}

/// What a node of a user's own actor is made of.
pub(crate) struct UserParts {
    pub(crate) node: NodeId,
    pub(crate) name: String,
    pub(crate) actor_type: Arc<dyn ActorType>,
    pub(crate) context: ActorContext,
    pub(crate) ports: ActorPorts,
    /// Of each input port.
    pub(crate) sources: Vec<PortSource>,
    /// Elements that it emits.
    pub(crate) lanes: usize,
    pub(crate) record_spikes: bool,
    pub(crate) patience: Patience,
    pub(crate) abort: Arc<AtomicBool>,
}

/// A user's own actor.
pub(crate) struct UserNode {
    parts: UserParts,
    host: Host,
    /// The actor with what it reads and writes.
    job: Option<Box<Job>>,
    /// Why there is none, where there is none.
    absent: String,
    /// Names and lengths of the state arrays, which stay as they were.
    layout: Vec<(String, usize)>,
    spikes: Spikes,
    n_spikes: u64,
}

impl UserNode {
    /// # Errors
    /// Why the actor cannot be made, in a sentence.
    pub(crate) fn new(parts: UserParts) -> Result<Self, String> {
        let (host, mut job) = start(&parts)?;
        let mut layout = Vec::new();
        let mut note =
            |name: &str, values: &mut [f64]| layout.push((name.to_owned(), values.len()));
        catch_unwind(AssertUnwindSafe(|| job.actor.state(&mut note))).map_err(panicked)?;
        for (k, (name, _)) in layout.iter().enumerate() {
            if layout[..k].iter().any(|(earlier, _)| earlier == name) {
                return Err(format!("it has two state arrays of the name `{name}`"));
            }
        }
        Ok(Self {
            parts,
            host,
            job: Some(job),
            absent: "it was given up: it did not answer in time".to_owned(),
            layout,
            spikes: Spikes::default(),
            n_spikes: 0,
        })
    }

    /// Has the actor run a slice, which begins with what arrives in it.
    fn call<R: Real>(&mut self, slice: Slice, history: &History<R>) -> Result<Box<Job>, RunError> {
        let Some(mut job) = self.job.take() else {
            return Err(self.failure(slice.first, self.absent.clone()));
        };
        job.slice = slice;
        if let Err(error) = self.parts.gather(slice, history, &mut job.inputs) {
            self.job = Some(job);
            return Err(error);
        }
        let (patience, abort) = (&self.parts.patience, &self.parts.abort);
        match self.host.run(job, patience, abort) {
            (Some(job), Ok(())) => Ok(job),
            (job, outcome) => {
                self.job = job;
                let stopped = outcome.err().unwrap_or(Stopped::Silent);
                Err(self.error(slice, stopped))
            }
        }
    }

    fn failure(&self, step: u64, message: String) -> RunError {
        RunError::Actor {
            actor: self.parts.name.clone(),
            message,
            time_ms: self.parts.time_ms(step),
        }
    }

    fn error(&self, slice: Slice, stopped: Stopped) -> RunError {
        let actor = self.parts.name.clone();
        match stopped {
            Stopped::Failed(step, error) => self.failure(step, error.to_string()),
            Stopped::Output(step, WrongOutput::TooMany(spikes)) => RunError::Overflow {
                actor,
                mailbox: "its output".to_owned(),
                waiting: spikes,
                capacity: self.parts.ports.most_spikes,
                time_ms: self.parts.time_ms(step),
            },
            Stopped::Output(step, WrongOutput::Wrong(message)) => RunError::Output {
                actor,
                message,
                time_ms: self.parts.time_ms(step),
            },
            Stopped::Panicked(panic) => RunError::Panicked {
                actor,
                message: panic_message(panic.as_ref()),
            },
            Stopped::Silent => RunError::NoAnswer {
                actor,
                waited_s: self.parts.patience.seconds(),
                waiting: 1,
                time_ms: self.parts.time_ms(slice.first),
            },
            Stopped::Aborted => RunError::Aborted,
        }
    }

    /// Passes on what the actor emitted.
    fn emit<R: Real>(
        &mut self,
        slice: Slice,
        output: &ActorOutput,
        packet: &mut Packet<R>,
    ) -> Result<(), RunError> {
        for (offset, step) in slice.steps().enumerate() {
            let fired = output.spikes_at(offset);
            packet.spikes_mut().extend_from_slice(fired);
            packet.end_step();
            self.n_spikes += fired.len() as u64;
            if self.parts.record_spikes {
                let steps = std::iter::repeat_n(step, fired.len());
                self.spikes.steps.extend(steps);
                self.spikes.neurons.extend_from_slice(fired);
            }
        }
        let values = output.values();
        packet
            .real_mut()
            .extend(values.iter().map(|&x| R::from_f64(x)));
        // What is finite in f64 may not be in f32.
        match packet.real().iter().position(|x| !x.is_finite()) {
            None => Ok(()),
            Some(k) => Err(RunError::Output {
                actor: self.parts.name.clone(),
                message: format!(
                    "{} is too large for the precision of the network",
                    values[k]
                ),
                time_ms: self
                    .parts
                    .time_ms(slice.first + (k / self.parts.lanes) as u64),
            }),
        }
    }

    /// State arrays that come or go, or change their length, would not be found again.
    fn check_layout(&self, actor: &mut dyn UserActor, slice: Slice) -> Result<(), RunError> {
        let (mut seen, mut same) = (0, true);
        actor.state(&mut |name, values| {
            let expected = self.layout.get(seen);
            same &= expected.is_some_and(|(n, len)| n == name && *len == values.len());
            seen += 1;
        });
        if same && seen == self.layout.len() {
            return Ok(());
        }
        let message = "its state arrays are not those it began with: names and lengths must stay";
        Err(self.failure(slice.first, message.to_owned()))
    }
}

impl UserParts {
    /// Collects what arrives in a slice.
    fn gather<R: Real>(
        &self,
        slice: Slice,
        history: &History<R>,
        inputs: &mut [PortSlice],
    ) -> Result<(), RunError> {
        let ports = self.ports.inputs.iter().zip(&self.sources);
        for ((port, source), arrived) in ports.zip(inputs) {
            arrived.clear();
            for step in slice.steps() {
                let emitted = step.saturating_sub(source.delay);
                if port.kind == InputKind::Real {
                    let row = history.real(source.node, emitted, port.size);
                    arrived.push_real(row);
                    continue;
                }
                let spikes = history.spikes(source.node, emitted);
                if spikes.len() > port.most_spikes {
                    return Err(RunError::Overflow {
                        actor: self.name.clone(),
                        mailbox: format!("its port `{}`, from `{}`,", port.name, source.name),
                        waiting: spikes.len(),
                        capacity: port.most_spikes,
                        time_ms: self.time_ms(step),
                    });
                }
                arrived.push_spikes(spikes);
            }
        }
        Ok(())
    }

    #[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
    fn time_ms(&self, step: u64) -> f64 {
        step as f64 * self.context.dt_ms
    }
}

#[allow(clippy::needless_pass_by_value, reason = "what catch_unwind gives")]
fn panicked(panic: Box<dyn Any + Send>) -> String {
    format!("it panicked: {}", panic_message(panic.as_ref()))
}

/// Makes the actor, and the thread it runs on if it may block.
fn start(parts: &UserParts) -> Result<(Host, Box<Job>), String> {
    let make = || parts.actor_type.instantiate(&parts.context);
    let actor = catch_unwind(AssertUnwindSafe(make))
        .map_err(panicked)?
        .map_err(|e| e.to_string())?;
    let host = if parts.actor_type.may_block() {
        Host::thread(&parts.name).map_err(|e| format!("it gets no thread: {e}"))?
    } else {
        Host::Worker
    };
    let sizes = parts.ports.inputs.iter().map(|port| port.size);
    let job = Job {
        actor,
        slice: Slice { first: 1, len: 0 },
        dt_ms: parts.context.dt_ms,
        inputs: sizes.map(PortSlice::new).collect(),
        output: ActorOutput::new(&parts.ports, parts.lanes),
    };
    Ok((host, Box::new(job)))
}

impl<R: Real> Actor<R> for UserNode {
    fn advance(
        &mut self,
        slice: Slice,
        history: &History<R>,
        packets: &mut [Packet<R>],
    ) -> Result<(), RunError> {
        let mut job = self.call(slice, history)?;
        let outcome = self
            .check_layout(job.actor.as_mut(), slice)
            .and_then(|()| self.emit(slice, &job.output, &mut packets[0]));
        self.job = Some(job);
        outcome
    }

    fn state(&mut self, _visit: &mut dyn FnMut(NodeId, &str, &mut [R])) {}

    fn state_f64(&mut self, visit: &mut dyn FnMut(NodeId, &str, &mut [f64])) {
        let node = self.parts.node;
        if let Some(job) = &mut self.job {
            job.actor
                .state(&mut |name, values| visit(node, name, values));
            return;
        }
        // It is gone, but a checkpoint may still be loaded, which begins with a new one.
        for (name, len) in &self.layout {
            visit(node, name, &mut vec![0.0; *len]);
        }
    }

    fn reset(&mut self) {
        match start(&self.parts) {
            Ok((host, job)) => (self.host, self.job) = (host, Some(job)),
            Err(message) => (self.job, self.absent) = (None, message),
        }
        self.spikes = Spikes::default();
        self.n_spikes = 0;
    }

    fn take_records(&mut self) -> Vec<Records> {
        let record = self.parts.record_spikes;
        vec![Records {
            node: self.parts.node,
            spikes: record.then(|| std::mem::take(&mut self.spikes)),
            n_spikes: std::mem::take(&mut self.n_spikes),
            ..Records::default()
        }]
    }
}
