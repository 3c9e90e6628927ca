//! BrainState's `brainpy.state` 0.1.0.

use rheobase_engine::network::Population;

use super::{CompatError, Conventions, Decay, Reset, ResetTime, Test, finite, population, within};

/// `brainpy.state` 0.1.0: (v − v_reset)/(v_th − v_reset) ≥ 1; the reset, soft, acts before the next step
/// and passes gradients; exponential Euler; ReluGrad(0.3, 1).
#[must_use]
pub fn brainstate() -> Conventions {
    Conventions {
        framework: "brainpy.state 0.1.0",
        test: Test::AtLeast,
        reset: Reset::Soft,
        reset_time: ResetTime::BeforeNextStep,
        gradient_through_reset: true,
        decay: Decay::Exponential,
        decays_input: true,
        surrogate: "relu_grad(0.3, 1)",
        threshold: 1.0,
        dt_ms: None,
    }
}

/// `LIF`: τ·dv/dt = v_rest − v + r·x by exponential Euler, which is exact.
///
/// Potentials are recorded after the reset here, before it there; spikes are the same, and so are
/// gradients with the soft reset.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Lif {
    /// Time constant \[ms\] (default 5).
    pub tau: f64,
    /// Threshold (default 1).
    pub v_th: f64,
    /// Value after a hard reset (default 0).
    pub v_reset: f64,
    /// Where the membrane decays to (default 0).
    pub v_rest: f64,
    /// Resistance (default 1).
    pub r: f64,
    /// `spk_reset="hard"`: a spike sets the potential to `v_reset` (default false: it takes
    /// v_th − v_reset away). BrainState's gradient passes a hard reset as if there were none; here it is
    /// that of the reset.
    pub hard: bool,
    /// Height and width of ReluGrad in units of v_th − v_reset (default 0.3 and 1).
    pub relu_grad: (f64, f64),
    /// Length of a step \[ms\] (default 1); BrainState's environment has none.
    pub dt: f64,
}

impl Default for Lif {
    fn default() -> Self {
        Self {
            tau: 5.0,
            v_th: 1.0,
            v_reset: 0.0,
            v_rest: 0.0,
            r: 1.0,
            hard: false,
            relu_grad: (0.3, 1.0),
            dt: 1.0,
        }
    }
}

impl Lif {
    /// `size` neurons of the type `cuba_lif` without synaptic current, for steps of `dt`.
    ///
    /// # Errors
    /// A number that is not finite, a time of 0 or less, `v_th` not above `v_reset`, or a soft reset with a
    /// `v_reset` other than 0, which takes away another value than the threshold.
    pub fn population(&self, size: u64) -> Result<Population, CompatError> {
        let decay = decay("LIF", self.tau, self.dt)?;
        let scale = self.v_th - self.v_reset;
        let positive = (f64::MIN_POSITIVE, f64::MAX);
        within("LIF", "V_th - V_reset", scale, positive, "more than 0")?;
        if !self.hard {
            let expected = "0 with a soft reset";
            within("LIF", "V_reset", self.v_reset, (0.0, 0.0), expected)?;
        }
        let (height, width) = self.relu_grad;
        let parameters = [
            ("c_decay", 0.0),
            ("v_decay", decay),
            ("gain", self.r * (1.0 - decay)),
            ("v_rest", self.v_rest),
            ("v_threshold", self.v_th),
            ("v_reset", self.v_reset),
        ];
        finite("LIF", &parameters)?;
        finite("LIF", &[("alpha", height), ("width", width)])?;
        // The surrogate is of the scaled potential there.
        let surrogate = format!("relu_grad({}, {})", height / (scale * scale), width * scale);
        let population = population("cuba_lif", size, &parameters, Some(&surrogate));
        Ok(population
            .option("soft_reset", (!self.hard).to_string())
            .initial("v", 0.0))
    }
}

/// `Expon`: g decays with τ, then x is added; the population emits g.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Expon {
    /// Time constant \[ms\] (default 8).
    pub tau: f64,
    /// Length of a step \[ms\] (default 1); BrainState's environment has none.
    pub dt: f64,
}

impl Default for Expon {
    fn default() -> Self {
        Self { tau: 8.0, dt: 1.0 }
    }
}

impl Expon {
    /// `size` elements of the type `leaky_readout`, for steps of `dt`.
    ///
    /// # Errors
    /// A time of 0 or less, or one that is not finite.
    pub fn population(&self, size: u64) -> Result<Population, CompatError> {
        let decay = decay("Expon", self.tau, self.dt)?;
        let tau = 1.0 / (1.0 - decay);
        Ok(population("leaky_readout", size, &[("tau", tau)], None)
            .option("decay_input", "false")
            .emits("potential"))
    }
}

/// exp(−dt/τ).
fn decay(neuron: &'static str, tau: f64, dt: f64) -> Result<f64, CompatError> {
    let positive = (f64::MIN_POSITIVE, f64::MAX);
    within(neuron, "tau", tau, positive, "a time above 0")?;
    within(neuron, "dt", dt, positive, "a time above 0")?;
    Ok(libm::exp(-dt / tau))
}
