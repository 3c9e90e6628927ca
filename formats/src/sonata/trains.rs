//! Spike trains of virtual nodes as a stimulus.

use std::ops::Range;
use std::sync::Arc;

use super::digest::Digest;
use rheobase_engine::port::{SpikeSource, SpikeSourceType, StimulusContext};
use rheobase_engine::time::{step_containing, steps_on_grid};

/// Resolution of times, NEST's \[ms\].
const TIC_MS: f64 = 1e-3;

/// Spikes by step and neuron. A time counts at the end of the step it falls in; one whose nearest
/// microsecond is a grid point counts there, as in NEST.
pub(super) struct Trains {
    n: u32,
    dt_ms: f64,
    events: Arc<[Event]>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    step: u64,
    neuron: u32,
}

impl Trains {
    /// Trains from (time \[ms\], neuron) pairs in any order, times above 0.
    pub(super) fn new(n: u32, dt_ms: f64, spikes: impl Iterator<Item = (f64, u32)>) -> Self {
        let mut events: Vec<Event> = spikes
            .map(|(time_ms, neuron)| Event {
                step: step_of(time_ms, dt_ms),
                neuron,
            })
            .collect();
        events.sort_unstable();
        Self {
            n,
            dt_ms,
            events: events.into(),
        }
    }
}

impl Trains {
    /// Adds every spike to a digest.
    pub(super) fn digest(&self, digest: &mut Digest) {
        for event in self.events.iter() {
            digest.add(event.step);
            digest.add(u64::from(event.neuron));
        }
    }
}

fn step_of(time_ms: f64, dt_ms: f64) -> u64 {
    let nearest_tic_ms = (time_ms / TIC_MS + 0.5).floor() * TIC_MS;
    match steps_on_grid(nearest_tic_ms, dt_ms) {
        Some(step) => step.max(1),
        None => step_containing(time_ms, dt_ms),
    }
}

impl SpikeSourceType for Trains {
    fn size(&self) -> Option<u32> {
        Some(self.n)
    }

    #[allow(clippy::float_cmp, reason = "the same number, handed around")]
    fn check(&self, dt_ms: f64) -> Result<(), String> {
        if dt_ms == self.dt_ms {
            return Ok(());
        }
        Err(format!(
            "the trains were put on a grid of {} ms",
            self.dt_ms
        ))
    }

    fn instantiate(&self, _: StimulusContext) -> Box<dyn SpikeSource> {
        Box::new(Cursor {
            events: Arc::clone(&self.events),
            next_step: 0,
            at: 0,
        })
    }
}

struct Cursor {
    events: Arc<[Event]>,
    /// `at` is the first event of this step, or the first after it.
    next_step: u64,
    at: usize,
}

impl SpikeSource for Cursor {
    fn emit(&mut self, step: u64, range: Range<u32>, spikes: &mut Vec<u32>) {
        if step != self.next_step {
            self.at = self.events.partition_point(|e| e.step < step);
        }
        while let Some(event) = self.events.get(self.at).filter(|e| e.step <= step) {
            if event.step == step && range.contains(&event.neuron) {
                spikes.push(event.neuron);
            }
            self.at += 1;
        }
        self.next_step = step + 1;
    }
}

#[cfg(test)]
mod tests {
    use rheobase_engine::random::{Philox, Purpose};

    use super::*;

    #[test]
    fn times_within_half_a_microsecond_of_a_grid_point_count_there() {
        assert_eq!(step_of(1.0, 0.01), 100);
        assert_eq!(step_of(1.0004, 0.01), 100);
        assert_eq!(step_of(1.0006, 0.01), 101);
        assert_eq!(step_of(1.0094, 0.01), 101);
        assert_eq!(step_of(0.9996, 0.01), 100);
        assert_eq!(step_of(1e-5, 0.01), 1);
        assert_eq!(step_of(0.38432237, 0.1), 4);
        assert_eq!(step_of(3098.0102261, 0.1), 30981);
    }

    #[test]
    fn times_round_up_and_steps_may_be_asked_for_in_any_order() {
        let spikes = [
            (1.0, 2),
            (0.51, 0),
            (0.5, 1),
            (1.0, 2),
            (0.999, 0),
            (7.0, 1),
        ];
        let trains = Trains::new(3, 0.5, spikes.into_iter());
        let mut source = trains.instantiate(StimulusContext {
            dt_ms: 0.5,
            stream: Philox::new(1, Purpose::Stimulus, 0),
            size: 3,
        });
        let mut at = |step, range: Range<u32>| {
            let mut spikes = Vec::new();
            source.emit(step, range, &mut spikes);
            spikes
        };
        assert_eq!(at(1, 0..3), [1]);
        assert_eq!(at(2, 0..3), [0, 0, 2, 2]);
        assert!(at(3, 0..3).is_empty());
        assert_eq!(at(2, 1..3), [2, 2]);
        assert_eq!(at(14, 0..3), [1]);
        assert_eq!(at(1, 0..3), [1]);
        assert!(trains.check(0.5).is_ok() && trains.check(0.1).is_err());
    }
}
