//! Speed of training and of inference in batches, by network: what one waits for while a network learns.
//!
//! The networks are those of `benches/peers/training.py`, which times other programs on them: A, one
//! layer of LIF neurons with Poisson input over 100 steps; B, two layers with constant input over 8;
//! C, two convolutions with batch normalisation over 4; D, a recurrent layer and a readout over 100;
//! G, a million LIF neurons alone over 32. Weights are the usual initial ones times a gain without which
//! hidden neurons would be silent; the share of them that fire is part of the answer.

use std::sync::Arc;
use std::time::Instant;

use rheobase_engine::unrolled::{Sequence, UnrolledNetwork, UnrolledOptions};
use rheobase_learning::encode::{Draws, Poisson, Samples, bits};
use rheobase_learning::loss::{Logits, cross_entropy, mse_rate};
use rheobase_learning::optimizer::{Adam, Optimizer};
use serde_json::json;

use super::spread::Spread;
use super::{Answers, BenchError, Measurement, Setting, float, noise, plan, thread_counts};

/// What the networks learn, and how often.
struct Case {
    name: &'static str,
    text: &'static str,
    steps: usize,
    batch: usize,
    elements: usize,
    input: Input,
    /// Factor on initial weights.
    gain: f32,
    /// Output, and whether its mean is a rate rather than logits.
    output: (&'static str, Target),
}

#[derive(Clone, Copy, PartialEq)]
enum Input {
    /// Random images, the same in every step.
    Constant,
    /// Random images as Poisson spikes, drawn anew for every batch.
    Poisson,
    /// Spikes in 2 % of elements.
    Spikes,
    /// Real values of every step.
    Steps,
}

#[derive(Clone, Copy, PartialEq)]
enum Target {
    Rate,
    Logits,
    /// No loss: a cotangent for everything emitted.
    Everything,
}

const CASES: [Case; 5] = [
    Case {
        name: "A",
        text: include_str!("training/a.toml"),
        steps: 100,
        batch: 128,
        elements: 784,
        input: Input::Poisson,
        gain: 1.0,
        output: ("output", Target::Rate),
    },
    Case {
        name: "B",
        text: include_str!("training/b.toml"),
        steps: 8,
        batch: 128,
        elements: 784,
        input: Input::Constant,
        gain: 6.0,
        output: ("output", Target::Rate),
    },
    Case {
        name: "C",
        text: include_str!("../../examples/conv.toml"),
        steps: 4,
        batch: 64,
        elements: 784,
        input: Input::Constant,
        gain: 2.0,
        output: ("output", Target::Rate),
    },
    Case {
        name: "D",
        text: include_str!("training/d.toml"),
        steps: 100,
        batch: 64,
        elements: 700,
        input: Input::Spikes,
        gain: 8.0,
        output: ("readout", Target::Logits),
    },
    Case {
        name: "G",
        text: include_str!("training/g.toml"),
        steps: 32,
        batch: 1,
        elements: 1_000_000,
        input: Input::Steps,
        gain: 1.0,
        output: ("neurons", Target::Everything),
    },
];

pub(super) fn ask(setting: &Setting, answers: Answers<'_>) -> Result<(), BenchError> {
    let (seconds, least) = if setting.quick { (0.0, 1) } else { (4.0, 7) };
    for case in CASES.iter().filter(|case| setting.wants(case.name)) {
        for threads in thread_counts(setting.threads) {
            let mut work = Work::new(case, threads, setting.quick)?;
            for training in [true, false] {
                let times = time(seconds, least, || work.batch(training))?;
                let per_second = times.iter().map(|t| work.amount() / t).collect();
                let of = json!({
                    "network": case.name,
                    "what": if training { "training" } else { "inference" },
                });
                let mut figures = json!({
                    format!("{}_per_s", work.unit()): Spread::of(per_second).json(),
                });
                let kept = work.network.kept_bytes();
                if let Some(figures) = figures.as_object_mut() {
                    figures.extend([
                        ("hidden_activity".to_owned(), json!(work.activity())),
                        ("kept_mib".to_owned(), json!(float(kept) / 1048576.0)),
                    ]);
                }
                answers(Measurement::new("training", threads, of, figures))?;
            }
        }
    }
    Ok(())
}

/// Times of calls \[s\], after a quarter of them to warm up.
fn time(
    seconds: f64,
    least: usize,
    mut call: impl FnMut() -> Result<(), BenchError>,
) -> Result<Vec<f64>, BenchError> {
    let (begun, mut times) = (Instant::now(), Vec::new());
    call()?;
    while begun.elapsed().as_secs_f64() < seconds / 4.0 {
        call()?;
    }
    let begun = Instant::now();
    while times.len() < least || begun.elapsed().as_secs_f64() < seconds {
        let at = Instant::now();
        call()?;
        times.push(at.elapsed().as_secs_f64());
    }
    Ok(times)
}

/// A network, its optimiser and a batch.
struct Work<'a> {
    case: &'a Case,
    network: UnrolledNetwork<f32>,
    optimizer: Optimizer<f32>,
    batch: usize,
    values: Vec<f32>,
    bits: Vec<u64>,
    labels: Vec<usize>,
    cotangent: Vec<f32>,
    batches: u64,
}

impl<'a> Work<'a> {
    fn new(case: &'a Case, threads: usize, quick: bool) -> Result<Self, BenchError> {
        let batch = if quick { case.batch.min(2) } else { case.batch };
        let options = UnrolledOptions {
            steps: case.steps,
            batch,
            threads,
            outputs: vec![case.output.0.to_owned()],
            input_cotangents: case.input == Input::Steps,
            ..UnrolledOptions::default()
        };
        let plan = Arc::new(plan(case.text, case.name)?);
        let mut network = UnrolledNetwork::<f32>::new(plan, &options)?;
        network.visit_parameters(|_, parameter, _| {
            // Matrices and kernels, not the scales of batch normalisation.
            if parameter.shape.len() > 1 {
                parameter.values.iter_mut().for_each(|w| *w *= case.gain);
            }
        });
        let rows = match case.input {
            Input::Constant | Input::Poisson => batch,
            Input::Spikes | Input::Steps => batch * case.steps,
        };
        #[allow(clippy::cast_possible_truncation, reason = "24 bits")]
        let uniform = |i: usize| noise(0, i as u64) as f32;
        let mut values: Vec<f32> = (1..=rows * case.elements).map(uniform).collect();
        match case.input {
            // The mean of Fashion-MNIST, 0.286.
            Input::Constant | Input::Poisson => {
                values.iter_mut().for_each(|x| *x = *x * *x * x.sqrt());
            }
            Input::Steps => values.iter_mut().for_each(|x| *x *= 2.0),
            Input::Spikes => {}
        }
        let words = case.elements.div_ceil(64);
        let mut bits = Vec::new();
        if case.input == Input::Spikes {
            bits.resize(rows * words, 0);
            for (row, values) in bits
                .chunks_exact_mut(words)
                .zip(values.chunks_exact(case.elements))
            {
                for (i, _) in values.iter().enumerate().filter(|(_, x)| **x < 0.02) {
                    row[i / 64] |= 1 << (i % 64);
                }
            }
        }
        Ok(Self {
            case,
            network,
            optimizer: Optimizer::new(Adam::default())?,
            batch,
            values,
            bits,
            labels: (0..batch).collect(),
            cotangent: Vec::new(),
            batches: 0,
        })
    }

    /// What a batch counts for.
    #[allow(clippy::cast_precision_loss, reason = "small counts")]
    fn amount(&self) -> f64 {
        match self.case.input {
            Input::Constant | Input::Poisson => self.batch as f64,
            Input::Spikes => 1.0,
            Input::Steps => (self.case.steps * self.case.elements) as f64,
        }
    }

    fn unit(&self) -> &'static str {
        match self.case.input {
            Input::Constant | Input::Poisson => "samples",
            Input::Spikes => "updates",
            Input::Steps => "neuron_steps",
        }
    }

    /// Share of neurons before the output that fire in a step; of the output where nothing is before it.
    fn activity(&self) -> f64 {
        let firing: Vec<_> = self.network.firing().collect();
        let hidden: Vec<f64> = firing
            .iter()
            .filter(|f| f.name != self.case.output.0)
            .map(|f| f.activity)
            .collect();
        let n = u32::try_from(hidden.len()).unwrap_or(u32::MAX);
        match firing.first() {
            Some(first) if hidden.is_empty() => first.activity,
            _ => hidden.iter().sum::<f64>() / f64::from(n),
        }
    }

    /// Encodes and runs a batch, and learns from it.
    fn batch(&mut self, training: bool) -> Result<(), BenchError> {
        self.batches += 1;
        let numbers: Vec<u32> = (0..).take(self.batch).collect();
        let sequence = match self.case.input {
            Input::Constant => Sequence::Constant(&self.values),
            Input::Steps => Sequence::Steps(&self.values),
            Input::Spikes => Sequence::Bits(&self.bits),
            Input::Poisson => {
                let samples = Samples::new(&self.values, self.case.elements, &numbers)?;
                let (draws, threads) = (Draws::new(1, self.batches), self.network.threads());
                bits(
                    &Poisson::default(),
                    self.case.steps,
                    samples,
                    draws,
                    threads,
                    &mut self.bits,
                )?;
                Sequence::Bits(&self.bits)
            }
        };
        self.network.forward(&[sequence], training)?;
        let (name, target) = self.case.output;
        let output = self.network.output(name)?;
        if !training {
            return Ok(());
        }
        let classes = output.len() / (self.case.steps * self.batch);
        let shape = [self.case.steps, self.batch, classes];
        self.labels = (0..self.batch).map(|n| n % classes).collect();
        match target {
            Target::Rate => self.cotangent = mse_rate(output, shape, &self.labels)?.cotangent,
            Target::Logits => {
                let loss = cross_entropy(output, shape, &self.labels, Logits::Mean)?;
                self.cotangent = loss.cotangent;
            }
            Target::Everything => self.cotangent.resize(output.len(), 1.0),
        }
        self.network.clear_gradients();
        self.network.backward(&[(name, &self.cotangent)])?;
        let mut pass = self.optimizer.pass();
        self.network
            .visit_parameters(|node, parameter, gradient| pass.update(node, parameter, gradient));
        Ok(pass.finish()?)
    }
}
