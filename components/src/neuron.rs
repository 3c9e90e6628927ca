//! Neurons: one `.rheo` text each, which holds its documentation and its equations.

use std::sync::Arc;

use rheobase_engine::neuron::EquationNeuron;
use rheobase_engine::port::Registry;
use rheobase_equations::choice::{ChoiceError, Choices};
use rheobase_equations::lower::{LowerError, lower};
use rheobase_equations::native::NativeComponent;
use rheobase_equations::parse_one;
use rheobase_equations_macros::neuron;

/// What expansions of `neuron!` refer to.
mod root {
    pub(super) use rheobase_equations as equations;
}

/// Compiles each text.
macro_rules! zoo {
    ($($name:ident = $file:tt,)*) => {
        /// Every neuron of this crate, in the order of `rheobase models`.
        const ZOO: &[(&str, NativeComponent)] =
            &[$((stringify!($name), neuron!(crate = crate::neuron::root, file = $file))),*];
    };
}

zoo! {
    if = "src/neuron/if.rheo",
    lif = "src/neuron/lif.rheo",
    plif = "src/neuron/plif.rheo",
    qif = "src/neuron/qif.rheo",
    eif = "src/neuron/eif.rheo",
    izhikevich_discrete = "src/neuron/izhikevich_discrete.rheo",
    klif = "src/neuron/klif.rheo",
    liaf = "src/neuron/liaf.rheo",
    clif = "src/neuron/clif.rheo",
    cuba_lif = "src/neuron/cuba_lif.rheo",
    gated_lif = "src/neuron/gated_lif.rheo",
    alif = "src/neuron/alif.rheo",
    leaky_readout = "src/neuron/leaky_readout.rheo",
    leaky = "src/neuron/leaky.rheo",
    synaptic = "src/neuron/synaptic.rheo",
    psp_lif = "src/neuron/psp_lif.rheo",
    iaf_psc_delta = "src/neuron/iaf_psc_delta.rheo",
    iaf_psc_exp = "src/neuron/iaf_psc_exp.rheo",
    iaf_psc_alpha = "src/neuron/iaf_psc_alpha.rheo",
    iaf_cond_exp = "src/neuron/iaf_cond_exp.rheo",
    izhikevich = "src/neuron/izhikevich.rheo",
}

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

/// Why a neuron cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NeuronError {
    /// There is none of that name.
    #[error("unknown neuron `{0}`")]
    Unknown(String),
    /// It cannot be had that way.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// Its equations cannot be advanced with these options.
    #[error(transparent)]
    Lower(#[from] LowerError),
}

/// The neuron of that name, with these options and this surrogate. It runs as compiled code where
/// its step is that of the default options: surrogates and detached resets leave a step as it is.
///
/// ```
/// use rheobase_components::neuron;
/// use rheobase_equations::choice::Choices;
///
/// let detached = Choices::new().option("detach_reset", "true").surrogate("erf(2)");
/// assert!(neuron("lif", &detached)?.is_native());
/// let soft = neuron("lif", &Choices::new().option("soft_reset", "true"))?;
/// assert!(!soft.is_native());
/// let wrong = neuron("lif", &Choices::new().option("soft_rest", "true"));
/// assert!(wrong.unwrap_err().to_string().contains("did you mean `soft_reset`?"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// An unknown neuron, option, value or surrogate.
///
/// # Panics
/// Never: each text has been parsed when this crate was compiled.
#[allow(clippy::expect_used, reason = "the texts have been compiled")]
pub fn neuron(name: &str, choices: &Choices) -> Result<EquationNeuron, NeuronError> {
    let native = ZOO
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, native)| native);
    let native = native.ok_or_else(|| NeuronError::Unknown(name.to_owned()))?;
    let model = parse_one(native.text, name).expect("a compiled text parses");
    let component = lower(&Arc::new(model.choose(choices)?), None)?;
    Ok(EquationNeuron::new(component, Some(*native)))
}

/// Adds every neuron of this room.
///
/// # Panics
/// Never: each text has been parsed and lowered when this crate was compiled.
#[allow(clippy::expect_used, reason = "the texts have been compiled")]
pub(crate) fn register(registry: &mut Registry) {
    for (name, native) in ZOO {
        let model = parse_one(native.text, name).expect("a compiled text parses");
        let component = lower(&Arc::new(model), None).expect("a compiled text lowers");
        let neuron = EquationNeuron::new(component, Some(*native));
        registry
            .neurons
            .insert((*name).to_owned(), Arc::new(neuron));
    }
}
