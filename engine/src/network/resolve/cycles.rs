//! Every edge on a cycle needs a delay.

use std::collections::VecDeque;

use super::Resolver;
use crate::network::error::ErrorKind;
use crate::plan::{EdgeKind, NodeId};
use crate::schedule::{DelayedEdge, components};

impl Resolver<'_> {
    /// Reports edges on cycles with a delay of zero, and raises the smallest delay of the others.
    pub(super) fn cycles(&mut self) {
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
        let component = components(self.nodes.len(), &edges);
        for i in 0..self.edges.len() {
            let (source, target) = (self.edges[i].source, self.edges[i].target);
            if component[source] != component[target] {
                continue;
            }
            if self.delays[i].steps == Some(0) {
                let message = format!(
                    "the delay is 0 on the cycle {}; every edge on a cycle needs at least one step",
                    self.cycle(source, target)
                );
                let path = self.delays[i].path.clone();
                self.errors.push(ErrorKind::Cycle, &path, message);
            }
            if let EdgeKind::Synapses(synapses) = &mut self.edges[i].kind {
                synapses.min_delay_steps = 1;
            }
        }
    }

    /// A shortest cycle through the edge from `source` to `target`: `E -> I -> E`.
    fn cycle(&self, source: NodeId, target: NodeId) -> String {
        let mut came_from = vec![None; self.nodes.len()];
        let mut queue = VecDeque::from([target]);
        while let Some(node) = queue.pop_front() {
            for next in self
                .edges
                .iter()
                .filter(|e| e.source == node)
                .map(|e| e.target)
            {
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
        let names: Vec<&str> = way.iter().map(|&n| self.nodes[n].name.as_str()).collect();
        names.join(" -> ")
    }
}
