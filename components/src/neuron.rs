//! Neurons: one `.rheo` text each, which holds its documentation and its equations.

use std::sync::Arc;

use rheobase_engine::neuron::EquationNeuron;
use rheobase_engine::port::Registry;
// `neuron!` looks for the equations crate by this name.
use rheobase_equations as equations;
use rheobase_equations::native::NativeComponent;
use rheobase_equations_macros::neuron;

/// The neurons, compiled from their texts, in the order of `rheobase models`.
const ZOO: [(&str, NativeComponent); 6] = [
    ("lif", neuron!(crate = self, file = "src/neuron/lif.rheo")),
    (
        "iaf_psc_delta",
        neuron!(crate = self, file = "src/neuron/iaf_psc_delta.rheo"),
    ),
    (
        "iaf_psc_exp",
        neuron!(crate = self, file = "src/neuron/iaf_psc_exp.rheo"),
    ),
    (
        "iaf_psc_alpha",
        neuron!(crate = self, file = "src/neuron/iaf_psc_alpha.rheo"),
    ),
    (
        "iaf_cond_exp",
        neuron!(crate = self, file = "src/neuron/iaf_cond_exp.rheo"),
    ),
    (
        "izhikevich",
        neuron!(crate = self, file = "src/neuron/izhikevich.rheo"),
    ),
];

/// The text of a neuron: its documentation, as comments, and its equations.
///
/// ```
/// let text = rheobase_components::neuron_text("lif").unwrap();
/// assert!(text.contains("spike when v >= v_threshold"));
/// assert!(rheobase_components::neuron_text("lfi").is_none());
/// ```
#[must_use]
pub fn neuron_text(name: &str) -> Option<&'static str> {
    ZOO.iter()
        .find(|(n, _)| *n == name)
        .map(|(_, native)| native.text)
}

/// Adds every neuron of this room.
///
/// # Panics
/// If a text of this crate is wrong; tests read them all.
#[allow(clippy::expect_used, reason = "the texts are part of this crate")]
pub(crate) fn register(registry: &mut Registry) {
    for (name, native) in ZOO {
        let neuron = EquationNeuron::from_native(native).expect("a text of the zoo lowers");
        registry.neurons.insert(name.to_owned(), Arc::new(neuron));
    }
}
