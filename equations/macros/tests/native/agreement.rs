//! The products of one text agree.

use rheobase_equations::block::BlockProgram;
use rheobase_equations::interpret;
use rheobase_equations::ir::Slot;
use rheobase_equations::lower::Component;
use rheobase_equations::native::{Level, NativeComponent, StepArgs, padded};
use rheobase_equations::real::Real;

use crate::population::Population;
use crate::zoo;

/// Sizes around whole blocks and whole windows of the interpreter.
const SIZES: [usize; 6] = [1, 64, 100, 1024, 1500, 2100];

fn bits<R: Real>(values: &[R]) -> Vec<i64> {
    values.iter().map(|x| x.to_int_bits()).collect()
}

fn assert_same<R: Real>(got: &Population<R>, want: &Population<R>, what: &str) {
    assert_eq!(got.spikes, want.spikes, "{what}: spikes");
    assert_eq!(bits(&got.states), bits(&want.states), "{what}: states");
    assert_eq!(bits(&got.outputs), bits(&want.outputs), "{what}: outputs");
    assert_eq!(bits(&got.inputs), bits(&want.inputs), "{what}: inputs");
}

type StepAt<R> = fn(Level, &mut StepArgs<'_, R>);

/// Three steps by native code at the baseline, against every runner at every level; returns how
/// many spikes there were.
fn check<R: Real>(name: &str, component: &Component, native: StepAt<R>) -> usize {
    let mut n_spikes = 0;
    for (seed, n) in (1..).zip(SIZES) {
        for varied in [false, true] {
            let start = Population::<R>::new(component, n, varied, seed);
            let mut want = start.clone();
            for _ in 0..3 {
                want.step(|args| native(Level::Baseline, args));
            }
            n_spikes += want.spikes.len();
            for level in Level::available() {
                let mut block = BlockProgram::<R>::new(component).at_level(level);
                let (mut by_native, mut by_block) = (start.clone(), start.clone());
                for _ in 0..3 {
                    by_native.step(|args| native(level, args));
                    by_block.step(|args| block.step(args));
                }
                let at = format!("{name}, n = {n}, varied = {varied}, {}", level.name());
                assert_same(&by_native, &want, &format!("native: {at}"));
                assert_same(&by_block, &want, &format!("block: {at}"));
            }
        }
    }
    n_spikes
}

#[test]
fn native_and_block_agree_bit_for_bit_at_every_level() {
    for (name, native) in zoo::all() {
        let component = zoo::lowered(&native);
        let in_f32 = check::<f32>(name, &component, native.step_f32_at);
        let in_f64 = check::<f64>(name, &component, native.step_f64_at);
        assert!(
            in_f32 > 100 && in_f64 > 100,
            "{name}: hardly a spike, {in_f32} and {in_f64}"
        );
    }
}

#[test]
fn the_step_chosen_by_default_is_that_of_the_highest_level() {
    for (name, native) in zoo::all() {
        let component = zoo::lowered(&native);
        let start = Population::<f32>::new(&component, 300, false, 5);
        let (mut a, mut b) = (start.clone(), start);
        a.step(native.step_f32);
        b.step(|args| (native.step_f32_at)(Level::detected(), args));
        assert_same(&a, &b, name);
        let start = Population::<f64>::new(&component, 300, false, 5);
        let (mut a, mut b) = (start.clone(), start);
        a.step(native.step_f64);
        b.step(|args| (native.step_f64_at)(Level::detected(), args));
        assert_same(&a, &b, name);
    }
}

#[test]
fn fingerprints_are_those_of_the_text_lowered_again() {
    for (name, native) in zoo::all() {
        assert_eq!(
            zoo::lowered(&native).fingerprint(),
            native.fingerprint,
            "{name}"
        );
    }
    assert_ne!(zoo::IAF.fingerprint, zoo::LIF.fingerprint);
}

#[test]
fn a_file_is_the_text() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models/adex.rheo");
    assert_eq!(
        zoo::ADEX.text,
        std::fs::read_to_string(path).expect("the model is there")
    );
}

/// One step from random states in f64, neuron by neuron.
fn check_reference(name: &str, native: &NativeComponent) {
    let component = zoo::lowered(native);
    let start = Population::<f64>::new(&component, 1500, true, 11);
    let mut after = start.clone();
    let mut block = BlockProgram::<f64>::new(&component);
    after.step(|args| block.step(args));
    let n_uniforms = component.n_draws().0;
    let mut n_fired = 0;
    for i in 0..start.n {
        let stored = interpret::run(&component.step, &mut |slot| match slot {
            Slot::State(k) => start.of(&start.states, k as usize, i),
            Slot::Input(k) => start.of(&start.inputs, k as usize, i),
            Slot::Derived(k) => start.derived_of(k as usize, i),
            Slot::Uniform(k) => start.of(&start.random, k as usize, i),
            Slot::Normal(k) => start.of(&start.random, n_uniforms + k as usize, i),
            Slot::Time => 12.3,
            other => unreachable!("a step reads no {other:?}"),
        });
        for (slot, want) in stored {
            let got = match slot {
                Slot::State(k) => after.of(&after.states, k as usize, i),
                Slot::Output(k) => after.of(&after.outputs, k as usize, i),
                Slot::Spike => {
                    n_fired += usize::from(want > 0.5);
                    f64::from(u8::from(after.spikes.contains(&(i as u32))))
                }
                other => unreachable!("a step stores no {other:?}"),
            };
            let scale = want.abs().max(1.0);
            assert!(
                (got - want).abs() <= 1e-14 * scale,
                "{name}, neuron {i}, {slot:?}: {got:e} instead of {want:e}"
            );
        }
    }
    assert_eq!(n_fired, after.spikes.len(), "{name}");
}

#[test]
fn block_agrees_with_the_reference() {
    for (name, native) in zoo::all() {
        check_reference(name, &native);
    }
}

#[test]
fn padding_stays_silent_and_inputs_are_cleared() {
    for (name, native) in zoo::all() {
        let component = zoo::lowered(&native);
        for n in [1, 63, 65, 1030] {
            let start = Population::<f32>::new(&component, n, false, 3);
            let mut block = BlockProgram::<f32>::new(&component);
            let (mut by_native, mut by_block) = (start.clone(), start.clone());
            by_native.step(native.step_f32);
            by_block.step(|args| block.step(args));
            for after in [&by_native, &by_block] {
                assert!(
                    after.spikes.is_sorted_by(|a, b| a < b),
                    "{name}: ascending, each once"
                );
                assert!(
                    after.spikes.iter().all(|&i| (i as usize) < n),
                    "{name}: padding fired"
                );
                for k in 0..component.model.inputs.len() {
                    let input = &after.inputs[k * after.stride..][..padded(n)];
                    assert!(input.iter().all(|x| x.to_bits() == 0), "{name}: input {k}");
                }
                // A stride may be longer than the blocks in use: the rest is not touched.
                let beyond = padded(n)..after.stride;
                let states = |p: &Population<f32>| bits(&p.states[beyond.clone()]);
                assert_eq!(
                    states(after),
                    states(&start),
                    "{name}: beyond the last block"
                );
            }
        }
    }
}
