//! The networks in `examples/`.

use std::path::Path as FilePath;

use rheobase_equations::model::Integrator;

use super::fakes::registry;
use crate::network::{Network, json_schema};
use crate::plan::{EdgeKind, Monitor, NodeKind, Plan};
use crate::value::{Distribution, Shape, Value};

fn read(name: &str) -> Network {
    let path = FilePath::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .join(name);
    Network::from_path(&path).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn plan(name: &str) -> Plan {
    read(name)
        .resolve(&registry())
        .unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[test]
fn coba_is_planned_as_published() {
    let plan = plan("coba.toml");
    assert_eq!(
        (plan.name.as_str(), plan.steps, plan.batch, plan.seed),
        ("COBA", 10_000, 1, 1)
    );
    let sizes: Vec<_> = plan
        .nodes
        .iter()
        .map(|n| (n.name.as_str(), n.size()))
        .collect();
    assert_eq!(sizes, [("E", 3200), ("I", 800)]);
    let names: Vec<_> = plan.edges.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "E -> E (projections[0])",
            "E -> I (projections[0])",
            "I -> E (projections[1])",
            "I -> I (projections[1])",
        ]
    );
    let NodeKind::Population(e) = &plan.nodes[0].kind else {
        panic!("E is a population")
    };
    assert_eq!(e.integrator, Integrator::ExponentialEuler);
    let c_m = e
        .neuron
        .ports()
        .parameters
        .iter()
        .position(|q| q.name == "c_m")
        .unwrap();
    assert_eq!(e.parameters[c_m], Value::Constant(200.0));
    let uniform = Shape::Uniform {
        low: -60.0,
        high: -50.0,
    };
    let drawn = Value::Drawn(Distribution {
        shape: uniform,
        bounds: None,
    });
    assert_eq!(e.initial, [(0, drawn)]);
    let ports: Vec<_> = plan.edges.iter().map(|e| e.port).collect();
    assert_eq!(ports, [0, 0, 1, 1]);
    for edge in &plan.edges {
        let EdgeKind::Synapses(s) = &edge.kind else {
            panic!("{} has synapses", edge.name)
        };
        assert_eq!((s.delay.constant(), s.min_delay_steps), (Some(0.1), 1));
    }
    assert_eq!(
        plan.monitors,
        [Monitor::Spikes { node: 0 }, Monitor::Spikes { node: 1 }]
    );
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
    let estimate = plan.estimate();
    assert_eq!(estimate.neurons, 4000);
    assert!(
        (estimate.synapses - 320_000.0).abs() < 1e-6,
        "{}",
        estimate.synapses
    );
}

#[test]
fn every_example_resolves() {
    for name in [
        "coba.toml",
        "cuba.toml",
        "brunel.toml",
        "inline_izhikevich.toml",
    ] {
        let plan = plan(name);
        assert!(plan.warnings.is_empty(), "{name}: {:?}", plan.warnings);
    }
    assert_eq!(plan("brunel.toml").drives.len(), 2);
    let inline = plan("inline_izhikevich.toml");
    let NodeKind::Population(e) = &inline.nodes[0].kind else {
        panic!("E is a population")
    };
    assert_eq!(
        (e.integrator, e.neuron.ports().n_normals),
        (Integrator::Euler, 1)
    );
}

#[test]
fn the_json_schema_in_docs_is_current() {
    let path = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../docs/network.schema.json");
    let current = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
    if std::env::var_os("RHEOBASE_MINT").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(
        committed == current,
        "docs/network.schema.json is out of date; RHEOBASE_MINT=1 cargo test writes it"
    );
}
