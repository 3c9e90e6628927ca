//! Every cycle needs a delay: at least one step on one of its edges, and on every projection of synapses
//! in it.

use std::collections::VecDeque;

use super::Resolver;
use crate::network::error::ErrorKind;
use crate::plan::{EdgeKind, NodeId, NodeKind};
use crate::schedule::{DelayedEdge, components};

/// Cycles named at most; each takes a search through the graph.
const MAX_NAMED: usize = 20;

impl Resolver<'_> {
    /// Reports edges on cycles with a delay of zero, and raises the smallest delay of the others.
    pub(super) fn cycles(&mut self) {
        let component = self.components(|_| true);
        // Element-to-element edges without delay order the nodes of a step; they may not form a cycle.
        let instant = self.components(|i| self.is_instant(i));
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
            let is_ordered = self.is_instant(i) && instant[source] != instant[target];
            if self.delays[i].steps == Some(0) && !is_ordered && named < MAX_NAMED {
                named += 1;
                let edges = if self.is_instant(i) {
                    &self.instant_targets()
                } else {
                    &targets
                };
                let cycle: Vec<&str> = cycle(edges, source, target)
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
                        "the delay is 0 on the cycle {cycle}; every {} needs at least one step",
                        if self.is_instant(i) {
                            "cycle"
                        } else {
                            "edge on a cycle"
                        }
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

    /// Whether edge `i` hands on what its source emits in the same step, element to element.
    fn is_instant(&self, i: usize) -> bool {
        let edge = &self.edges[i];
        // What runs off the grid, or as a user's actor, may take its time.
        let is_free = |node: NodeId| {
            !self.is_continuous(node) && !matches!(self.nodes[node].kind, NodeKind::Actor(_))
        };
        matches!(edge.kind, EdgeKind::Identity { .. })
            && self.delays[i].steps == Some(0)
            && is_free(edge.source)
            && is_free(edge.target)
    }

    fn instant_targets(&self) -> Vec<Vec<NodeId>> {
        let mut targets = vec![Vec::new(); self.nodes.len()];
        for (i, edge) in self.edges.iter().enumerate() {
            if self.is_instant(i) {
                targets[edge.source].push(edge.target);
            }
        }
        targets
    }

    /// The strongly connected component of each node in the graph of some edges.
    fn components(&self, takes_part: impl Fn(usize) -> bool) -> Vec<usize> {
        let edges: Vec<DelayedEdge> = self
            .edges
            .iter()
            .enumerate()
            .filter(|(i, _)| takes_part(*i))
            .map(|(_, e)| DelayedEdge {
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
