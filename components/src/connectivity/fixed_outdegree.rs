//! The same number of synapses from every source.
//!
//! # Equations
//! Each source sends K = `outdegree` synapses. With multapses their targets are drawn independently
//! and uniformly. Without, every set of K different targets is equally likely.
//!
//! # Update scheme
//! Rows are drawn by target, out-degrees are fixed by source. So the targets are halved until a block
//! holds at most 2²² synapses (or one target); at each halving the synapses of every source are
//! divided between the halves by a binomial (without multapses hypergeometric) number. The synapses
//! of one block at a time are then drawn and sorted by target. With B blocks: O(synapses +
//! sources · B) time and O(sources · log B) + 8 · 2²² bytes of memory per thread, whatever the number
//! of synapses.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `outdegree` | 1 | required | ≥ 0 |
//! | `multapses` | – | true | – |
//! | `autapses` | – | true | – |
//!
//! # State
//! None.
//!
//! # Shapes
//! Any source, any target.
//!
//! # Semantics
//! A row is in ascending order of sources.
//!
//! # Errors
//! Without multapses, more synapses than targets; with them, synapses but no target.
//!
//! # Source
//! Rule `fixed_outdegree` of NEST 3.10 and its defaults for `allow_multapses`, `allow_autapses`.
//!
//! # Example
//! ```
//! use rheobase_engine::port::{RuleStreams, Sides};
//!
//! let rule = rheobase_components::rule("fixed_outdegree", &[("outdegree", "7".into())])?;
//! let sides = Sides { n_source: 80, n_target: 20, same: false };
//! let streams = RuleStreams::new(1, 0);
//! let mut rows = rule.rows(sides, 0..20, streams);
//! let mut synapses = Vec::new();
//! for target in 0..20 {
//!     rows.row(target, &mut streams.row(target), &mut synapses);
//! }
//! assert_eq!(synapses.iter().filter(|c| c.source == 3).count(), 7);
//! # Ok::<(), rheobase_components::MakeError>(())
//! ```

use std::ops::Range;
use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::port::{Candidate, ConnectivityRule, Entry, RowDrawer, RuleStreams, Sides};
use rheobase_engine::random::Construction;

use super::row_draw::RowDraw;
use super::sampling::{binomial, hypergeometric};
use super::{AUTAPSES, Choices, MULTAPSES, free};

pub(super) const ENTRY: Entry<Arc<dyn ConnectivityRule>> = Entry {
    summary: "the same number of synapses from every source",
    arguments: &[
        ArgumentSpec {
            name: "outdegree",
            kind: ArgumentKind::Integer,
            default: None,
            doc: "synapses from each source",
        },
        MULTAPSES,
        AUTAPSES,
    ],
    make,
};

/// Synapses of a block at most, about.
const BLOCK_SYNAPSES: u64 = 1 << 22;

struct FixedOutdegree {
    outdegree: u32,
    multapses: bool,
    autapses: bool,
    /// [`BLOCK_SYNAPSES`]; less in tests.
    block_synapses: u64,
}

fn make(arguments: &Arguments) -> Result<Arc<dyn ConnectivityRule>, ArgumentError> {
    let outdegree = arguments.integer("outdegree")?;
    let outdegree = u32::try_from(outdegree).map_err(|_| {
        ArgumentError::new(
            "outdegree",
            format!("{outdegree} is more than {}", u32::MAX),
        )
    })?;
    Ok(Arc::new(FixedOutdegree {
        outdegree,
        multapses: arguments.boolean("multapses")?,
        autapses: arguments.boolean("autapses")?,
        block_synapses: BLOCK_SYNAPSES,
    }))
}

impl ConnectivityRule for FixedOutdegree {
    fn check(&self, sides: Sides) -> Result<(), String> {
        let n = Choices::targets(sides, &(0..sides.n_target), 0, self.autapses).n;
        if self.outdegree == 0 || (self.multapses && n > 0) || self.outdegree <= n {
            return Ok(());
        }
        let advice = if self.multapses {
            ""
        } else {
            ", or allow multapses"
        };
        Err(format!(
            "fixed_outdegree asks for {} synapses onto {n} targets; ask for fewer{advice}",
            self.outdegree
        ))
    }

    fn expected_synapses(&self, sides: Sides) -> f64 {
        f64::from(self.outdegree) * f64::from(sides.n_source)
    }

    fn rows<'a>(
        &'a self,
        sides: Sides,
        _: Range<u32>,
        streams: RuleStreams,
    ) -> Box<dyn RowDrawer + 'a> {
        Box::new(Blocks::new(self, sides, streams))
    }
}

/// Draws block after block of targets.
struct Blocks<'a> {
    rule: &'a FixedOutdegree,
    sides: Sides,
    streams: RuleStreams,
    /// Halvings from all targets down to a block.
    depth: u32,
    /// Ranges still to be halved or drawn; the next targets on top.
    pending: Vec<Node>,
    draw: RowDraw,
    block: Block,
}

/// A range of targets and how many synapses each source has there.
struct Node {
    /// 1 is the root; 2i and 2i + 1 are the halves of i.
    id: u64,
    depth: u32,
    targets: Range<u32>,
    synapses: Vec<u32>,
}

/// The rows of some targets, drawn.
#[derive(Default)]
struct Block {
    targets: Range<u32>,
    /// Start of each row; one more than targets.
    starts: Vec<usize>,
    sources: Vec<u32>,
    /// Targets in the order of drawing, relative to the block.
    drawn: Vec<u32>,
}

impl<'a> Blocks<'a> {
    fn new(rule: &'a FixedOutdegree, sides: Sides, streams: RuleStreams) -> Self {
        let total = u64::from(rule.outdegree) * u64::from(sides.n_source);
        let needed = total.div_ceil(rule.block_synapses).max(1);
        let blocks = needed.min(u64::from(sides.n_target.max(1)));
        let root = Node {
            id: 1,
            depth: 0,
            targets: 0..sides.n_target,
            synapses: vec![rule.outdegree; sides.n_source as usize],
        };
        Self {
            rule,
            sides,
            streams,
            depth: blocks.next_power_of_two().ilog2(),
            pending: vec![root],
            draw: RowDraw::new(rule.multapses),
            block: Block::default(),
        }
    }

    /// Draws the block that holds `target`, if any is left.
    fn advance_to(&mut self, target: u32) {
        while let Some(node) = self.pending.pop() {
            if node.targets.end <= target {
                continue;
            }
            if node.depth == self.depth || node.targets.len() == 1 {
                return self.draw_block(&node);
            }
            let (left, right) = self.halves(node);
            self.pending.push(right);
            self.pending.push(left);
        }
    }

    fn halves(&self, mut node: Node) -> (Node, Node) {
        let Range { start, end } = node.targets;
        let middle = start + (end - start) / 2;
        let mut random = self.streams.rule(node.id);
        let mut on_left = vec![0; node.synapses.len()];
        for ((source, all), left) in (0..).zip(&mut node.synapses).zip(&mut on_left) {
            if *all > 0 {
                *left = self.on_left(source, *all, start..middle, middle..end, &mut random);
                *all -= *left;
            }
        }
        let half = |side, targets, synapses| Node {
            id: 2 * node.id + side,
            depth: node.depth + 1,
            targets,
            synapses,
        };
        (
            half(0, start..middle, on_left),
            half(1, middle..end, node.synapses),
        )
    }

    /// How many of the synapses of a source fall on the left half.
    fn on_left(
        &self,
        source: u32,
        synapses: u32,
        left: Range<u32>,
        right: Range<u32>,
        random: &mut Construction,
    ) -> u32 {
        let [l, r] = [left, right].map(|half| u64::from(self.choices(&half, source).n));
        let n = u64::from(synapses);
        let on_left = if l + r == 0 {
            0
        } else if self.rule.multapses {
            binomial(n, l, r, random)
        } else {
            hypergeometric(l, r, n, random)
        };
        u32::try_from(on_left).map_or(synapses, |n| n.min(synapses))
    }

    fn choices(&self, targets: &Range<u32>, source: u32) -> Choices {
        Choices::targets(self.sides, targets, source, self.rule.autapses)
    }

    fn draw_block(&mut self, node: &Node) {
        let mut random = self.streams.rule(node.id);
        let n: usize = node.synapses.iter().map(|&k| k as usize).sum();
        let block = &mut self.block;
        block.targets = node.targets.clone();
        block.drawn.clear();
        block.drawn.reserve(n);
        block.starts.clear();
        block.starts.resize(node.targets.len() + 2, 0);
        for (source, &k) in (0..).zip(&node.synapses) {
            let choices = Choices::targets(self.sides, &node.targets, source, self.rule.autapses);
            self.draw
                .draw(choices, u64::from(k), &mut random, |target| {
                    block.drawn.push(target);
                    block.starts[target as usize + 2] += 1;
                });
        }
        for i in 2..block.starts.len() {
            block.starts[i] += block.starts[i - 1];
        }
        block.sources.clear();
        block.sources.resize(n, 0);
        let mut drawn = block.drawn.iter();
        for (source, &k) in (0..).zip(&node.synapses) {
            for &target in drawn.by_ref().take(k as usize) {
                let at = &mut block.starts[target as usize + 1];
                block.sources[*at] = source;
                *at += 1;
            }
        }
    }
}

impl RowDrawer for Blocks<'_> {
    fn row(&mut self, target: u32, _: &mut Construction, row: &mut Vec<Candidate>) {
        if self.rule.outdegree == 0 {
            return;
        }
        if !self.block.targets.contains(&target) {
            self.advance_to(target);
        }
        let Some(at) = target.checked_sub(self.block.targets.start) else {
            return;
        };
        let here = self.block.starts[at as usize]..self.block.starts[at as usize + 1];
        row.extend(self.block.sources[here].iter().map(|&source| free(source)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However many blocks there are, every source has its out-degree.
    #[test]
    fn small_blocks_keep_every_out_degree() {
        let sides = Sides {
            n_source: 37,
            n_target: 37,
            same: true,
        };
        for (multapses, autapses) in [(true, true), (true, false), (false, true), (false, false)] {
            for block_synapses in [1, 10, 100, 1 << 22] {
                let rule = FixedOutdegree {
                    outdegree: 11,
                    multapses,
                    autapses,
                    block_synapses,
                };
                let streams = RuleStreams::new(5, 2);
                let mut rows = rule.rows(sides, 0..37, streams);
                let mut out = [0; 37];
                for target in 0..37 {
                    let mut row = Vec::new();
                    rows.row(target, &mut streams.row(target), &mut row);
                    assert!(row.is_sorted_by_key(|c| c.source));
                    let twice = row.windows(2).any(|w| w[0].source == w[1].source);
                    assert!(multapses || !twice);
                    assert!(autapses || row.iter().all(|c| c.source != target));
                    row.iter().for_each(|c| out[c.source as usize] += 1);
                }
                assert_eq!(out, [11; 37], "{multapses} {autapses} {block_synapses}");
            }
        }
    }
}
