//! Rows of every bundle and shard, and the schedule that their delays allow.

use super::bundles::{Bundle, Groups, bundles};
use super::device::{self, DeviceCircuit};
use super::shards::{Layout, Layouts, Shards};
use super::{BuildError, BuildReport, to_u32};
use crate::group;
use crate::instantiate::Instantiate;
use crate::plan::{Edge, EdgeKind, Plan};
use crate::port::Sides;
use crate::rows::{self, Counted, Part, Rows, RowsRequest};
use crate::schedule::{DelayedEdge, MAX_SLICE, Schedule, ZeroDelayCycle, schedule};

/// `[shards][bundles]`.
pub(super) type AllCounted = Vec<Vec<Counted>>;

/// `[shards]`: bundles with the group of their targets.
pub(super) type AllRows<R> = Vec<Vec<(usize, group::Bundle<R>)>>;

/// First pass over all synapses: delays and numbers, the shards of each worker on its own thread.
pub(super) fn count_all(
    plan: &Plan,
    shards: &Shards,
    bundles: &[Bundle],
) -> Result<AllCounted, BuildError> {
    let count_shard = |shard| {
        bundles
            .iter()
            .map(|bundle| Ok(rows::count(&request(plan, shards, bundle, shard, None))?))
            .collect()
    };
    shards.in_parallel(count_shard, BuildError::Panicked)
}

/// Second pass: every synapse to its place.
pub(super) fn store_all<R: Instantiate>(
    plan: &Plan,
    shards: &Shards,
    bundles: &[Bundle],
    layouts: &Layouts,
    counted: AllCounted,
) -> Result<AllRows<R>, BuildError> {
    // The unit of quantised weights is that of the whole bundle, so that it does not depend on shards.
    let largest: Vec<f64> = (0..bundles.len())
        .map(|b| {
            let weights = counted.iter().map(|shard| shard[b].largest_weight);
            weights.fold(0.0, f64::max)
        })
        .collect();
    let counted: Vec<_> = counted.into_iter().map(std::sync::Mutex::new).collect();
    let store_shard = |shard: usize| {
        let mine = std::mem::take(
            &mut *counted[shard]
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        );
        let layout = &layouts.of_shard[shard];
        bundles
            .iter()
            .zip(mine)
            .zip(&largest)
            .map(|((bundle, counted), &largest)| {
                let lanes = Lanes::of(plan, shards, layout, bundle, shard);
                let request = request(plan, shards, bundle, shard, Some(&lanes));
                let plane = layout.lanes[bundle.group].1;
                let rows = rows::store(&request, counted, largest)?;
                let first_lane = bundle.port * plane + lanes.first;
                Ok((bundle.group, group::Bundle::new(rows, first_lane)))
            })
            .collect()
    };
    shards.in_parallel(store_shard, BuildError::Panicked)
}

/// The lanes of a bundle within the plane of its port.
struct Lanes {
    first: usize,
    n: usize,
    /// First lane of each part, relative to `first`.
    of_parts: Vec<usize>,
}

impl Lanes {
    fn of(plan: &Plan, shards: &Shards, layout: &Layout, bundle: &Bundle, shard: usize) -> Self {
        let parts: Vec<(usize, usize)> = bundle
            .edges
            .iter()
            .map(|&e| {
                let target = plan.edges[e].target;
                let n = targets(plan, shards, &plan.edges[e], shard).len();
                (layout.first_lane[target], n)
            })
            .collect();
        let used = || parts.iter().filter(|(_, n)| *n > 0);
        let first = used().map(|&(at, _)| at).min().unwrap_or(0);
        let end = used().map(|&(at, n)| at + n).max().unwrap_or(first);
        Self {
            first,
            n: end - first,
            of_parts: parts
                .iter()
                .map(|&(at, _)| at.saturating_sub(first))
                .collect(),
        }
    }
}

/// Targets of an edge in a shard, of one copy of the batch.
pub(super) fn targets(
    plan: &Plan,
    shards: &Shards,
    edge: &Edge,
    shard: usize,
) -> std::ops::Range<u32> {
    let lanes = shards.range(edge.target, shard);
    if plan.batch == 1 {
        lanes
    } else if lanes.is_empty() {
        0..0
    } else {
        0..to_u32(plan.nodes[edge.target].size())
    }
}

/// What a bundle's rows in a shard are drawn from. Without lanes its parts are only counted.
fn request<'p>(
    plan: &'p Plan,
    shards: &Shards,
    bundle: &Bundle,
    shard: usize,
    lanes: Option<&Lanes>,
) -> RowsRequest<'p> {
    let mut parts = Vec::new();
    for (k, &index) in bundle.edges.iter().enumerate() {
        let edge = &plan.edges[index];
        let EdgeKind::Synapses(synapses) = &edge.kind else {
            continue;
        };
        parts.push(Part {
            projection: &edge.name,
            index: index as u64,
            synapses,
            sides: sides(plan, edge),
            range: targets(plan, shards, edge, shard),
            first_lane: lanes.map_or(0, |l| to_u32(l.of_parts[k])),
            seed: plan.seed,
            dt_ms: plan.dt_ms,
        });
    }
    let counted: usize = parts.iter().map(|p| p.range.len()).sum();
    RowsRequest {
        source: bundle.source,
        n_source: to_u32(plan.nodes[bundle.source].size()),
        n_target: to_u32(lanes.map_or(counted, |l| l.n)),
        parts,
        storage: plan.weight_storage,
    }
}

/// The rows of every projection of a plan onto whole populations, by edge: each projection alone, with
/// the unit of quantised weights that its bundle has. `None` for other edges.
pub(crate) fn whole_projections<R: Instantiate>(
    plan: &Plan,
) -> Result<Vec<Option<Rows<R>>>, BuildError> {
    let mut all: Vec<Option<Rows<R>>> = Vec::new();
    all.resize_with(plan.edges.len(), || None);
    for bundle in bundles(plan, &Groups::of(plan), &[]) {
        let mut counted = Vec::with_capacity(bundle.edges.len());
        for &index in &bundle.edges {
            let request = whole_request(plan, index);
            let one = request.map(|request| rows::count(&request).map(|c| (request, c)));
            counted.extend(one.transpose()?.map(|one| (index, one)));
        }
        let weights = counted.iter().map(|(_, (_, c))| c.largest_weight);
        let largest = weights.fold(0.0, f64::max);
        for (index, (request, counted)) in counted {
            all[index] = Some(rows::store(&request, counted, largest)?);
        }
    }
    Ok(all)
}

fn whole_request(plan: &Plan, index: usize) -> Option<RowsRequest<'_>> {
    let part = whole_part(plan, index)?;
    Some(RowsRequest {
        source: plan.edges[index].source,
        n_source: part.sides.n_source,
        n_target: part.sides.n_target,
        parts: vec![part],
        storage: plan.weight_storage,
    })
}

/// A projection onto its whole population; `None` for other edges.
pub(crate) fn whole_part(plan: &Plan, index: usize) -> Option<Part<'_>> {
    let edge = &plan.edges[index];
    let EdgeKind::Synapses(synapses) = &edge.kind else {
        return None;
    };
    let sides = sides(plan, edge);
    Some(Part {
        projection: &edge.name,
        index: index as u64,
        synapses,
        sides,
        range: 0..sides.n_target,
        first_lane: 0,
        seed: plan.seed,
        dt_ms: plan.dt_ms,
    })
}

pub(crate) fn sides(plan: &Plan, edge: &Edge) -> Sides {
    Sides {
        n_source: to_u32(plan.nodes[edge.source].size()),
        n_target: to_u32(plan.nodes[edge.target].size()),
        same: edge.source == edge.target,
    }
}

/// Every edge between nodes of the processor, and those of element to element, as the schedule sees them.
pub(super) fn delayed_edges(
    plan: &Plan,
    bundles: &[Bundle],
    counted: &AllCounted,
    continuous: Vec<DelayedEdge>,
) -> Vec<DelayedEdge> {
    let mut edges = continuous;
    for edge in &plan.edges {
        if let EdgeKind::Identity { delay_steps } = &edge.kind {
            edges.push(DelayedEdge {
                source: edge.source,
                target: edge.target,
                min_delay: *delay_steps,
                max_delay: *delay_steps,
            });
        }
    }
    for (b, bundle) in bundles.iter().enumerate() {
        let delays = || counted.iter().flat_map(|shard| shard[b].delays());
        // Projections that drew no synapse still hold populations together that are built as one
        // group; a delay as long as the longest slice asks for nothing else.
        let min_delay = delays().min().copied().unwrap_or(MAX_SLICE);
        let max_delay = delays().max().copied().unwrap_or(0);
        for &e in &bundle.edges {
            edges.push(DelayedEdge {
                source: bundle.source,
                target: plan.edges[e].target,
                min_delay,
                max_delay,
            });
        }
    }
    edges
}

/// The schedule, in which every circuit on a device is one node.
pub(super) fn make_schedule<R>(
    plan: &Plan,
    mut edges: Vec<DelayedEdge>,
    circuits: &[DeviceCircuit<R>],
) -> Result<Schedule, BuildError> {
    edges.extend(circuits.iter().flat_map(|c| &c.edges));
    let contracted = device::contract(edges.clone(), circuits);
    let mut schedule = schedule(plan.nodes.len(), &contracted).map_err(
        |ZeroDelayCycle {
             source_node,
             target,
         }| {
            BuildError::ZeroDelayCycle {
                source_node: plan.nodes[source_node].name.clone(),
                target: plan.nodes[target].name.clone(),
            }
        },
    )?;
    device::expand(&mut schedule, &edges, circuits);
    Ok(schedule)
}

/// Numbers of synapses and delays.
pub(super) fn report(plan: &Plan, bundles: &[Bundle], counted: &AllCounted) -> BuildReport {
    let mut report = BuildReport {
        synapses: vec![0; plan.edges.len()],
        weight_error_bounds: vec![0.0; plan.edges.len()],
        ..BuildReport::default()
    };
    for shard in counted {
        for (bundle, counted) in bundles.iter().zip(shard) {
            for (&edge, counts) in bundle.edges.iter().zip(&counted.counts) {
                report.synapses[edge] += counts.synapses;
                report.rounded_delays += counts.rounded_delays;
                report.raised_delays += counts.raised_delays;
            }
        }
    }
    report
}

/// Bytes and precision of what was stored.
pub(super) fn report_storage<R: Instantiate>(
    bundles: &[Bundle],
    rows: &AllRows<R>,
    report: &mut BuildReport,
) {
    for shard in rows {
        for (bundle, (_, stored)) in bundles.iter().zip(shard) {
            report.synapse_bytes += stored.rows().bytes();
            for &edge in &bundle.edges {
                let bound = stored.rows().weight_error_bound();
                report.weight_error_bounds[edge] = bound.max(report.weight_error_bounds[edge]);
            }
        }
    }
}
