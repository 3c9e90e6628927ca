//! The gradient of every registered neuron, with every option, against forward mode and differences.

use rheobase_equations::block::{BlockFunction, Operand};
use rheobase_equations::choice::Choices;
use rheobase_equations::gradient::Reverse;
use rheobase_equations::gradient_check::{Setting, check};
use rheobase_equations::ir::Slot;
use rheobase_equations::lower::{Component, lower};
use rheobase_equations::model::{Integrator, Model};
use rheobase_equations::native::{Derived, Level, ReverseArgs, ReverseFn};
use rheobase_equations::real::Real;

use crate::cell::{component, zoo};

/// The model with each of its options in turn at each value.
fn variants(model: &Model) -> Vec<(String, Model)> {
    let mut all = vec![("as it is".to_owned(), model.clone())];
    for option in &model.options {
        for value in &option.values[1..] {
            let choices = Choices::new().option(&option.name, value);
            let name = format!("{} {value}", option.name);
            all.push((name, model.choose(&choices).unwrap()));
        }
    }
    all
}

/// Sizes of inputs that make a neuron fire now and then.
fn setting(component: &Component) -> Setting {
    let ports = component.model.inputs.iter();
    let size = |unit: &str| match unit {
        "1" => 1.0,
        "mV" => 6.0,
        "mV/ms" => 30.0,
        "pA" => 3000.0,
        "pA/ms" => 3000.0,
        "nS" => 60.0,
        other => panic!("no usual size is known for {other}"),
    };
    // Inhibition is kept weak.
    let share = |name: &str| if name == "in" { 0.02 } else { 1.0 };
    Setting {
        input_sizes: ports.map(|p| share(&p.name) * size(&p.unit.name)).collect(),
        // Explicit methods are stable in steps of the shortest time constant.
        dt_ms: 0.2,
        ..Setting::default()
    }
}

fn judge(name: &str, component: &Component) {
    let report = check(component, &setting(component)).unwrap();
    println!("{name}: {report:?}");
    let fires = component.model.spike.is_some();
    assert!(report.spikes > 0 || !fires, "{name}: {report:?}");
    assert!(report.transpose < 1e-12, "{name}: {report:?}");
    let differences = report.differences.unwrap();
    assert!(differences < 1e-6, "{name}: {report:?}");
}

#[test]
fn adjoints_are_transposes_and_slopes() {
    for (name, neuron) in zoo() {
        for (variant, model) in variants(&component(&*neuron).model) {
            let lowered = lower(&std::sync::Arc::new(model), None).unwrap();
            judge(&format!("{name}, {variant}"), &lowered);
        }
    }
}

/// Neurons in continuous time are trained through whatever advances them.
#[test]
fn every_integrator_has_a_gradient() {
    let mut seen = 0;
    for (name, neuron) in zoo() {
        let model = component(&*neuron).model;
        if model.equations.is_empty() {
            continue;
        }
        for integrator in Integrator::ALL {
            if let Ok(lowered) = lower(&model, Some(integrator)) {
                seen += 1;
                judge(&format!("{name}, {}", integrator.name()), &lowered);
            }
        }
    }
    assert!(seen >= 27, "{seen} pairs");
}

/// Every surrogate, through the same neuron.
#[test]
fn every_surrogate_has_a_gradient() {
    let model = component(&*crate::cell::registered("lif")).model;
    for surrogate in rheobase_equations::surrogate::SURROGATES {
        let choices = Choices::new().surrogate(surrogate.name);
        let lowered = lower(&std::sync::Arc::new(model.choose(&choices).unwrap()), None);
        judge(surrogate.name, &lowered.unwrap());
    }
}

/// Numbers of both signs, near the thresholds of most neurons.
fn numbers<R: Real>(n: usize, salt: u64) -> Vec<R> {
    let number = |i: usize| {
        let x = (i as u64 + salt * 1000 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        R::from_f64(((x >> 40) as f64 / f64::from(1 << 24) - 0.4) * 3.0)
    };
    (0..n).map(number).collect()
}

/// The compiled reverse of a neuron against the interpreted one, on whole blocks and a part of one.
fn compare<R: Real>(
    component: &Component,
    reverse: &Reverse,
    native: ReverseFn<R>,
    level: Level,
    per_neuron: bool,
) {
    let (n, stride) = (100, 192);
    let (states, ports) = (component.states.len(), component.model.inputs.len());
    let (uniforms, normals) = component.n_draws();
    let outputs = component.model.outputs.len();
    let parameters = component.default_parameters();
    let of_neurons = |value: f64| {
        (0..stride)
            .map(|i| R::from_f64(value * (1.0 + 1e-3 * i as f64)))
            .collect()
    };
    let derived: Vec<Derived<R>> = component
        .derive(&parameters, 0.1)
        .into_iter()
        .map(|value| match per_neuron {
            true => Derived::PerNeuron(of_neurons(value)),
            false => Derived::shared(R::from_f64(value)),
        })
        .collect();
    let of_states = numbers::<R>(states * stride, 1);
    let of_inputs = numbers::<R>(ports * stride, 2);
    let random = numbers::<R>((uniforms + normals) * stride, 3);
    let spike_cotangent = numbers::<R>(stride, 4);
    let output_cotangents = numbers::<R>(outputs * stride, 5);
    let inputs: Vec<&[R]> = of_inputs.chunks_exact(stride).collect();
    let mut found = Vec::new();
    let mut function = BlockFunction::<R>::new(reverse.step()).at_level(level);
    for compiled in [true, false] {
        let mut state_cotangents = numbers::<R>(states * stride, 6);
        let mut of_ports = vec![R::ZERO; ports * stride];
        let mut of_derived = vec![R::ZERO; reverse.derived().len() * stride];
        if compiled {
            let mut ports: Vec<&mut [R]> = of_ports.chunks_exact_mut(stride).collect();
            native(
                level,
                &mut ReverseArgs {
                    n,
                    stride,
                    states: &of_states,
                    inputs: &inputs,
                    derived: &derived,
                    random: &random,
                    time: R::ONE,
                    spike_cotangent: &spike_cotangent,
                    output_cotangents: &output_cotangents,
                    state_cotangents: &mut state_cotangents,
                    input_cotangents: &mut ports,
                    derived_cotangents: &mut of_derived,
                },
            );
        } else {
            let row = |values: &'_ [R], i: u32| values[i as usize * stride..][..stride].to_vec();
            let read: Vec<(Slot, Vec<R>)> = function
                .slots()
                .filter_map(|slot| {
                    let values = match slot {
                        Slot::State(i) => row(&of_states, i),
                        Slot::Input(i) => row(&of_inputs, i),
                        Slot::Uniform(i) => row(&random, i),
                        Slot::Normal(i) => row(&random, uniforms as u32 + i),
                        Slot::SpikeCotangent => spike_cotangent.clone(),
                        Slot::OutputCotangent(o) => row(&output_cotangents, o),
                        _ => return None,
                    };
                    Some((slot, values))
                })
                .collect();
            let stored: Vec<Slot> = reverse.step().stores.iter().map(|s| s.slot).collect();
            let states = (0..).map(Slot::StateCotangent);
            let states = states.zip(state_cotangents.chunks_exact_mut(stride));
            let mut writes: Vec<(Slot, &mut [R])> =
                states.filter(|(slot, _)| stored.contains(slot)).collect();
            let ports = (0..).map(Slot::InputCotangent);
            writes.extend(ports.zip(of_ports.chunks_exact_mut(stride)));
            let slots = reverse.derived().iter().map(|&k| Slot::DerivedCotangent(k));
            writes.extend(slots.zip(of_derived.chunks_exact_mut(stride)));
            function.run(
                128,
                |slot| match slot {
                    Slot::Derived(k) => match &derived[k as usize] {
                        Derived::Shared(block) => Operand::Scalar(block[0]),
                        Derived::PerNeuron(values) => Operand::Array(values),
                    },
                    Slot::Time => Operand::Scalar(R::ONE),
                    slot => match read.iter().find(|(s, _)| *s == slot) {
                        Some((_, values)) => Operand::Array(values),
                        None => Operand::Scalar(R::ZERO),
                    },
                },
                &mut writes,
            );
        }
        let bits = [state_cotangents, of_ports, of_derived].map(|values| {
            let lanes = values.chunks_exact(stride).flat_map(|row| &row[..n]);
            lanes.map(|x| x.to_int_bits()).collect::<Vec<_>>()
        });
        found.push(bits);
    }
    assert_eq!(found[0], found[1], "{}", component.model.name);
    assert!(found[0].iter().flatten().count() > 0);
}

/// Of every neuron with a short reverse, on all levels of the machine.
#[test]
fn compiled_reverses_have_the_bits_of_interpreted_ones() {
    let mut compiled = Vec::new();
    for (name, neuron) in zoo() {
        let component = &component(&*neuron);
        let reverse = Reverse::of_learnable(component);
        let Some(native) = neuron.native_reverse(&reverse) else {
            continue;
        };
        compiled.push(name);
        for level in Level::available() {
            for per_neuron in [false, true] {
                compare::<f32>(component, &reverse, native.reverse_f32, level, per_neuron);
                compare::<f64>(component, &reverse, native.reverse_f64, level, per_neuron);
            }
        }
    }
    println!("compiled: {compiled:?}");
    for name in [
        "if",
        "lif",
        "plif",
        "leaky",
        "leaky_readout",
        "cuba_lif",
        "alif",
    ] {
        let found = compiled.iter().any(|n| n == name);
        assert!(found, "{name} is not in {compiled:?}");
    }
}
