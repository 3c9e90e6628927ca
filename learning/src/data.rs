//! Data sets: samples with labels, checked once, handed out in batches.
//!
//! | where from | function |
//! |---|---|
//! | 1,797 digits of 8 × 8 that come with the library | [`digits`] |
//! | MNIST, Fashion-MNIST and their relatives: a folder of IDX files | [`idx_folder`] |
//! | Debian's package of Fashion-MNIST | [`fashion_mnist`] |
//! | NumPy's `x_train`, `y_train`, `x_test`, `y_test` | [`npz`] |
//! | tasks in time, drawn from a seed | [`Task`] |
//! | arrays of your own | [`Dataset::new`] |
//!
//! A [`Dataset`] keeps bytes as bytes and scales them when a batch is made; [`Batches`] shuffles by a
//! stream of its own, makes batches ahead on another thread, and can be taken up anywhere in an epoch
//! with the same batches, bit for bit.
//!
//! # Example
//! ```
//! use rheobase_learning::data::{BatchOptions, Batches, Position, digits};
//! use rheobase_learning::encode::Samples;
//! use std::sync::Arc;
//!
//! let split = digits::<f32>()?;
//! let train = Arc::new(split.train);
//! let batches = Batches::new(Arc::clone(&train), BatchOptions { size: 100, ..BatchOptions::new(7) })?;
//! assert_eq!((train.len(), batches.n_batches()), (1437, 15));
//! for epoch in 0..2 {
//!     for batch in batches.epoch(epoch) {
//!         let samples = Samples::new(&batch.values, batch.elements, &batch.numbers)?;
//!         assert_eq!((samples.values().len(), batch.labels.len()), (64 * batch.len(), batch.len()));
//!     }
//! }
//! // Stopped after the third batch of epoch 1, and taken up there.
//! let mut before = batches.epoch(1);
//! before.nth(2);
//! assert_eq!(before.position(), Position { epoch: 1, batch: 3 });
//! let mut after = batches.resume(before.position())?;
//! assert_eq!(before.next(), after.next());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batches;
mod dataset;
mod digits;
mod files;
mod task;

pub use batches::{Batch, BatchOptions, Batches, Epoch, Last, Position};
pub use dataset::{Dataset, Values};
pub use digits::digits;
pub use files::{FASHION_MNIST_FOLDER, fashion_mnist, idx_folder, npz};
pub use task::Task;

use rheobase_formats::array::ArrayError;
use std::path::PathBuf;

/// Samples to learn from, and others to judge by.
#[derive(Clone, PartialEq, Debug)]
pub struct Split<R> {
    /// To learn from.
    pub train: Dataset<R>,
    /// To judge by.
    pub test: Dataset<R>,
}

/// Why data cannot be used.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// No samples, or samples without elements.
    #[error("data set {name}: no samples, or samples of shape {shape:?} without elements")]
    Empty {
        /// The data set.
        name: String,
        /// Shape of a sample.
        shape: Vec<usize>,
    },
    /// Values that are not so many samples of that shape.
    #[error("data set {name}: {found} values, but {labels} labels with samples of shape {shape:?} need {}", needed(.labels, .shape))]
    Length {
        /// The data set.
        name: String,
        /// Values given.
        found: usize,
        /// Labels given.
        labels: usize,
        /// Shape of a sample.
        shape: Vec<usize>,
    },
    /// More samples than can be numbered.
    #[error("data set {name}: {samples} samples, at most 2^32 − 1 can be numbered")]
    TooMany {
        /// The data set.
        name: String,
        /// Samples given.
        samples: usize,
    },
    /// A value that is no number.
    #[error(
        "data set {name}: element {element} of sample {sample} is {value}: expected a finite number"
    )]
    NotFinite {
        /// The data set.
        name: String,
        /// The sample.
        sample: usize,
        /// The element in it.
        element: usize,
        /// What stands there.
        value: f64,
    },
    /// A label that names no class.
    #[error("data set {name}: label {label} of sample {sample} is outside 0 .. {classes}")]
    Label {
        /// The data set.
        name: String,
        /// The sample.
        sample: usize,
        /// Its label.
        label: i64,
        /// Classes.
        classes: usize,
    },
    /// A number that cannot be.
    #[error("{name} is {value}: expected {expected}")]
    Parameter {
        /// Which.
        name: &'static str,
        /// The refused value.
        value: f64,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A sample that is not there.
    #[error("data set {name}: no sample {sample}, there are {samples}")]
    Sample {
        /// The data set.
        name: String,
        /// The number asked for.
        sample: usize,
        /// Samples there are.
        samples: usize,
    },
    /// A place in no epoch.
    #[error(
        "batch {batch} of an epoch of {batches}: the place was saved with other data or another batch size"
    )]
    Position {
        /// The batch.
        batch: u64,
        /// Batches of an epoch.
        batches: u64,
    },
    /// A folder without the files.
    #[error("{}: no file {file} or {file}.gz. For Fashion-MNIST install Debian's package dataset-fashion-mnist (apt install dataset-fashion-mnist), which fills {FASHION_MNIST_FOLDER}, or download its four files from https://github.com/zalandoresearch/fashion-mnist; for MNIST put the four files of the same names there", folder.display())]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// The first file that is not there.
        file: &'static str,
    },
    /// An array whose shape or type is none of a data set.
    #[error("{file}: {array} {problem}")]
    Array {
        /// The file.
        file: String,
        /// The array.
        array: String,
        /// What is wrong.
        problem: String,
    },
    /// A file that cannot be read.
    #[error(transparent)]
    File(#[from] ArrayError),
}

fn needed(labels: &usize, shape: &[usize]) -> usize {
    shape.iter().fold(*labels, |n, &k| n.saturating_mul(k))
}
