//! One thread's share of a network: a shard of every node, and mailboxes to the other workers.
//!
//! Workers run the same phases of the same slices. After a phase each sends what its shards emitted
//! to all others and waits for theirs: that exchange is the only synchronisation. Mailboxes are
//! bounded; the protocol never has more than two messages in one.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender};
use rheobase_equations::real::Real;

use crate::actor::{Actor, RunError};
use crate::packet::{History, Packet};
use crate::plan::NodeId;
use crate::time::Slice;

/// Messages a mailbox holds.
pub(crate) const MAILBOX_CAPACITY: usize = 4;

/// Seconds after which a missing message counts as a deadlock.
const DEADLOCK_S: u64 = 60;

/// What a worker sends after a phase: the packets of its shards.
pub(crate) type Message<R> = Vec<(NodeId, Arc<Packet<R>>)>;

/// An actor and where it belongs.
pub(crate) struct Placed<R> {
    pub(crate) node: NodeId,
    pub(crate) name: String,
    pub(crate) actor: Box<dyn Actor<R>>,
}

/// Mailboxes of one worker, indexed by the other worker; its own entry is unused.
pub(crate) struct Mailboxes<R> {
    pub(crate) to: Vec<Sender<Message<R>>>,
    pub(crate) from: Vec<Receiver<Message<R>>>,
}

/// One thread's share of a network.
pub(crate) struct Worker<R> {
    pub(crate) index: usize,
    /// Actors of each phase.
    pub(crate) phases: Vec<Vec<Placed<R>>>,
    pub(crate) history: History<R>,
    pub(crate) mailboxes: Mailboxes<R>,
    pub(crate) abort: Arc<AtomicBool>,
    pub(crate) dt_ms: f64,
    /// Last step of the last slice that was run to its end.
    pub(crate) completed: u64,
}

impl<R: Real> Worker<R> {
    /// Runs steps `first ..= last` in slices of at most `slice_len`.
    pub(crate) fn run(&mut self, first: u64, last: u64, slice_len: usize) -> Result<(), RunError> {
        let mut step = first;
        while step <= last {
            let left = usize::try_from(last - step + 1).unwrap_or(usize::MAX);
            let slice = Slice {
                first: step,
                len: slice_len.min(left),
            };
            if let Err(error) = self.run_slice(slice) {
                self.abort.store(true, Ordering::Release);
                return Err(error);
            }
            step = slice.end();
            self.completed = step - 1;
        }
        Ok(())
    }

    fn run_slice(&mut self, slice: Slice) -> Result<(), RunError> {
        self.history.begin(slice);
        for phase in 0..self.phases.len() {
            let emitted = self.run_phase(phase, slice)?;
            self.exchange(emitted, slice)?;
        }
        Ok(())
    }

    fn run_phase(&mut self, phase: usize, slice: Slice) -> Result<Message<R>, RunError> {
        let several = self.mailboxes.to.len() > 1;
        let mut emitted = Message::new();
        for placed in &mut self.phases[phase] {
            let mut packet = self.history.recycle(placed.node, self.index);
            let (actor, history) = (&mut placed.actor, &self.history);
            catch_unwind(AssertUnwindSafe(|| {
                actor.advance(slice, history, &mut packet)
            }))
            .unwrap_or_else(|panic| {
                Err(RunError::Panicked {
                    actor: placed.name.clone(),
                    message: panic_message(panic.as_ref()),
                })
            })?;
            let packet = Arc::new(packet);
            if several {
                emitted.push((placed.node, Arc::clone(&packet)));
            }
            self.history.put(placed.node, self.index, packet);
        }
        Ok(emitted)
    }

    /// Sends this worker's packets of a phase to the others and takes theirs.
    fn exchange(&mut self, emitted: Message<R>, slice: Slice) -> Result<(), RunError> {
        let n = self.mailboxes.to.len();
        for other in (0..n).filter(|&w| w != self.index) {
            if self.mailboxes.to[other].send(emitted.clone()).is_err() {
                return Err(RunError::Aborted);
            }
        }
        for other in (0..n).filter(|&w| w != self.index) {
            for (node, packet) in self.receive(other, slice)? {
                self.history.put(node, other, packet);
            }
        }
        Ok(())
    }

    fn receive(&self, other: usize, slice: Slice) -> Result<Message<R>, RunError> {
        let begun = Instant::now();
        loop {
            match self.mailboxes.from[other].recv_timeout(Duration::from_millis(50)) {
                Ok(message) => return Ok(message),
                Err(RecvTimeoutError::Disconnected) => return Err(RunError::Aborted),
                Err(RecvTimeoutError::Timeout) if self.abort.load(Ordering::Acquire) => {
                    return Err(RunError::Aborted);
                }
                Err(RecvTimeoutError::Timeout) if begun.elapsed().as_secs() >= DEADLOCK_S => {
                    #[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
                    return Err(RunError::Deadlock {
                        worker: self.index,
                        missing: other,
                        waited_s: DEADLOCK_S,
                        time_ms: slice.first as f64 * self.dt_ms,
                    });
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Back to step 0.
    pub(crate) fn restart(&mut self) {
        self.abort.store(false, Ordering::Release);
        for mailbox in &self.mailboxes.from {
            while mailbox.try_recv().is_ok() {}
        }
        self.history.clear();
        self.completed = 0;
        for placed in self.actors() {
            placed.actor.reset();
        }
    }

    /// All actors.
    pub(crate) fn actors(&mut self) -> impl Iterator<Item = &mut Placed<R>> {
        self.phases.iter_mut().flatten()
    }
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
