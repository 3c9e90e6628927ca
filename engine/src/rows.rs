//! The target side of a projection: for each source neuron, its synapses onto one shard, sorted by
//! delay, so that step t delivers, for each delay d, the segment (source, d) of what fired at t − d.

use std::collections::BTreeSet;
use std::ops::Range;

use rheobase_equations::real::Real;

use crate::packet::History;
use crate::plan::{NodeId, Synapses};
use crate::port::{Candidate, Sides};
use crate::random::{Purpose, construction_stream};

/// Synapses of one projection onto the targets of one shard.
#[derive(Clone, Debug)]
pub struct Rows<R> {
    source: NodeId,
    n_source: u32,
    /// Targets of the shard in one copy of the batch.
    n_target: u32,
    /// Distinct delays in steps, ascending.
    delays: Vec<u64>,
    /// Start of segment (source, delay) in `targets`: index `source · n_delays + delay`.
    starts: Vec<u64>,
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
    /// Drawn or listed delays that were moved to the grid.
    pub rounded_delays: u64,
    /// Delays below the smallest allowed, raised to it.
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
    /// second copy is ever held. Time O(synapses), memory that of the result.
    ///
    /// # Errors
    /// If a drawn weight or delay cannot be used.
    pub fn build(request: &RowsRequest<'_>) -> Result<(Self, RowCounts), RowsError> {
        let mut delays = BTreeSet::new();
        let mut counts = RowCounts::default();
        for_each_synapse(request, |s| {
            delays.insert(s.delay_steps);
            counts.synapses += 1;
            counts.rounded_delays += u64::from(s.rounded);
            counts.raised_delays += u64::from(s.raised);
            if R::from_f64(s.weight).is_finite() {
                Ok(())
            } else {
                Err(RowsError::Weight {
                    projection: request.projection.to_owned(),
                    weight: s.weight,
                    source_neuron: s.source,
                    target: s.target,
                })
            }
        })?;
        let delays: Vec<u64> = delays.into_iter().collect();
        let segment = |s: &Drawn| {
            let d = delays.binary_search(&s.delay_steps).unwrap_or(0);
            s.source as usize * delays.len() + d
        };
        let mut starts = vec![0_u64; request.sides.n_source as usize * delays.len() + 1];
        for_each_synapse(request, |s| {
            starts[segment(&s) + 1] += 1;
            Ok(())
        })?;
        for k in 1..starts.len() {
            starts[k] += starts[k - 1];
        }
        let n = to_usize(counts.synapses);
        let mut targets = vec![0_u32; n];
        let constant = request
            .synapses
            .weight
            .constant()
            .filter(|_| !has_fixed_weights(request));
        let mut each = vec![R::ZERO; if constant.is_some() { 0 } else { n }];
        let mut cursor = starts.clone();
        for_each_synapse(request, |s| {
            let at = &mut cursor[segment(&s)];
            targets[to_usize(*at)] = s.target - request.range.start;
            if let Some(w) = each.get_mut(to_usize(*at)) {
                *w = R::from_f64(s.weight);
            }
            *at += 1;
            Ok(())
        })?;
        let weights = match constant {
            Some(w) => Weights::Constant(R::from_f64(w)),
            None => Weights::Each(each),
        };
        let rows = Self {
            source: request.source,
            n_source: request.sides.n_source,
            n_target: request.range.end - request.range.start,
            delays,
            starts,
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

    /// Adds what arrives at `step` to `input`, in the order emission step, source, position in row.
    /// Returns the number of synaptic events. Cost: spikes × (delays + synapses each).
    pub fn deliver(&self, step: u64, history: &History<R>, input: &mut [R]) -> u64 {
        let mut events = 0;
        let n_delays = self.delays.len();
        for (d, &delay) in self.delays.iter().enumerate().rev() {
            let Some(emitted) = step.checked_sub(delay) else {
                continue;
            };
            for spikes in history.spikes(self.source, emitted) {
                for &lane in spikes {
                    let (copy, source) = (lane / self.n_source, lane % self.n_source);
                    let segment = source as usize * n_delays + d;
                    let range = to_usize(self.starts[segment])..to_usize(self.starts[segment + 1]);
                    events += range.len() as u64;
                    let first = (copy * self.n_target) as usize;
                    self.add_segment(range, &mut input[first..]);
                }
            }
        }
        events
    }

    #[inline]
    fn add_segment(&self, range: Range<usize>, input: &mut [R]) {
        let targets = &self.targets[range.clone()];
        match &self.weights {
            Weights::Constant(w) => {
                for &t in targets {
                    input[t as usize] += *w;
                }
            }
            Weights::Each(weights) => {
                for (&t, &w) in targets.iter().zip(&weights[range]) {
                    input[t as usize] += w;
                }
            }
        }
    }

    /// Reverse of [`Self::deliver`]: adds to the source's spike cotangents what the cotangent of
    /// the input sum at `step` implies. `emit` gives the cotangents of the source at a step.
    pub fn reverse(
        &self,
        step: u64,
        input_cotangent: &[R],
        batch: usize,
        mut emitted_at: impl FnMut(u64, &mut dyn FnMut(&mut [R])),
    ) {
        let n_delays = self.delays.len();
        for (d, &delay) in self.delays.iter().enumerate() {
            let Some(emitted) = step.checked_sub(delay).filter(|&e| e > 0) else {
                continue;
            };
            emitted_at(emitted, &mut |cotangent: &mut [R]| {
                for copy in 0..batch {
                    let inputs = &input_cotangent[copy * self.n_target as usize..];
                    for source in 0..self.n_source as usize {
                        let segment = source * n_delays + d;
                        let range =
                            to_usize(self.starts[segment])..to_usize(self.starts[segment + 1]);
                        cotangent[copy * self.n_source as usize + source] +=
                            self.gather_segment(range, inputs);
                    }
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
        self.starts.len() * 8 + self.targets.len() * 4 + weights
    }
}

fn has_fixed_weights(request: &RowsRequest<'_>) -> bool {
    // Only lists fix weights; their value in the description stays a constant 1.
    request.synapses.rule.fixes_weights()
}

/// Draws every synapse of the shard, target by target, and hands it to `f`.
fn for_each_synapse(
    request: &RowsRequest<'_>,
    mut f: impl FnMut(Drawn) -> Result<(), RowsError>,
) -> Result<(), RowsError> {
    let mut row: Vec<Candidate> = Vec::new();
    for target in request.range.clone() {
        let mut random = construction_stream(
            request.seed,
            Purpose::Projection,
            request.index,
            u64::from(target),
        );
        row.clear();
        request
            .synapses
            .rule
            .row(request.sides, target, &mut random, &mut row);
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
            let drawn = to_grid(request, candidate.source, target, weight, delay_ms)?;
            f(drawn)?;
        }
    }
    Ok(())
}

fn to_grid(
    request: &RowsRequest<'_>,
    source: u32,
    target: u32,
    weight: f64,
    delay_ms: f64,
) -> Result<Drawn, RowsError> {
    let on_grid = crate::time::steps_on_grid(delay_ms, request.dt_ms);
    let steps = on_grid.unwrap_or_else(|| crate::time::steps_rounded(delay_ms, request.dt_ms));
    let least = request.synapses.min_delay_steps;
    let valid = delay_ms.is_finite() && steps <= MAX_DELAY_STEPS;
    let drawn_freely = request.synapses.delay.constant().is_none();
    if !valid || (delay_ms < 0.0 && !drawn_freely) {
        return Err(RowsError::Delay {
            projection: request.projection.to_owned(),
            delay_ms,
            source_neuron: source,
            target,
            limit: MAX_DELAY_STEPS,
        });
    }
    Ok(Drawn {
        source,
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
