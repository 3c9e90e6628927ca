//! Which populations can run on a device, and which of them run together.

use hashbrown::HashMap;
use rheobase_equations::real::Precision;
use rheobase_shaders::{LayerShape, MAX_PORTS};

use crate::anchored::Arithmetic;
use crate::build::bundles::Groups;
use crate::build::{Placement, emits_real, source_context};
use crate::plan::{Edge, NodeId, NodeKind, Plan, Population};
use crate::port::{LayerType, StimulusContext};
use crate::random::{Philox, Purpose};
use crate::schedule::{DelayedEdge, components};

/// Populations that run on the device, those of each circuit together; and where every population runs.
pub(super) struct Placed {
    pub(super) circuits: Vec<Vec<NodeId>>,
    /// Populations that real values reach or leave, and layers.
    pub(super) dense: Vec<Vec<NodeId>>,
    pub(super) placement: Vec<Placement>,
}

/// Decides for every population and layer of the plan.
pub(super) fn place(plan: &Plan) -> Placed {
    let mut sparse = vec![false; plan.nodes.len()];
    let mut dense = vec![false; plan.nodes.len()];
    let mut placement = Vec::new();
    for (node, n) in plan.nodes.iter().enumerate() {
        let (obstacle, is_dense) = match &n.kind {
            NodeKind::Population(p) => {
                let is_dense = has_real_values(plan, node);
                (obstacle(plan, node, p, is_dense), is_dense)
            }
            NodeKind::Layer(layer) => (obstacle_of_layer(plan, node, layer.as_ref()), true),
            _ => continue,
        };
        let able = if is_dense { &mut dense } else { &mut sparse };
        able[node] = obstacle.is_none();
        let has_kernel = match n.kind {
            NodeKind::Layer(_) => "it has a kernel there",
            _ => "its equations have a kernel there",
        };
        placement.push(Placement {
            node,
            on_device: obstacle.is_none(),
            reason: obstacle.unwrap_or_else(|| has_kernel.to_owned()),
        });
    }
    let whole = |able: &[bool]| circuits(plan, able);
    let (mut circuits, mut dense_circuits) = (whole(&sparse), whole(&dense));
    // Each kind alone has nothing between its nodes; both together may.
    if has_new_cycle(plan, circuits.iter().chain(&dense_circuits)) {
        (circuits, dense_circuits) = (apart(plan, &sparse), apart(plan, &dense));
    }
    Placed {
        circuits,
        dense: dense_circuits,
        placement,
    }
}

/// Edges of the plan, whatever their delays.
fn edges(plan: &Plan) -> Vec<DelayedEdge> {
    let edge = |e: &Edge| DelayedEdge {
        source: e.source,
        target: e.target,
        min_delay: 1,
        max_delay: 1,
    };
    plan.edges.iter().map(edge).collect()
}

/// Whether circuits, each one node of the schedule, would hang together that depend on each other only by
/// nodes that they have taken in.
fn has_new_cycle<'c>(plan: &Plan, circuits: impl Iterator<Item = &'c Vec<NodeId>>) -> bool {
    let n = plan.nodes.len();
    let before = components(n, &edges(plan));
    let mut place: Vec<NodeId> = (0..n).collect();
    for circuit in circuits {
        circuit.iter().for_each(|&node| place[node] = circuit[0]);
    }
    let contract = |e: DelayedEdge| DelayedEdge {
        source: place[e.source],
        target: place[e.target],
        ..e
    };
    let contracted: Vec<DelayedEdge> = edges(plan).into_iter().map(contract).collect();
    let after = components(n, &contracted);
    let mut first: HashMap<usize, NodeId> = HashMap::new();
    let (mut places_differ, mut parts_differ) = (vec![false; n], vec![false; n]);
    for node in 0..n {
        let c = after[place[node]];
        let other = *first.entry(c).or_insert(node);
        places_differ[c] |= place[other] != place[node];
        parts_differ[c] |= before[other] != before[node];
    }
    (0..n).any(|c| places_differ[c] && parts_differ[c])
}

/// Whether real values reach or leave a population.
fn has_real_values(plan: &Plan, node: NodeId) -> bool {
    let mut edges = plan.edges.iter();
    emits_real(&plan.nodes[node])
        || edges.any(|e| e.target == node && emits_real(&plan.nodes[e.source]))
}

/// Why a layer cannot run on a device.
fn obstacle_of_layer(plan: &Plan, node: NodeId, layer: &dyn LayerType) -> Option<String> {
    let input = plan.edges.iter().find(|e| e.target == node)?;
    if let Some(general) = general_obstacle(plan) {
        return Some(general);
    }
    match layer.on_device(&plan.nodes[input.source].shape) {
        None => Some("such a layer has no form for devices".to_owned()),
        // Nothing unrolled has one there.
        Some(LayerShape::BatchNorm { .. }) if is_on_loop(plan, node) => {
            Some("it takes statistics, and lies on a loop".to_owned())
        }
        Some(_) => None,
    }
}

/// Whether a node depends on itself.
fn is_on_loop(plan: &Plan, node: NodeId) -> bool {
    let component = components(plan.nodes.len(), &edges(plan));
    let together = |other: NodeId| other != node && component[other] == component[node];
    (0..plan.nodes.len()).any(together)
}

/// Why nothing of the network can run on a device.
fn general_obstacle(plan: &Plan) -> Option<String> {
    if plan.precision != Precision::F32 {
        return Some("devices compute in f32, and the network asks for f64".to_owned());
    }
    (plan.batch != 1).then(|| "the network has a batch axis".to_owned())
}

/// Why a population cannot run on a device.
fn obstacle(plan: &Plan, node: NodeId, population: &Population, is_dense: bool) -> Option<String> {
    let drive =
        plan.drives.iter().enumerate().find(|(k, d)| {
            d.target == node && d.drive.on_device(drive_context(plan, *k)).is_none()
        });
    let model = &population.model;
    let Some(component) = population.neuron.component() else {
        return Some(format!("`{model}` is written in Rust, not in equations"));
    };
    let ports = component.model.inputs.len();
    if is_dense && ports > MAX_PORTS {
        return Some(format!(
            "`{model}` has {ports} ports, beside layers a device takes {MAX_PORTS}"
        ));
    }
    if let Some(general) = general_obstacle(plan) {
        return Some(general);
    }
    if population.time.is_continuous() {
        return Some("its time is continuous".to_owned());
    }
    if population.arithmetic == Arithmetic::Anchored {
        return Some("arithmetic = \"anchored\" is asked for".to_owned());
    }
    drive.map(|(_, drive)| format!("the stimulus `{}` has no form for devices", drive.name))
}

/// What the stimulus at a place among the drives of the plan is given.
pub(super) fn drive_context(plan: &Plan, index: usize) -> StimulusContext {
    let purpose = Purpose::Stimulus;
    StimulusContext {
        stream: Philox::new(plan.seed, purpose, (plan.nodes.len() + index) as u64),
        ..source_context(plan, plan.drives[index].target)
    }
}

/// All that can run there in one circuit, if nothing on the processor both hears of them and is heard
/// by them; else a circuit for each set of populations that depend on each other. Either way the
/// schedule of the rest has no cycle that it did not have.
fn circuits(plan: &Plan, able: &[bool]) -> Vec<Vec<NodeId>> {
    let members: Vec<NodeId> = (0..able.len()).filter(|&n| able[n]).collect();
    if members.is_empty() {
        return Vec::new();
    }
    let reached = |forward: bool| {
        let mut reached = able.to_vec();
        let mut grows = true;
        while grows {
            grows = false;
            for edge in &plan.edges {
                let (from, to) = if forward {
                    (edge.source, edge.target)
                } else {
                    (edge.target, edge.source)
                };
                if reached[from] && !reached[to] {
                    reached[to] = true;
                    grows = true;
                }
            }
        }
        reached
    };
    let (behind, before) = (reached(true), reached(false));
    let is_between = |n: NodeId| !able[n] && behind[n] && before[n];
    if !(0..able.len()).any(is_between) {
        return vec![members];
    }
    apart(plan, able)
}

/// A circuit for each set of populations that depend on each other.
fn apart(plan: &Plan, able: &[bool]) -> Vec<Vec<NodeId>> {
    let members = (0..able.len()).filter(|&n| able[n]);
    let component = components(plan.nodes.len(), &edges(plan));
    let groups = Groups::of(plan).of_node;
    let is_whole = |c: usize| (0..able.len()).all(|n| component[n] != c || able[n]);
    let mut sets: Vec<((usize, usize), Vec<NodeId>)> = Vec::new();
    for n in members {
        let rank = if is_whole(component[n]) {
            0
        } else {
            groups[n] + 1
        };
        let key = (component[n], rank);
        match sets.iter_mut().find(|(k, _)| *k == key) {
            Some((_, set)) => set.push(n),
            None => sets.push((key, vec![n])),
        }
    }
    sets.into_iter().map(|(_, set)| set).collect()
}
