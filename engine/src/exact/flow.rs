//! What a neuron does between events, in continuous time.

/// When a neuron will fire if nothing else arrives.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Crossing {
    /// Time from now \[ms\], ≥ 0; `None` if it does not fire within the horizon.
    pub after_ms: Option<f64>,
    /// A peak came within 1e-12 (relative) of the threshold: the decision could have gone either way.
    pub grazing: bool,
}

/// The dynamics of a neuron with one set of parameters. States are in the order of the component's
/// model, without a refractory counter: whoever drives the neuron keeps track of refractoriness.
pub trait Flow: Send {
    /// Number of states.
    fn n_states(&self) -> usize;

    /// Advances `states` by `elapsed_ms` ≥ 0 without events. While refractory, held states stand
    /// still.
    fn advance(&mut self, states: &mut [f64], elapsed_ms: f64, refractory: bool);

    /// The first time in `0 ..= horizon_ms` at which the neuron fires if nothing arrives; 0 if it is
    /// at or above threshold now. The horizon may be infinite. Not refractory.
    fn next_crossing(&mut self, states: &[f64], horizon_ms: f64) -> Crossing;

    /// A time from now in which it certainly does not fire if nothing arrives \[ms\]; 0 where none is
    /// known. Costs much less than [`Self::next_crossing`]. Not refractory.
    fn quiet_ms(&self, _states: &[f64]) -> f64 {
        0.0
    }

    /// Whether the neuron is at or above its threshold.
    fn fires(&self, states: &[f64]) -> bool;

    /// Lets what arrived at `port` at this moment act.
    fn input(&self, states: &mut [f64], port: usize, weight: f64, refractory: bool);

    /// What a spike does to the states.
    fn reset(&self, states: &mut [f64]);

    /// Refractory time \[ms\]; 0 if there is none.
    fn refractory_ms(&self) -> f64;
}
