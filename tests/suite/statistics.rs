//! Benchmark networks against the statistics of NEST 3.10.0 (`tests/golden/nest/statistics.json`).
//!
//! Rates are compared over whole runs; CV and synchrony only over windows of the same length, as
//! both depend on it. The tolerance is the spread over seeds that NEST itself shows: four standard
//! deviations of the difference of two means over seeds, a false alarm in some 10⁴ comparisons.

use rheobase::engine::network::Network;
use rheobase::run::{RunOptions, simulate};
use serde_json::Value;

use crate::harness;

/// Mean and standard deviation over seeds of what NEST found, for windows of one second.
struct Nest {
    mean: f64,
    sd: f64,
}

fn nest(json: &Value, network: &str, population: &str, quantity: &str) -> Nest {
    let entry = &json["networks"][network]["summary"][population][quantity];
    let number = |name: &str| {
        entry[name]
            .as_f64()
            .unwrap_or_else(|| panic!("{network} {population} {quantity} {name}: {entry}"))
    };
    Nest {
        mean: number("mean"),
        sd: number("sd"),
    }
}

/// Seeds 1 … 3, two seconds each after half a second.
fn compare(file: &str, network: &str, populations: &[(&str, &str)]) {
    let json: Value =
        serde_json::from_str(&harness::read("tests/golden/nest/statistics.json")).unwrap();
    let mut rates = vec![Vec::new(); populations.len()];
    for seed in ["1", "2", "3"] {
        let path = harness::root().join("examples").join(file);
        let mut description = Network::from_path(&path).unwrap_or_else(|e| panic!("{e}"));
        for (entry, value) in [("seed", seed), ("duration", "2.5 s"), ("discard", "0.5 s")] {
            description.set(entry, value).unwrap();
        }
        let run = simulate(&description, &RunOptions::default()).unwrap_or_else(|e| panic!("{e}"));
        for (k, population) in run.record.populations.iter().enumerate() {
            assert_eq!(population.name, populations[k].0);
            rates[k].push(population.rate_hz);
        }
    }
    for (rates, (ours, theirs)) in rates.iter().zip(populations) {
        let reference = nest(&json, network, theirs, "rate_hz");
        let n = 3.0;
        let mean = rates.iter().sum::<f64>() / n;
        // Two seconds instead of ten, three seeds against five; the spread between networks
        // dominates, and does not shrink with time.
        let tolerance =
            4.0 * reference.sd * (1.0 / n + 1.0 / 5.0_f64).sqrt() + 0.01 * reference.mean;
        println!(
            "{network} {ours}: {mean:.3} Hz {rates:.3?}, NEST {:.3} ± {:.3} Hz, tolerance {tolerance:.3}",
            reference.mean, reference.sd
        );
        assert!((mean - reference.mean).abs() <= tolerance);
    }
}

#[test]
fn coba_fires_as_in_nest() {
    compare(
        "coba.toml",
        "coba",
        &[("E", "excitatory"), ("I", "inhibitory")],
    );
}

#[test]
fn cuba_fires_as_in_nest() {
    compare(
        "cuba.toml",
        "cuba",
        &[("E", "excitatory"), ("I", "inhibitory")],
    );
}
