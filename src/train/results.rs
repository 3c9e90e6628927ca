//! What is left in the folder at the end.

use rheobase_learning::record::Metrics;
use rheobase_report::plot::{ConfusionMatrix, Curve, LearningCurves};
use rheobase_report::{Machine, ResultFolder};
use serde::Serialize;

use super::{Settings, TrainFailure};

/// `train.json`.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingRecord {
    /// Name of the network.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Seed of every random stream.
    pub seed: u64,
    /// Threads.
    pub threads: usize,
    /// Where passes ran: `cpu`, `gpu`, or `gpu, then cpu` where the device failed.
    pub backend: String,
    /// Why there.
    pub backend_reason: String,
    /// The adapter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// Submissions to the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_submissions: Option<u64>,
    /// How it was trained.
    pub settings: Settings,
    /// Epochs done.
    pub epochs: u64,
    /// Batches done.
    pub batches: u64,
    /// Stopped before the end.
    pub interrupted: bool,
    /// Loss on the test part of the data.
    pub test_loss: f64,
    /// Accuracy on it, 0 to 1.
    pub test_accuracy: f64,
    /// Seconds of training and evaluation, all runs together.
    pub seconds: f64,
    /// Bytes kept between forward and backward.
    pub kept_bytes: u64,
    /// Steps of a segment.
    pub segment_steps: usize,
    /// What asks for attention.
    pub warnings: Vec<String>,
    /// The machine.
    pub machine: Machine,
}

/// What an evaluation found.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluationRecord {
    /// The data.
    pub data: String,
    /// Samples.
    pub samples: u64,
    /// Mean loss.
    pub loss: f64,
    /// Share of samples whose class was found.
    pub accuracy: f64,
    /// Classes.
    pub classes: usize,
    /// Samples by [label, prediction], row-major.
    pub confusion: Vec<u64>,
    /// Seconds it took.
    pub seconds: f64,
}

/// Writes record and figures.
pub(super) fn write(
    folder: &ResultFolder,
    record: &TrainingRecord,
    metrics: &[Metrics],
    (classes, counts): (usize, &[u64]),
) -> Result<(), TrainFailure> {
    let json = serde_json::to_string_pretty(record).unwrap_or_default() + "\n";
    folder.write("train.json", json.as_bytes())?;
    #[allow(clippy::cast_precision_loss, reason = "numbers of epochs")]
    let columns = |part: &str| -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let of_part = || metrics.iter().filter(|m| m.part == part);
        (
            of_part().map(|m| m.epoch as f64 + 1.0).collect(),
            of_part().map(|m| m.loss.unwrap_or(f64::NAN)).collect(),
            of_part().map(|m| m.accuracy.unwrap_or(f64::NAN)).collect(),
        )
    };
    let (train, test) = (columns("train"), columns("test"));
    if !train.0.is_empty() {
        let curve = |label, epochs, values| Curve {
            label,
            epochs,
            values,
        };
        LearningCurves {
            title: &record.name,
            loss: &[
                curve("train", &train.0, &train.1),
                curve("test", &test.0, &test.1),
            ],
            accuracy: &[
                curve("train", &train.0, &train.2),
                curve("test", &test.0, &test.2),
            ],
        }
        .draw()?
        .write(folder, "learning_curve")?;
    }
    if counts.iter().any(|&n| n > 0) {
        ConfusionMatrix {
            title: &record.name,
            classes,
            names: &[],
            counts,
        }
        .draw()?
        .write(folder, "confusion")?;
    }
    Ok(())
}
