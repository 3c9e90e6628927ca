//! Who hears of whom, and in which order nodes run.

use rheobase_equations::real::Real;

use super::make::unsupported;
use super::synapses::SynapsesNode;
use super::{Group, Route, UnrolledError};
use crate::build::BuildError;
use crate::plan::{EdgeKind, NodeId, NodeKind, Plan};
use crate::schedule::{DelayedEdge, components};

/// Incoming edges of every node: those of the plan, then the synapses onto each port. At a port synapses
/// come first.
pub(super) fn routes<R: Real>(
    plan: &Plan,
    synapses: &[SynapsesNode<R>],
) -> Result<Vec<Vec<Route>>, UnrolledError> {
    let mut routes = vec![Vec::new(); plan.nodes.len()];
    for (source, node) in (plan.nodes.len()..).zip(synapses) {
        routes.push(node.routes());
        routes[node.target].push(Route {
            port: node.port,
            source,
            delay: 0,
        });
    }
    for edge in &plan.edges {
        let EdgeKind::Identity { delay_steps } = edge.kind else {
            continue;
        };
        if is_given(plan, edge.target) {
            continue;
        }
        let Ok(delay) = usize::try_from(delay_steps) else {
            return Err(unsupported(&edge.name, "so long a delay"));
        };
        routes[edge.target].push(Route {
            port: edge.port,
            source: edge.source,
            delay,
        });
    }
    Ok(routes)
}

/// What a node emits is given: in a part of a network, that is whatever lies outside. What leads to it is
/// left out.
pub(super) fn is_given(plan: &Plan, node: NodeId) -> bool {
    matches!(
        plan.nodes[node].kind,
        NodeKind::Input(_) | NodeKind::Source(_)
    )
}

/// Groups in the order in which they run.
pub(super) fn groups<R: Real>(
    plan: &Plan,
    synapses: &[SynapsesNode<R>],
    routes: &[Vec<Route>],
) -> Result<Vec<Group>, UnrolledError> {
    let n = routes.len();
    let of_plan = plan.nodes.iter().map(|n| n.name.as_str());
    let of_synapses = synapses.iter().map(|s| s.projections[0].name.as_str());
    let names: Vec<&str> = of_plan.chain(of_synapses).collect();
    let edges: Vec<DelayedEdge> = routes
        .iter()
        .enumerate()
        .flat_map(|(target, routes)| {
            routes.iter().map(move |r| DelayedEdge {
                source: r.source,
                target,
                min_delay: r.delay as u64,
                max_delay: r.delay as u64,
            })
        })
        .collect();
    // Numbered in reverse topological order.
    let component = components(n, &edges);
    let n_components = component.iter().max().map_or(0, |m| m + 1);
    let mut groups = Vec::with_capacity(n_components);
    for c in (0..n_components).rev() {
        let members: Vec<NodeId> = (0..n).filter(|&id| component[id] == c).collect();
        let inside = |r: &&Route| component[r.source] == c;
        let is_cycle = members
            .iter()
            .any(|&id| routes[id].iter().any(|r| inside(&r)));
        let nodes = step_order(&names, routes, members)?;
        groups.push(Group { nodes, is_cycle });
    }
    Ok(groups)
}

/// Members in an order in which every one comes after those it hears of in the same step.
fn step_order(
    names: &[&str],
    routes: &[Vec<Route>],
    members: Vec<NodeId>,
) -> Result<Vec<NodeId>, UnrolledError> {
    let mut left = members;
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let blocking = |id: NodeId| {
            let mut now = routes[id].iter().filter(|r| r.delay == 0);
            now.find(|r| left.contains(&r.source)).copied()
        };
        let ready: Vec<NodeId> = left
            .iter()
            .copied()
            .filter(|&id| blocking(id).is_none())
            .collect();
        if ready.is_empty() {
            let target = left[0];
            let source = blocking(target).map_or(target, |r| r.source);
            return Err(BuildError::ZeroDelayCycle {
                source_node: names[source].to_owned(),
                target: names[target].to_owned(),
            }
            .into());
        }
        left.retain(|id| !ready.contains(id));
        order.extend(ready);
    }
    Ok(order)
}

/// Whether something is trained at each node, or before it.
pub(super) fn wanted<R: Real>(
    plan: &Plan,
    synapses: &[SynapsesNode<R>],
    routes: &[Vec<Route>],
    inputs: bool,
) -> Vec<bool> {
    let mut wanted: Vec<bool> = plan
        .nodes
        .iter()
        .enumerate()
        .map(|(id, node)| match &node.kind {
            NodeKind::Input(_) => inputs,
            NodeKind::Layer(layer) => {
                let shape = routes[id].first().map(|r| &plan.nodes[r.source].shape);
                shape.is_some_and(|shape| layer.parameter_count(shape) > 0)
            }
            NodeKind::Population(p) => p.neuron.component().is_some_and(|c| {
                let mut parameters = c.model.parameters.iter();
                parameters.any(|p| p.learnable)
            }),
            _ => false,
        })
        .chain(synapses.iter().map(SynapsesNode::is_learnable))
        .collect();
    loop {
        let before = wanted.clone();
        for (id, routes) in routes.iter().enumerate() {
            wanted[id] |= routes.iter().any(|r| before[r.source]);
        }
        if wanted == before {
            return wanted;
        }
    }
}
