//! Every component with every integrator it can take and every option: a thousand steps under random
//! input, fused on the device, against the processor.

use rheobase::engine::network::Network;
use rheobase::engine::plan::Plan;
use rheobase::equations::ir::{Binary, Op, Program, Unary};
use rheobase::equations::lower::Component;
use rheobase::equations::model::Integrator;
use rheobase::equations::real::Precision;

use crate::harness::{Ran, assert_same, device, with_plan};

const STEPS: u64 = 1000;
/// Share of spikes that may differ where a division or root is left, whose last bit devices may round
/// otherwise.
const CAP: f64 = 1e-4;

/// Whether every operation is rounded the same way on every device.
fn is_exact(program: &Program) -> bool {
    let inexact = |op: &Op| matches!(op, Op::Binary(Binary::Div, ..) | Op::Unary(Unary::Sqrt, _));
    !program.ops.iter().any(inexact)
}

/// What an event of random input adds, and how often one comes.
fn input(unit: &str) -> (&'static str, &'static str) {
    match unit {
        "pA" => ("250 pA", "600 Hz"),
        "nS" => ("80 nS", "600 Hz"),
        "mV" => ("4 mV", "600 Hz"),
        "mV/ms" => ("6 mV/ms", "3 kHz"),
        _ => ("0.7", "3 kHz"),
    }
}

/// 200 neurons of a component under random input at every port. `None` where it does not fit.
fn network(
    component: &Component,
    integrator: Integrator,
    option: Option<(&str, &str)>,
) -> Option<Plan> {
    let name = &component.model.name;
    let mut text = format!(
        "seed = 5\ndt = \"0.1 ms\"\nduration = \"1 s\"\n[populations.P]\nmodel = \"{name}\"\nsize = 200\n\
         integrator = \"{}\"\n",
        integrator.name()
    );
    if let Some((option, value)) = option {
        text.push_str(&format!("options = {{ {option} = {value} }}\n"));
    }
    for (k, port) in component.model.inputs.iter().enumerate() {
        // What inhibits comes seldom.
        let (weight, often) = input(&port.unit.name);
        let rate = if k == 0 { often } else { "60 Hz" };
        text.push_str(&format!(
            "[stimuli.s{k}]\nmodel = \"poisson_background\"\ntarget = \"P\"\nport = \"{}\"\nrate = \"{rate}\"\n\
             weight = \"{weight}\"\n",
            port.name
        ));
    }
    let network = Network::from_toml(&text, name).unwrap_or_else(|e| panic!("{name}: {e}"));
    // An integrator that does not fit (`exact` on a nonlinear system) is refused.
    let plan = network.resolve(&rheobase::registry()).ok()?;
    Some(with_plan(plan, 5, STEPS))
}

/// Every value but the default of every option, one at a time; and none.
fn options(component: &Component) -> Vec<Option<(String, String)>> {
    let mut all = vec![None];
    for option in &component.model.options {
        for value in option.values.iter().skip(1) {
            let quoted = match value.as_str() {
                "true" | "false" => value.clone(),
                word => format!("\"{word}\""),
            };
            all.push(Some((option.name.clone(), quoted)));
        }
    }
    all
}

#[test]
fn a_thousand_steps_have_the_bits_of_the_processor() {
    let Some(device) = device() else { return };
    let (mut compared, mut refused, mut inexact) = (0, 0, 0);
    for (name, neuron) in &rheobase::registry().neurons {
        let Some(component) = neuron.component() else {
            continue;
        };
        let mut spikes = 0;
        for integrator in Integrator::ALL {
            for option in options(component) {
                let option = option.as_ref().map(|(a, b)| (a.as_str(), b.as_str()));
                let Some(plan) = network(component, integrator, option) else {
                    refused += 1;
                    continue;
                };
                let program = program(&plan);
                let what = format!("{name}, {}, {option:?}", integrator.name());
                // Some run away on either side, as their equations say.
                let (mut cpu, mut gpu) = (Ran::on_cpu(&plan), Ran::on_gpu(&plan, &device));
                spikes += cpu.n_spikes();
                if is_exact(&program) {
                    assert_same(&what, &mut cpu, &mut gpu);
                } else {
                    inexact += 1;
                    assert_close(&what, &cpu, &gpu);
                }
                compared += 1;
            }
        }
        assert!(
            spikes > 0 || component.model.spike.is_none(),
            "{name} never fires"
        );
    }
    println!(
        "{compared} compared, {inexact} of them with a division or root, {refused} do not fit"
    );
    assert!(compared > 60, "{compared}");
}

fn program(plan: &Plan) -> Program {
    match &plan.nodes[0].kind {
        rheobase::engine::plan::NodeKind::Population(p) => p
            .neuron
            .component()
            .expect("equations")
            .expanded_step(Precision::F32),
        _ => panic!("a population"),
    }
}

fn assert_close(name: &str, cpu: &Ran, gpu: &Ran) {
    let failed = |ran: &Ran| ran.simulation.failed().map(ToString::to_string);
    assert_eq!(failed(cpu), failed(gpu), "{name}");
    let events = |ran: &Ran| -> Vec<(u64, u32)> {
        let spikes = &ran.recording.spikes[0].1;
        spikes
            .steps
            .iter()
            .copied()
            .zip(spikes.neurons.iter().copied())
            .collect()
    };
    let (a, b) = (events(cpu), events(gpu));
    let missing = a.iter().filter(|e| b.binary_search(e).is_err()).count()
        + b.iter().filter(|e| a.binary_search(e).is_err()).count();
    #[allow(clippy::cast_precision_loss, reason = "small counts")]
    let share = missing as f64 / a.len().max(1) as f64;
    println!("{name}: {} spikes, {missing} of either side alone", a.len());
    assert!(share <= CAP, "{name}: {share}");
}
