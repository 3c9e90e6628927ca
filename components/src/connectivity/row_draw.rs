//! The sources of one row, each equally likely, with or without repetition.

use rheobase_engine::port::Candidate;
use rheobase_engine::random::Construction;

use super::{Sources, free};

/// Draws rows; keeps its memory between them.
pub(super) struct RowDraw {
    multapses: bool,
    /// Bit set of the positions taken in the row at hand; all zero between rows.
    taken: Vec<u64>,
}

impl RowDraw {
    pub(super) fn new(multapses: bool) -> Self {
        Self {
            multapses,
            taken: Vec::new(),
        }
    }

    /// Appends `k` sources: with multapses independent ones, without a set of different ones, each
    /// set equally likely. `k` is at most the number of sources where they must differ.
    pub(super) fn append(
        &mut self,
        sources: Sources,
        k: u32,
        random: &mut Construction,
        row: &mut Vec<Candidate>,
    ) {
        if k == 0 || sources.n == 0 {
            return;
        }
        if self.multapses {
            row.extend((0..k).map(|_| free(sources.get(random.below(sources.n)))));
        } else {
            self.append_set(sources, k.min(sources.n), random, row);
        }
    }

    /// Floyd's algorithm: Bentley and Floyd 1987, doi:10.1145/30401.315746.
    fn append_set(
        &mut self,
        sources: Sources,
        k: u32,
        random: &mut Construction,
        row: &mut Vec<Candidate>,
    ) {
        let words = (sources.n as usize).div_ceil(64);
        if self.taken.len() < words {
            self.taken.resize(words, 0);
        }
        let first = row.len();
        for last in sources.n - k..sources.n {
            let drawn = random.below(last + 1);
            let new = if self.contains(drawn) { last } else { drawn };
            self.taken[new as usize / 64] |= 1 << (new % 64);
            row.push(free(new));
        }
        for candidate in &mut row[first..] {
            self.taken[candidate.source as usize / 64] = 0;
            candidate.source = sources.get(candidate.source);
        }
    }

    fn contains(&self, i: u32) -> bool {
        self.taken[i as usize / 64] >> (i % 64) & 1 == 1
    }
}
