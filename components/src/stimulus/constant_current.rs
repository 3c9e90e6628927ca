//! A constant input, the same for every neuron.
//!
//! # Equations
//! In every step `amplitude` is added to the port.
//!
//! # Update scheme
//! One addition per neuron and step.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `amplitude` | that of the port | required | – |
//!
//! # State
//! None.
//!
//! # Shapes
//! Any population.
//!
//! # Semantics
//! Meant for ports that the equations read by name, such as `current` of `izhikevich` or `x` of
//! `lif`: there the amplitude acts throughout the step, whatever its length. At a port where an
//! arriving value makes a jump (`ex`, `in`, `delta`) it is one more event of that size in every step,
//! so that its effect grows as steps get shorter; the neurons with such ports have a parameter `i_e`
//! for a constant current.
//!
//! # Errors
//! None.
//!
//! # Source
//! `dc_generator` of NEST 3.10, without its delay.
//!
//! # Example
//! ```
//! use rheobase_engine::port::{StimulusContext, StimulusType};
//! use rheobase_engine::random::{Philox, Purpose};
//! use rheobase_equations::unit::parse_unit;
//!
//! let drive = rheobase_components::stimulus(
//!     "constant_current",
//!     &[("amplitude", "0.2 nA".into())],
//!     Some(parse_unit("pA")?),
//! )?;
//! let StimulusType::Drive(drive) = drive else { panic!() };
//! let stream = Philox::new(1, Purpose::Stimulus, 0);
//! let mut port = [1.0];
//! let context = StimulusContext { dt_ms: 0.1, stream, size: 1 };
//! drive.instantiate_f64(context).drive(1, 0, &mut port);
//! assert_eq!(port, [201.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::port::{DeviceDrive, Drive, DriveType, Entry, StimulusContext, StimulusType};
use rheobase_equations::real::Real;

pub(super) const ENTRY: Entry<StimulusType> = Entry {
    summary: "a constant input, the same for every neuron",
    arguments: &[ArgumentSpec {
        name: "amplitude",
        kind: ArgumentKind::PortQuantity,
        default: None,
        doc: "what is added to the port in every step",
    }],
    make,
};

struct ConstantCurrent {
    amplitude: f64,
}

fn make(arguments: &Arguments) -> Result<StimulusType, ArgumentError> {
    let amplitude = arguments.port_quantity("amplitude")?;
    Ok(StimulusType::Drive(Arc::new(ConstantCurrent { amplitude })))
}

impl DriveType for ConstantCurrent {
    fn instantiate_f32(&self, _: StimulusContext) -> Box<dyn Drive<f32>> {
        Box::new(Amplitude(f32::from_f64(self.amplitude)))
    }

    fn instantiate_f64(&self, _: StimulusContext) -> Box<dyn Drive<f64>> {
        Box::new(Amplitude(self.amplitude))
    }

    fn on_device(&self, _: StimulusContext) -> Option<DeviceDrive> {
        Some(DeviceDrive::Constant(self.amplitude))
    }
}

struct Amplitude<R>(R);

impl<R: Real> Drive<R> for Amplitude<R> {
    fn drive(&mut self, _: u64, _: u32, input: &mut [R]) {
        for x in input {
            *x += self.0;
        }
    }
}
