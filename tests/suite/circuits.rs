//! The circuits of `examples/`: every file resolves, and those from the literature hold the published
//! numbers.

use rheobase::engine::network::Network;
use rheobase::engine::plan::{EdgeKind, Node, NodeKind, Plan};
use rheobase::engine::port::Sides;
use rheobase::engine::value::{Shape, Value};
use rheobase::report::PopulationRecord;
use rheobase::run::{RunOptions, simulate};
use serde_json::Value as Json;

use crate::harness;

fn read(example: &str) -> Network {
    let path = harness::root().join("examples").join(example);
    Network::from_path(&path).unwrap_or_else(|e| panic!("{example}: {e}"))
}

fn with(example: &str, settings: &[(&str, &str)]) -> Plan {
    let mut network = read(example);
    for (name, value) in settings {
        network
            .set(name, value)
            .unwrap_or_else(|e| panic!("{example}: {e}"));
    }
    harness::plan(&network)
}

#[test]
fn every_example_resolves() {
    let mut seen = 0;
    for entry in std::fs::read_dir(harness::root().join("examples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".toml") {
            continue;
        }
        let scaled = read(&name).parameters.contains_key("scale");
        let settings: &[(&str, &str)] = if scaled { &[("scale", "0.02")] } else { &[] };
        for settings in [&[][..], settings] {
            let plan = with(&name, settings);
            assert!(plan.warnings.is_empty(), "{name}: {:?}", plan.warnings);
            // Circuits have synapses, networks that are trained have layers.
            let is_layer = |node: &Node| matches!(node.kind, NodeKind::Layer(_));
            let has_layers = plan.nodes.iter().any(is_layer);
            assert_eq!(read(&name).training.is_some(), has_layers, "{name}");
            assert!(has_layers || plan.estimate().synapses > 0.0, "{name}");
        }
        seen += 1;
    }
    assert!(seen >= 7, "{seen} examples");
}

fn sizes(plan: &Plan) -> Vec<usize> {
    plan.nodes.iter().map(|node| node.size()).collect()
}

fn expected_synapses(plan: &Plan, edge: usize) -> f64 {
    let edge = &plan.edges[edge];
    let count = |node: usize| u32::try_from(plan.nodes[node].size()).unwrap();
    let EdgeKind::Synapses(synapses) = &edge.kind else {
        panic!("{} has synapses", edge.name)
    };
    synapses.rule.expected_synapses(Sides {
        n_source: count(edge.source),
        n_target: count(edge.target),
        same: edge.source == edge.target,
    })
}

fn total_synapses(plan: &Plan) -> f64 {
    (0..plan.edges.len())
        .map(|i| expected_synapses(plan, i))
        .sum()
}

fn parameter(plan: &Plan, node: usize, name: &str) -> f64 {
    let NodeKind::Population(p) = &plan.nodes[node].kind else {
        panic!("{} is a population", plan.nodes[node].name)
    };
    let names = &p.neuron.ports().parameters;
    let index = names.iter().position(|q| q.name == name).unwrap();
    p.parameters[index].constant().unwrap()
}

fn normal(value: &Value) -> (f64, f64) {
    match value {
        Value::Drawn(d) => match d.shape {
            Shape::Normal { mean, sd } => (mean, sd),
            other => panic!("{other:?} is not normal"),
        },
        other => panic!("{other:?} is not drawn"),
    }
}

const PUBLISHED_SIZES: [usize; 8] = [20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948];

/// Potjans and Diesmann 2014, table 5; 298.88 million synapses in all.
#[test]
fn the_microcircuit_holds_the_published_numbers() {
    let plan = with("microcircuit.toml", &[("scale", "1")]);
    assert_eq!(sizes(&plan), PUBLISHED_SIZES);
    assert_eq!((plan.edges.len(), plan.drives.len()), (55, 8));
    let total = total_synapses(&plan);
    println!("microcircuit: {total} synapses");
    assert!((total / 298.88e6 - 1.0).abs() < 1e-3);
    for node in 0..8 {
        assert_eq!(
            parameter(&plan, node, "i_e").to_bits(),
            0_f64.to_bits(),
            "at scale 1 nothing is to be made up for"
        );
    }
    let mut doubled = 0;
    for edge in &plan.edges {
        let EdgeKind::Synapses(s) = &edge.kind else {
            panic!("{} has synapses", edge.name)
        };
        let excitatory = plan.nodes[edge.source].name.ends_with('E');
        let is_doubled = (edge.source, edge.target) == (2, 0);
        doubled += u32::from(is_doubled);
        let mean = match (excitatory, is_doubled) {
            (true, false) => 87.8,
            (true, true) => 175.6,
            (false, _) => -351.2,
        };
        let (found, sd) = normal(&s.weight);
        assert!((found / mean - 1.0).abs() < 1e-12, "{}: {found}", edge.name);
        assert!(
            (sd / (0.1 * mean.abs()) - 1.0).abs() < 1e-12,
            "{}",
            edge.name
        );
        assert_eq!(edge.port, usize::from(!excitatory));
        let delay = if excitatory {
            (1.5, 0.75)
        } else {
            (0.75, 0.375)
        };
        assert_eq!(normal(&s.delay), delay, "{}", edge.name);
        let (Value::Drawn(weight), Value::Drawn(delay)) = (&s.weight, &s.delay) else {
            panic!("both are drawn")
        };
        let bounds = weight.bounds.unwrap();
        let sign = if excitatory { bounds.low } else { bounds.high };
        assert!(bounds.redraw && sign.abs() < f64::MIN_POSITIVE);
        assert_eq!(delay.bounds.map(|b| (b.low, b.redraw)), Some((0.05, true)));
    }
    assert_eq!(doubled, 1);
}

/// Numbers of synapses against the table of probabilities, where the shared data are there.
#[test]
fn the_microcircuit_agrees_with_the_table_of_probabilities() {
    let Some(folder) = std::env::var_os("RHEOBASE_DATA") else {
        println!("skipped: RHEOBASE_DATA is not set");
        return;
    };
    let path = std::path::Path::new(&folder).join("data/microcircuit.json");
    let table: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let plan = with("microcircuit.toml", &[("scale", "1")]);
    for (i, edge) in plan.edges.iter().enumerate() {
        let rows = &table["connection_probability[target][source]"];
        let p = rows[edge.target][edge.source].as_f64().unwrap();
        let pairs = (PUBLISHED_SIZES[edge.target] * PUBLISHED_SIZES[edge.source]) as f64;
        let expected = ((1.0 - p).ln() / (-1.0 / pairs).ln_1p()).round();
        assert_eq!(expected_synapses(&plan, i), expected, "{}", edge.name);
    }
    for (node, population) in plan.nodes.iter().take(8).enumerate() {
        let NodeKind::Population(p) = &population.kind else {
            panic!("{} is a population", population.name)
        };
        let v0 = &table["initial_v_mv_per_population"];
        let number = |what: &str| v0[what][node].as_f64().unwrap();
        assert_eq!(normal(&p.initial[0].1), (number("mean"), number("sd")));
    }
}

fn oracle() -> Json {
    serde_json::from_str(&harness::read("tests/golden/nest/microcircuit.json")).unwrap()
}

/// Down-scaled sizes, synapses, weights and currents against those a program of its own computed.
#[test]
fn the_microcircuit_scales_down_as_published() {
    let oracle = oracle();
    let scale = oracle["scale"].as_f64().unwrap();
    let plan = with("microcircuit.toml", &[("scale", &scale.to_string())]);
    let n: usize = sizes(&plan).iter().sum();
    assert_eq!(Some(n as u64), oracle["neurons"].as_u64());
    let total = oracle["synapses"].as_f64().unwrap();
    assert!((total_synapses(&plan) - total).abs() < 0.5);
    for node in 0..8 {
        let name = &plan.nodes[node].name;
        let expected = oracle["current_pa"][name.as_str()].as_f64().unwrap();
        let found = parameter(&plan, node, "i_e");
        assert!(
            (found / expected - 1.0).abs() < 1e-12,
            "{name}: {found} {expected}"
        );
    }
    let EdgeKind::Synapses(s) = &plan.edges[0].kind else {
        panic!("a projection has synapses")
    };
    let (mean, _) = normal(&s.weight);
    assert!((mean * scale.sqrt() / 87.8 - 1.0).abs() < 1e-12);

    // The constant background stands for Poisson input of the same mean.
    let constant = with("microcircuit.toml", &[("poisson", "0")]);
    let added = parameter(&constant, 0, "i_e") - parameter(&plan, 0, "i_e");
    let mean = 0.5 * 0.008 * 1600.0 * scale * 87.8 / scale.sqrt();
    assert!((added / mean - 1.0).abs() < 1e-12, "{added} {mean}");
}

/// A quantity of the oracle and ours.
type Quantity = (&'static str, fn(&PopulationRecord) -> f64);

const QUANTITIES: [Quantity; 3] = [
    ("rate_hz", |s| s.rate_hz),
    ("cv_isi", |s| s.cv_isi.unwrap()),
    ("synchrony", |s| s.synchrony.unwrap()),
];

fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|x| (x - mean) * (x - mean));
    (mean, squares.sum::<f64>() / (n - 1.0))
}

/// A tenth of the microcircuit against NEST, five networks each (seeds 1 … 5) over the same window.
/// Means may differ by 5 standard errors of their difference, from the pooled variance of the ten
/// networks: under a normal law 1 of 1,000 comparisons with 8 degrees of freedom would fail; of the 24
/// here one in forty runs of other seeds.
#[test]
fn a_tenth_of_the_microcircuit_behaves_as_in_nest() {
    let oracle = oracle();
    let nest = oracle["per_seed"].as_array().unwrap();
    let window = oracle["window_ms"].as_f64().unwrap();
    let discard = oracle["discarded_ms"].as_f64().unwrap();
    let mut ours: Vec<Vec<PopulationRecord>> = Vec::new();
    for seed in 1..=nest.len() {
        let mut network = read("microcircuit.toml");
        for (entry, value) in [
            ("seed", seed.to_string()),
            ("duration", format!("{} ms", discard + window)),
            ("discard", format!("{discard} ms")),
        ] {
            network.set(entry, &value).unwrap();
        }
        let options = RunOptions {
            threads: 1,
            ..RunOptions::default()
        };
        let run = simulate(&network, &options).unwrap();
        ours.push(run.record.populations);
    }
    let names = ["L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I"];
    let mut wrong = String::new();
    for (k, name) in names.into_iter().enumerate() {
        for (quantity, of) in QUANTITIES {
            let found: Vec<f64> = ours.iter().map(|seed| of(&seed[k])).collect();
            let theirs = nest.iter().map(|s| s[name][quantity].as_f64().unwrap());
            let theirs: Vec<f64> = theirs.collect();
            let ((a, va), (b, vb)) = (mean_and_variance(&found), mean_and_variance(&theirs));
            let error = ((va + vb) / found.len() as f64).sqrt();
            let off = (a - b) / error;
            println!("{name} {quantity}: {a:.3}, NEST {b:.3}, {off:+.1} standard errors");
            if off.abs() > 5.0 {
                wrong += &format!("{name} {quantity}: {a} against {b}\n");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The weight from the peak of the postsynaptic potential, and the rate at the threshold, as the
/// published script computes them (its figures: 45.61 pA; 11,250 synapses per neuron).
#[test]
fn the_hpc_benchmark_holds_the_published_numbers() {
    let plan = with("hpc_benchmark.toml", &[]);
    assert_eq!(sizes(&plan), [9000, 2250]);
    assert!((total_synapses(&plan) - 11_250.0 * 11_250.0).abs() < 0.5);
    let weights: Vec<f64> = plan
        .edges
        .iter()
        .map(|edge| match &edge.kind {
            EdgeKind::Synapses(s) => s.weight.constant().unwrap(),
            EdgeKind::Identity { .. } => panic!("{} has synapses", edge.name),
        })
        .collect();
    // Lambert's function gives the time of the peak; the weight is flat there.
    assert!(
        (weights[0] / 45.609_600_316_540_96 - 1.0).abs() < 1e-12,
        "{weights:?}"
    );
    assert!((weights[2] / weights[0] + 5.0).abs() < 1e-12, "{weights:?}");
    let larger = with("hpc_benchmark.toml", &[("scale", "2")]);
    assert_eq!(sizes(&larger), [18_000, 4500]);
    assert!((total_synapses(&larger) - 22_500.0 * 11_250.0).abs() < 0.5);
}

#[test]
fn brunel_with_a_hundred_thousand_neurons_keeps_its_in_degree() {
    let plan = with("brunel_100k.toml", &[]);
    assert_eq!(sizes(&plan), [80_000, 20_000]);
    assert!((total_synapses(&plan) - 1.25e8).abs() < 0.5);
    let small = with("brunel_100k.toml", &[("neurons", "12500")]);
    assert!((total_synapses(&small) - total_synapses(&with("brunel.toml", &[]))).abs() < 0.5);
}
