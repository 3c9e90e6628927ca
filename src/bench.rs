//! Benchmarks by name: each question measures one thing that decides how fast a network runs, and
//! [`limits`](QUESTIONS) measures what this machine allows at best.
//!
//! `rheobase bench` asks them; every answer is one [`Measurement`], every line of the file it leaves
//! is a [`Record`]: the measurement with the machine, the version and the date. [`table()`] turns
//! such files into tables.
//!
//! In-process questions take the difference of two simulations that advance in turn, one with
//! synapses and one without, so that what slows the machine for a while slows both. Questions about
//! whole networks run each point in a process of its own: peaks of memory stay apart.

mod activity;
mod construction;
mod crossover;
mod delivery;
#[cfg(feature = "gpu")]
mod device;
mod exact;
mod host;
mod latency;
mod limits;
mod process;
mod scaling;
mod spread;
mod table;
mod threads;
mod training;
mod update;

use std::path::PathBuf;
use std::sync::Arc;

use rheobase_components::MakeError;
use rheobase_engine::actor::RunError;
use rheobase_engine::build::{BuildError, BuildOptions};
use rheobase_engine::network::{Network, NetworkErrors};
use rheobase_engine::plan::Plan;
use rheobase_engine::session::{SessionError, StepError};
use rheobase_engine::simulation::Simulation;
use rheobase_engine::unrolled::UnrolledError;
use rheobase_learning::encode::EncodeError;
use rheobase_learning::loss::LossError;
use rheobase_learning::optimizer::OptimizerError;
use rheobase_report::FileError;
use rheobase_report::plot::PlotError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use host::Host;
pub use table::{read_records, table};

/// Something worth measuring.
#[derive(Clone, Copy)]
pub struct Question {
    /// How it is chosen.
    pub name: &'static str,
    /// What is measured, and why anyone wants to know.
    pub why: &'static str,
    ask: fn(&Setting, Answers<'_>) -> Result<(), BenchError>,
}

/// Every question, in the order in which all of them are asked.
pub const QUESTIONS: &[Question] = &[
    Question {
        name: "limits",
        why: "what this machine allows: memory bandwidth, scattered additions, latency of loads; the yardstick of everything else",
        ask: limits::ask,
    },
    Question {
        name: "delivery",
        why: "ns per synaptic event against activity, fan-out and targets, by storage of weights and delays: most of a circuit's time",
        ask: delivery::ask,
    },
    Question {
        name: "activity",
        why: "ns per step against the share of neurons that receive something, dense, sparse and chosen: whether cost follows events",
        ask: activity::ask,
    },
    Question {
        name: "exact",
        why: "ns per event in continuous time, against the size of the network and against silent neurons: what exactness costs",
        ask: exact::ask,
    },
    Question {
        name: "latency",
        why: "ns of one step of one sample, median to 99.9 %, and allocations, by what arrives and storage of weights, with hidden neurons that fire: what a loop waits for",
        ask: latency::ask,
    },
    Question {
        name: "training",
        why: "samples per second in training and inference of five networks, with kept memory: what one waits for while a network learns",
        ask: training::ask,
    },
    Question {
        name: "crossover",
        why: "time of a linear layer on spikes against activity, rows gathered or all multiplied: from where on sparsity pays in training",
        ask: crossover::ask,
    },
    #[cfg(feature = "gpu")]
    Question {
        name: "device",
        why: "us per step of whole circuits on a GPU beside the processor, and where the time goes: whether a device is worth having",
        ask: device::ask,
    },
    Question {
        name: "update",
        why: "ns per neuron and step for every neuron, compiled and interpreted, f32 and f64: the rest of a circuit's time",
        ask: update::ask,
    },
    Question {
        name: "construction",
        why: "ns per synapse to build, by connectivity rule and by distribution of weights and delays: what one waits for before a run",
        ask: construction::ask,
    },
    Question {
        name: "threads",
        why: "wall time of whole networks on 1, 2, … cores: whether another core is worth having",
        ask: threads::ask,
    },
    Question {
        name: "scaling",
        why: "wall time and peak memory against synapses and activity: exponents near 1, or the large circuit is out of reach",
        ask: scaling::ask,
    },
];

/// Where answers go as they are found; an error ends the question.
pub type Answers<'a> = &'a mut dyn FnMut(Measurement) -> Result<(), BenchError>;

impl Question {
    /// The question of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        QUESTIONS.iter().find(|q| q.name == name)
    }

    /// Measures, and hands over each figure as it is found.
    ///
    /// # Errors
    /// When a network cannot be built or run, a process fails, a figure cannot be written, or
    /// `answers` refuses.
    pub fn ask(&self, setting: &Setting, answers: Answers<'_>) -> Result<(), BenchError> {
        (self.ask)(setting, answers)
    }
}

/// How measurements are made.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Small sizes and few rounds: shows that a question works, measures nothing worth keeping.
    pub quick: bool,
    /// Most worker threads.
    pub threads: usize,
    /// The `rheobase` program, for questions that run whole networks.
    pub program: PathBuf,
    /// Folder for figures.
    pub folder: PathBuf,
    /// Networks that `training` and `latency` measure, by name; all where empty.
    pub networks: Vec<String>,
    /// Allocations of this thread so far, where the program counts them.
    pub allocations: Option<fn() -> u64>,
}

impl Setting {
    fn wants(&self, network: &str) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|name| name == network)
    }
}

/// One answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Measurement {
    /// Name of the question.
    pub question: String,
    /// What was measured: one word or number each.
    pub case: Map<String, Value>,
    /// Worker threads.
    pub threads: usize,
    /// What came out: numbers, or `{median, low, high, n}` of n rounds, where low and high are the
    /// quartiles (of three rounds the extremes). Names carry units.
    pub figures: Map<String, Value>,
}

impl Measurement {
    /// On one line, for people.
    #[must_use]
    pub fn sentence(&self) -> String {
        table::sentence(self)
    }

    /// `case` and `figures` are objects.
    fn new(question: &str, threads: usize, case: Value, figures: Value) -> Self {
        let object = |value| match value {
            Value::Object(object) => object,
            _ => Map::new(),
        };
        Self {
            question: question.to_owned(),
            case: object(case),
            threads,
            figures: object(figures),
        }
    }
}

/// One line of the file of results.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// When it was measured, in UTC.
    pub date: String,
    /// Version of Rheobase.
    pub version: String,
    /// Small sizes and few rounds.
    pub quick: bool,
    /// The answer.
    #[serde(flatten)]
    pub measurement: Measurement,
    /// Where it was measured.
    pub machine: Host,
}

impl Record {
    /// The record of a measurement made now, on this machine.
    #[must_use]
    pub fn now(measurement: Measurement, machine: &Host, quick: bool) -> Self {
        Self {
            date: host::utc_now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            quick,
            measurement,
            machine: machine.clone(),
        }
    }

    /// On one line, with a newline at its end.
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

/// Why a question found no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// A network of the benchmark is refused.
    #[error("a network of the benchmark: {0}")]
    Network(#[from] NetworkErrors),
    /// It cannot be built.
    #[error("a network of the benchmark: {0}")]
    Build(#[from] BuildError),
    /// It cannot be run.
    #[error("a network of the benchmark: {0}")]
    Run(#[from] RunError),
    /// There is no device, or it fails.
    #[cfg(feature = "gpu")]
    #[error("the question `device`: {0}")]
    Device(#[from] rheobase_engine::backend::gpu::GpuError),
    /// It cannot be run step by step.
    #[error("a network of the benchmark: {0}")]
    Session(#[from] SessionError),
    /// A step of it is refused.
    #[error("a network of the benchmark: {0}")]
    Step(#[from] StepError),
    /// A layer of the benchmark is refused.
    #[error("a layer of the benchmark: {0}")]
    Layer(#[from] MakeError),
    /// Threads cannot be started.
    #[error("threads cannot be started: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// It cannot be unrolled in time.
    #[error("a network of the benchmark: {0}")]
    Unrolled(#[from] UnrolledError),
    /// Its input cannot be encoded.
    #[error("a network of the benchmark: {0}")]
    Encode(#[from] EncodeError),
    /// Its loss cannot be computed.
    #[error("a network of the benchmark: {0}")]
    Loss(#[from] LossError),
    /// It cannot be trained.
    #[error("a network of the benchmark: {0}")]
    Optimizer(#[from] OptimizerError),
    /// A process of the sweep failed.
    #[error("a run of {network} failed ({status}): {message}")]
    Process {
        /// The network.
        network: String,
        /// How it ended.
        status: String,
        /// What it said.
        message: String,
    },
    /// A process of the sweep cannot be started or spoken to.
    #[error("{program}: {source}")]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of a file of results is none.
    #[error("{path}, line {line}: no record of a benchmark: {source}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// A figure cannot be drawn.
    #[error("the figure: {0}")]
    Plot(#[from] PlotError),
    /// A figure cannot be written.
    #[error("the figure: {0}")]
    File(#[from] FileError),
}

/// A network of a benchmark, with components of the standard registry; nothing is recorded.
fn plan(text: &str, name: &str) -> Result<Plan, BenchError> {
    let mut plan = Network::from_toml(text, name)?.resolve(&crate::registry())?;
    plan.monitors.clear();
    Ok(plan)
}

fn simulation(plan: Plan, threads: usize) -> Result<Simulation<f32>, BenchError> {
    let options = BuildOptions {
        threads,
        ..BuildOptions::default()
    };
    Ok(Simulation::build(Arc::new(plan), options)?)
}

#[allow(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

/// A number from 0 to 1, of 24 bits, that only has to look random: the same for the same row and place.
fn noise(row: u64, place: u64) -> f64 {
    let x = (row << 32 | place).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    float(x >> 40) / float(1 << 24)
}

/// Thread counts worth measuring: powers of two, and `most`.
fn thread_counts(most: usize) -> Vec<usize> {
    let powers = std::iter::successors(Some(1_usize), |n| n.checked_mul(2));
    let mut counts: Vec<usize> = powers.take_while(|n| *n < most).collect();
    counts.push(most.max(1));
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_has_its_own_name_and_a_motivation() {
        for (i, question) in QUESTIONS.iter().enumerate() {
            assert!(question.why.len() > 20, "{}", question.name);
            assert_eq!(
                QUESTIONS.iter().position(|q| q.name == question.name),
                Some(i)
            );
            assert_eq!(Question::find(question.name).unwrap().why, question.why);
        }
        assert!(Question::find("deliverance").is_none());
    }

    #[test]
    fn thread_counts_end_with_the_most() {
        assert_eq!(thread_counts(1), [1]);
        assert_eq!(thread_counts(2), [1, 2]);
        assert_eq!(thread_counts(6), [1, 2, 4, 6]);
        assert_eq!(thread_counts(8), [1, 2, 4, 8]);
    }

    #[test]
    fn a_line_comes_back() {
        let case = serde_json::json!({"rule": "x", "n": 3});
        let figures = serde_json::json!({"ns": {"median": 1.0, "low": 0.5, "high": 2.0, "n": 3}});
        let measurement = Measurement::new("delivery", 2, case, figures);
        let record = Record::now(measurement, &Host::detect(), true);
        let line = record.to_line();
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
    }
}
