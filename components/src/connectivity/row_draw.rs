//! Members of one row, each equally likely, with or without repetition.

use rheobase_engine::port::Candidate;
use rheobase_engine::random::Construction;

use super::{Choices, free};

/// Draws rows; keeps its memory between them.
pub(super) struct RowDraw {
    multapses: bool,
    /// Bit set of the positions taken in the row at hand; all zero between rows.
    taken: Vec<u64>,
    /// Positions in the order they were drawn.
    drawn: Vec<u32>,
}

impl RowDraw {
    pub(super) fn new(multapses: bool) -> Self {
        Self {
            multapses,
            taken: Vec::new(),
            drawn: Vec::new(),
        }
    }

    /// Appends `k` sources to a row; see [`Self::draw`].
    pub(super) fn append(
        &mut self,
        sources: Choices,
        k: u64,
        random: &mut Construction,
        row: &mut Vec<Candidate>,
    ) {
        row.reserve(usize::try_from(k).unwrap_or(0));
        self.draw(sources, k, random, |source| row.push(free(source)));
    }

    /// Draws `k` of `choices`: with multapses independently, without a set of different ones, each
    /// set equally likely; none where there is no choice. `k` is at most the number of choices where
    /// they must differ.
    #[inline]
    pub(super) fn draw(
        &mut self,
        choices: Choices,
        k: u64,
        random: &mut Construction,
        mut push: impl FnMut(u32),
    ) {
        if choices.n == 0 {
            return;
        }
        if self.multapses {
            for _ in 0..k {
                push(choices.get(random.below(choices.n)));
            }
            return;
        }
        self.draw_set(
            choices.n,
            u32::try_from(k).map_or(choices.n, |k| k.min(choices.n)),
            random,
        );
        for &position in &self.drawn {
            self.taken[position as usize / 64] = 0;
            push(choices.get(position));
        }
    }

    /// Floyd's algorithm: Bentley and Floyd 1987, doi:10.1145/30401.315746.
    fn draw_set(&mut self, n: u32, k: u32, random: &mut Construction) {
        let words = (n as usize).div_ceil(64);
        if self.taken.len() < words {
            self.taken.resize(words, 0);
        }
        self.drawn.clear();
        self.drawn.reserve(k as usize);
        for last in n - k..n {
            let drawn = random.below(last + 1);
            let new = if self.contains(drawn) { last } else { drawn };
            self.taken[new as usize / 64] |= 1 << (new % 64);
            self.drawn.push(new);
        }
    }

    fn contains(&self, i: u32) -> bool {
        self.taken[i as usize / 64] >> (i % 64) & 1 == 1
    }
}
