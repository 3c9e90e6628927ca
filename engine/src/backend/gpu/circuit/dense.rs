//! Circuits with layers: populations that real values reach or leave, and the layers between them. They
//! run as the passes of training do, some steps at a time ([`Stream`]); what nodes outside emit goes up
//! as lists or values, spikes come back as lists.

mod actor;

use std::sync::Arc;

use rheobase_shaders::{MAX_CHUNK, WORD_LANES};

use super::super::device::GpuDevice;
use super::super::error::GpuError;
use super::super::unrolled::Stream;
use super::layout::{self, Afferents, Failure, delayed, survey};
use super::{Kept, keep, synapses};
use crate::build::device::DeviceCircuit;
use crate::build::{BuildError, emits_real, quantities};
use crate::plan::{InputKind, Node, NodeId, NodeKind, Plan};
use crate::schedule::DelayedEdge;
use crate::unrolled::UnrolledError;
use actor::{DenseActor, Outside};

impl From<UnrolledError> for Failure {
    fn from(e: UnrolledError) -> Self {
        match e {
            UnrolledError::Build(e) => Self::Build(e),
            e => Self::Build(BuildError::Device(e.to_string())),
        }
    }
}

/// The circuit of `nodes`: populations and layers, in the order of the plan.
pub(super) fn circuit(
    plan: &Plan,
    nodes: &[NodeId],
    device: &GpuDevice,
) -> Result<DeviceCircuit<f32>, Failure> {
    let edges = survey(plan, nodes)?;
    let lanes = Lanes::of(plan, nodes, &edges)?;
    let longest = longest(device, plan, nodes, &edges);
    let own = (lanes.own.as_slice(), lanes.n_own);
    let alone = Arc::new(alone(plan, nodes, &edges));
    let mut stream = Stream::new(device, alone, nodes, own, longest)?;
    let mut kept = Vec::new();
    for &node in nodes {
        if let NodeKind::Population(p) = &plan.nodes[node].kind {
            let first_lane = lanes.first(node).filter(|_| p.emits.is_none());
            // One that does not fire holds no lane.
            let first_lane = first_lane.unwrap_or(u32::MAX);
            // In the precision of simulations, learned parameters too.
            let range = 0..size(plan, node);
            let quantities = quantities(plan, node).map_err(Failure::Build)?;
            let derived = quantities.derived::<f32>(&range, plan.nodes[node].size());
            let initial = quantities.initial::<f32>(&range).concat();
            stream.set_derived(node, &derived)?;
            stream.set_states(node, &initial)?;
            kept.push(keep(plan, node, first_lane, initial));
        }
    }
    let sources = lanes.own.iter().chain(&lanes.outside);
    let sources = sources.map(|&(node, lane)| (node, lane, size(plan, node)));
    let fanout = synapses::fanout(plan, sources, &edges)?;
    let synapse_bytes = edges.iter().filter_map(|a| a.survey.as_ref());
    let synapse_bytes = synapse_bytes.map(|s| 28 * s.counts.synapses).sum();
    let outside = heard(plan, nodes, &edges)
        .into_iter()
        .map(|node| Outside {
            node,
            width: plan.nodes[node].size(),
            is_real: emits_real(&plan.nodes[node]),
            first_lane: lanes.first(node),
            delivered: 0,
        })
        .collect();
    let delays = edges.iter().filter_map(|e| delayed(plan, e)).collect();
    let (shown, unseen) = shown(plan, nodes);
    let counts = edges.iter();
    let counts = counts.filter_map(|a| Some((a.edge, a.survey.as_ref()?.counts)));
    Ok(DeviceCircuit {
        nodes: nodes.to_vec(),
        edges: delays,
        counts: counts.collect(),
        weight_error_bounds: Vec::new(),
        synapse_bytes,
        unseen,
        traffic: None,
        actor: Box::new(DenseActor::new(
            (stream, plan, nodes),
            kept,
            (outside, shown),
            fanout,
        )),
    })
}

fn size(plan: &Plan, node: NodeId) -> u32 {
    u32::try_from(plan.nodes[node].size()).unwrap_or(u32::MAX)
}

/// Lanes of everything that fires: populations of the circuit, each from a whole word on, then nodes
/// outside.
struct Lanes {
    own: Vec<(NodeId, u32)>,
    /// End of those.
    n_own: u32,
    outside: Vec<(NodeId, u32)>,
}

impl Lanes {
    fn of(plan: &Plan, nodes: &[NodeId], edges: &[Afferents]) -> Result<Self, GpuError> {
        let mut lane = 0_u64;
        let mut take = |node: NodeId, whole: bool| {
            let n = plan.nodes[node].size() as u64;
            let first = layout::within_lanes(lane)?;
            lane += n;
            if whole {
                lane = lane.next_multiple_of(u64::from(WORD_LANES));
            }
            layout::within_lanes(lane).map(|_| (node, first))
        };
        let fires = |node: &NodeId| !emits_real(&plan.nodes[*node]);
        let own = nodes.iter().copied().filter(fires);
        let own: Vec<_> = own.map(|node| take(node, true)).collect::<Result<_, _>>()?;
        let outside = heard(plan, nodes, edges).into_iter().filter(fires);
        let outside: Vec<_> = outside
            .map(|node| take(node, false))
            .collect::<Result<_, _>>()?;
        let n_own = own
            .last()
            .map_or(0, |&(node, first)| first + size(plan, node));
        Ok(Self {
            own,
            n_own,
            outside,
        })
    }

    fn first(&self, node: NodeId) -> Option<u32> {
        let all = self.own.iter().chain(&self.outside);
        all.clone().find(|(n, _)| *n == node).map(|(_, lane)| *lane)
    }
}

/// Nodes outside that have an edge to the circuit.
fn heard(plan: &Plan, nodes: &[NodeId], edges: &[Afferents]) -> Vec<NodeId> {
    let sources = edges.iter().map(|a| plan.edges[a.edge].source);
    let mut heard: Vec<NodeId> = sources.filter(|n| !nodes.contains(n)).collect();
    heard.sort_unstable();
    heard.dedup();
    heard
}

/// Nodes of the circuit that emit real values: those that are read back, since somebody outside hears them,
/// or nobody at all, as of a readout; and those that are not.
fn shown(plan: &Plan, nodes: &[NodeId]) -> (Vec<NodeId>, Vec<NodeId>) {
    let is_shown = |node: &NodeId| {
        let edges = || plan.edges.iter().filter(|e| e.source == *node);
        edges().count() == 0 || edges().any(|e| !nodes.contains(&e.target))
    };
    let real = nodes.iter().copied();
    real.filter(|&n| emits_real(&plan.nodes[n]))
        .partition(is_shown)
}

/// Steps that are run at once, so that what is kept of each node, and of each that is heard, fits into one
/// binding.
fn longest(device: &GpuDevice, plan: &Plan, nodes: &[NodeId], edges: &[Afferents]) -> usize {
    let limits = device.limits();
    let limit = limits
        .max_storage_buffer_binding_size
        .min(limits.max_buffer_size);
    let delays: Vec<DelayedEdge> = edges.iter().filter_map(|e| delayed(plan, e)).collect();
    let most = |node: NodeId| {
        let states = match &plan.nodes[node].kind {
            NodeKind::Population(p) if nodes.contains(&node) => {
                p.neuron.component().map_or(1, |c| c.states.len().max(1))
            }
            _ => 1,
        };
        let row = (plan.nodes[node].size() as u64 * states as u64).max(1);
        let later = delays.iter().filter(|e| e.source == node);
        let history = later.map(|e| e.max_delay).max().unwrap_or(0);
        // States are kept before every step and after the last.
        (limit / 4 / row).saturating_sub(history.max(1))
    };
    let sources = heard(plan, nodes, edges);
    let all = nodes.iter().chain(&sources);
    let steps = all.map(|&node| most(node)).min().unwrap_or(1);
    usize::try_from(steps)
        .unwrap_or(MAX_CHUNK)
        .clamp(1, MAX_CHUNK)
        .min(device.most_steps() as usize)
}

/// The plan with nothing but the circuit: every other node is an input, and so small, if it is not heard,
/// that it takes no room. Streams of random numbers are those of the plan.
fn alone(plan: &Plan, nodes: &[NodeId], edges: &[Afferents]) -> Plan {
    let is_own = |node: NodeId| nodes.contains(&node);
    let heard = heard(plan, nodes, edges);
    let mut alone = plan.clone();
    for (id, node) in alone.nodes.iter_mut().enumerate() {
        if is_own(id) {
            continue;
        }
        if !heard.contains(&id) {
            *node = Node {
                kind: NodeKind::Input(InputKind::Spikes),
                shape: vec![1],
                ..node.clone()
            };
        } else if !matches!(node.kind, NodeKind::Source(_) | NodeKind::Input(_)) {
            let kind = match emits_real(node) {
                true => InputKind::Real,
                false => InputKind::Spikes,
            };
            node.kind = NodeKind::Input(kind);
        }
    }
    // Edges and stimuli keep their places, by which their streams are named; what leads to an input is
    // not unrolled.
    alone.monitors.clear();
    alone
}
