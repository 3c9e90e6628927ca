//! Stimuli: nodes that emit spikes, and drives that act on an input port.
//!
//! Every draw is a word of a Philox stream counted by (neuron, step): what a neuron receives does
//! not depend on shards, threads or on which steps were asked for before.

mod constant_current;
mod poisson;
mod poisson_background;
mod sampler;
mod spike_times;

use rheobase_engine::port::Registry;

/// Adds every stimulus of this room.
pub(crate) fn register(registry: &mut Registry) {
    let stimuli = [
        ("poisson_background", poisson_background::ENTRY),
        ("poisson", poisson::ENTRY),
        ("spike_times", spike_times::ENTRY),
        ("constant_current", constant_current::ENTRY),
    ];
    registry
        .stimuli
        .extend(stimuli.map(|(name, entry)| (name.to_owned(), entry)));
}

#[cfg(test)]
mod tests;
