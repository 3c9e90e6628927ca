//! Where everything of a circuit lies on the device, before anything is allocated.

use std::ops::Range;

use rayon::prelude::*;
use rheobase_shaders::{Afferent, AfferentKind, Circuit, MAX_CHUNK, MAX_LANES, WORD_LANES};

use super::super::error::GpuError;
use super::tables::Tables;
use crate::build::{BuildError, whole_part};
use crate::plan::{EdgeKind, NodeId, Plan};
use crate::rows::{RowsError, Survey};
use crate::schedule::{DelayedEdge, MAX_SLICE, schedule};

/// Spikes of one source in one step that a sum of weights allows for, where the source is outside the
/// device: a Poisson source may fire more than once.
pub(super) const MOST_SPIKES: u32 = 16;

/// Largest sum of weights, in units.
const LARGEST_SUM: f64 = 1_073_741_824.0;

/// A population of the circuit.
pub(super) struct PopulationLayout {
    pub(super) node: NodeId,
    pub(super) n: u32,
    /// First of its lanes as a source.
    pub(super) first_lane: u32,
    /// What acts on its ports, in the order of the sums.
    pub(super) afferents: Vec<Afferent>,
}

/// A node of the processor that the circuit hears.
pub(super) struct OuterSource {
    pub(super) node: NodeId,
    pub(super) n: u32,
    pub(super) first_lane: u32,
}

/// An edge that leads to the circuit.
pub(super) struct Afferents {
    /// Place in the plan.
    pub(super) edge: usize,
    /// Arrivals of target 0.
    pub(super) first: u32,
    /// Unit of the sums; `None` where synapses are counted.
    pub(super) unit: Option<f64>,
    /// `None` for edges of element to element.
    pub(super) survey: Option<Survey>,
}

/// Where everything lies.
pub(super) struct Layout {
    /// In the order of their lanes: those of each phase together.
    pub(super) populations: Vec<PopulationLayout>,
    pub(super) sources: Vec<OuterSource>,
    pub(super) edges: Vec<Afferents>,
    pub(super) circuit: Circuit,
    /// Steps that kernels fuse: the shortest delay within the circuit.
    pub(super) chunk: usize,
    /// Populations that run one after the other within a chunk.
    pub(super) phases: Vec<Range<usize>>,
    /// Edges as the schedule sees them.
    pub(super) delays: Vec<DelayedEdge>,
}

impl Layout {
    /// Lays out the populations `nodes` of a plan. Synapses are drawn once, and not kept.
    pub(super) fn of(plan: &Plan, nodes: &[NodeId], tables: &mut Tables) -> Result<Self, Failure> {
        let mut edges = survey(plan, nodes)?;
        let delays: Vec<DelayedEdge> = edges.iter().filter_map(|e| delayed(plan, e)).collect();
        let internal = |e: &&DelayedEdge| nodes.contains(&e.source);
        let inside: Vec<DelayedEdge> = delays.iter().filter(internal).copied().collect();
        let order = schedule(plan.nodes.len(), &inside).map_err(|e| {
            Failure::Build(BuildError::ZeroDelayCycle {
                source_node: plan.nodes[e.source_node].name.clone(),
                target: plan.nodes[e.target].name.clone(),
            })
        })?;
        let (mut populations, mut phases, mut lane) = (Vec::new(), Vec::new(), 0_u64);
        let mut arrivals = 0_u64;
        for phase in &order.phases {
            let first = populations.len();
            for &node in phase.iter().filter(|n| nodes.contains(n)) {
                let n = plan.nodes[node].size() as u64;
                let afferents = afferents(plan, node, &mut edges, &mut arrivals, tables)
                    .map_err(Failure::Gpu)?;
                populations.push(PopulationLayout {
                    node,
                    n: within_lanes(n)?,
                    first_lane: within_lanes(lane)?,
                    afferents,
                });
                lane += n.next_multiple_of(u64::from(WORD_LANES));
            }
            if populations.len() > first {
                phases.push(first..populations.len());
            }
        }
        let words = within_lanes(lane)? / WORD_LANES;
        let sources = outer_sources(plan, nodes, &edges, lane)?;
        let longest = delays.iter().map(|e| e.max_delay).max().unwrap_or(0);
        // Chains of populations without delay need not be cut short.
        let chunk = order.slice_len.min(MAX_CHUNK);
        Ok(Self {
            populations,
            sources,
            edges,
            circuit: Circuit {
                arrivals: within(arrivals, "arrivals of all projections")?,
                ring: within(longest + chunk as u64, "steps of the longest delay")?,
                words,
            },
            chunk,
            phases,
            delays,
        })
    }

    /// Bits that the number of an arrival takes.
    pub(super) fn target_bits(&self) -> u32 {
        32 - self.circuit.arrivals.saturating_sub(1).leading_zeros()
    }

    /// Words of the spike bits of a phase.
    pub(super) fn words(&self, phase: &Range<usize>) -> (u32, u32) {
        let first = self.populations[phase.start].first_lane / WORD_LANES;
        let last = &self.populations[phase.end - 1];
        (first, (last.first_lane + last.n).div_ceil(WORD_LANES))
    }

    /// Lanes of the populations, gaps included.
    pub(super) fn lanes(&self) -> u32 {
        self.circuit.words * WORD_LANES
    }

    /// First lane of a node as a source.
    pub(super) fn first_lane(&self, node: NodeId) -> Option<u32> {
        let own = self.populations.iter().find(|p| p.node == node);
        let outer = self.sources.iter().find(|s| s.node == node);
        own.map(|p| p.first_lane)
            .or_else(|| outer.map(|s| s.first_lane))
    }
}

/// Why a circuit cannot be made.
pub(super) enum Failure {
    Build(BuildError),
    Gpu(GpuError),
}

impl From<RowsError> for Failure {
    fn from(e: RowsError) -> Self {
        Self::Build(e.into())
    }
}

impl From<GpuError> for Failure {
    fn from(e: GpuError) -> Self {
        Self::Gpu(e)
    }
}

impl From<Failure> for BuildError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Build(e) => e,
            Failure::Gpu(e) => Self::Device(e.to_string()),
        }
    }
}

fn within(n: u64, what: &'static str) -> Result<u32, GpuError> {
    u32::try_from(n).map_err(|_| GpuError::Limit {
        what,
        needed: n,
        limit: u64::from(u32::MAX),
    })
}

pub(super) fn within_lanes(n: u64) -> Result<u32, GpuError> {
    match u32::try_from(n) {
        Ok(n) if n <= MAX_LANES => Ok(n),
        _ => Err(GpuError::Limit {
            what: "neurons of a circuit and its sources",
            needed: n,
            limit: u64::from(MAX_LANES),
        }),
    }
}

/// Every edge that leads to the circuit, projections counted.
pub(super) fn survey(plan: &Plan, nodes: &[NodeId]) -> Result<Vec<Afferents>, RowsError> {
    let leading = (0..plan.edges.len()).filter(|&e| nodes.contains(&plan.edges[e].target));
    let leading: Vec<usize> = leading.collect();
    leading
        .into_par_iter()
        .map(|edge| {
            let part = whole_part(plan, edge);
            Ok(Afferents {
                edge,
                first: 0,
                unit: None,
                survey: part.map(|part| Survey::of(&part)).transpose()?,
            })
        })
        .collect()
}

/// An edge as the schedule sees it; projections without synapses only hold their populations together.
pub(super) fn delayed(plan: &Plan, afferents: &Afferents) -> Option<DelayedEdge> {
    let edge = &plan.edges[afferents.edge];
    let (min_delay, max_delay) = match (&edge.kind, &afferents.survey) {
        (EdgeKind::Identity { delay_steps }, _) => (*delay_steps, *delay_steps),
        (EdgeKind::Synapses(_), Some(survey)) => match survey.delays {
            Some((least, most)) => (u64::from(least), u64::from(most)),
            None => (MAX_SLICE, 0),
        },
        (EdgeKind::Synapses(_), None) => return None,
    };
    Some(DelayedEdge {
        source: edge.source,
        target: edge.target,
        min_delay,
        max_delay,
    })
}

/// Nodes of the processor that have an edge to the circuit, with lanes behind those of the circuit.
fn outer_sources(
    plan: &Plan,
    nodes: &[NodeId],
    edges: &[Afferents],
    mut lane: u64,
) -> Result<Vec<OuterSource>, GpuError> {
    let mut sources: Vec<OuterSource> = Vec::new();
    for afferents in edges {
        let node = plan.edges[afferents.edge].source;
        if nodes.contains(&node) || sources.iter().any(|s| s.node == node) {
            continue;
        }
        let n = plan.nodes[node].size() as u64;
        sources.push(OuterSource {
            node,
            n: within_lanes(n)?,
            first_lane: within_lanes(lane)?,
        });
        lane += n;
    }
    within_lanes(lane)?;
    Ok(sources)
}

/// What acts on the ports of a population, in the order of the processor's sums: projections, edges of
/// element to element, stimuli. Gives each edge its arrivals.
fn afferents(
    plan: &Plan,
    node: NodeId,
    edges: &mut [Afferents],
    arrivals: &mut u64,
    tables: &mut Tables,
) -> Result<Vec<Afferent>, GpuError> {
    let n = plan.nodes[node].size() as u64;
    let mut all: Vec<Afferent> = Vec::new();
    for identities in [false, true] {
        let units = if identities {
            Vec::new()
        } else {
            units(plan, node, edges)
        };
        for afferents in edges.iter_mut() {
            let edge = &plan.edges[afferents.edge];
            if edge.target != node || edge.is_identity() != identities {
                continue;
            }
            let port = edge.port;
            let weight = match &edge.kind {
                EdgeKind::Identity { .. } => Some(1.0),
                EdgeKind::Synapses(synapses) => synapses.constant_weight(),
            };
            let of_port = || all.iter().rev().filter(|a| a.port == port);
            #[allow(
                clippy::cast_possible_truncation,
                reason = "weights of an f32 population"
            )]
            let shared = match weight {
                // Added right after the same weight: one count will do.
                Some(w) => of_port().next().and_then(|a| match a.kind {
                    AfferentKind::Counted { first, weight }
                        if weight.to_bits() == (w as f32).to_bits() =>
                    {
                        Some(first)
                    }
                    _ => None,
                }),
                None => of_port().find_map(|a| match a.kind {
                    AfferentKind::Summed { first, .. } => Some(first),
                    _ => None,
                }),
            };
            let unit = units.get(port).copied().unwrap_or(1.0);
            afferents.unit = weight.is_none().then_some(unit);
            afferents.first = match shared {
                Some(first) => first,
                None => {
                    let first = within(*arrivals, "arrivals of all projections")?;
                    *arrivals += n;
                    #[allow(
                        clippy::cast_possible_truncation,
                        reason = "weights of an f32 population; units are powers of two"
                    )]
                    let kind = match weight {
                        Some(weight) => AfferentKind::Counted {
                            first,
                            weight: weight as f32,
                        },
                        None => AfferentKind::Summed {
                            first,
                            unit: unit as f32,
                        },
                    };
                    all.push(Afferent { port, kind });
                    first
                }
            };
        }
    }
    all.extend(tables.drives(plan, node)?);
    Ok(all)
}

/// Of each port, the unit of its sums: a power of two such that no sum leaves 31 bits.
fn units(plan: &Plan, node: NodeId, edges: &[Afferents]) -> Vec<f64> {
    let mut sums: Vec<f64> = Vec::new();
    for afferents in edges {
        let edge = &plan.edges[afferents.edge];
        let EdgeKind::Synapses(synapses) = &edge.kind else {
            continue;
        };
        if edge.target != node || synapses.constant_weight().is_some() {
            continue;
        }
        let sum = afferents.survey.as_ref().map_or(0.0, |s| s.largest_sum);
        // A population on the grid fires once a step at most.
        let inside = matches!(
            plan.nodes[edge.source].kind,
            crate::plan::NodeKind::Population(_)
        ) && !plan.is_continuous(edge.source);
        let times = if inside { 1.0 } else { f64::from(MOST_SPIKES) };
        if sums.len() <= edge.port {
            sums.resize(edge.port + 1, 0.0);
        }
        sums[edge.port] += sum * times;
    }
    let unit = |sum: f64| {
        let mut unit = 1.0;
        while sum > LARGEST_SUM * unit {
            unit *= 2.0;
        }
        while sum > 0.0 && sum <= 0.5 * LARGEST_SUM * unit && unit > 1e-30 {
            unit *= 0.5;
        }
        unit
    };
    sums.into_iter().map(unit).collect()
}
