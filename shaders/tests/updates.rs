//! Kernels of optimisers are accepted by naga, and kept as reviewable snapshots.

#![allow(
    clippy::expect_used,
    reason = "helpers of tests: what they expect is tested"
)]

mod support;

use std::sync::Arc;

use rheobase_equations::lower::{Component, lower};
use rheobase_equations::parse_one;
use rheobase_shaders::{
    Binding, Contraction, Role, SequenceKernel, Update, emit_update, sequence_kernel,
};
use support::{snapshot, validate};

const ADAM: &str = "
optimizer adam
  parameter learning_rate = 0.001
  parameter k = 1
  parameter beta1 = 0.9
  parameter beta2 = 0.999
  parameter epsilon = 1e-8
  input g : 1
  state p = 0 : 1
  state m = 0 : 1
  state v = 0 : 1
  update m = m + (1 - beta1)*(g - m)
  update v = beta2*v + (1 - beta2)*g*g
  update p = p - learning_rate/(1 - beta1^k)*m/(sqrt(v)/sqrt(1 - beta2^k) + epsilon)
";

const DESCENT: &str = "
optimizer descent
  input g : 1
  state p = 0 : 1
  update p = p - g
";

fn component(text: &str) -> Component {
    let model = parse_one(text, "test").expect("a text that can be read");
    lower(&Arc::new(model), None).expect("updates alone")
}

#[test]
fn kernels_of_optimizers_are_accepted() {
    for (text, kept) in [(ADAM, 2), (DESCENT, 0)] {
        let component = component(text);
        for contraction in [Contraction::Prevent, Contraction::Allow] {
            let module = emit_update(&component, contraction).expect("an optimizer");
            validate(&module);
            let is_kept = |b: &&Binding| matches!(b.role, Role::Kept(_));
            assert_eq!(module.bindings.iter().filter(is_kept).count(), kept);
            let derived = vec![0.5; component.n_derived];
            let update = Update {
                n: 7,
                scale: 0.25,
                derived: &derived,
            };
            let bytes = update.encode();
            assert_eq!(bytes.len(), module.uniform.size_bytes());
            assert_eq!(bytes[4..8], 0.25_f32.to_le_bytes());
            if contraction == Contraction::Prevent {
                snapshot(&format!("optimizer_{}", module.name), &module.source);
            }
        }
    }
}

#[test]
fn a_neuron_is_no_optimizer() {
    let neuron = component("neuron n\n state v = 0 : 1\n update v = v + 1");
    assert!(emit_update(&neuron, Contraction::Prevent).is_err());
    let states = |n: usize| {
        (0..n)
            .map(|k| format!("\n state s{k} = 0 : 1"))
            .collect::<String>()
    };
    let keeps = |n: usize| component(&format!("optimizer o\n input g : 1{}", states(n + 1)));
    assert!(emit_update(&keeps(6), Contraction::Prevent).is_ok());
    assert!(emit_update(&keeps(7), Contraction::Prevent).is_err());
}

#[test]
fn what_passes_between_nodes_is_accepted() {
    use SequenceKernel::{Add, AddSteps, Assign, Bits, NotFinite, Pack, Scatter, Squares};
    for kernel in [
        Assign, Add, AddSteps, Bits, Squares, Pack, Scatter, NotFinite,
    ] {
        let module = sequence_kernel(kernel);
        validate(&module);
        snapshot(&format!("sequence_{}", module.name), &module.source);
    }
}
