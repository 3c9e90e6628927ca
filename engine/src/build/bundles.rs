//! Bundles: which projections are stored and delivered together.

use hashbrown::HashMap;

use crate::plan::{EdgeKind, NodeId, Plan};
use crate::schedule::{DelayedEdge, components, ranks};

/// Populations of the plan that depend on each other. They run in the same phase: the schedule knows
/// every projection, those that drew no synapse too.
pub(crate) struct Groups {
    /// Group of each node.
    pub(crate) of_node: Vec<usize>,
}

impl Groups {
    /// The strongly connected components of the network, and of each the nodes that hear of none of
    /// the others without delay, those that hear of these, and so on.
    pub(crate) fn of(plan: &Plan) -> Self {
        let is_instant = |kind: &EdgeKind| matches!(kind, EdgeKind::Identity { delay_steps: 0 });
        let edges: Vec<DelayedEdge> = plan
            .edges
            .iter()
            .map(|e| DelayedEdge {
                source: e.source,
                target: e.target,
                min_delay: u64::from(!is_instant(&e.kind)),
                max_delay: 1,
            })
            .collect();
        let component = components(plan.nodes.len(), &edges);
        // Cycles without delay are found, and named, when the schedule is made.
        let rank = ranks(plan.nodes.len(), &edges, &component)
            .unwrap_or_else(|_| vec![0; plan.nodes.len()]);
        let mut kinds: Vec<(usize, usize)> = component.into_iter().zip(rank).collect();
        let all = kinds.clone();
        kinds.sort_unstable();
        kinds.dedup();
        let mut of_node: Vec<usize> = all
            .iter()
            .map(|k| kinds.partition_point(|x| x < k))
            .collect();
        // A population in continuous time is an actor of its own.
        let n_groups = of_node.iter().max().map_or(0, |g| g + 1);
        for (node, group) in of_node.iter_mut().enumerate() {
            if plan.is_continuous(node) {
                *group = n_groups + node;
            }
        }
        Self { of_node }
    }
}

/// Projections from one source onto the same port number of different populations of one group.
pub(crate) struct Bundle {
    pub(crate) source: NodeId,
    pub(crate) port: usize,
    /// Group of the targets.
    pub(crate) group: usize,
    /// Edges of the plan, ascending.
    pub(crate) edges: Vec<usize>,
}

/// What the projections of a bundle have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    source: NodeId,
    port: usize,
    group: usize,
    /// Bits of the constant weight, where there is one.
    weight: Option<u64>,
}

/// Bundles in the order in which they deliver. For every port of every population the projections
/// keep the order of the description, so that sums do not depend on what is bundled. Projections onto
/// nodes that are marked as on a device are left out; an empty slice marks none.
pub(crate) fn bundles(plan: &Plan, groups: &Groups, on_device: &[bool]) -> Vec<Bundle> {
    let mut bundles: Vec<Bundle> = Vec::new();
    let mut of_key: HashMap<Key, Vec<usize>> = HashMap::new();
    // The last bundle so far that reaches a port.
    let mut reached: HashMap<(NodeId, usize), usize> = HashMap::new();
    for (index, edge) in plan.edges.iter().enumerate() {
        let EdgeKind::Synapses(synapses) = &edge.kind else {
            continue;
        };
        let elsewhere = on_device.get(edge.target).is_some_and(|&there| there);
        if elsewhere || plan.is_continuous(edge.target) {
            continue;
        }
        let key = Key {
            source: edge.source,
            port: edge.port,
            group: groups.of_node[edge.target],
            weight: synapses.constant_weight().map(f64::to_bits),
        };
        // A projection may join any bundle after the last one that reaches its port.
        let port = (edge.target, edge.port);
        let first_free = reached.get(&port).map_or(0, |&last| last + 1);
        let alike = of_key.entry(key).or_default();
        // With a batch the copies of a population lie together.
        let joinable = if plan.batch == 1 {
            alike
                .get(alike.partition_point(|&b| b < first_free))
                .copied()
        } else {
            None
        };
        let place = joinable.unwrap_or_else(|| {
            alike.push(bundles.len());
            bundles.push(Bundle {
                source: edge.source,
                port: edge.port,
                group: key.group,
                edges: Vec::new(),
            });
            bundles.len() - 1
        });
        bundles[place].edges.push(index);
        reached.insert(port, place);
    }
    bundles
}
