//! The accumulators of a population in a checkpoint.

use super::{Bins, Intervals, PopulationStatistics};
use crate::bytes::{DecodeError, Decoder, Encoder};

impl PopulationStatistics {
    /// Writes what was counted so far: 40 bytes a neuron.
    pub fn save(&self, out: &mut Encoder) {
        out.u64(u64::from(self.n));
        for value in [self.start_step, self.latest_step, self.spikes] {
            out.u64(value);
        }
        out.u64(self.bins.open);
        out.u64(self.bins.count);
        out.u128(self.bins.sum);
        out.u128(self.bins.squares);
        for neuron in &self.neurons {
            out.u64(neuron.spikes);
            out.u64(neuron.first);
            out.u64(neuron.last);
            out.u128(neuron.sum_of_squares);
        }
    }

    /// Takes over what [`save`](Self::save) wrote, into statistics of the same population and
    /// window: what is pushed next continues them.
    ///
    /// # Errors
    /// When the data end early, or belong to a population of another size or another window.
    pub fn restore(&mut self, from: &mut Decoder<'_>) -> Result<(), DecodeError> {
        expect("the size of a population", from.u64()?, u64::from(self.n))?;
        expect("the start of the window", from.u64()?, self.start_step)?;
        self.latest_step = from.u64()?;
        self.spikes = from.u64()?;
        self.bins = Bins {
            open: from.u64()?,
            count: from.u64()?,
            sum: from.u128()?,
            squares: from.u128()?,
        };
        for neuron in &mut self.neurons {
            *neuron = Intervals {
                spikes: from.u64()?,
                first: from.u64()?,
                last: from.u64()?,
                sum_of_squares: from.u128()?,
            };
            if neuron.first > neuron.last || neuron.last > self.latest_step {
                return Err(DecodeError::Value {
                    what: "the last spike of a neuron",
                    value: neuron.last,
                });
            }
        }
        Ok(())
    }
}

fn expect(what: &'static str, value: u64, expected: u64) -> Result<(), DecodeError> {
    if value == expected {
        Ok(())
    } else {
        Err(DecodeError::Value { what, value })
    }
}
