//! What every registered neuron must do. A new neuron is tested before its author writes a test.

use rheobase_engine::neuron::EquationNeuron;
use rheobase_engine::port::NeuronType;
use rheobase_equations::interpret::Interpreter;
use rheobase_equations::ir::Slot;
use rheobase_equations::lower::REFRACTORY_STATE;
use rheobase_equations::model::Integrator;

use crate::cell::{Cell, Precise, Scatter, component, registered, zoo};

/// 200 steps of scattered input; spikes and bits of every step.
fn run<R: Precise>(cell: &mut Cell<R>, seed: u64) -> Vec<(Vec<u32>, Vec<i64>)> {
    let mut scatter = Scatter::new(seed);
    (0..200)
        .map(|_| {
            cell.scatter_inputs(&mut scatter);
            (cell.step().to_vec(), cell.bits())
        })
        .collect()
}

fn n_spikes(run: &[(Vec<u32>, Vec<i64>)]) -> usize {
    run.iter().map(|(spikes, _)| spikes.len()).sum()
}

#[test]
fn native_code_and_the_block_interpreter_give_the_same_bits() {
    fn compare<R: Precise>(name: &str, neuron: &dyn NeuronType) {
        let block = EquationNeuron::new(component(neuron), None);
        for n in [1, 64, 1000] {
            let mut native = Cell::<R>::new(neuron, &[], n, 0.1);
            let mut interpreted = Cell::<R>::new(&block, &[], n, 0.1);
            assert_eq!(
                (native.kernel_name(), interpreted.kernel_name()),
                ("native", "block")
            );
            native.scatter_states(&mut Scatter::new(1));
            interpreted.scatter_states(&mut Scatter::new(1));
            assert_eq!(native.bits(), interpreted.bits());
            let first = run(&mut native, 2);
            assert_eq!(first, run(&mut interpreted, 2), "{name}");
            if n == 1000 {
                println!("{name} {:?}: {} spikes", R::PRECISION, n_spikes(&first));
                let fires = component(neuron).model.spike.is_some();
                assert!(n_spikes(&first) > 30 || !fires);
            }
        }
    }
    for (name, neuron) in zoo() {
        compare::<f32>(&name, &*neuron);
        compare::<f64>(&name, &*neuron);
    }
}

/// One step from 1,000 random states: the f64 kernel against the interpreter of the unexpanded
/// equations, which is the reference. Within 1e-13 of the largest value of the step.
#[test]
fn kernels_follow_the_reference() {
    for (name, neuron) in zoo() {
        let component = component(&*neuron);
        let mut cell = Cell::<f64>::new(&*neuron, &[], 1000, 0.1);
        let mut scatter = Scatter::new(3);
        cell.scatter_states(&mut scatter);
        cell.scatter_inputs(&mut scatter);
        let (states, inputs) = (cell.states(), cell.inputs());
        let spikes = cell.step().to_vec();
        let after = cell.states();
        let mut interpreter = Interpreter::<f64>::new(component.step.clone());
        let n = cell.n;
        let (mut worst, mut expected_spikes) = (0.0_f64, Vec::new());
        for lane in 0..n {
            let mut expected = vec![0.0; component.states.len()];
            let mut fired = false;
            let load = |slot| match slot {
                Slot::State(i) => states[i as usize * n + lane],
                Slot::Input(i) => inputs[i as usize * n + lane],
                Slot::Derived(k) => cell.derived(k as usize),
                other => panic!("{name} reads {other:?}"),
            };
            interpreter.run(load, |slot, value| match slot {
                Slot::State(i) => expected[i as usize] = value,
                Slot::Spike => fired = value > 0.5,
                _ => {}
            });
            if fired {
                expected_spikes.push(lane as u32);
            }
            let size = |k: usize| states[k * n + lane].abs().max(expected[k].abs()).max(1.0);
            for (k, x) in expected.iter().enumerate() {
                worst = worst.max((after[k * n + lane] - x).abs() / size(k));
            }
        }
        println!("{name}: within {worst:.1e} of the reference");
        assert!(worst <= 1e-13, "{name}: {worst:e}");
        assert_eq!(spikes, expected_spikes, "{name}");
    }
}

#[test]
fn a_reset_neuron_is_a_fresh_one() {
    fn compare<R: Precise>(name: &str, neuron: &dyn NeuronType) {
        let mut cell = Cell::<R>::new(neuron, &[], 70, 0.1);
        let initial = cell.states();
        let first = run(&mut cell, 1);
        assert_ne!(initial, cell.states(), "{name}");
        run(&mut cell, 2);
        for (k, state) in neuron.ports().states.iter().enumerate() {
            (0..70).for_each(|i| cell.set(&state.name, i, initial[k * 70 + i].to_f64()));
        }
        assert_eq!(run(&mut cell, 1), first, "{name}");
    }
    for (name, neuron) in zoo() {
        compare::<f32>(&name, &*neuron);
        compare::<f64>(&name, &*neuron);
    }
}

/// One event of twice the weight is two events; and what has arrived does not arrive again.
#[test]
fn events_add_up() {
    for (name, neuron) in zoo() {
        for port in &neuron.ports().inputs {
            let mut once = Cell::<f32>::new(&*neuron, &[], 3, 0.1);
            let mut twice = Cell::<f32>::new(&*neuron, &[], 3, 0.1);
            let mut never = Cell::<f32>::new(&*neuron, &[], 3, 0.1);
            let weight = 0.3;
            let mut moved = false;
            for step in 0..100 {
                // A port may act on what arrives at another.
                for other in neuron.ports().inputs.iter().filter(|p| p.name != port.name) {
                    for cell in [&mut once, &mut twice, &mut never] {
                        (0..3).for_each(|lane| cell.arrive(&other.name, lane, 0.01));
                    }
                }
                if step % 10 == 0 {
                    once.arrive(&port.name, 1, 2.0 * weight);
                    twice.arrive(&port.name, 1, weight);
                    twice.arrive(&port.name, 1, weight);
                }
                assert_eq!(once.step(), twice.step());
                never.step();
                assert_eq!(once.bits(), twice.bits(), "{name} {}", port.name);
                assert!(
                    once.inputs().iter().all(|&x| x == 0.0),
                    "{name}: input is used up"
                );
                moved |= once.bits() != never.bits();
                let others = |cell: &Cell<f32>| [0, 2].map(|i| cell.get("v", i));
                assert_eq!(others(&once), others(&never), "{name}: lanes do not mix");
            }
            assert!(moved, "{name}: {} has an effect", port.name);
        }
    }
}

/// After a spike, states declared `unless refractory` stay where the reset put them for t_ref,
/// whatever arrives, and no spike comes before t_ref is over.
#[test]
fn refractory_neurons_are_clamped() {
    let mut seen = 0;
    for (name, neuron) in zoo() {
        let component = component(&*neuron);
        if !component.states.iter().any(|s| s.name == REFRACTORY_STATE) {
            continue;
        }
        seen += 1;
        let held: Vec<&str> = component
            .model
            .equations
            .iter()
            .filter(|e| e.unless_refractory)
            .map(|e| component.states[e.state as usize].name.as_str())
            .collect();
        assert!(!held.is_empty(), "{name}");
        for (t_ref, dt, steps) in [
            (2.0, 0.1, 20),
            (0.3, 0.1, 3),
            (0.1, 0.1, 1),
            (0.0, 0.1, 0),
            (1.0, 0.25, 4),
        ] {
            let mut cell = Cell::<f64>::new(&*neuron, &[("t_ref", t_ref)], 1, dt);
            let mut scatter = Scatter::new(5);
            // Far above threshold: it fires in the first step, and again as soon as it may.
            cell.set("v", 0, 1000.0);
            assert_eq!(cell.step(), [0], "{name}");
            let clamped: Vec<f64> = held.iter().map(|s| cell.get(s, 0)).collect();
            for step in 1..=steps {
                cell.scatter_inputs(&mut scatter);
                let port = neuron.ports().inputs[0].name.clone();
                cell.arrive(&port, 0, 1e6);
                assert!(
                    cell.step().is_empty(),
                    "{name}: silent in step {step} of {steps}"
                );
                let now: Vec<f64> = held.iter().map(|s| cell.get(s, 0)).collect();
                assert_eq!(now, clamped, "{name}");
            }
            cell.set("v", 0, 1000.0);
            assert_eq!(cell.step(), [0], "{name}: t_ref {t_ref} is over");
        }
    }
    assert_eq!(seen, 4);
}

/// One step of 1 ms is ten of 0.1 ms where the integrator is exact and nothing fires.
#[test]
fn exact_steps_compose() {
    let mut seen = 0;
    for (name, neuron) in zoo() {
        if component(&*neuron).integrator != Integrator::Exact
            || component(&*neuron).model.equations.is_empty()
        {
            continue;
        }
        seen += 1;
        let silent = [("v_th", 1e9), ("i_e", 321.0)];
        let mut coarse = Cell::<f64>::new(&*neuron, &silent, 500, 1.0);
        let mut fine = Cell::<f64>::new(&*neuron, &silent, 500, 0.1);
        coarse.scatter_states(&mut Scatter::new(6));
        fine.scatter_states(&mut Scatter::new(6));
        let mut worst: f64 = 0.0;
        for _ in 0..20 {
            assert!(coarse.step().is_empty());
            (0..10).for_each(|_| assert!(fine.step().is_empty()));
            for (a, b) in coarse.states().iter().zip(fine.states()) {
                worst = worst.max((a - b).abs() / b.abs().max(1.0));
            }
        }
        println!("{name}: 20 steps of 1 ms and 200 of 0.1 ms within {worst:.1e}");
        assert!(worst < 1e-11, "{name}");
    }
    assert_eq!(seen, 3);
}

#[test]
fn the_zoo_is_complete() {
    let names: Vec<String> = zoo().into_iter().map(|(name, _)| name).collect();
    let expected = [
        "if",
        "lif",
        "plif",
        "qif",
        "eif",
        "izhikevich_discrete",
        "klif",
        "liaf",
        "clif",
        "cuba_lif",
        "gated_lif",
        "alif",
        "leaky_readout",
        "leaky",
        "synaptic",
        "psp_lif",
        "iaf_psc_delta",
        "iaf_psc_exp",
        "iaf_psc_alpha",
        "iaf_cond_exp",
        "izhikevich",
    ];
    assert_eq!(names, expected);
    let used: Vec<Integrator> = names
        .iter()
        .map(|name| component(&*registered(name)))
        .filter(|component| !component.model.equations.is_empty())
        .map(|component| component.integrator)
        .collect();
    use Integrator::{Exact, ExponentialEuler, RungeKutta4};
    assert_eq!(used, [Exact, Exact, Exact, ExponentialEuler, RungeKutta4]);
}
