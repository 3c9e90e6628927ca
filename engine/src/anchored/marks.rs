//! A set of blocks of lanes: where something happens in this step.

use super::layout::WIDTH;

/// A bit for each block, and a bit for each word of those that is not zero. Walks in ascending order.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    words: Vec<u64>,
    summary: Vec<u64>,
}

impl Marks {
    /// None of the blocks of `n_lanes` lanes.
    pub(crate) fn new(n_lanes: usize) -> Self {
        let n_words = n_lanes.div_ceil(64 * WIDTH);
        Self {
            words: vec![0; n_words],
            summary: vec![0; n_words.div_ceil(64)],
        }
    }

    /// Adds the block of a lane. O(1).
    ///
    /// # Panics
    /// If there is no such lane.
    #[inline(always)]
    pub(crate) fn set(&mut self, lane: usize) {
        let block = lane / WIDTH;
        self.words[block >> 6] |= 1 << (block & 63);
        self.summary[block >> 12] |= 1 << ((block >> 6) & 63);
    }

    /// Takes the blocks of the lanes `first .. first + n` out of the set, `first` a multiple of
    /// [`WIDTH`], and appends their numbers to `list`, ascending, that of `first` being 0. Cost: blocks
    /// found, and one look for 4,096 blocks.
    #[allow(clippy::cast_possible_truncation, reason = "lanes are below 2^32")]
    pub(crate) fn take(&mut self, first: usize, n: usize, list: &mut Vec<u32>) {
        let (start, end) = (first / WIDTH, (first + n).div_ceil(WIDTH));
        let words = start >> 6..end.div_ceil(64);
        for group in words.start >> 6..words.end.div_ceil(64) {
            let mut found = self.summary[group] & within(&words, group);
            while found != 0 {
                let word = (group << 6) + found.trailing_zeros() as usize;
                let wanted = within(&(start..end), word);
                let mut bits = self.words[word] & wanted;
                self.words[word] &= !wanted;
                if self.words[word] == 0 {
                    self.summary[group] &= !(found & found.wrapping_neg());
                }
                found &= found - 1;
                list.reserve(64);
                let base = (word << 6).wrapping_sub(start) as u32;
                while bits != 0 {
                    list.push(base.wrapping_add(bits.trailing_zeros()));
                    bits &= bits - 1;
                }
            }
        }
    }

    /// Takes the blocks of the lanes `first .. first + n` out of the set, `first` a multiple of
    /// [`WIDTH`].
    pub(crate) fn drop_range(&mut self, first: usize, n: usize) {
        let (start, end) = (first / WIDTH, (first + n).div_ceil(WIDTH));
        for word in start >> 6..end.div_ceil(64) {
            self.words[word] &= !within(&(start..end), word);
        }
    }

    /// Lanes it may hold.
    pub(crate) fn capacity(&self) -> usize {
        self.words.len() * 64 * WIDTH
    }
}

/// The bits of the word `word` that belong to `range`, of bits numbered through.
fn within(range: &std::ops::Range<usize>, word: usize) -> u64 {
    let low = range.start.saturating_sub(word << 6);
    let high = (range.end - (word << 6)).min(64);
    (u64::MAX << low) & (u64::MAX >> (64 - high))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_taken_in_order(
            lanes in proptest::collection::vec(0_usize..80_000, 0..300),
            cuts in proptest::collection::vec(0_usize..10_000, 0..6),
        ) {
            let mut marks = Marks::new(80_000);
            for &lane in &lanes {
                marks.set(lane);
            }
            let all: BTreeSet<usize> = lanes.into_iter().map(|lane| lane / WIDTH).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().collect();
            cuts.extend([0, 10_000]);
            cuts.sort_unstable();
            for (k, ends) in cuts.windows(2).enumerate() {
                let (first, n) = (ends[0] * WIDTH, (ends[1] - ends[0]) * WIDTH);
                if n == 0 {
                    continue;
                }
                if k % 3 == 2 {
                    marks.drop_range(first, n);
                }
                let mut list = Vec::new();
                marks.take(first, n, &mut list);
                let expected: Vec<u32> = all
                    .range(ends[0]..ends[1])
                    .filter(|_| k % 3 != 2)
                    .map(|&block| u32::try_from(block - ends[0]).unwrap())
                    .collect();
                prop_assert_eq!(list, expected);
            }
            prop_assert!(marks.words.iter().all(|&w| w == 0));
        }
    }
}
