//! snnTorch 1.0.0.

use rheobase_engine::network::Population;

use super::{CompatError, Conventions, Decay, Reset, ResetTime, Test, finite, population, within};

/// snnTorch 1.0.0: v > threshold; the threshold is taken away one step after the spike, without a
/// gradient; the potential is multiplied by β, the input enters whole; `atan` with α = 2.
#[must_use]
pub fn snntorch() -> Conventions {
    Conventions {
        framework: "snnTorch 1.0.0",
        test: Test::Above,
        reset: Reset::Soft,
        reset_time: ResetTime::WithNextStep,
        gradient_through_reset: false,
        decay: Decay::Factor,
        decays_input: false,
        surrogate: "atan(2)",
        threshold: 1.0,
        dt_ms: None,
    }
}

/// `reset_mechanism`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ResetMechanism {
    /// A spike takes the threshold away.
    #[default]
    Subtract,
    /// A spike sets the potential to 0.
    Zero,
    /// A spike does nothing.
    None,
}

impl ResetMechanism {
    fn word(self) -> &'static str {
        match self {
            Self::Subtract => "subtract",
            Self::Zero => "zero",
            Self::None => "none",
        }
    }
}

/// `Leaky`: v = β·v + x − reset. snnTorch has no default for β; here it is 0.9.
#[derive(Clone, PartialEq, Debug)]
pub struct Leaky {
    /// What is left of the potential after a step, 0 to 1.
    pub beta: f64,
    /// Threshold (default 1).
    pub threshold: f64,
    /// `spike_grad` (default `atan(2)`).
    pub surrogate: String,
    /// What a spike does (default `Subtract`).
    pub reset_mechanism: ResetMechanism,
    /// The reset acts in the step after the spike (default true).
    pub reset_delay: bool,
}

impl Default for Leaky {
    fn default() -> Self {
        Self {
            beta: 0.9,
            threshold: 1.0,
            surrogate: snntorch().surrogate.to_owned(),
            reset_mechanism: ResetMechanism::Subtract,
            reset_delay: true,
        }
    }
}

impl Leaky {
    /// `size` neurons of the type `leaky`.
    ///
    /// # Errors
    /// A number that is not finite, or β outside 0 to 1.
    pub fn population(&self, size: u64) -> Result<Population, CompatError> {
        within("Leaky", "beta", self.beta, (0.0, 1.0), "0 to 1")?;
        let parameters = [("beta", self.beta), ("threshold", self.threshold)];
        finite("Leaky", &parameters)?;
        Ok(
            population("leaky", size, &parameters, Some(&self.surrogate))
                .option("reset_mechanism", self.reset_mechanism.word())
                .option("reset_delay", self.reset_delay.to_string()),
        )
    }
}

/// `Synaptic`: i = α·i + x, v = β·v + i − reset. snnTorch has no defaults for α and β; here they are 0.8
/// and 0.9.
#[derive(Clone, PartialEq, Debug)]
pub struct Synaptic {
    /// What is left of the current after a step, 0 to 1.
    pub alpha: f64,
    /// What is left of the potential after a step, 0 to 1.
    pub beta: f64,
    /// Threshold (default 1).
    pub threshold: f64,
    /// `spike_grad` (default `atan(2)`).
    pub surrogate: String,
    /// What a spike does to the potential (default `Subtract`).
    pub reset_mechanism: ResetMechanism,
    /// The reset acts in the step after the spike (default true).
    pub reset_delay: bool,
}

impl Default for Synaptic {
    fn default() -> Self {
        Self {
            alpha: 0.8,
            beta: 0.9,
            threshold: 1.0,
            surrogate: snntorch().surrogate.to_owned(),
            reset_mechanism: ResetMechanism::Subtract,
            reset_delay: true,
        }
    }
}

impl Synaptic {
    /// `size` neurons of the type `synaptic`.
    ///
    /// # Errors
    /// A number that is not finite, or α or β outside 0 to 1.
    pub fn population(&self, size: u64) -> Result<Population, CompatError> {
        within("Synaptic", "alpha", self.alpha, (0.0, 1.0), "0 to 1")?;
        within("Synaptic", "beta", self.beta, (0.0, 1.0), "0 to 1")?;
        let parameters = [
            ("alpha", self.alpha),
            ("beta", self.beta),
            ("threshold", self.threshold),
        ];
        finite("Synaptic", &parameters)?;
        Ok(
            population("synaptic", size, &parameters, Some(&self.surrogate))
                .option("reset_mechanism", self.reset_mechanism.word())
                .option("reset_delay", self.reset_delay.to_string()),
        )
    }
}
