//! Every component text of the zoo as WGSL: accepted by naga with every integrator it can take, and
//! kept as a reviewable snapshot. A new component is covered by being there.

#![allow(
    clippy::expect_used,
    reason = "helpers of tests: what they expect is tested"
)]

mod support;

use rheobase_equations::model::Integrator;
use rheobase_equations::real::Precision;
use rheobase_shaders::{Access, Contraction, Role, StepShape, emit_step};
use support::zoo::{components, zoo};
use support::{snapshot, validate};

#[test]
fn every_component_with_every_integrator_is_accepted() {
    let mut count = 0;
    for (name, text) in zoo() {
        let components = components(&name, &text);
        assert!(
            components.iter().any(|(i, _)| *i == Integrator::Auto),
            "{name}"
        );
        for (integrator, component) in components {
            for contraction in [Contraction::Prevent, Contraction::Allow] {
                let module = emit_step(&component, contraction)
                    .unwrap_or_else(|e| panic!("{name}, {}: {e}", integrator.name()));
                validate(&module);
                count += 1;
            }
        }
    }
    println!("{count} modules");
}

#[test]
fn emitted_text_is_the_committed_one() {
    for (name, text) in zoo() {
        for (integrator, component) in components(&name, &text) {
            if integrator == Integrator::Auto {
                let module = emit_step(&component, Contraction::Prevent).expect("emits");
                snapshot(&name, &module.source);
            }
        }
    }
}

#[test]
fn bindings_cover_what_the_step_uses() {
    for (name, text) in zoo() {
        for (_, component) in components(&name, &text) {
            let module = emit_step(&component, Contraction::Prevent).expect("emits");
            let shape = StepShape::of(&component);
            let rows = |role| module.binding(role).map_or(0, |b| b.rows as usize);
            assert_eq!(rows(Role::States), component.states.len(), "{name}");
            assert_eq!(rows(Role::Inputs), component.model.inputs.len(), "{name}");
            assert_eq!(rows(Role::Outputs), component.model.outputs.len(), "{name}");
            assert_eq!(
                rows(Role::Random),
                shape.n_uniforms + shape.n_normals,
                "{name}"
            );
            assert_eq!(module.uniform.n_places(), component.n_derived, "{name}");
            let storage = module
                .bindings
                .iter()
                .filter(|b| b.access != Access::Uniform)
                .count();
            assert!(
                storage <= 8,
                "{name}: the smallest guaranteed number of storage buffers"
            );
            assert!(
                !component.expanded_step(Precision::F32).ops.is_empty(),
                "{name}"
            );
        }
    }
}
