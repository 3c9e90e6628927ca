//! When spikes arrive across the border between the grid and continuous time; what is refused.

use rheobase::engine::network::Network;

use super::{build, times};
use crate::harness;

/// A source on the grid, a chain of delta neurons, every spike of which fires the next.
fn chain(times_of: &[(&str, &str)], delays: [&str; 3]) -> Network {
    let mut text = "name = \"chain\"\ndt = \"0.1 ms\"\nduration = \"20 ms\"\nprecision = \"f64\"\n\
        [stimuli.source]\nmodel = \"spike_times\"\ntimes = [[\"1 ms\", \"7 ms\"]]\n"
        .to_owned();
    let mut source = "source";
    for ((name, time), delay) in times_of.iter().zip(delays) {
        text.push_str(&format!(
            "[populations.{name}]\nmodel = \"iaf_psc_delta\"\nsize = 1\ntime = \"{time}\"\n\
             [[projections]]\nsource = \"{source}\"\ntarget = \"{name}\"\nrule = \"one_to_one\"\n\
             weight = \"20 mV\"\ndelay = \"{delay}\"\n"
        ));
        source = name;
    }
    Network::from_toml(&text, "chain").unwrap_or_else(|e| panic!("{e}"))
}

fn assert_times(found: &[(f64, u32)], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a.0 - b).abs() < 1e-13, "{found:?} {expected:?}");
    }
}

#[test]
fn spikes_cross_the_border_when_they_should() {
    let nodes = [("a", "exact"), ("b", "exact"), ("g", "grid")];
    let mut simulation = build::<f64>(&chain(&nodes, ["0.37 ms", "0.26 ms", "0.5 ms"]), 2);
    simulation.advance_to(200).unwrap();
    let recording = simulation.take_recording();
    // From the grid: k·dt + d. Between themselves: t + d.
    assert_times(&times(&simulation, &recording, "a"), &[1.37, 7.37]);
    assert_times(&times(&simulation, &recording, "b"), &[1.63, 7.63]);
    // To the grid: the first step at or after t + d, 2.13 and 8.13 ms.
    let (_, on_grid) = recording.spikes.last().unwrap();
    assert_eq!(on_grid.steps, [22, 82]);
    assert!(on_grid.offsets_ms.is_empty());
}

#[test]
fn a_spike_on_the_grid_stays_on_it() {
    let nodes = [("g", "grid"), ("a", "exact"), ("h", "grid")];
    let mut simulation = build::<f64>(&chain(&nodes, ["0.3 ms", "1.1 ms", "0.7 ms"]), 1);
    simulation.advance_to(200).unwrap();
    let recording = simulation.take_recording();
    let offsets = |k: usize| recording.spikes[k].1.offsets_ms.clone();
    assert_eq!(recording.spikes[0].1.steps, [13, 73]);
    assert_eq!(
        (&recording.spikes[1].1.steps, offsets(1)),
        (&vec![24, 84], vec![0.1; 2])
    );
    assert_eq!(recording.spikes[2].1.steps, [31, 91]);
}

fn refused(text: &str) -> String {
    let network = Network::from_toml(text, "net").unwrap_or_else(|e| panic!("{e}"));
    let errors = network
        .resolve(&rheobase::registry())
        .err()
        .expect("refused");
    errors.to_string()
}

const ONE: &str = "[populations.E]\nmodel = \"MODEL\"\nsize = 4\ntime = \"exact\"\n";

#[test]
fn what_cannot_be_is_refused_by_name_with_advice() {
    let one = ONE.replace("MODEL", "iaf_psc_exp");
    let drive = "[stimuli.noise]\nmodel = \"poisson_background\"\ntarget = \"E\"\nport = \"ex\"\n\
        rate = \"8 kHz\"\nweight = \"1 pA\"\n";
    let values =
        "[inputs.x]\nshape = [4]\n[[edges]]\nsource = \"x\"\ntarget = \"E\"\nport = \"ex\"\n";
    let loop_of = |delay: &str| {
        format!(
            "{one}[[projections]]\nsource = \"E\"\ntarget = \"E\"\nport = \"ex\"\n\
             rule = \"all_to_all\"\nweight = \"1 pA\"\ndelay = {delay}\n"
        )
    };
    for (text, expected) in [
        (
            format!("{one}{drive}"),
            "stimuli.noise.target: `noise` acts on `E` in every step, but `E` runs in continuous time; \
             take a source of spikes and a projection, or set time = \"grid\" for `E`",
        ),
        (
            format!("{one}{values}"),
            "edges[0]: `x` emits real values in every step, but `E` runs in continuous time; set time \
             = \"grid\" for `E`",
        ),
        (
            loop_of("\"0.07 ms\""),
            "projections[0]: the delay is shorter than a step of 0.1 ms on the cycle E -> E; every \
             edge on a cycle needs at least one step, so lower dt",
        ),
        (
            loop_of("{ normal = { mean = \"1 ms\", sd = \"0.5 ms\" } }"),
            "projections[0].delay: 2.3 % of the delays drawn would be negative, and in continuous time \
             none is raised; bound them by `redraw` or `clip`",
        ),
        (
            loop_of("\"-1 ms\""),
            "projections[0].delay: -1 ms is negative",
        ),
        (
            "time = \"sometimes\"\n".to_owned(),
            "time: unknown choice `sometimes`",
        ),
    ] {
        let message = match Network::from_toml(&text, "net") {
            Ok(_) => refused(&text),
            Err(errors) => errors.to_string(),
        };
        assert!(
            message.contains(expected),
            "{message}\nexpected\n{expected}"
        );
    }
}

#[test]
fn a_model_without_a_solution_is_refused_and_may_be_adaptive() {
    let text = ONE.replace("MODEL", "iaf_cond_exp");
    let message = refused(&text);
    assert!(message.starts_with("populations.E.time: "), "{message}");
    assert!(message.contains("adaptive"), "{message}");
    let adaptive = text.replace("\"exact\"", "\"adaptive\"");
    let network = Network::from_toml(&adaptive, "net").unwrap();
    assert!(harness::plan(&network).is_continuous(0));
}

#[test]
fn a_short_drawn_delay_on_a_cycle_is_an_error_of_the_build() {
    let text = ONE.replace("MODEL", "iaf_psc_exp")
        + "[[projections]]\nsource = \"E\"\ntarget = \"E\"\nport = \"ex\"\nrule = \"all_to_all\"\n\
           weight = \"1 pA\"\ndelay = { uniform = [\"0.01 ms\", \"0.09 ms\"] }\n";
    let network = Network::from_toml(&text, "net").unwrap();
    let plan = std::sync::Arc::new(harness::plan(&network));
    let built = rheobase::engine::simulation::Simulation::<f32>::build(plan, Default::default());
    let message = built.err().expect("refused").to_string();
    assert!(
        message.contains("is shorter than one step of 0.1 ms"),
        "{message}"
    );
    assert!(message.contains("a smaller dt allows it"), "{message}");
}

/// A batch runs its copies side by side; they are alike where nothing random acts on them.
#[test]
fn copies_of_a_batch_are_alike() {
    let nodes = [("a", "exact"), ("b", "exact"), ("g", "grid")];
    let mut network = chain(&nodes, ["0.37 ms", "0.26 ms", "0.5 ms"]);
    network.set("batch", "3").unwrap();
    let mut simulation = build::<f64>(&network, 1);
    simulation.advance_to(200).unwrap();
    let recording = simulation.take_recording();
    for (_, spikes) in &recording.spikes {
        assert_eq!(spikes.neurons, [0, 1, 2, 0, 1, 2]);
    }
    let all = times(&simulation, &recording, "b");
    assert_times(&all[..3], &[1.63; 3]);
}

/// A neuron that fires at regular intervals does so after a thousand seconds.
#[test]
fn a_long_run_loses_no_precision() {
    let text = ONE
        .replace("MODEL", "iaf_psc_delta")
        .replace("size = 4", "size = 1")
        + "parameters = { i_e = \"500 pA\" }\n";
    let mut network = Network::from_toml(&text, "net").unwrap();
    network.set("dt", "1 ms").unwrap();
    network.set("duration", "1000 s").unwrap();
    let mut simulation = build::<f64>(&network, 1);
    simulation.advance_to(1_000_000).unwrap();
    let recording = simulation.take_recording();
    let found = times(&simulation, &recording, "E");
    // From reset, 15 mV below a threshold that is 5 mV below where the current leads.
    let rise = 10.0 * (20.0_f64 / 5.0).ln();
    let period = rise + 2.0;
    assert!(found.len() > 60_000, "{}", found.len());
    for (n, (t, _)) in found.iter().enumerate() {
        let expected = rise + n as f64 * period;
        // A potential near -55 mV is rounded by up to half a unit, 3.6e-15 mV, when it is reset and when
        // it is tested, and rises by 0.5 mV/ms there; times near 10^6 ms are rounded themselves.
        let tolerance = 1e-13 + n as f64 * 2.0 * 3.6e-15 / 0.5 + t * f64::EPSILON;
        assert!((t - expected).abs() < tolerance, "{n}: {t} {expected}");
    }
}
