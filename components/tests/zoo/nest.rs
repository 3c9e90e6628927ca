//! Traces of single neurons by NEST 3.10.0 (see `tests/golden/nest` and `tests/golden/neuron`).

use rheobase_engine::port::NeuronType;
use rheobase_equations::model::Integrator;
use serde_json::Value as Json;

use crate::cell::{Cell, registered, with_integrator};

fn document(text: &str) -> Vec<Json> {
    let document: Json = serde_json::from_str(text).unwrap();
    document["cases"].as_array().unwrap().clone()
}

fn floats(json: &Json) -> Vec<f64> {
    json.as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect()
}

fn steps(json: &Json) -> Vec<u64> {
    json.as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_u64().unwrap())
        .collect()
}

/// NEST's name of a parameter, unit suffix and all → ours.
fn parameters(case: &Json) -> Vec<(String, f64)> {
    let rename = |(name, value): (&String, &Json)| {
        let name = name.rsplit_once('_').unwrap().0.replace("tau_syn", "tau");
        (name, value.as_f64().unwrap())
    };
    let given = case["parameters"].as_object().unwrap().iter().map(rename);
    given
        .chain([("i_e".to_owned(), case["i_e_pa"].as_f64().unwrap())])
        .collect()
}

/// (our state, NEST's record) of a model.
fn records(model: &str) -> &'static [(&'static str, &'static str)] {
    match model {
        "iaf_psc_delta" => &[("v", "v_m_mv")],
        "iaf_cond_exp" => &[("v", "v_m_mv"), ("g_ex", "g_ex_ns"), ("g_in", "g_in_ns")],
        _ => &[
            ("v", "v_m_mv"),
            ("i_ex", "i_syn_ex_pa"),
            ("i_in", "i_syn_in_pa"),
        ],
    }
}

/// (port, weight) that a signed NEST weight means.
fn event(model: &str, weight: f64) -> (&'static str, f64) {
    match model {
        "iaf_psc_delta" => ("delta", weight),
        _ if weight >= 0.0 => ("ex", weight),
        "iaf_cond_exp" => ("in", -weight),
        _ => ("in", weight),
    }
}

/// What a neuron did.
struct Trace {
    spikes: Vec<u64>,
    /// One list per entry of [`records`], at NEST's recording times.
    records: Vec<Vec<f64>>,
}

fn trace(model: &str, neuron: &dyn NeuronType, case: &Json) -> Trace {
    let parameters = parameters(case);
    let parameters: Vec<(&str, f64)> = parameters.iter().map(|(k, v)| (k.as_str(), *v)).collect();
    let mut cell = Cell::<f64>::new(neuron, &parameters, 1, case["dt_ms"].as_f64().unwrap());
    cell.set("v", 0, case["v0_mv"].as_f64().unwrap());
    let arrivals = steps(&case["input"]["arrival_step"]);
    let weights = floats(&case["input"]["weight"]);
    let every = case["record_every"].as_u64().unwrap();
    let states = records(model);
    let mut trace = Trace {
        spikes: Vec::new(),
        records: vec![Vec::new(); states.len()],
    };
    for step in 1..=case["steps"].as_u64().unwrap() {
        for (_, &weight) in arrivals.iter().zip(&weights).filter(|(s, _)| **s == step) {
            let (port, weight) = event(model, weight);
            cell.arrive(port, 0, weight);
        }
        if !cell.step().is_empty() {
            trace.spikes.push(step);
        }
        if step % every == 0 {
            for ((state, _), record) in states.iter().zip(&mut trace.records) {
                record.push(cell.get(state, 0));
            }
        }
    }
    trace
}

/// Spike steps are NEST's; states are within `relative` of its values, or of 1 where those are
/// smaller: currents decay through many orders of magnitude.
fn compare(model: &str, neuron: &dyn NeuronType, case: &Json, relative: f64) {
    let trace = trace(model, neuron, case);
    let name = case["name"].as_str().unwrap();
    assert_eq!(trace.spikes, steps(&case["spike_steps"]), "{model} {name}");
    for ((state, nests), record) in records(model).iter().zip(&trace.records) {
        let expected = floats(&case[nests]);
        assert_eq!(record.len(), expected.len());
        let deviation = |(x, y): (&f64, &f64)| (x - y).abs() / y.abs().max(1.0);
        let worst = record
            .iter()
            .zip(&expected)
            .map(deviation)
            .fold(0.0, f64::max);
        println!("{model} {name} {state}: within {worst:.1e}");
        assert!(worst <= relative, "{model} {name} {state}");
    }
}

/// Every case but NEST's option of keeping input while refractory, which we do not offer.
fn exact_model(model: &str, text: &str) {
    let neuron = registered(model);
    for case in document(text) {
        if case["name"] != "refractory_input" {
            compare(model, &*neuron, &case, 1e-12);
        }
    }
}

#[test]
fn iaf_psc_exp() {
    exact_model(
        "iaf_psc_exp",
        include_str!("../../../tests/golden/nest/single_iaf_psc_exp.json"),
    );
}

#[test]
fn iaf_psc_alpha() {
    exact_model(
        "iaf_psc_alpha",
        include_str!("../../../tests/golden/nest/single_iaf_psc_alpha.json"),
    );
}

#[test]
fn iaf_psc_delta() {
    exact_model(
        "iaf_psc_delta",
        include_str!("../../../tests/golden/nest/single_iaf_psc_delta.json"),
    );
}

const IAF_COND_EXP: &str = include_str!("../../../tests/golden/nest/single_iaf_cond_exp.json");

/// NEST steps with Runge-Kutta-Fehlberg 4(5); `rk4` is as close to it as their orders allow.
#[test]
fn iaf_cond_exp_by_runge_kutta() {
    let neuron = with_integrator("iaf_cond_exp", Integrator::RungeKutta4);
    for case in document(IAF_COND_EXP) {
        let is_fine = case["dt_ms"].as_f64().unwrap() < 0.05;
        let relative = if is_fine { 1e-10 } else { 1e-6 };
        compare("iaf_cond_exp", &neuron, &case, relative);
    }
}

/// What `auto` takes, of second order: spike steps are NEST's, and the potential is within 4e-4 mV at
/// steps of 0.1 ms, a hundredth of that at 0.01 ms, up to the first spike.
#[test]
fn iaf_cond_exp_as_registered() {
    let neuron = registered("iaf_cond_exp");
    for case in document(IAF_COND_EXP) {
        let expected = steps(&case["spike_steps"]);
        let trace = trace("iaf_cond_exp", &*neuron, &case);
        assert_eq!(trace.spikes, expected);
        let first = expected.first().copied().unwrap_or(u64::MAX);
        let every = case["record_every"].as_u64().unwrap();
        let worst = (trace.records[0]
            .iter()
            .zip(&floats(&case["v_m_mv"]))
            .zip(1_u64..))
        .filter(|(_, k)| k * every < first)
        .map(|((v, nest), _)| (v - nest).abs())
        .fold(0.0, f64::max);
        println!(
            "iaf_cond_exp {}: v within {worst:.1e} mV up to the first spike",
            case["name"]
        );
        let dt_ms = case["dt_ms"].as_f64().unwrap();
        assert!(worst < 0.04 * dt_ms * dt_ms);
    }
}

/// NEST takes forward Euler: the same equations by the same method.
#[test]
fn izhikevich_by_forward_euler() {
    let neuron = with_integrator("izhikevich", Integrator::Euler);
    for case in document(include_str!("../../../tests/golden/neuron/izhikevich.json")) {
        let value = |name: &str| case["parameters"][name].as_f64().unwrap();
        let parameters = ["a", "b", "c", "d"].map(|name| (name, value(name)));
        let mut cell = Cell::<f64>::new(&neuron, &parameters, 1, case["dt_ms"].as_f64().unwrap());
        assert_eq!(cell.get("v", 0), case["v0_mv"].as_f64().unwrap());
        assert_eq!(cell.get("u", 0), case["u0_mv"].as_f64().unwrap());
        let arrivals = steps(&case["input"]["arrival_step"]);
        let weights = floats(&case["input"]["weight_mv"]);
        let (v, u) = (floats(&case["v_mv"]), floats(&case["u_mv"]));
        let mut spikes = Vec::new();
        let mut worst: f64 = 0.0;
        for step in 1..=case["steps"].as_u64().unwrap() {
            cell.arrive("current", 0, case["current_mv_per_ms"].as_f64().unwrap());
            for (_, &weight) in arrivals.iter().zip(&weights).filter(|(s, _)| **s == step) {
                cell.arrive("ex", 0, weight);
            }
            if !cell.step().is_empty() {
                spikes.push(step);
            }
            if step % 10 == 0 {
                let k = (step / 10 - 1) as usize;
                worst = worst
                    .max((cell.get("v", 0) - v[k]).abs())
                    .max((cell.get("u", 0) - u[k]).abs());
            }
        }
        println!("izhikevich {}: within {worst:.1e} mV", case["name"]);
        assert_eq!(spikes, steps(&case["spike_steps"]));
        assert!(worst < 1e-8);
    }
}
