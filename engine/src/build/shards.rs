//! Cutting nodes into shards, and the input lanes of a shard.

use std::ops::Range;

use rheobase_equations::native::LANES;

use super::bundles::Groups;
use super::{emits_real, to_u32};
use crate::instantiate::Instantiate;
use crate::plan::{Node, NodeKind, Plan};
use crate::population::stride_of;

/// Input lanes of one port number that a shard should not exceed: targets then take 2 bytes.
const MOST_LANES: usize = 1 << 16;

/// The shards of every node. Results do not depend on how many there are.
pub(super) struct Shards {
    /// `[nodes][shards]`: contiguous lanes.
    ranges: Vec<Vec<Range<u32>>>,
    per_worker: usize,
    n: usize,
}

/// The most shards that a worker gets for the sake of short targets: every shard has tables of its own,
/// and what a source reaches in it gets less.
const MOST_SHARDS: usize = 4;

/// Shards of each of so many workers: as few as keep targets short, or one where that takes too many.
pub(crate) fn shards_per_worker(plan: &Plan, threads: usize) -> usize {
    let lanes: usize = plan
        .nodes
        .iter()
        .filter(|n| matches!(n.kind, NodeKind::Population(_)) && splits(n, plan.batch))
        // Whole blocks, one more for the cut, one more for the distance of arrays.
        .map(|n| n.size().div_ceil(threads) + 3 * LANES)
        .sum();
    match lanes.div_ceil(MOST_LANES).max(1) {
        n if n <= MOST_SHARDS => n,
        _ => 1,
    }
}

impl Shards {
    /// Shards for so many workers.
    pub(super) fn of(plan: &Plan, threads: usize) -> Self {
        let per_worker = shards_per_worker(plan, threads);
        let n = threads * per_worker;
        Self {
            ranges: plan
                .nodes
                .iter()
                .map(|node| ranges(node, plan.batch, n))
                .collect(),
            per_worker,
            n,
        }
    }

    /// Number of shards.
    pub(super) fn n(&self) -> usize {
        self.n
    }

    /// The worker a shard belongs to.
    pub(super) fn worker(&self, shard: usize) -> usize {
        shard / self.per_worker
    }

    /// Lanes of a node in a shard.
    pub(super) fn range(&self, node: usize, shard: usize) -> Range<u32> {
        self.ranges[node][shard].clone()
    }

    /// Hands every shard to `work`, those of each worker on a thread of its own; results by shard.
    pub(super) fn in_parallel<T: Send, E: Send>(
        &self,
        work: impl Fn(usize) -> Result<T, E> + Sync,
        panicked: impl Fn(String) -> E + Sync,
    ) -> Result<Vec<T>, E> {
        let (work, panicked) = (&work, &panicked);
        let of_workers: Vec<Result<Vec<T>, E>> = std::thread::scope(|scope| {
            let shards: Vec<usize> = (0..self.n).collect();
            let handles: Vec<_> = shards
                .chunks(self.per_worker)
                .map(|own| {
                    let own = own.to_vec();
                    scope.spawn(move || own.into_iter().map(work).collect())
                })
                .collect();
            handles
                .into_iter()
                .map(|h| {
                    h.join()
                        .unwrap_or_else(|p| Err(panicked(crate::worker::panic_message(p.as_ref()))))
                })
                .collect()
        });
        let mut all = Vec::with_capacity(self.n);
        for shards in of_workers {
            all.extend(shards?);
        }
        Ok(all)
    }
}

/// Workers that get anything to do: one per block of lanes of the largest node that can be split.
pub(super) fn useful_threads(plan: &Plan) -> usize {
    let blocks = |n: &Node| {
        if splits(n, plan.batch) {
            n.size().div_ceil(LANES)
        } else {
            1
        }
    };
    plan.nodes.iter().map(blocks).max().unwrap_or(1).max(1)
}

/// Nodes with a batch axis, nodes that emit real values, layers and inputs stay on one worker.
fn splits(node: &Node, batch: usize) -> bool {
    matches!(node.kind, NodeKind::Population(_) | NodeKind::Source(_))
        && batch == 1
        && !emits_real(node)
}

/// Contiguous lanes of each shard, whole blocks; all in the first shard where a node stays whole.
fn ranges(node: &Node, batch: usize, n_shards: usize) -> Vec<Range<u32>> {
    let lanes = node.size() * batch;
    let splits = splits(node, batch);
    let blocks = lanes.div_ceil(LANES);
    (0..n_shards)
        .map(|k| {
            if !splits {
                return if k == 0 {
                    0..to_u32(lanes)
                } else {
                    to_u32(lanes)..to_u32(lanes)
                };
            }
            let at = |k: usize| to_u32((k * blocks / n_shards * LANES).min(lanes));
            at(k)..at(k + 1)
        })
        .collect()
}

/// Where the populations of every shard have their input lanes.
pub(super) struct Layouts {
    pub(super) of_shard: Vec<Layout>,
}

/// Input lanes of one shard.
pub(super) struct Layout {
    /// First lane of each node within the planes of its group; unused for nodes without.
    pub(super) first_lane: Vec<usize>,
    /// Of each group: port numbers, and lanes of each.
    pub(super) lanes: Vec<(usize, usize)>,
}

impl Layouts {
    pub(super) fn of<R: Instantiate>(plan: &Plan, shards: &Shards, groups: &Groups) -> Self {
        let n_groups = groups.of_node.iter().max().map_or(0, |g| g + 1);
        let of_shard = (0..shards.n())
            .map(|shard| {
                let mut layout = Layout {
                    first_lane: vec![0; plan.nodes.len()],
                    lanes: vec![(1, 0); n_groups],
                };
                for (id, node) in plan.nodes.iter().enumerate() {
                    let NodeKind::Population(population) = &node.kind else {
                        continue;
                    };
                    if population.time.is_continuous() {
                        continue;
                    }
                    let (n_ports, plane) = &mut layout.lanes[groups.of_node[id]];
                    *n_ports = population.neuron.ports().inputs.len().max(*n_ports);
                    layout.first_lane[id] = *plane;
                    *plane += stride_of::<R>(shards.range(id, shard).len());
                }
                layout
            })
            .collect();
        Self { of_shard }
    }
}
