//! Training a network from a file: data, epochs, checkpoints, metrics, figures.
//!
//! A [`TrainingFile`] is a network file with a table `[training]` ([`Settings`]). [`train`] runs it and
//! fills a folder: `weights.safetensors` (parameters and all that is needed to continue), `metrics.jsonl`,
//! TensorBoard's events, `learning_curve.svg` and `.png`, `confusion.svg` and `.png`, `train.json`.
//!
//! A run that is resumed from its checkpoint ends with the bits of one that was never stopped.

mod backend;
mod checkpoint;
mod data;
mod file;
mod job;
mod judge;
mod results;
mod settings;
mod weights;

use std::path::PathBuf;
use std::time::Duration;

pub use checkpoint::WeightsError;
pub use data::DataSettings;
pub use file::{FileProblem, TrainingFile};
pub use job::{evaluate, train};
pub use results::{EvaluationRecord, TrainingRecord};
pub use settings::{
    EncoderSettings, LogitsSettings, LossSettings, OptimizerSettings, ScheduleSettings, Settings,
};
pub use weights::read_weights;

use rheobase_engine::network::NetworkErrors;
use rheobase_engine::unrolled::UnrolledError;
use rheobase_formats::tensorboard::EventError;
use rheobase_learning::data::DataError;
use rheobase_learning::encode::EncodeError;
use rheobase_learning::optimizer::OptimizerError;
use rheobase_learning::output::OutputError;
use rheobase_learning::record::RecordError;
use rheobase_learning::schedule::ScheduleError;
use rheobase_learning::trainer::{StateError, TrainError};
use rheobase_report::FileError;
use rheobase_report::plot::PlotError;

use crate::run::Backend;

/// Name of the checkpoint in the results folder.
pub const WEIGHTS: &str = "weights.safetensors";
/// Name of the metrics in the results folder.
pub const METRICS: &str = "metrics.jsonl";

/// How training is run; on the processor, results do not depend on it.
#[derive(Clone, Debug)]
pub struct TrainOptions {
    /// Threads.
    pub threads: usize,
    /// Time between checkpoints within an epoch; one is written at the end of each epoch too.
    pub checkpoint_every: Duration,
    /// Continue from this checkpoint.
    pub resume: Option<PathBuf>,
    /// Where passes run. Gradients of a device differ from the processor's in their last digits.
    pub backend: Backend,
    /// With [`Backend::Gpu`]: an adapter whose name contains this text; any if not given.
    pub adapter: Option<String>,
    /// With [`Backend::Gpu`]: the device, where it is open already.
    #[cfg(feature = "gpu")]
    pub device: Option<rheobase_engine::backend::gpu::GpuDevice>,
    /// With [`Backend::Gpu`]: if the device fails, the processor goes on, as with [`Backend::Auto`].
    pub fallback: bool,
}

impl Default for TrainOptions {
    /// One thread, a checkpoint every minute, the backend chosen by an estimate.
    fn default() -> Self {
        Self {
            threads: 1,
            checkpoint_every: Duration::from_secs(60),
            resume: None,
            backend: Backend::default(),
            adapter: None,
            #[cfg(feature = "gpu")]
            device: None,
            fallback: false,
        }
    }
}

/// How far training is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TrainProgress<'a> {
    /// The epoch, from 0.
    pub epoch: u64,
    /// Epochs in all.
    pub epochs: u64,
    /// Batches of this epoch done.
    pub batch: u64,
    /// Batches of an epoch.
    pub batches: u64,
    /// Mean loss of the epoch so far.
    pub loss: f64,
    /// Share of samples whose class was found in the epoch so far.
    pub accuracy: f64,
    /// Samples a second in this run.
    pub samples_per_second: f64,
    /// A line to show at the end of an epoch, or a warning.
    pub line: Option<&'a str>,
}

/// Why training failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainFailure {
    /// The description of the network.
    #[error(transparent)]
    Network(#[from] NetworkErrors),
    /// The file or its table `[training]`.
    #[error(transparent)]
    File(#[from] FileProblem),
    /// The network cannot be unrolled.
    #[error(transparent)]
    Unrolled(#[from] UnrolledError),
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Samples cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The optimiser.
    #[error("training.optimizer: {0}")]
    Optimizer(#[from] OptimizerError),
    /// The schedule.
    #[error("training.schedule: {0}")]
    Schedule(#[from] ScheduleError),
    /// There is no device to train on, or it does not suit the network.
    #[error("the GPU backend: {0}; --backend cpu trains on the processor")]
    Device(String),
    /// Network and data do not fit.
    #[error("{0}")]
    Fit(String),
    /// A step of training.
    #[error("epoch {epoch}, batch {batch}: {source}")]
    Step {
        /// The epoch, from 1.
        epoch: u64,
        /// The batch, from 1.
        batch: u64,
        /// What happened.
        source: TrainError,
    },
    /// A trainer between steps.
    #[error(transparent)]
    Trainer(#[from] TrainError),
    /// Weights or a checkpoint.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A state that does not fit.
    #[error(transparent)]
    State(#[from] StateError),
    /// A checkpoint of another training.
    #[error(
        "the checkpoint belongs to another training: {difference}. Only the number of epochs may change"
    )]
    Other {
        /// The first line that differs.
        difference: String,
    },
    /// A file of results.
    #[error(transparent)]
    Results(#[from] FileError),
    /// A figure.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// The metrics.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// TensorBoard's events.
    #[error(transparent)]
    Events(#[from] EventError),
    /// The output.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl TrainFailure {
    /// What a device says that has failed.
    fn of_device(&self) -> Option<&str> {
        match self {
            Self::Trainer(TrainError::Network(UnrolledError::Device(reason)))
            | Self::Step {
                source: TrainError::Network(UnrolledError::Device(reason)),
                ..
            } => Some(reason),
            _ => None,
        }
    }

    /// Whether what was given is at fault; else the run failed.
    #[must_use]
    pub fn is_input(&self) -> bool {
        if let Self::Step { source, .. } = self {
            return matches!(source, TrainError::Encode(_));
        }
        !matches!(
            self,
            Self::Results(_)
                | Self::Plot(_)
                | Self::Record(_)
                | Self::Events(_)
                | Self::Weights(WeightsError::File(_) | WeightsError::Layout(_))
        )
    }
}
