//! Statistics, plots and result files of Rheobase.
//!
//! What lives here: the statistics of a population's spikes ([`statistics`]), the files a run
//! leaves behind ([`ResultFolder`], [`npz`], [`RunRecord`]), the table for the terminal
//! ([`table`]) and the figures ([`plot`]).
//!
//! What may not: anything that knows a network, a component or the schedule of the engine. A
//! caller hands over plain numbers (grid steps, neuron indices, seconds) and gets text, bytes or
//! files back. Nothing here is random or reads a clock: equal input gives equal bytes. Only
//! [`Machine::detect`] and [`peak_rss_bytes`] look at the machine.

pub mod analysis;
mod atomic;
pub mod bytes;
mod grid;
pub mod npz;
pub mod plot;
mod power_law;
mod record;
mod source;
mod spikes;
pub mod statistics;
pub mod stream;
pub mod table;

pub use atomic::{AtomicFile, FileError, ResultFolder, atomic_write};
pub use grid::{TimeStep, TimeStepError};
pub use power_law::PowerLaw;
pub use record::{
    AdvanceRecord, Arithmetic, ContinuousRecord, DeviceRecord, Kernel, Machine, Mode,
    PopulationRecord, Precision, RunRecord, SwitchRecord, Timings, peak_rss_bytes,
    real_time_factor,
};
pub use source::{BLOCK, Order, SourceError, SpikeSource};
pub use spikes::{PopulationSpikes, Spikes, SpikesError};
pub use statistics::Statistics;
