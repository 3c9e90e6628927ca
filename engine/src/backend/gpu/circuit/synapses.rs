//! The synapses of a circuit as the delivery kernel reads them: rows by source, in parts that fit into
//! one binding each.

use std::ops::Range;

use rayon::prelude::*;
use rheobase_shaders::SynapseFormat;

use super::super::error::GpuError;
use super::layout::{Afferents, Failure, Layout};
use crate::plan::{EdgeKind, NodeId, Plan};
use crate::rows::{RowsError, Wiring};

/// Synapses of some sources.
pub(super) struct Part {
    pub(super) format: SynapseFormat,
    /// First synapse of each source, and the end of the last.
    pub(super) rows: Vec<u32>,
    /// Target, and delay above it.
    pub(super) synapses: Vec<u32>,
    /// What each adds; empty where each counts as one.
    pub(super) weights: Vec<i32>,
}

/// How many synapses of each source have which delay: what counts synaptic events.
#[derive(Default)]
pub(super) struct Fanout {
    /// First run of each lane; lanes without synapses have none.
    firsts: Vec<u32>,
    /// Delay and number.
    runs: Vec<(u32, u32)>,
}

impl Fanout {
    /// Delays of a lane, and synapses with each.
    pub(super) fn of(&self, lane: u32) -> &[(u32, u32)] {
        let lane = lane as usize;
        match (self.firsts.get(lane), self.firsts.get(lane + 1)) {
            (Some(&first), Some(&end)) => &self.runs[first as usize..end as usize],
            _ => &[],
        }
    }
}

/// Bits that synapses hold besides their target.
fn check_delays(layout: &Layout) -> Result<(), GpuError> {
    let longest = layout.delays.iter().map(|e| e.max_delay).max().unwrap_or(0);
    let bits = u64::from(layout.target_bits());
    let needed = bits + u64::from(64 - longest.leading_zeros());
    if needed > 32 {
        return Err(GpuError::Limit {
            what: "bits for target and delay of a synapse",
            needed,
            limit: 32,
        });
    }
    Ok(())
}

/// Draws all synapses, source by source, and hands over each part as soon as it is full: none has more
/// than `most` synapses.
pub(super) fn store(
    plan: &Plan,
    layout: &Layout,
    most: usize,
    mut full: impl FnMut(Part) -> Result<(), GpuError>,
) -> Result<Fanout, Failure> {
    check_delays(layout)?;
    let own = layout
        .populations
        .iter()
        .map(|p| (p.node, p.first_lane, p.n));
    let outer = layout.sources.iter().map(|s| (s.node, s.first_lane, s.n));
    let mut fanout = Fanout::default();
    let mut part: Option<Part> = None;
    for (node, first_lane, n) in own.chain(outer) {
        let onto = layout.edges.iter();
        let onto: Vec<&Afferents> = onto.filter(|a| plan.edges[a.edge].source == node).collect();
        let projections = draw(plan, &onto)?;
        let weighted = onto.iter().any(|a| a.unit.is_some());
        fanout.skip_to(first_lane);
        for source in 0..n {
            let length: usize = projections.iter().map(|p| p.length(source)).sum();
            let lane = first_lane + source;
            let fits = |p: &Part| {
                p.format.weighted == weighted
                    && p.format.end_source == lane
                    && p.synapses.len() + length <= most
            };
            if !part.as_ref().is_some_and(fits) {
                if let Some(part) = part.take().filter(|p| !p.synapses.is_empty()) {
                    full(part)?;
                }
                if length > most {
                    return Err(Failure::Gpu(GpuError::Limit {
                        what: "synapses of one neuron",
                        needed: length as u64,
                        limit: most as u64,
                    }));
                }
                part = Some(Part::new(layout, lane, weighted));
            }
            if let Some(part) = &mut part {
                for projection in &projections {
                    projection.append(source, part, &mut fanout);
                }
                part.format.end_source = lane + 1;
                part.rows.push(position(part.synapses.len()));
            }
            fanout.end();
        }
    }
    if let Some(part) = part.filter(|p| !p.synapses.is_empty()) {
        full(part)?;
    }
    Ok(fanout)
}

/// How many synapses of each source have which delay: `sources` in the order of their lanes, each with its
/// first lane and its size.
pub(super) fn fanout(
    plan: &Plan,
    sources: impl Iterator<Item = (NodeId, u32, u32)>,
    edges: &[Afferents],
) -> Result<Fanout, RowsError> {
    let mut fanout = Fanout::default();
    for (node, first_lane, n) in sources {
        let onto = edges.iter();
        let onto: Vec<&Afferents> = onto.filter(|a| plan.edges[a.edge].source == node).collect();
        let projections = draw(plan, &onto)?;
        fanout.skip_to(first_lane);
        for source in 0..n {
            for projection in &projections {
                projection.count(source, &mut fanout);
            }
            fanout.end();
        }
    }
    Ok(fanout)
}

/// What most sources of a node have: how many pieces a row is worth delivering in.
pub(super) fn mean_row(layout: &Layout) -> u64 {
    let surveys = || layout.edges.iter().filter_map(|e| e.survey.as_ref());
    let synapses: u64 = surveys().map(|s| s.counts.synapses).sum();
    let lanes = u64::from(layout.lanes()).max(1);
    synapses / lanes
}

impl Part {
    fn new(layout: &Layout, lane: u32, weighted: bool) -> Self {
        Self {
            format: SynapseFormat {
                first_source: lane,
                end_source: lane,
                target_bits: layout.target_bits(),
                weighted,
            },
            rows: vec![0],
            synapses: Vec::new(),
            weights: Vec::new(),
        }
    }

    fn push(&mut self, target: u32, delay: u32, amount: i32) {
        // A single target needs no bits, and no shift by 32.
        let delay = delay.checked_shl(self.format.target_bits).unwrap_or(0);
        self.synapses.push(delay | target);
        if self.format.weighted {
            self.weights.push(amount);
        }
    }
}

impl Fanout {
    fn skip_to(&mut self, lane: u32) {
        let end = position(self.runs.len());
        self.firsts.resize(lane as usize + 1, end);
    }

    fn end(&mut self) {
        self.firsts.push(position(self.runs.len()));
    }

    fn add(&mut self, delay: u32, n: usize) {
        self.runs.push((delay, position(n)));
    }
}

/// Positions among the synapses of a part, which are fewer than 2³².
fn position(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The edges of one source node, drawn.
enum Drawn<'a> {
    /// Element to element.
    Identity { first: u32, delay: u32 },
    Synapses {
        afferents: &'a Afferents,
        wiring: Wiring,
        weights: Vec<f32>,
    },
}

fn draw<'a>(plan: &Plan, onto: &[&'a Afferents]) -> Result<Vec<Drawn<'a>>, RowsError> {
    onto.par_iter()
        .filter_map(|&afferents| match &plan.edges[afferents.edge].kind {
            EdgeKind::Identity { delay_steps } => Some(Ok(Drawn::Identity {
                first: afferents.first,
                delay: u32::try_from(*delay_steps).unwrap_or(u32::MAX),
            })),
            EdgeKind::Synapses(_) => {
                Wiring::draw::<f32>(plan, afferents.edge)
                    .transpose()
                    .map(|drawn| {
                        drawn.map(|(wiring, weights)| Drawn::Synapses {
                            afferents,
                            wiring,
                            weights,
                        })
                    })
            }
        })
        .collect()
}

impl Drawn<'_> {
    fn length(&self, source: u32) -> usize {
        match self {
            Self::Identity { .. } => 1,
            Self::Synapses { wiring, .. } => {
                let source = source as usize;
                wiring.range(&(source..source + 1)).len()
            }
        }
    }

    /// Edges of element to element are no synapses: nobody counts their events.
    fn count(&self, source: u32, fanout: &mut Fanout) {
        if let Self::Synapses { wiring, .. } = self {
            for (delay, range) in wiring.row(source as usize) {
                fanout.add(delay, range.len());
            }
        }
    }

    fn append(&self, source: u32, part: &mut Part, fanout: &mut Fanout) {
        self.count(source, fanout);
        match self {
            Self::Identity { first, delay } => part.push(first + source, *delay, 1),
            Self::Synapses {
                afferents,
                wiring,
                weights,
            } => {
                for (delay, range) in wiring.row(source as usize) {
                    let drawn = wiring.targets()[range.clone()].iter().zip(&weights[range]);
                    for (&target, &weight) in drawn {
                        part.push(afferents.first + target, delay, afferents.amount(weight));
                    }
                }
            }
        }
    }
}

impl Afferents {
    /// What a synapse of this weight adds: a number of units, or one.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "units are chosen so that sums fit"
    )]
    fn amount(&self, weight: f32) -> i32 {
        self.unit
            .map_or(1, |unit| (f64::from(weight) / unit).round() as i32)
    }
}

/// Of each projection whose weights are rounded to units, how far a weight may be from the drawn one.
pub(super) fn weight_error_bounds(layout: &Layout) -> Vec<(usize, f64)> {
    let edges = layout.edges.iter();
    edges
        .filter_map(|a| Some((a.edge, 0.5 * a.unit?)))
        .collect()
}

/// Sources of a part that are on the device, and those that are not.
pub(super) fn is_heard(format: SynapseFormat, lanes: Range<u32>) -> bool {
    format.first_source < lanes.end && lanes.start < format.end_source
}

/// Nodes whose spikes the circuit hears.
pub(super) fn heard(plan: &Plan, layout: &Layout) -> Vec<NodeId> {
    let mut nodes: Vec<NodeId> = layout
        .edges
        .iter()
        .map(|a| plan.edges[a.edge].source)
        .collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}
