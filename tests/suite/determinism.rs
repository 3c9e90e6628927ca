//! Determinism: for one seed, bitwise equal states and spike order for any number of threads and any
//! cutting of a run into calls; a reset run repeats itself.

use std::sync::Arc;

use rheobase::engine::Instantiate;
use rheobase::engine::build::BuildOptions;
use rheobase::engine::network::Network;
use rheobase::engine::simulation::Simulation;

use crate::harness;

/// Mixed delays, drawn weights, Poisson drive and Poisson source, per-neuron parameters, noise.
const NETWORK: &str = r#"
name = "determinism"
seed = 11
dt = "0.1 ms"
duration = "150 ms"

[models]
noisy = """
neuron noisy
  parameter tau = 20 ms, sigma = 0.3 mV
  dv/dt = -v/tau : mV
  update v += sigma*normal()
  input ex(w : mV): v += w
  spike when v >= 4 mV, reset v = 0, refractory 1 ms
"""

[populations.E]
model = "iaf_psc_exp"
size = 700
initial = { v = { uniform = ["-65 mV", "-50 mV"] } }
parameters = { tau_m = { normal = { mean = "10 ms", sd = "1 ms" }, clip = ["5 ms", "15 ms"] } }

[populations.I]
model = "iaf_cond_exp"
size = 203
initial = { v = { uniform = ["-70 mV", "-55 mV"] } }

[populations.N]
model = "noisy"
size = 131

[stimuli.background]
model = "poisson_background"
target = "E"
port = "ex"
rate = "8 kHz"
weight = "80 pA"

[stimuli.source]
model = "poisson"
size = 150
rate = "40 Hz"

[[projections]]
source = "E"
target = "E"
port = "ex"
rule = { pairwise_bernoulli = { p = 0.1 } }
weight = { normal = { mean = "20 pA", sd = "4 pA" } }
delay = { uniform = ["0.5 ms", "3 ms"] }

[[projections]]
source = "E"
target = "I"
port = "ex"
rule = { fixed_indegree = { indegree = 50 } }
weight = "3 nS"
delay = "1.2 ms"

[[projections]]
source = "I"
target = "E"
port = "in"
rule = { pairwise_bernoulli = { p = 0.2 } }
weight = "-60 pA"
delay = "0.8 ms"

[[projections]]
source = "source"
target = "I"
port = "ex"
rule = { pairwise_bernoulli = { p = 0.3 } }
weight = "2 nS"
delay = "0.5 ms"

[[projections]]
source = "E"
target = "N"
port = "ex"
rule = { fixed_indegree = { indegree = 20 } }
weight = "0.4 mV"
delay = "2 ms"
"#;

pub(crate) fn simulation<R: Instantiate>(threads: usize) -> Simulation<R> {
    let plan = harness::plan(&Network::from_toml(NETWORK, "determinism").unwrap());
    let options = BuildOptions {
        threads,
        ..BuildOptions::default()
    };
    Simulation::build(Arc::new(plan), options).unwrap()
}

fn fingerprint<R: Instantiate>(simulation: &mut Simulation<R>, cuts: &[u64]) -> (u64, usize) {
    for &cut in cuts {
        simulation.advance_to(cut).unwrap();
    }
    let recording = simulation.take_recording();
    let spikes = recording.spikes.iter().map(|(_, s)| s.len()).sum();
    (simulation.fingerprint(&recording), spikes)
}

fn equal_for_any_threads<R: Instantiate>() {
    let reference = fingerprint(&mut simulation::<R>(1), &[1500]);
    println!("fingerprint {:016x}, {} spikes", reference.0, reference.1);
    assert!(
        reference.1 > 2000,
        "{} spikes are too few to tell",
        reference.1
    );
    for threads in [2, 3, 8] {
        assert_eq!(
            fingerprint(&mut simulation::<R>(threads), &[1500]),
            reference,
            "{threads} threads"
        );
    }
    let cuts = [1, 2, 7, 8, 100, 101, 777, 1500];
    assert_eq!(
        fingerprint(&mut simulation::<R>(1), &cuts),
        reference,
        "cut into calls"
    );
    assert_eq!(
        fingerprint(&mut simulation::<R>(3), &cuts),
        reference,
        "cut into calls, 3 threads"
    );
}

#[test]
fn any_number_of_threads_gives_the_same_bits_in_f32() {
    equal_for_any_threads::<f32>();
}

#[test]
fn any_number_of_threads_gives_the_same_bits_in_f64() {
    equal_for_any_threads::<f64>();
}

#[test]
fn a_reset_run_repeats_itself() {
    for threads in [1, 3] {
        let mut simulation = simulation::<f32>(threads);
        let first = fingerprint(&mut simulation, &[1500]);
        simulation.reset();
        assert_eq!(fingerprint(&mut simulation, &[1500]), first);
    }
}

#[test]
fn another_seed_gives_another_run() {
    let mut network = Network::from_toml(NETWORK, "determinism").unwrap();
    network.set("seed", "12").unwrap();
    let (mut other, recording) = harness::run::<f32>(harness::plan(&network), 1);
    let other = other.fingerprint(&recording);
    assert_ne!(fingerprint(&mut simulation::<f32>(1), &[1500]).0, other);
}

#[test]
fn recording_never_alters_results() {
    let mut network = Network::from_toml(NETWORK, "determinism").unwrap();
    network
        .monitors
        .push(rheobase::engine::network::Monitor::state("E", "v").first(700));
    network
        .monitors
        .push(rheobase::engine::network::Monitor::spikes(["E", "I", "N"]));
    let plan = harness::plan(&network);
    let mut with: Vec<u64> = Vec::new();
    for threads in [1, 2] {
        let (mut simulation, recording) = harness::run::<f32>(plan.clone(), threads);
        let trace = &recording.traces[0];
        assert_eq!((trace.neurons.len(), trace.steps.len()), (700, 1500));
        // The last row of the trace is the state itself.
        let state = simulation.state("E", "v").unwrap();
        let last = &trace.values[trace.values.len() - 700..];
        assert!(
            state
                .iter()
                .zip(last)
                .all(|(a, b)| f64::from(*a).to_bits() == b.to_bits())
        );
        with.push(simulation.fingerprint(&recording));
    }
    let reference = fingerprint(&mut simulation::<f32>(1), &[1500]);
    assert_eq!(with, [reference.0; 2]);
}
