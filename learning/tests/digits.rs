//! The data side of training as a whole: logistic regression on the digits, from data set to metrics.
//!
//! Reference: scikit-learn 1.9.1, `LogisticRegression(max_iter=2000)` on pixels / 16, first 1,437 samples
//! to learn from: 90.0 % of the last 360 right (`learning/data/README.md`). Ours has no weight decay and
//! another optimiser, so it is compared within 3 %.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use rheobase_engine::port::Tensor;
use rheobase_learning::data::{Batch, BatchOptions, Batches, Dataset, Position, Split, digits};
use rheobase_learning::decode::highest;
use rheobase_learning::loss::{Logits, cross_entropy};
use rheobase_learning::metric::Confusion;
use rheobase_learning::optimizer::{Adam, Optimizer};
use rheobase_learning::record::{Metrics, Recorder};
use std::sync::Arc;

const CLASSES: usize = 10;
const EPOCHS: u64 = 30;

/// Weights `[10, 65]`, the last column for a constant input.
struct Model {
    weight: Tensor<f32>,
    optimizer: Optimizer<f32>,
}

impl Model {
    fn new() -> Self {
        let learning_rate = 0.02;
        let rule = Adam {
            learning_rate,
            ..Adam::default()
        };
        let weight = Tensor {
            name: "weight".into(),
            shape: vec![CLASSES, 65],
            values: vec![0.0; CLASSES * 65],
        };
        let optimizer = Optimizer::new(rule).unwrap();
        Self { weight, optimizer }
    }

    fn output(&self, values: &[f32], elements: usize) -> Vec<f32> {
        let rows = values.chunks_exact(elements);
        let weights = || self.weight.values.chunks_exact(elements + 1);
        rows.flat_map(|x| {
            weights().map(move |w| w[elements] + x.iter().zip(w).map(|(x, w)| x * w).sum::<f32>())
        })
        .collect()
    }

    fn learn(&mut self, batch: &Batch<f32>) -> f32 {
        let output = self.output(&batch.values, batch.elements);
        let shape = [1, batch.len(), CLASSES];
        let loss = cross_entropy(&output, shape, &batch.labels, Logits::Last).unwrap();
        let width = batch.elements + 1;
        let mut gradient = Tensor {
            values: vec![0.0; CLASSES * width],
            ..self.weight.clone()
        };
        let samples = batch.values.chunks_exact(batch.elements);
        for (x, errors) in samples.zip(loss.cotangent.chunks_exact(CLASSES)) {
            for (row, error) in gradient.values.chunks_exact_mut(width).zip(errors) {
                let inputs = x.iter().copied().chain([1.0]);
                row.iter_mut()
                    .zip(inputs)
                    .for_each(|(g, x)| *g += error * x);
            }
        }
        let mut pass = self.optimizer.pass();
        pass.update("readout", &mut self.weight, &gradient);
        pass.finish().unwrap();
        loss.value
    }

    fn test(&self, data: &Dataset<f32>) -> Confusion {
        let data = Arc::new(data.clone());
        let options = BatchOptions {
            shuffle: false,
            ..BatchOptions::new(0)
        };
        let mut confusion = Confusion::new(data.classes());
        for batch in Batches::new(data, options).unwrap().epoch(0) {
            let output = self.output(&batch.values, batch.elements);
            confusion
                .add(&highest(&output, CLASSES), &batch.labels)
                .unwrap();
        }
        confusion
    }
}

fn batches(split: &Split<f32>, ahead: usize) -> Batches<f32> {
    let options = BatchOptions {
        ahead,
        ..BatchOptions::new(1)
    };
    Batches::new(Arc::new(split.train.clone()), options).unwrap()
}

#[test]
fn logistic_regression_learns_the_digits_as_well_as_that_of_scikit_learn() {
    let split = digits::<f32>().unwrap();
    let batches = batches(&split, 2);
    let mut model = Model::new();
    let mut lines = Recorder::new(Vec::new());
    let mut accuracy = 0.0;
    for epoch in 0..EPOCHS {
        let mut sum = 0.0;
        for batch in batches.epoch(epoch) {
            sum += f64::from(model.learn(&batch));
        }
        accuracy = model.test(&split.test).accuracy().unwrap();
        #[allow(clippy::cast_precision_loss, reason = "a number of batches")]
        let loss = sum / batches.n_batches() as f64;
        let step = (epoch + 1) * batches.n_batches();
        let metrics = Metrics::new(epoch, step, "train").with_loss(loss);
        lines.write(&metrics.with_learning_rate(0.02)).unwrap();
        lines
            .write(&Metrics::new(epoch, step, "test").with_accuracy(accuracy))
            .unwrap();
    }
    let text = String::from_utf8(lines.into_inner()).unwrap();
    let read: Vec<Metrics> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let losses: Vec<f64> = read.iter().filter_map(|m| m.loss).collect();
    println!(
        "loss {:.3} to {:.3}, accuracy {accuracy:.4}",
        losses[0], losses[29]
    );
    assert!(losses[29] < 0.1 && losses[29] < 0.2 * losses[0]);
    assert!((accuracy - 0.9).abs() < 0.03, "{accuracy}");
}

/// Stopped within an epoch and taken up with other data in memory: the weights are the same bits.
#[test]
fn a_resumed_training_ends_with_the_same_weights() {
    let split = digits::<f32>().unwrap();
    let mut whole = Model::new();
    for epoch in 0..2 {
        batches(&split, 3)
            .epoch(epoch)
            .for_each(|batch| _ = whole.learn(&batch));
    }
    let mut model = Model::new();
    let saved: Position = {
        let batches = batches(&split, 2);
        batches.epoch(0).for_each(|batch| _ = model.learn(&batch));
        let mut epoch = batches.epoch(1);
        epoch
            .by_ref()
            .take(17)
            .for_each(|batch| _ = model.learn(&batch));
        epoch.position()
    };
    assert_eq!(
        saved,
        Position {
            epoch: 1,
            batch: 17
        }
    );
    let again = digits::<f32>().unwrap();
    let rest = batches(&again, 0).resume(saved).unwrap();
    rest.for_each(|batch| _ = model.learn(&batch));
    let bits = |model: &Model| {
        model
            .weight
            .values
            .iter()
            .map(|w| w.to_bits())
            .collect::<Vec<_>>()
    };
    assert_eq!(bits(&model), bits(&whole));
}
