//! The target side of a projection: for each source neuron, its synapses onto one shard, sorted by
//! delay, so that step t delivers, for each delay d, the segment (source, d) of what fired at t − d.

mod table;

use std::collections::BTreeMap;
use std::ops::Range;

use rheobase_equations::real::Real;

use crate::packet::History;
use crate::plan::{NodeId, Synapses};
use crate::port::{Candidate, RuleStreams, Sides};
use table::{Segments, Table, sparse_pays};

/// Synapses of one projection onto the targets of one shard.
#[derive(Clone, Debug)]
pub struct Rows<R> {
    source: NodeId,
    n_source: u32,
    /// Targets of the shard in one copy of the batch.
    n_target: u32,
    /// Distinct delays in steps, ascending.
    delays: Vec<u64>,
    /// Where segment (source, delay) lies in `targets`.
    table: Table,
    /// Target, relative to the shard.
    targets: Vec<u32>,
    weights: Weights<R>,
}

/// Weights of the synapses of a projection.
#[derive(Clone, Debug)]
pub enum Weights<R> {
    /// All the same.
    Constant(R),
    /// One per synapse.
    Each(Vec<R>),
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

/// Why rows cannot be built.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowsError {
    /// A drawn weight is not finite in the population's precision.
    #[error(
        "{projection}: weight {weight} of source {source_neuron} onto target {target} is not finite in this precision"
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
}

/// Longest delay, in steps.
pub const MAX_DELAY_STEPS: u64 = 1 << 20;

/// What rows are drawn from.
pub struct RowsRequest<'a> {
    /// Name for messages.
    pub projection: &'a str,
    /// Place of the projection in the description: keys its random streams.
    pub index: u64,
    /// Rule, weights, delays.
    pub synapses: &'a Synapses,
    /// Sizes of the two sides.
    pub sides: Sides,
    /// Source node.
    pub source: NodeId,
    /// Targets of this shard.
    pub range: Range<u32>,
    /// Seed of the network.
    pub seed: u64,
    /// Step \[ms\].
    pub dt_ms: f64,
}

/// One synapse as drawn.
#[derive(Clone, Copy)]
struct Drawn {
    source: u32,
    target: u32,
    weight: f64,
    delay_steps: u64,
    rounded: bool,
    raised: bool,
}

impl<R: Real> Rows<R> {
    /// Draws the synapses of a shard: once to find the delays, once to count, once to store; no
    /// second copy is ever held. Time O(synapses), memory that of the result: O(synapses + sources).
    ///
    /// # Errors
    /// If a drawn weight or delay cannot be used.
    pub fn build(request: &RowsRequest<'_>) -> Result<(Self, RowCounts), RowsError> {
        Self::build_as(request, sparse_pays)
    }

    /// [`Self::build`], with the choice of table: from the numbers of sources, delays, synapses.
    fn build_as(
        request: &RowsRequest<'_>,
        sparse: fn(f64, f64, f64) -> bool,
    ) -> Result<(Self, RowCounts), RowsError> {
        let (per_delay, counts) = find_delays::<R>(request)?;
        let delays: Vec<u64> = per_delay.keys().copied().collect();
        let delay = |s: &Drawn| delays.binary_search(&s.delay_steps).unwrap_or(0);
        let n_source = request.sides.n_source;
        #[allow(clippy::cast_precision_loss, reason = "compared roughly")]
        let is_sparse = sparse(
            f64::from(n_source),
            delays.len() as f64,
            counts.synapses as f64,
        );
        let mut table = if is_sparse {
            Table::sparse(per_delay.values().copied())
        } else {
            Table::dense(n_source, delays.len())
        };
        for_each_synapse(request, |s| {
            table.count(s.source, delay(&s));
            Ok(())
        })?;
        table.counted();
        let n = to_usize(counts.synapses);
        let mut targets = vec![0_u32; n];
        let constant = request
            .synapses
            .weight
            .constant()
            .filter(|_| !has_fixed_weights(request));
        let mut each = vec![R::ZERO; if constant.is_some() { 0 } else { n }];
        for_each_synapse(request, |s| {
            let at = table.place(s.source, delay(&s));
            // Below n_target, since `for_each_synapse` walks the range: `add_constant` relies on it.
            targets[at] = s.target - request.range.start;
            if let Some(w) = each.get_mut(at) {
                *w = R::from_f64(s.weight);
            }
            Ok(())
        })?;
        table.placed();
        let weights = match constant {
            Some(w) => Weights::Constant(R::from_f64(w)),
            None => Weights::Each(each),
        };
        let rows = Self {
            source: request.source,
            n_source,
            n_target: request.range.end - request.range.start,
            delays,
            table,
            targets,
            weights,
        };
        Ok((rows, counts))
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

    /// Adds what arrives at `step` to `input` (the lanes of the shard, all copies of the batch), in
    /// the order emission step, source, position in row. Returns the number of synaptic events.
    /// Cost: spikes × (delays + synapses each); a look-up takes a search where there are many delays
    /// for few synapses.
    ///
    /// # Panics
    /// If `input` is shorter than the targets of the shard.
    pub fn deliver(&self, step: u64, history: &History<R>, input: &mut [R]) -> u64 {
        match &self.table {
            Table::Dense(table) => self.deliver_by(table, step, history, input),
            Table::Sparse(table) => self.deliver_by(table, step, history, input),
        }
    }

    #[inline]
    fn deliver_by(
        &self,
        table: &impl Segments,
        step: u64,
        history: &History<R>,
        input: &mut [R],
    ) -> u64 {
        let mut events = 0;
        let n_target = self.n_target as usize;
        for (d, &delay) in self.delays.iter().enumerate().rev() {
            let Some(emitted) = step.checked_sub(delay) else {
                continue;
            };
            for spikes in history.spikes(self.source, emitted) {
                for &lane in spikes {
                    let (mut copy, mut source) = (0, lane);
                    if source >= self.n_source {
                        (copy, source) = (lane / self.n_source, lane % self.n_source);
                    }
                    let first = copy as usize * n_target;
                    let range = table.segment(source, d);
                    events += self.add_segment(range, &mut input[first..first + n_target]);
                }
            }
        }
        events
    }

    /// Adds a segment to the targets of one copy of the batch.
    #[inline]
    fn add_segment(&self, range: Range<usize>, input: &mut [R]) -> u64 {
        let targets = &self.targets[range.clone()];
        assert!(input.len() >= self.n_target as usize, "one lane per target");
        match &self.weights {
            Weights::Constant(w) => add_constant(targets, *w, input),
            Weights::Each(weights) => add_each(targets, &weights[range], input),
        }
        targets.len() as u64
    }

    /// Reverse of [`Self::deliver`]: adds to the source's spike cotangents what the cotangent of
    /// the input sum at `step` implies. `emit` gives the cotangents of the source at a step.
    pub fn reverse(
        &self,
        step: u64,
        input_cotangent: &[R],
        batch: usize,
        emitted_at: impl FnMut(u64, &mut dyn FnMut(&mut [R])),
    ) {
        match &self.table {
            Table::Dense(table) => self.reverse_by(table, step, input_cotangent, batch, emitted_at),
            Table::Sparse(table) => {
                self.reverse_by(table, step, input_cotangent, batch, emitted_at);
            }
        }
    }

    fn reverse_by(
        &self,
        table: &impl Segments,
        step: u64,
        input_cotangent: &[R],
        batch: usize,
        mut emitted_at: impl FnMut(u64, &mut dyn FnMut(&mut [R])),
    ) {
        for (d, &delay) in self.delays.iter().enumerate() {
            let Some(emitted) = step.checked_sub(delay).filter(|&e| e > 0) else {
                continue;
            };
            emitted_at(emitted, &mut |cotangent: &mut [R]| {
                for copy in 0..batch {
                    let inputs = &input_cotangent[copy * self.n_target as usize..];
                    let first = copy * self.n_source as usize;
                    table.for_each(d, |source, range| {
                        cotangent[first + source as usize] += self.gather_segment(range, inputs);
                    });
                }
            });
        }
    }

    fn gather_segment(&self, range: Range<usize>, inputs: &[R]) -> R {
        let mut sum = R::ZERO;
        for k in range {
            let w = match &self.weights {
                Weights::Constant(w) => *w,
                Weights::Each(weights) => weights[k],
            };
            sum += w * inputs[self.targets[k] as usize];
        }
        sum
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let weights = match &self.weights {
            Weights::Constant(_) => 0,
            Weights::Each(w) => w.len() * R::BYTES,
        };
        self.table.bytes() + self.delays.len() * 8 + self.targets.len() * 4 + weights
    }
}

/// `input[t] += w` for every target. The inner loop of the simulation.
#[inline]
#[allow(
    unsafe_code,
    reason = "a bounds check per synaptic event costs a fifth of delivery"
)]
fn add_constant<R: Real>(targets: &[u32], w: R, input: &mut [R]) {
    for &t in targets {
        debug_assert!((t as usize) < input.len());
        // SAFETY: `Rows::build` keeps every target below `n_target`, and `add_segment`, the only
        // caller, has asserted that `input` has that many lanes.
        unsafe { *input.get_unchecked_mut(t as usize) += w };
    }
}

/// `input[t] += w` for every target and its weight.
#[inline]
#[allow(
    unsafe_code,
    reason = "a bounds check per synaptic event costs a fifth of delivery"
)]
fn add_each<R: Real>(targets: &[u32], weights: &[R], input: &mut [R]) {
    for (&t, &w) in targets.iter().zip(weights) {
        debug_assert!((t as usize) < input.len());
        // SAFETY: as in `add_constant`.
        unsafe { *input.get_unchecked_mut(t as usize) += w };
    }
}

fn has_fixed_weights(request: &RowsRequest<'_>) -> bool {
    // Only lists fix weights; their value in the description stays a constant 1.
    request.synapses.rule.fixes_weights()
}

/// Bytes of the tables that find the synapses of one shard, about: what a build will allocate.
pub(crate) fn estimated_table_bytes(n_source: u32, n_delays: f64, synapses: f64) -> f64 {
    table::table_bytes(f64::from(n_source), n_delays, synapses)
}

/// Number of synapses of each delay; checks every weight.
fn find_delays<R: Real>(
    request: &RowsRequest<'_>,
) -> Result<(BTreeMap<u64, u64>, RowCounts), RowsError> {
    let mut per_delay = BTreeMap::new();
    let mut counts = RowCounts::default();
    for_each_synapse(request, |s| {
        *per_delay.entry(s.delay_steps).or_insert(0) += 1;
        counts.synapses += 1;
        counts.rounded_delays += u64::from(s.rounded);
        counts.raised_delays += u64::from(s.raised);
        if R::from_f64(s.weight).is_finite() {
            return Ok(());
        }
        Err(RowsError::Weight {
            projection: request.projection.to_owned(),
            weight: s.weight,
            source_neuron: s.source,
            target: s.target,
        })
    })?;
    Ok((per_delay, counts))
}

/// Draws every synapse of the shard, target by target, and hands it to `f`.
fn for_each_synapse(
    request: &RowsRequest<'_>,
    mut f: impl FnMut(Drawn) -> Result<(), RowsError>,
) -> Result<(), RowsError> {
    let mut row: Vec<Candidate> = Vec::new();
    let streams = RuleStreams::new(request.seed, request.index);
    let rule = &request.synapses.rule;
    let mut rows = rule.rows(request.sides, request.range.clone(), streams);
    for target in request.range.clone() {
        let mut random = streams.row(target);
        row.clear();
        rows.row(target, &mut random, &mut row);
        for (k, candidate) in row.iter().enumerate() {
            if candidate.source >= request.sides.n_source {
                return Err(RowsError::Source {
                    projection: request.projection.to_owned(),
                    source_neuron: candidate.source,
                    n_source: request.sides.n_source,
                });
            }
            let (weight, delay_ms) = match candidate.fixed {
                Some(fixed) => fixed,
                None => {
                    let weight = request.synapses.weight.get(k, &mut random);
                    (weight, request.synapses.delay.get(k, &mut random))
                }
            };
            f(to_grid(request, candidate, target, weight, delay_ms)?)?;
        }
    }
    Ok(())
}

/// Puts the delay of a synapse on the grid. What was drawn is rounded and raised; what was given is
/// taken at its word, or refused.
fn to_grid(
    request: &RowsRequest<'_>,
    candidate: &Candidate,
    target: u32,
    weight: f64,
    delay_ms: f64,
) -> Result<Drawn, RowsError> {
    let projection = || request.projection.to_owned();
    let source_neuron = candidate.source;
    let on_grid = crate::time::steps_on_grid(delay_ms, request.dt_ms);
    let steps = on_grid.unwrap_or_else(|| crate::time::steps_rounded(delay_ms, request.dt_ms));
    let least = request.synapses.min_delay_steps;
    let valid = delay_ms.is_finite() && steps <= MAX_DELAY_STEPS;
    let given = candidate.fixed.is_some() || request.synapses.delay.constant().is_some();
    if !valid || (given && delay_ms < 0.0) {
        return Err(RowsError::Delay {
            projection: projection(),
            delay_ms,
            source_neuron,
            target,
            limit: MAX_DELAY_STEPS,
        });
    }
    if given && on_grid.is_none() && !request.synapses.round_delay {
        return Err(RowsError::OffGrid {
            projection: projection(),
            delay_ms,
            source_neuron,
            target,
            dt_ms: request.dt_ms,
        });
    }
    if given && steps < least {
        return Err(RowsError::TooShort {
            projection: projection(),
            delay_ms,
            source_neuron,
            target,
            least,
        });
    }
    Ok(Drawn {
        source: source_neuron,
        target,
        weight,
        delay_steps: steps.max(least),
        rounded: on_grid.is_none(),
        raised: steps < least,
    })
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
mod tests;
