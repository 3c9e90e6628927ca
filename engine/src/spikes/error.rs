//! What can be wrong with spikes.

use thiserror::Error;

/// Why numbers are not the spikes of a population, or cannot become another representation.
#[derive(Clone, Copy, PartialEq, Debug, Error)]
pub enum SpikesError {
    /// An extent that cannot be.
    #[error(
        "shape [{steps}, {batch}, {neurons}]: expected at least one batch item, at most 2^53 steps, and fewer than 2^32 neurons in all items"
    )]
    Shape {
        /// Steps.
        steps: u64,
        /// Batch items.
        batch: u32,
        /// Neurons of an item.
        neurons: u32,
    },
    /// A time step that is none.
    #[error("time step {dt_ms} ms: expected a finite length above 0")]
    TimeStep {
        /// The refused value \[ms\].
        dt_ms: f64,
    },
    /// Two lists that do not belong together.
    #[error("list {index} differs from the first in {what}: only lists of the same {what} merge")]
    Unlike {
        /// Which list, from 0.
        index: usize,
        /// "shape" or "time step".
        what: &'static str,
    },
    /// A column that is too short or too long.
    #[error("{found} {column}, expected {expected}")]
    Length {
        /// The column.
        column: &'static str,
        /// Its entries.
        found: usize,
        /// The entries it should have.
        expected: usize,
    },
    /// Starts of rows or items that do not ascend from 0.
    #[error("starts[{index}] is {start}: starts ascend from 0 to the number of spikes, {n_spikes}")]
    Start {
        /// Position among the starts.
        index: usize,
        /// The value found.
        start: usize,
        /// Number of spikes.
        n_spikes: usize,
    },
    /// A spike outside the steps.
    #[error("spike {index} is in step {step}: steps run from 1 to {steps}")]
    Step {
        /// Position of the spike.
        index: usize,
        /// Its step.
        step: u64,
        /// Number of steps.
        steps: u64,
    },
    /// An offset outside its step.
    #[error(
        "spike {index} is {offset_ms} ms into its step: offsets are above 0 and at most {dt_ms} ms"
    )]
    Offset {
        /// Position of the spike.
        index: usize,
        /// Its offset \[ms\].
        offset_ms: f64,
        /// Length of a step \[ms\].
        dt_ms: f64,
    },
    /// A neuron that is not there.
    #[error("spike {index} is of neuron {neuron}: there are {neurons}")]
    Neuron {
        /// Position of the spike.
        index: usize,
        /// The neuron.
        neuron: u64,
        /// Number of neurons.
        neurons: u32,
    },
    /// A spike followed by an earlier one.
    #[error(
        "spike {index} comes after a later one: within a batch item or row, spikes are sorted by time, then neuron"
    )]
    Unsorted {
        /// Position of the earlier spike.
        index: usize,
    },
    /// A neuron that fires twice in a step, where a mask should hold it.
    #[error(
        "neuron {neuron} of batch item {item} fires more than once in step {step}: a bit mask holds one spike; keep index lists, or saturate"
    )]
    Multiple {
        /// The step.
        step: u64,
        /// The batch item.
        item: u32,
        /// The neuron.
        neuron: u32,
    },
    /// A raster that would not fit.
    #[error(
        "a raster of {bytes} bytes: at most {limit} are allowed; slice the time, or keep an event list"
    )]
    Size {
        /// Bytes it would take.
        bytes: u128,
        /// The limit, or what memory there is.
        limit: u128,
    },
}
