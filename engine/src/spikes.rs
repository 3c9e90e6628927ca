//! Spikes of a population in both representations of the field, and the ways between them.
//!
//! | representation | type | holds | pays where |
//! |---|---|---|---|
//! | timing-based | [`EventList`] | (time, neuron), sorted by time, one list per batch item | spikes are few, or not on the grid |
//! | activation-based | [`Raster`] | per step the neurons that fire, `[T, N, neurons]`: index lists or bit masks | every step is visited |
//!
//! [`Trains`] are the events of a list sorted by neuron.
//!
//! # Time
//! A spike is kept as the step it falls in, *k* ≥ 1, and its offset within that step, so that its
//! time is
//!
//! ```text
//! t = (k − 1)·dt + offset,   0 < offset ≤ dt
//! ```
//!
//! It is on the grid where offset = dt: then t = k·dt. A list on the grid holds no offsets. Times are
//! ordered by step first, so that no two floats of different steps are ever compared, and an offset
//! is as exact after an hour as after a millisecond.
//!
//! # From one to the other
//! On the grid every conversion is lossless, except that a bit mask holds a neuron once a step
//! ([`Multiplicity`] says what becomes of a second spike). Off the grid, a spike counts at the end of
//! its step, the first grid time ≥ t, as an input spike in NEST does; [`Rounding`] says how many
//! spikes moved, and how far.
//!
//! # Batch
//! The neurons of all batch items are numbered through as lanes: lane = item · neurons + neuron, as in
//! [`crate::record::Spikes`].
//!
//! # Example
//! ```
//! use rheobase_engine::spikes::{Columns, EventList, Multiplicity, Shape};
//!
//! // Three neurons, ten steps of 0.1 ms: neuron 2 fires at 0.25 ms, neuron 0 at 0.3 and 0.9 ms.
//! let events = EventList::new(
//!     Shape::new(10, 1, 3)?,
//!     0.1,
//!     Columns {
//!         starts: vec![0, 3],
//!         steps: vec![3, 3, 9],
//!         offsets_ms: Some(vec![0.05, 0.1, 0.1]),
//!         neurons: vec![2, 0, 0],
//!     },
//! )?;
//! let (raster, rounding) = events.to_raster()?;
//! assert_eq!((rounding.moved, rounding.largest_shift_ms), (1, 0.05));
//! assert_eq!(raster.row(3, 0).iter().collect::<Vec<_>>(), [0, 2]);
//!
//! let (masks, lost) = raster.to_masks(Multiplicity::Refuse)?;
//! assert_eq!((masks.row(9, 0).contains(0), lost), (true, 0));
//! assert_eq!(masks.to_events(0.1)?, events.to_grid().0);
//! assert_eq!(events.trains().train(0, 0).steps(), [3, 9]);
//! # Ok::<(), rheobase_engine::spikes::SpikesError>(())
//! ```

mod convert;
mod error;
mod events;
mod raster;
mod trains;
mod view;

pub use convert::{Multiplicity, Rounding};
pub use error::SpikesError;
pub use events::{Columns, EventList};
pub use raster::Raster;
pub use trains::{Train, Trains};
pub use view::{Event, Events, Row};

/// Most steps: grid times stay whole numbers that a float tells apart.
pub const MAX_STEPS: u64 = 1 << 53;

/// Extent of the spikes of a population: `[T, N, neurons]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    steps: u64,
    batch: u32,
    neurons: u32,
}

impl Shape {
    /// `steps` steps, 1 to `steps`, of `batch` items of `neurons` neurons.
    ///
    /// # Errors
    /// When there is no batch item, there are more than [`MAX_STEPS`] steps, or lanes cannot be
    /// numbered with 32 bits.
    pub fn new(steps: u64, batch: u32, neurons: u32) -> Result<Self, SpikesError> {
        let shape = Self {
            steps,
            batch,
            neurons,
        };
        if batch == 0 || steps > MAX_STEPS || batch.checked_mul(neurons).is_none() {
            return Err(SpikesError::Shape {
                steps,
                batch,
                neurons,
            });
        }
        Ok(shape)
    }

    /// T, the number of steps.
    #[must_use]
    pub fn steps(self) -> u64 {
        self.steps
    }

    /// N, the number of batch items; 1 in simulation.
    #[must_use]
    pub fn batch(self) -> u32 {
        self.batch
    }

    /// Neurons of the population.
    #[must_use]
    pub fn neurons(self) -> u32 {
        self.neurons
    }

    /// Neurons of all batch items.
    #[must_use]
    pub fn lanes(self) -> u32 {
        self.batch * self.neurons
    }

    /// The shape of `start < step ≤ end`.
    fn window(self, start_step: u64, end_step: u64) -> Self {
        let steps = end_step.min(self.steps).saturating_sub(start_step);
        Self { steps, ..self }
    }

    /// Whether `n_spikes` spikes take fewer bytes as bit masks than as index lists. A list takes
    /// 4 bytes a spike and 8 a row (a step of a batch item), a mask 8 for every 64 neurons of a row:
    /// in large populations masks pay where more than one neuron in 32 fires in a step. O(1).
    ///
    /// ```
    /// use rheobase_engine::spikes::Shape;
    ///
    /// let shape = Shape::new(1000, 1, 64_000)?;
    /// assert!(!shape.mask_pays(1000 * 1990) && shape.mask_pays(1000 * 2010));
    /// # Ok::<(), rheobase_engine::spikes::SpikesError>(())
    /// ```
    #[must_use]
    pub fn mask_pays(self, n_spikes: u64) -> bool {
        let rows = u128::from(self.steps) * u128::from(self.batch);
        let masks = rows * u128::from(self.neurons.div_ceil(64)) * 8;
        masks < rows * 8 + u128::from(n_spikes) * 4
    }
}

#[cfg(test)]
mod tests;
