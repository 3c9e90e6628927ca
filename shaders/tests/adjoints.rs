//! The reverse of one step of every component of the zoo as WGSL.

#![allow(
    clippy::expect_used,
    reason = "helpers of tests: what they expect is tested"
)]

mod support;

use rheobase_equations::adjoint::adjoint;
use rheobase_equations::expand::expand;
use rheobase_equations::ir::{Program, Slot};
use rheobase_equations::lower::Component;
use rheobase_equations::model::Integrator;
use rheobase_equations::real::Precision;
use rheobase_shaders::{Contraction, emit_program};
use support::zoo::{components, zoo};
use support::{snapshot, validate};

/// The reverse of one step, by every state, input and derived quantity.
fn reverse(component: &Component) -> Program {
    let index = |k: usize| u32::try_from(k).expect("small");
    let states = (0..component.states.len())
        .filter(|&k| component.states[k].differentiable)
        .map(|k| Slot::State(index(k)));
    let inputs = (0..component.model.inputs.len()).map(|k| Slot::Input(index(k)));
    let derived = (0..component.n_derived).map(|k| Slot::Derived(index(k)));
    let slots: Vec<Slot> = states.chain(inputs).chain(derived).collect();
    expand(&adjoint(&component.step, &slots), Precision::F32)
}

#[test]
fn every_adjoint_is_accepted() {
    let mut count = 0;
    for (name, text) in zoo() {
        for (integrator, component) in components(&name, &text) {
            let kernel = emit_program(&reverse(&component), "reverse", Contraction::Prevent)
                .unwrap_or_else(|e| panic!("{name}, {}: {e}", integrator.name()));
            validate(&kernel.module);
            assert!(kernel.writes.contains(&Slot::InputCotangent(0)), "{name}");
            count += 1;
            if integrator == Integrator::Auto {
                snapshot(&format!("{name}_reverse"), &kernel.module.source);
            }
        }
    }
    println!("{count} modules");
}
