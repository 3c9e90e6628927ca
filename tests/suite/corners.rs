//! Corners where networks once went wrong, or easily could.

use std::sync::Arc;

use rheobase::engine::actor::RunError;
use rheobase::engine::build::{BuildError, BuildOptions};
use rheobase::engine::network::Network;
use rheobase::engine::simulation::Simulation;
use rheobase::run::{RunFailure, RunOptions, simulate};

use crate::harness;

fn network(text: &str) -> Network {
    Network::from_toml(text, "test").unwrap_or_else(|e| panic!("{e}"))
}

fn simulation(text: &str, threads: usize) -> Simulation<f64> {
    let options = BuildOptions {
        threads,
        ..BuildOptions::default()
    };
    Simulation::build(Arc::new(harness::plan(&network(text))), options).unwrap()
}

/// A population that emits real values, read through an identity edge.
const REAL_EDGE: &str = r#"
name = "real edge"
dt = "0.1 ms"
duration = "40 ms"
precision = "f64"
[models]
emitter = """
neuron emitter
  parameter rate = 1 mV/ms
  dv/dt = rate : mV
  output o = v
  spike when v >= 20 mV, reset v = 0
"""
reader = """
neuron reader
  input x : mV
  dv/dt = x/(1 ms) : mV
  spike when v >= 15 mV, reset v = 0
"""
[populations.a]
model = "emitter"
size = 300
emits = "o"
initial = { v = { uniform = ["0 mV", "10 mV"] } }
[populations.b]
model = "reader"
size = 300
[[edges]]
source = "a"
target = "b"
port = "x"
delay = "0.3 ms"
"#;

#[test]
fn real_values_arrive_on_any_number_of_threads() {
    let run = |threads: usize| {
        let mut simulation = simulation(REAL_EDGE, threads);
        simulation.advance_to(400).unwrap();
        let recording = simulation.take_recording();
        (
            simulation.fingerprint(&recording),
            recording.spikes.iter().map(|(_, s)| s.len()).sum::<usize>(),
        )
    };
    let one = run(1);
    assert!(one.1 > 1000, "{}", one.1);
    for threads in [2, 3, 5] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}

const MONITORS: &str = r#"
name = "monitors"
dt = "0.1 ms"
duration = "2 ms"
precision = "f64"
[populations.n]
model = "iaf_psc_exp"
size = 300
initial = { v = { uniform = ["-65 mV", "-51 mV"] } }
[[monitors]]
state = "n"
variables = ["v"]
neurons = [0, 200]
every = "1 ms"
[[monitors]]
state = "n"
variables = ["v"]
neurons = [5, 299]
every = "0.2 ms"
"#;

#[test]
fn two_monitors_of_one_variable_stay_apart() {
    for threads in [1, 2, 4] {
        let mut simulation = simulation(MONITORS, threads);
        simulation.advance_to(20).unwrap();
        let traces = simulation.take_recording().traces;
        let shapes: Vec<_> = traces
            .iter()
            .map(|t| (t.neurons.clone(), t.steps.len()))
            .collect();
        assert_eq!(
            shapes,
            [(vec![0, 200], 2), (vec![5, 299], 10)],
            "{threads} threads"
        );
        let v = simulation.state("n", "v").unwrap();
        assert_eq!(traces[0].values[2..], [v[0], v[200]]);
        assert_eq!(traces[1].values[18..], [v[5], v[299]]);
    }
}

/// y = √x leaves the real numbers at once; the run has ten steps.
#[test]
fn nan_is_found_at_the_end_of_the_shortest_run() {
    let text = r#"
name = "nan"
dt = "0.1 ms"
duration = "1 ms"
[models]
root = """
neuron root
  dx/dt = -1/(1 ms) : 1
  update y = sqrt(x) : 1 = 0
"""
[populations.n]
model = "root"
size = 3
"#;
    let run = simulate(&network(text), &RunOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    let Some(RunError::NotFinite {
        population,
        variable,
        ..
    }) = run.stopped
    else {
        panic!("NaN went unnoticed")
    };
    assert_eq!((population.as_str(), variable.as_str()), ("n", "y"));
}

#[test]
fn given_trains_repeat_in_every_copy_of_a_batch() {
    let text = r#"
name = "batch"
dt = "0.1 ms"
duration = "2 ms"
batch = 3
[stimuli.s]
model = "spike_times"
times = [["0.5 ms"], ["0.7 ms", "1 ms"]]
[populations.n]
model = "iaf_psc_delta"
size = 2
[[projections]]
source = "s"
target = "n"
port = "delta"
rule = "one_to_one"
weight = "1 mV"
delay = "0.1 ms"
"#;
    let mut simulation = simulation(
        &text.replace("batch = 3", "batch = 3\nprecision = \"f64\""),
        1,
    );
    simulation.advance_to(11).unwrap();
    let v = simulation.state("n", "v").unwrap();
    let copies: Vec<&[f64]> = v.chunks(2).collect();
    assert_eq!(copies, [copies[0]; 3]);
    assert!(copies[0][0] > -70.0 && copies[0][1] > copies[0][0]);
}

/// The level falls to meet v: the crossing is seen although v lies above the new level already at
/// the start of that step, and it is seen once.
#[test]
fn a_moving_level_is_crossed_once() {
    let text = r#"
name = "crossing"
dt = "0.1 ms"
duration = "60 ms"
[models]
moving = """
neuron moving
  dv/dt  = -v/(10 ms) + 2 mV/ms : mV
  dth/dt = (10 mV - th)/(5 ms) : mV = 19 mV
  spike when v crosses th
"""
[populations.n]
model = "moving"
size = 4
"#;
    let run = simulate(&network(text), &RunOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(run.record.spikes, 4);
}

#[test]
fn quantities_that_follow_from_parameters_are_checked() {
    let stiff = "neuron own\n  dx/dt = (-5000*x + y)/(1 ms) : 1\n  dy/dt = (x - y + 1)/(1 ms) : 1";
    let zero = "neuron own\n  parameter tau = 0 ms\n  dx/dt = (1 - x)/tau : 1";
    let negative = "neuron own\n  parameter t_ref = -1 ms\n  dv/dt = 1/(1 ms) : 1\n  spike when v >= 1, reset v = 0, refractory t_ref";
    for (model, named) in [
        (stiff, "follows from"),
        (zero, "tau = 0 ms"),
        (negative, "t_ref = -1 ms"),
    ] {
        let text = format!(
            "name = \"own\"\ndt = \"0.1 ms\"\nduration = \"1 ms\"\n[models]\nown = '''\n{model}\n'''\n[populations.n]\nmodel = \"own\"\nsize = 2\n"
        );
        let failure = simulate(&network(&text), &RunOptions::default())
            .err()
            .expect(model);
        assert!(
            matches!(failure, RunFailure::Build(BuildError::NotFinite { .. })),
            "{failure}"
        );
        assert!(failure.to_string().contains(named), "{failure}");
    }
}

#[test]
fn more_threads_than_blocks_are_not_started() {
    let simulation = simulation(MONITORS, 64);
    assert_eq!(simulation.threads(), 5);
}

/// Two populations that a projection without synapses makes depend on each other: what one sends the
/// other arrives, on any number of threads.
const SILENT_FEEDBACK: &str = r#"
name = "silent feedback"
dt = "0.1 ms"
duration = "100 ms"
precision = "f64"
[populations.A]
model = "iaf_psc_exp"
size = 300
parameters = { i_e = "500 pA" }
initial = { v = { uniform = ["-65 mV", "-50 mV"] } }
[populations.B]
model = "iaf_psc_exp"
size = 40
[[projections]]
source = "A"
target = "B"
port = "ex"
rule = { fixed_indegree = { indegree = 100 } }
weight = "100 pA"
delay = "1.5 ms"
"#;

#[test]
fn a_projection_without_synapses_changes_nothing() {
    let feedback = r#"
[[projections]]
source = "B"
target = "A"
port = "ex"
rule = { fixed_total_number = { n = 0 } }
weight = "1 pA"
delay = "2 ms"
"#;
    let run = |text: &str, threads: usize| {
        let mut simulation = simulation(text, threads);
        simulation.advance_to(1000).unwrap();
        let recording = simulation.take_recording();
        let spikes: Vec<usize> = recording.spikes.iter().map(|(_, s)| s.len()).collect();
        assert!(spikes[0] > 1000 && spikes[1] > 100, "{spikes:?}");
        (simulation.fingerprint(&recording), recording.n_spikes)
    };
    let expected = run(SILENT_FEEDBACK, 1);
    for threads in [1, 2, 3] {
        let with = run(&format!("{SILENT_FEEDBACK}{feedback}"), threads);
        assert_eq!(with, expected, "{threads} threads");
    }
}
