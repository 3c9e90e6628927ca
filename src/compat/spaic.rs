//! SPAIC 0.6.3.

use rheobase_engine::network::Population;

use super::{CompatError, Conventions, Decay, Reset, ResetTime, Test, finite, population, within};

/// SPAIC 0.6.3: v > v_th; a spike of clif leaves a potential that holds the neuron back; decays are exact
/// in steps of 0.1 ms; STCA's derivative, 1 within 0.5 of the threshold.
#[must_use]
pub fn spaic() -> Conventions {
    Conventions {
        framework: "SPAIC 0.6.3",
        test: Test::Above,
        reset: Reset::None,
        reset_time: ResetTime::Never,
        gradient_through_reset: true,
        decay: Decay::Exponential,
        decays_input: false,
        surrogate: "rect(1)",
        threshold: 1.0,
        dt_ms: Some(0.1),
    }
}

/// `clif`: M = e^(−dt/τp)·M + V0·I, S = e^(−dt/τq)·S + V0·I, V = M − S − E,
/// E ← e^(−dt/τm)·E + v_th·O.
#[derive(Clone, PartialEq, Debug)]
pub struct Clif {
    /// `tau_p` \[ms\] (default 12): decay of a potential.
    pub tau_p: f64,
    /// `tau_q` \[ms\] (default 8): its rise.
    pub tau_q: f64,
    /// `tau_m` \[ms\] (default 20): decay of what a spike leaves.
    pub tau_m: f64,
    /// Threshold (default 1).
    pub v_th: f64,
    /// Factor of the input (default 1). SPAIC makes it 6.75, which makes the peak of a potential 1, but
    /// each run clamps it to 1; [`Clif::normalised`] gives the former.
    pub v0: f64,
    /// Surrogate (default `rect(1)`: STCA with α = 0.5).
    pub surrogate: String,
}

impl Default for Clif {
    fn default() -> Self {
        Self {
            tau_p: 12.0,
            tau_q: 8.0,
            tau_m: 20.0,
            v_th: 1.0,
            v0: 1.0,
            surrogate: spaic().surrogate.to_owned(),
        }
    }
}

impl Clif {
    /// With the factor that makes the peak of a potential 1: β^(β/(β − 1))/(β − 1), β = τp/τq.
    ///
    /// # Errors
    /// Unless τp > τq > 0.
    pub fn normalised(mut self) -> Result<Self, CompatError> {
        let beta = self.tau_p / self.tau_q;
        let bounds = (1.0_f64.next_up(), f64::MAX);
        within("clif", "tau_p/tau_q", beta, bounds, "more than 1")?;
        self.v0 = libm::exp(libm::log(beta) * beta / (beta - 1.0)) / (beta - 1.0);
        Ok(self)
    }

    /// `size` neurons of the type `psp_lif`.
    ///
    /// # Errors
    /// A number that is not finite, or a time constant of 0 or less.
    pub fn population(&self, size: u64) -> Result<Population, CompatError> {
        let times = [
            ("tau_p", self.tau_p),
            ("tau_q", self.tau_q),
            ("tau_m", self.tau_m),
        ];
        for (argument, value) in times {
            let bounds = (f64::MIN_POSITIVE, f64::MAX);
            within("clif", argument, value, bounds, "a time above 0")?;
        }
        let parameters = [("gain", self.v0), ("v_threshold", self.v_th)];
        finite("clif", &parameters)?;
        let ms = |time: f64| format!("{time} ms");
        Ok(
            population("psp_lif", size, &parameters, Some(&self.surrogate))
                .parameter("tau_m", ms(self.tau_p))
                .parameter("tau_s", ms(self.tau_q))
                .parameter("tau_r", ms(self.tau_m)),
        )
    }
}
