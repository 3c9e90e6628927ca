//! One thread's share of a network: some shards of every node, and mailboxes to the other workers.
//!
//! Workers run the same phases of the same slices. After a phase each sends what its shards emitted
//! to all others and waits for theirs: that exchange is the only synchronisation. Mailboxes are
//! bounded; the protocol never has more than two messages in one.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crossbeam::channel::{Receiver, Sender, TrySendError};
use rheobase_equations::real::Real;

use crate::actor::{Actor, Backlog, RunError};
use crate::mailbox::{Missing, Patience};
use crate::packet::{History, Packet};
use crate::plan::NodeId;
use crate::time::Slice;

/// Messages a mailbox holds.
pub(crate) const MAILBOX_CAPACITY: usize = 4;

/// What the shards of a worker emitted in one phase: a packet for each of its [`Place`]s.
pub(crate) type Message<R> = Arc<Vec<Packet<R>>>;

/// An actor and where it belongs.
pub(crate) struct Placed<R> {
    /// The nodes it stands for.
    pub(crate) nodes: Vec<NodeId>,
    /// Their names.
    pub(crate) names: Vec<String>,
    pub(crate) actor: Box<dyn Actor<R>>,
}

/// Where a packet comes from: worker, and its place in the worker's message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) worker: usize,
    pub(crate) packet: usize,
}

/// Mailboxes of one worker, indexed by the other worker; its own entry is unused.
pub(crate) struct Mailboxes<R> {
    pub(crate) to: Vec<Sender<Message<R>>>,
    pub(crate) from: Vec<Receiver<Message<R>>>,
}

/// What a worker does in one phase.
pub(crate) struct Phase<R> {
    pub(crate) actors: Vec<Placed<R>>,
    /// Nodes of the phase and their packets, shards ascending; the same for every worker.
    pub(crate) nodes: Arc<Vec<(NodeId, Vec<Place>)>>,
    /// Messages of earlier slices, whose memory is used again.
    sent: [Option<Message<R>>; 2],
    /// Messages of this phase, by worker.
    messages: Vec<Message<R>>,
}

impl<R> Phase<R> {
    pub(crate) fn new(actors: Vec<Placed<R>>, nodes: Arc<Vec<(NodeId, Vec<Place>)>>) -> Self {
        Self {
            actors,
            nodes,
            sent: [None, None],
            messages: Vec::new(),
        }
    }

    /// Packets in a message of this worker.
    fn n_packets(&self) -> usize {
        self.actors.iter().map(|p| p.nodes.len()).sum()
    }
}

/// One thread's share of a network.
pub(crate) struct Worker<R> {
    pub(crate) index: usize,
    pub(crate) phases: Vec<Phase<R>>,
    pub(crate) history: History<R>,
    pub(crate) mailboxes: Mailboxes<R>,
    pub(crate) abort: Arc<AtomicBool>,
    /// For which worker each waits that has parked; [`NOBODY`] for the others.
    pub(crate) waiting: Arc<Vec<AtomicUsize>>,
    /// Names of all nodes, for messages.
    pub(crate) names: Arc<Vec<String>>,
    pub(crate) patience: Patience,
    pub(crate) dt_ms: f64,
    /// Last step of the last slice that was run to its end.
    pub(crate) completed: u64,
}

/// No worker waits for this one.
pub(crate) const NOBODY: usize = usize::MAX;

/// Tells the other workers to stop, unless it is emptied before it is dropped: by an error and by a panic
/// alike.
struct Unfinished(Option<Arc<AtomicBool>>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(abort) = &self.0 {
            abort.store(true, Ordering::Release);
        }
    }
}

impl<R: Real> Worker<R> {
    /// Runs steps `first ..= last` in slices of at most `slice_len`.
    pub(crate) fn run(&mut self, first: u64, last: u64, slice_len: usize) -> Result<(), RunError> {
        let mut unfinished = Unfinished(Some(Arc::clone(&self.abort)));
        let mut step = first;
        while step <= last {
            let left = usize::try_from(last - step + 1).unwrap_or(usize::MAX);
            let slice = Slice {
                first: step,
                len: slice_len.min(left),
            };
            self.run_slice(slice)?;
            step = slice.end();
            self.completed = step - 1;
        }
        unfinished.0 = None;
        Ok(())
    }

    fn run_slice(&mut self, slice: Slice) -> Result<(), RunError> {
        for phase in 0..self.phases.len() {
            let emitted = self.run_phase(phase, slice)?;
            self.exchange(phase, emitted, slice)?;
        }
        Ok(())
    }

    fn run_phase(&mut self, phase: usize, slice: Slice) -> Result<Message<R>, RunError> {
        let phase = &mut self.phases[phase];
        let mut message = phase.recycle();
        // No one else holds it yet.
        let packets = Arc::get_mut(&mut message).map_or(&mut [][..], Vec::as_mut_slice);
        let mut rest = packets;
        for placed in &mut phase.actors {
            let (own, others) = rest.split_at_mut(placed.nodes.len());
            rest = others;
            let (actor, history) = (&mut placed.actor, &self.history);
            catch_unwind(AssertUnwindSafe(|| actor.advance(slice, history, own))).unwrap_or_else(
                |panic| {
                    let running = placed.actor.running().and_then(|k| placed.names.get(k));
                    Err(RunError::Panicked {
                        actor: running.cloned().unwrap_or_else(|| placed.names.join(", ")),
                        message: panic_message(panic.as_ref()),
                    })
                },
            )?;
        }
        Ok(message)
    }

    /// Sends this worker's packets of a phase to the others, takes theirs, and remembers all.
    fn exchange(
        &mut self,
        phase: usize,
        emitted: Message<R>,
        slice: Slice,
    ) -> Result<(), RunError> {
        let n = self.mailboxes.to.len();
        for other in (0..n).filter(|&w| w != self.index) {
            match self.mailboxes.to[other].try_send(Arc::clone(&emitted)) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => return Err(self.overflow(phase, other, slice)),
                Err(TrySendError::Disconnected(_)) => return Err(RunError::Aborted),
            }
        }
        let mut messages = std::mem::take(&mut self.phases[phase].messages);
        for other in 0..n {
            let message = if other == self.index {
                Arc::clone(&emitted)
            } else {
                self.receive(phase, other, slice)?
            };
            messages.push(message);
        }
        let phase = &mut self.phases[phase];
        for (node, places) in phase.nodes.iter() {
            let packets = places.iter().map(|p| &messages[p.worker][p.packet]);
            self.history.append(*node, slice, packets);
        }
        messages.clear();
        phase.messages = messages;
        phase.sent.rotate_right(1);
        phase.sent[0] = Some(emitted);
        Ok(())
    }

    fn receive(&self, phase: usize, other: usize, slice: Slice) -> Result<Message<R>, RunError> {
        let waiting = &self.waiting[self.index];
        let parking = || waiting.store(other, Ordering::Relaxed);
        let outcome = self
            .patience
            .receive(&self.mailboxes.from[other], &self.abort, parking);
        match outcome {
            Ok(message) => {
                if waiting.load(Ordering::Relaxed) != NOBODY {
                    waiting.store(NOBODY, Ordering::Relaxed);
                }
                Ok(message)
            }
            Err(Missing::Closed | Missing::Aborted) => Err(RunError::Aborted),
            Err(Missing::Late) => Err(self.deadlock(phase, other, slice)),
        }
    }

    fn deadlock(&self, phase: usize, missing: usize, slice: Slice) -> RunError {
        let waits = self
            .waiting
            .iter()
            .enumerate()
            .filter_map(|(worker, other)| {
                let other = other.load(Ordering::Relaxed);
                (other != NOBODY).then_some((worker, other))
            });
        let (me, n) = (self.index, self.mailboxes.to.len());
        let others = (0..n).filter(|&other| other != me);
        let messages = others.flat_map(|other| {
            let (from, to) = (&self.mailboxes.from[other], &self.mailboxes.to[other]);
            [(other, me, from.len()), (me, other, to.len())]
        });
        RunError::Deadlock {
            worker: me,
            missing,
            actors: self.emitters(phase, missing),
            waited_s: self.patience.seconds(),
            time_ms: self.time_ms(slice),
            backlog: Backlog {
                waits: waits.collect(),
                messages: messages.filter(|(.., n)| *n > 0).collect(),
            },
        }
    }

    fn overflow(&self, phase: usize, other: usize, slice: Slice) -> RunError {
        RunError::Overflow {
            actor: self.emitters(phase, self.index),
            mailbox: format!("the mailbox from worker {} to worker {other}", self.index),
            waiting: MAILBOX_CAPACITY + 1,
            capacity: MAILBOX_CAPACITY,
            time_ms: self.time_ms(slice),
        }
    }

    /// Names of the nodes that a worker stands for in a phase.
    fn emitters(&self, phase: usize, worker: usize) -> String {
        let nodes = self.phases[phase].nodes.iter();
        let names: Vec<&str> = nodes
            .filter(|(_, places)| places.iter().any(|p| p.worker == worker))
            .filter_map(|(node, _)| self.names.get(*node).map(String::as_str))
            .collect();
        names.join(", ")
    }

    #[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
    fn time_ms(&self, slice: Slice) -> f64 {
        slice.first as f64 * self.dt_ms
    }

    /// Back to step 0.
    pub(crate) fn restart(&mut self) {
        self.abort.store(false, Ordering::Release);
        self.waiting[self.index].store(NOBODY, Ordering::Relaxed);
        for mailbox in &self.mailboxes.from {
            while mailbox.try_recv().is_ok() {}
        }
        self.history.clear(0);
        self.completed = 0;
        for placed in self.actors() {
            placed.actor.reset();
        }
    }

    /// All actors.
    pub(crate) fn actors(&mut self) -> impl Iterator<Item = &mut Placed<R>> {
        self.phases.iter_mut().flat_map(|p| &mut p.actors)
    }
}

impl<R: Real> Phase<R> {
    /// A message of empty packets: the memory of an earlier one that no other worker holds any more.
    fn recycle(&mut self) -> Message<R> {
        let n_packets = self.n_packets();
        let mut message = self.sent[1].take().unwrap_or_default();
        if Arc::get_mut(&mut message).is_none() {
            message = Message::default();
        }
        if let Some(packets) = Arc::get_mut(&mut message) {
            packets.resize_with(n_packets, Packet::default);
            packets.iter_mut().for_each(Packet::clear);
        }
        message
    }
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests;
