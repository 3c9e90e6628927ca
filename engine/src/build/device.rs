//! Populations that run on a device: one actor, one node of the schedule.

use super::BuildReport;
use crate::actor::Actor;
use crate::anchored::{Arithmetic, ArithmeticReport};
use crate::plan::{NodeId, NodeKind, Plan};
use crate::rows::RowCounts;
use crate::schedule::{DelayedEdge, Schedule};

/// Populations on a device, ready to take part in the schedule.
pub(crate) struct DeviceCircuit<R> {
    /// The populations, in the order of the actor's packets.
    pub(crate) nodes: Vec<NodeId>,
    /// What advances them.
    pub(crate) actor: Box<dyn Actor<R>>,
    /// Edges that lead to them, those among themselves included.
    pub(crate) edges: Vec<DelayedEdge>,
    /// Of each edge of the plan that leads to them: what was counted.
    pub(crate) counts: Vec<(usize, RowCounts)>,
    /// Of each of these: how far a weight may be from the drawn one.
    pub(crate) weight_error_bounds: Vec<(usize, f64)>,
    /// Bytes of synapses.
    pub(crate) synapse_bytes: u64,
    /// Nodes whose real values are not read back.
    pub(crate) unseen: Vec<NodeId>,
    /// What moves within the device, where that is counted.
    pub(crate) traffic: Option<DeviceTraffic>,
}

/// Bytes that move between the memory of a device and its processors, by design, and the least that any
/// design with the same arrays would move.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct DeviceTraffic {
    /// Steps that a kernel fuses.
    pub chunk: usize,
    /// Of a neuron and step, mean over neurons: states there and back once a chunk, quantities that
    /// differ between neurons once a chunk, arrivals of every projection in every step.
    pub neuron_step_bytes: f64,
    /// The least: states, and quantities that differ.
    pub least_neuron_step_bytes: f64,
    /// Of a synaptic event: the synapse, its weight where weights differ, a count or sum there and back,
    /// and cleared later; mean over synapses.
    pub event_bytes: f64,
    /// The least: without clearing.
    pub least_event_bytes: f64,
}

/// Where a population or layer runs, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placement {
    /// The population or layer.
    pub node: NodeId,
    /// On a device rather than the processor.
    pub on_device: bool,
    /// Why.
    pub reason: String,
}

/// Which nodes run on a device.
pub(super) fn members<R>(plan: &Plan, circuits: &[DeviceCircuit<R>]) -> Vec<bool> {
    let mut members = vec![false; plan.nodes.len()];
    for &node in circuits.iter().flat_map(|c| &c.nodes) {
        members[node] = true;
    }
    members
}

/// Edges as the schedule sees them: each circuit is its first node.
pub(super) fn contract<R>(
    edges: Vec<DelayedEdge>,
    circuits: &[DeviceCircuit<R>],
) -> Vec<DelayedEdge> {
    let place = |node: NodeId| {
        let circuit = circuits.iter().find(|c| c.nodes.contains(&node));
        circuit.map_or(node, |c| c.nodes[0])
    };
    let internal = |e: &DelayedEdge| {
        let both =
            |c: &DeviceCircuit<R>| c.nodes.contains(&e.source) && c.nodes.contains(&e.target);
        circuits.iter().any(both)
    };
    edges
        .into_iter()
        .filter(|e| !internal(e))
        .map(|e| DelayedEdge {
            source: place(e.source),
            target: place(e.target),
            ..e
        })
        .collect()
}

/// Puts the other nodes of each circuit where its first one is, and makes the past reach as far as every
/// edge asks for.
pub(super) fn expand<R>(
    schedule: &mut Schedule,
    edges: &[DelayedEdge],
    circuits: &[DeviceCircuit<R>],
) {
    for circuit in circuits {
        let (first, others) = (circuit.nodes[0], &circuit.nodes[1..]);
        for phase in &mut schedule.phases {
            phase.retain(|n| !others.contains(n));
            if phase.contains(&first) {
                phase.extend(others);
                phase.sort_unstable();
            }
        }
    }
    for edge in edges {
        let reach = &mut schedule.reach[edge.source];
        *reach = edge.max_delay.max(*reach);
    }
}

/// What building a circuit found out.
pub(super) fn report<R>(plan: &Plan, circuit: &DeviceCircuit<R>, report: &mut BuildReport) {
    for &node in &circuit.nodes {
        if !matches!(plan.nodes[node].kind, NodeKind::Population(_)) {
            continue;
        }
        let arithmetic = ArithmeticReport {
            arithmetic: Arithmetic::Stepwise,
            reason: "on a device".to_owned(),
        };
        report.arithmetic.push((node, arithmetic));
        report.kernels.push((plan.nodes[node].name.clone(), "wgsl"));
    }
    for (edge, counts) in &circuit.counts {
        report.synapses[*edge] += counts.synapses;
        report.rounded_delays += counts.rounded_delays;
        report.raised_delays += counts.raised_delays;
    }
    for &(edge, bound) in &circuit.weight_error_bounds {
        report.weight_error_bounds[edge] = bound;
    }
    report.traffic.extend(circuit.traffic);
    report.unseen.extend(&circuit.unseen);
    report.synapse_bytes += usize::try_from(circuit.synapse_bytes).unwrap_or(usize::MAX);
}
