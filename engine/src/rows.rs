//! The target side of a bundle of projections: for each source neuron, its synapses onto one shard,
//! sorted by delay, so that step t delivers, for each delay d, the segment (source, d) of what fired
//! at t − d.
//!
//! A *bundle* is all projections from one source population onto the same port of different target
//! populations: together their segments are long enough to be worth fetching. Targets are lanes of
//! the shard, 2 bytes each where that suffices; weights are stored only where they differ.

mod draw;
mod segment;
mod store;
#[cfg(feature = "gpu")]
mod survey;
mod table;
mod wiring;

use rheobase_equations::real::Real;

use crate::packet::History;
use crate::pages::OutOfMemory;
use crate::plan::{NodeId, WeightStorage};
pub(crate) use draw::{Draw, for_each_row};
pub use draw::{MAX_DELAY_STEPS, Part};
pub use segment::Segment;
use segment::{Stored, Weights};
pub(crate) use store::{Counted, count, store};
#[cfg(feature = "gpu")]
pub(crate) use survey::Survey;
pub use table::MAX_SYNAPSES;
use table::{Dense, Segments, Table};
pub use wiring::Synapse;
pub(crate) use wiring::Wiring;

/// Synapses of one bundle onto the targets of one shard.
#[derive(Debug)]
pub struct Rows<R> {
    source: NodeId,
    n_source: u32,
    /// Lanes of one copy of the batch.
    n_target: u32,
    /// Distinct delays in steps, ascending.
    delays: Vec<u64>,
    /// Where segment (source, delay) lies among the synapses.
    table: Table,
    synapses: Stored<R>,
}

/// What is counted while rows are drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RowCounts {
    /// Synapses.
    pub synapses: u64,
    /// Delays that were moved to the grid: drawn ones, and given ones where that was asked for.
    pub rounded_delays: u64,
    /// Drawn delays below the smallest allowed, raised to it.
    pub raised_delays: u64,
}

/// What rows are drawn from.
pub struct RowsRequest<'a> {
    /// Source node.
    pub source: NodeId,
    /// Its neurons.
    pub n_source: u32,
    /// Lanes of the targets in one copy of the batch.
    pub n_target: u32,
    /// The projections of the bundle; at least one. All have the same constant weight, or none has.
    pub parts: Vec<Part<'a>>,
    /// How weights that differ are kept.
    pub storage: WeightStorage,
}

/// Why rows cannot be built.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowsError {
    /// A drawn weight is not finite in the population's precision, or beyond what quantised storage
    /// holds.
    #[error(
        "{projection}: weight {weight} of source {source_neuron} onto target {target} cannot be kept in this precision and weight_storage"
    )]
    Weight {
        /// The projection.
        projection: String,
        /// The weight.
        weight: f64,
        /// Source neuron.
        source_neuron: u32,
        /// Target neuron.
        target: u32,
    },
    /// A delay is negative, not finite, or longer than the limit.
    #[error(
        "{projection}: delay {delay_ms} ms of source {source_neuron} onto target {target} is outside 0 ..= {limit} steps"
    )]
    Delay {
        /// The projection.
        projection: String,
        /// The delay.
        delay_ms: f64,
        /// Source neuron.
        source_neuron: u32,
        /// Target neuron.
        target: u32,
        /// The limit.
        limit: u64,
    },
    /// A given delay is no whole number of steps, and rounding was not asked for.
    #[error(
        "{projection}: delay {delay_ms} ms of source {source_neuron} onto target {target} is no whole number of steps of {dt_ms} ms; round_delay = true rounds it"
    )]
    OffGrid {
        /// The projection.
        projection: String,
        /// The delay.
        delay_ms: f64,
        /// Source neuron.
        source_neuron: u32,
        /// Target neuron.
        target: u32,
        /// Length of a step.
        dt_ms: f64,
    },
    /// A given delay is shorter than the projection allows.
    #[error(
        "{projection}: delay {delay_ms} ms of source {source_neuron} onto target {target} is shorter than {least} steps, the least here; every edge on a cycle needs at least one step"
    )]
    TooShort {
        /// The projection.
        projection: String,
        /// The delay.
        delay_ms: f64,
        /// Source neuron.
        source_neuron: u32,
        /// Target neuron.
        target: u32,
        /// Steps it must have.
        least: u64,
    },
    /// A delay onto a population in continuous time is below one step, on a cycle.
    #[error(
        "{projection}: delay {delay_ms} ms of source {source_neuron} onto target {target} is shorter than one step of {dt_ms} ms, the least on a cycle; a smaller dt allows it, `redraw` bounds drawn delays"
    )]
    BelowStep {
        /// The projection.
        projection: String,
        /// The delay.
        delay_ms: f64,
        /// Source neuron.
        source_neuron: u32,
        /// Target neuron.
        target: u32,
        /// Length of a step.
        dt_ms: f64,
    },
    /// A row of the connectivity rule names a source that does not exist.
    #[error(
        "{projection}: the rule gave source {source_neuron}, but the source has {n_source} neurons"
    )]
    Source {
        /// The projection.
        projection: String,
        /// The source.
        source_neuron: u32,
        /// How many there are.
        n_source: u32,
    },
    /// A rule gives weight and delay with some synapses only.
    #[error(
        "{projection}: the rule must give weight and delay with every synapse or with none, as its `fixes_weights` says; source {source_neuron} onto target {target} differs"
    )]
    Fixed {
        /// The projection.
        projection: String,
        /// Source neuron.
        source_neuron: u32,
        /// Target neuron.
        target: u32,
    },
    /// More synapses than a table can number.
    #[error(
        "{projection}: {synapses} synapses of one source population onto one shard are more than {MAX_SYNAPSES}; more threads make smaller shards, except of networks with a batch and of populations that emit real values"
    )]
    TooMany {
        /// The projection.
        projection: String,
        /// The synapses.
        synapses: u64,
    },
    /// A part reaches beyond the lanes of its bundle: a fault of the caller.
    #[error("{projection}: lane {lane} is not among the {n_target} of the bundle")]
    Lane {
        /// The projection.
        projection: String,
        /// The lane.
        lane: u32,
        /// How many there are.
        n_target: u32,
    },
    /// The system has no memory left.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
}

/// Segments that are on their way to the targets of some rows.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// Those that arrive at step s, at s modulo the length; none where each is looked up when it is
    /// due.
    lists: Vec<Vec<Segment>>,
    /// The last step whose spikes are on the lists.
    known: u64,
}

#[allow(clippy::cast_possible_truncation, reason = "places in short lists")]
#[inline]
fn to_usize(x: u64) -> usize {
    x as usize
}

impl<R: Real> Rows<R> {
    /// Draws the synapses of a shard: once to count, once to store; no second copy is ever held. Time
    /// O(synapses), memory that of the result: O(synapses + sources · delays).
    ///
    /// # Errors
    /// If a drawn weight or delay cannot be used.
    pub fn build(request: &RowsRequest<'_>) -> Result<(Self, Vec<RowCounts>), RowsError> {
        let counted = count(request)?;
        let counts = counted.counts.clone();
        let largest = counted.largest_weight;
        Ok((store(request, counted, largest)?, counts))
    }

    /// The source node.
    #[must_use]
    pub fn source(&self) -> NodeId {
        self.source
    }

    /// Shortest delay in steps; `None` without synapses.
    #[must_use]
    pub fn min_delay(&self) -> Option<u64> {
        self.delays.first().copied()
    }

    /// Longest delay in steps; 0 without synapses.
    #[must_use]
    pub fn max_delay(&self) -> u64 {
        self.delays.last().copied().unwrap_or(0)
    }

    /// Nothing on its way.
    #[must_use]
    pub fn arrivals(&self) -> Arrivals {
        let ring = matches!(self.table, Table::Dense(_)) && self.delays.len() > 1;
        let n_lists = if ring { self.max_delay() + 1 } else { 0 };
        let mut lists = Vec::new();
        lists.resize_with(usize::try_from(n_lists).unwrap_or(0), Vec::new);
        Arrivals { lists, known: 0 }
    }

    /// Appends the segments that arrive at `step` to `due`, in the order emission step, source, and
    /// begins to fetch the first. Returns the number of synaptic events. Steps ascend; after a gap
    /// `arrivals` must be new. Cost: spikes × delays; with few synapses of many delays also a search
    /// for each.
    pub fn find_due(
        &self,
        step: u64,
        history: &History<R>,
        arrivals: &mut Arrivals,
        due: &mut Vec<Segment>,
    ) -> u64 {
        let first = due.len();
        match &self.table {
            Table::Dense(table) if !arrivals.lists.is_empty() => {
                self.absorb(table, step, history, arrivals);
                let n_lists = arrivals.lists.len() as u64;
                due.append(&mut arrivals.lists[to_usize(step % n_lists)]);
            }
            Table::Dense(table) => self.find_by(table, step, history, due),
            Table::Sparse(table) => self.find_by(table, step, history, due),
        }
        segment::fetch_first(&due[first..], &self.synapses);
        let lengths = due[first..].iter().map(|s| u64::from(s.end - s.start));
        lengths.sum()
    }

    /// Puts the segments of spikes that are new onto the lists of the steps at which they arrive: the
    /// row of a source is looked up once, not at every delay.
    fn absorb(&self, table: &Dense, step: u64, history: &History<R>, arrivals: &mut Arrivals) {
        let (Some(least), most) = (self.min_delay(), self.max_delay()) else {
            return;
        };
        let Some(last) = step.checked_sub(least) else {
            return;
        };
        let first = (arrivals.known + 1).max(step.saturating_sub(most));
        for emitted in first..=last {
            // What a run that begins here has not missed.
            let skipped = self.delays.partition_point(|&d| emitted + d < step);
            let spikes = history.spikes(self.source, emitted);
            for &lane in spikes {
                segment::fetch_all(table.row(self.split(lane).1));
            }
            for &lane in spikes {
                let (copy, source) = self.split(lane);
                let row = table.row(source);
                let columns = self.delays.iter().zip(row.windows(2)).skip(skipped);
                for (&delay, ends) in columns {
                    if ends[0] == ends[1] {
                        continue;
                    }
                    let at = (emitted + delay) % arrivals.lists.len() as u64;
                    arrivals.lists[to_usize(at)].push(Segment {
                        start: ends[0],
                        end: ends[1],
                        first: copy * self.n_target,
                    });
                }
            }
        }
        arrivals.known = last.max(arrivals.known);
    }

    fn find_by(
        &self,
        table: &impl Segments,
        step: u64,
        history: &History<R>,
        due: &mut Vec<Segment>,
    ) {
        for (d, &delay) in self.delays.iter().enumerate().rev() {
            if let Some(emitted) = step.checked_sub(delay) {
                self.find_delay(table, d, history.spikes(self.source, emitted), due);
            }
        }
    }

    /// Appends the segments of the d-th delay.
    fn find_delay(&self, table: &impl Segments, d: usize, spikes: &[u32], due: &mut Vec<Segment>) {
        for &lane in spikes {
            let (copy, source) = self.split(lane);
            let range = table.segment(source, d);
            if range.start < range.end {
                due.push(Segment {
                    start: range.start,
                    end: range.end,
                    first: copy * self.n_target,
                });
            }
        }
    }

    /// Adds all that arrives in one step to `input`, in the order emission step, source, position in row.
    /// `fired` tells what the source emitted so many steps before. `due` is memory to work with: it
    /// grows only where it holds fewer segments than the source has spikes in a step. Cost: synaptic
    /// events, and spikes × delays.
    ///
    /// # Panics
    /// If `input` is shorter than the targets, or a spike of a neuron that does not exist.
    pub fn deliver_step<'s>(
        &self,
        fired: impl Fn(u64) -> &'s [u32],
        due: &mut Vec<Segment>,
        input: &mut [R],
    ) {
        due.clear();
        for (d, &delay) in self.delays.iter().enumerate().rev() {
            let spikes = fired(delay);
            if due.len() + spikes.len() > due.capacity() {
                self.flush(due, input);
            }
            match &self.table {
                Table::Dense(table) => self.find_delay(table, d, spikes, due),
                Table::Sparse(table) => self.find_delay(table, d, spikes, due),
            }
        }
        self.flush(due, input);
    }

    fn flush(&self, due: &mut Vec<Segment>, input: &mut [R]) {
        segment::fetch_first(due, &self.synapses);
        self.deliver(due, input);
        due.clear();
    }

    /// Copy of the batch and neuron.
    #[inline]
    fn split(&self, lane: u32) -> (u32, u32) {
        if lane < self.n_source {
            (0, lane)
        } else {
            (lane / self.n_source, lane % self.n_source)
        }
    }

    /// Adds the segments that [`Self::find_due`] found to `input`: the lanes of the bundle, all copies
    /// of the batch. Cost: synaptic events.
    ///
    /// # Panics
    /// If `input` is shorter than the targets of the shard, or `due` of other rows.
    pub fn deliver(&self, due: &[Segment], input: &mut [R]) {
        let n_target = self.n_target as usize;
        segment::add_segments(due, &self.synapses, n_target, input);
    }

    /// Lanes of the bundle, all copies of the batch.
    #[must_use]
    pub fn n_lanes(&self, batch: usize) -> usize {
        self.n_target as usize * batch
    }

    /// Tells the lanes that the segments of `due` reach; one that is reached k times is told k times.
    /// Cost: synaptic events.
    #[inline]
    pub fn for_each_target(&self, due: &[Segment], mut reached: impl FnMut(usize)) {
        segment::for_each_target(due, &self.synapses, self.n_target as usize, &mut reached);
    }

    /// How far a stored weight may be from the drawn one; 0 where weights are exact.
    #[must_use]
    pub fn weight_error_bound(&self) -> f64 {
        match &self.synapses {
            Stored::Packed { unit, .. }
            | Stored::Apart {
                weights: Weights::Quantised { unit, .. },
                ..
            } => {
                // Half a unit, and the rounding of the product.
                unit.to_f64() * (0.5 + 32767.0 * f64::from(f32::EPSILON))
            }
            Stored::Apart { .. } => 0.0,
        }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let synapses = match &self.synapses {
            Stored::Packed { words, .. } => words.bytes(),
            Stored::Apart { targets, weights } => targets.bytes() + weights.bytes(),
        };
        self.table.bytes() + self.delays.len() * 8 + synapses
    }
}

/// Bytes of the tables that find the synapses of one shard, and of the lists of what is under way,
/// about: what a build will allocate.
pub(crate) fn estimated_table_bytes(
    n_source: u32,
    n_delays: f64,
    longest_delay: f64,
    synapses: f64,
) -> f64 {
    const LIST_BYTES: f64 = 24.0;
    let n_source = f64::from(n_source);
    let lists = n_delays > 1.0 && !table::sparse_pays(n_source, n_delays, synapses);
    let lists = if lists { longest_delay + 1.0 } else { 0.0 };
    table::table_bytes(n_source, n_delays, synapses) + LIST_BYTES * lists
}

#[cfg(test)]
mod tests;
