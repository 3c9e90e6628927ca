//! Spikes in both representations ([`crate::engine::spikes`]), and their files.
//!
//! ```
//! use rheobase::formats::csv::{Options, Timing};
//! use rheobase::spikes::{self, Columns, EventList, Shape};
//!
//! // Two batch items of three neurons; neuron 2 of the second fires at 0.25 ms, off the grid.
//! let columns = Columns {
//!     starts: vec![0, 1, 2],
//!     steps: vec![9, 3],
//!     offsets_ms: Some(vec![0.1, 0.05]),
//!     neurons: vec![0, 2],
//! };
//! let events = EventList::new(Shape::new(10, 2, 3)?, 0.1, columns)?;
//!
//! let folder = tempfile::tempdir()?;
//! let npz = folder.path().join("spikes.npz");
//! spikes::write_npz(&npz, &[("E", &events)])?;
//! assert_eq!(spikes::read_npz(&npz)?, [("E".to_owned(), events.clone())]);
//!
//! let csv = folder.path().join("E.csv");
//! spikes::write_csv(&csv, &events)?;
//! let options = Options {
//!     timing: Timing::Continuous,
//!     steps: Some(10),
//!     neurons: Some(3),
//!     ..Options::new(0.1)
//! };
//! assert_eq!(spikes::read_csv(&csv, &options)?.events, events);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use rheobase_engine::spikes::*;

use std::path::Path;

use rheobase_engine::record;
use rheobase_formats::csv::{self, CsvError, Imported, WriteError};
use rheobase_report::npz::{self, NpzError, PopulationEvents, RecordedEvents};
use rheobase_report::{AtomicFile, FileError, PopulationSpikes};

/// Why spikes cannot be written to a file or read from it.
#[derive(Debug, thiserror::Error)]
pub enum SpikeFileError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// An archive.
    #[error(transparent)]
    Npz(#[from] NpzError),
    /// A table that is read.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// A table that is written.
    #[error("{path}: {source}")]
    Write {
        /// The file.
        path: String,
        /// What is wrong.
        source: WriteError,
    },
    /// A population that does not fit.
    #[error("{path}, population {population}: {source}")]
    Population {
        /// The file.
        path: String,
        /// Name of the population.
        population: String,
        /// What is wrong.
        source: SpikesError,
    },
    /// Time steps that differ where one archive holds one.
    #[error(
        "{population} has a time step of {dt_ms} ms, others of {other_ms} ms: write one file each"
    )]
    TimeStep {
        /// Name of the population.
        population: String,
        /// Its time step \[ms\].
        dt_ms: f64,
        /// That of the first \[ms\].
        other_ms: f64,
    },
    /// Nothing to write.
    #[error("no population to write")]
    Empty,
}

/// Writes named populations to one archive, atomically: what `rheobase run` writes, and offsets, batch
/// and number of steps ([`npz`]). O(events · log events).
///
/// # Errors
/// When there is none, time steps differ, or the file cannot be written.
pub fn write_npz(path: &Path, populations: &[(&str, &EventList)]) -> Result<(), SpikeFileError> {
    let dt_ms = match populations {
        [] => return Err(SpikeFileError::Empty),
        [(_, events), ..] => events.dt_ms(),
    };
    let other = |(_, events): &&(&str, &EventList)| events.dt_ms().to_bits() != dt_ms.to_bits();
    if let Some((name, events)) = populations.iter().find(other) {
        return Err(SpikeFileError::TimeStep {
            population: (*name).to_owned(),
            dt_ms: events.dt_ms(),
            other_ms: dt_ms,
        });
    }
    let records: Vec<_> = populations.iter().map(|(_, e)| e.to_record()).collect();
    let mut columns = Vec::with_capacity(populations.len());
    for ((name, events), record) in populations.iter().zip(&records) {
        let fail = |reason: &dyn ToString| NpzError::Content {
            path: path.to_owned(),
            name: (*name).to_owned(),
            reason: reason.to_string(),
        };
        let spikes = rheobase_report::Spikes::new(&record.steps, &record.neurons);
        let shape = events.shape();
        columns.push(PopulationEvents {
            spikes: PopulationSpikes {
                name,
                size: shape.lanes(),
                spikes: spikes.map_err(|e| fail(&e))?,
            },
            offsets_ms: (!events.is_on_grid()).then_some(&record.offsets_ms),
            batch: shape.batch(),
            n_steps: shape.steps(),
        });
    }
    Ok(npz::write_events(path, dt_ms, &columns)?)
}

/// The populations of an archive that [`write_npz`] or `rheobase run` wrote. Where the file does not
/// tell the number of steps, it is that of the last spike. O(events).
///
/// # Errors
/// When the file cannot be read, or holds something else.
pub fn read_npz(path: &Path) -> Result<Vec<(String, EventList)>, SpikeFileError> {
    let (dt_ms, populations) = npz::read_events(path)?;
    let list = |recorded: RecordedEvents| {
        let population = recorded.population;
        let last_step = population.steps.last().copied().unwrap_or(0);
        let n_steps = recorded.n_steps.unwrap_or(last_step);
        let spikes = record::Spikes {
            steps: population.steps,
            neurons: population.neurons,
            offsets_ms: recorded.offsets_ms.unwrap_or_default(),
        };
        let events = Shape::new(n_steps, recorded.batch, population.size / recorded.batch)
            .and_then(|shape| EventList::from_record(shape, dt_ms, &spikes));
        match events {
            Ok(events) => Ok((population.name, events)),
            Err(source) => Err(SpikeFileError::Population {
                path: path.display().to_string(),
                population: population.name,
                source,
            }),
        }
    };
    populations.into_iter().map(list).collect()
}

/// Writes a table of events, atomically ([`csv`]). O(events).
///
/// # Errors
/// When the time step is outside 1e-6 ms to 1e6 ms, or the file cannot be written.
pub fn write_csv(path: &Path, events: &EventList) -> Result<(), SpikeFileError> {
    let mut file = AtomicFile::create(path)?;
    csv::write(&mut file, events).map_err(|source| SpikeFileError::Write {
        path: path.display().to_string(),
        source,
    })?;
    Ok(file.commit()?)
}

/// Reads a table of events ([`csv`]). O(events).
///
/// # Errors
/// [`CsvError`], which tells the line.
pub fn read_csv(path: &Path, options: &csv::Options) -> Result<Imported, SpikeFileError> {
    Ok(csv::read(path, options)?)
}
