//! What is wrong is said in one clear message, with its place: a contract, word for word.

mod entries;
mod wiring;

use super::fakes::registry;
use crate::network::{ErrorKind, Network, NetworkErrors};
use crate::plan::Plan;

/// Two populations on a cycle, a source, a drive, a layer between an input and a population.
const GOOD: &str = r#"
dt = "0.1 ms"
duration = "1 s"

[models]
leak = """
neuron leak
  parameter tau = 10 ms
  dv/dt = -v/tau : mV
  output mv = v
  spike when v >= 1 mV, reset v = 0"""

[populations.E]
model = "iaf_psc_exp"
size = 80
parameters = { tau_m = "10 ms" }
initial = { v = "-65 mV" }

[populations.I]
model = "iaf_psc_exp"
size = 20

[populations.readout]
model = "lif"
size = 10
emits = "h"

[stimuli.noise]
model = "poisson"
size = 50
rate = "8 Hz"

[stimuli.background]
model = "poisson_background"
target = "E"
port = "ex"
rate = "20 kHz"
weight = "1 pA"

[layers.fc]
model = "linear"
out_features = 10

[inputs.image]
shape = [784]

[[projections]]
source = "E"
target = "I"
port = "ex"
rule = { pairwise_bernoulli = { p = 0.1 } }
weight = "4 pA"
delay = "1.5 ms"

[[projections]]
source = "I"
target = "E"
port = "in"
rule = { fixed_indegree = { indegree = 5 } }
weight = "-20 pA"
delay = "0.5 ms"

[[edges]]
source = "image"
target = "fc"

[[edges]]
source = "fc"
target = "readout"

[[monitors]]
state = "E"
variables = ["v"]
neurons = [0, 1]
"#;

fn plan(text: &str) -> Result<Plan, NetworkErrors> {
    Network::from_toml(text, "bad.toml")?.resolve(&registry())
}

/// The good network with the first `old` replaced by `new`; `old` must be there.
fn changed(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "`{old}` is not in the good network");
    GOOD.replacen(old, new, 1)
}

/// (what is replaced, by what, the message).
type Case = (&'static str, &'static str, &'static str);

fn check(cases: &[Case]) {
    let mut wrong = String::new();
    for (old, new, expected) in cases {
        let found = match plan(&changed(old, new)) {
            Ok(_) => "no error".to_owned(),
            Err(errors) => errors.to_string(),
        };
        if found != *expected {
            wrong += &format!("\n{new}\n  expected: {expected}\n  found:    {found}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_good_network_is_good() {
    let plan = plan(GOOD).unwrap_or_else(|e| panic!("{e}"));
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
}

#[test]
fn texts_that_are_no_description() {
    let error = |text: &str| plan(text).map(drop).unwrap_err();
    let syntax = error("dt = ");
    assert_eq!(syntax.as_slice()[0].kind, ErrorKind::Syntax);
    assert_eq!(
        syntax.to_string(),
        "bad.toml: TOML parse error at line 1, column 6\n  |\n1 | dt = \n  |      ^\nstring values must be quoted, expected literal string"
    );
    let twice = error(
        "[populations.E]\nmodel = \"lif\"\nsize = 1\n[populations.E]\nmodel = \"lif\"\nsize = 1",
    );
    assert_eq!(twice.to_string().lines().last(), Some("duplicate key"));
    let json = |text: &str| {
        Network::from_json(text, "bad.json")
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        json("{"),
        "bad.json: EOF while parsing an object at line 1 column 1"
    );
    assert_eq!(json("[]"), "a network is a table, found []");
    assert_eq!(
        json("{\"populations\": {\"E\": {\"model\": \"lif\", \"size\": 1}, \"E\": {}}}"),
        "bad.json: `E` stands twice in one object at line 1 column 59"
    );
    assert_eq!(
        json("{\"duration\": 1e999}"),
        "bad.json: number out of range at line 1 column 18"
    );
}

#[test]
fn several_errors_are_reported_at_once() {
    let text = changed("size = 80", "size = 80\nintegrator = \"exact\"")
        .replace("weight = \"4 pA\"", "weight = \"4 mV\"")
        .replace("variables = [\"v\"]", "variables = [\"q\"]")
        .replace("p = 0.1", "p = 2");
    assert_eq!(
        plan(&text).map(drop).unwrap_err().to_string(),
        "projections[0].rule.pairwise_bernoulli.p: 2 is no probability\n\
         monitors[0].variables: unknown state variable `q`; expected v, i_ex, i_in or refractory_steps"
    );
}

#[test]
fn what_refers_to_something_broken_adds_no_error() {
    let text = changed("\"iaf_psc_exp\"", "\"nothing\"");
    let errors = plan(&text).map(drop).unwrap_err();
    assert_eq!(errors.as_slice().len(), 1, "{errors}");
    assert_eq!(errors.as_slice()[0].path.as_str(), "populations.E.model");
}

#[test]
fn long_lists_of_errors_are_cut() {
    let entries: String = (0..50).map(|i| format!("unheard_of_{i} = 1\n")).collect();
    let errors = plan(&entries).map(drop).unwrap_err();
    assert_eq!((errors.as_slice().len(), errors.count()), (20, 50));
    let shown = errors.to_string();
    assert_eq!(
        (shown.lines().count(), shown.lines().last()),
        (21, Some("… and 30 more"))
    );
}

#[test]
fn a_description_changed_by_a_program_is_checked_again() {
    let mut network = Network::from_toml(GOOD, "").unwrap();
    let errors = |network: &Network| {
        let errors = network.resolve(&registry()).map(drop).unwrap_err();
        errors
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    network.batch = 0;
    assert_eq!(
        errors(&network),
        "batch: 0 copies of the network hold nothing; 1 is the smallest batch"
    );
    network.batch = 1 << 31;
    assert_eq!(
        errors(&network),
        "populations.E.size: 80 elements times a batch of 2147483648 are more than 4294967295"
    );
    network.batch = 1;
    network.dt = "0".to_owned();
    assert_eq!(errors(&network), "dt: 0 is not above 0");
}

#[test]
fn small_texts_cannot_ask_for_much() {
    let message = |text: &str| {
        let errors = plan(text).map(drop).unwrap_err();
        errors
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let large = GOOD.replace("size = 80", "size = 2147483648");
    assert_eq!(
        message(&large.replace("neurons = [0, 1]", "")),
        "monitors[0].neurons: `neurons` is missing: not all 2147483648 can be recorded"
    );
    assert_eq!(
        message(&large.replace("[0, 1]", "{ first = 2000000000 }")),
        "monitors[0].neurons.first: at most 1048576 neurons can be recorded at once"
    );
    let many = GOOD.to_owned() + &"[[monitors]]\nspikes = \"I\"\n".repeat(1024);
    assert_eq!(
        message(&many),
        "monitors: there are more than 1024 monitors"
    );
    let names = vec!["\"E\""; 300].join(", ");
    let pairs = GOOD
        .replacen("source = \"E\"", &format!("source = [{names}]"), 1)
        .replacen("target = \"I\"", &format!("target = [{names}]"), 1);
    assert_eq!(
        message(&pairs),
        "projections[0]: there are more than 65536 edges"
    );
    let long = "x".repeat(1 << 20);
    assert_eq!(
        message(&changed("size = 80", &format!("{long} = 80"))),
        format!(
            "populations.E: unknown entry `{}…`; expected model, size, shape, integrator, options, surrogate, arithmetic, parameters, initial, learn, emits or time",
            "x".repeat(60)
        )
    );
    let wrong = vec!["\"1 mV\""; 100_000].join(", ");
    let list = changed("tau_m = \"10 ms\"", &format!("tau_m = [{wrong}]"));
    assert_eq!(plan(&list).map(drop).unwrap_err().count(), 100_000);
}
