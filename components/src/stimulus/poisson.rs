//! Neurons that fire as independent Poisson processes.
//!
//! # Equations
//! In every step each neuron fires k times, with k Poisson distributed of mean rate · dt.
//!
//! # Update scheme
//! One 32-bit Philox word per neuron and step is compared with a table of the distribution function
//! (see the sampler). O(neurons) per step.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `rate` | Hz | required | 0 … 10,000 events per step |
//!
//! # State
//! None: draws are counted by (neuron, step).
//!
//! # Shapes
//! The network gives the size.
//!
//! # Semantics
//! A neuron that fires k times in a step stands k times among its spikes. All targets of a neuron
//! see the same train; where each target should have one of its own, use `poisson_background`.
//! Probabilities are exact within 2⁻³³.
//!
//! # Errors
//! A negative rate; more than 10,000 events per step.
//!
//! # Source
//! `poisson_generator` with `parrot_neuron`s, NEST 3.10.
//!
//! # Example
//! ```
//! use rheobase_engine::port::{StimulusContext, StimulusType};
//! use rheobase_engine::random::{Philox, Purpose};
//!
//! let poisson = rheobase_components::stimulus("poisson", &[("rate", "100 Hz".into())], None)?;
//! let StimulusType::Source(poisson) = poisson else { panic!() };
//! let stream = Philox::new(1, Purpose::Stimulus, 0);
//! let mut source = poisson.instantiate(StimulusContext { dt_ms: 0.1, stream, size: 50 });
//! let mut spikes = Vec::new();
//! for step in 1..=10_000 {
//!     source.emit(step, 0..50, &mut spikes);
//! }
//! assert!((spikes.len() as f64 - 5000.0).abs() < 300.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::ops::Range;
use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::port::{Entry, SpikeSource, SpikeSourceType, StimulusContext, StimulusType};
use rheobase_engine::random::Philox;

use super::sampler::{Sampler, check_mean, reaching};

pub(super) const ENTRY: Entry<StimulusType> = Entry {
    summary: "neurons that fire as independent Poisson processes",
    arguments: &[RATE],
    make,
};

/// The argument `rate`.
pub(super) const RATE: ArgumentSpec = ArgumentSpec {
    name: "rate",
    kind: ArgumentKind::Quantity("Hz"),
    default: None,
    doc: "events per second of each neuron",
};

/// The argument `rate` [1/ms].
pub(super) fn rate(arguments: &Arguments) -> Result<f64, ArgumentError> {
    let rate_per_ms = arguments.quantity("rate", "Hz")?;
    if rate_per_ms < 0.0 {
        return Err(ArgumentError::new(
            "rate",
            format!("{} Hz is negative", rate_per_ms * 1e3),
        ));
    }
    Ok(rate_per_ms)
}

struct Poisson {
    rate_per_ms: f64,
}

fn make(arguments: &Arguments) -> Result<StimulusType, ArgumentError> {
    Ok(StimulusType::Source(Arc::new(Poisson {
        rate_per_ms: rate(arguments)?,
    })))
}

impl SpikeSourceType for Poisson {
    fn check(&self, dt_ms: f64) -> Result<(), String> {
        check_mean(self.rate_per_ms * dt_ms)
    }

    fn instantiate(&self, context: StimulusContext) -> Box<dyn SpikeSource> {
        let sampler = Sampler::new(self.rate_per_ms * context.dt_ms);
        Box::new(Neurons {
            stream: context.stream,
            sampler,
            words: [0; CHUNK],
            hits: [0; CHUNK + 1],
        })
    }
}

/// Lanes drawn at a time.
const CHUNK: usize = 1024;

struct Neurons {
    stream: Philox,
    sampler: Sampler,
    words: [u32; CHUNK],
    /// Places in `words` of those that fire; one more for a place that does not count.
    hits: [u32; CHUNK + 1],
}

impl SpikeSource for Neurons {
    fn emit(&mut self, step: u64, range: Range<u32>, spikes: &mut Vec<u32>) {
        let Some(least) = self.sampler.smallest_hit() else {
            return;
        };
        // Words come in groups of four lanes; lanes before the range are drawn and dropped.
        let aligned = range.start - range.start % 4;
        for first in (aligned..range.end).step_by(CHUNK) {
            let n = (range.end - first).min(1024) as usize;
            self.stream.fill(first, step, 0, &mut self.words[..n]);
            let n_hits = reaching(&self.words[..n], least, &mut self.hits);
            for &place in &self.hits[..n_hits] {
                let neuron = first + place;
                if neuron >= range.start {
                    let k = self.sampler.sample(self.words[place as usize]);
                    spikes.extend((0..k).map(|_| neuron));
                }
            }
        }
    }
}
