//! Neuron types made from equations.

use std::sync::Arc;

use rheobase_equations::block::BlockProgram;
use rheobase_equations::expand::expand;
use rheobase_equations::gradient::Reverse;
use rheobase_equations::interpret::Interpreter;
use rheobase_equations::ir::{Program, Slot};
use rheobase_equations::lower::Component;
use rheobase_equations::native::{NativeComponent, NativeReverse, StepArgs, StepFn};
use rheobase_equations::real::{Precision, Real};
use rheobase_equations::unit::Unit;

use crate::port::{Kernel, NeuronPorts, NeuronType, Quantity};

/// A neuron type whose behaviour is a text of the component language.
///
/// It runs as compiled code where that was made from the very same program, else it is interpreted
/// in blocks; both give the same bits.
///
/// ```
/// use std::sync::Arc;
/// use rheobase_engine::neuron::EquationNeuron;
/// use rheobase_engine::port::NeuronType;
/// use rheobase_equations::{lower::lower, parse_one};
///
/// let text = "neuron leaky
///   parameter tau = 10 ms
///   dv/dt = -v/tau : mV
///   spike when v >= 1 mV, reset v = 0";
/// let component = lower(&Arc::new(parse_one(text, "leaky.rheo")?), None)?;
/// let neuron = EquationNeuron::new(component, None);
/// assert_eq!(neuron.ports().parameters[0].default, 10.0);
/// assert_eq!(neuron.kernel_f32().name(), "block");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct EquationNeuron {
    component: Component,
    ports: NeuronPorts,
    native: Option<NativeComponent>,
    /// The prologue and the initial values, expanded once for all neurons.
    prologue: Program,
    initial: Program,
}

/// Why a compiled component cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NativeError {
    /// Its text is refused.
    #[error(transparent)]
    Text(#[from] rheobase_equations::diagnostic::Diagnostics),
    /// Its text cannot be lowered.
    #[error(transparent)]
    Lower(#[from] rheobase_equations::lower::LowerError),
}

impl EquationNeuron {
    /// A neuron type from a lowered component. `native` is used if it was compiled from the same
    /// programs (its fingerprint tells), and ignored otherwise.
    #[must_use]
    pub fn new(component: Component, native: Option<NativeComponent>) -> Self {
        let native = native.filter(|n| n.fingerprint == component.fingerprint());
        let ports = ports(&component);
        let prologue = expand(&component.prologue, Precision::F64);
        let initial = expand(&component.initial, Precision::F64);
        Self {
            component,
            ports,
            native,
            prologue,
            initial,
        }
    }

    /// A neuron type from what `neuron!` made.
    ///
    /// # Errors
    /// If the text is refused, which `neuron!` would have found at compile time.
    pub fn from_native(native: NativeComponent) -> Result<Self, NativeError> {
        let model = rheobase_equations::parse_one(native.text, "neuron!")?;
        let component = rheobase_equations::lower::lower(&std::sync::Arc::new(model), None)?;
        Ok(Self::new(component, Some(native)))
    }

    /// Whether it runs as compiled code.
    #[must_use]
    pub fn is_native(&self) -> bool {
        self.native.is_some()
    }
}

fn ports(component: &Component) -> NeuronPorts {
    let model = &component.model;
    let port = |name: &str, doc: &str, unit: &Unit, default: f64| Quantity {
        name: name.to_owned(),
        doc: doc.to_owned(),
        unit: unit.clone(),
        default,
    };
    // For display: the initial values of a neuron with default parameters.
    let initial = component.initial_states(&component.default_parameters(), 0.1);
    let (n_uniforms, n_normals) = component.n_draws();
    NeuronPorts {
        parameters: model
            .parameters
            .iter()
            .map(|p| port(&p.name, &p.doc, &p.unit, p.default))
            .collect(),
        states: component
            .states
            .iter()
            .zip(initial)
            .enumerate()
            .map(|(i, (s, value))| {
                let doc = model.states.get(i).map_or("", |s| s.doc.as_str());
                port(&s.name, doc, &s.unit, value)
            })
            .collect(),
        inputs: model
            .inputs
            .iter()
            .map(|i| port(&i.name, &i.doc, &i.unit, 0.0))
            .collect(),
        outputs: model
            .outputs
            .iter()
            .map(|o| port(&o.name, "", &o.unit, 0.0))
            .collect(),
        n_uniforms,
        n_normals,
    }
}

impl NeuronType for EquationNeuron {
    fn ports(&self) -> &NeuronPorts {
        &self.ports
    }

    fn derive(&self, parameters: &[f64], dt_ms: f64) -> Vec<f64> {
        let mut derived = vec![0.0; self.component.n_derived];
        run(&self.prologue, parameters, dt_ms, |slot, value| {
            if let Slot::Derived(k) = slot {
                derived[k as usize] = value;
            }
        });
        derived
    }

    fn initial_states(&self, parameters: &[f64], dt_ms: f64) -> Vec<f64> {
        let mut states = vec![0.0; self.component.states.len()];
        run(&self.initial, parameters, dt_ms, |slot, value| {
            if let Slot::State(i) = slot {
                states[i as usize] = value;
            }
        });
        states
    }

    fn kernel_f32(&self) -> Box<dyn Kernel<f32>> {
        kernel(&self.component, self.native.map(|n| n.step_f32))
    }

    fn kernel_f64(&self) -> Box<dyn Kernel<f64>> {
        kernel(&self.component, self.native.map(|n| n.step_f64))
    }

    fn component(&self) -> Option<&Component> {
        Some(&self.component)
    }

    fn native_reverse(&self, reverse: &Reverse) -> Option<NativeReverse> {
        let native = self.native.and_then(|n| n.reverse)?;
        (native.fingerprint == reverse.fingerprint()).then_some(native)
    }

    fn with(&self, component: Component) -> Arc<dyn NeuronType> {
        Arc::new(Self::new(component, self.native))
    }
}

fn run(program: &Program, parameters: &[f64], dt_ms: f64, store: impl FnMut(Slot, f64)) {
    let load = |slot| match slot {
        Slot::Parameter(i) => parameters[i as usize],
        Slot::Dt => dt_ms,
        // Lowering puts nothing else into these programs.
        _ => f64::NAN,
    };
    Interpreter::new(program.clone()).run(load, store);
}

fn kernel<R: Real>(component: &Component, native: Option<StepFn<R>>) -> Box<dyn Kernel<R>> {
    match native {
        Some(step) => Box::new(NativeKernel(step)),
        None => Box::new(BlockKernel(BlockProgram::new(component))),
    }
}

struct NativeKernel<R>(StepFn<R>);

impl<R: Real> Kernel<R> for NativeKernel<R> {
    fn step(&mut self, args: &mut StepArgs<'_, R>) {
        (self.0)(args);
    }

    fn name(&self) -> &'static str {
        "native"
    }
}

struct BlockKernel<R: Real>(BlockProgram<R>);

impl<R: Real> Kernel<R> for BlockKernel<R> {
    fn step(&mut self, args: &mut StepArgs<'_, R>) {
        self.0.step(args);
    }

    fn name(&self) -> &'static str {
        "block"
    }
}
