//! Neurons: one `.rheo` text each, which holds its documentation and its equations.

use std::sync::Arc;

use rheobase_engine::neuron::EquationNeuron;
use rheobase_engine::port::Registry;
use rheobase_equations::lower::lower;
use rheobase_equations::parse_one;

/// The texts, in the order of `rheobase models`.
const ZOO: [(&str, &str); 6] = [
    ("lif", include_str!("neuron/lif.rheo")),
    ("iaf_psc_delta", include_str!("neuron/iaf_psc_delta.rheo")),
    ("iaf_psc_exp", include_str!("neuron/iaf_psc_exp.rheo")),
    ("iaf_psc_alpha", include_str!("neuron/iaf_psc_alpha.rheo")),
    ("iaf_cond_exp", include_str!("neuron/iaf_cond_exp.rheo")),
    ("izhikevich", include_str!("neuron/izhikevich.rheo")),
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
    ZOO.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// Adds every neuron of this room.
///
/// # Panics
/// If a text of this crate is wrong; tests read them all.
#[allow(clippy::expect_used, reason = "the texts are part of this crate")]
pub(crate) fn register(registry: &mut Registry) {
    for (name, text) in ZOO {
        let model = parse_one(text, name).expect("a text of the zoo parses");
        let component = lower(&Arc::new(model), None).expect("a text of the zoo lowers");
        let neuron = EquationNeuron::new(component, None);
        registry.neurons.insert(name.to_owned(), Arc::new(neuron));
    }
}
