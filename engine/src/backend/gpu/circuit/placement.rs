//! Which populations can run on a device, and which of them run together.

use rheobase_equations::real::Precision;

use crate::anchored::Arithmetic;
use crate::build::bundles::Groups;
use crate::build::{Placement, emits_real, source_context};
use crate::plan::{NodeId, NodeKind, Plan};
use crate::port::StimulusContext;
use crate::random::{Philox, Purpose};
use crate::schedule::{DelayedEdge, components};

/// Populations that run on the device, those of each circuit together; and where every population runs.
pub(super) struct Placed {
    pub(super) circuits: Vec<Vec<NodeId>>,
    pub(super) placement: Vec<Placement>,
}

/// Decides for every population of the plan.
pub(super) fn place(plan: &Plan) -> Placed {
    let mut able = vec![false; plan.nodes.len()];
    let mut placement = Vec::new();
    for (node, n) in plan.nodes.iter().enumerate() {
        if !matches!(n.kind, NodeKind::Population(_)) {
            continue;
        }
        let obstacle = obstacle(plan, node);
        able[node] = obstacle.is_none();
        placement.push(Placement {
            node,
            on_device: able[node],
            reason: obstacle.unwrap_or_else(|| "its equations have a kernel there".to_owned()),
        });
    }
    Placed {
        circuits: circuits(plan, &able),
        placement,
    }
}

/// Why a population cannot run on a device.
fn obstacle(plan: &Plan, node: NodeId) -> Option<String> {
    let NodeKind::Population(population) = &plan.nodes[node].kind else {
        return Some("it is no population".to_owned());
    };
    let real_edge = plan
        .edges
        .iter()
        .find(|e| e.target == node && emits_real(&plan.nodes[e.source]));
    let drive =
        plan.drives.iter().enumerate().find(|(k, d)| {
            d.target == node && d.drive.on_device(drive_context(plan, *k)).is_none()
        });
    let precision = plan.precision != Precision::F32;
    let anchored = population.arithmetic == Arithmetic::Anchored;
    Some(match population.neuron.component() {
        None => format!(
            "`{}` is written in Rust, not in equations",
            population.model
        ),
        Some(_) if precision => "devices compute in f32, and the network asks for f64".to_owned(),
        Some(_) if plan.batch != 1 => "the network has a batch axis".to_owned(),
        Some(_) if population.time.is_continuous() => "its time is continuous".to_owned(),
        Some(_) if population.emits.is_some() => "it emits real values".to_owned(),
        Some(_) if anchored => "arithmetic = \"anchored\" is asked for".to_owned(),
        Some(_) => match (real_edge, drive) {
            (Some(edge), _) => format!("`{}` carries real values", edge.name),
            (None, Some((_, drive))) => {
                format!("the stimulus `{}` has no form for devices", drive.name)
            }
            (None, None) => return None,
        },
    })
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
    let edges: Vec<DelayedEdge> = plan
        .edges
        .iter()
        .map(|e| DelayedEdge {
            source: e.source,
            target: e.target,
            min_delay: 1,
            max_delay: 1,
        })
        .collect();
    let component = components(plan.nodes.len(), &edges);
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
