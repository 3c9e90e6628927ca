//! A number of synapses spread over targets, by halving.
//!
//! The targets form a binary tree. At every node the synapses of a range are divided between its
//! halves: binomially where pairs may repeat, hypergeometrically where they must differ. Products of
//! such divisions are the multinomial and the multivariate hypergeometric distribution, exactly. Each
//! node has a stream of its own, so that the targets of any range are reached without drawing those
//! before it.

use std::ops::Range;

use rheobase_engine::port::RuleStreams;

use super::sampling::{binomial, hypergeometric};

/// Synapses of each target, asked for in ascending order.
pub(super) struct Split {
    streams: RuleStreams,
    multapses: bool,
    /// Pairs of one target.
    pairs: u64,
    /// Nodes still to be divided; the next targets on top.
    pending: Vec<Node>,
}

struct Node {
    /// 1 is the root; 2i and 2i + 1 are the halves of i.
    id: u64,
    targets: Range<u32>,
    synapses: u64,
}

impl Split {
    /// `synapses` over `n_target` targets with `pairs` possible synapses each, of which those of
    /// `range` will be asked for. Cost: O(log n_target) here, O(1) draws per target.
    pub(super) fn new(
        synapses: u64,
        n_target: u32,
        pairs: u64,
        multapses: bool,
        range: &Range<u32>,
        streams: RuleStreams,
    ) -> Self {
        let root = Node {
            id: 1,
            targets: 0..n_target,
            synapses,
        };
        let mut split = Self {
            streams,
            multapses,
            pairs,
            pending: Vec::with_capacity(33),
        };
        if !range.is_empty() {
            split.pending.push(root);
        }
        split
    }

    /// How many synapses `target` has.
    pub(super) fn synapses(&mut self, target: u32) -> u64 {
        while let Some(node) = self.pending.pop() {
            if node.targets.end <= target {
                continue;
            }
            if node.targets.len() == 1 {
                return node.synapses;
            }
            let (left, right) = self.halves(node);
            self.pending.push(right);
            self.pending.push(left);
        }
        0
    }

    fn halves(&self, node: Node) -> (Node, Node) {
        let Range { start, end } = node.targets;
        let middle = start + (end - start) / 2;
        let (l, r) = (u64::from(middle - start), u64::from(end - middle));
        let on_left = if node.synapses == 0 {
            0
        } else {
            let mut random = self.streams.rule(node.id);
            if self.multapses {
                binomial(node.synapses, l, r, &mut random)
            } else {
                hypergeometric(l * self.pairs, r * self.pairs, node.synapses, &mut random)
            }
        };
        let half = |side, targets, synapses| Node {
            id: 2 * node.id + side,
            targets,
            synapses,
        };
        (
            half(0, start..middle, on_left),
            half(1, middle..end, node.synapses - on_left),
        )
    }
}
