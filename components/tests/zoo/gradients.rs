//! The gradient of every registered neuron, with every option, against forward mode and differences.

use rheobase_equations::choice::Choices;
use rheobase_equations::gradient_check::{Setting, check};
use rheobase_equations::lower::{Component, lower};
use rheobase_equations::model::{Integrator, Model};

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
