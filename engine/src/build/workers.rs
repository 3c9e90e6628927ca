//! Workers and the mailboxes between them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam::channel::bounded;

use super::BuildOptions;
use crate::instantiate::Instantiate;
use crate::packet::History;
use crate::plan::Plan;
use crate::schedule::Schedule;
use crate::worker::{MAILBOX_CAPACITY, Mailboxes, Placed, Worker};

pub(super) fn make_workers<R: Instantiate>(
    plan: &Plan,
    actors: Vec<Vec<Placed<R>>>,
    schedule: &Schedule,
    options: BuildOptions,
) -> Vec<Worker<R>> {
    let threads = options.threads;
    let abort = Arc::new(AtomicBool::new(false));
    let tape = options.tape_steps.unwrap_or(0);
    let reach: Vec<usize> = schedule
        .reach
        .iter()
        .map(|&steps| usize::try_from(steps).unwrap_or(usize::MAX).max(tape) + 1)
        .collect();
    let channels: Vec<Vec<_>> = (0..threads)
        .map(|_| (0..threads).map(|_| bounded(MAILBOX_CAPACITY)).collect())
        .collect();
    actors
        .into_iter()
        .enumerate()
        .map(|(index, placed)| {
            let mut phases: Vec<Vec<Placed<R>>> =
                schedule.phases.iter().map(|_| Vec::new()).collect();
            for p in placed {
                let phase = schedule
                    .phases
                    .iter()
                    .position(|nodes| nodes.contains(&p.node));
                phases[phase.unwrap_or(0)].push(p);
            }
            Worker {
                index,
                phases,
                history: History::new(&reach, threads, schedule.slice_len),
                mailboxes: Mailboxes {
                    to: (0..threads)
                        .map(|other| channels[index][other].0.clone())
                        .collect(),
                    from: (0..threads)
                        .map(|other| channels[other][index].1.clone())
                        .collect(),
                },
                abort: Arc::clone(&abort),
                dt_ms: plan.dt_ms,
                completed: 0,
            }
        })
        .collect()
}
