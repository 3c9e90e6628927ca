//! A set of lanes: which neurons something happens to in this step.

/// A bit for each lane, and a bit for each word of those that is not zero. Walks in ascending order.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    words: Vec<u64>,
    summary: Vec<u64>,
}

impl Marks {
    /// None of `n_lanes` lanes.
    pub(crate) fn new(n_lanes: usize) -> Self {
        let n_words = n_lanes.div_ceil(64);
        Self {
            words: vec![0; n_words],
            summary: vec![0; n_words.div_ceil(64)],
        }
    }

    /// Adds a lane. O(1).
    ///
    /// # Panics
    /// If there is no such lane.
    #[inline(always)]
    pub(crate) fn set(&mut self, lane: usize) {
        self.words[lane >> 6] |= 1 << (lane & 63);
        self.summary[lane >> 12] |= 1 << ((lane >> 6) & 63);
    }

    /// Takes the lanes in `first .. first + n` out of the set, `first` a multiple of 64, and appends
    /// them, less `first`, to `list`, ascending. Cost: lanes found, and one look per 4,096 lanes.
    #[allow(clippy::cast_possible_truncation, reason = "lanes are below 2^32")]
    pub(crate) fn take(&mut self, first: usize, n: usize, list: &mut Vec<u32>) {
        let (start, end) = (first >> 6, (first + n).div_ceil(64));
        for group in start >> 6..end.div_ceil(64) {
            // Words of the group that belong to the range.
            let low = start.saturating_sub(group << 6);
            let high = (end - (group << 6)).min(64);
            let wanted = (u64::MAX << low) & (u64::MAX >> (64 - high));
            let mut found = self.summary[group] & wanted;
            self.summary[group] &= !wanted;
            while found != 0 {
                let word = (group << 6) + found.trailing_zeros() as usize;
                found &= found - 1;
                let mut bits = std::mem::take(&mut self.words[word]);
                let base = ((word << 6) - first) as u32;
                while bits != 0 {
                    list.push(base + bits.trailing_zeros());
                    bits &= bits - 1;
                }
            }
        }
    }

    /// Takes the lanes in `first .. first + n` out of the set, `first` a multiple of 64.
    pub(crate) fn drop_range(&mut self, first: usize, n: usize) {
        self.words[first >> 6..(first + n).div_ceil(64)].fill(0);
    }

    /// Lanes it may hold.
    pub(crate) fn capacity(&self) -> usize {
        self.words.len() * 64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_taken_in_order(
            lanes in proptest::collection::vec(0_usize..20_000, 0..300),
            cuts in proptest::collection::vec(0_usize..313, 0..6),
        ) {
            let mut marks = Marks::new(20_000);
            for &lane in &lanes {
                marks.set(lane);
            }
            let all: BTreeSet<usize> = lanes.into_iter().collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c * 64).collect();
            cuts.extend([0, 20_000]);
            cuts.sort_unstable();
            for ends in cuts.windows(2) {
                let mut list = Vec::new();
                marks.take(ends[0], ends[1] - ends[0], &mut list);
                let expected: Vec<u32> = all
                    .range(ends[0]..ends[1])
                    .map(|&lane| u32::try_from(lane - ends[0]).unwrap())
                    .collect();
                prop_assert_eq!(list, expected);
            }
            prop_assert!(marks.words.iter().chain(&marks.summary).all(|&w| w == 0));
        }
    }
}
