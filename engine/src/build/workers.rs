//! Workers and the mailboxes between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use crossbeam::channel::bounded;

use super::BuildOptions;
use crate::instantiate::Instantiate;
use crate::mailbox::Patience;
use crate::packet::History;
use crate::plan::{NodeId, NodeKind, Plan};
use crate::schedule::Schedule;
use crate::worker::{MAILBOX_CAPACITY, Mailboxes, NOBODY, Phase, Place, Placed, Worker};

/// `actors` holds those of each worker, shards ascending.
pub(super) fn make_workers<R: Instantiate>(
    plan: &Plan,
    actors: Vec<Vec<Placed<R>>>,
    schedule: &Schedule,
    options: BuildOptions,
    abort: &Arc<AtomicBool>,
) -> Vec<Worker<R>> {
    let threads = options.threads;
    let reach: Vec<usize> = schedule
        .reach
        .iter()
        .map(|&steps| usize::try_from(steps).unwrap_or(usize::MAX - 1) + 1)
        .collect();
    let channels: Vec<Vec<_>> = (0..threads)
        .map(|_| (0..threads).map(|_| bounded(MAILBOX_CAPACITY)).collect())
        .collect();
    let mut by_phase = sort_by_phase(actors, schedule);
    let nodes = packets_of_nodes(&by_phase, schedule);
    let waiting: Arc<Vec<AtomicUsize>> =
        Arc::new((0..threads).map(|_| AtomicUsize::new(NOBODY)).collect());
    let names = Arc::new(plan.nodes.iter().map(|n| n.name.clone()).collect());
    let patience = patience(plan, options);
    (0..threads)
        .map(|index| Worker {
            index,
            phases: by_phase
                .iter_mut()
                .zip(&nodes)
                .map(|(workers, nodes)| {
                    Phase::new(std::mem::take(&mut workers[index]), Arc::clone(nodes))
                })
                .collect(),
            history: History::new(&reach, schedule.slice_len),
            mailboxes: Mailboxes {
                to: (0..threads)
                    .map(|other| channels[index][other].0.clone())
                    .collect(),
                from: (0..threads)
                    .map(|other| channels[other][index].1.clone())
                    .collect(),
            },
            abort: Arc::clone(abort),
            waiting: Arc::clone(&waiting),
            names: Arc::clone(&names),
            patience,
            dt_ms: plan.dt_ms,
            completed: 0,
        })
        .collect()
}

/// A worker waits longer for another than that one may wait for all its actors, so that the cause of
/// a deadlock is told rather than its consequence.
fn patience(plan: &Plan, options: BuildOptions) -> Patience {
    let nodes = plan.nodes.iter();
    let actors = nodes
        .filter(|n| matches!(n.kind, NodeKind::Actor(_)))
        .count();
    let times = u32::try_from(actors).unwrap_or(u32::MAX).saturating_add(2);
    let limit = options.answer_within.saturating_mul(times);
    Patience::new(limit, is_crowded(options.threads))
}

/// There are more threads than processors: waiting in vain would take time from the others.
pub(super) fn is_crowded(threads: usize) -> bool {
    threads > std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// `[phases][workers][actors]`.
fn sort_by_phase<R>(actors: Vec<Vec<Placed<R>>>, schedule: &Schedule) -> Vec<Vec<Vec<Placed<R>>>> {
    let threads = actors.len();
    let mut by_phase: Vec<Vec<Vec<Placed<R>>>> = schedule
        .phases
        .iter()
        .map(|_| (0..threads).map(|_| Vec::new()).collect())
        .collect();
    for (worker, placed) in actors.into_iter().enumerate() {
        for p in placed {
            let phase = schedule
                .phases
                .iter()
                .position(|nodes| nodes.contains(&p.nodes[0]));
            debug_assert!(
                phase.is_some_and(|k| p.nodes.iter().all(|n| schedule.phases[k].contains(n))),
                "an actor runs in one phase"
            );
            by_phase[phase.unwrap_or(0)][worker].push(p);
        }
    }
    by_phase
}

type NodePackets = Arc<Vec<(NodeId, Vec<Place>)>>;

/// For every phase, where the packets of its nodes are found.
fn packets_of_nodes<R>(by_phase: &[Vec<Vec<Placed<R>>>], schedule: &Schedule) -> Vec<NodePackets> {
    by_phase
        .iter()
        .zip(&schedule.phases)
        .map(|(workers, nodes)| {
            let mut packets: Vec<(NodeId, Vec<Place>)> =
                nodes.iter().map(|&n| (n, Vec::new())).collect();
            for (worker, actors) in workers.iter().enumerate() {
                let emitting = actors.iter().flat_map(|p| &p.nodes);
                for (packet, node) in emitting.enumerate() {
                    if let Some((_, places)) = packets.iter_mut().find(|(n, _)| n == node) {
                        places.push(Place { worker, packet });
                    }
                }
            }
            Arc::new(packets)
        })
        .collect()
}
