//! Other frameworks' neurons by their own names and defaults.
//!
//! The same word means different things: one framework's LIF fires where the potential reaches the
//! threshold, another's where it exceeds it; one resets at once, another a step later. Each preset says
//! in its [`Conventions`] what its framework does, and its neurons become [`Population`]s that do it.
//!
//! | framework | preset | neurons |
//! |---|---|---|
//! | SpikingJelly 2.0.0 | [`spikingjelly()`] | [`IfNode`], [`LifNode`], [`ParametricLifNode`], [`KlifNode`], [`CubaLifNode`], [`ComplementaryLifNode`] |
//! | snnTorch 1.0.0 | [`snntorch()`] | [`Leaky`], [`Synaptic`] |
//! | Norse 1.1.0 | [`norse()`] | [`LifCell`] |
//! | SPAIC 0.6.3 | [`spaic()`] | [`Clif`] |
//! | BrainState's `brainpy.state` 0.1.0 | [`brainstate()`] | [`Lif`], [`Expon`] |
//!
//! A neuron is a struct of its framework's arguments; `Default` has the framework's defaults.
//!
//! ```
//! use rheobase::compat::{self, Leaky, LifNode, Test};
//! use rheobase::prelude::*;
//!
//! assert_eq!(compat::spikingjelly().test, Test::AtLeast);
//! assert_eq!(compat::snntorch().test, Test::Above);
//! let network = Network::builder("two frameworks")
//!     .dt("1 ms")
//!     .duration("10 ms")
//!     .population("jelly", LifNode { tau: 3.0, v_reset: None, ..LifNode::default() }.population(10)?)
//!     .population("torch", Leaky { beta: 0.8, ..Leaky::default() }.population(10)?)
//!     .build()?;
//! network.resolve(&rheobase::registry())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod brainstate;
mod norse;
mod snntorch;
mod spaic;
mod spikingjelly;

pub use brainstate::{Expon, Lif, brainstate};
pub use norse::{LifCell, norse};
pub use snntorch::{Leaky, ResetMechanism, Synaptic, snntorch};
pub use spaic::{Clif, spaic};
pub use spikingjelly::{
    ComplementaryLifNode, CubaLifNode, IfNode, KlifNode, LifNode, ParametricLifNode, spikingjelly,
};

use rheobase_engine::network::Population;

/// What decides whether a neuron fires.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Test {
    /// potential ≥ threshold.
    AtLeast,
    /// potential > threshold.
    Above,
}

/// When a spike resets the potential.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ResetTime {
    /// At the end of the step of the spike: what is recorded is after it.
    SameStep,
    /// At the beginning of the next step: what is recorded overshoots the threshold. Spikes are those of a
    /// reset at the end of the step.
    BeforeNextStep,
    /// With the next step's input, from the potential before it.
    WithNextStep,
    /// There is none: a spike leaves a potential that holds the neuron back.
    Never,
}

/// What a spike does to the potential where nothing is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reset {
    /// Sets it to a value.
    Hard,
    /// Takes the threshold away.
    Soft,
    /// Nothing.
    None,
}

/// How a framework's potential decays.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Decay {
    /// v ← v − v/τ in a step, τ in steps.
    OverTau,
    /// v ← β·v in a step, β given.
    Factor,
    /// v ← v − v·dt/τ: forward Euler.
    Euler,
    /// v ← v·exp(−dt/τ): exact.
    Exponential,
}

/// What a framework means by its neurons.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct Conventions {
    /// The framework and the version that was looked at.
    pub framework: &'static str,
    /// The test of the threshold.
    pub test: Test,
    /// What a spike does where nothing is chosen.
    pub reset: Reset,
    /// When.
    pub reset_time: ResetTime,
    /// Whether a gradient flows through the spike in the reset where nothing is chosen.
    pub gradient_through_reset: bool,
    /// How the potential of its leaky neuron decays.
    pub decay: Decay,
    /// Whether the decay acts on the input too: it enters divided by τ.
    pub decays_input: bool,
    /// The surrogate where none is chosen, as populations name it.
    pub surrogate: &'static str,
    /// The threshold where none is given.
    pub threshold: f64,
    /// Length of a step where the framework has one \[ms\].
    pub dt_ms: Option<f64>,
}

/// Why a framework's neuron cannot be had here.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompatError {
    /// A number that cannot be.
    #[error("{neuron}: {argument} is {value}: expected {expected}")]
    Argument {
        /// The neuron, as its framework names it.
        neuron: &'static str,
        /// The argument.
        argument: &'static str,
        /// Its value.
        value: f64,
        /// What would be accepted.
        expected: &'static str,
    },
}

/// Refuses a number unless it is within `low ..= high`; NaN is not.
fn within(
    neuron: &'static str,
    argument: &'static str,
    value: f64,
    (low, high): (f64, f64),
    expected: &'static str,
) -> Result<(), CompatError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(CompatError::Argument {
        neuron,
        argument,
        value,
        expected,
    })
}

/// Refuses what is not finite.
fn finite(neuron: &'static str, arguments: &[(&'static str, f64)]) -> Result<(), CompatError> {
    arguments.iter().try_for_each(|&(argument, value)| {
        let all = (f64::MIN, f64::MAX);
        within(neuron, argument, value, all, "a finite number")
    })
}

/// A population with these parameters and this surrogate, if one was chosen.
fn population(
    model: &str,
    size: u64,
    parameters: &[(&str, f64)],
    surrogate: Option<&str>,
) -> Population {
    let mut population = Population::new(model, size);
    for &(name, value) in parameters {
        population = population.parameter(name, value);
    }
    match surrogate {
        Some(surrogate) => population.surrogate(surrogate),
        None => population,
    }
}
