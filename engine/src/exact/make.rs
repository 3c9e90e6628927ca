//! From a component and its parameters to its [`Flow`].

use rheobase_equations::events::{EventPrograms, NotEvents};
use rheobase_equations::linear_system::{LinearModel, NotLinear};
use rheobase_equations::lower::Component;
use rheobase_equations::quadratic::QuadraticModel;
use thiserror::Error;

use super::adaptive::AdaptiveFlow;
use super::flow::Flow;
use super::linear::{LinearFlow, MAX_STATES};
use super::quadratic::QuadraticFlow;

/// Why a neuron cannot run in continuous time.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum NotExact {
    /// No closed form.
    #[error(
        "the neuron `{neuron}` has no closed form between events: {reason}; \
         take `time = \"adaptive\"` (Runge-Kutta steps with event location) or `time = \"grid\"`"
    )]
    NotClosed {
        /// Its name.
        neuron: String,
        /// What is not closed.
        reason: NotLinear,
    },
    /// Not even equations, events and a threshold.
    #[error(
        "the neuron `{neuron}` cannot run in continuous time: {reason}; take `time = \"grid\"`"
    )]
    NotEvents {
        /// Its name.
        neuron: String,
        /// What acts otherwise.
        reason: NotEvents,
    },
    /// Too many states.
    #[error(
        "a neuron of {0} states is too large for continuous time, which takes at most \
         {MAX_STATES}; take `time = \"grid\"`"
    )]
    TooManyStates(usize),
    /// The error allowed for a step makes no sense.
    #[error("the tolerance {0} of adaptive time is not within 1e-14 and 0.01")]
    Tolerance(String),
    /// Parameters lead to coefficients that are no numbers.
    #[error(
        "the parameters of the neuron give a coefficient that is not finite; \
         look for a time constant, a capacitance or another divisor that is 0"
    )]
    NotFinite,
}

/// The flow of `component` with one set of parameters (base units): linear, else quadratic. With a
/// tolerance in `adaptive`, by Runge-Kutta steps of that relative error
/// ([`DEFAULT_TOLERANCE`](super::adaptive::DEFAULT_TOLERANCE) is a good one), whatever the equations.
///
/// # Errors
/// [`NotExact`] says what does not fit, and what to do.
pub fn flow(
    component: &Component,
    parameters: &[f64],
    adaptive: Option<f64>,
) -> Result<Box<dyn Flow>, NotExact> {
    let neuron = || component.model.name.clone();
    if let Some(tolerance) = adaptive {
        let programs = EventPrograms::of(component).map_err(|reason| NotExact::NotEvents {
            neuron: neuron(),
            reason,
        })?;
        let flow = AdaptiveFlow::new(&programs, parameters, tolerance)?;
        return Ok(Box::new(flow));
    }
    let reason = match LinearModel::analyse(component) {
        Ok(model) => return Ok(Box::new(LinearFlow::new(&model.at(parameters))?)),
        Err(reason) => reason,
    };
    let Ok(model) = QuadraticModel::analyse(component) else {
        return Err(NotExact::NotClosed {
            neuron: neuron(),
            reason,
        });
    };
    let system = model.at(parameters);
    // With these parameters it may be linear after all.
    if system.square == 0.0 {
        return Ok(Box::new(LinearFlow::new(&system.linear)?));
    }
    Ok(Box::new(QuadraticFlow::new(&system)?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rheobase_equations::lower::lower;
    use rheobase_equations::parse_one;

    use super::*;

    fn refusal(body: &str, adaptive: Option<f64>) -> String {
        let model = parse_one(&format!("neuron x\n {body}"), "test").unwrap();
        let component = lower(&Arc::new(model), None).unwrap();
        flow(&component, &[], adaptive).err().unwrap().to_string()
    }

    const CUBIC: &str = "dv/dt = v*v*v/(1 mV*mV*ms) : mV\n spike when v >= 1 mV, reset v = 0";

    #[test]
    fn refusals_name_the_reason_and_the_way_out() {
        let message = refusal(CUBIC, None);
        for expected in [
            "`x`",
            "the equation of `v` is not linear",
            "`time = \"adaptive\"`",
        ] {
            assert!(message.contains(expected), "{message}");
        }
        let noisy = "dv/dt = normal()*(1 mV/ms) : mV\n spike when v >= 1 mV, reset v = 0";
        let message = refusal(noisy, Some(1e-9));
        for expected in ["draws random numbers", "`time = \"grid\"`"] {
            assert!(message.contains(expected), "{message}");
        }
        assert!(refusal(CUBIC, Some(0.5)).contains("tolerance 0.5"));
        let divided = "dv/dt = -v/(0*(1 ms)) : mV\n spike when v >= 1 mV, reset v = 0";
        assert!(refusal(divided, None).contains("not finite"));
    }

    #[test]
    fn a_quadratic_neuron_without_its_square_is_linear() {
        let text = "neuron x
           parameter k = 0/(1 mV*ms)
           dv/dt = k*v*v + 2 mV/ms : mV
           spike when v >= 1 mV, reset v = 0";
        let component = lower(&Arc::new(parse_one(text, "test").unwrap()), None).unwrap();
        for k in [0.0, 1e-9] {
            let mut flow = flow(&component, &[k], None).unwrap();
            let after = flow.next_crossing(&[0.0], f64::INFINITY).after_ms.unwrap();
            assert!((after - 0.5).abs() < 1e-9, "{after}");
        }
    }
}
