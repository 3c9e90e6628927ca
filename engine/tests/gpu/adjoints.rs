//! The reverse of one step of every neuron of the zoo on the device against the CPU.

use rheobase_engine::backend::gpu::{GpuDevice, ProgramKernel};
use rheobase_equations::adjoint::adjoint;
use rheobase_equations::block::{BlockFunction, Operand};
use rheobase_equations::expand::expand;
use rheobase_equations::ir::{Program, Slot};
use rheobase_equations::lower::Component;
use rheobase_equations::native::Derived;
use rheobase_equations::real::Precision;
use rheobase_shaders::Contraction;

use crate::components::{Arrays, Found, N, STRIDE, TIME_MS, derived, is_exact, zoo};
use crate::random::Random;
use crate::{device, scalar};

/// By every differentiable state, every input and every derived quantity.
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

/// What each slot holds, for all neurons or one value for all.
struct Sources {
    slots: Vec<(Slot, Vec<f32>)>,
}

impl Sources {
    fn random(component: &Component, program: &Program, random: &mut Random) -> Self {
        let arrays = Arrays::random(component, random);
        let derived = derived(component);
        let values = |slot: Slot, random: &mut Random| match slot {
            Slot::Time => vec![TIME_MS],
            Slot::Derived(k) => match &derived[k as usize] {
                Derived::Shared(block) => vec![block[0]],
                Derived::PerNeuron(each) => each.clone(),
            },
            Slot::State(_) | Slot::Input(_) | Slot::Uniform(_) | Slot::Normal(_) => (0..STRIDE)
                .map(|i| arrays.load(component, &derived, slot, i))
                .collect(),
            _ => (0..STRIDE).map(|_| random.between(-1.0, 1.0)).collect(),
        };
        let loads = program.loads();
        Self {
            slots: loads
                .iter()
                .map(|&slot| (slot, values(slot, random)))
                .collect(),
        }
    }

    fn values(&self, slot: Slot) -> &[f32] {
        let found = self.slots.iter().find(|(s, _)| *s == slot);
        &found.unwrap_or_else(|| panic!("{slot:?}")).1
    }

    fn value(&self, slot: Slot, i: usize) -> f32 {
        let values = self.values(slot);
        values[if values.len() == 1 { 0 } else { i }]
    }
}

/// The CPU's answers: one array per store.
fn on_the_cpu(program: &Program, sources: &Sources) -> Vec<Vec<f32>> {
    let mut results: Vec<(Slot, Vec<f32>)> = program
        .stores
        .iter()
        .map(|s| {
            // A slot that is read and written reads the old contents of the result array.
            let known = sources.slots.iter().find(|(slot, _)| *slot == s.slot);
            (
                s.slot,
                known.map_or_else(|| vec![0.0; STRIDE], |(_, values)| values.clone()),
            )
        })
        .collect();
    let mut writes: Vec<(Slot, &mut [f32])> = results
        .iter_mut()
        .map(|(slot, values)| (*slot, &mut values[..]))
        .collect();
    BlockFunction::<f32>::new(program).run(
        STRIDE,
        |slot| match sources.values(slot) {
            [one] => Operand::Scalar(*one),
            many => Operand::Array(many),
        },
        &mut writes,
    );
    results.into_iter().map(|(_, values)| values).collect()
}

fn compare(device: &GpuDevice, component: &Component, random: &mut Random) -> (Found, bool) {
    let program = reverse(component);
    let sources = Sources::random(component, &program, random);
    let cpu = on_the_cpu(&program, &sources);
    let kernel =
        ProgramKernel::new(device, &program, "reverse", Contraction::Prevent).expect("compiles");
    let gpu = kernel
        .run(STRIDE, |slot| sources.values(slot))
        .expect("runs");
    let mut found = Found::default();
    for i in 0..N {
        let twin = scalar::run(&program, |slot| sources.value(slot, i));
        let mut pairs = Vec::new();
        for ((slot, device), host) in gpu.iter().zip(&cpu) {
            pairs.push((device[i], host[i]));
            let at = program
                .stores
                .iter()
                .position(|s| s.slot == *slot)
                .expect("a store");
            assert_eq!(
                host[i].to_bits(),
                twin.stored[at].to_bits(),
                "{}: the CPU kernel and the twin, {slot:?}",
                component.model.name
            );
        }
        found.add(&pairs, &twin);
    }
    (found, is_exact(&program))
}

#[test]
fn the_reverse_of_one_step_from_random_states() {
    let Some(device) = device() else { return };
    for (k, component) in zoo().iter().enumerate() {
        let name = format!("{}, {}", component.model.name, component.integrator.name());
        let (found, is_exact) = compare(&device, component, &mut Random::new(300 + k as u64));
        println!("{name}: {found:?}");
        assert!(found.compared > N, "{name}");
        found.check(&name, is_exact);
    }
}
