//! From one representation to the other.

use super::events::accumulate;
use super::raster::{Rows, n_rows, row_index, words_per_row, zeros};
use super::{Columns, EventList, Raster, SpikesError};

/// What becomes of a neuron that fires more than once in a step, where a bit mask is to hold it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Multiplicity {
    /// An error that names it.
    Refuse,
    /// One spike remains; the others are counted as lost.
    Saturate,
}

/// What putting spikes on the grid has changed.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Rounding {
    /// Spikes that were off the grid.
    pub moved: u64,
    /// The farthest that one of them moved, always to a later time \[ms\].
    pub largest_shift_ms: f64,
}

impl EventList {
    /// The same spikes on the grid: each at the end of its step, the first grid time that is not
    /// earlier. O(events), and a sort within the steps where neurons change their order.
    #[must_use]
    pub fn to_grid(&self) -> (Self, Rounding) {
        let mut rounding = Rounding::default();
        for &offset_ms in self.columns.offsets_ms.iter().flatten() {
            if offset_ms < self.dt_ms {
                rounding.moved += 1;
                let shift_ms = self.dt_ms - offset_ms;
                rounding.largest_shift_ms = rounding.largest_shift_ms.max(shift_ms);
            }
        }
        let mut list = self.clone();
        if list.columns.offsets_ms.take().is_some() {
            list.sort();
        }
        (list, rounding)
    }

    /// The same spikes with an offset for each: that of the grid, dt, where there was none. O(events).
    #[must_use]
    pub fn to_continuous(&self) -> Self {
        let mut list = self.clone();
        let offsets = list.columns.offsets_ms;
        list.columns.offsets_ms = Some(offsets.unwrap_or_else(|| vec![self.dt_ms; self.len()]));
        list
    }

    /// The spikes as index lists per step; those off the grid count at the end of their step, as
    /// [`to_grid`](Self::to_grid) has it. Nothing is lost on the grid. O(events + T·N).
    ///
    /// # Errors
    /// [`SpikesError::Size`] where T·N rows do not fit.
    pub fn to_raster(&self) -> Result<(Raster, Rounding), SpikesError> {
        let (list, rounding) = self.to_grid();
        let shape = self.shape;
        let mut starts = zeros::<usize>(n_rows(shape)? as u128 + 1)?;
        for item in 0..shape.batch {
            for &step in list.item(item).steps() {
                starts[row_index(shape, step, item) + 1] += 1;
            }
        }
        accumulate(&mut starts);
        let mut neurons = vec![0; list.len()];
        for item in 0..shape.batch {
            for (step, events) in list.item(item).by_step() {
                let start = starts[row_index(shape, step, item)];
                neurons[start..start + events.len()].copy_from_slice(events.neurons());
            }
        }
        let rows = Rows::Lists { starts, neurons };
        Ok((Raster { shape, rows }, rounding))
    }
}

impl Raster {
    /// The spikes as events on the grid, in steps of `dt_ms`. Nothing is lost. O(spikes) and a visit
    /// of every row.
    ///
    /// # Errors
    /// [`SpikesError::TimeStep`].
    pub fn to_events(&self, dt_ms: f64) -> Result<EventList, SpikesError> {
        let mut columns = Columns {
            starts: vec![0],
            ..Columns::default()
        };
        for item in 0..self.shape.batch {
            for step in 1..=self.shape.steps {
                columns.neurons.extend(self.row(step, item).iter());
                columns.steps.resize(columns.neurons.len(), step);
            }
            columns.starts.push(columns.steps.len());
        }
        EventList::new(self.shape, dt_ms, columns)
    }

    /// The spikes as bit masks, and the number of spikes lost: 0 unless `multiplicity` saturates.
    /// O(spikes + T·N·neurons / 64).
    ///
    /// # Errors
    /// [`SpikesError::Multiple`] where a neuron fires twice in a step and that is refused;
    /// [`SpikesError::Size`] where the masks do not fit.
    pub fn to_masks(&self, multiplicity: Multiplicity) -> Result<(Self, u64), SpikesError> {
        let per_row = words_per_row(self.shape);
        let mut words = zeros::<u64>(n_rows(self.shape)? as u128 * per_row as u128)?;
        let mut lost = 0;
        for step in 1..=self.shape.steps {
            for item in 0..self.shape.batch {
                let first = row_index(self.shape, step, item) * per_row;
                for neuron in self.row(step, item).iter() {
                    let word = &mut words[first + neuron as usize / 64];
                    let bit = 1 << (neuron % 64);
                    if *word & bit == 0 {
                        *word |= bit;
                        continue;
                    }
                    if multiplicity == Multiplicity::Refuse {
                        return Err(SpikesError::Multiple { step, item, neuron });
                    }
                    lost += 1;
                }
            }
        }
        let rows = Rows::Masks { words };
        let shape = self.shape;
        Ok((Self { shape, rows }, lost))
    }

    /// The spikes as index lists. Nothing is lost. O(spikes) and a visit of every row.
    #[must_use]
    pub fn to_lists(&self) -> Self {
        let (mut starts, mut neurons) = (vec![0], Vec::new());
        for step in 1..=self.shape.steps {
            for item in 0..self.shape.batch {
                neurons.extend(self.row(step, item).iter());
                starts.push(neurons.len());
            }
        }
        let rows = Rows::Lists { starts, neurons };
        let shape = self.shape;
        Self { shape, rows }
    }
}
