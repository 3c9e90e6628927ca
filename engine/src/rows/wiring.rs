//! The synapses of one projection as a whole, ordered by source: what training reads in both directions.

use std::ops::Range;

use rheobase_equations::real::Real;

use super::RowsError;
use super::draw::{Draw, Part, for_each_row};
use super::table::{MAX_SYNAPSES, check_synapses};
use crate::build::whole_part;
use crate::pages::OutOfMemory;
use crate::plan::Plan;

/// Who is connected with whom, after how many steps. Synapses are ordered by source, delay, target and
/// the order of the rule, and numbered in that order.
#[derive(Debug)]
pub(crate) struct Wiring {
    /// Distinct delays in steps, ascending.
    delays: Vec<u32>,
    /// First run of each source, and the number of runs at the end.
    first_runs: Vec<u32>,
    runs: Vec<Run>,
    targets: Vec<u32>,
}

/// The synapses of one source with one delay.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    /// Place among the delays.
    delay: u32,
    /// One past its last synapse; the first comes after the last of the run before.
    end: u32,
}

/// Where a synapse leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Synapse {
    /// Source neuron.
    pub source: u32,
    /// Target neuron.
    pub target: u32,
    /// Delay in steps.
    pub delay_steps: u32,
}

impl Wiring {
    /// Draws the synapses of an edge of the plan, as a simulation does, and their weights; `None` where
    /// the edge has no synapses. Time O(synapses), memory 8 bytes a synapse beyond that of the result.
    ///
    /// # Errors
    /// If something drawn cannot be used, or memory does not suffice.
    pub(crate) fn draw<R: Real>(
        plan: &Plan,
        index: usize,
    ) -> Result<Option<(Self, Vec<R>)>, RowsError> {
        let Some(part) = whole_part(plan, index) else {
            return Ok(None);
        };
        Ok(Some(Self::of_part(&part)?))
    }

    pub(super) fn of_part<R: Real>(part: &Part<'_>) -> Result<(Self, Vec<R>), RowsError> {
        // Drawing more than can be numbered would take hours.
        let expected = part.expected_synapses();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "for a message"
        )]
        if expected > 1.5 * MAX_SYNAPSES as f64 {
            check_synapses(part.projection, expected as u64)?;
        }
        let mut firsts: Vec<usize> = zeros(part.sides.n_source as usize + 1)?;
        let (mut total, mut seen) = (0_u64, Vec::new());
        for_each_row(part, Draw::Delays, |_, row| {
            total += row.sources.len() as u64;
            check_synapses(part.projection, total)?;
            for (&source, &delay) in row.sources.iter().zip(&row.delays) {
                firsts[source as usize + 1] += 1;
                if seen.len() <= delay as usize {
                    seen.resize(delay as usize + 1, false);
                }
                seen[delay as usize] = true;
            }
            Ok(())
        })?;
        for k in 1..firsts.len() {
            firsts[k] += firsts[k - 1];
        }
        let n = firsts.last().copied().unwrap_or(0);
        let mut targets: Vec<u32> = zeros(n)?;
        let mut steps: Vec<u32> = zeros(n)?;
        let mut weights: Vec<R> = zeros(n)?;
        let mut next = firsts.clone();
        for_each_row(part, Draw::DelaysAndWeights, |lane, row| {
            let drawn = row.sources.iter().zip(&row.delays).zip(&row.weights);
            for ((&source, &delay), &weight) in drawn {
                let at = &mut next[source as usize];
                (targets[*at], steps[*at]) = (lane, delay);
                weights[*at] = R::from_f64(weight);
                if !weights[*at].is_finite() {
                    return Err(part.bad_weight(weight, source, lane));
                }
                *at += 1;
            }
            Ok(())
        })?;
        let delays = (0..).zip(&seen).filter(|(_, seen)| **seen);
        let mut wiring = Self {
            delays: delays.map(|(delay, _)| delay).collect(),
            first_runs: zeros(firsts.len())?,
            runs: Vec::new(),
            targets,
        };
        wiring.sort(&firsts, &mut steps, &mut weights);
        Ok((wiring, weights))
    }

    /// Orders the synapses of every source by delay, and finds the runs.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "numbers of synapses, at most MAX_SYNAPSES"
    )]
    fn sort<R: Real>(&mut self, firsts: &[usize], steps: &mut [u32], weights: &mut [R]) {
        let mut row: Vec<(u32, u32, R)> = Vec::new();
        for (source, ends) in firsts.windows(2).enumerate() {
            let range = ends[0]..ends[1];
            if !steps[range.clone()].is_sorted() {
                row.clear();
                row.extend(
                    range
                        .clone()
                        .map(|k| (steps[k], self.targets[k], weights[k])),
                );
                // Stable: targets stay in order.
                row.sort_by_key(|&(delay, ..)| delay);
                for (k, &(delay, target, weight)) in range.clone().zip(&row) {
                    (steps[k], self.targets[k], weights[k]) = (delay, target, weight);
                }
            }
            let mut end = range.start;
            for run in steps[range].chunk_by(|a, b| a == b) {
                end += run.len();
                self.runs.push(Run {
                    delay: self.delays.partition_point(|&d| d < run[0]) as u32,
                    end: end as u32,
                });
            }
            self.first_runs[source + 1] = self.runs.len() as u32;
        }
    }

    /// Distinct delays in steps, ascending.
    pub(crate) fn delays(&self) -> &[u32] {
        &self.delays
    }

    /// Target of every synapse.
    pub(crate) fn targets(&self) -> &[u32] {
        &self.targets
    }

    /// Every synapse, in order.
    pub(crate) fn synapses(&self) -> impl Iterator<Item = Synapse> + Clone {
        (0..)
            .zip(self.first_runs.windows(2))
            .flat_map(move |(source, ends)| {
                (ends[0] as usize..ends[1] as usize).flat_map(move |run| {
                    let (delay_steps, range) = self.run(run);
                    self.targets[range].iter().map(move |&target| Synapse {
                        source,
                        target,
                        delay_steps,
                    })
                })
            })
    }

    /// Delay and synapses of a run.
    #[inline]
    fn run(&self, run: usize) -> (u32, Range<usize>) {
        let start = if run == 0 { 0 } else { self.runs[run - 1].end };
        let Run { delay, end } = self.runs[run];
        (self.delays[delay as usize], start as usize..end as usize)
    }

    #[inline]
    fn runs_of(&self, source: usize) -> Range<usize> {
        self.first_runs[source] as usize..self.first_runs[source + 1] as usize
    }

    /// Delays of a source, ascending, with the synapses that have them.
    #[inline]
    pub(crate) fn row(&self, source: usize) -> impl Iterator<Item = (u32, Range<usize>)> {
        self.runs_of(source).map(|run| self.run(run))
    }

    /// Synapses of some sources.
    pub(crate) fn range(&self, sources: &Range<usize>) -> Range<usize> {
        let end = |run: u32| match run {
            0 => 0,
            run => self.runs[run as usize - 1].end as usize,
        };
        end(self.first_runs[sources.start])..end(self.first_runs[sources.end])
    }

    /// Synapses of a source with the delay at a place among the delays. Time O(log delays).
    #[inline]
    pub(crate) fn find(&self, source: usize, place: usize) -> Range<usize> {
        let runs = self.runs_of(source);
        if runs.len() == self.delays.len() {
            return self.run(runs.start + place).1;
        }
        let own = &self.runs[runs.clone()];
        match own.binary_search_by_key(&place, |run| run.delay as usize) {
            Ok(k) => self.run(runs.start + k).1,
            Err(_) => 0..0,
        }
    }

    /// Cuts the sources where about so many synapses have come together.
    pub(crate) fn blocks(&self, synapses: usize) -> Vec<Range<usize>> {
        let n = self.first_runs.len() - 1;
        let mut blocks = Vec::new();
        let mut first = 0;
        for source in 1..=n {
            if source == n || self.range(&(first..source + 1)).len() > synapses {
                blocks.push(first..source);
                first = source;
            }
        }
        blocks
    }
}

/// `n` zeros.
fn zeros<T: Clone + Default>(n: usize) -> Result<Vec<T>, OutOfMemory> {
    let mut values = Vec::new();
    values.try_reserve_exact(n).map_err(|e| OutOfMemory {
        bytes: n.saturating_mul(size_of::<T>()),
        reason: e.to_string(),
    })?;
    values.resize(n, T::default());
    Ok(values)
}
