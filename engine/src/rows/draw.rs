//! Drawing the synapses of a projection, row by row.

use std::ops::Range;

use super::RowsError;
use crate::exact::moment::Clock;
use crate::plan::Synapses;
use crate::port::{Candidate, RuleStreams, Sides};
use crate::value::Value;

/// Longest delay, in steps.
pub const MAX_DELAY_STEPS: u64 = 1 << 20;

/// A projection onto the targets of one shard.
#[derive(Clone)]
pub struct Part<'a> {
    /// Name for messages.
    pub projection: &'a str,
    /// Place of the projection in the description: keys its random streams.
    pub index: u64,
    /// Rule, weights, delays.
    pub synapses: &'a Synapses,
    /// Sizes of the two sides.
    pub sides: Sides,
    /// Targets of this shard.
    pub range: Range<u32>,
    /// Lane of the first of them among the lanes of the bundle.
    pub first_lane: u32,
    /// Seed of the network.
    pub seed: u64,
    /// Step \[ms\].
    pub dt_ms: f64,
}

impl Part<'_> {
    /// What no weight exceeds in size, where the description tells.
    pub(super) fn largest_weight(&self) -> Option<f64> {
        match &self.synapses.weight {
            Value::Drawn(distribution) if !self.synapses.rule.fixes_weights() => {
                distribution.largest()
            }
            _ => None,
        }
    }

    /// Synapses that are likely to be drawn onto this shard.
    pub(super) fn expected_synapses(&self) -> f64 {
        let all = self.synapses.rule.expected_synapses(self.sides);
        let here = f64::from(self.range.end - self.range.start);
        all * here / f64::from(self.sides.n_target.max(1))
    }

    /// A delay that no moment can be counted from.
    #[cold]
    pub(crate) fn bad_delay(&self, delay_ms: f64, source_neuron: u32, lane: u32) -> RowsError {
        RowsError::Delay {
            projection: self.projection.to_owned(),
            delay_ms,
            source_neuron,
            target: self.range.start + (lane - self.first_lane),
            limit: MAX_DELAY_STEPS,
        }
    }

    /// More synapses than a shard can number.
    #[cold]
    pub(crate) fn too_many(&self, synapses: u64) -> RowsError {
        RowsError::TooMany {
            projection: self.projection.to_owned(),
            synapses,
        }
    }

    #[cold]
    pub(crate) fn bad_weight(&self, weight: f64, source_neuron: u32, lane: u32) -> RowsError {
        RowsError::Weight {
            projection: self.projection.to_owned(),
            weight,
            source_neuron,
            target: self.range.start + (lane - self.first_lane),
        }
    }
}

/// The synapses of one target, in the order of the rule.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) sources: Vec<u32>,
    /// In steps; empty where delays stay as they are.
    pub(super) delays: Vec<u32>,
    /// As drawn.
    pub(crate) delays_ms: Vec<f64>,
    /// Empty unless asked for.
    pub(crate) weights: Vec<f64>,
    pub(super) rounded: u64,
    pub(super) raised: u64,
}

/// What is drawn of each synapse besides its source and delay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Draw {
    Delays,
    DelaysAndWeights,
    /// Delays as they are, off the grid, and weights.
    Exact,
}

/// Draws every row of `part`, targets ascending, and hands it to `f` with the lane of the target.
pub(crate) fn for_each_row(
    part: &Part<'_>,
    what: Draw,
    mut f: impl FnMut(u32, &Row) -> Result<(), RowsError>,
) -> Result<(), RowsError> {
    let streams = RuleStreams::new(part.seed, part.index);
    let rule = &part.synapses.rule;
    let mut drawer = rule.rows(part.sides, part.range.clone(), streams);
    let mut scratch = Scratch::default();
    let mut row = Row::default();
    for target in part.range.clone() {
        let mut random = streams.row(target);
        scratch.candidates.clear();
        drawer.row(target, &mut random, &mut scratch.candidates);
        row.take_sources(part, target, &scratch.candidates)?;
        // Delays come first, so that they can be had without the weights.
        let fixed = rule.fixes_weights();
        let given = || scratch.candidates.iter().filter_map(|c| c.fixed);
        row.delays_ms.clear();
        if fixed {
            row.delays_ms.extend(given().map(|(_, delay_ms)| delay_ms));
        } else {
            let delay = &part.synapses.delay;
            delay.fill(row.sources.len(), &mut random, &mut row.delays_ms);
        }
        if what == Draw::Exact {
            row.check_delays(part, target)?;
        } else {
            row.take_delays(part, target)?;
        }
        row.weights.clear();
        if what != Draw::Delays && fixed {
            row.weights.extend(given().map(|(weight, _)| weight));
        } else if what != Draw::Delays {
            let weight = &part.synapses.weight;
            weight.fill(row.sources.len(), &mut random, &mut row.weights);
        }
        f(part.first_lane + (target - part.range.start), &row)?;
    }
    Ok(())
}

#[derive(Default)]
struct Scratch {
    candidates: Vec<Candidate>,
}

impl Row {
    fn take_sources(
        &mut self,
        part: &Part<'_>,
        target: u32,
        candidates: &[Candidate],
    ) -> Result<(), RowsError> {
        self.sources.clear();
        self.sources.extend(candidates.iter().map(|c| c.source));
        let n_source = part.sides.n_source;
        if let Some(&source_neuron) = self.sources.iter().find(|&&s| s >= n_source) {
            return Err(RowsError::Source {
                projection: part.projection.to_owned(),
                source_neuron,
                n_source,
            });
        }
        let fixed = part.synapses.rule.fixes_weights();
        match candidates.iter().find(|c| c.fixed.is_some() != fixed) {
            None => Ok(()),
            Some(c) => Err(RowsError::Fixed {
                projection: part.projection.to_owned(),
                source_neuron: c.source,
                target,
            }),
        }
    }

    /// Puts delays on the grid: what was drawn is rounded and raised; what was given is taken at its
    /// word, or refused.
    fn take_delays(&mut self, part: &Part<'_>, target: u32) -> Result<(), RowsError> {
        self.delays.clear();
        (self.rounded, self.raised) = (0, 0);
        let fixed = part.synapses.rule.fixes_weights();
        let delay = &part.synapses.delay;
        if !fixed && let (Some(&source), Some(delay_ms)) = (self.sources.first(), delay.constant())
        {
            // All alike: one look is enough.
            let (steps, rounded) = given_steps(part, source, target, delay_ms)?;
            self.delays.resize(self.sources.len(), steps);
            self.rounded = u64::from(rounded) * self.sources.len() as u64;
            return Ok(());
        }
        let least = to_u32(part.synapses.min_delay_steps);
        let drawn = !fixed && matches!(delay, Value::Drawn(_));
        for (&source, &delay_ms) in self.sources.iter().zip(&self.delays_ms) {
            let (steps, rounded) = if drawn {
                drawn_steps(part, source, target, delay_ms)?
            } else {
                given_steps(part, source, target, delay_ms)?
            };
            self.rounded += u64::from(rounded);
            self.raised += u64::from(steps < least);
            self.delays.push(steps.max(least));
        }
        Ok(())
    }
}

impl Row {
    /// Delays in continuous time: within limits, and at least one step on a cycle.
    fn check_delays(&self, part: &Part<'_>, target: u32) -> Result<(), RowsError> {
        let clock = Clock::new(part.dt_ms);
        for (&source_neuron, &delay_ms) in self.sources.iter().zip(&self.delays_ms) {
            let Some(span) = clock.delay(delay_ms).filter(|d| d.steps < MAX_DELAY_STEPS) else {
                return off_limits(part, source_neuron, target, delay_ms);
            };
            if span.steps < part.synapses.min_delay_steps {
                return Err(RowsError::BelowStep {
                    projection: part.projection.to_owned(),
                    delay_ms,
                    source_neuron,
                    target,
                    dt_ms: part.dt_ms,
                });
            }
        }
        Ok(())
    }
}

/// The nearest whole number, ties to even, of what is below 2⁵¹ in size: adding and taking away
/// 1.5 · 2⁵², where the baseline instruction set would call a function.
#[inline(always)]
pub(super) fn round_to_whole(x: f64) -> f64 {
    const WHOLE: f64 = 6_755_399_441_055_744.0;
    (x + WHOLE) - WHOLE
}

/// The nearest whole number of steps, and whether the delay lay off the grid.
#[inline]
fn drawn_steps(
    part: &Part<'_>,
    source: u32,
    target: u32,
    delay_ms: f64,
) -> Result<(u32, bool), RowsError> {
    #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
    const LIMIT: f64 = MAX_DELAY_STEPS as f64;
    let ratio = delay_ms / part.dt_ms;
    let nearest = round_to_whole(ratio);
    if ratio.is_nan() || ratio.abs() > LIMIT {
        return off_limits(part, source, target, delay_ms);
    }
    let near = (ratio - nearest).abs() <= 1e-9 * nearest.abs().max(1.0);
    let on_grid = near && (nearest > 0.0 || delay_ms == 0.0);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and MAX_DELAY_STEPS"
    )]
    let steps = nearest.max(0.0) as u32;
    Ok((steps, !on_grid))
}

/// The steps of a delay that was given, and whether it had to be rounded.
fn given_steps(
    part: &Part<'_>,
    source_neuron: u32,
    target: u32,
    delay_ms: f64,
) -> Result<(u32, bool), RowsError> {
    let projection = || part.projection.to_owned();
    let on_grid = crate::time::steps_on_grid(delay_ms, part.dt_ms);
    let steps = on_grid.unwrap_or_else(|| crate::time::steps_rounded(delay_ms, part.dt_ms));
    if !delay_ms.is_finite() || delay_ms < 0.0 || steps > MAX_DELAY_STEPS {
        return off_limits(part, source_neuron, target, delay_ms);
    }
    if on_grid.is_none() && !part.synapses.round_delay {
        return Err(RowsError::OffGrid {
            projection: projection(),
            delay_ms,
            source_neuron,
            target,
            dt_ms: part.dt_ms,
        });
    }
    if steps < part.synapses.min_delay_steps {
        return Err(RowsError::TooShort {
            projection: projection(),
            delay_ms,
            source_neuron,
            target,
            least: part.synapses.min_delay_steps,
        });
    }
    Ok((to_u32(steps), on_grid.is_none()))
}

#[cold]
fn off_limits<T>(
    part: &Part<'_>,
    source_neuron: u32,
    target: u32,
    delay_ms: f64,
) -> Result<T, RowsError> {
    Err(RowsError::Delay {
        projection: part.projection.to_owned(),
        delay_ms,
        source_neuron,
        target,
        limit: MAX_DELAY_STEPS,
    })
}

/// Steps of a delay: at most [`MAX_DELAY_STEPS`].
fn to_u32(steps: u64) -> u32 {
    u32::try_from(steps).unwrap_or(u32::MAX)
}
