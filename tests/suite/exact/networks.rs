//! Recurrent networks against references made by other programs: an event simulator in 113-bit
//! arithmetic, and the precise-timing models of NEST.

use rheobase::engine::network::Network;
use serde_json::{Value, json};

use super::{build, times};
use crate::harness::read;

fn golden(name: &str) -> Value {
    serde_json::from_str(&read(&format!("tests/golden/exact/{name}"))).unwrap()
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect()
}

fn with_unit(values: &[f64], unit: &str) -> Vec<String> {
    values.iter().map(|x| format!("{x} {unit}")).collect()
}

/// Connections of one sign as a projection onto a port. A delay is a number of ms, or of steps.
fn projection(
    case: &Value,
    port: &str,
    unit: &str,
    positive: Option<bool>,
    delay_unit_ms: f64,
) -> Value {
    let connections: Vec<Vec<f64>> = case["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(numbers)
        .filter(|c| positive.is_none_or(|p| (c[2] > 0.0) == p))
        .collect();
    assert!(connections.len() > 50);
    let column = |k: usize| connections.iter().map(|c| c[k]).collect::<Vec<f64>>();
    let index = |k: usize| column(k).iter().map(|x| *x as u64).collect::<Vec<u64>>();
    let delays: Vec<f64> = if delay_unit_ms == 1.0 {
        column(3)
    } else {
        column(3)
            .iter()
            .map(|k| k / (1.0 / delay_unit_ms).round())
            .collect()
    };
    json!({
        "source": "E", "target": "E", "port": port,
        "rule": { "explicit": {
            "sources": index(0), "targets": index(1),
            "weights": with_unit(&column(2), unit), "delays": with_unit(&delays, "ms"),
        }},
    })
}

/// Up to this time the reference holds all spikes: where it ends early, a copy nudged by 1e-13 mV
/// fires 1e-10 ms apart from there on.
fn end_ms(case: &Value) -> f64 {
    case["t_end_ms"].as_f64().unwrap()
}

/// A description of a case; units are in the names of its parameters.
fn description(case: &Value, model: &str, delay_unit_ms: f64, dt: &str) -> Network {
    let mut parameters = serde_json::Map::new();
    for (name, value) in case["parameters"].as_object().unwrap() {
        let (name, unit) = name.rsplit_once('_').unwrap();
        let unit = match unit {
            "pf" => "pF",
            "mv" => "mV",
            other => other,
        };
        parameters.insert(
            name.to_owned(),
            format!("{} {unit}", value.as_f64().unwrap()).into(),
        );
    }
    parameters.insert(
        "i_e".to_owned(),
        with_unit(&numbers(&case["i_e_pa"]), "pA").into(),
    );
    let projections = if model == "iaf_psc_delta" {
        vec![projection(case, "delta", "mV", None, delay_unit_ms)]
    } else {
        let of_sign = |port, positive| projection(case, port, "pA", Some(positive), delay_unit_ms);
        vec![of_sign("ex", true), of_sign("in", false)]
    };
    let network = json!({
        "name": model, "dt": dt, "time": "exact",
        "duration": format!("{} ms", end_ms(case).ceil()),
        "populations": { "E": {
            "model": model, "size": case["neurons"], "parameters": parameters,
            "initial": { "v": with_unit(&numbers(&case["v0_mv"]), "mV") },
        }},
        "projections": projections,
    });
    Network::from_json(&network.to_string(), "golden").unwrap_or_else(|e| panic!("{e}"))
}

/// Every spike of the reference, neuron by neuron, within `tolerance_ms`; the largest departure.
fn compare(case: &Value, network: &Network, threads: usize, tolerance_ms: f64) -> f64 {
    let mut simulation = build::<f64>(network, threads);
    let steps = simulation.plan().steps;
    simulation.advance_to(steps).unwrap();
    let recording = simulation.take_recording();
    let mut found = times(&simulation, &recording, "E");
    let mut expected: Vec<(f64, u32)> = case["spikes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s[0].as_f64().unwrap(), s[1].as_u64().unwrap() as u32))
        .collect();
    for list in [&mut found, &mut expected] {
        list.retain(|(t, _)| *t < end_ms(case) - tolerance_ms);
        list.sort_by(|a, b| a.1.cmp(&b.1).then(a.0.total_cmp(&b.0)));
    }
    assert!(expected.len() >= 500);
    assert_eq!(found.len(), expected.len());
    let mut largest = 0.0_f64;
    for (a, b) in found.iter().zip(&expected) {
        assert_eq!(a.1, b.1);
        largest = largest.max((a.0 - b.0).abs());
    }
    let name = &network.name;
    println!(
        "{name}, dt {}: {} spikes, largest departure {largest:.1e} ms",
        network.dt,
        found.len()
    );
    assert!(largest <= tolerance_ms, "{largest:e}");
    largest
}

#[test]
fn networks_fire_when_an_event_simulator_in_113_bits_says() {
    for (name, model) in [("exp", "iaf_psc_exp"), ("alpha", "iaf_psc_alpha")] {
        let case = golden(&format!("network_{name}.json"));
        for (dt, threads) in [
            ("0.1 ms", 1),
            ("0.1 ms", 3),
            ("0.5 ms", 2),
            ("0.03125 ms", 1),
        ] {
            compare(&case, &description(&case, model, 1.0, dt), threads, 1e-9);
        }
    }
}

#[test]
fn networks_fire_when_the_precise_models_of_nest_do() {
    let all = golden("nest_ps.json");
    for model in ["iaf_psc_exp", "iaf_psc_alpha", "iaf_psc_delta"] {
        let case = &all[format!("{model}_ps")]["network"];
        compare(case, &description(case, model, 0.1, "0.1 ms"), 2, 1e-9);
    }
}

/// One neuron per case, with parameters of its own; each event comes from a source of its own at its
/// own time, off the grid.
fn singles(group: &Value, model: &str) -> Network {
    let cases = group["cases"].as_array().unwrap();
    let column = |name: &str| {
        cases
            .iter()
            .map(|c| c[name].as_f64().unwrap())
            .collect::<Vec<f64>>()
    };
    let decay = |name: &str| {
        let first = |c: &Value| c[name][0].as_f64().unwrap();
        cases.iter().map(first).collect::<Vec<f64>>()
    };
    let mut parameters = serde_json::Map::new();
    for (name, unit) in [
        ("tau_m", "ms"),
        ("c_m", "pF"),
        ("e_l", "mV"),
        ("v_th", "mV"),
        ("v_reset", "mV"),
        ("t_ref", "ms"),
        ("i_e", "pA"),
    ] {
        parameters.insert(name.to_owned(), with_unit(&column(name), unit).into());
    }
    let delta = model == "iaf_psc_delta";
    if !delta {
        parameters.insert("tau_ex".to_owned(), with_unit(&decay("ex"), "ms").into());
        parameters.insert("tau_in".to_owned(), with_unit(&decay("inh"), "ms").into());
    }
    let mut events = Vec::new();
    for (neuron, case) in cases.iter().enumerate() {
        let list = case["events"].as_array().unwrap().iter().map(numbers);
        events.extend(list.map(|e| (neuron, e[0], e[1])));
    }
    let times: Vec<Value> = events
        .iter()
        .map(|e| json!([format!("{} ms", e.1)]))
        .collect();
    let onto = |port: &str, unit: &str, keep: &dyn Fn(f64) -> bool| {
        let numbered = events.iter().enumerate().filter(|(_, e)| keep(e.2));
        let kept: Vec<_> = numbered.map(|(k, e)| (k, e.0, e.2)).collect();
        let weights: Vec<f64> = kept.iter().map(|e| e.2).collect();
        json!({
            "source": "events", "target": "E", "port": port,
            "rule": { "explicit": {
                "sources": kept.iter().map(|e| e.0).collect::<Vec<_>>(),
                "targets": kept.iter().map(|e| e.1).collect::<Vec<_>>(),
                "weights": with_unit(&weights, unit), "delays": ["0 ms"],
            }},
        })
    };
    let projections = if delta {
        vec![onto("delta", "mV", &|_| true)]
    } else {
        vec![
            onto("ex", "pA", &|w| w > 0.0),
            onto("in", "pA", &|w| w <= 0.0),
        ]
    };
    let network = json!({
        "name": model, "duration": "60 ms", "time": "exact",
        "stimuli": { "events": { "model": "spike_times", "times": times, "exact": true } },
        "populations": { "E": {
            "model": model, "size": cases.len(), "parameters": parameters,
            "initial": { "v": with_unit(&column("v0"), "mV") },
        }},
        "projections": projections,
    });
    Network::from_json(&network.to_string(), "singles").unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn events_off_the_grid_act_at_their_own_times() {
    let all = golden("nest_ps.json");
    for model in ["iaf_psc_exp", "iaf_psc_alpha", "iaf_psc_delta"] {
        let group = &all[format!("{model}_ps")]["single"];
        let mut simulation = build::<f64>(&singles(group, model), 2);
        simulation.advance_to(600).unwrap();
        let recording = simulation.take_recording();
        let found = times(&simulation, &recording, "E");
        let mut largest = 0.0_f64;
        let mut spikes = 0;
        for (neuron, expected) in (0..).zip(group["exact_spikes_ms"].as_array().unwrap()) {
            let expected = numbers(expected);
            let own: Vec<f64> = found
                .iter()
                .filter(|f| f.1 == neuron)
                .map(|f| f.0)
                .collect();
            assert_eq!(
                own.len(),
                expected.len(),
                "{model} {neuron}: {own:?} {expected:?}"
            );
            let departures = own.iter().zip(&expected).map(|(a, b)| (a - b).abs());
            largest = departures.fold(largest, f64::max);
            spikes += own.len();
        }
        println!("{model}: {spikes} spikes, largest departure {largest:.1e} ms");
        assert!(spikes > 200 && largest < 1e-9, "{largest:e}");
    }
}
