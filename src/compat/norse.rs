//! Norse 1.1.0.

use rheobase_engine::network::Population;

use super::{CompatError, Conventions, Decay, Reset, ResetTime, Test, finite, population};

/// Norse 1.1.0: v > v_th; hard reset at once, not detached; forward Euler in steps of 1 ms; SuperSpike,
/// 1/(1 + |x|)²: its α = 100 has no part in that.
#[must_use]
pub fn norse() -> Conventions {
    Conventions {
        framework: "Norse 1.1.0",
        test: Test::Above,
        reset: Reset::Hard,
        reset_time: ResetTime::SameStep,
        gradient_through_reset: true,
        decay: Decay::Euler,
        decays_input: true,
        surrogate: "inv_square(1)",
        threshold: 1.0,
        dt_ms: Some(1.0),
    }
}

/// `LIFCell` with its `LIFParameters`: i ← i + x, v ← v + dt·tau_mem_inv·(v_leak − v + i),
/// i ← i − dt·tau_syn_inv·i.
///
/// The state `c` of the population is dt·tau_mem_inv·i before the current decays.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LifCell {
    /// 1/τ of the synaptic current \[1/s\] (default 200).
    pub tau_syn_inv: f64,
    /// 1/τ of the membrane \[1/s\] (default 100).
    pub tau_mem_inv: f64,
    /// Where the membrane decays to (default 0).
    pub v_leak: f64,
    /// Threshold (default 1).
    pub v_th: f64,
    /// Value after a spike (default 0).
    pub v_reset: f64,
    /// Length of a step \[s\] (default 0.001).
    pub dt: f64,
}

impl Default for LifCell {
    fn default() -> Self {
        Self {
            tau_syn_inv: 200.0,
            tau_mem_inv: 100.0,
            v_leak: 0.0,
            v_th: 1.0,
            v_reset: 0.0,
            dt: 0.001,
        }
    }
}

impl LifCell {
    /// `size` neurons of the type `cuba_lif`, for steps of `dt`.
    ///
    /// # Errors
    /// A number that is not finite, or dt·tau_inv outside 0 to 1, where the Euler method
    /// overshoots.
    pub fn population(&self, size: u64) -> Result<Population, CompatError> {
        let node = "LIFCell";
        let expected = "a rate that times dt is 0 to 1";
        let (syn, mem) = (self.dt * self.tau_syn_inv, self.dt * self.tau_mem_inv);
        for (argument, value, share) in [
            ("tau_syn_inv", self.tau_syn_inv, syn),
            ("tau_mem_inv", self.tau_mem_inv, mem),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return Err(CompatError::Argument {
                    neuron: node,
                    argument,
                    value,
                    expected,
                });
            }
        }
        let parameters = [
            ("c_decay", 1.0 - syn),
            ("v_decay", 1.0 - mem),
            ("gain", mem),
            ("v_rest", self.v_leak),
            ("v_threshold", self.v_th),
            ("v_reset", self.v_reset),
        ];
        finite(node, &parameters)?;
        let population = population("cuba_lif", size, &parameters, Some("inv_square(1)"));
        Ok(population
            .option("strict", "true")
            .initial("v", self.v_leak))
    }
}
