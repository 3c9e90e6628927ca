//! A batch put into time.

use rheobase_engine::Instantiate;
use rheobase_equations::real::Real;

use super::{TrainError, Trainer};
use crate::encode::{Coded, Draws, Samples, bits, dense};

/// What an encoder gave for a batch.
pub(super) enum Input<R> {
    Bits(Vec<u64>),
    Constant(Vec<R>),
    Steps(Vec<R>),
}

/// A batch as it enters the network.
pub(super) struct Encoded<R> {
    pub(super) input: Input<R>,
    numbers: Vec<u32>,
    epoch: u64,
    /// Its values, not yet in time.
    values: Vec<R>,
}

impl<R: Real> Encoded<R> {
    /// Whether it is what an encoder would give for these samples.
    pub(super) fn is_of(&self, samples: Samples<'_, R>, epoch: u64) -> bool {
        self.epoch == epoch && self.numbers == samples.numbers() && self.values == samples.values()
    }
}

impl<R: Instantiate> Trainer<R> {
    /// Puts samples into time.
    pub(super) fn encode(
        &mut self,
        samples: Samples<'_, R>,
        epoch: u64,
    ) -> Result<Encoded<R>, TrainError> {
        let steps = self.network.steps();
        let draws = Draws::new(self.training.seed, epoch);
        let encoder = self.encoder.as_ref();
        // An encoder gives spikes or real values whatever the batch: it is asked once.
        let is_spikes = match self.gives_spikes {
            Some(is_spikes) => is_spikes,
            None => matches!(encoder.begin(steps, samples, draws)?, Coded::Spikes(_)),
        };
        self.gives_spikes = Some(is_spikes);
        let spare = self.spare.take();
        let input = if is_spikes {
            let mut words = match spare {
                Some(Input::Bits(words)) => words,
                _ => Vec::new(),
            };
            let threads = self.network.threads();
            bits(encoder, steps, samples, draws, threads, &mut words)?;
            Input::Bits(words)
        } else {
            let mut values = match spare {
                Some(Input::Constant(values) | Input::Steps(values)) => values,
                _ => Vec::new(),
            };
            let is_constant = encoder.is_constant();
            let steps = if is_constant { 1 } else { steps };
            dense(encoder, steps, samples, draws, &mut values)?;
            match is_constant {
                true => Input::Constant(values),
                false => Input::Steps(values),
            }
        };
        Ok(Encoded {
            input,
            numbers: samples.numbers().to_vec(),
            epoch,
            values: samples.values().to_vec(),
        })
    }
}
