//! One thread's share of a network: some shards of every node, and mailboxes to the other workers.
//!
//! Workers run the same phases of the same slices. After a phase each sends what its shards emitted
//! to all others and waits for theirs: that exchange is the only synchronisation. Mailboxes are
//! bounded; the protocol never has more than two messages in one.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender};
use rheobase_equations::real::Real;

use crate::actor::{Actor, RunError};
use crate::packet::{History, Packet};
use crate::plan::NodeId;
use crate::time::Slice;

/// Messages a mailbox holds.
pub(crate) const MAILBOX_CAPACITY: usize = 4;

/// How long a worker waits at a stretch before it looks whether another has failed.
const WAIT: Duration = Duration::from_millis(50);

/// Waits after which a missing message counts as a deadlock: ten minutes. They are counted, not timed:
/// a process that was stopped and continued has waited once.
const DEADLOCK_WAITS: u64 = 12_000;

/// How often a worker looks into an empty mailbox before it parks: some tens of microseconds, as long
/// as phases of a large network differ between workers. Parking and waking costs about as much.
const LOOKS: u32 = 4000;

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
    pub(crate) dt_ms: f64,
    /// Last step of the last slice that was run to its end.
    pub(crate) completed: u64,
    /// There are more workers than processors: waiting in vain would take time from the others.
    pub(crate) crowded: bool,
}

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
            if self.mailboxes.to[other].send(Arc::clone(&emitted)).is_err() {
                return Err(RunError::Aborted);
            }
        }
        let mut messages = std::mem::take(&mut self.phases[phase].messages);
        for other in 0..n {
            let message = if other == self.index {
                Arc::clone(&emitted)
            } else {
                self.receive(other, slice)?
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

    fn receive(&self, other: usize, slice: Slice) -> Result<Message<R>, RunError> {
        let mailbox = &self.mailboxes.from[other];
        for _ in 0..if self.crowded { 0 } else { LOOKS } {
            if let Ok(message) = mailbox.try_recv() {
                return Ok(message);
            }
            std::hint::spin_loop();
        }
        let mut waits = 0;
        loop {
            match mailbox.recv_timeout(WAIT) {
                Ok(message) => return Ok(message),
                Err(RecvTimeoutError::Disconnected) => return Err(RunError::Aborted),
                Err(RecvTimeoutError::Timeout) if self.abort.load(Ordering::Acquire) => {
                    return Err(RunError::Aborted);
                }
                Err(RecvTimeoutError::Timeout) if waits >= DEADLOCK_WAITS => {
                    #[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
                    return Err(RunError::Deadlock {
                        worker: self.index,
                        missing: other,
                        waited_s: waits / 20,
                        time_ms: slice.first as f64 * self.dt_ms,
                    });
                }
                Err(RecvTimeoutError::Timeout) => waits += 1,
            }
        }
    }

    /// Back to step 0.
    pub(crate) fn restart(&mut self) {
        self.abort.store(false, Ordering::Release);
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
