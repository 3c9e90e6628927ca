//! Connectivity rules: which sources each target neuron receives.
//!
//! Every rule draws *rows*: the synapses of one target neuron, from a stream keyed by seed, projection
//! and target. What belongs to more than one row (how many synapses each target gets) is drawn from
//! streams of the rule's own, once per range of targets and always the same. Rows may therefore be
//! built in any pieces, twice, or on another thread.

mod all_to_all;
mod explicit;
mod fixed_indegree;
mod fixed_outdegree;
mod fixed_total_number;
mod one_to_one;
mod pairwise_bernoulli;
mod row_draw;
mod sampling;
mod split;

use std::ops::Range;

use rheobase_engine::arguments::{ArgumentKind, ArgumentSpec};
use rheobase_engine::port::{Candidate, Registry, Sides};

/// Adds every rule of this room.
pub(crate) fn register(registry: &mut Registry) {
    let rules = [
        ("all_to_all", all_to_all::ENTRY),
        ("one_to_one", one_to_one::ENTRY),
        ("pairwise_bernoulli", pairwise_bernoulli::ENTRY),
        ("fixed_indegree", fixed_indegree::ENTRY),
        ("fixed_outdegree", fixed_outdegree::ENTRY),
        ("fixed_total_number", fixed_total_number::ENTRY),
        ("explicit", explicit::ENTRY),
    ];
    registry
        .rules
        .extend(rules.map(|(name, entry)| (name.to_owned(), entry)));
}

/// The argument shared by rules that can draw a pair twice.
const MULTAPSES: ArgumentSpec = ArgumentSpec {
    name: "multapses",
    kind: ArgumentKind::Boolean,
    default: Some("true"),
    doc: "a pair may be joined more than once",
};

/// The argument shared by rules that can meet a neuron twice on both sides.
const AUTAPSES: ArgumentSpec = ArgumentSpec {
    name: "autapses",
    kind: ArgumentKind::Boolean,
    default: Some("true"),
    doc: "a neuron may project onto itself, where source and target are the same population",
};

/// What one end of a synapse may be joined to: consecutive neurons, or all but one of them.
#[derive(Clone, Copy, Debug)]
struct Choices {
    /// How many.
    n: u32,
    /// Position of the one left out.
    skipped: Option<u32>,
}

impl Choices {
    /// The sources a target may receive from.
    fn sources(sides: Sides, target: u32, autapses: bool) -> Self {
        Self::all_but(sides.n_source, (sides.same && !autapses).then_some(target))
    }

    /// The targets within `range` that a source may send to, counted from its start.
    fn targets(sides: Sides, range: &Range<u32>, source: u32, autapses: bool) -> Self {
        let n = range.end.saturating_sub(range.start);
        let itself = sides.same && !autapses && range.contains(&source);
        Self::all_but(n, itself.then(|| source - range.start))
    }

    fn all_but(n: u32, skipped: Option<u32>) -> Self {
        Self {
            n: n.saturating_sub(u32::from(skipped.is_some())),
            skipped,
        }
    }

    /// The one at position `i < n`, in ascending order.
    #[inline]
    fn get(self, i: u32) -> u32 {
        match self.skipped {
            Some(skipped) if i >= skipped => i + 1,
            _ => i,
        }
    }
}

/// Sources per target: the same for every target.
fn n_sources(sides: Sides, autapses: bool) -> u32 {
    Choices::sources(sides, 0, autapses).n
}

/// A synapse whose weight and delay the projection decides.
#[inline]
fn free(source: u32) -> Candidate {
    Candidate {
        source,
        fixed: None,
    }
}

#[cfg(test)]
mod tests;
