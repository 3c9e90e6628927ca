//! Dense or sparse: what costs less, found out while running.
//!
//! Every so many slices the steps of a population are timed. A sparse step is known by its last time,
//! a dense one by the median of its last times; that of the mode not in use is predicted from what arrives, and tried out now and
//! then, for a small share of the time. A switch needs a clear advantage several times in a row.
//! Results do not depend on any of this.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How a population is advanced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Every neuron in every step.
    Dense,
    /// Only neurons to which something happens.
    Sparse,
}

/// Who decides how populations in anchored arithmetic are advanced. Others are always dense.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModeChoice {
    /// What costs less.
    #[default]
    Auto,
    /// Always dense.
    Dense,
    /// Always sparse.
    Sparse,
}

/// A change of mode.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Switch {
    /// The first step in the new mode.
    pub step: u64,
    /// The new mode.
    pub mode: Mode,
    /// Cost of a dense step, measured \[ns\].
    pub dense_ns: f64,
    /// Cost of a sparse step, measured or predicted \[ns\].
    pub sparse_ns: f64,
}

/// How the shards of a population were advanced.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct ModeReport {
    /// Neuron-steps in which a neuron was looked at.
    pub executed: u64,
    /// Neuron-steps in which it was not.
    pub skipped: u64,
    /// Bytes of amplitudes, tables and what is planned.
    pub bytes: u64,
    /// Changes of mode, the first 32.
    pub switches: Vec<Switch>,
    /// Changes of mode in all; every shard chooses for itself.
    pub n_switches: u64,
}

impl ModeReport {
    /// Adds that of another shard.
    pub fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.extend(Self {
            bytes: self.bytes,
            ..other
        });
    }

    /// Adds that of the same shards at a later time.
    pub fn extend(&mut self, other: Self) {
        self.bytes = other.bytes;
        self.executed += other.executed;
        self.skipped += other.skipped;
        self.n_switches += other.n_switches;
        let room = REMEMBERED.saturating_sub(self.switches.len());
        self.switches.extend(other.switches.into_iter().take(room));
    }
}

/// Populations below this size are dense where the choice is free: there is nothing to gain.
const SMALLEST: usize = 128;
/// One slice in so many is timed.
const TIMED_EVERY: u64 = 4;
/// Steps for which each mode is tried at the beginning, at least.
const CALIBRATION_STEPS: u64 = 48;
/// A mode must be cheaper by this factor …
const ADVANTAGE: f64 = 0.93;
/// … so many times in a row.
const CONFIRMATIONS: u32 = 3;
/// Share of the time that trying the other mode may take.
const TRIAL_SHARE: f64 = 0.01;
/// Switches that are remembered.
const REMEMBERED: usize = 32;

/// Times of one mode.
#[derive(Default, Debug)]
struct Times {
    /// Nanoseconds a step.
    last: [f64; 5],
    n: usize,
}

impl Times {
    fn add(&mut self, ns: f64) {
        self.last[self.n % self.last.len()] = ns;
        self.n += 1;
    }

    fn median(&self) -> Option<f64> {
        let mut known = self.last;
        let known = &mut known[..self.n.min(self.last.len())];
        known.sort_by(f64::total_cmp);
        known.get(known.len() / 2).copied()
    }
}

/// What a slice did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) steps: u64,
    /// Neurons that were looked at, summed over steps.
    pub(crate) touched: u64,
    /// Neurons in blocks that received something, about.
    pub(crate) reached: f64,
    /// Time taken, where it was measured.
    pub(crate) time: Option<Duration>,
}

/// Chooses for one shard of a population.
#[derive(Debug)]
pub(crate) struct Chooser {
    choice: ModeChoice,
    mode: Mode,
    n_neurons: usize,
    slices: u64,
    /// Steps left of the trial of a mode, the first one of which does not count.
    trial: Option<Trial>,
    dense: Times,
    sparse: Times,
    /// Neurons looked at and neurons reached in a sparse step, when last seen; and its cost a neuron.
    looked: f64,
    reached: f64,
    ns_a_look: f64,
    confirmations: u32,
    /// Time spent since the last trial, about, and what that trial took.
    since_trial_ns: f64,
    trial_ns: f64,
    trial_began: Option<Instant>,
    switches: Vec<Switch>,
    n_switches: u64,
}

#[derive(Clone, Copy, Debug)]
struct Trial {
    steps_left: u64,
    warm: bool,
    /// The mode to go back to; at the beginning there is none.
    back: Option<Mode>,
}

impl Chooser {
    pub(crate) fn new(choice: ModeChoice, n_neurons: usize) -> Self {
        let free = choice == ModeChoice::Auto && n_neurons >= SMALLEST;
        Self {
            choice,
            mode: match choice {
                ModeChoice::Dense => Mode::Dense,
                ModeChoice::Sparse => Mode::Sparse,
                ModeChoice::Auto if free => Mode::Sparse,
                ModeChoice::Auto => Mode::Dense,
            },
            n_neurons,
            slices: 0,
            trial: free.then_some(Trial {
                steps_left: CALIBRATION_STEPS,
                warm: false,
                back: None,
            }),
            dense: Times::default(),
            sparse: Times::default(),
            looked: 0.0,
            reached: 0.0,
            ns_a_look: 0.0,
            confirmations: 0,
            since_trial_ns: 0.0,
            trial_ns: 0.0,
            trial_began: None,
            switches: Vec::new(),
            n_switches: 0,
        }
    }

    /// As new.
    pub(crate) fn restart(&mut self) {
        *self = Self::new(self.choice, self.n_neurons);
    }

    /// Changes of mode since the last call, the first ones, and their number.
    pub(crate) fn take_switches(&mut self) -> (Vec<Switch>, u64) {
        let n = std::mem::take(&mut self.n_switches);
        (std::mem::take(&mut self.switches), n)
    }

    fn is_free(&self) -> bool {
        self.choice == ModeChoice::Auto && self.n_neurons >= SMALLEST
    }

    /// The mode of the coming slice.
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether the coming slice is to be timed.
    pub(crate) fn is_timed(&self) -> bool {
        let is_due = self.slices.is_multiple_of(TIMED_EVERY) || self.confirmations > 0;
        self.is_free() && (self.trial.is_some() || is_due)
    }

    /// A slice is done; `next` is the step after it.
    #[allow(clippy::cast_precision_loss, reason = "counts of a slice")]
    pub(crate) fn learn(&mut self, next: u64, work: Work) {
        self.slices += 1;
        if !self.is_free() {
            return;
        }
        let Some(time) = work.time else {
            return;
        };
        let steps = work.steps as f64;
        let ns = time.as_nanos() as f64 / steps;
        let counts = self.trial.is_none_or(|t| t.warm);
        if counts {
            match self.mode {
                Mode::Dense => self.dense.add(ns),
                Mode::Sparse => {
                    self.sparse.add(ns);
                    self.looked = work.touched as f64 / steps;
                    self.reached = work.reached / steps;
                    self.ns_a_look = ns / self.looked.max(1.0);
                }
            }
        }
        match self.trial {
            Some(trial) => self.go_on_with(trial, next, work),
            None => self.watch(next, ns, work),
        }
    }

    fn go_on_with(&mut self, trial: Trial, next: u64, work: Work) {
        // The first slice of a trial pays for the change.
        let left = if trial.warm {
            trial.steps_left.saturating_sub(work.steps)
        } else {
            trial.steps_left
        };
        self.trial = Some(Trial {
            steps_left: left,
            warm: true,
            ..trial
        });
        if left > 0 {
            return;
        }
        let begun = self.trial_began.take();
        self.trial_ns = begun.map_or(self.trial_ns, |t| duration_ns(t.elapsed()));
        match (trial.back, self.mode) {
            (None, Mode::Sparse) => {
                self.mode = Mode::Dense;
                self.trial = Some(Trial {
                    steps_left: CALIBRATION_STEPS,
                    warm: false,
                    back: Some(Mode::Sparse),
                });
            }
            (back, mode) => {
                self.trial = None;
                self.since_trial_ns = 0.0;
                self.confirmations = 0;
                let before = back.unwrap_or(mode);
                // All slices of the trial count, not only the last.
                let costs = self.costs(Work { time: None, ..work });
                let better = better(before, costs);
                if self.mode != better || before != better {
                    self.mode = better;
                    if before != better || self.n_switches == 0 {
                        self.note(next, costs);
                    }
                }
            }
        }
    }

    /// What to do after a timed slice in which nothing was tried.
    fn watch(&mut self, next: u64, ns: f64, work: Work) {
        // A slice timed in its turn stands for those that are not.
        if (self.slices - 1).is_multiple_of(TIMED_EVERY) {
            #[allow(clippy::cast_precision_loss, reason = "counts of a slice")]
            let steps = (work.steps * TIMED_EVERY) as f64;
            self.since_trial_ns += ns * steps;
        }
        let costs = self.costs(work);
        let better = better(self.mode, costs);
        if better == self.mode {
            self.confirmations = 0;
        } else {
            self.confirmations += 1;
            if self.confirmations >= CONFIRMATIONS {
                self.confirmations = 0;
                self.mode = better;
                self.note(next, costs);
                return;
            }
        }
        // Far apart, the other mode need not be tried as often.
        let (dense, sparse) = costs;
        let (least, most) = (dense.min(sparse), dense.max(sparse));
        let patience = (most / least.max(1.0)).clamp(1.0, 100.0);
        #[allow(clippy::cast_precision_loss, reason = "number of neurons")]
        let entering_ns = 10.0 * self.n_neurons as f64;
        let trial_ns = self.trial_ns.max(entering_ns);
        if self.since_trial_ns > trial_ns / TRIAL_SHARE * patience {
            self.trial = Some(Trial {
                steps_left: CALIBRATION_STEPS / 4,
                warm: false,
                back: Some(self.mode),
            });
            self.trial_began = Some(Instant::now());
            self.mode = match self.mode {
                Mode::Dense => Mode::Sparse,
                Mode::Sparse => Mode::Dense,
            };
        }
    }

    /// Costs of a dense and of a sparse step \[ns\], of the mode not in use as predicted.
    #[allow(clippy::cast_precision_loss, reason = "counts of a slice")]
    fn costs(&self, work: Work) -> (f64, f64) {
        let dense = self.dense.median().unwrap_or(f64::INFINITY);
        let measured = self.sparse.median().unwrap_or(f64::INFINITY);
        let sparse = match (self.mode, work.time) {
            // It follows the activity: the last time says more than earlier ones.
            (Mode::Sparse, Some(time)) => duration_ns(time) / work.steps as f64,
            (Mode::Sparse, None) => measured,
            (Mode::Dense, _) => {
                let more = work.reached / work.steps as f64 - self.reached;
                let looked = (self.looked + more).clamp(0.0, self.n_neurons as f64);
                (looked.max(1.0) * self.ns_a_look).min(measured + more.abs() * self.ns_a_look)
            }
        };
        (dense, sparse)
    }

    fn note(&mut self, step: u64, (dense_ns, sparse_ns): (f64, f64)) {
        self.n_switches += 1;
        if self.switches.len() < REMEMBERED {
            self.switches.push(Switch {
                step,
                mode: self.mode,
                dense_ns,
                sparse_ns,
            });
        }
    }
}

/// The cheaper mode, where `now` must be beaten clearly.
fn better(now: Mode, (dense, sparse): (f64, f64)) -> Mode {
    match now {
        Mode::Dense if sparse < ADVANTAGE * dense => Mode::Sparse,
        Mode::Sparse if dense < ADVANTAGE * sparse => Mode::Dense,
        _ => now,
    }
}

#[allow(clippy::cast_precision_loss, reason = "durations of a run")]
fn duration_ns(time: Duration) -> f64 {
    time.as_nanos() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a chooser against a machine where a dense step takes `dense` and a sparse one `sparse` of
    /// the neurons reached; returns slices spent in each mode.
    fn run(
        n: usize,
        slices: u64,
        dense: impl Fn(u64) -> f64,
        reached: impl Fn(u64) -> f64,
        ns_a_look: f64,
    ) -> (Chooser, [u64; 2]) {
        let mut chooser = Chooser::new(ModeChoice::Auto, n);
        let mut spent = [0; 2];
        for slice in 0..slices {
            let looked = reached(slice);
            let ns = match chooser.mode() {
                Mode::Dense => dense(slice),
                Mode::Sparse => 50.0 + looked * ns_a_look,
            };
            spent[usize::from(chooser.mode() == Mode::Sparse)] += 1;
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a test"
            )]
            let work = Work {
                steps: 10,
                touched: match chooser.mode() {
                    Mode::Dense => 10 * n as u64,
                    Mode::Sparse => (looked * 10.0) as u64,
                },
                reached: looked * 10.0,
                time: chooser
                    .is_timed()
                    .then(|| Duration::from_nanos((ns * 10.0) as u64)),
            };
            chooser.learn((slice + 1) * 10 + 1, work);
        }
        (chooser, spent)
    }

    #[test]
    fn the_cheaper_mode_is_found_and_kept() {
        // 10,000 neurons at 0.3 ns; 10 ns a look: even at 300.
        for (reached, expected) in [(20.0, Mode::Sparse), (2000.0, Mode::Dense)] {
            let (chooser, spent) = run(10_000, 20_000, |_| 3000.0, |_| reached, 10.0);
            assert_eq!(chooser.mode(), expected);
            let right = spent[usize::from(expected == Mode::Sparse)];
            assert!(right > 19_500, "{spent:?}");
        }
    }

    #[test]
    fn activity_that_changes_is_followed_and_noise_is_not() {
        let wave = |slice: u64| {
            if (slice / 5000).is_multiple_of(2) {
                20.0
            } else {
                3000.0
            }
        };
        let (chooser, spent) = run(10_000, 40_000, |_| 3000.0, wave, 10.0);
        assert!(spent.iter().all(|&s| s > 19_000), "{spent:?}");
        assert!(
            (7..=9).contains(&chooser.n_switches),
            "{:?}",
            chooser.switches
        );
        // Costs are those that spoke for the new mode.
        assert!(chooser.switches.iter().all(|s| match s.mode {
            Mode::Dense => s.dense_ns < s.sparse_ns,
            Mode::Sparse => s.sparse_ns < s.dense_ns,
        }));
        let noisy = |slice: u64| 300.0 + if slice.is_multiple_of(3) { 15.0 } else { -15.0 };
        let (chooser, _) = run(10_000, 40_000, |_| 3000.0, noisy, 9.8);
        assert!(chooser.n_switches <= 2, "{:?}", chooser.switches);
    }

    #[test]
    fn what_is_asked_for_is_kept() {
        for (choice, mode) in [
            (ModeChoice::Dense, Mode::Dense),
            (ModeChoice::Sparse, Mode::Sparse),
        ] {
            assert_eq!(Chooser::new(choice, 1_000_000).mode(), mode);
            assert!(!Chooser::new(choice, 1_000_000).is_timed());
        }
        assert_eq!(Chooser::new(ModeChoice::Auto, 10).mode(), Mode::Dense);
    }
}
