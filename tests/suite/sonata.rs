//! SONATA networks: the published spike count, and a network made here against the same network in
//! our own description.

use std::path::PathBuf;

use rheobase::engine::Instantiate;
use rheobase::engine::plan::Plan;
use rheobase::engine::simulation::Recording;
use rheobase::equations::real::Precision;
use rheobase::formats::sonata::{Imported, Options, load};

use crate::harness;

/// The network of 300 neurons, where it is.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("RHEOBASE_DATA")?;
    let path = PathBuf::from(folder).join("data/sonata/300_pointneurons/config.json");
    path.is_file().then_some(path)
}

fn shared_or_skip(test: &str) -> Option<PathBuf> {
    let path = shared();
    if path.is_none() {
        println!("skipped 1 test: {test} needs data/sonata/300_pointneurons (set RHEOBASE_DATA)");
    }
    path
}

fn spikes<R: Instantiate>(plan: Plan, threads: usize) -> (Recording, u64) {
    let (mut simulation, recording) = harness::run::<R>(plan, threads);
    let fingerprint = simulation.fingerprint(&recording);
    (recording, fingerprint)
}

/// Counted by NEST's own test of its SONATA reader, on the same files.
const PUBLISHED_SPIKES: u64 = 18_828;

#[test]
fn the_published_spike_count_at_every_number_of_threads() {
    let Some(path) = shared_or_skip("the published spike count") else {
        return;
    };
    let Imported { plan, .. } = load(&path, &Options::default(), &rheobase::registry()).unwrap();
    assert_eq!(plan.precision, Precision::F64);
    assert_eq!((plan.steps, plan.dt_ms), (150_000, 0.01));
    assert_eq!(plan.nodes.iter().map(|n| n.size()).sum::<usize>(), 400);
    let synapses: f64 = rheobase::run::estimate(&plan, &Default::default()).synapses;
    assert_eq!(synapses, 48_432.0);
    let mut fingerprints = Vec::new();
    for threads in [1, 2, 3] {
        let (recording, fingerprint) = spikes::<f64>(plan.clone(), threads);
        println!("{threads} threads: {} spikes", recording.n_spikes[0]);
        assert_eq!(recording.n_spikes[0], PUBLISHED_SPIKES);
        fingerprints.push(fingerprint);
    }
    assert!(fingerprints.windows(2).all(|w| w[0] == w[1]));
}

#[test]
fn single_precision_comes_within_one_percent_of_it() {
    let Some(path) = shared_or_skip("single precision") else {
        return;
    };
    let options = Options {
        precision: Some(Precision::F32),
        ..Options::default()
    };
    let Imported { plan, .. } = load(&path, &options, &rheobase::registry()).unwrap();
    let (recording, _) = spikes::<f32>(plan, 2);
    println!("f32: {} spikes", recording.n_spikes[0]);
    assert!(recording.n_spikes[0].abs_diff(PUBLISHED_SPIKES) * 100 < PUBLISHED_SPIKES);
}
