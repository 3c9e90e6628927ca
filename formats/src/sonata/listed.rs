//! The synapses of a file as a connectivity rule: sorted by target, a few bytes each.

use std::collections::HashMap;
use std::ops::Range;

use super::digest::Digest;
use rheobase_engine::port::{Candidate, ConnectivityRule, RowDrawer, RuleStreams, Sides, each_row};

/// Synapses sorted by target; within a target in the order of the file.
pub(super) struct Listed {
    /// Start of the row of each target; one more than targets.
    offsets: Vec<u64>,
    sources: Vec<u32>,
    weights: Weights,
    delays: Delays,
    n_source: u32,
    dt_ms: f64,
    /// The delays that occur \[ms\].
    distinct_delays_ms: Vec<f64>,
}

/// Weights, in the smallest form that keeps every bit.
enum Weights {
    Constant(f64),
    Table { values: Vec<f64>, each: Vec<u16> },
    Single(Vec<f32>),
    Double(Vec<f64>),
}

/// Delays in steps.
enum Delays {
    Constant(u32),
    Short(Vec<u16>),
    Long(Vec<u32>),
}

/// What is found out about the synapses of a projection before they are stored.
pub(super) struct Survey {
    /// Synapses of each target.
    counts: Vec<u32>,
    n: u64,
    /// Different weights by their bits, as long as 16 bits can number them.
    weights: Option<HashMap<u64, u16>>,
    /// Those weights in the order of their numbers.
    values: Vec<f64>,
    last_weight: Option<u64>,
    single: bool,
    /// Delays that occur \[steps\].
    delays: Vec<u32>,
    last_delay: Option<u32>,
}

/// Most different delays that are listed one by one for the estimate of memory.
const MAX_LISTED_DELAYS: usize = 4096;

impl Survey {
    pub(super) fn new(n_target: u32) -> Self {
        Self {
            counts: vec![0; n_target as usize],
            n: 0,
            weights: Some(HashMap::new()),
            values: Vec::new(),
            last_weight: None,
            single: true,
            delays: Vec::new(),
            last_delay: None,
        }
    }

    /// Counts a synapse.
    pub(super) fn add(&mut self, target: u32, weight: f64, delay_steps: u32) {
        self.counts[target as usize] += 1;
        self.n += 1;
        if self.last_weight != Some(weight.to_bits()) {
            self.last_weight = Some(weight.to_bits());
            self.add_weight(weight);
        }
        if self.last_delay != Some(delay_steps) {
            self.last_delay = Some(delay_steps);
            if let Err(at) = self.delays.binary_search(&delay_steps)
                && self.delays.len() < MAX_LISTED_DELAYS
            {
                self.delays.insert(at, delay_steps);
            } else if self.delays.last().is_some_and(|&d| d < delay_steps) {
                // The longest decides how they are stored.
                self.delays.pop();
                self.delays.push(delay_steps);
            }
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "whether the value survives is the question"
    )]
    fn add_weight(&mut self, weight: f64) {
        self.single &= f64::from(weight as f32).to_bits() == weight.to_bits();
        let Some(known) = &mut self.weights else {
            return;
        };
        if known.contains_key(&weight.to_bits()) {
            return;
        }
        match u16::try_from(known.len()) {
            Ok(number) => {
                known.insert(weight.to_bits(), number);
                self.values.push(weight);
            }
            Err(_) => {
                self.weights = None;
                self.values = Vec::new();
            }
        }
    }

    /// Makes room for the synapses that were counted.
    pub(super) fn allocate(self, n_source: u32, dt_ms: f64) -> Filling {
        let n = usize::try_from(self.n).unwrap_or(usize::MAX);
        let mut offsets = Vec::with_capacity(self.counts.len() + 1);
        let mut sum = 0;
        offsets.push(0);
        for &count in &self.counts {
            sum += u64::from(count);
            offsets.push(sum);
        }
        let weights = match (self.values.as_slice(), &self.weights) {
            (&[one], Some(_)) => Weights::Constant(one),
            (_, Some(_)) if !(self.single && self.values.len() > 4096) => Weights::Table {
                values: self.values,
                each: vec![0; n],
            },
            _ if self.single => Weights::Single(vec![0.0; n]),
            _ => Weights::Double(vec![0.0; n]),
        };
        let longest = self.delays.last().copied().unwrap_or(1);
        let delays = match self.delays.as_slice() {
            &[one] => Delays::Constant(one),
            _ if u16::try_from(longest).is_ok() => Delays::Short(vec![0; n]),
            _ => Delays::Long(vec![0; n]),
        };
        let distinct_delays_ms = self.delays.iter().map(|&d| f64::from(d) * dt_ms).collect();
        Filling {
            next: offsets[..self.counts.len()].to_vec(),
            numbers: self.weights.unwrap_or_default(),
            listed: Listed {
                offsets,
                sources: vec![0; n],
                weights,
                delays,
                n_source,
                dt_ms,
                distinct_delays_ms,
            },
        }
    }
}

/// Synapses being stored.
pub(super) struct Filling {
    listed: Listed,
    /// Next place of each target.
    next: Vec<u64>,
    numbers: HashMap<u64, u16>,
}

impl Filling {
    /// Stores a synapse that was counted. One that was not is left out, as where a file changes
    /// while it is read.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the survey has found that the values fit"
    )]
    pub(super) fn add(&mut self, source: u32, target: u32, weight: f64, delay_steps: u32) {
        let target = target as usize;
        let at = self.next[target];
        if at >= self.listed.offsets[target + 1] {
            return;
        }
        self.next[target] += 1;
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        self.listed.sources[at] = source;
        match &mut self.listed.weights {
            Weights::Constant(_) => {}
            Weights::Table { each, .. } => {
                each[at] = self.numbers.get(&weight.to_bits()).copied().unwrap_or(0);
            }
            Weights::Single(each) => each[at] = weight as f32,
            Weights::Double(each) => each[at] = weight,
        }
        match &mut self.listed.delays {
            Delays::Constant(_) => {}
            Delays::Short(each) => each[at] = delay_steps as u16,
            Delays::Long(each) => each[at] = delay_steps,
        }
    }

    pub(super) fn finish(self) -> Listed {
        self.listed
    }
}

impl Listed {
    fn synapse(&self, at: usize) -> Candidate {
        let weight = match &self.weights {
            Weights::Constant(w) => *w,
            Weights::Table { values, each } => values[each[at] as usize],
            Weights::Single(each) => f64::from(each[at]),
            Weights::Double(each) => each[at],
        };
        let steps = match &self.delays {
            Delays::Constant(d) => *d,
            Delays::Short(each) => u32::from(each[at]),
            Delays::Long(each) => each[at],
        };
        Candidate {
            source: self.sources[at],
            fixed: Some((weight, f64::from(steps) * self.dt_ms)),
        }
    }

    /// Adds every synapse to a digest.
    pub(super) fn digest(&self, digest: &mut Digest) {
        self.offsets.iter().for_each(|&o| digest.add(o));
        for at in 0..self.sources.len() {
            let synapse = self.synapse(at);
            let (weight, delay_ms) = synapse.fixed.unwrap_or_default();
            digest.add(u64::from(synapse.source));
            digest.add(weight.to_bits());
            digest.add(delay_ms.to_bits());
        }
    }

    fn n_target(&self) -> usize {
        self.offsets.len() - 1
    }
}

impl ConnectivityRule for Listed {
    fn check(&self, sides: Sides) -> Result<(), String> {
        if sides.n_source == self.n_source && sides.n_target as usize == self.n_target() {
            return Ok(());
        }
        Err(format!(
            "the list joins {} sources to {} targets, not {} to {}",
            self.n_source,
            self.n_target(),
            sides.n_source,
            sides.n_target
        ))
    }

    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    fn expected_synapses(&self, _: Sides) -> f64 {
        self.sources.len() as f64
    }

    fn fixes_weights(&self) -> bool {
        true
    }

    fn fixed_delays(&self) -> &[f64] {
        &self.distinct_delays_ms
    }

    fn rows<'a>(&'a self, _: Sides, _: Range<u32>, _: RuleStreams) -> Box<dyn RowDrawer + 'a> {
        each_row(|target, _, row| {
            let index = |k: usize| usize::try_from(self.offsets[k]).unwrap_or(usize::MAX);
            let range = index(target as usize)..index(target as usize + 1);
            row.extend(range.map(|at| self.synapse(at)));
        })
    }
}

#[cfg(test)]
mod tests {
    use rheobase_engine::random::{Purpose, construction_stream};

    use super::*;

    const DT_MS: f64 = 0.1;

    /// Source, target, weight, delay in steps.
    type Synapse = (u32, u32, f64, u32);

    fn listed(synapses: &[Synapse], n_source: u32, n_target: u32) -> Listed {
        let mut survey = Survey::new(n_target);
        for &(_, target, weight, delay) in synapses {
            survey.add(target, weight, delay);
        }
        let mut filling = survey.allocate(n_source, DT_MS);
        for &(source, target, weight, delay) in synapses {
            filling.add(source, target, weight, delay);
        }
        filling.finish()
    }

    /// Every row equals a plain sort of the list.
    fn check(synapses: &[Synapse], n_source: u32, n_target: u32) {
        let listed = listed(synapses, n_source, n_target);
        let sides = Sides {
            n_source,
            n_target,
            same: false,
        };
        listed.check(sides).unwrap();
        let mut random = construction_stream(1, Purpose::Projection, 0, 0);
        let mut rows = listed.rows(sides, 0..n_target, RuleStreams::new(1, 0));
        for target in 0..n_target {
            let mut row = Vec::new();
            rows.row(target, &mut random, &mut row);
            let expected: Vec<Candidate> = synapses
                .iter()
                .filter(|s| s.1 == target)
                .map(|&(source, _, weight, delay)| Candidate {
                    source,
                    fixed: Some((weight, f64::from(delay) * DT_MS)),
                })
                .collect();
            assert_eq!(row, expected, "target {target}");
        }
    }

    fn synapses(n: u32, weight: impl Fn(u32) -> f64, delay: impl Fn(u32) -> u32) -> Vec<Synapse> {
        // A multiplier prime to the sizes visits targets out of order.
        (0..n)
            .map(|k| (k * 7 % 50, k * 11 % 30, weight(k), delay(k)))
            .collect()
    }

    #[test]
    fn every_form_of_storage_returns_what_was_given() {
        check(&synapses(900, |_| 2.5, |_| 20), 50, 30);
        check(
            &synapses(900, |k| f64::from(k % 3) * 0.1, |k| 1 + k % 4),
            50,
            30,
        );
        check(
            &synapses(9000, |k| f64::from(k) * 0.5, |k| 70_000 * (k % 2) + 1),
            50,
            30,
        );
        check(&synapses(90_000, |k| f64::from(k) / 3.0, |_| 7), 50, 30);
        check(&synapses(90_000, f64::from, |k| 1 + k % 9000), 50, 30);
        check(&[], 50, 30);
    }

    #[test]
    fn storage_is_as_small_as_the_values_allow() {
        let form = |list: &[Synapse]| match listed(list, 50, 30).weights {
            Weights::Constant(_) => 0,
            Weights::Table { .. } => 2,
            Weights::Single(_) => 4,
            Weights::Double(_) => 8,
        };
        assert_eq!(form(&synapses(900, |_| 2.5, |_| 1)), 0);
        assert_eq!(form(&synapses(900, |k| f64::from(k % 3) * 0.1, |_| 1)), 2);
        assert_eq!(form(&synapses(90_000, f64::from, |_| 1)), 4);
        assert_eq!(form(&synapses(90_000, |k| f64::from(k) / 3.0, |_| 1)), 8);
    }

    #[test]
    fn other_sizes_are_refused() {
        let listed = listed(&[(0, 0, 1.0, 1)], 1, 1);
        let sides = Sides {
            n_source: 1,
            n_target: 2,
            same: false,
        };
        assert!(listed.check(sides).is_err());
    }
}
