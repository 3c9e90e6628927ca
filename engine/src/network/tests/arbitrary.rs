//! No text makes the reader panic or hang.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::fakes::registry;
use crate::network::Network;

/// Resolves whatever could be read.
fn drive(read: Result<Network, crate::network::NetworkErrors>) {
    match read {
        Ok(network) => {
            if let Ok(plan) = network.resolve(&registry()) {
                assert!(plan.estimate().synapses.is_finite());
            }
            let json = network.to_json().unwrap();
            assert_eq!(Network::from_json(&json, "").unwrap(), network);
        }
        Err(errors) => assert!(!errors.to_string().is_empty()),
    }
}

/// Entries and values as they occur in descriptions, in random places.
fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "name",
        "seed",
        "dt",
        "duration",
        "discard",
        "precision",
        "batch",
        "models",
        "populations",
        "stimuli",
        "layers",
        "inputs",
        "projections",
        "edges",
        "monitors",
        "model",
        "size",
        "shape",
        "parameters",
        "initial",
        "emits",
        "target",
        "port",
        "rate",
        "weight",
        "source",
        "rule",
        "delay",
        "round_delay",
        "spikes",
        "state",
        "variables",
        "neurons",
        "every",
        "first",
        "file",
        "uniform",
        "normal",
        "lognormal",
        "exponential",
        "mean",
        "sd",
        "mu",
        "sigma",
        "unit",
        "clip",
        "redraw",
        "all_to_all",
        "pairwise_bernoulli",
        "fixed_indegree",
        "explicit",
        "p",
        "indegree",
        "sources",
        "targets",
        "E",
        "I",
        "lif",
        "iaf_psc_exp",
        "poisson",
        "poisson_background",
        "linear",
        "out_features",
        "x",
        "v",
        "ex",
        "in",
        "tau_m",
        "integrator",
        "time",
        "exact",
        "adaptive",
        "rk4",
        "0.1 ms",
        "1 s",
        "-5 mV",
        "4 pA",
        "1e400 ms",
        "8 Hz",
        "",
        "é",
        "a.b",
        "0",
    ])
}

fn leaf() -> impl Strategy<Value = Json> {
    prop_oneof![
        word().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        (-4_i64..90).prop_map(Json::from),
        any::<f64>().prop_map(|x| json!(x)),
        any::<bool>().prop_map(Json::from),
        Just(Json::Null),
    ]
}

fn tree() -> impl Strategy<Value = Json> {
    leaf().prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec((word(), inner), 0..6).prop_map(|v| Json::Object(
                v.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
            )),
        ]
    })
}

/// A valid network with one random thing in a random place.
fn damaged() -> impl Strategy<Value = Json> {
    let base = json!({
        "populations": {
            "E": { "model": "iaf_psc_exp", "size": 8, "parameters": { "tau_m": "10 ms" } },
            "I": { "model": "lif", "size": 4 },
        },
        "stimuli": {
            "noise": { "model": "poisson", "size": 4, "rate": "8 Hz" },
            "back": { "model": "poisson_background", "target": "E", "port": "ex", "rate": "8 Hz", "weight": "1 pA" },
        },
        "layers": { "fc": { "model": "linear", "out_features": 4 } },
        "inputs": { "x": { "shape": [20] } },
        "projections": [{
            "source": "noise", "target": "E", "port": "ex",
            "rule": { "pairwise_bernoulli": { "p": 0.5 } }, "weight": "1 pA", "delay": "1 ms",
        }],
        "edges": [{ "source": "x", "target": "fc" }, { "source": "fc", "target": "I" }],
        "monitors": [{ "state": "E", "variables": ["v"], "neurons": [0] }],
    });
    let mut places = Vec::new();
    collect(&base, String::new(), &mut places);
    (prop::sample::select(places), tree()).prop_map(move |(place, new)| {
        let mut network = base.clone();
        if let Some(old) = network.pointer_mut(&place) {
            *old = new;
        }
        network
    })
}

fn collect(json: &Json, at: String, places: &mut Vec<String>) {
    match json {
        Json::Object(table) => {
            table
                .iter()
                .for_each(|(k, v)| collect(v, format!("{at}/{k}"), places));
        }
        Json::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(i, v)| collect(v, format!("{at}/{i}"), places));
        }
        _ => {}
    }
    places.push(at);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        drive(Network::from_toml(&text, "any.toml"));
        drive(Network::from_json(&text, "any.json"));
    }

    #[test]
    fn any_tree_of_known_words(tree in tree()) {
        let text = tree.to_string();
        drive(Network::from_json(&text, "any.json"));
        if let Ok(text) = toml::to_string(&tree) {
            drive(Network::from_toml(&text, "any.toml"));
        }
    }

    #[test]
    fn any_damage_to_a_good_network(network in damaged()) {
        drive(Network::from_json(&network.to_string(), "damaged.json"));
    }

    #[test]
    fn any_set(path in "[a-zA-Z.\\[\\]0-9]{0,20}", value in "\\PC{0,30}", tree in tree(), at in word(), below in word()) {
        let mut network = Network::from_toml("[populations.E]\nmodel = \"lif\"\nsize = 4", "").unwrap();
        let _ = network.set(&path, &value);
        let _ = network.set(&format!("{at}.{below}"), &tree.to_string());
        let _ = network.set(&format!("{at}.E.{below}"), &value);
        drive(Ok(network));
    }
}

#[test]
fn deep_nesting_is_refused() {
    for depth in [100, 1000, 100_000] {
        let json = format!("{{\"name\": {}1{}}}", "[".repeat(depth), "]".repeat(depth));
        drive(Network::from_json(&json, "deep.json"));
        let toml = format!("name = {}1{}", "[".repeat(depth), "]".repeat(depth));
        drive(Network::from_toml(&toml, "deep.toml"));
        let keys = format!("{}x = 1", "a.".repeat(depth));
        drive(Network::from_toml(&keys, "deep.toml"));
    }
}
