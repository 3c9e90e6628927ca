//! Every edge on a cycle needs a delay.

use std::collections::VecDeque;

use super::Resolver;
use crate::network::error::ErrorKind;
use crate::plan::{EdgeKind, NodeId};
use crate::schedule::{DelayedEdge, components};

/// Cycles named at most; each takes a search through the graph.
const MAX_NAMED: usize = 20;

impl Resolver<'_> {
    /// Reports edges on cycles with a delay of zero, and raises the smallest delay of the others.
    pub(super) fn cycles(&mut self) {
        let component = self.components();
        let mut targets = vec![Vec::new(); self.nodes.len()];
        for edge in &self.edges {
            targets[edge.source].push(edge.target);
        }
        let mut named = 0;
        for i in 0..self.edges.len() {
            let (source, target) = (self.edges[i].source, self.edges[i].target);
            if component[source] != component[target] {
                continue;
            }
            if self.delays[i].steps == Some(0) && named < MAX_NAMED {
                named += 1;
                let cycle: Vec<&str> = cycle(&targets, source, target)
                    .into_iter()
                    .map(|n| self.nodes[n].name.as_str())
                    .collect();
                let cycle = cycle.join(" -> ");
                let message = if self.is_continuous(target) {
                    format!(
                        "the delay is shorter than a step of {} ms on the cycle {cycle}; every edge \
                         on a cycle needs at least one step, so lower dt",
                        self.clock.dt_ms
                    )
                } else {
                    format!(
                        "the delay is 0 on the cycle {cycle}; every edge on a cycle needs at least \
                         one step"
                    )
                };
                let path = self.delays[i].path.clone();
                self.errors.push(ErrorKind::Cycle, &path, message);
            }
            if let EdgeKind::Synapses(synapses) = &mut self.edges[i].kind {
                synapses.min_delay_steps = 1;
            }
        }
    }

    /// The strongly connected component of each node.
    fn components(&self) -> Vec<usize> {
        let edges: Vec<DelayedEdge> = self
            .edges
            .iter()
            .map(|e| DelayedEdge {
                source: e.source,
                target: e.target,
                min_delay: 0,
                max_delay: 0,
            })
            .collect();
        components(self.nodes.len(), &edges)
    }
}

/// A shortest cycle through the edge from `source` to `target`, starting and ending at `source`.
/// O(nodes + edges).
fn cycle(targets: &[Vec<NodeId>], source: NodeId, target: NodeId) -> Vec<NodeId> {
    let mut came_from = vec![None; targets.len()];
    let mut queue = VecDeque::from([target]);
    while let Some(node) = queue.pop_front() {
        for &next in &targets[node] {
            if came_from[next].is_none() && next != target {
                came_from[next] = Some(node);
                queue.push_back(next);
            }
        }
    }
    let mut way = vec![source];
    let mut node = source;
    while node != target
        && let Some(before) = came_from[node]
    {
        way.push(before);
        node = before;
    }
    way.push(source);
    way.reverse();
    way
}
