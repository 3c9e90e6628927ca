//! Independent Poisson trains, one per neuron, onto an input port.
//!
//! # Equations
//! In every step each neuron receives k events of weight w: `w · k` is added to the port, with k
//! Poisson distributed of mean rate · dt.
//!
//! # Update scheme
//! One 32-bit Philox word per neuron and step is compared with a table of the distribution function
//! (see the sampler). O(neurons) per step, vectorised where the table has at most 96 entries, which
//! holds up to about 40 events per step.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `rate` | Hz | required | 0 … 10,000 events per step |
//! | `weight` | that of the port | required | – |
//!
//! # State
//! None: draws are counted by (neuron, step).
//!
//! # Shapes
//! One train per neuron of the population.
//!
//! # Semantics
//! What is drawn for step s arrives at step s. Probabilities are exact within 2⁻³³; the mean differs
//! from rate · dt by less than 1e-9 events per step. The numbers k do not depend on precision,
//! shards or threads. The product w · k is rounded once.
//!
//! # Errors
//! A negative rate; more than 10,000 events per step.
//!
//! # Source
//! `poisson_generator` of NEST 3.10, which also sends every target a train of its own.
//!
//! # Example
//! ```
//! use rheobase_engine::port::{StimulusContext, StimulusType};
//! use rheobase_engine::random::{Philox, Purpose};
//! use rheobase_equations::unit::parse_unit;
//!
//! let drive = rheobase_components::stimulus(
//!     "poisson_background",
//!     &[("rate", "8 kHz".into()), ("weight", "87.8 pA".into())],
//!     Some(parse_unit("pA")?),
//! )?;
//! let StimulusType::Drive(drive) = drive else { panic!() };
//! let stream = Philox::new(1, Purpose::Stimulus, 0);
//! let mut lanes = [0.0_f32; 1000];
//! let context = StimulusContext { dt_ms: 0.1, stream, size: 1000 };
//! drive.instantiate_f32(context).drive(1, 0, &mut lanes);
//! let mean = lanes.iter().sum::<f32>() / 1000.0;
//! assert!((mean - 0.8 * 87.8).abs() < 10.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::port::{DeviceDrive, Drive, DriveType, Entry, StimulusContext, StimulusType};
use rheobase_engine::random::Philox;
use rheobase_equations::real::Real;

use super::poisson::{RATE, rate};
use super::sampler::{Sampler, check_mean};

pub(super) const ENTRY: Entry<StimulusType> = Entry {
    summary: "independent Poisson trains, one per neuron, onto a port",
    arguments: &[
        RATE,
        ArgumentSpec {
            name: "weight",
            kind: ArgumentKind::PortQuantity,
            default: None,
            doc: "what one event adds to the port",
        },
    ],
    make,
};

struct PoissonBackground {
    rate_per_ms: f64,
    weight: f64,
}

fn make(arguments: &Arguments) -> Result<StimulusType, ArgumentError> {
    let rate_per_ms = rate(arguments)?;
    let weight = arguments.port_quantity("weight")?;
    Ok(StimulusType::Drive(Arc::new(PoissonBackground {
        rate_per_ms,
        weight,
    })))
}

impl PoissonBackground {
    fn trains<R: Real>(&self, context: StimulusContext) -> Trains<R> {
        Trains {
            stream: context.stream,
            sampler: Sampler::new(self.rate_per_ms * context.dt_ms),
            weight: R::from_f64(self.weight),
            words: [0; CHUNK],
            counts: [0; CHUNK],
        }
    }
}

impl DriveType for PoissonBackground {
    fn check(&self, dt_ms: f64) -> Result<(), String> {
        check_mean(self.rate_per_ms * dt_ms)
    }

    fn instantiate_f32(&self, context: StimulusContext) -> Box<dyn Drive<f32>> {
        Box::new(self.trains(context))
    }

    fn instantiate_f64(&self, context: StimulusContext) -> Box<dyn Drive<f64>> {
        Box::new(self.trains(context))
    }

    fn on_device(&self, context: StimulusContext) -> Option<DeviceDrive> {
        let sampler = Sampler::new(self.rate_per_ms * context.dt_ms);
        Some(DeviceDrive::Counts {
            weight: self.weight,
            stream: context.stream,
            base: sampler.base(),
            thresholds: sampler.thresholds().to_vec(),
        })
    }
}

/// Lanes drawn at a time: what is drawn is still in the nearest cache when it is used.
const CHUNK: usize = CHUNK_LANES as usize;
const CHUNK_LANES: u32 = 1024;

struct Trains<R> {
    stream: Philox,
    sampler: Sampler,
    weight: R,
    words: [u32; CHUNK],
    counts: [u32; CHUNK],
}

impl<R: Real> Drive<R> for Trains<R> {
    fn drive(&mut self, step: u64, first: u32, input: &mut [R]) {
        if self.sampler.smallest_hit().is_none() {
            return;
        }
        // Words come in groups of four lanes; lanes before `first` are drawn and dropped.
        let skipped = (first % 4) as usize;
        let mut lane = first - first % 4;
        let mut rest = input;
        let mut start = skipped;
        while !rest.is_empty() {
            let n = rest.len().min(CHUNK - start);
            let (now, later) = rest.split_at_mut(n);
            let drawn = start + n;
            self.stream.fill(lane, step, 0, &mut self.words[..drawn]);
            self.sampler
                .sample_all(&self.words[..drawn], &mut self.counts[..drawn]);
            add(self.weight, &self.counts[start..drawn], now);
            rest = later;
            start = 0;
            lane = lane.wrapping_add(CHUNK_LANES);
        }
    }
}

#[inline(always)]
fn add_body<R: Real>(weight: R, counts: &[u32], input: &mut [R]) {
    for (x, &k) in input.iter_mut().zip(counts) {
        *x += weight * R::from_f64(f64::from(k));
    }
}

rheobase_engine::simd::dispatch! {
    fn add<R: Real> = add_body(weight: R, counts: &[u32], input: &mut [R]);
}
