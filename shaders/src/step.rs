//! One step of a population as a kernel.

use rheobase_equations::ir::{Program, Slot, Type};
use rheobase_equations::lower::Component;
use rheobase_equations::native::prepare::SpikeAs;
use rheobase_equations::real::Precision;

use crate::body::{self, Memory};
use crate::error::EmitError;
use crate::guard::Contraction;
use crate::module::{
    Access, Assembly, Element, Entry, MAX_PLACES, Role, ShaderModule, UniformLayout,
};

/// How many arrays of each kind a step works on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StepShape {
    /// Names of the state variables.
    pub states: Vec<String>,
    /// Names of the input ports.
    pub inputs: Vec<String>,
    /// Number of derived quantities.
    pub n_derived: usize,
    /// Uniform draws per step.
    pub n_uniforms: usize,
    /// Normal draws per step.
    pub n_normals: usize,
    /// Names of the real-valued outputs.
    pub outputs: Vec<String>,
}

impl StepShape {
    /// The arrays of a component.
    #[must_use]
    pub fn of(component: &Component) -> Self {
        let (n_uniforms, n_normals) = component.n_draws();
        let model = &component.model;
        Self {
            states: component.states.iter().map(|s| s.name.clone()).collect(),
            inputs: model.inputs.iter().map(|i| i.name.clone()).collect(),
            n_derived: component.n_derived,
            n_uniforms,
            n_normals,
            outputs: model.outputs.iter().map(|o| o.name.clone()).collect(),
        }
    }
}

/// The kernel that advances a population of `component` by one step, under the contract of
/// `rheobase_equations::native::StepArgs`.
///
/// # Errors
/// If the step holds something a shader cannot do, such as a constant beyond f32.
pub fn emit_step(
    component: &Component,
    contraction: Contraction,
) -> Result<ShaderModule, EmitError> {
    let program = component.expanded_step(Precision::F32);
    emit_step_program(
        &component.model.name,
        &program,
        &StepShape::of(component),
        contraction,
    )
}

/// The kernel that advances a population with this step program (expanded for f32) by one step,
/// under the contract of `rheobase_equations::native::StepArgs`: states in place, inputs zero on
/// return.
///
/// # Errors
/// If the program holds something a shader cannot do: an operation that was not expanded, a
/// constant beyond f32, a slot that is no part of a step.
pub fn emit_step_program(
    name: &str,
    program: &Program,
    shape: &StepShape,
    contraction: Contraction,
) -> Result<ShaderModule, EmitError> {
    if shape.n_derived > MAX_PLACES {
        return Err(EmitError::TooManyPlaces {
            needed: shape.n_derived,
            limit: MAX_PLACES,
        });
    }
    let memory = StepMemory { shape };
    let mut functions = String::from("fn step(i: u32) {\n");
    functions.push_str(&body::emit(program, SpikeAs::Flag, contraction, &memory)?);
    if program.stored(Slot::Spike).is_none() {
        functions.push_str("    fired[i] = 0u;\n");
    }
    for port in 0..shape.inputs.len() {
        functions.push_str(&format!("    {} = 0.0f;\n", row(Role::Inputs, port)));
    }
    functions.push_str("}\n");
    Ok(Assembly {
        name,
        entry_point: "step_kernel",
        heading: &format!("One step of `{name}`."),
        entry: Entry::PerIndex {
            body: "step",
            limit: "params.n",
        },
        functions: &functions,
        uniform: UniformLayout::Places(shape.n_derived),
        storage: &storage(shape),
        has_guard: functions.contains("rounded("),
    }
    .finish())
}

/// Every storage binding of a step; what it has no arrays of is not bound.
fn storage(shape: &StepShape) -> Vec<(Role, Access, Element, u32)> {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut storage = Vec::new();
    let mut bind = |role, access, element, n: usize, rows| {
        if n > 0 {
            storage.push((role, access, element, rows));
        }
    };
    let (states, inputs, outputs) = (shape.states.len(), shape.inputs.len(), shape.outputs.len());
    let draws = shape.n_uniforms + shape.n_normals;
    bind(
        Role::States,
        Access::ReadWrite,
        Element::F32,
        states,
        count(states),
    );
    bind(
        Role::Inputs,
        Access::ReadWrite,
        Element::F32,
        inputs,
        count(inputs),
    );
    bind(
        Role::Derived,
        Access::Read,
        Element::F32,
        shape.n_derived,
        0,
    );
    bind(
        Role::Random,
        Access::Read,
        Element::F32,
        draws,
        count(draws),
    );
    bind(
        Role::Outputs,
        Access::ReadWrite,
        Element::F32,
        outputs,
        count(outputs),
    );
    bind(Role::Fired, Access::ReadWrite, Element::U32, 1, 1);
    storage
}

/// Element `i` of array `k` of a buffer.
fn row(role: Role, k: usize) -> String {
    let variable = role.variable();
    match k {
        0 => format!("{variable}[i]"),
        1 => format!("{variable}[params.stride + i]"),
        _ => format!("{variable}[{k}u * params.stride + i]"),
    }
}

struct StepMemory<'a> {
    shape: &'a StepShape,
}

impl StepMemory<'_> {
    fn named(role: Role, names: &[String], k: u32) -> Option<(String, String)> {
        let name = names.get(k as usize)?;
        Some((row(role, k as usize), name.clone()))
    }
}

impl Memory for StepMemory<'_> {
    const IN_PLACE: bool = true;

    fn load(&self, slot: Slot) -> Result<(String, String), EmitError> {
        let shape = self.shape;
        let draw = |k: u32, first: usize, n: usize| {
            ((k as usize) < n).then(|| (row(Role::Random, first + k as usize), String::new()))
        };
        match slot {
            Slot::State(k) => Self::named(Role::States, &shape.states, k),
            Slot::Input(k) => Self::named(Role::Inputs, &shape.inputs, k),
            Slot::Derived(k) if (k as usize) < shape.n_derived => {
                let index = UniformLayout::index_expression(k as usize);
                Some((
                    format!("{}[{index}]", Role::Derived.variable()),
                    String::new(),
                ))
            }
            Slot::Uniform(k) => draw(k, 0, shape.n_uniforms),
            Slot::Normal(k) => draw(k, shape.n_uniforms, shape.n_normals),
            Slot::Time => Some(("params.time".to_owned(), String::new())),
            _ => None,
        }
        .ok_or(EmitError::Slot {
            access: "read",
            slot,
        })
    }

    fn store(&self, slot: Slot, value: &str, ty: Type) -> Result<String, EmitError> {
        let place = match slot {
            Slot::State(k) => Self::named(Role::States, &self.shape.states, k),
            Slot::Output(k) => Self::named(Role::Outputs, &self.shape.outputs, k),
            Slot::Spike if ty == Type::Bool => {
                return Ok(format!("fired[i] = select(0u, 1u, {value});"));
            }
            _ => None,
        };
        let (place, name) = place.ok_or(EmitError::Slot {
            access: "write",
            slot,
        })?;
        Ok(format!("{place} = {value}; // {name}"))
    }
}
