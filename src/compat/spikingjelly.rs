//! SpikingJelly 2.0.0, `activation_based.neuron`.

use rheobase_engine::network::Population;

use super::{CompatError, Conventions, Decay, Reset, ResetTime, Test, finite, population, within};

/// SpikingJelly 2.0.0: charge, fire (h ≥ v_threshold), reset at once; hard to 0, not detached; the decay
/// acts on the input; Sigmoid(4).
#[must_use]
pub fn spikingjelly() -> Conventions {
    Conventions {
        framework: "SpikingJelly 2.0.0",
        test: Test::AtLeast,
        reset: Reset::Hard,
        reset_time: ResetTime::SameStep,
        gradient_through_reset: true,
        decay: Decay::OverTau,
        decays_input: true,
        surrogate: "sigmoid(4)",
        threshold: 1.0,
        dt_ms: None,
    }
}

/// Arguments that all nodes share.
struct Base<'a> {
    v_threshold: f64,
    v_reset: Option<f64>,
    surrogate: &'a str,
    detach_reset: bool,
}

impl Base<'_> {
    /// `v_reset=None` is the soft reset, with a rest of 0.
    fn population(
        &self,
        (node, model): (&'static str, &str),
        size: u64,
        parameters: &[(&'static str, f64)],
    ) -> Result<Population, CompatError> {
        finite(node, parameters)?;
        let v_reset = self.v_reset.unwrap_or(0.0);
        let shared = [("v_threshold", self.v_threshold), ("v_reset", v_reset)];
        finite(node, &shared)?;
        let all = [parameters, &shared].concat();
        Ok(population(model, size, &all, Some(self.surrogate))
            .option("soft_reset", self.v_reset.is_none().to_string())
            .option("detach_reset", self.detach_reset.to_string()))
    }
}

macro_rules! base {
    ($node:ident) => {
        Base {
            v_threshold: $node.v_threshold,
            v_reset: $node.v_reset,
            surrogate: &$node.surrogate,
            detach_reset: $node.detach_reset,
        }
    };
}

/// `IFNode`: h = v + x.
#[derive(Clone, PartialEq, Debug)]
pub struct IfNode {
    /// Threshold (default 1).
    pub v_threshold: f64,
    /// Value after a spike (default 0); `None` takes the threshold away instead.
    pub v_reset: Option<f64>,
    /// Surrogate (default `sigmoid(4)`).
    pub surrogate: String,
    /// No gradient flows through the spike in the reset (default false).
    pub detach_reset: bool,
}

impl Default for IfNode {
    fn default() -> Self {
        Self {
            v_threshold: 1.0,
            v_reset: Some(0.0),
            surrogate: spikingjelly().surrogate.to_owned(),
            detach_reset: false,
        }
    }
}

impl IfNode {
    /// `size` neurons of the type `if`.
    ///
    /// # Errors
    /// A number that is not finite.
    pub fn population(&self, size: u64) -> Result<Population, CompatError> {
        base!(self).population(("IFNode", "if"), size, &[])
    }
}

/// `LIFNode`: h = v + (x − (v − v_reset))/τ; without `decay_input`, h = v − (v − v_reset)/τ + x.
#[derive(Clone, PartialEq, Debug)]
pub struct LifNode {
    /// Time constant in steps (default 2); above 1.
    pub tau: f64,
    /// The decay acts on the input too (default true).
    pub decay_input: bool,
    /// Threshold (default 1).
    pub v_threshold: f64,
    /// Value after a spike (default 0); `None` takes the threshold away instead.
    pub v_reset: Option<f64>,
    /// Surrogate (default `sigmoid(4)`).
    pub surrogate: String,
    /// No gradient flows through the spike in the reset (default false).
    pub detach_reset: bool,
}

impl Default for LifNode {
    fn default() -> Self {
        Self {
            tau: 2.0,
            decay_input: true,
            v_threshold: 1.0,
            v_reset: Some(0.0),
            surrogate: spikingjelly().surrogate.to_owned(),
            detach_reset: false,
        }
    }
}

impl LifNode {
    /// `size` neurons of the type `lif`.
    ///
    /// # Errors
    /// A number that is not finite, or `tau` of 1 or less.
    pub fn population(&self, size: u64) -> Result<Population, CompatError> {
        above_one("LIFNode", "tau", self.tau)?;
        let population = base!(self).population(("LIFNode", "lif"), size, &[("tau", self.tau)])?;
        Ok(population.option("decay_input", self.decay_input.to_string()))
    }
}

/// `ParametricLIFNode`: a [`LifNode`] whose 1/τ = sigmoid(w) is learned, with w = −ln(τ − 1) to begin
/// with.
#[derive(Clone, PartialEq, Debug)]
pub struct ParametricLifNode {
    /// First time constant in steps (default 2); above 1.
    pub init_tau: f64,
    /// The decay acts on the input too (default true).
    pub decay_input: bool,
    /// Threshold (default 1).
    pub v_threshold: f64,
    /// Value after a spike (default 0); `None` takes the threshold away instead.
    pub v_reset: Option<f64>,
    /// Surrogate (default `sigmoid(4)`).
    pub surrogate: String,
    /// No gradient flows through the spike in the reset (default false).
    pub detach_reset: bool,
}

impl Default for ParametricLifNode {
    fn default() -> Self {
        Self {
            init_tau: 2.0,
            decay_input: true,
            v_threshold: 1.0,
            v_reset: Some(0.0),
            surrogate: spikingjelly().surrogate.to_owned(),
            detach_reset: false,
        }
    }
}

impl ParametricLifNode {
    /// `size` neurons of the type `plif`.
    ///
    /// # Errors
    /// A number that is not finite, or `init_tau` of 1 or less.
    pub fn population(&self, size: u64) -> Result<Population, CompatError> {
        let node = "ParametricLIFNode";
        above_one(node, "init_tau", self.init_tau)?;
        let w = -libm::log(self.init_tau - 1.0);
        let population = base!(self).population((node, "plif"), size, &[("w", w)])?;
        Ok(population.option("decay_input", self.decay_input.to_string()))
    }
}

/// `KLIFNode`: a [`LifNode`] whose potential is max(0, k·h), k learned from 1 on.
#[derive(Clone, PartialEq, Debug)]
pub struct KlifNode {
    /// The reset takes the gain back (default false).
    pub scale_reset: bool,
    /// Time constant in steps (default 2); above 1.
    pub tau: f64,
    /// The decay acts on the input too (default true).
    pub decay_input: bool,
    /// Threshold (default 1).
    pub v_threshold: f64,
    /// Value after a spike (default 0); `None` takes the threshold away instead.
    pub v_reset: Option<f64>,
    /// Surrogate (default `sigmoid(4)`).
    pub surrogate: String,
    /// No gradient flows through the spike in the reset (default false).
    pub detach_reset: bool,
}

impl Default for KlifNode {
    fn default() -> Self {
        Self {
            scale_reset: false,
            tau: 2.0,
            decay_input: true,
            v_threshold: 1.0,
            v_reset: Some(0.0),
            surrogate: spikingjelly().surrogate.to_owned(),
            detach_reset: false,
        }
    }
}

impl KlifNode {
    /// `size` neurons of the type `klif`.
    ///
    /// # Errors
    /// A number that is not finite, or `tau` of 1 or less.
    pub fn population(&self, size: u64) -> Result<Population, CompatError> {
        above_one("KLIFNode", "tau", self.tau)?;
        let population =
            base!(self).population(("KLIFNode", "klif"), size, &[("tau", self.tau)])?;
        Ok(population
            .option("decay_input", self.decay_input.to_string())
            .option("scale_reset", self.scale_reset.to_string()))
    }
}

/// `CUBALIFNode`: c = c_decay·c + x, h = v_decay·v + c. Its threshold and surrogate are its own.
#[derive(Clone, PartialEq, Debug)]
pub struct CubaLifNode {
    /// What is left of the current after a step (default 0.5).
    pub c_decay: f64,
    /// What is left of the potential after a step (default 0.75).
    pub v_decay: f64,
    /// Threshold (default 0.5).
    pub v_threshold: f64,
    /// Value after a spike (default 0); `None` takes the threshold away instead.
    pub v_reset: Option<f64>,
    /// Surrogate (default `rect(1)`).
    pub surrogate: String,
    /// No gradient flows through the spike in the reset (default false).
    pub detach_reset: bool,
}

impl Default for CubaLifNode {
    fn default() -> Self {
        Self {
            c_decay: 0.5,
            v_decay: 0.75,
            v_threshold: 0.5,
            v_reset: Some(0.0),
            surrogate: "rect(1)".to_owned(),
            detach_reset: false,
        }
    }
}

impl CubaLifNode {
    /// `size` neurons of the type `cuba_lif`.
    ///
    /// # Errors
    /// A number that is not finite.
    pub fn population(&self, size: u64) -> Result<Population, CompatError> {
        let decays = [("c_decay", self.c_decay), ("v_decay", self.v_decay)];
        base!(self).population(("CUBALIFNode", "cuba_lif"), size, &decays)
    }
}

/// `ComplementaryLIFNode`: h = v − v/τ + x; a spike takes v_threshold + sigmoid(m) away.
#[derive(Clone, PartialEq, Debug)]
pub struct ComplementaryLifNode {
    /// Time constant in steps (default 2); above 1.
    pub tau: f64,
    /// Threshold (default 1).
    pub v_threshold: f64,
    /// Surrogate (default `rect(1)`).
    pub surrogate: String,
}

impl Default for ComplementaryLifNode {
    fn default() -> Self {
        Self {
            tau: 2.0,
            v_threshold: 1.0,
            surrogate: "rect(1)".to_owned(),
        }
    }
}

impl ComplementaryLifNode {
    /// `size` neurons of the type `clif`.
    ///
    /// # Errors
    /// A number that is not finite, or `tau` of 1 or less.
    pub fn population(&self, size: u64) -> Result<Population, CompatError> {
        let node = "ComplementaryLIFNode";
        above_one(node, "tau", self.tau)?;
        let parameters = [("tau", self.tau), ("v_threshold", self.v_threshold)];
        finite(node, &parameters)?;
        Ok(population("clif", size, &parameters, Some(&self.surrogate)))
    }
}

fn above_one(node: &'static str, argument: &'static str, tau: f64) -> Result<(), CompatError> {
    let bounds = (1.0_f64.next_up(), f64::MAX);
    within(node, argument, tau, bounds, "a number of steps above 1")
}
