//! Spikes of a population as a table: a line of column names, then a line for each spike.
//!
//! ```text
//! time_ms,neuron
//! 0.3,2
//! 0.3,17
//! 1.25,0
//! ```
//!
//! With a batch there is a third column, `batch`, the number of the batch item. Lines are sorted by
//! batch item, time, neuron. Neurons and batch items count from 0. Times are above 0.
//!
//! # Times
//! A time is read as the decimal number it is, not as a float: with the step of length dt it becomes
//! a step and an offset in it, exactly ([`rheobase_engine::spikes`]). What is written is the exact sum
//! (k − 1)·dt + offset of the shortest decimals of dt and offset, so that it reads back as the same
//! step and the same float, however late. On the grid that is k·dt: `0.3`, never
//! `0.30000000000000004`.
//!
//! Read on the grid ([`Timing::Grid`]), a time counts at the end of the step it falls in, and
//! [`Imported::rounding`] tells how many moved and how far. A time that differs from a grid point by
//! what floating-point arithmetic leaves, at most (10⁻⁹ + 2⁻⁵⁰·k) dt, is that grid point: `0.1 + 0.2`
//! printed in full is step 3 of 0.1 ms.
//!
//! # Limits
//! Lines of 1,024 bytes, 2³² spikes, 2²⁰ batch items, 2⁵³ steps; steps of 10⁻⁶ to 10⁶ ms. Every
//! line ends with a line break, also the last, so that a file cut within a line is told from a whole
//! one. Nothing else is let pass: no empty lines, blanks, quotes or signs.
//!
//! # Example
//! ```
//! use rheobase_formats::csv::{self, Options, Timing};
//!
//! let text = "time_ms,neuron\n0.25,2\n0.3,0\n";
//! let read = csv::parse("spikes.csv", text.as_bytes(), &Options::new(0.1))?;
//! assert_eq!(read.events.item(0).steps(), [3, 3]);
//! assert_eq!(read.events.item(0).neurons(), [0, 2]);
//! assert_eq!(read.rounding.moved, 1);
//!
//! let continuous = Options { timing: Timing::Continuous, ..Options::new(0.1) };
//! let read = csv::parse("spikes.csv", text.as_bytes(), &continuous)?;
//! assert_eq!(read.events.item(0).offsets_ms(), Some(&[0.05, 0.1][..]));
//! let mut written = Vec::new();
//! csv::write(&mut written, &read.events)?;
//! assert_eq!(written, text.as_bytes());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decimal;
mod read;
mod write;

pub use read::{Imported, Options, Timing, parse, read};
pub use write::{WriteError, Writer, write};

use rheobase_engine::spikes::SpikesError;

/// Column names, without and with a batch.
const HEADER: &str = "time_ms,neuron";
const BATCH_HEADER: &str = "time_ms,neuron,batch";

/// Why a table cannot be read: where, and what is wrong.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("{file}{}: {problem}", line_of(*.line))]
pub struct CsvError {
    /// The file.
    pub file: String,
    /// The line, from 1; 0 for the file as a whole.
    pub line: u64,
    /// What is wrong.
    pub problem: CsvProblem,
}

fn line_of(line: u64) -> String {
    if line == 0 {
        return String::new();
    }
    format!(", line {line}")
}

/// What is wrong.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CsvProblem {
    /// The file cannot be read.
    #[error("{0}")]
    Io(String),
    /// A time step outside the limits.
    #[error("time step {0} ms is outside 1e-6 ms to 1e6 ms")]
    TimeStep(f64),
    /// Other column names.
    #[error("`{0}`: expected the column names `{HEADER}` or `{BATCH_HEADER}`")]
    Header(String),
    /// A line without its line break.
    #[error("ends without a line break: the file may have been cut")]
    Cut,
    /// A line that is too long.
    #[error("is longer than {0} bytes")]
    LongLine(usize),
    /// Too few or too many fields.
    #[error("{found} fields, expected {expected}")]
    Fields {
        /// Fields of the line.
        found: usize,
        /// Columns.
        expected: usize,
    },
    /// A field that is no such number.
    #[error("{column} `{field}`: expected {expected}")]
    Field {
        /// The column.
        column: &'static str,
        /// What stands there.
        field: String,
        /// What should.
        expected: String,
    },
    /// A time after the last step.
    #[error("is in step {step} of {steps}")]
    Late {
        /// The step.
        step: u64,
        /// The last.
        steps: u64,
    },
    /// A line that belongs before the one above it.
    #[error("belongs before the line above it: sort by batch item, time, neuron")]
    Unsorted,
    /// Too many lines.
    #[error("more than {0} spikes")]
    Spikes(u64),
    /// Numbers that cannot be the spikes of one population.
    #[error(transparent)]
    Content(#[from] SpikesError),
}

#[cfg(test)]
mod tests;
