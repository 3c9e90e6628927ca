//! Where the synapses of each source and delay lie in the arrays of a projection.

use std::ops::Range;

/// Start of every segment, that is of the synapses of one source with one delay.
///
/// Made in two passes over the synapses: [`Self::count`] each and [`Self::counted`], then
/// [`Self::place`] each, in the same order, and [`Self::placed`].
#[derive(Clone, Debug)]
pub(super) enum Table {
    /// An entry for every pair of source and delay: found at once.
    Dense(Dense),
    /// Only segments that hold synapses: found by a search. Memory O(synapses).
    Sparse(Sparse),
}

/// How segments are found.
pub(super) trait Segments {
    /// The segment (source, delay); empty where there is none.
    fn segment(&self, source: u32, delay: usize) -> Range<usize>;

    /// Hands every source with synapses of this delay and its segment to `f`, sources ascending.
    fn for_each(&self, delay: usize, f: impl FnMut(u32, Range<usize>));
}

/// Segments ordered by source, then delay.
#[derive(Clone, Debug)]
pub(super) struct Dense {
    n_delays: usize,
    /// Index `source · n_delays + delay`, and the number of synapses at the end.
    starts: Vec<u64>,
}

/// Segments ordered by delay, then source.
#[derive(Clone, Debug)]
pub(super) struct Sparse {
    /// First segment of each delay, and the number of segments at the end.
    firsts: Vec<usize>,
    /// Source of each segment, ascending within a delay.
    sources: Vec<u32>,
    /// Start of each segment, and the number of synapses at the end.
    starts: Vec<u64>,
}

/// Whether the dense table would take more than a few times the memory of the synapses.
pub(super) fn sparse_pays(n_source: f64, n_delays: f64, synapses: f64) -> bool {
    n_source * n_delays > 2.0 * (synapses + n_source)
}

/// Bytes of the table of a projection, at most.
pub(super) fn table_bytes(n_source: f64, n_delays: f64, synapses: f64) -> f64 {
    if sparse_pays(n_source, n_delays, synapses) {
        synapses * 12.0 + n_delays * 8.0
    } else {
        n_source * n_delays * 8.0
    }
}

impl Table {
    /// A table of a number of sources, before any synapse is counted.
    pub(super) fn dense(n_source: u32, n_delays: usize) -> Self {
        Self::Dense(Dense {
            n_delays,
            starts: vec![0; n_source as usize * n_delays + 1],
        })
    }

    /// A table that will hold so many synapses of each delay.
    pub(super) fn sparse(synapses: impl Iterator<Item = u64>) -> Self {
        let mut firsts = vec![0];
        let mut total = 0;
        firsts.extend(synapses.map(|n| {
            total += to_usize(n);
            total
        }));
        Self::Sparse(Sparse {
            firsts,
            sources: vec![0; total],
            starts: Vec::new(),
        })
    }

    /// Counts one synapse.
    pub(super) fn count(&mut self, source: u32, delay: usize) {
        match self {
            Self::Dense(t) => t.starts[source as usize * t.n_delays + delay + 1] += 1,
            Self::Sparse(t) => {
                let at = &mut t.firsts[delay];
                t.sources[*at] = source;
                *at += 1;
            }
        }
    }

    /// All synapses are counted.
    pub(super) fn counted(&mut self) {
        match self {
            Self::Dense(t) => {
                for k in 1..t.starts.len() {
                    t.starts[k] += t.starts[k - 1];
                }
            }
            Self::Sparse(t) => t.find_segments(),
        }
    }

    /// Where the next synapse of (source, delay) goes. Starts move on until [`Self::placed`].
    pub(super) fn place(&mut self, source: u32, delay: usize) -> usize {
        let at = match self {
            Self::Dense(t) => &mut t.starts[source as usize * t.n_delays + delay],
            Self::Sparse(t) => {
                // Every synapse was counted, so its segment is there.
                let k = t.find(source, delay).unwrap_or(0);
                &mut t.starts[k]
            }
        };
        *at += 1;
        to_usize(*at - 1)
    }

    /// All synapses are placed.
    pub(super) fn placed(&mut self) {
        match self {
            Self::Dense(t) => ends_to_starts(&mut t.starts),
            Self::Sparse(t) => ends_to_starts(&mut t.starts),
        }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Dense(t) => t.starts.len() * 8,
            Self::Sparse(t) => t.firsts.len() * 8 + t.sources.len() * 4 + t.starts.len() * 8,
        }
    }
}

impl Segments for Dense {
    #[inline]
    fn segment(&self, source: u32, delay: usize) -> Range<usize> {
        let k = source as usize * self.n_delays + delay;
        to_usize(self.starts[k])..to_usize(self.starts[k + 1])
    }

    fn for_each(&self, delay: usize, mut f: impl FnMut(u32, Range<usize>)) {
        let segments = self.starts.windows(2).skip(delay).step_by(self.n_delays);
        for (source, ends) in (0..).zip(segments) {
            if ends[0] < ends[1] {
                f(source, to_usize(ends[0])..to_usize(ends[1]));
            }
        }
    }
}

impl Segments for Sparse {
    #[inline]
    fn segment(&self, source: u32, delay: usize) -> Range<usize> {
        self.find(source, delay).map_or(0..0, |k| self.range(k))
    }

    fn for_each(&self, delay: usize, mut f: impl FnMut(u32, Range<usize>)) {
        for k in self.firsts[delay]..self.firsts[delay + 1] {
            f(self.sources[k], self.range(k));
        }
    }
}

impl Sparse {
    #[inline]
    fn find(&self, source: u32, delay: usize) -> Option<usize> {
        let first = self.firsts[delay];
        let sources = &self.sources[first..self.firsts[delay + 1]];
        sources.binary_search(&source).ok().map(|k| first + k)
    }

    #[inline]
    fn range(&self, k: usize) -> Range<usize> {
        to_usize(self.starts[k])..to_usize(self.starts[k + 1])
    }

    /// From the source of every synapse, delay by delay, to the segments.
    fn find_segments(&mut self) {
        ends_to_starts(&mut self.firsts);
        let n_segments: usize = self
            .firsts
            .windows(2)
            .map(|ends| {
                let bucket = &mut self.sources[ends[0]..ends[1]];
                bucket.sort_unstable();
                bucket.chunk_by(|a, b| a == b).count()
            })
            .sum();
        self.starts = Vec::with_capacity(n_segments + 1);
        let mut bucket_start = 0;
        for delay in 0..self.firsts.len() - 1 {
            let bucket = bucket_start..self.firsts[delay + 1];
            bucket_start = bucket.end;
            let first = self.starts.len();
            self.firsts[delay] = first;
            for k in bucket {
                let source = self.sources[k];
                let kept = self.starts.len();
                if kept == first || self.sources[kept - 1] != source {
                    // Never ahead of what is read: there are no more segments than synapses.
                    self.sources[kept] = source;
                    self.starts.push(k as u64);
                }
            }
        }
        if let Some(last) = self.firsts.last_mut() {
            *last = n_segments;
        }
        self.starts.push(self.sources.len() as u64);
        self.sources.truncate(n_segments);
        self.sources.shrink_to_fit();
    }
}

/// Entries that moved from the start of their part to its end, back to the start: each end is the
/// start of the next part. The last entry, the end of all, stays.
fn ends_to_starts<T: Copy + Default>(ends: &mut [T]) {
    let n = ends.len();
    ends.copy_within(..n - 1, 1);
    ends[0] = T::default();
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "counts of things that are in memory"
)]
#[inline]
fn to_usize(x: u64) -> usize {
    x as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const N_SOURCE: u32 = 9;
    const N_DELAYS: usize = 7;

    /// Fills a table with these synapses and returns which of them stands where.
    fn fill(table: &mut Table, synapses: &[(u32, usize)]) -> Vec<usize> {
        for &(source, delay) in synapses {
            table.count(source, delay);
        }
        table.counted();
        let mut placed = vec![usize::MAX; synapses.len()];
        for (k, &(source, delay)) in synapses.iter().enumerate() {
            placed[table.place(source, delay)] = k;
        }
        table.placed();
        placed
    }

    fn compare(table: &impl Segments, placed: &[usize], synapses: &[(u32, usize)]) {
        for delay in 0..N_DELAYS {
            let mut walked = Vec::new();
            table.for_each(delay, |source, range| walked.push((source, range)));
            let mut expected_walk = Vec::new();
            for source in 0..N_SOURCE {
                let expected: Vec<usize> = (0..synapses.len())
                    .filter(|&k| synapses[k] == (source, delay))
                    .collect();
                let range = table.segment(source, delay);
                assert_eq!(placed[range.clone()], expected);
                if !expected.is_empty() {
                    expected_walk.push((source, range));
                }
            }
            assert_eq!(walked, expected_walk);
        }
    }

    proptest! {
        /// Either form holds every synapse once, in the order given within its segment.
        #[test]
        fn both_forms_find_what_was_put_in(
            synapses in prop::collection::vec((0..N_SOURCE, 0..N_DELAYS), 0..60)
        ) {
            let mut dense = Table::dense(N_SOURCE, N_DELAYS);
            let placed = fill(&mut dense, &synapses);
            let Table::Dense(dense) = dense else { unreachable!() };
            compare(&dense, &placed, &synapses);
            let per_delay = (0..N_DELAYS).map(|d| synapses.iter().filter(|s| s.1 == d).count());
            let mut sparse = Table::sparse(per_delay.map(|n| n as u64));
            let placed = fill(&mut sparse, &synapses);
            let most = 12.0 * synapses.len() as f64 + 8.0 * (N_DELAYS + 2) as f64;
            prop_assert!(sparse.bytes() as f64 <= most);
            let Table::Sparse(sparse) = sparse else { unreachable!() };
            compare(&sparse, &placed, &synapses);
        }
    }
}
