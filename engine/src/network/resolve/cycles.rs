//! Every edge on a cycle needs a delay.

use std::collections::VecDeque;

use super::Resolver;
use crate::network::error::ErrorKind;
use crate::plan::{EdgeKind, NodeId};

impl Resolver<'_> {
    /// Reports edges on cycles with a delay of zero, and raises the smallest delay of the others.
    pub(super) fn cycles(&mut self) {
        let component = self.components();
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

    fn targets(&self) -> Vec<Vec<NodeId>> {
        let mut targets = vec![Vec::new(); self.nodes.len()];
        for edge in &self.edges {
            targets[edge.source].push(edge.target);
        }
        targets
    }

    /// Number of the strongly connected component of each node (Kosaraju, without recursion).
    fn components(&self) -> Vec<usize> {
        let n = self.nodes.len();
        let targets = self.targets();
        let mut sources = vec![Vec::new(); n];
        for edge in &self.edges {
            sources[edge.target].push(edge.source);
        }
        let mut finished = Vec::with_capacity(n);
        let mut seen = vec![false; n];
        for root in 0..n {
            if seen[root] {
                continue;
            }
            seen[root] = true;
            let mut path = vec![(root, 0)];
            while let Some((node, next)) = path.last_mut() {
                match targets[*node].get(*next) {
                    Some(&target) => {
                        *next += 1;
                        if !seen[target] {
                            seen[target] = true;
                            path.push((target, 0));
                        }
                    }
                    None => {
                        finished.push(*node);
                        path.pop();
                    }
                }
            }
        }
        let mut component = vec![usize::MAX; n];
        for (number, &root) in finished.iter().rev().enumerate() {
            if component[root] != usize::MAX {
                continue;
            }
            component[root] = number;
            let mut reached = vec![root];
            while let Some(node) = reached.pop() {
                for &source in &sources[node] {
                    if component[source] == usize::MAX {
                        component[source] = number;
                        reached.push(source);
                    }
                }
            }
        }
        component
    }

    /// A shortest cycle through the edge from `source` to `target`: `E -> I -> E`.
    fn cycle(&self, source: NodeId, target: NodeId) -> String {
        let targets = self.targets();
        let mut came_from = vec![None; self.nodes.len()];
        let mut queue = VecDeque::from([target]);
        while let Some(node) = queue.pop_front() {
            if node == source {
                break;
            }
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
        // The path runs source → target → … → source.
        let names: Vec<&str> = way.iter().map(|&n| self.nodes[n].name.as_str()).collect();
        names.join(" -> ")
    }
}
