//! Bundles: which projections are stored and delivered together.

use hashbrown::HashMap;

use crate::plan::{Edge, EdgeKind, NodeId, Plan, Synapses};
use crate::schedule::{DelayedEdge, components};

/// Populations of the plan that depend on each other, and so always run in the same phase.
pub(super) struct Groups {
    /// Group of each node.
    pub(super) of_node: Vec<usize>,
}

impl Groups {
    /// The strongly connected components of the network.
    pub(super) fn of(plan: &Plan) -> Self {
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
        Self {
            of_node: components(plan.nodes.len(), &edges),
        }
    }
}

/// Projections from one source onto the same port number of different populations of one group.
pub(super) struct Bundle {
    pub(super) source: NodeId,
    pub(super) port: usize,
    /// Group of the targets.
    pub(super) group: usize,
    /// Edges of the plan, ascending.
    pub(super) edges: Vec<usize>,
}

/// What the projections of a bundle have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    source: NodeId,
    port: usize,
    group: usize,
    /// Bits of the constant weight, where there is one.
    weight: Option<u64>,
}

/// Bundles in the order in which they deliver. For every port of every population the projections
/// keep the order of the description, so that sums do not depend on what is bundled.
pub(super) fn bundles(plan: &Plan, groups: &Groups) -> Vec<Bundle> {
    let mut bundles: Vec<(Key, Bundle)> = Vec::new();
    // The last bundle so far that reaches a port.
    let mut reached: HashMap<(NodeId, usize), usize> = HashMap::new();
    for (index, edge) in plan.edges.iter().enumerate() {
        let EdgeKind::Synapses(synapses) = &edge.kind else {
            continue;
        };
        let key = Key {
            source: edge.source,
            port: edge.port,
            group: groups.of_node[edge.target],
            weight: constant_weight(synapses).map(f64::to_bits),
        };
        // A projection may join any bundle after the last one that reaches its port.
        let port = (edge.target, edge.port);
        let first_free = reached.get(&port).map_or(0, |&last| last + 1);
        let joinable = (first_free..bundles.len()).find(|&b| {
            // With a batch the copies of a population lie together.
            plan.batch == 1 && bundles[b].0 == key
        });
        let place = joinable.unwrap_or_else(|| {
            bundles.push((key, Bundle::of(edge, key.group)));
            bundles.len() - 1
        });
        bundles[place].1.edges.push(index);
        reached.insert(port, place);
    }
    bundles.into_iter().map(|(_, bundle)| bundle).collect()
}

impl Bundle {
    fn of(edge: &Edge, group: usize) -> Self {
        Self {
            source: edge.source,
            port: edge.port,
            group,
            edges: Vec::new(),
        }
    }
}

fn constant_weight(synapses: &Synapses) -> Option<f64> {
    let fixed = synapses.rule.fixes_weights();
    synapses.weight.constant().filter(|_| !fixed)
}
