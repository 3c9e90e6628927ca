//! Rows of every shard, and the schedule that their delays allow.

use std::ops::Range;

use super::{BuildError, BuildReport, ShardRows, to_u32};
use crate::instantiate::Instantiate;
use crate::plan::{Edge, EdgeKind, Plan};
use crate::port::Sides;
use crate::rows::{Rows, RowsRequest};
use crate::schedule::{DelayedEdge, Schedule, ZeroDelayCycle, schedule};
use crate::worker::panic_message;

/// Draws the rows of every shard, each on a thread of its own.
pub(super) fn all_rows<R: Instantiate>(
    plan: &Plan,
    shards: &[Vec<Range<u32>>],
    threads: usize,
) -> Result<Vec<ShardRows<R>>, BuildError> {
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|shard| scope.spawn(move || shard_rows::<R>(plan, shards, shard)))
            .collect();
        handles
            .into_iter()
            .map(|h| {
                h.join()
                    .unwrap_or_else(|p| Err(BuildError::Panicked(panic_message(p.as_ref()))))
            })
            .collect()
    })
}

fn shard_rows<R: Instantiate>(
    plan: &Plan,
    shards: &[Vec<Range<u32>>],
    shard: usize,
) -> Result<ShardRows<R>, BuildError> {
    plan.edges
        .iter()
        .enumerate()
        .map(|(index, edge)| match &edge.kind {
            EdgeKind::Identity { .. } => Ok(None),
            EdgeKind::Synapses(synapses) => {
                let lanes = shards[edge.target][shard].clone();
                let range = if plan.batch == 1 {
                    lanes
                } else if lanes.is_empty() {
                    0..0
                } else {
                    0..to_u32(plan.nodes[edge.target].size())
                };
                let request = RowsRequest {
                    projection: &edge.name,
                    index: index as u64,
                    synapses,
                    sides: sides(plan, edge),
                    source: edge.source,
                    range,
                    seed: plan.seed,
                    dt_ms: plan.dt_ms,
                };
                Ok(Some(Rows::build(&request)?))
            }
        })
        .collect()
}

fn sides(plan: &Plan, edge: &Edge) -> Sides {
    Sides {
        n_source: to_u32(plan.nodes[edge.source].size()),
        n_target: to_u32(plan.nodes[edge.target].size()),
        same: edge.source == edge.target,
    }
}

pub(super) fn make_schedule<R: Instantiate>(
    plan: &Plan,
    rows: &[ShardRows<R>],
) -> Result<Schedule, BuildError> {
    let mut edges = Vec::new();
    for (index, edge) in plan.edges.iter().enumerate() {
        let (source, target) = (edge.source, edge.target);
        match &edge.kind {
            EdgeKind::Identity { delay_steps } => edges.push(DelayedEdge {
                source,
                target,
                min_delay: *delay_steps,
                max_delay: *delay_steps,
            }),
            EdgeKind::Synapses(_) => {
                for (drawn, _) in rows.iter().filter_map(|shard| shard[index].as_ref()) {
                    if let (Some(min_delay), max_delay) = (drawn.min_delay(), drawn.max_delay()) {
                        edges.push(DelayedEdge {
                            source,
                            target,
                            min_delay,
                            max_delay,
                        });
                    }
                }
            }
        }
    }
    schedule(plan.nodes.len(), &edges).map_err(
        |ZeroDelayCycle {
             source_node,
             target,
         }| {
            BuildError::ZeroDelayCycle {
                source_node: plan.nodes[source_node].name.clone(),
                target: plan.nodes[target].name.clone(),
            }
        },
    )
}

pub(super) fn report_rows<R: Instantiate>(plan: &Plan, rows: &[ShardRows<R>]) -> BuildReport {
    let mut report = BuildReport {
        synapses: vec![0; plan.edges.len()],
        ..Default::default()
    };
    for shard in rows {
        for (index, entry) in shard.iter().enumerate() {
            let Some((rows, counts)) = entry else {
                continue;
            };
            report.synapses[index] += counts.synapses;
            report.rounded_delays += counts.rounded_delays;
            report.raised_delays += counts.raised_delays;
            report.synapse_bytes += rows.bytes();
        }
    }
    report
}
