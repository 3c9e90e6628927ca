//! Spikes and traces as NumPy archives (`.npz`): ZIP files of arrays, stored uncompressed, as
//! `numpy.savez` writes them.
//!
//! All files are written through [`AtomicFile`]: they appear whole or not at all. Nothing in them
//! depends on the clock, so equal results give equal bytes. Arrays above 4 GB get ZIP64 records.
//!
//! **Spikes** ([`write_spikes`]), per population `E`:
//!
//! | array | type | meaning |
//! |---|---|---|
//! | `E.step` or `E.time_ms` | i64 or f64 `[spikes]` | step, or its time \[ms\] |
//! | `E.neuron` | u32 `[spikes]` | index within the population |
//! | `E.offset_ms` | f64 `[spikes]` | of populations in continuous time: time since the beginning of the step \[ms\]; t = (step − 1)·dt + offset |
//! | `E.size` | u32 scalar | neurons in the population |
//! | `dt_ms` | f64 scalar | time step \[ms\] |
//!
//! [`write_events`] adds what continuous time and a batch need:
//!
//! | array | type | meaning |
//! |---|---|---|
//! | `E.offset_ms` | f64 `[spikes]` | offset within the step: time = (step − 1) · dt + offset \[ms\]; not there on the grid |
//! | `E.batch` | u32 scalar | batch items; `E.neuron` is then a lane, item · (size / batch) + neuron |
//! | `E.n_steps` | u64 scalar | number of steps |
//!
//! **Traces** ([`write_traces`]), per population `E` and variable `v`:
//!
//! | array | type | meaning |
//! |---|---|---|
//! | `E.v` | f32 or f64 `[samples, neurons]` | the variable, in its own unit |
//! | `E.neurons` | u32 `[neurons]` | which neurons the columns are |
//! | `time_ms` | f64 `[samples]` | when the samples were taken \[ms\] |
//! | `dt_ms` | f64 scalar | time step \[ms\] |
//!
//! ```python
//! f = numpy.load("spikes.npz")
//! rate = len(f["E.step"]) / f["E.size"]
//! ```

mod events;
mod npy;
mod read;
mod source;
mod spikes;
mod traces;

pub use events::{PopulationEvents, RecordedEvents, read_events, write_events};
pub use npy::Element;
pub use read::{Array, NpzReader};
pub use source::NpzSpikes;
pub use spikes::{RecordedPopulation, RecordedSpikes, Stamp, read_spikes, write_spikes};
pub use traces::{Trace, TraceValues, write_traces};

use crate::{AtomicFile, FileError};
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

/// Why an archive cannot be written or read.
#[derive(Debug, Error)]
pub enum NpzError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// A name that would not survive as the name of a file in the archive.
    #[error(
        "array name {name:?}: names hold no slash, backslash or control character and are not empty"
    )]
    Name {
        /// The refused name.
        name: String,
    },
    /// Two arrays of one name.
    #[error("two arrays named {name:?} in one archive")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The number of values does not fill the shape.
    #[error("array {name:?} of shape {shape:?} got {values} values")]
    Shape {
        /// The array.
        name: String,
        /// Its shape.
        shape: Vec<u64>,
        /// The number of values given.
        values: u64,
    },
    /// A step beyond the range of i64.
    #[error("step {step} in array {name:?} does not fit a signed 64-bit integer")]
    Range {
        /// The array.
        name: String,
        /// The step.
        step: u64,
    },
    /// The time step is not usable.
    #[error(transparent)]
    TimeStep(#[from] crate::TimeStepError),
    /// An array that should be there is not.
    #[error("{} holds no array {name:?}", path.display())]
    Missing {
        /// The archive.
        path: PathBuf,
        /// The array.
        name: String,
    },
    /// An array does not hold what its name promises.
    #[error("array {name:?} of {}: {reason}", path.display())]
    Content {
        /// The archive.
        path: PathBuf,
        /// The array.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Writes an archive array by array; values are streamed, never copied as a whole.
///
/// # Example
/// ```
/// use rheobase_report::npz::{NpzReader, NpzWriter};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("weights.npz");
/// let mut archive = NpzWriter::create(&path)?;
/// archive.array("w", &[2, 3], (0..6).map(f64::from))?;
/// archive.scalar("dt_ms", 0.1)?;
/// archive.finish()?;
///
/// let mut archive = NpzReader::open(&path)?;
/// assert_eq!(archive.array::<f64>("w")?.shape, [2, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct NpzWriter {
    zip: ZipWriter<AtomicFile>,
    path: PathBuf,
    names: BTreeSet<String>,
}

impl NpzWriter {
    /// Begins the archive that [`finish`](Self::finish) will put at `path`.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn create(path: &Path) -> Result<Self, NpzError> {
        let file = AtomicFile::create(path)?;
        Ok(Self {
            zip: ZipWriter::new(file),
            path: path.to_owned(),
            names: BTreeSet::new(),
        })
    }

    /// Adds an array of the given shape, values in row-major order (the last index fastest).
    ///
    /// # Errors
    /// When the name cannot be used or is taken, the values do not fill the shape, or the file
    /// cannot be written. The archive is then of no use and should be dropped.
    pub fn array<T: Element>(
        &mut self,
        name: &str,
        shape: &[u64],
        values: impl IntoIterator<Item = T>,
    ) -> Result<(), NpzError> {
        self.claim(name)?;
        let expected = shape.iter().product::<u64>();
        let written = self
            .write_array(name, shape, expected, values)
            .map_err(|e| FileError::io("write", &self.path, e))?;
        filled(name, shape, expected, written)
    }

    /// Adds an array whose values are copied from a stream of little-endian numbers, as
    /// [`array`](Self::array) otherwise, with a buffer of 64 KiB.
    ///
    /// # Errors
    /// Those of [`array`](Self::array), and those of the stream.
    pub fn copy<T: Element>(
        &mut self,
        name: &str,
        shape: &[u64],
        values: &mut dyn Read,
    ) -> Result<(), NpzError> {
        self.claim(name)?;
        let expected = shape.iter().product::<u64>();
        let written = self
            .copy_array::<T>(name, shape, expected, values)
            .map_err(|e| FileError::io("write", &self.path, e))?;
        filled(name, shape, expected, written)
    }

    /// Adds an array without dimensions, a single value.
    ///
    /// # Errors
    /// Those of [`array`](Self::array).
    pub fn scalar<T: Element>(&mut self, name: &str, value: T) -> Result<(), NpzError> {
        self.array(name, &[], [value])
    }

    /// Closes the archive and gives it its name.
    ///
    /// # Errors
    /// When the file cannot be written; there is then no file of that name, or the old one.
    pub fn finish(self) -> Result<(), NpzError> {
        let file = self
            .zip
            .finish()
            .map_err(|e| FileError::io("write", &self.path, e.into()))?;
        Ok(file.commit()?)
    }

    fn claim(&mut self, name: &str) -> Result<(), NpzError> {
        let bad = |c: char| matches!(c, '/' | '\\') || c.is_control();
        if name.is_empty() || name.contains(bad) {
            return Err(NpzError::Name {
                name: name.to_owned(),
            });
        }
        if !self.names.insert(name.to_owned()) {
            return Err(NpzError::Duplicate {
                name: name.to_owned(),
            });
        }
        Ok(())
    }

    /// Returns the number of values given; stops at one too many.
    fn write_array<T: Element>(
        &mut self,
        name: &str,
        shape: &[u64],
        expected: u64,
        values: impl IntoIterator<Item = T>,
    ) -> io::Result<u64> {
        self.begin::<T>(name, shape, expected)?;
        // The checksum is taken per write: many small ones would be slow.
        let mut buffer = Vec::with_capacity(BUFFER + T::BYTES);
        let mut written = 0;
        for value in values {
            written += 1;
            if written > expected {
                return Ok(written);
            }
            value.put(&mut buffer);
            if buffer.len() >= BUFFER {
                self.zip.write_all(&buffer)?;
                buffer.clear();
            }
        }
        self.zip.write_all(&buffer)?;
        Ok(written)
    }

    /// Returns the number of whole values copied; stops at one too many.
    fn copy_array<T: Element>(
        &mut self,
        name: &str,
        shape: &[u64],
        expected: u64,
        values: &mut dyn Read,
    ) -> io::Result<u64> {
        self.begin::<T>(name, shape, expected)?;
        let bytes = expected.saturating_mul(T::BYTES as u64);
        let mut copied = 0;
        let mut buffer = vec![0; BUFFER];
        loop {
            let n = values.read(&mut buffer)?;
            copied += n as u64;
            if n == 0 || copied > bytes {
                return Ok(copied.div_ceil(T::BYTES as u64));
            }
            self.zip.write_all(&buffer[..n])?;
        }
    }

    fn begin<T: Element>(&mut self, name: &str, shape: &[u64], expected: u64) -> io::Result<()> {
        let bytes = expected.saturating_mul(T::BYTES as u64);
        self.zip.start_file(file_name(name), entry_options(bytes))?;
        self.zip.write_all(&npy::header::<T>(shape))
    }
}

fn filled(name: &str, shape: &[u64], expected: u64, written: u64) -> Result<(), NpzError> {
    if written == expected {
        return Ok(());
    }
    Err(NpzError::Shape {
        name: name.to_owned(),
        shape: shape.to_vec(),
        values: written,
    })
}

/// Bytes written at once.
const BUFFER: usize = 1 << 16;

/// Name of the file of an array within the archive.
fn file_name(array: &str) -> String {
    format!("{array}.npy")
}

fn entry_options(bytes: u64) -> SimpleFileOptions {
    const HEADER_ALLOWANCE: u64 = 1 << 20;
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
        .large_file(bytes.saturating_add(HEADER_ALLOWANCE) > u64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
