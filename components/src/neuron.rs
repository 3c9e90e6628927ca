//! Neurons: one `.rheo` text each, which holds its documentation and its equations.

use std::sync::Arc;

use rheobase_engine::neuron::EquationNeuron;
use rheobase_engine::port::Registry;
use rheobase_equations::lower::lower;
use rheobase_equations::native::NativeComponent;
use rheobase_equations_macros::neuron;

/// Compiles each text and puts it into a list.
macro_rules! zoo {
    ($($file:tt,)*) => {
        /// Every neuron of this crate, compiled; in the order of `rheobase models`.
        static ZOO: &[NativeComponent] = &[$(neuron!(file = $file)),*];
    };
}

zoo! {
    "src/neuron/lif.rheo",
    "src/neuron/iaf_psc_delta.rheo",
    "src/neuron/iaf_psc_exp.rheo",
    "src/neuron/iaf_psc_alpha.rheo",
    "src/neuron/iaf_cond_exp.rheo",
    "src/neuron/izhikevich.rheo",
}
