//! Where the synapses of each source and delay lie in the arrays of a bundle.

use std::ops::Range;

use super::RowsError;
use crate::pages::{OutOfMemory, Pages};

/// Start of every segment, that is of the synapses of one source with one delay.
///
/// Made in two passes over the synapses: [`Counter`] counts each, then [`Self::place`] gives each its
/// place, in the same order, and [`Self::placed`] ends it.
#[derive(Debug)]
pub(super) enum Table {
    /// An entry for every pair of source and delay: found at once.
    Dense(Dense),
    /// Only segments that hold synapses: found by a search. Memory O(synapses).
    Sparse(Sparse),
}

/// How segments are found.
pub(super) trait Segments {
    /// The segment (source, delay); empty where there is none.
    fn segment(&self, source: u32, delay: usize) -> Range<u32>;
}

/// Segments ordered by source, then delay: the row of a source is read from front to back as its
/// spike reaches one delay after the other.
#[derive(Debug)]
pub(super) struct Dense {
    n_delays: usize,
    /// Index `source · n_delays + delay`, and the number of synapses at the end.
    starts: Pages<u32>,
}

/// Segments ordered by delay, then source.
#[derive(Clone, Debug)]
pub(super) struct Sparse {
    /// First segment of each delay, and the number of segments at the end.
    firsts: Vec<usize>,
    /// Source of each segment, ascending within a delay.
    sources: Vec<u32>,
    /// Start of each segment, and the number of synapses at the end.
    starts: Vec<u32>,
}

/// Whether the dense table would take more than a few times the memory of the synapses.
pub(super) fn sparse_pays(n_source: f64, n_delays: f64, synapses: f64) -> bool {
    n_source * n_delays > 2.0 * (synapses + n_source)
}

/// Bytes of the table of a projection, at most.
pub(super) fn table_bytes(n_source: f64, n_delays: f64, synapses: f64) -> f64 {
    if sparse_pays(n_source, n_delays, synapses) {
        synapses * 8.0 + n_delays * 8.0
    } else {
        n_source * n_delays * 4.0
    }
}

/// Synapses of one source, delay by delay, while they are counted: a dense table whose columns come
/// in the order in which delays are met.
pub(super) struct Counter {
    n_source: usize,
    /// Columns there is room for.
    room: usize,
    /// Delay of each column.
    delays: Vec<u32>,
    /// Column of each delay, plus one; 0 for delays not met.
    columns: Vec<u32>,
    /// `source · room + column`.
    counts: Pages<u32>,
    /// The most entries the table may have.
    limit: usize,
}

/// Why synapses cannot be counted in a dense table.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum CountError {
    /// There are so many delays that it would waste memory.
    #[error("too many delays")]
    TooManyDelays,
    /// There is no memory for it.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
}

impl Counter {
    /// For `n_source` sources and a table of at most `limit` entries.
    pub(super) fn new(n_source: u32, limit: usize) -> Result<Self, OutOfMemory> {
        Ok(Self {
            n_source: n_source as usize,
            room: 1,
            delays: Vec::new(),
            columns: Vec::new(),
            counts: Pages::zeroed(n_source as usize)?,
            limit: limit.max(n_source as usize),
        })
    }

    /// Counts the synapses of a row.
    pub(super) fn count(&mut self, sources: &[u32], delays: &[u32]) -> Result<(), CountError> {
        for &delay in delays {
            if self.columns.get(delay as usize).is_none_or(|&c| c == 0) {
                self.add_column(delay)?;
            }
        }
        let (columns, room) = (self.columns.as_slice(), self.room);
        let counts: &mut [u32] = &mut self.counts;
        for (&source, &delay) in sources.iter().zip(delays) {
            let column = columns[delay as usize] as usize - 1;
            counts[source as usize * room + column] += 1;
        }
        Ok(())
    }

    #[cold]
    fn add_column(&mut self, delay: u32) -> Result<(), CountError> {
        let column = self.delays.len();
        if column == self.room {
            self.widen()?;
        }
        self.delays.push(delay);
        if self.columns.len() <= delay as usize {
            self.columns.resize(delay as usize + 1, 0);
        }
        self.columns[delay as usize] = narrow(column + 1);
        Ok(())
    }

    fn widen(&mut self) -> Result<(), CountError> {
        let room = 2 * self.room;
        if self.n_source * room > self.limit {
            return Err(CountError::TooManyDelays);
        }
        let mut counts = Pages::zeroed(self.n_source * room)?;
        for (new, old) in counts
            .chunks_exact_mut(room)
            .zip(self.counts.chunks_exact(self.room))
        {
            new[..self.room].copy_from_slice(old);
        }
        (self.room, self.counts) = (room, counts);
        Ok(())
    }

    /// Delays, ascending, and the table.
    pub(super) fn finish(self) -> Result<(Vec<u64>, Table), OutOfMemory> {
        let mut order: Vec<usize> = (0..self.delays.len()).collect();
        order.sort_unstable_by_key(|&c| self.delays[c]);
        let n_delays = order.len();
        let mut starts = Pages::zeroed(self.n_source * n_delays + 1)?;
        let (mut total, mut at) = (0, 0);
        for counts in self.counts.chunks_exact(self.room) {
            for &column in &order {
                total += counts[column];
                at += 1;
                starts[at] = total;
            }
        }
        let delays = order.iter().map(|&c| u64::from(self.delays[c])).collect();
        Ok((delays, Table::Dense(Dense { n_delays, starts })))
    }
}

impl Table {
    /// A sparse table that will hold so many synapses of each delay, before [`Self::count`].
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

    /// Counts one synapse of a sparse table; dense ones come counted.
    pub(super) fn count(&mut self, source: u32, delay: usize) {
        if let Self::Sparse(t) = self {
            let at = &mut t.firsts[delay];
            t.sources[*at] = source;
            *at += 1;
        }
    }

    /// All synapses of a sparse table are counted.
    pub(super) fn counted(&mut self) {
        if let Self::Sparse(t) = self {
            t.find_segments();
        }
    }

    /// Appends the places of the synapses of a row. `columns` gives the place of each delay among all.
    /// Starts move on until [`Self::placed`].
    pub(super) fn place(
        &mut self,
        sources: &[u32],
        delays: &[u32],
        columns: &[u32],
        places: &mut Vec<u32>,
    ) {
        let row = sources.iter().zip(delays);
        match self {
            Self::Dense(t) => {
                let (starts, n_delays): (&mut [u32], usize) = (&mut t.starts, t.n_delays);
                places.extend(row.map(|(&source, &delay)| {
                    let column = columns[delay as usize] as usize;
                    let at = &mut starts[source as usize * n_delays + column];
                    *at += 1;
                    *at - 1
                }));
            }
            Self::Sparse(t) => places.extend(row.map(|(&source, &delay)| {
                // Every synapse was counted, so its segment is there.
                let k = t.find(source, columns[delay as usize] as usize);
                let at = &mut t.starts[k.unwrap_or(0)];
                *at += 1;
                *at - 1
            })),
        }
    }

    /// All synapses are placed.
    pub(super) fn placed(&mut self) {
        match self {
            Self::Dense(t) => ends_to_starts(&mut t.starts),
            Self::Sparse(t) => ends_to_starts(&mut t.starts),
        }
    }

    /// Number of synapses.
    pub(super) fn synapses(&self) -> usize {
        let starts: &[u32] = match self {
            Self::Dense(t) => &t.starts,
            Self::Sparse(t) => &t.starts,
        };
        starts.last().map_or(0, |&end| end as usize)
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Dense(t) => t.starts.len() * 4,
            Self::Sparse(t) => t.firsts.len() * 8 + t.sources.len() * 4 + t.starts.len() * 4,
        }
    }
}

impl Dense {
    /// Starts of the segments of a source, delays ascending, and the end of the last.
    #[inline]
    pub(super) fn row(&self, source: u32) -> &[u32] {
        let first = source as usize * self.n_delays;
        &self.starts[first..=first + self.n_delays]
    }
}

impl Segments for Dense {
    #[inline]
    fn segment(&self, source: u32, delay: usize) -> Range<u32> {
        let k = source as usize * self.n_delays + delay;
        self.starts[k]..self.starts[k + 1]
    }
}

impl Segments for Sparse {
    #[inline]
    fn segment(&self, source: u32, delay: usize) -> Range<u32> {
        self.find(source, delay).map_or(0..0, |k| self.range(k))
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
    fn range(&self, k: usize) -> Range<u32> {
        self.starts[k]..self.starts[k + 1]
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
                    self.starts.push(narrow(k));
                }
            }
        }
        if let Some(last) = self.firsts.last_mut() {
            *last = n_segments;
        }
        self.starts.push(narrow(self.sources.len()));
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

/// The most synapses that a bundle may have onto one shard.
pub const MAX_SYNAPSES: u64 = u32::MAX as u64;

/// Refuses more synapses than a table can number.
pub(super) fn check_synapses(projection: &str, synapses: u64) -> Result<(), RowsError> {
    if synapses <= MAX_SYNAPSES {
        return Ok(());
    }
    Err(RowsError::TooMany {
        projection: projection.to_owned(),
        synapses,
    })
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "counts of synapses, below MAX_SYNAPSES, and of delays"
)]
fn narrow(n: usize) -> u32 {
    n as u32
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "counts of things that are in memory"
)]
#[inline]
fn to_usize(x: u64) -> usize {
    x as usize
}
