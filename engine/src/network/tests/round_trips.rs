//! TOML, JSON and programs say the same.

use rheobase_equations::model::Integrator;
use rheobase_equations::real::Precision;
use serde_json::json;

use super::fakes::registry;
use crate::network::values::{exponential, lognormal, normal, uniform};
use crate::network::{Edge, Input, Layer, Monitor, Network, Population, Projection, Stimulus};

const TOML: &str = r#"
name = "all of it"
seed = 7
dt = "0.5 ms"
duration = "100 ms"
discard = "10 ms"
precision = "f64"
batch = 3

[models]
leak = """
neuron leak
  parameter tau = 10 ms
  dv/dt = -v/tau : mV
  input syn(w : mV): v += w
  spike when v >= 1 mV, reset v = 0"""

[populations.E]
model = "iaf_psc_exp"
size = 4
integrator = "rk4"
parameters = { tau_m = { normal = { mean = "10 ms", sd = "1 ms" }, clip = ["5 ms", "15 ms"] }, i_e = ["1 pA", "2 pA", "3 pA", "4 pA"] }
initial = { v = { uniform = ["-60 mV", "-50 mV"] } }

[populations.L]
model = "leak"
shape = [2, 3]

[populations.lif1]
model = "lif"
size = 5
emits = "h"

[stimuli.background]
model = "poisson_background"
target = ["E"]
port = "ex"
rate = "20 kHz"
weight = "0.1 pA"

[stimuli.noise]
model = "poisson"
size = 100
rate = "8 Hz"

[layers.fc1]
model = "linear"
out_features = 5

[inputs.x]
shape = [20]

[inputs.s]
shape = [6]
kind = "spikes"

[[projections]]
source = ["noise", "L"]
target = "E"
port = "ex"
rule = { fixed_indegree = { indegree = 2, multapses = true } }
weight = { lognormal = { mu = 0.5, sigma = 0.25, unit = "pA" } }
delay = { exponential = { mean = "2 ms" } }

[[projections]]
source = "noise"
target = "L"
rule = "all_to_all"
weight = "1 mV"
delay = "0.7 ms"
learnable = false
round_delay = true

[[edges]]
source = "x"
target = "fc1"

[[edges]]
source = "fc1"
target = "lif1"
port = "x"
delay = "1 ms"

[[edges]]
source = "s"
target = "L"
delay = "0.3 ms"
round_delay = true

[[monitors]]
spikes = ["E", "L"]

[[monitors]]
state = "E"
variables = ["v", "i_ex"]
neurons = [0, 2]
every = "1 ms"

[[monitors]]
state = "lif1"
variables = ["v"]
neurons = { first = 2 }
"#;

fn built() -> Network {
    let leak = "neuron leak\n  parameter tau = 10 ms\n  dv/dt = -v/tau : mV\n  \
                input syn(w : mV): v += w\n  spike when v >= 1 mV, reset v = 0";
    Network::builder("all of it")
        .seed(7)
        .dt("0.5 ms")
        .duration("100 ms")
        .discard("10 ms")
        .precision(Precision::F64)
        .batch(3)
        .model("leak", leak)
        .population(
            "E",
            Population::new("iaf_psc_exp", 4)
                .integrator(Integrator::RungeKutta4)
                .parameter("tau_m", normal("10 ms", "1 ms").clip("5 ms", "15 ms"))
                .parameter("i_e", json!(["1 pA", "2 pA", "3 pA", "4 pA"]))
                .initial("v", uniform("-60 mV", "-50 mV")),
        )
        .population("L", Population::new("leak", 1).shape([2, 3]))
        .population("lif1", Population::new("lif", 5).emits("h"))
        .stimulus(
            "background",
            Stimulus::new("poisson_background")
                .target(["E"])
                .port("ex")
                .argument("rate", "20 kHz")
                .argument("weight", "0.1 pA"),
        )
        .stimulus(
            "noise",
            Stimulus::new("poisson").size(100).argument("rate", "8 Hz"),
        )
        .layer("fc1", Layer::new("linear").argument("out_features", 5))
        .input("x", Input::real([20]))
        .input("s", Input::spikes([6]))
        .projection(
            Projection::new(["noise", "L"], "E")
                .port("ex")
                .rule("fixed_indegree")
                .argument("indegree", 2)
                .argument("multapses", true)
                .weight(lognormal(0.5, 0.25, "pA"))
                .delay(exponential("2 ms")),
        )
        .projection(
            Projection::new("noise", "L")
                .weight("1 mV")
                .delay("0.7 ms")
                .round_delay()
                .learnable(false),
        )
        .edge(Edge::new("x", "fc1"))
        .edge(Edge::new("fc1", "lif1").port("x").delay("1 ms"))
        .edge(Edge::new("s", "L").delay("0.3 ms").round_delay())
        .monitor(Monitor::spikes(["E", "L"]))
        .monitor(
            Monitor::state("E", ["v", "i_ex"])
                .neurons([0, 2])
                .every("1 ms"),
        )
        .monitor(Monitor::state("lif1", ["v"]).first(2))
        .build()
        .unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn toml_json_and_builder_are_one() {
    let read = Network::from_toml(TOML, "all.toml").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(read, built());
    let json = read.to_json().unwrap();
    assert_eq!(Network::from_json(&json, "all.json").unwrap(), read);
    let toml = read.to_toml().unwrap();
    assert_eq!(
        Network::from_toml(&toml, "again.toml").unwrap(),
        read,
        "{toml}"
    );
}

#[test]
fn order_survives() {
    let names = ["zeta", "alpha", "mid", "beta"];
    let text: String = names
        .iter()
        .map(|n| format!("[populations.{n}]\nmodel = \"lif\"\nsize = 1\n"))
        .collect();
    let network = Network::from_toml(&text, "").unwrap();
    let again = Network::from_json(&network.to_json().unwrap(), "").unwrap();
    let once_more = Network::from_toml(&again.to_toml().unwrap(), "").unwrap();
    for n in [&network, &again, &once_more] {
        assert_eq!(n.populations.keys().collect::<Vec<_>>(), names);
    }
    let plan = network.resolve(&registry()).unwrap();
    let planned: Vec<_> = plan.nodes.iter().map(|n| n.name.as_str()).collect();
    assert_eq!(planned, names);
}

#[test]
fn everything_in_it_resolves() {
    let plan = built()
        .resolve(&registry())
        .unwrap_or_else(|e| panic!("{e}"));
    let nodes: Vec<_> = plan
        .nodes
        .iter()
        .map(|n| (n.name.as_str(), n.shape.clone()))
        .collect();
    assert_eq!(
        nodes,
        [
            ("E", vec![4]),
            ("L", vec![2, 3]),
            ("lif1", vec![5]),
            ("noise", vec![100]),
            ("fc1", vec![5]),
            ("x", vec![20]),
            ("s", vec![6]),
        ]
    );
    assert_eq!((plan.steps, plan.discard_steps, plan.batch), (200, 20, 3));
    assert_eq!(plan.edges.len(), 6);
    assert_eq!(
        plan.warnings,
        [
            "projections[1].delay: 0.7 ms is rounded to 1 steps",
            "edges[2].delay: 0.3 ms is rounded to 1 steps",
        ]
    );
}
