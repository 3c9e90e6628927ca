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
            // Below n_target, since `for_each_synapse` walks the range: `add_constant` relies on it.
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

    /// Adds what arrives at `step` to `input` (the lanes of the shard, all copies of the batch), in
    /// the order emission step, source, position in row. Returns the number of synaptic events.
    /// Cost: spikes × (delays + synapses each).
    ///
    /// # Panics
    /// If `input` is shorter than the targets of the shard.
    pub fn deliver(&self, step: u64, history: &History<R>, input: &mut [R]) -> u64 {
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
                    events += self.add_segment(source, d, &mut input[first..first + n_target]);
                }
            }
        }
        events
    }

    /// Adds the segment (source, delay) to the targets of one copy of the batch.
    #[inline]
    fn add_segment(&self, source: u32, delay: usize, input: &mut [R]) -> u64 {
        let range = self.segment(source, delay);
        let targets = &self.targets[range.clone()];
        assert!(input.len() >= self.n_target as usize, "one lane per target");
        match &self.weights {
            Weights::Constant(w) => add_constant(targets, *w, input),
            Weights::Each(weights) => add_each(targets, &weights[range], input),
        }
        targets.len() as u64
    }

    /// Where segment (source, delay) lies.
    #[inline]
    fn segment(&self, source: u32, delay: usize) -> Range<usize> {
        let segment = source as usize * self.delays.len() + delay;
        to_usize(self.starts[segment])..to_usize(self.starts[segment + 1])
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
        for (d, &delay) in self.delays.iter().enumerate() {
            let Some(emitted) = step.checked_sub(delay).filter(|&e| e > 0) else {
                continue;
            };
            emitted_at(emitted, &mut |cotangent: &mut [R]| {
                for copy in 0..batch {
                    let inputs = &input_cotangent[copy * self.n_target as usize..];
                    for source in 0..self.n_source {
                        let range = self.segment(source, d);
                        cotangent[copy * self.n_source as usize + source as usize] +=
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::port::ConnectivityRule;
    use crate::random::Construction;
    use crate::time::Slice;
    use crate::value::{Distribution, Shape, Value};

    /// Each pair with probability one third, some of them twice.
    struct Third;

    impl ConnectivityRule for Third {
        fn check(&self, _: Sides) -> Result<(), String> {
            Ok(())
        }
        fn expected_synapses(&self, sides: Sides) -> f64 {
            f64::from(sides.n_source) * f64::from(sides.n_target) / 3.0
        }
        fn row(&self, sides: Sides, _: u32, random: &mut Construction, row: &mut Vec<Candidate>) {
            for source in 0..sides.n_source {
                for _ in 0..random.below(6).saturating_sub(3) {
                    row.push(Candidate {
                        source,
                        fixed: None,
                    });
                }
            }
        }
    }

    fn request(synapses: &Synapses, range: Range<u32>) -> RowsRequest<'_> {
        RowsRequest {
            projection: "test",
            index: 3,
            synapses,
            sides: Sides {
                n_source: 17,
                n_target: 40,
                same: false,
            },
            source: 0,
            range,
            seed: 5,
            dt_ms: 0.1,
        }
    }

    /// Delivery of random spikes over twelve steps, against a dense sum over all synapses in the
    /// declared order.
    fn compare_with_dense(weight: Value, range: Range<u32>) {
        let uniform = Shape::Uniform {
            low: 0.0,
            high: 0.6,
        };
        let synapses = Synapses {
            rule: Arc::new(Third),
            weight,
            delay: Value::Drawn(Distribution {
                shape: uniform,
                bounds: None,
            }),
            min_delay_steps: 1,
            round_delay: true,
        };
        let request = request(&synapses, range.clone());
        let (rows, counts) = Rows::<f32>::build(&request).unwrap();
        let mut drawn = Vec::new();
        for_each_synapse(&request, |s| {
            drawn.push(s);
            Ok(())
        })
        .unwrap();
        assert_eq!(drawn.len() as u64, counts.synapses);
        assert!(counts.rounded_delays > 0 && counts.raised_delays > 0);
        drawn.sort_by_key(|s| s.source);
        let fires =
            |step: u64, source: u32| step > 0 && (step * 7 + u64::from(source) * 3) % 5 == 0;
        let mut history = History::new(&[8], 1, 1);
        for step in 1..=12 {
            history.begin(Slice {
                first: step,
                len: 1,
            });
            let mut expected = vec![0.0_f32; range.len()];
            let mut events = 0;
            for emitted in step.saturating_sub(8)..step {
                for s in &drawn {
                    if s.delay_steps == step - emitted && fires(emitted, s.source) {
                        expected[(s.target - range.start) as usize] += f32::from_f64(s.weight);
                        events += 1;
                    }
                }
            }
            let mut input = vec![0.0_f32; range.len()];
            assert_eq!(rows.deliver(step, &history, &mut input), events);
            assert_eq!(input, expected, "step {step}");
            let mut packet = history.recycle(0, 0);
            packet
                .spikes_mut()
                .extend((0..17).filter(|&s| fires(step, s)));
            packet.end_step();
            history.put(0, 0, Arc::new(packet));
        }
    }

    #[test]
    fn delivery_equals_a_dense_sum_in_the_declared_order() {
        let drawn = Shape::Normal { mean: 1.0, sd: 0.3 };
        for range in [0..40, 7..23] {
            compare_with_dense(Value::Constant(0.3), range.clone());
            compare_with_dense(
                Value::Drawn(Distribution {
                    shape: drawn,
                    bounds: None,
                }),
                range,
            );
        }
    }

    #[test]
    #[should_panic(expected = "range end index")]
    fn an_input_that_is_too_short_is_refused() {
        let synapses = Synapses {
            rule: Arc::new(Third),
            weight: Value::Constant(1.0),
            delay: Value::Constant(0.1),
            min_delay_steps: 1,
            round_delay: false,
        };
        let (rows, _) = Rows::<f32>::build(&request(&synapses, 0..40)).unwrap();
        let mut history = History::new(&[2], 1, 1);
        history.begin(Slice { first: 1, len: 1 });
        let mut packet = history.recycle(0, 0);
        packet.spikes_mut().extend(0..17);
        packet.end_step();
        history.put(0, 0, Arc::new(packet));
        rows.deliver(2, &history, &mut [0.0; 39]);
    }
}
