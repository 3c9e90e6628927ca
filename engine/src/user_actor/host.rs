//! Where a user's actor runs: on its worker, or on a thread of its own with a bounded mailbox each way.
//!
//! A thread cannot be killed. An actor that may wait for something outside therefore never runs on a
//! worker: it travels with each message to its thread and comes back with the answer. Where none comes
//! in time the worker goes on without it, and the thread is left to itself: it ends when the actor
//! returns, and nobody hears of that.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::thread;

use crossbeam::channel::{Receiver, Sender, bounded};

use crate::mailbox::{Missing, Patience};
use crate::port::actor::{ActorError, ActorInputs, ActorOutput, PortSlice, UserActor, WrongOutput};
use crate::time::Slice;

/// A slice of an actor's life: the actor, what arrives, and what it emits.
pub(super) struct Job {
    pub(super) actor: Box<dyn UserActor>,
    pub(super) slice: Slice,
    pub(super) dt_ms: f64,
    pub(super) inputs: Vec<PortSlice>,
    pub(super) output: ActorOutput,
}

/// Why a slice was not run to its end.
pub(super) enum Stopped {
    /// It stopped the run itself, in this step.
    Failed(u64, ActorError),
    /// What it emitted in this step cannot be used.
    Output(u64, WrongOutput),
    Panicked(Box<dyn Any + Send>),
    /// It did not answer.
    Silent,
    /// Another worker failed meanwhile.
    Aborted,
}

impl Job {
    fn run(&mut self) -> Result<(), Stopped> {
        // An actor that panics must not take its thread with it.
        catch_unwind(AssertUnwindSafe(|| self.steps()))
            .unwrap_or_else(|p| Err(Stopped::Panicked(p)))
    }

    fn steps(&mut self) -> Result<(), Stopped> {
        self.output.clear();
        for (offset, step) in self.slice.steps().enumerate() {
            let inputs = ActorInputs {
                step,
                dt_ms: self.dt_ms,
                offset,
                ports: &self.inputs,
            };
            self.output.begin_step();
            let outcome = self.actor.step(&inputs, &mut self.output);
            outcome.map_err(|e| Stopped::Failed(step, e))?;
            self.output
                .end_step()
                .map_err(|e| Stopped::Output(step, e))?;
        }
        Ok(())
    }
}

type Answer = (Box<Job>, Result<(), Stopped>);

/// Where an actor runs.
pub(super) enum Host {
    /// On its worker.
    Worker,
    /// On a thread of its own, which ends when the mailbox is dropped.
    Thread {
        to: Sender<Box<Job>>,
        from: Receiver<Answer>,
    },
}

impl Host {
    /// A thread for the actor `name`.
    pub(super) fn thread(name: &str) -> io::Result<Self> {
        let (to, jobs) = bounded::<Box<Job>>(1);
        let (answers, from) = bounded::<Answer>(1);
        // Not joined: an actor that never returns must not hold up anyone.
        thread::Builder::new()
            .name(format!("actor {name}"))
            .spawn(move || {
                for mut job in jobs {
                    let outcome = job.run();
                    if answers.send((job, outcome)).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self::Thread { to, from })
    }

    /// Runs a job. It comes back unless the actor does not answer.
    pub(super) fn run(
        &self,
        mut job: Box<Job>,
        patience: &Patience,
        abort: &AtomicBool,
    ) -> (Option<Box<Job>>, Result<(), Stopped>) {
        let Self::Thread { to, from } = self else {
            let outcome = job.run();
            return (Some(job), outcome);
        };
        if to.send(job).is_err() {
            return (None, Err(Stopped::Silent));
        }
        match patience.receive(from, abort, || {}) {
            Ok((job, outcome)) => (Some(job), outcome),
            Err(Missing::Aborted) => (None, Err(Stopped::Aborted)),
            Err(Missing::Late | Missing::Closed) => (None, Err(Stopped::Silent)),
        }
    }
}
