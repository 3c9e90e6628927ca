//! The table `[training]` of a network file.

use rheobase_engine::Instantiate;
use rheobase_learning::encode::{
    Bernoulli, ConstantCurrent, Encoder, Latency, Poisson, Sequence, WeightedPhase,
};
use rheobase_learning::loss::{Logits, Tet};
use rheobase_learning::optimizer::{
    Adagrad, Adam, AdamW, EquationRule, Optimizer, OptimizerError, RmsProp, Sgd,
};
use rheobase_learning::schedule::{Schedule, ScheduleError};
use rheobase_learning::trainer::Objective;
use serde::{Deserialize, Serialize};

use super::DataSettings;

/// How a network is trained.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What is learned.
    pub data: DataSettings,
    /// Steps of a sample, T.
    pub steps: usize,
    /// Samples of a batch. Default 128.
    #[serde(default = "batch")]
    pub batch: usize,
    /// Epochs. Default 10.
    #[serde(default = "epochs")]
    pub epochs: u64,
    /// Epochs between judgements on the test part, lines of metrics and checkpoints: for epochs of few
    /// batches. Default 1; the last epoch is always judged.
    #[serde(default = "every_epoch")]
    pub record_every: u64,
    /// The node whose output is judged. Default: the one that nothing is joined to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// How samples are put into time. Default: as constant input.
    #[serde(default)]
    pub encoder: EncoderSettings,
    /// What is minimised. Default: squared error of the rate.
    #[serde(default)]
    pub loss: LossSettings,
    /// How parameters are updated. Default: Adam.
    #[serde(default)]
    pub optimizer: OptimizerSettings,
    /// How the learning rate changes. Default: not at all.
    #[serde(default)]
    pub schedule: ScheduleSettings,
    /// Most norm of all gradients together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Back-propagation is cut at every multiple of so many steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncate_steps: Option<usize>,
    /// Most MiB kept for back-propagation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory_mib: Option<u64>,
}

fn batch() -> usize {
    128
}

fn epochs() -> u64 {
    10
}

fn every_epoch() -> u64 {
    1
}

fn one() -> f64 {
    1.0
}

/// An encoder.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "fields of the encoders of the learning room")]
pub enum EncoderSettings {
    Constant {
        #[serde(default = "one")]
        scale: f64,
    },
    Poisson {
        #[serde(default = "one")]
        scale: f64,
    },
    Bernoulli {
        #[serde(default = "one")]
        scale: f64,
    },
    Latency {},
    LogLatency {},
    WeightedPhase {
        phases: u32,
    },
    Sequence {
        #[serde(default)]
        spikes: bool,
    },
}

impl Default for EncoderSettings {
    fn default() -> Self {
        Self::Constant { scale: 1.0 }
    }
}

/// A loss.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "fields of the losses of the learning room")]
pub enum LossSettings {
    #[default]
    MseRate,
    CrossEntropy {
        #[serde(default)]
        logits: LogitsSettings,
    },
    Tet {
        #[serde(default)]
        lambda: f64,
        #[serde(default = "one")]
        target: f64,
    },
}

/// What cross-entropy is taken of.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "as in the learning room")]
pub enum LogitsSettings {
    Counts,
    #[default]
    Mean,
    Last,
    Max,
    StandardisedCounts,
}

/// An optimiser; what is left out has PyTorch's default.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "fields of the optimisers of the learning room")]
pub enum OptimizerSettings {
    Sgd {
        learning_rate: Option<f64>,
        momentum: Option<f64>,
        weight_decay: Option<f64>,
        nesterov: Option<bool>,
    },
    Adam {
        learning_rate: Option<f64>,
        weight_decay: Option<f64>,
    },
    AdamW {
        learning_rate: Option<f64>,
        weight_decay: Option<f64>,
    },
    RmsProp {
        learning_rate: Option<f64>,
        momentum: Option<f64>,
    },
    Adagrad {
        learning_rate: Option<f64>,
    },
    /// The text of an `optimizer`.
    Equations {
        text: String,
        learning_rate: Option<f64>,
    },
}

impl Default for OptimizerSettings {
    fn default() -> Self {
        Self::Adam {
            learning_rate: None,
            weight_decay: None,
        }
    }
}

/// A schedule over epochs.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "fields of the schedules of the learning room")]
pub enum ScheduleSettings {
    #[default]
    Constant,
    Step {
        size: u64,
        gamma: f64,
    },
    MultiStep {
        milestones: Vec<u64>,
        gamma: f64,
    },
    Exponential {
        gamma: f64,
    },
    Cosine {
        period: u64,
        #[serde(default)]
        min: f64,
    },
}

impl EncoderSettings {
    pub(super) fn make<R: Instantiate>(&self) -> Box<dyn Encoder<R>> {
        match *self {
            Self::Constant { scale } => Box::new(ConstantCurrent { scale }),
            Self::Poisson { scale } => Box::new(Poisson { scale }),
            Self::Bernoulli { scale } => Box::new(Bernoulli { scale }),
            Self::Latency {} => Box::new(Latency::Linear),
            Self::LogLatency {} => Box::new(Latency::Logarithmic),
            Self::WeightedPhase { phases } => Box::new(WeightedPhase { phases }),
            Self::Sequence { spikes } => Box::new(Sequence { spikes }),
        }
    }
}

impl LossSettings {
    pub(super) fn make(&self) -> Objective {
        match *self {
            Self::MseRate => Objective::MseRate,
            Self::CrossEntropy { logits } => Objective::CrossEntropy(match logits {
                LogitsSettings::Counts => Logits::Counts,
                LogitsSettings::Mean => Logits::Mean,
                LogitsSettings::Last => Logits::Last,
                LogitsSettings::Max => Logits::Max,
                LogitsSettings::StandardisedCounts => Logits::StandardisedCounts,
            }),
            Self::Tet { lambda, target } => Objective::Tet(Tet { lambda, target }),
        }
    }
}

impl OptimizerSettings {
    /// Whether the optimiser has a learning rate; a text need not.
    pub(super) fn has_learning_rate(&self) -> bool {
        match self {
            Self::Equations { text, .. } => {
                EquationRule::<f64>::new(text).is_ok_and(|rule| rule.has_learning_rate())
            }
            _ => true,
        }
    }

    pub(super) fn make<R: Instantiate>(&self) -> Result<Optimizer<R>, OptimizerError> {
        match *self {
            Self::Equations {
                ref text,
                learning_rate,
            } => {
                let rule = EquationRule::new(text)?;
                if let Some(value) = learning_rate
                    && !rule.has_learning_rate()
                {
                    return Err(OptimizerError::Parameter {
                        rule: "equations",
                        name: "learning_rate",
                        value,
                        expected: "a text that declares it as a parameter",
                    });
                }
                let mut optimizer = Optimizer::new(rule)?;
                if let Some(rate) = learning_rate {
                    optimizer.set_learning_rate(rate)?;
                }
                Ok(optimizer)
            }
            Self::Sgd {
                learning_rate,
                momentum,
                weight_decay,
                nesterov,
            } => {
                let default = Sgd::default();
                Optimizer::new(Sgd {
                    learning_rate: learning_rate.unwrap_or(default.learning_rate),
                    momentum: momentum.unwrap_or(default.momentum),
                    weight_decay: weight_decay.unwrap_or(default.weight_decay),
                    nesterov: nesterov.unwrap_or(default.nesterov),
                    ..default
                })
            }
            Self::Adam {
                learning_rate,
                weight_decay,
            } => {
                let default = Adam::default();
                Optimizer::new(Adam {
                    learning_rate: learning_rate.unwrap_or(default.learning_rate),
                    weight_decay: weight_decay.unwrap_or(default.weight_decay),
                    ..default
                })
            }
            Self::AdamW {
                learning_rate,
                weight_decay,
            } => {
                let default = AdamW::default();
                Optimizer::new(AdamW {
                    learning_rate: learning_rate.unwrap_or(default.learning_rate),
                    weight_decay: weight_decay.unwrap_or(default.weight_decay),
                    ..default
                })
            }
            Self::RmsProp {
                learning_rate,
                momentum,
            } => {
                let default = RmsProp::default();
                Optimizer::new(RmsProp {
                    learning_rate: learning_rate.unwrap_or(default.learning_rate),
                    momentum: momentum.unwrap_or(default.momentum),
                    ..default
                })
            }
            Self::Adagrad { learning_rate } => {
                let default = Adagrad::default();
                Optimizer::new(Adagrad {
                    learning_rate: learning_rate.unwrap_or(default.learning_rate),
                    ..default
                })
            }
        }
    }
}

impl ScheduleSettings {
    pub(super) fn make(&self, base: f64) -> Result<Schedule, ScheduleError> {
        match self {
            Self::Constant => Schedule::constant(base),
            Self::Step { size, gamma } => Schedule::step(base, *size, *gamma),
            Self::MultiStep { milestones, gamma } => Schedule::multi_step(base, milestones, *gamma),
            Self::Exponential { gamma } => Schedule::exponential(base, *gamma),
            Self::Cosine { period, min } => Schedule::cosine(base, *period, *min),
        }
    }
}
