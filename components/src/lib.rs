//! The zoo of Rheobase: neurons, layers, stimuli, connectivity rules.
//!
//! What lives here: one file per component, each with its equations and its documentation under the
//! same headings, and one registry line in the module above it. A neuron is a `.rheo` text in
//! `neuron/`; every kernel comes from that text.
//!
//! What may not: threads, files, clocks; anything that knows which backend runs.
//!
//! ```
//! let registry = rheobase_components::registry();
//! assert!(registry.neurons.contains_key("iaf_psc_exp"));
//! assert!(registry.rules.contains_key("pairwise_bernoulli"));
//! assert!(registry.stimuli.contains_key("poisson"));
//! assert!(registry.layers.contains_key("linear"));
//! ```

#![cfg_attr(
    test,
    allow(clippy::print_stdout, reason = "tests print the statistics they judge")
)]

mod connectivity;
mod layer;
mod make;
mod neuron;
mod stimulus;

use rheobase_engine::port::Registry;

pub use layer::{FoldError, Norm, fold_batch_norm};
pub use make::{MakeError, layer, rule, stimulus};
pub use neuron::{NeuronError, neuron, neuron_text};

/// Every component of this crate, by name.
#[must_use]
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    neuron::register(&mut registry);
    connectivity::register(&mut registry);
    stimulus::register(&mut registry);
    layer::register(&mut registry);
    registry
}
