//! A checked component description: what the parser and the dimension check hand to lowering.
//!
//! Expressions live in one arena of IR ops ([`Model::ops`]); fields name their roots. In an
//! expression, `Load(State(i))` means the value of the state *at the place where the expression
//! runs* (statements run in order), `Load(Previous(i))` its value at the start of the step,
//! `Load(Parameter(i))` a parameter in base units, `Load(Input(i))` the sum that arrived at an
//! input port in this step, `Load(Uniform(k))` and `Load(Normal(k))` random draws.
//! Subexpressions of the text (`x = …`) are already substituted.

use crate::ir::{Op, SurrogateId, Value};
use crate::unit::Unit;

/// What a component text describes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// A neuron: inputs, state, spikes.
    Neuron,
    /// An optimiser: how an element of a trained array moves along its gradient.
    Optimizer,
}

/// A checked component.
#[derive(Clone, Debug)]
pub struct Model {
    /// Neuron, synapse, ….
    pub kind: Kind,
    /// Name, as written after the kind.
    pub name: String,
    /// Documentation string; may be empty.
    pub doc: String,
    /// The text it was read from.
    pub text: String,
    /// Arena of expressions.
    pub ops: Vec<Op>,
    /// Options in declaration order, and what is chosen of them in this model.
    pub options: Vec<ModelOption>,
    /// Parameters in declaration order.
    pub parameters: Vec<Parameter>,
    /// State variables in declaration order.
    pub states: Vec<State>,
    /// Input ports in declaration order.
    pub inputs: Vec<Input>,
    /// Real-valued output ports in declaration order.
    pub outputs: Vec<Output>,
    /// Differential equations, at most one per state.
    pub equations: Vec<Equation>,
    /// Discrete updates, run in order after the equations (and after `before` inputs).
    pub updates: Vec<Assignment>,
    /// Threshold, reset and refractoriness.
    pub spike: Option<Spike>,
    /// The integrator named in the text; `Auto` if none.
    pub integrator: Integrator,
    /// Uniform draws per step.
    pub n_uniforms: u32,
    /// Normal draws per step.
    pub n_normals: u32,
}

/// A way to have the component that a network chooses: what is known before anything is built.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModelOption {
    /// Name.
    pub name: String,
    /// Documentation; may be empty.
    pub doc: String,
    /// What may be chosen, the default first; `true` and `false` for a switch.
    pub values: Vec<String>,
    /// Index of what is chosen.
    pub chosen: usize,
}

/// A parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Name.
    pub name: String,
    /// Documentation; may be empty.
    pub doc: String,
    /// The unit it was declared with; fixes the dimension and is used for display.
    pub unit: Unit,
    /// Default, in base units.
    pub default: f64,
    /// Declared `learnable`.
    pub learnable: bool,
    /// Declared `per neuron`: a different value for each neuron is expected. Any parameter may be
    /// given per neuron when a network is built; this is what the text asks for.
    pub per_neuron: bool,
    /// Inclusive bounds, in base units, if declared (`in [a, b]`).
    pub bounds: Option<(f64, f64)>,
}

/// A state variable.
#[derive(Clone, Debug)]
pub struct State {
    /// Name.
    pub name: String,
    /// Documentation; may be empty.
    pub doc: String,
    /// Unit for display; fixes the dimension.
    pub unit: Unit,
    /// Initial value: an expression of parameters.
    pub initial: Value,
}

/// When an input acts within a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InputTiming {
    /// Before integration and updates (charge → fire → reset).
    Before,
    /// After integration, before the threshold test (NEST's order).
    After,
}

/// An input port.
#[derive(Clone, Debug)]
pub struct Input {
    /// Name of the port.
    pub name: String,
    /// Documentation; may be empty.
    pub doc: String,
    /// Unit of what arrives (of the weights of projections onto this port).
    pub unit: Unit,
    /// When it acts.
    pub timing: InputTiming,
    /// Dropped while refractory (`unless refractory`) instead of kept.
    pub unless_refractory: bool,
    /// Assignments run, in order, when the input acts; each may read `Load(Input(i))`. Empty for an
    /// input that equations and updates read by name.
    pub effects: Vec<Assignment>,
}

/// A real-valued output, evaluated after the threshold test and before the reset.
#[derive(Clone, Debug)]
pub struct Output {
    /// Name of the port.
    pub name: String,
    /// Unit.
    pub unit: Unit,
    /// Its value.
    pub value: Value,
}

/// `state = value`, the value in terms of current states.
#[derive(Clone, Copy, Debug)]
pub struct Assignment {
    /// Index of the state.
    pub state: u32,
    /// The new value.
    pub value: Value,
    /// Skipped while refractory.
    pub unless_refractory: bool,
}

/// `dstate/dt = rate`.
#[derive(Clone, Copy, Debug)]
pub struct Equation {
    /// Index of the state.
    pub state: u32,
    /// The right-hand side, per ms.
    pub rate: Value,
    /// The state is held while refractory.
    pub unless_refractory: bool,
}

/// Threshold, reset and refractoriness.
#[derive(Clone, Debug)]
pub struct Spike {
    /// Fires where this is ≥ 0 (> 0 if `strict`): `v >= v_th` gives `v − v_th`. `None` where the
    /// condition holds no comparison of floats; then there is no gradient.
    pub margin: Option<Value>,
    /// `>` instead of `>=`.
    pub strict: bool,
    /// A further bool that must hold.
    pub guard: Option<Value>,
    /// Surrogate of the derivative, and its shape arguments.
    pub surrogate: SurrogateId,
    /// Shape arguments of the surrogate.
    pub surrogate_arguments: Vec<Value>,
    /// Assignments at a spike, run in order.
    pub reset: Vec<Assignment>,
    /// Assignments of every step, run in order after the reset. In them, `Load(Spike)` is 1 where
    /// the component fired, else 0.
    pub then: Vec<Assignment>,
    /// No gradient through the spike in the reset.
    pub detach_reset: bool,
    /// Refractory time \[ms\], an expression of parameters.
    pub refractory: Option<Value>,
}

/// How differential equations are advanced over a step.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Integrator {
    /// `Exact` where the equations are linear with constant coefficients, else `ExponentialEuler`
    /// where each is linear in its own variable, else `RungeKutta4`.
    #[default]
    Auto,
    /// Matrix exponential of the linear system.
    Exact,
    /// Per variable x' = a·x + b with a, b frozen at the start of the step; variables that decay by
    /// themselves count with their mean over it.
    ExponentialEuler,
    /// Forward Euler.
    Euler,
    /// Heun's second-order method (explicit trapezoid).
    Heun,
    /// Classical fourth-order Runge–Kutta.
    #[serde(rename = "rk4")]
    RungeKutta4,
}

impl Integrator {
    /// The name used in texts and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Exact => "exact",
            Self::ExponentialEuler => "exponential_euler",
            Self::Euler => "euler",
            Self::Heun => "heun",
            Self::RungeKutta4 => "rk4",
        }
    }

    /// Every integrator.
    pub const ALL: [Self; 6] = [
        Self::Auto,
        Self::Exact,
        Self::ExponentialEuler,
        Self::Euler,
        Self::Heun,
        Self::RungeKutta4,
    ];

    /// The integrator of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|i| i.name() == name)
    }
}
