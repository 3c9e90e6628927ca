//! Loss and accuracy over many batches.

use std::sync::Arc;

use rheobase_engine::Instantiate;
use rheobase_learning::data::{BatchOptions, Batches, Dataset};
use rheobase_learning::encode::Samples;
use rheobase_learning::metric::Confusion;
use rheobase_learning::trainer::{BatchReport, Trainer};

use super::{TrainFailure, TrainingFile};

/// Sums over some batches.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) loss: f64,
    pub(super) samples: u64,
    pub(super) correct: u64,
}

impl Sums {
    #[allow(clippy::cast_precision_loss, reason = "numbers of samples")]
    pub(super) fn add(&mut self, report: BatchReport) {
        self.loss += report.loss * report.n_samples as f64;
        self.samples += report.n_samples as u64;
        self.correct += report.n_correct as u64;
    }

    #[allow(clippy::cast_precision_loss, reason = "numbers of samples")]
    pub(super) fn means(&self) -> (f64, f64) {
        let n = self.samples.max(1) as f64;
        (self.loss / n, self.correct as f64 / n)
    }
}

pub(super) struct Judged {
    pub(super) loss: f64,
    pub(super) confusion: Confusion,
}

impl Judged {
    pub(super) fn accuracy(&self) -> f64 {
        self.confusion.accuracy().unwrap_or(0.0)
    }
}

/// Runs all samples of a data set without training.
pub(super) fn judge<R: Instantiate>(
    file: &TrainingFile,
    trainer: &mut Trainer<R>,
    data: &Arc<Dataset<R>>,
) -> Result<Judged, TrainFailure> {
    let options = BatchOptions {
        size: file.settings.batch.min(data.len()),
        shuffle: false,
        ..BatchOptions::new(0)
    };
    let batches = Batches::new(Arc::clone(data), options)?;
    let mut sums = Sums::default();
    let mut confusion = Confusion::new(data.classes());
    for (k, batch) in batches.epoch(0).enumerate() {
        let fail = |source| TrainFailure::Step {
            epoch: 0,
            batch: k as u64 + 1,
            source,
        };
        let samples = Samples::new(&batch.values, batch.elements, &batch.numbers)?;
        sums.add(trainer.evaluate(samples, &batch.labels).map_err(fail)?);
        let predicted = trainer.predicted().map_err(fail)?;
        confusion.add(&predicted, &batch.labels)?;
    }
    Ok(Judged {
        loss: sums.means().0,
        confusion,
    })
}
