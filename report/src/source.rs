//! Spikes that need not be in memory: visited block by block.

use crate::npz::NpzError;
use crate::{FileError, PopulationSpikes, Spikes, SpikesError};
use thiserror::Error;

/// Spikes of a block at most. A block and what is made of it stay below a few MiB.
pub const BLOCK: usize = 1 << 16;

/// Why spikes cannot be visited.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// An archive that does not hold what it should.
    #[error(transparent)]
    Npz(#[from] NpzError),
    /// Anything else that is wrong with the spikes of a population.
    #[error("spikes of {population}: {reason}")]
    Content {
        /// Name of the population.
        population: String,
        /// What is wrong.
        reason: String,
    },
}

/// The spikes of one population, wherever they are: in memory, in columns on disk, in an archive.
///
/// Statistics, analyses and plots read spikes through this trait, in blocks of at most [`BLOCK`],
/// and may do so several times. A format is added by implementing it.
pub trait SpikeSource {
    /// Name of the population.
    fn name(&self) -> &str;

    /// Number of its neurons.
    fn size(&self) -> u32;

    /// Hands over the spikes with `start_step < step ≤ end_step` in order of (step, neuron), in
    /// blocks. Every neuron handed over is smaller than [`size`](Self::size).
    ///
    /// # Errors
    /// When they cannot be read, are not sorted, or name a neuron that is not there.
    fn visit(
        &mut self,
        start_step: u64,
        end_step: u64,
        visit: &mut dyn FnMut(Spikes<'_>),
    ) -> Result<(), SourceError>;
}

impl SpikeSource for PopulationSpikes<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn size(&self) -> u32 {
        self.size
    }

    fn visit(
        &mut self,
        start_step: u64,
        end_step: u64,
        visit: &mut dyn FnMut(Spikes<'_>),
    ) -> Result<(), SourceError> {
        let spikes = self.spikes.window(start_step, end_step);
        let mut order = Order::new(self.name, self.size);
        let blocks = spikes
            .steps()
            .chunks(BLOCK)
            .zip(spikes.neurons().chunks(BLOCK));
        for (steps, neurons) in blocks {
            visit(order.block(steps, neurons)?);
        }
        Ok(())
    }
}

/// Checks blocks of spikes: sorted, also from block to block, and of neurons that are there. What
/// an implementation of [`SpikeSource`] needs.
#[derive(Debug, Clone)]
pub struct Order {
    population: String,
    size: u32,
    latest: Option<(u64, u32)>,
    passed: u64,
}

impl Order {
    /// Begins with the first block of a population of `size` neurons.
    #[must_use]
    pub fn new(population: &str, size: u32) -> Self {
        Self {
            population: population.to_owned(),
            size,
            latest: None,
            passed: 0,
        }
    }

    /// The next block, checked.
    ///
    /// # Errors
    /// [`SourceError::Content`], which tells the place of the first spike that is wrong.
    pub fn block<'a>(
        &mut self,
        steps: &'a [u64],
        neurons: &'a [u32],
    ) -> Result<Spikes<'a>, SourceError> {
        let spikes = Spikes::new(steps, neurons).map_err(|e| self.fail(&self.shifted(e)))?;
        if let Some(&neuron) = neurons.iter().find(|&&neuron| neuron >= self.size) {
            return Err(self.fail(&format!("neuron {neuron} in a population of {}", self.size)));
        }
        let first = steps.first().copied().zip(neurons.first().copied());
        if first.is_some() && self.latest > first {
            let index = usize::try_from(self.passed).unwrap_or(usize::MAX);
            return Err(self.fail(&SpikesError::Unsorted { index }));
        }
        let last = steps.last().copied().zip(neurons.last().copied());
        self.latest = last.or(self.latest);
        self.passed += steps.len() as u64;
        Ok(spikes)
    }

    /// The error with the place counted from the first spike of all.
    fn shifted(&self, error: SpikesError) -> SpikesError {
        match error {
            SpikesError::Unsorted { index } => SpikesError::Unsorted {
                index: index.saturating_add(usize::try_from(self.passed).unwrap_or(usize::MAX)),
            },
            other @ SpikesError::Length { .. } => other,
        }
    }

    fn fail(&self, reason: &dyn ToString) -> SourceError {
        SourceError::Content {
            population: self.population.clone(),
            reason: reason.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_checked_within_and_from_one_to_the_next() {
        let mut order = Order::new("E", 10);
        order.block(&[1, 2], &[5, 9]).unwrap();
        order.block(&[2, 7], &[9, 0]).unwrap();
        order.block(&[], &[]).unwrap();
        let message = |result: Result<Spikes<'_>, SourceError>| result.unwrap_err().to_string();
        let late = message(order.clone().block(&[6], &[0]));
        assert!(late.contains("spikes of E: spike 4 is earlier"), "{late}");
        let within = message(order.clone().block(&[8, 9, 8], &[0, 0, 0]));
        assert!(within.contains("spike 6 is earlier"), "{within}");
        let absent = message(order.block(&[8], &[10]));
        assert!(
            absent.contains("neuron 10 in a population of 10"),
            "{absent}"
        );
    }

    #[test]
    fn columns_in_memory_are_visited_in_blocks() {
        let n = BLOCK + 10;
        let steps: Vec<u64> = (1..=n as u64).collect();
        let neurons = vec![3; n];
        let mut population = PopulationSpikes {
            name: "E",
            size: 4,
            spikes: Spikes::new(&steps, &neurons).unwrap(),
        };
        let mut sizes = Vec::new();
        let end = n as u64 - 1;
        population
            .visit(1, end, &mut |s| sizes.push(s.len()))
            .unwrap();
        assert_eq!(sizes, [BLOCK, 8]);
    }
}
