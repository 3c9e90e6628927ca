//! Borrowed views of the spikes of a population.

use thiserror::Error;

/// Why two columns are not the spikes of a population.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SpikesError {
    /// One column is longer than the other.
    #[error("{steps} steps but {neurons} neurons: the two columns differ in length")]
    Length {
        /// Entries in the column of steps.
        steps: usize,
        /// Entries in the column of neurons.
        neurons: usize,
    },
    /// A spike is followed by an earlier one.
    #[error("spike {index} is earlier than the one before it: spikes are sorted by (step, neuron)")]
    Unsorted {
        /// Position of the earlier spike.
        index: usize,
    },
}

/// The spikes of one population as two columns, sorted by (step, neuron).
///
/// # Example
/// ```
/// use rheobase_report::Spikes;
///
/// let spikes = Spikes::new(&[10, 10, 25], &[3, 7, 0])?;
/// assert_eq!(spikes.len(), 3);
/// assert!(Spikes::new(&[10, 9], &[0, 0]).is_err());
/// # Ok::<(), rheobase_report::SpikesError>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Spikes<'a> {
    steps: &'a [u64],
    neurons: &'a [u32],
}

impl<'a> Spikes<'a> {
    /// Joins a column of steps (1-based: the spike is stamped `step·dt`) and a column of neuron
    /// indices. O(n).
    ///
    /// # Errors
    /// When the lengths differ or the spikes are not sorted.
    pub fn new(steps: &'a [u64], neurons: &'a [u32]) -> Result<Self, SpikesError> {
        if steps.len() != neurons.len() {
            return Err(SpikesError::Length {
                steps: steps.len(),
                neurons: neurons.len(),
            });
        }
        let unsorted =
            (1..steps.len()).find(|&i| (steps[i - 1], neurons[i - 1]) > (steps[i], neurons[i]));
        match unsorted {
            Some(index) => Err(SpikesError::Unsorted { index }),
            None => Ok(Self { steps, neurons }),
        }
    }

    /// The column of steps.
    #[must_use]
    pub fn steps(&self) -> &'a [u64] {
        self.steps
    }

    /// The column of neuron indices.
    #[must_use]
    pub fn neurons(&self) -> &'a [u32] {
        self.neurons
    }

    /// Number of spikes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is no spike.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The spikes with `start < step ≤ end`. O(log n).
    #[must_use]
    pub fn window(&self, start_step: u64, end_step: u64) -> Spikes<'a> {
        let from = self.steps.partition_point(|&step| step <= start_step);
        let to = self
            .steps
            .partition_point(|&step| step <= end_step)
            .max(from);
        Spikes {
            steps: &self.steps[from..to],
            neurons: &self.neurons[from..to],
        }
    }

    /// The spikes in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u32)> + use<'a> {
        self.steps.iter().copied().zip(self.neurons.iter().copied())
    }
}

/// The spikes of a population with its name and size: what plots and result files take.
#[derive(Debug, Clone, Copy)]
pub struct PopulationSpikes<'a> {
    /// Name of the population.
    pub name: &'a str,
    /// Number of its neurons.
    pub size: u32,
    /// Its spikes.
    pub spikes: Spikes<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_open_at_its_start_and_closed_at_its_end() {
        let spikes = Spikes::new(&[4, 5, 5, 6, 9, 10], &[0, 0, 1, 0, 0, 0]).unwrap();
        assert_eq!(
            spikes.window(5, 9).iter().collect::<Vec<_>>(),
            [(6, 0), (9, 0)]
        );
        assert_eq!(spikes.window(0, 100).len(), 6);
        assert!(spikes.window(9, 5).is_empty());
    }

    #[test]
    fn wrong_columns_are_refused() {
        let length = Spikes::new(&[1, 2], &[0]).unwrap_err();
        assert_eq!(
            length,
            SpikesError::Length {
                steps: 2,
                neurons: 1
            }
        );
        let order = Spikes::new(&[1, 2, 2], &[0, 5, 4]).unwrap_err();
        assert_eq!(order, SpikesError::Unsorted { index: 2 });
    }
}
