//! The components under test: closed form, discrete updates, Runge–Kutta, transcendental functions,
//! random draws, outputs.

use std::sync::Arc;

use rheobase_equations::lower::{Component, lower};
use rheobase_equations::native::NativeComponent;
use rheobase_equations::parse_one;
use rheobase_equations_macros::neuron;

pub(crate) const IAF: NativeComponent = neuron!(
    r#"neuron iaf_psc_exp "Leaky integrate-and-fire, exponential synaptic currents"
         parameter tau_m = 10 ms, c_m = 250 pF, e_l = -65 mV, v_th = -50 mV, v_reset = -65 mV
         parameter tau_ex = 0.5 ms, tau_in = 0.5 ms, t_ref = 2 ms, i_e = 0 pA
         dv/dt    = (e_l - v)/tau_m + (i_ex + i_in + i_e)/c_m : mV = e_l (unless refractory)
         di_ex/dt = -i_ex/tau_ex : pA
         di_in/dt = -i_in/tau_in : pA
         input ex(w : pA): i_ex += w
         input in(w : pA): i_in += w
         spike when v >= v_th, reset v = v_reset, refractory t_ref"#
);

pub(crate) const LIF: NativeComponent = neuron!(
    "neuron lif
       parameter tau = 2, v_threshold = 1, v_reset = 0
       input x : 1
       state v = v_reset : 1
       update v = v + (x - (v - v_reset))/tau
       spike when v >= v_threshold, reset v = v_reset, surrogate atan(2)"
);

pub(crate) const IZHIKEVICH: NativeComponent = neuron!(
    "neuron izhikevich
       parameter a = 0.02/(1 ms), b = 0.2, c = -65 mV, d = 8 mV, v_peak = 30 mV
       input current : mV/ms
       dv/dt = (0.04*v*v/(1 mV) + 5*v + 140 mV - u)/(1 ms) + current : mV = -65 mV
       du/dt = a*(b*v - u) : mV = b*(-65 mV)
       input ex(w : mV): v += w
       spike when v >= v_peak, reset v = c, u += d"
);

/// From a file, under another root.
pub(crate) const ADEX: NativeComponent = neuron!(
    crate = crate::zoo::elsewhere,
    file = "tests/models/adex.rheo"
);

pub(crate) mod elsewhere {
    pub(crate) use rheobase_equations as equations;
}

pub(crate) static NOISY: NativeComponent = neuron!(
    "neuron noisy
       parameter tau = 5 ms, sigma = 0.3, gain = 1.7 per neuron
       dx/dt = -x/tau : 1 = 0
       state k : 1
       update x = x + sigma*normal()*sqrt(dt/tau) + 0.01*uniform()
       update k = floor(10*x) + select(x crosses 0.2, 1, 0)*abs(x)
       input in(w : 1): x += w/(1 + abs(w))
       output waves = sin(gain*x) + cos(3*x)*tanh(x) + erf(x) : 1
       output power = (abs(x) + 0.1)^1.5 + ln(1.5 + x*x) - sigmoid(x) + max(x, k) : 1
       spike when x > 0.4 and not (k < -50) or uniform() < 0.01, reset x = -x/2, k *= 0.5"
);

/// Every component, with its name.
pub(crate) fn all() -> [(&'static str, NativeComponent); 5] {
    [
        ("iaf_psc_exp", IAF),
        ("lif", LIF),
        ("izhikevich", IZHIKEVICH),
        ("adex", ADEX),
        ("noisy", NOISY),
    ]
}

/// The component lowered at run time from the text the native one holds.
pub(crate) fn lowered(native: &NativeComponent) -> Component {
    let model = parse_one(native.text, "text of a native component").expect("it compiled");
    lower(&Arc::new(model), None).expect("it compiled")
}
