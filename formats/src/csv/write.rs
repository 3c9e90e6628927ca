//! Writing tables of spikes.

use std::io::{self, Write};

use rheobase_engine::spikes::EventList;

use super::decimal::Grid;
use super::{BATCH_HEADER, HEADER};

/// Why a table cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A time step outside the limits.
    #[error("time step {0} ms is outside 1e-6 ms to 1e6 ms")]
    TimeStep(f64),
    /// A time that is no time of a spike.
    #[error(
        "step {step} with an offset of {offset_ms} ms: steps count from 1, offsets lie above 0 and at most at the length of a step"
    )]
    Time {
        /// The step.
        step: u64,
        /// The offset \[ms\].
        offset_ms: f64,
    },
}

/// Writes a table spike by spike: for those who have them in parts.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    grid: Grid,
    batch: bool,
}

impl<W: Write> Writer<W> {
    /// Writes the column names; with `batch` there is a column of batch items.
    ///
    /// # Errors
    /// When `dt_ms` is outside 1e-6 ms to 1e6 ms, or the system refuses.
    pub fn new(mut out: W, dt_ms: f64, batch: bool) -> Result<Self, WriteError> {
        let grid = Grid::new(dt_ms).ok_or(WriteError::TimeStep(dt_ms))?;
        let header = if batch { BATCH_HEADER } else { HEADER };
        writeln!(out, "{header}")?;
        Ok(Self { out, grid, batch })
    }

    /// Writes a spike; on the grid, `offset_ms` is the length of a step. A reader expects spikes in
    /// order of batch item, time, neuron.
    ///
    /// # Errors
    /// When the time is none, or the system refuses.
    pub fn spike(
        &mut self,
        item: u32,
        step: u64,
        offset_ms: f64,
        neuron: u32,
    ) -> Result<(), WriteError> {
        if step == 0 || !(offset_ms > 0.0 && offset_ms <= self.grid.dt_ms) {
            return Err(WriteError::Time { step, offset_ms });
        }
        let time = self.grid.time(step, offset_ms);
        if self.batch {
            writeln!(self.out, "{time},{neuron},{item}")?;
        } else {
            writeln!(self.out, "{time},{neuron}")?;
        }
        Ok(())
    }

    /// Gives back what was written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// Writes a list of events, with a column `batch` where there is more than one batch item. The shape
/// is not in the file. O(events).
///
/// # Errors
/// When the time step is outside 1e-6 ms to 1e6 ms, or the system refuses.
pub fn write(out: impl Write, events: &EventList) -> Result<(), WriteError> {
    let batch = events.shape().batch();
    let mut writer = Writer::new(out, events.dt_ms(), batch > 1)?;
    for item in 0..batch {
        for event in events.item(item).iter() {
            writer.spike(item, event.step, event.offset_ms, event.neuron)?;
        }
    }
    Ok(())
}
