//! Recurrent networks against NEST 3.10.0: the same spike steps.
//!
//! The references and the way to repeat them are in `tests/golden/nest/`.

use rheobase::engine::network::{Monitor, Network, Population, Projection};
use serde_json::{Value, json};

use crate::harness;

/// A reference network with our names for its parameters.
struct Reference {
    json: Value,
    network: Network,
}

fn numbers(json: &Value) -> Vec<f64> {
    json.as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect()
}

fn quantities(json: &Value, unit: &str) -> Vec<String> {
    numbers(json)
        .iter()
        .map(|x| format!("{x} {unit}"))
        .collect()
}

/// An input port and whether it takes synapses of a weight.
type Port = (&'static str, fn(f64) -> bool);

/// NEST's parameter name → ours and the unit.
const NAMES: [(&str, &str, &str); 11] = [
    ("c_m_pf", "c_m", "pF"),
    ("t_ref_ms", "t_ref", "ms"),
    ("e_l_mv", "e_l", "mV"),
    ("v_th_mv", "v_th", "mV"),
    ("v_reset_mv", "v_reset", "mV"),
    ("tau_m_ms", "tau_m", "ms"),
    ("tau_syn_ex_ms", "tau_ex", "ms"),
    ("tau_syn_in_ms", "tau_in", "ms"),
    ("g_l_ns", "g_l", "nS"),
    ("e_ex_mv", "e_ex", "mV"),
    ("e_in_mv", "e_in", "mV"),
];

fn reference(model: &str, integrator: Option<&str>) -> Reference {
    let json: Value =
        serde_json::from_str(&harness::read(&format!("tests/golden/nest/{model}.json"))).unwrap();
    let n = json["n"].as_u64().unwrap();
    let dt_ms = json["dt_ms"].as_f64().unwrap();
    let duration_ms = dt_ms * json["steps"].as_f64().unwrap();
    let mut population = Population::new(model, n)
        .parameter("i_e", json!(quantities(&json["i_e_pa"], "pA")))
        .initial("v", json!(quantities(&json["v0_mv"], "mV")));
    for (theirs, ours, unit) in NAMES {
        if let Some(x) = json["parameters"].get(theirs) {
            population = population.parameter(ours, format!("{x} {unit}"));
        }
    }
    if let Some(name) = integrator {
        let named = rheobase::equations::model::Integrator::from_name(name).unwrap();
        population = population.integrator(named);
    }
    let mut network = Network::builder(model)
        .dt(format!("{dt_ms} ms"))
        .duration(format!("{duration_ms} ms"))
        .precision(rheobase::equations::real::Precision::F64)
        .population("n", population)
        .monitor(Monitor::spikes("n"));
    for projection in projections(model, &json, dt_ms) {
        network = network.projection(projection);
    }
    Reference {
        network: network.build().unwrap(),
        json,
    }
}

/// Positive weights go to `ex`, negative ones to `in` (their size, for conductances); delta synapses
/// have one port.
fn projections(model: &str, json: &Value, dt_ms: f64) -> Vec<Projection> {
    let c = &json["connections"];
    let (weights, delays) = (numbers(&c["weight"]), numbers(&c["delay_steps"]));
    let unit = match json["weight_unit"].as_str().unwrap() {
        "mv" => "mV",
        "pa" => "pA",
        _ => "nS",
    };
    let ports: &[Port] = if model == "iaf_psc_delta" {
        &[("delta", |_| true)]
    } else {
        &[("ex", |w| w > 0.0), ("in", |w| w <= 0.0)]
    };
    ports
        .iter()
        .map(|(port, takes)| {
            let rows: Vec<usize> = (0..weights.len()).filter(|&k| takes(weights[k])).collect();
            let pick =
                |name: &str| -> Vec<Value> { rows.iter().map(|&k| c[name][k].clone()).collect() };
            let sign = if model == "iaf_cond_exp" && *port == "in" {
                -1.0
            } else {
                1.0
            };
            let weight: Vec<String> = rows
                .iter()
                .map(|&k| format!("{} {unit}", sign * weights[k]))
                .collect();
            let delay: Vec<String> = rows
                .iter()
                .map(|&k| format!("{} ms", delays[k] * dt_ms))
                .collect();
            Projection::new("n", "n")
                .port(*port)
                .rule("explicit")
                .argument("sources", json!(pick("source")))
                .argument("targets", json!(pick("target")))
                .argument("weights", json!(weight))
                .argument("delays", json!(delay))
        })
        .collect()
}

fn spikes_of(reference: &Reference, threads: usize) -> Vec<(u64, u32)> {
    let (_, recording) = harness::run::<f64>(harness::plan(&reference.network), threads);
    let spikes = &recording.spikes[0].1;
    spikes
        .steps
        .iter()
        .copied()
        .zip(spikes.neurons.iter().copied())
        .collect()
}

fn nest_spikes(json: &Value) -> Vec<(u64, u32)> {
    let s = &json["spikes"];
    let steps = s["step"]
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_u64().unwrap());
    let neurons = s["neuron"]
        .as_array()
        .unwrap()
        .iter()
        .map(|x| u32::try_from(x.as_u64().unwrap()).unwrap());
    steps.zip(neurons).collect()
}

fn same_spike_steps(model: &str) {
    let reference = reference(model, None);
    let expected = nest_spikes(&reference.json);
    assert!(expected.len() >= 500);
    for threads in [1, 2, 3] {
        let found = spikes_of(&reference, threads);
        let first = found.iter().zip(&expected).position(|(a, b)| a != b);
        assert_eq!(
            first.map(|k| (found[k], expected[k])),
            None,
            "first difference, {threads} threads"
        );
        assert_eq!(found.len(), expected.len());
    }
    println!(
        "{model}: {} spikes at the steps of NEST 3.10.0",
        expected.len()
    );
}

#[test]
fn iaf_psc_delta_gives_the_spike_steps_of_nest() {
    same_spike_steps("iaf_psc_delta");
}

#[test]
fn iaf_psc_exp_gives_the_spike_steps_of_nest() {
    same_spike_steps("iaf_psc_exp");
}

#[test]
fn iaf_psc_alpha_gives_the_spike_steps_of_nest() {
    same_spike_steps("iaf_psc_alpha");
}

/// NEST integrates `iaf_cond_exp` by one Runge–Kutta–Fehlberg step per dt, so ours by RK4 is
/// expected at the same steps, and ours by the default integrator close to them.
#[test]
fn iaf_cond_exp_follows_nest() {
    let rk4 = reference("iaf_cond_exp", Some("rk4"));
    let expected = nest_spikes(&rk4.json);
    let found = spikes_of(&rk4, 1);
    let same = found
        .iter()
        .zip(&expected)
        .take_while(|(a, b)| a == b)
        .count();
    println!(
        "iaf_cond_exp, rk4: the first {same} of {} spikes at NEST's steps",
        expected.len()
    );
    assert_eq!(found, expected);

    let default = reference("iaf_cond_exp", None);
    let found = spikes_of(&default, 1);
    let dt_ms = default.json["dt_ms"].as_f64().unwrap();
    for k in 0..10 {
        assert_eq!(found[k].1, expected[k].1, "spike {k}");
        #[allow(clippy::cast_precision_loss, reason = "a few steps")]
        let distance_ms = found[k].0.abs_diff(expected[k].0) as f64 * dt_ms;
        assert!(distance_ms <= 0.1, "spike {k} is {distance_ms} ms off");
    }
}
