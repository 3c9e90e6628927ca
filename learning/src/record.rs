//! Metrics of training as lines of JSON, one object a line.
//!
//! | key | meaning |
//! |---|---|
//! | `epoch`, `step` | from 0; steps count batches since the beginning of training |
//! | `part` | `train`, `test` or a name of the caller's |
//! | `loss` | mean over the samples |
//! | `accuracy` | 0 to 1 |
//! | `learning_rate` | of that step |
//! | `samples_per_second` | |
//! | others | what the caller adds |
//!
//! Keys without a value are left out. JSON knows no NaN and no infinity: they are written as `null`, so
//! that a loss that blew up is told from one that was not taken. Every line is handed to the system
//! whole, so that a file can be followed, and what a killed run leaves can be read.
//!
//! # Example
//! ```
//! use rheobase_learning::record::{Metrics, Recorder};
//!
//! let mut lines = Recorder::new(Vec::new());
//! let metrics = Metrics::new(0, 15, "train").with_loss(2.25);
//! lines.write(&metrics.with("spikes_per_sample", 31.5)?)?;
//! let text = String::from_utf8(lines.into_inner())?;
//! assert_eq!(text, "{\"epoch\":0,\"step\":15,\"part\":\"train\",\"loss\":2.25,\"spikes_per_sample\":31.5}\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// Why metrics cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The file cannot be written.
    #[error("{file}: cannot be written: {source}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A key that is one of the metrics' own, or taken.
    #[error("key `{key}` of the metrics of epoch {epoch}, step {step} is empty or there already")]
    Key {
        /// The refused key.
        key: String,
        /// The epoch.
        epoch: u64,
        /// The step.
        step: u64,
    },
}

/// What is known of a moment in training.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Metrics {
    /// Epoch, from 0.
    pub epoch: u64,
    /// Batches since the beginning of training.
    pub step: u64,
    /// What it was measured on.
    pub part: String,
    /// Mean loss of a sample.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "or_nan"
    )]
    pub loss: Option<f64>,
    /// Share of samples whose predicted class is their label, 0 to 1.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "or_nan"
    )]
    pub accuracy: Option<f64>,
    /// Learning rate.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "or_nan"
    )]
    pub learning_rate: Option<f64>,
    /// Samples a second.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "or_nan"
    )]
    pub samples_per_second: Option<f64>,
    #[serde(flatten)]
    others: serde_json::Map<String, serde_json::Value>,
}

/// `null` stands for a number that was not finite.
fn or_nan<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Option<f64>, D::Error> {
    Ok(Some(Option::deserialize(reader)?.unwrap_or(f64::NAN)))
}

/// Keys of their own.
const KEYS: [&str; 7] = [
    "epoch",
    "step",
    "part",
    "loss",
    "accuracy",
    "learning_rate",
    "samples_per_second",
];

impl Metrics {
    /// Of an epoch, a step and a part of the data, nothing else known yet.
    #[must_use]
    pub fn new(epoch: u64, step: u64, part: &str) -> Self {
        Self {
            epoch,
            step,
            part: part.to_owned(),
            loss: None,
            accuracy: None,
            learning_rate: None,
            samples_per_second: None,
            others: serde_json::Map::new(),
        }
    }

    /// With the mean loss of a sample.
    #[must_use]
    pub fn with_loss(mut self, loss: f64) -> Self {
        self.loss = Some(loss);
        self
    }

    /// With the share of samples whose predicted class is their label, 0 to 1.
    #[must_use]
    pub fn with_accuracy(mut self, accuracy: f64) -> Self {
        self.accuracy = Some(accuracy);
        self
    }

    /// With the learning rate.
    #[must_use]
    pub fn with_learning_rate(mut self, rate: f64) -> Self {
        self.learning_rate = Some(rate);
        self
    }

    /// With the samples a second.
    #[must_use]
    pub fn with_samples_per_second(mut self, speed: f64) -> Self {
        self.samples_per_second = Some(speed);
        self
    }

    /// With a number under a key of the caller's.
    ///
    /// # Errors
    /// If the key is empty or there already.
    pub fn with(mut self, key: &str, value: f64) -> Result<Self, RecordError> {
        if key.is_empty() || KEYS.contains(&key) || self.others.contains_key(key) {
            return Err(RecordError::Key {
                key: key.to_owned(),
                epoch: self.epoch,
                step: self.step,
            });
        }
        // What is not finite becomes null.
        self.others.insert(key.to_owned(), value.into());
        Ok(self)
    }

    /// The number under a key of the caller's; NaN where it was not finite.
    #[must_use]
    pub fn other(&self, key: &str) -> Option<f64> {
        let value = self.others.get(key)?;
        value.as_f64().or(value.is_null().then_some(f64::NAN))
    }
}

/// Writes metrics, a line at a time.
#[derive(Debug)]
pub struct Recorder<W> {
    name: String,
    output: W,
}

impl Recorder<File> {
    /// Writes to a file, behind what is there: a resumed run goes on with the lines of the first.
    ///
    /// # Errors
    /// If the file cannot be opened or made.
    pub fn append(path: &Path) -> Result<Self, RecordError> {
        let name = path.display().to_string();
        match OpenOptions::new().append(true).create(true).open(path) {
            Ok(output) => Ok(Self { name, output }),
            Err(source) => Err(RecordError::Io { file: name, source }),
        }
    }
}

impl<W: Write> Recorder<W> {
    /// Writes to anything.
    #[must_use]
    pub fn new(output: W) -> Self {
        let name = "metrics".to_owned();
        Self { name, output }
    }

    /// Writes a line and flushes it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, metrics: &Metrics) -> Result<(), RecordError> {
        let write = |output: &mut W| -> std::io::Result<()> {
            let mut line = serde_json::to_vec(metrics)?;
            line.push(b'\n');
            output.write_all(&line)?;
            output.flush()
        };
        write(&mut self.output).map_err(|source| RecordError::Io {
            file: self.name.clone(),
            source,
        })
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let full = Metrics::new(3, 60, "test")
            .with_loss(0.1 + 0.2)
            .with_accuracy(1.0)
            .with_learning_rate(1e-3)
            .with_samples_per_second(12_345.678);
        let full = full.with("norm", 0.25).unwrap();
        let lines = [Metrics::new(0, 0, "train"), full];
        for line in &lines {
            // Each time anew: lines go behind those that are there.
            Recorder::append(&path).unwrap().write(line).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let read = text.lines().map(|line| serde_json::from_str(line).unwrap());
        assert_eq!(read.collect::<Vec<Metrics>>(), lines);
        assert_eq!(lines[1].other("norm"), Some(0.25));
    }

    #[test]
    fn what_is_not_finite_is_null() {
        let mut recorder = Recorder::new(Vec::new());
        let metrics = Metrics::new(0, 0, "train").with_loss(f64::NAN);
        recorder
            .write(&metrics.with("x", f64::INFINITY).unwrap())
            .unwrap();
        let text = String::from_utf8(recorder.into_inner()).unwrap();
        assert!(text.contains("\"loss\":null") && text.contains("\"x\":null"));
        let read: Metrics = serde_json::from_str(&text).unwrap();
        assert!(read.loss.unwrap().is_nan() && read.other("x").unwrap().is_nan());
        assert_eq!((read.accuracy, read.other("y")), (None, None));
    }

    #[test]
    fn keys_are_not_taken_twice() {
        let metrics = || Metrics::new(1, 2, "train").with("x", 1.0).unwrap();
        for key in ["x", "loss", "accuracy", "epoch", ""] {
            let error = metrics().with(key, 1.0).unwrap_err().to_string();
            assert!(error.contains(&format!("key `{key}` of the metrics of epoch 1, step 2")));
        }
        assert!(Recorder::append(Path::new("no such folder/x")).is_err());
    }
}
