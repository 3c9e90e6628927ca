//! Populations in continuous time: the same bits for any threads, cuts and checkpoints; exchange with
//! populations on the grid; what is refused.

#[path = "exact/command.rs"]
mod command;
#[path = "exact/hybrid.rs"]
mod hybrid;
#[path = "exact/networks.rs"]
mod networks;

use std::sync::Arc;

use rheobase::engine::Instantiate;
use rheobase::engine::build::BuildOptions;
use rheobase::engine::network::Network;
use rheobase::engine::simulation::{Recording, Simulation};

use crate::harness;

/// Two populations in continuous time, with drawn parameters and delays off the grid, one on the
/// grid, a source of spikes; projections in every direction, cycles across the border among them.
const NETWORK: &str = r#"
name = "hybrid"
seed = 21
dt = "0.1 ms"
duration = "150 ms"

[populations.E]
model = "iaf_psc_exp"
size = 300
time = "exact"
initial = { v = { uniform = ["-65 mV", "-50 mV"] } }
parameters = { tau_m = { normal = { mean = "10 ms", sd = "1 ms" }, clip = ["5 ms", "15 ms"] }, i_e = "380 pA" }

[populations.I]
model = "iaf_psc_delta"
size = 103
time = "exact"
initial = { v = { uniform = ["-70 mV", "-55 mV"] } }
parameters = { i_e = "370 pA" }

[populations.G]
model = "iaf_psc_exp"
size = 131
initial = { v = { uniform = ["-65 mV", "-50 mV"] } }
parameters = { i_e = "390 pA" }

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
delay = { uniform = ["0.55 ms", "3 ms"] }

[[projections]]
source = "E"
target = ["I", "G"]
rule = { fixed_indegree = { indegree = 20 } }
weight = 0
delay = "1.2 ms"

[[projections]]
source = ["I", "G"]
target = "E"
port = "in"
rule = { pairwise_bernoulli = { p = 0.2 } }
weight = "-30 pA"
delay = { uniform = ["0.8 ms", "1.4 ms"] }

[[projections]]
source = "source"
target = ["E", "G"]
port = "ex"
rule = { pairwise_bernoulli = { p = 0.3 } }
weight = "40 pA"
delay = "0.3 ms"
"#;

/// The description above; the projection onto two kinds of ports, written out.
fn description() -> Network {
    let onto_both = NETWORK
        .find("[[projections]]\nsource = \"E\"\ntarget = [\"I\", \"G\"]")
        .unwrap();
    let end = onto_both + NETWORK[onto_both..].find("\n\n").unwrap();
    let text = |target: &str, port: &str, weight: &str| {
        NETWORK[onto_both..end]
            .replace("[\"I\", \"G\"]", target)
            .replace(
                "weight = 0",
                &format!("port = \"{port}\"\nweight = \"{weight}\""),
            )
    };
    let text = format!(
        "{}{}\n\n{}{}",
        &NETWORK[..onto_both],
        text("\"I\"", "delta", "0.4 mV"),
        text("\"G\"", "ex", "30 pA"),
        &NETWORK[end..]
    );
    Network::from_toml(&text, "hybrid").unwrap_or_else(|e| panic!("{e}"))
}

fn simulation<R: Instantiate>(threads: usize) -> Simulation<R> {
    build(&description(), threads)
}

fn build<R: Instantiate>(network: &Network, threads: usize) -> Simulation<R> {
    let options = BuildOptions {
        threads,
        ..BuildOptions::default()
    };
    Simulation::build(Arc::new(harness::plan(network)), options).unwrap()
}

/// Times \[ms\] and neurons of a population in continuous time, by time.
fn times(simulation: &Simulation<f64>, recording: &Recording, node: &str) -> Vec<(f64, u32)> {
    let plan = simulation.plan();
    let id = plan.nodes.iter().position(|n| n.name == node).unwrap();
    let (_, spikes) = recording.spikes.iter().find(|(n, _)| *n == id).unwrap();
    assert_eq!(spikes.offsets_ms.len(), spikes.steps.len());
    let moments = spikes.steps.iter().zip(&spikes.offsets_ms);
    let mut all: Vec<(f64, u32)> = moments
        .zip(&spikes.neurons)
        .map(|((&step, &offset), &n)| ((step - 1) as f64 * plan.dt_ms + offset, n))
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    all
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
        let found = fingerprint(&mut simulation::<R>(threads), &[1500]);
        assert_eq!(found, reference, "{threads} threads");
    }
    let cuts = [1, 2, 7, 8, 100, 101, 777, 1500];
    for threads in [1, 3] {
        let found = fingerprint(&mut simulation::<R>(threads), &cuts);
        assert_eq!(found, reference, "cut into calls, {threads} threads");
    }
    let mut simulation = simulation::<R>(2);
    fingerprint(&mut simulation, &[700]);
    simulation.reset();
    assert_eq!(
        fingerprint(&mut simulation, &[1500]),
        reference,
        "after a reset"
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

fn saved<R: Instantiate>(simulation: &mut Simulation<R>) -> Vec<u8> {
    let mut bytes = Vec::new();
    simulation.save(&mut bytes).unwrap();
    bytes
}

/// Bits of all spikes, parts of a run one after the other.
fn spikes(recordings: &[Recording]) -> Vec<(usize, u64, u32, u64)> {
    let mut all = Vec::new();
    for (node, s) in recordings.iter().flat_map(|r| &r.spikes) {
        for (k, (&step, &neuron)) in s.steps.iter().zip(&s.neurons).enumerate() {
            let offset = s.offsets_ms.get(k).map_or(0, |x| x.to_bits());
            all.push((*node, step, neuron, offset));
        }
    }
    // Parts follow each other in time.
    all.sort_by_key(|&(node, step, ..)| (node, step));
    all
}

#[test]
fn a_loaded_simulation_continues_with_the_same_bits() {
    const END: u64 = 1500;
    let mut whole = simulation::<f32>(1);
    whole.advance_to(END).unwrap();
    let recording = whole.take_recording();
    let expected = (saved(&mut whole), spikes(&[recording]));
    for (cut, before, after) in [(0, 1, 2), (1, 2, 1), (17, 1, 3), (500, 3, 1), (501, 2, 8)] {
        let mut first = simulation::<f32>(before);
        first.advance_to(cut).unwrap();
        let bytes = saved(&mut first);
        let mut parts = vec![first.take_recording()];
        let mut second = simulation::<f32>(after);
        second.advance_to(40).unwrap();
        second.load(&mut bytes.as_slice()).unwrap();
        assert_eq!(saved(&mut second), bytes, "cut {cut}");
        second.advance_to(END).unwrap();
        parts.push(second.take_recording());
        assert!(spikes(&parts) == expected.1, "cut {cut}: other spikes");
        assert!(saved(&mut second) == expected.0, "cut {cut}: other states");
    }
}

#[test]
fn damaged_bytes_do_no_harm() {
    let mut simulation = simulation::<f32>(2);
    simulation.advance_to(100).unwrap();
    let bytes = saved(&mut simulation);
    let n = bytes.len();
    for cut in (0..n).step_by(n / 300) {
        assert!(simulation.load(&mut &bytes[..cut]).is_err(), "{cut}");
    }
    let mut loaded = 0;
    for k in 0..300_usize {
        let mut flipped = bytes.clone();
        flipped[(k * 7919) % n] ^= 1 << (k % 8);
        if simulation.load(&mut flipped.as_slice()).is_ok() {
            loaded += 1;
            // Other values are another run, or one that fails: it ends.
            let _ = simulation.advance_to(110);
            simulation.load(&mut bytes.as_slice()).unwrap();
        }
        assert!(saved(&mut simulation) == bytes, "{k}");
    }
    assert!(loaded > 0);
}

#[test]
fn recording_and_looking_never_alter_results() {
    let reference = fingerprint(&mut simulation::<f64>(1), &[1500]);
    let mut network = description();
    let monitor = |name: &str, variable: &str| {
        rheobase::engine::network::Monitor::state(name, variable).first(50)
    };
    network.monitors = vec![
        monitor("E", "v"),
        monitor("I", "refractory_steps"),
        rheobase::engine::network::Monitor::spikes(["E", "I", "G"]),
    ];
    for threads in [1, 2] {
        let mut watched = build::<f64>(&network, threads);
        for step in (0..=1500).step_by(50) {
            watched.advance_to(step).unwrap();
            let v = watched.state("E", "v").unwrap();
            assert!(v.len() == 300 && v.iter().all(|v| v.is_finite()));
        }
        let recording = watched.take_recording();
        assert_eq!(recording.traces.len(), 2);
        assert_eq!(recording.traces[0].values.len(), 50 * 1500);
        let left = &recording.traces[1].values;
        assert!(left.iter().any(|&x| x > 19.0) && left.iter().all(|x| (0.0..=20.0).contains(x)));
        assert_eq!(watched.fingerprint(&recording), reference.0);
    }
}

/// Counts add up.
#[test]
fn counts_are_those_of_the_run() {
    let mut simulation = simulation::<f32>(3);
    simulation.advance_to(1500).unwrap();
    let recording = simulation.take_recording();
    assert_eq!(recording.exact.len(), 2);
    let exact: u64 = recording.exact.iter().map(|(_, c)| c.events).sum();
    assert!(exact > 0 && exact < recording.synaptic_events);
    assert!(recording.exact.iter().any(|(_, c)| c.predictions > 0));
    for (node, counts) in &recording.exact {
        assert_eq!(counts.spikes, recording.n_spikes[*node]);
        // At most one after each event and each spike.
        assert!(
            counts.predictions <= counts.events + counts.spikes && counts.events > 1000,
            "{counts:?}"
        );
        assert_eq!(counts.grazing, 0);
    }
}
