//! What is wrong is said in one clear message, with its place: a contract, word for word.

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
out = 10

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
fn names_that_refer_to_nothing() {
    check(&[
        (
            "source = \"E\"",
            "source = \"X\"",
            "projections[0].source: unknown node `X`; expected E, I, readout, noise, background, fc or image",
        ),
        (
            "target = \"readout\"",
            "target = \"redout\"",
            "edges[1].target: unknown node `redout`; did you mean `readout`?",
        ),
        (
            "port = \"in\"",
            "port = \"inh\"",
            "projections[1].port: unknown port `inh`; did you mean `in`?",
        ),
        (
            "tau_m = \"10 ms\"",
            "taum = \"10 ms\"",
            "populations.E.parameters: unknown parameter `taum`; did you mean `tau_m`?",
        ),
        (
            "{ v = \"-65 mV\" }",
            "{ V_m = \"-65 mV\" }",
            "populations.E.initial: unknown state variable `V_m`; expected v, i_ex, i_in or refractory_steps",
        ),
        (
            "\"iaf_psc_exp\"",
            "\"iaf_psc_expp\"",
            "populations.E.model: unknown neuron `iaf_psc_expp`; did you mean `iaf_psc_exp`?",
        ),
        (
            "pairwise_bernoulli",
            "pairwise_bernouli",
            "projections[0].rule: unknown connectivity rule `pairwise_bernouli`; did you mean `pairwise_bernoulli`?",
        ),
        (
            "\"poisson\"",
            "\"gauss\"",
            "stimuli.noise.model: unknown stimulus `gauss`; expected poisson_background, constant_current, poisson or spike_times",
        ),
        (
            "\"linear\"",
            "\"liner\"",
            "layers.fc.model: unknown layer `liner`; did you mean `linear`?",
        ),
        (
            "variables = [\"v\"]",
            "variables = [\"w\"]",
            "monitors[0].variables: unknown state variable `w`; expected v, i_ex, i_in or refractory_steps",
        ),
        (
            "emits = \"h\"",
            "emits = \"g\"",
            "populations.readout.emits: unknown real-valued output `g`; expected h",
        ),
        (
            "state = \"E\"",
            "state = \"F\"",
            "monitors[0].state: unknown node `F`; expected E, I, readout, noise, background, fc or image",
        ),
    ]);
}

#[test]
fn entries_that_do_not_belong() {
    check(&[
        (
            "size = 80",
            "sise = 80",
            "populations.E: unknown entry `sise`; did you mean `size`?",
        ),
        (
            "dt = ",
            "timestep = \"1 ms\"\ndt = ",
            "unknown entry `timestep`; expected name, seed, dt, duration, discard, precision, batch, models, populations, stimuli, layers, inputs, projections, edges or monitors",
        ),
        ("size = 80", "", "populations.E: `size` is missing"),
        (
            "size = 80",
            "size = 80\nshape = [8, 10]",
            "populations.E: give `size` or `shape`, not both",
        ),
        (
            "size = 80",
            "size = 0",
            "populations.E.size: expected a whole number from 1 to 2147483648, found 0",
        ),
        (
            "size = 80",
            "size = 3000000000",
            "populations.E.size: expected a whole number from 1 to 2147483648, found 3000000000",
        ),
        (
            "size = 80",
            "shape = [65536, 65536]",
            "populations.E.shape: a node has from 1 to 2147483648 elements",
        ),
        (
            "size = 80",
            "size = \"80\"",
            "populations.E.size: expected a whole number from 1 to 2147483648, found \"80\"",
        ),
        (
            "dt = ",
            "batch = 0\ndt = ",
            "batch: expected a whole number from 1 to 1048576, found 0",
        ),
        (
            "dt = ",
            "precision = \"f16\"\ndt = ",
            "precision: unknown choice `f16`; expected f32 or f64",
        ),
        (
            "model = \"lif\"",
            "model = \"lif\"\nintegrator = \"rk5\"",
            "populations.readout.integrator: unknown choice `rk5`; did you mean `rk4`?",
        ),
        (
            "p = 0.1",
            "p = 0.1, q = 2",
            "projections[0].rule.pairwise_bernoulli: unknown argument `q`; expected p or autapses",
        ),
        (
            "{ p = 0.1 }",
            "{ }",
            "projections[0].rule.pairwise_bernoulli: `p` is missing: probability of a synapse",
        ),
        (
            "p = 0.1",
            "p = 1.5",
            "projections[0].rule.pairwise_bernoulli.p: 1.5 is no probability",
        ),
        (
            "rule = { pairwise_bernoulli = { p = 0.1 } }",
            "",
            "projections[0]: `rule` is missing: who is connected with whom",
        ),
        (
            "rule = { pairwise_bernoulli = { p = 0.1 } }",
            "rule = { p = 0.1 }",
            "projections[0].rule: expected the name of a rule, or { name = { arguments } }, found {\"p\":0.1}",
        ),
        (
            "state = \"E\"",
            "spikes = \"E\"",
            "monitors[0]: `variables` belongs to a monitor of `state`",
        ),
        (
            "state = \"E\"",
            "state = \"E\"\nspikes = \"I\"",
            "monitors[0]: give `spikes` or `state`, not both: they are two monitors",
        ),
        (
            "[populations.I]",
            "[populations.\"I/2\"]",
            "populations.\"I/2\": \"I/2\" is no name: names are up to 128 letters, digits, `_` and `-`",
        ),
        (
            "[layers.fc]",
            "[layers.noise]",
            "layers.noise: the name `noise` is taken by another population, stimulus, layer or input\nlayers.noise: no edge leads to it\nedges[0].target: unknown node `fc`; expected E, I, readout, noise, background or image\nedges[1].source: unknown node `fc`; expected E, I, readout, noise, background or image",
        ),
    ]);
}

#[test]
fn quantities_that_cannot_be_used() {
    check(&[
        (
            "tau_m = \"10 ms\"",
            "tau_m = \"10 mV\"",
            "populations.E.parameters.tau_m: expected a quantity in ms, found \"10 mV\"",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = 10",
            "populations.E.parameters.tau_m: the number 10 has no unit; write \"10 ms\"",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = nan",
            "populations.E.parameters.tau_m: NaN is not finite",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = inf",
            "populations.E.parameters.tau_m: inf is not finite",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = \"1e999 ms\"",
            "populations.E.parameters.tau_m: `1e999 ms` is no quantity: this number is too large",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = \"10 msec\"",
            "populations.E.parameters.tau_m: `10 msec` is no quantity: unknown unit `msec`; to multiply, write `10*msec`",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = \"\"",
            "populations.E.parameters.tau_m: `` is no quantity: expected an expression, found the end of the line",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = true",
            "populations.E.parameters.tau_m: expected a quantity in ms, found true",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = 1979-05-27",
            "populations.E.parameters.tau_m: the date 1979-05-27 is no value here",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = \"-1 ms\"",
            "populations.E.parameters.tau_m: outside [0.1 ms, 1000 ms]",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = [\"10 ms\", \"12 ms\"]",
            "populations.E.parameters.tau_m: 2 values for 80 neurons",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = [\"10 ms\", \"12 mV\", 3]",
            "populations.E.parameters.tau_m[1]: expected a quantity in ms, found \"12 mV\"\npopulations.E.parameters.tau_m[2]: the number 3 has no unit; write \"3 ms\"",
        ),
        (
            "weight = \"4 pA\"",
            "weight = \"4 nS\"",
            "projections[0].weight: expected a quantity in pA, found \"4 nS\"",
        ),
        (
            "weight = \"4 pA\"",
            "",
            "projections[0]: `weight` is missing: a quantity in pA",
        ),
        (
            "weight = \"1 pA\"",
            "weight = \"1 mV\"",
            "stimuli.background.weight: expected a quantity in pA, found \"1 mV\"",
        ),
        (
            "rate = \"8 Hz\"",
            "rate = \"8 mV\"",
            "stimuli.noise.rate: expected a quantity in Hz, found \"8 mV\"",
        ),
        (
            "rate = \"8 Hz\"",
            "",
            "stimuli.noise: `rate` is missing: events per second",
        ),
        (
            "weight = \"4 pA\"",
            "weight = [\"4 pA\", \"5 pA\"]",
            "projections[0].weight: a list of weights belongs to a list of synapses: rule = { explicit = { sources = […], targets = […], weights = […], delays = […] } }",
        ),
    ]);
}

#[test]
fn times_that_do_not_fit() {
    check(&[
        (
            "dt = \"0.1 ms\"",
            "dt = \"0 ms\"",
            "dt: 0 ms is not above 0",
        ),
        (
            "dt = \"0.1 ms\"",
            "dt = \"-0.1 ms\"",
            "dt: -0.1 ms is not above 0",
        ),
        (
            "dt = \"0.1 ms\"",
            "dt = \"0.1 mV\"",
            "dt: expected a quantity in ms, found \"0.1 mV\"",
        ),
        (
            "dt = \"0.1 ms\"",
            "dt = 0.1",
            "dt: the number 0.1 has no unit; write \"0.1 ms\"",
        ),
        (
            "duration = \"1 s\"",
            "duration = \"-1 s\"",
            "duration: -1 s is not above 0",
        ),
        (
            "duration = \"1 s\"",
            "duration = \"0.25 ms\"",
            "duration: 0.25 ms is no whole number of steps of 0.1 ms",
        ),
        (
            "duration = \"1 s\"",
            "duration = \"1 s\"\ndiscard = \"1 s\"",
            "discard: 1 s leaves nothing of the duration, 1 s",
        ),
        (
            "duration = \"1 s\"",
            "duration = \"1 s\"\ndiscard = \"-1 ms\"",
            "discard: -1 ms is negative",
        ),
        (
            "delay = \"1.5 ms\"",
            "delay = \"-1.5 ms\"",
            "projections[0].delay: -1.5 ms is negative",
        ),
        (
            "delay = \"1.5 ms\"",
            "delay = \"1.55 ms\"",
            "projections[0].delay: 1.55 ms is no whole number of steps of 0.1 ms; round_delay = true rounds it",
        ),
        (
            "delay = \"1.5 ms\"",
            "delay = \"3 h\"",
            "projections[0].delay: `3 h` is no quantity: unknown unit `h`; to multiply, write `3*h`",
        ),
        (
            "delay = \"1.5 ms\"",
            "delay = \"1000 s\"",
            "projections[0].delay: 1000 s is 10000000 steps; the longest delay is 1048576",
        ),
        (
            "delay = \"1.5 ms\"",
            "delay = \"0 ms\"",
            "projections[0]: the delay is 0 on the cycle E -> I -> E; every edge on a cycle needs at least one step",
        ),
        (
            "delay = \"1.5 ms\"",
            "",
            "projections[0]: the delay is 0 on the cycle E -> I -> E; every edge on a cycle needs at least one step",
        ),
        (
            "delay = \"1.5 ms\"",
            "delay = { uniform = [\"-2 ms\", \"1 ms\"] }",
            "projections[0].delay: 67 % of the delays drawn would be negative",
        ),
        (
            "neurons = [0, 1]",
            "neurons = [0, 80]",
            "monitors[0].neurons: 80 is too large: there are 80 neurons, counted from 0",
        ),
        (
            "neurons = [0, 1]",
            "neurons = { first = 81 }",
            "monitors[0].neurons.first: 81 is too large: there are 80 neurons",
        ),
        (
            "neurons = [0, 1]",
            "every = \"0.25 ms\"",
            "monitors[0].every: 0.25 ms is no whole number of steps of 0.1 ms",
        ),
        (
            "neurons = [0, 1]",
            "every = \"0 ms\"",
            "monitors[0].every: 0 ms is not above 0",
        ),
    ]);
}

#[test]
fn things_that_do_not_fit_each_other() {
    check(&[
        (
            "port = \"in\"\n",
            "",
            "projections[1]: `port` is missing: `E` has the ports ex, in",
        ),
        (
            "target = \"E\"\nport = \"ex\"\nrate",
            "rate",
            "stimuli.background: `poisson_background` acts on a port: `target` is missing",
        ),
        (
            "size = 50",
            "target = \"E\"\nport = \"ex\"",
            "stimuli.noise: `poisson` emits spikes and is a node: leave `target` and `port` out, give `size`, and connect it by a projection",
        ),
        (
            "size = 50",
            "",
            "stimuli.noise: `size` is missing: number of neurons",
        ),
        (
            "model = \"poisson\"\nsize = 50\nrate = \"8 Hz\"",
            "model = \"spike_times\"\nsize = 50\ntimes = [[\"1 ms\"], [\"2 ms\", \"3 ms\"]]",
            "stimuli.noise.size: 50, but its arguments make 2 neurons",
        ),
        (
            "model = \"poisson\"\nsize = 50\nrate = \"8 Hz\"",
            "model = \"spike_times\"\ntimes = [[\"1 ms\"], [\"2 ms\", \"3 mV\"]]",
            "stimuli.noise.times[1][1]: expected a quantity in ms, found \"3 mV\"",
        ),
        (
            "source = \"I\"\ntarget",
            "source = \"background\"\ntarget",
            "projections[1].source: `background` acts on a port of its target and is no node: nothing leads from or to it",
        ),
        (
            "source = \"I\"\ntarget",
            "source = \"readout\"\ntarget",
            "projections[1].source: `readout` emits real values; a projection carries spikes (use [[edges]], or a layer)",
        ),
        (
            "target = \"I\"",
            "target = \"fc\"",
            "projections[0].target: `fc` is no population; only populations have synapses",
        ),
        (
            "target = \"I\"",
            "target = \"noise\"",
            "projections[0].target: `noise` is no population; only populations have synapses",
        ),
        (
            "indegree = 5",
            "indegree = 21, multapses = false",
            "projections[1].rule.fixed_indegree: an in-degree of 21 without multapses needs as many sources; there are 20 (I -> E)",
        ),
        (
            "{ pairwise_bernoulli = { p = 0.1 } }",
            "\"one_to_one\"",
            "projections[0].rule.one_to_one: 80 sources for 20 targets (E -> I)",
        ),
        (
            "out = 10",
            "out = 11",
            "edges[1]: `fc` has 11 elements, `readout` 10; an edge joins element i to element i",
        ),
        (
            "shape = [784]",
            "shape = [28, 28]",
            "layers.fc: expected a vector; `image` has shape [28,28]",
        ),
        (
            "source = \"image\"\ntarget = \"fc\"",
            "source = \"image\"\ntarget = \"E\"\nport = \"ex\"",
            "layers.fc: no edge leads to it\nedges[0]: `image` has 784 elements, `E` 80; an edge joins element i to element i",
        ),
        (
            "[[monitors]]",
            "[[edges]]\nsource = \"noise\"\ntarget = \"fc\"\n\n[[monitors]]",
            "layers.fc: edges[0] and edges[2] lead to it; a layer has exactly one incoming edge",
        ),
        (
            "source = \"image\"\ntarget = \"fc\"",
            "source = \"fc\"\ntarget = \"fc\"\ndelay = \"1 ms\"",
            "layers.fc: its shape depends on itself: a cycle must pass through a population",
        ),
        (
            "target = \"readout\"",
            "target = \"image\"",
            "edges[1]: `image` has no input port",
        ),
        (
            "state = \"E\"\nvariables = [\"v\"]\nneurons = [0, 1]",
            "spikes = [\"E\", \"readout\"]",
            "monitors[0].spikes: `readout` emits real values, no spikes",
        ),
        (
            "state = \"E\"\nvariables = [\"v\"]\nneurons = [0, 1]",
            "spikes = [\"E\", \"E\"]",
            "monitors[0].spikes: the spikes of `E` are recorded already",
        ),
        (
            "state = \"E\"",
            "state = \"noise\"",
            "monitors[0].state: `noise` is no population; only populations have state",
        ),
        (
            "model = \"lif\"\nsize = 10\nemits = \"h\"",
            "model = \"rusty\"\nsize = 10\nintegrator = \"rk4\"",
            "populations.readout.integrator: `rusty` is written in Rust and has no equations; leave `integrator` out",
        ),
        (
            "{ pairwise_bernoulli = { p = 0.1 } }\nweight = \"4 pA\"",
            "{ explicit = { sources = [0], targets = [1], delays = [\"1 ms\"] } }\nweight = \"4 pA\"",
            "projections[0].weight: the rule carries weights and delays of its own; leave this out\nprojections[0].delay: the rule carries weights and delays of its own; leave this out",
        ),
    ]);
}

#[test]
fn inline_models_that_cannot_be_read() {
    check(&[
        (
            "dv/dt = -v/tau : mV",
            "dv/dt = -v/tua : mV",
            "models.leak: this text cannot be read\nerror: unknown name `tua`\n --> bad.toml (models.leak):3:14\n  |\n3 |   dv/dt = -v/tua : mV\n  |              ^^^ not a parameter, state, input, subexpression or unit\n  |\n  = help: did you mean `tau`?",
        ),
        (
            "neuron leak",
            "neuron leek",
            "models.leak: the text describes `leek`; use that name here",
        ),
        (
            "leak = \"\"\"",
            "empty = \"\"\nleak = \"\"\"",
            "models.empty: this text cannot be read\nerror: there is no component in this text\n --> bad.toml (models.empty):1:1\n  |\n1 | \n  | ^ expected `neuron NAME`",
        ),
        (
            "leak = \"\"\"",
            "leak2 = { path = \"a.rheo\" }\nleak = \"\"\"",
            "models.leak2: expected the text of a component or { file = \"…\" }, found {\"path\":\"a.rheo\"}",
        ),
        (
            "leak = \"\"\"",
            "leak2 = { file = \"missing.rheo\" }\nleak = \"\"\"",
            "models.leak2: cannot read missing.rheo: No such file or directory (os error 2)",
        ),
    ]);
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
    assert_eq!(errors.as_slice().len(), 50);
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
