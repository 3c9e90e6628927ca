//! Emission of native Rust: the step of a component as one fused loop.
//!
//! [`emit`] writes an expression of type [`crate::native::NativeComponent`]. For each precision it
//! holds one function over a block of [`crate::native::LANES`] neurons, whose body is the program,
//! one `let` per op. Branches are selects, arrays have known length, nothing is called: LLVM
//! turns the loop into packed instructions. The function is generic over what a derived quantity
//! is, so that populations without per-neuron parameters keep them in registers.
//!
//! Components with a short reverse ([`crate::gradient::Reverse::of_learnable`]) have it compiled in the
//! same way, for training; those of others are interpreted.
//!
//! The generated code is safe Rust and names one path, `<root>::equations`.

mod body;
mod reverse;

use std::fmt::Write as _;

use crate::lower::Component;
use crate::native::prepare::{SpikeAs, prepare};
use crate::real::Precision;

/// How many arrays of each group a kernel works on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) states: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) derived: usize,
    pub(crate) uniforms: usize,
    pub(crate) normals: usize,
}

impl Shape {
    pub(crate) fn of(component: &Component) -> Self {
        let (uniforms, normals) = component.n_draws();
        Self {
            states: component.states.len(),
            inputs: component.model.inputs.len(),
            outputs: component.model.outputs.len(),
            derived: component.n_derived,
            uniforms,
            normals,
        }
    }
}

/// A Rust expression of type [`crate::native::NativeComponent`] that runs `component`.
///
/// `root` is the path of a crate (or module) that has the equations crate as `equations`; `text` is
/// a Rust expression for the text of the component, usable in a constant.
///
/// # Panics
/// If the component's programs hold functions that expansion should have removed: a fault of this
/// crate, not of the text.
#[must_use]
pub fn emit(component: &Component, root: &str, text: &str) -> String {
    let shape = Shape::of(component);
    let mut out = String::new();
    let fingerprint = component.fingerprint();
    let _ = writeln!(out, "{{\nuse {root}::equations::native as n;\nstruct Step;");
    for precision in [Precision::F32, Precision::F64] {
        let program = prepare(&component.expanded_step(precision), SpikeAs::Flag);
        body::kernel(&mut out, &program, &shape, precision);
    }
    let reverse = reverse::emit(&mut out, component, &shape);
    let _ = writeln!(
        out,
        "n::NativeComponent::new::<Step>({text}, {fingerprint:#x}, {reverse})\n}}"
    );
    out
}
