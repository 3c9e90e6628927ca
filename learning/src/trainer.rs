//! The trainer: batches in, better parameters out.
//!
//! A [`Trainer`] holds an [`UnrolledNetwork`], how samples are put into time ([`Encoder`]), what is
//! minimised ([`Objective`]) and an [`Optimizer`]. One call of [`Trainer::train`] is one step of the
//! optimiser: encode, forward, loss, backward, clip, update. What it reports is what was computed before
//! the update.
//!
//! While a device runs the network, parameters and what the optimiser keeps of them stay there, if the
//! rule has equations. [`Trainer::keep`] takes a copy from time to time: a device that fails leaves a
//! trainer as it was then.
//!
//! Nothing in a step depends on the number of threads or on when it is made: a trainer that is restored
//! ([`Trainer::state`], [`Trainer::restore`]) continues with the same bits.

mod device;
mod encoded;
mod health;
mod state;

use encoded::{Encoded, Input};
use rheobase_engine::Instantiate;
use rheobase_engine::unrolled::{Sequence, UnrolledError, UnrolledNetwork};

pub use health::{Health, PopulationHealth};
pub use state::{StateError, TrainerState};

use crate::decode::{self, highest};
use crate::encode::{EncodeError, Encoder, Samples};
use crate::loss::{Logits, Loss, LossError, Tet, cross_entropy, mse_rate, tet};
use crate::metric::n_correct;
use crate::optimizer::{ClipError, GradientNorm, Optimizer, OptimizerError};
use crate::output::OutputError;

/// What is minimised, over the output `[T, N, classes]` and the labels.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Objective {
    /// Squared error of the firing rate ([`mse_rate`]). The class is that of the highest rate.
    MseRate,
    /// Cross-entropy ([`cross_entropy`]). The class is that of the highest logit.
    CrossEntropy(Logits),
    /// Cross-entropy of every step ([`tet`]). The class is that of the highest mean.
    Tet(Tet),
}

/// Parameters of a trainer besides its parts.
#[derive(Clone, PartialEq, Debug)]
pub struct Training {
    /// What is minimised.
    pub objective: Objective,
    /// The output it is computed from, by name.
    pub output: String,
    /// Seed of random encoders.
    pub seed: u64,
    /// Most Euclidean norm of all gradients together; larger ones are scaled down to it.
    pub clip_norm: Option<f64>,
}

/// Why a batch cannot be trained on. Parameters are as before; where a device has failed that kept them,
/// everything is as it was when last kept ([`Trainer::keep`]): [`Trainer::batches`] tells.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The samples cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The network cannot be run.
    #[error(transparent)]
    Network(#[from] UnrolledError),
    /// The loss cannot be computed.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// The class cannot be read off.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The update cannot be made.
    #[error(transparent)]
    Optimizer(#[from] OptimizerError),
    /// Gradients cannot be clipped.
    #[error(transparent)]
    Clip(#[from] ClipError),
    /// A network that is trained has one input.
    #[error("the network has {found} inputs; a trainer feeds exactly one")]
    Inputs {
        /// Inputs it has.
        found: usize,
    },
    /// A number that is not finite.
    #[error(
        "{what} is {value} in batch {batch}: lower the learning rate, clip gradients, or look at the data"
    )]
    NotFinite {
        /// The loss, or the gradient of an array.
        what: String,
        /// Its value.
        value: f64,
        /// Batches trained on before.
        batch: u64,
    },
}

/// What a batch gave.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BatchReport {
    /// The loss, a mean over the batch.
    pub loss: f64,
    /// Samples whose class was found.
    pub n_correct: usize,
    /// Samples.
    pub n_samples: usize,
    /// Euclidean norm of all gradients before clipping; 0 in evaluation.
    pub gradient_norm: f64,
}

/// Trains a network.
///
/// ```
/// use std::sync::Arc;
/// use rheobase_engine::network::Network;
/// use rheobase_engine::unrolled::{UnrolledNetwork, UnrolledOptions};
/// use rheobase_learning::encode::{ConstantCurrent, Samples};
/// use rheobase_learning::loss::Logits;
/// use rheobase_learning::optimizer::{Adam, Optimizer};
/// use rheobase_learning::trainer::{Objective, Trainer, Training};
///
/// let text = r#"
///     name = "two classes"
///     dt = "1 ms"
///     duration = "1 ms"
///     [inputs.x]
///     shape = [2]
///     [layers.fc]
///     model = "linear"
///     out_features = 2
///     [populations.y]
///     model = "lif"
///     size = 2
///     [[edges]]
///     source = "x"
///     target = "fc"
///     [[edges]]
///     source = "fc"
///     target = "y"
/// "#;
/// let plan = Network::from_toml(text, "doc")?.resolve(&rheobase_components::registry())?;
/// let options = UnrolledOptions { steps: 4, batch: 2, ..UnrolledOptions::default() };
/// let network = UnrolledNetwork::<f32>::new(Arc::new(plan), &options)?;
/// let optimizer = Optimizer::new(Adam { learning_rate: 0.1, ..Adam::default() })?;
/// let training = Training {
///     objective: Objective::CrossEntropy(Logits::Mean),
///     output: "y".to_owned(),
///     seed: 1,
///     clip_norm: None,
/// };
/// let encoder = Box::new(ConstantCurrent { scale: 3.0 });
/// let mut trainer = Trainer::new(network, encoder, optimizer, training)?;
/// let samples = Samples::new(&[1.0, 0.0, 0.0, 1.0], 2, &[0, 1])?;
/// for epoch in 0..30 {
///     trainer.train(samples, &[0, 1], epoch)?;
/// }
/// assert_eq!(trainer.evaluate(samples, &[0, 1])?.n_correct, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Trainer<R: Instantiate> {
    network: UnrolledNetwork<R>,
    encoder: Box<dyn Encoder<R>>,
    optimizer: Optimizer<R>,
    training: Training,
    batches: u64,
    /// Known once a batch was encoded.
    gives_spikes: Option<bool>,
    /// The batch after this one.
    ahead: Option<Encoded<R>>,
    /// Memory of a batch that is done.
    spare: Option<Input<R>>,
    /// What to return to if a device fails.
    kept: Option<Box<TrainerState<R>>>,
}

impl<R: Instantiate> Trainer<R> {
    /// Puts the parts together.
    ///
    /// # Errors
    /// If the network has not exactly one input, or no such output.
    pub fn new(
        network: UnrolledNetwork<R>,
        encoder: Box<dyn Encoder<R>>,
        optimizer: Optimizer<R>,
        training: Training,
    ) -> Result<Self, TrainError> {
        let found = network.input_names().count();
        if found != 1 {
            return Err(TrainError::Inputs { found });
        }
        network.output(&training.output)?;
        Ok(Self {
            network,
            encoder,
            optimizer,
            training,
            batches: 0,
            gives_spikes: None,
            ahead: None,
            spare: None,
            kept: None,
        })
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &UnrolledNetwork<R> {
        &self.network
    }

    /// The network, to change its parameters.
    pub fn network_mut(&mut self) -> &mut UnrolledNetwork<R> {
        &mut self.network
    }

    /// The optimiser. What it keeps is fetched first, if it lies on a device.
    ///
    /// # Errors
    /// If the device fails.
    pub fn optimizer_mut(&mut self) -> Result<&mut Optimizer<R>, TrainError> {
        self.fetch()?;
        Ok(&mut self.optimizer)
    }

    /// The learning rate of the next step.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.optimizer.learning_rate()
    }

    /// Sets the learning rate of the steps to come.
    ///
    /// # Errors
    /// If it is negative or not finite.
    pub fn set_learning_rate(&mut self, rate: f64) -> Result<(), OptimizerError> {
        self.optimizer.set_learning_rate(rate)
    }

    /// Batches trained on.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.batches
    }

    /// One step of the optimiser on a batch. `epoch` chooses the draws of random encoders.
    ///
    /// # Errors
    /// If samples, labels or parameters do not fit, or the loss or a gradient is not finite; parameters are
    /// as before then. If a device fails: see [`TrainError`].
    pub fn train(
        &mut self,
        samples: Samples<'_, R>,
        labels: &[usize],
        epoch: u64,
    ) -> Result<BatchReport, TrainError> {
        self.train_ahead(samples, labels, epoch, None)
    }

    /// As [`Self::train`], with the samples and the epoch of the batch after this one: while a device is
    /// busy with this one, they are encoded. Results do not depend on it.
    ///
    /// # Errors
    /// As [`Self::train`].
    pub fn train_ahead(
        &mut self,
        samples: Samples<'_, R>,
        labels: &[usize],
        epoch: u64,
        next: Option<(Samples<'_, R>, u64)>,
    ) -> Result<BatchReport, TrainError> {
        if self.kept.is_none() && self.network.is_on_device() {
            self.keep()?;
        }
        let outcome = self.step(samples, labels, epoch, next);
        self.or_back(outcome)
    }

    fn step(
        &mut self,
        samples: Samples<'_, R>,
        labels: &[usize],
        epoch: u64,
        next: Option<(Samples<'_, R>, u64)>,
    ) -> Result<BatchReport, TrainError> {
        let (loss, n_correct) = self.forward(samples, labels, epoch, true)?;
        let value = loss.value.to_f64();
        if !value.is_finite() {
            return Err(self.not_finite("the loss", value));
        }
        self.network.clear_gradients();
        let output = self.training.output.clone();
        self.network.backward(&[(&output, &loss.cotangent)])?;
        if let Some((samples, epoch)) = next.filter(|_| self.network.is_on_device()) {
            // What is wrong with them is told when it is their turn.
            let encoded = self.encode(samples, epoch);
            self.ahead = encoded.ok();
        }
        let gradient_norm = match self.update_on_device()? {
            Some(norm) => norm,
            None => self.update()?,
        };
        self.batches += 1;
        Ok(BatchReport {
            loss: value,
            n_correct,
            n_samples: labels.len(),
            gradient_norm,
        })
    }

    /// Updates all parameters on the processor; the norm of all gradients before.
    fn update(&mut self) -> Result<f64, TrainError> {
        self.fetch()?;
        let norm = self.clip()?;
        let mut pass = self.optimizer.pass();
        self.network
            .visit_parameters(|node, parameter, gradient| pass.update(node, parameter, gradient));
        pass.finish()?;
        Ok(norm)
    }

    /// Loss and accuracy on a batch, without training. Random encoders draw the same for a sample every
    /// time.
    ///
    /// # Errors
    /// If samples or labels do not fit.
    pub fn evaluate(
        &mut self,
        samples: Samples<'_, R>,
        labels: &[usize],
    ) -> Result<BatchReport, TrainError> {
        // An epoch that training does not reach.
        let passes = self.network.passes();
        let outcome = self.forward(samples, labels, u64::MAX, false);
        // Evaluation has no part in the numbering of passes, so that it changes nothing in training.
        self.network.set_passes(passes);
        let (loss, n_correct) = self.or_back(outcome)?;
        Ok(BatchReport {
            loss: loss.value.to_f64(),
            n_correct,
            n_samples: labels.len(),
            gradient_norm: 0.0,
        })
    }

    /// The classes found in the last batch.
    ///
    /// # Errors
    /// Before the first batch.
    pub fn predicted(&self) -> Result<Vec<usize>, TrainError> {
        let output = self.network.output(&self.training.output)?;
        let shape = self.shape(output.len());
        let scores = match self.training.objective {
            Objective::MseRate | Objective::Tet(_) => decode::mean(output, shape)?,
            Objective::CrossEntropy(Logits::Counts | Logits::Mean | Logits::StandardisedCounts) => {
                decode::mean(output, shape)?
            }
            Objective::CrossEntropy(Logits::Last) => decode::last(output, shape)?,
            Objective::CrossEntropy(Logits::Max) => decode::max(output, shape)?,
        };
        Ok(highest(&scores, shape[2]))
    }

    /// Neurons that never fired or always did, and arrays without gradient, in the last batch trained on.
    pub fn health(&mut self) -> Health {
        // A device that fails here fails in the next step, too, which tells.
        let _ = self.network.fetch_emissions();
        Health::of(&mut self.network)
    }

    fn shape(&self, values: usize) -> [usize; 3] {
        let (steps, batch) = (self.network.steps(), self.network.batch());
        [steps, batch, values / (steps * batch).max(1)]
    }

    fn forward(
        &mut self,
        samples: Samples<'_, R>,
        labels: &[usize],
        epoch: u64,
        training: bool,
    ) -> Result<(Loss<R>, usize), TrainError> {
        let ahead = self.ahead.take().filter(|a| a.is_of(samples, epoch));
        let encoded = match ahead {
            Some(encoded) => encoded,
            None => self.encode(samples, epoch)?,
        };
        let sequence = match &encoded.input {
            Input::Bits(bits) => Sequence::Bits(bits),
            Input::Constant(values) => Sequence::Constant(values),
            Input::Steps(values) => Sequence::Steps(values),
        };
        let outcome = self.network.forward(&[sequence], training);
        self.spare = Some(encoded.input);
        outcome?;
        let output = self.network.output(&self.training.output)?;
        let shape = self.shape(output.len());
        let loss = match self.training.objective {
            Objective::MseRate => mse_rate(output, shape, labels)?,
            Objective::CrossEntropy(logits) => cross_entropy(output, shape, labels, logits)?,
            Objective::Tet(parameters) => tet(output, shape, labels, parameters)?,
        };
        let correct = n_correct(&self.predicted()?, labels)?;
        Ok((loss, correct))
    }

    /// The norm of all gradients, after which they are within bounds.
    fn clip(&mut self) -> Result<f64, TrainError> {
        let mut norm = GradientNorm::default();
        self.network
            .visit_parameters(|_, _, gradient| norm.add(&gradient.values));
        let value = norm.value();
        if !value.is_finite() {
            let mut first = None;
            self.network.visit_parameters(|node, parameter, gradient| {
                let found = gradient.values.iter().position(|x| !x.is_finite());
                if let (Some(k), None) = (found, &first) {
                    let what = format!("the gradient of `{node}.{}`[{k}]", parameter.name);
                    first = Some((what, gradient.values[k].to_f64()));
                }
            });
            let (what, value) = first.unwrap_or(("the norm of all gradients".to_owned(), value));
            return Err(self.not_finite(&what, value));
        }
        if let Some(most) = self.training.clip_norm {
            let clip = norm.clip(most)?;
            self.network
                .visit_parameters(|_, _, gradient| clip.apply(&mut gradient.values));
        }
        Ok(value)
    }

    fn not_finite(&self, what: &str, value: f64) -> TrainError {
        TrainError::NotFinite {
            what: what.to_owned(),
            value,
            batch: self.batches,
        }
    }
}
