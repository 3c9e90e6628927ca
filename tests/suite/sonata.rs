//! SONATA networks: the published spike count, and a network made here against the same network in
//! our own description.

use std::path::PathBuf;

use rheobase::engine::Instantiate;
use rheobase::engine::network::{Monitor, Network, Population, Projection, Stimulus};
use rheobase::engine::plan::Plan;
use rheobase::engine::simulation::Recording;
use rheobase::equations::real::Precision;
use rheobase::formats::sonata::{Imported, Options, load};
use serde_json::{Value, json};

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

#[allow(dead_code, reason = "shared with tests that damage these files")]
#[path = "../../formats/tests/hostile/files.rs"]
mod files;

/// The network of `files` in our own description.
fn by_hand() -> Network {
    use files::{FIRST_ID, N, N_VIRTUAL};
    assert_eq!(FIRST_ID, 100);
    // Places of neurons within the two populations they are cut into.
    let alpha: Vec<usize> = (0..N).filter(|&k| files::is_alpha(k)).collect();
    let other: Vec<usize> = (0..N).filter(|&k| !files::is_alpha(k)).collect();
    let parts = [
        ("cells-iaf_psc_alpha", &alpha),
        ("cells-iaf_psc_exp", &other),
    ];
    let currents: Vec<String> = alpha
        .iter()
        .map(|&k| format!("{} pA", files::current_pa(k)))
        .collect();
    let mut times = vec![Vec::new(); N_VIRTUAL];
    for (node, ms) in files::input_spikes() {
        times[node as usize].push(format!("{ms} ms"));
    }
    // The first neuron is of the second kind, so its population comes first.
    let mut network = Network::builder("by hand")
        .dt("0.1 ms")
        .duration("200 ms")
        .precision(Precision::F64)
        .population(
            parts[1].0,
            Population::new("iaf_psc_exp", other.len() as u64).initial("v", "-70 mV"),
        )
        .population(
            parts[0].0,
            Population::new("iaf_psc_alpha", alpha.len() as u64)
                .parameter("tau_m", "12 ms")
                .parameter("e_l", "-71 mV")
                .parameter("v_th", "-56 mV")
                .parameter("i_e", json!(currents))
                .initial("v", "-70 mV"),
        )
        .stimulus(
            "input",
            Stimulus::new("spike_times").argument("times", json!(times)),
        )
        .monitor(Monitor::spikes(parts[1].0))
        .monitor(Monitor::spikes(parts[0].0));
    let virtuals: Vec<usize> = (0..N_VIRTUAL).collect();
    let cells = [parts[1], parts[0]];
    for (edges, sources) in [
        (files::recurrent(), &cells[..]),
        (files::feed(), &[("input", &virtuals)][..]),
    ] {
        for &(source, source_members) in sources {
            for &(target, target_members) in &cells {
                for port in ["ex", "in"] {
                    let place = |members: &[usize], k| members.iter().position(|&m| m == k);
                    let chosen: Vec<_> = edges
                        .iter()
                        .filter(|e| (e.weight < 0.0) == (port == "in"))
                        .filter_map(|e| {
                            let ends = (
                                place(source_members, e.source)?,
                                place(target_members, e.target)?,
                            );
                            Some((ends, e))
                        })
                        .collect();
                    if chosen.is_empty() {
                        continue;
                    }
                    let list = |value: &dyn Fn(&((usize, usize), &files::Edge)) -> Value| -> Value {
                        chosen.iter().map(value).collect()
                    };
                    network = network.projection(
                        Projection::new(source, target)
                            .port(port)
                            .rule("explicit")
                            .argument("sources", list(&|c| json!(c.0.0)))
                            .argument("targets", list(&|c| json!(c.0.1)))
                            .argument("weights", list(&|c| json!(format!("{} pA", c.1.weight))))
                            .argument(
                                "delays",
                                list(&|c| json!(format!("{:.1} ms", c.1.delay_ms))),
                            ),
                    );
                }
            }
        }
    }
    network.build().unwrap()
}

fn of_node(recording: &Recording, node: usize) -> Vec<(u64, u32)> {
    let (_, spikes) = recording.spikes.iter().find(|(n, _)| *n == node).unwrap();
    spikes
        .steps
        .iter()
        .copied()
        .zip(spikes.neurons.iter().copied())
        .collect()
}

#[test]
fn a_network_made_here_equals_the_same_network_in_our_description() {
    use files::Spelling;
    let (expected, _) = spikes::<f64>(harness::plan(&by_hand()), 1);
    let total: u64 = expected.n_spikes[..2].iter().sum();
    println!("{total} spikes by hand");
    assert!(total > 100, "the network is active");
    let mut texts = Vec::new();
    for spelling in [
        Spelling::Old,
        Spelling::New,
        Spelling::Seconds,
        Spelling::Csv,
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = files::write(folder.path(), spelling);
        let imported = load(&config, &Options::default(), &rheobase::registry()).unwrap();
        let names: Vec<&str> = imported
            .plan
            .nodes
            .iter()
            .map(|n| n.name.as_str())
            .collect();
        assert_eq!(names, ["cells-iaf_psc_exp", "cells-iaf_psc_alpha", "input"]);
        assert_eq!(imported.outputs.origin(1, 0), Some(("cells", 101)));
        for threads in [1, 3] {
            let (recording, _) = spikes::<f64>(imported.plan.clone(), threads);
            for node in [0, 1] {
                assert_eq!(
                    of_node(&recording, node),
                    of_node(&expected, node),
                    "{spelling:?}"
                );
            }
        }
        texts.push(imported.text);
    }
    // The text tells networks apart, not folders.
    let digest = |text: &str| text.lines().last().unwrap().to_owned();
    assert_eq!(digest(&texts[0]), digest(&texts[1]));
    let folder = tempfile::tempdir().unwrap();
    let config = files::write(folder.path(), Spelling::Old);
    let types = folder.path().join("network/feed_types.csv");
    let text = std::fs::read_to_string(&types).unwrap();
    std::fs::write(&types, text.replace("40.0", "40.5")).unwrap();
    let changed = load(&config, &Options::default(), &rheobase::registry()).unwrap();
    assert_ne!(digest(&texts[0]), digest(&changed.text));
}

fn rheobase(arguments: &[&str]) -> std::process::Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_rheobase"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn the_command_runs_a_configuration_and_writes_it_back() {
    use rheobase::formats::hdf5::{self, Hdf5Error, Limits};
    let folder = tempfile::tempdir().unwrap();
    let config = files::write(folder.path(), files::Spelling::New);
    let (config, out) = (config.display().to_string(), folder.path().join("out"));
    let check = rheobase(&["check", &config]);
    let text = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(
        check.status.success(),
        "{}",
        String::from_utf8_lossy(&check.stderr)
    );
    assert!(
        text.contains("iaf_psc_alpha") && text.contains("560 synapses"),
        "{text}"
    );
    let path = out.display().to_string();
    let run = rheobase(&["run", &config, "--out", &path, "--json"]);
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let record: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(record["precision"], "f64");
    let read = |file: &str, job: fn(&hdf5::File) -> Result<(Vec<u64>, Vec<f64>), Hdf5Error>| {
        hdf5::read(&out.join(file), &Limits::default(), job).unwrap()
    };
    let (ids, times) = read("spikes.h5", |f| {
        let ids = f.dataset("/spikes/cells/node_ids")?;
        let times = f.dataset("/spikes/cells/timestamps")?;
        let n = ids.length()?;
        assert_eq!(times.text_attribute("units")?.as_deref(), Some("ms"));
        Ok((ids.integers(0..n)?, times.floats(0..n)?))
    });
    assert_eq!(record["spikes"].as_u64().unwrap(), ids.len() as u64);
    assert!(ids.iter().all(|id| (100..124).contains(id)));
    assert!(times.is_sorted() && times.iter().all(|&t| t > 0.0 && t <= 200.0));
    // V_m of four cells every 0.5 ms: 400 frames.
    let (cells, window) = read("potential.h5", |f| {
        let cells = f.dataset("/report/cells/mapping/node_ids")?;
        let time = f.dataset("/report/cells/mapping/time")?;
        Ok((cells.integers(0..4)?, time.floats(0..3)?))
    });
    let mut sorted = cells;
    sorted.sort_unstable();
    assert_eq!(sorted, [100, 101, 104, 105]);
    assert_eq!(window, [0.5, 200.5, 0.5]);
    // Options replace what the files say; other entries are not ours to set.
    let short = rheobase(&[
        "run",
        &config,
        "--duration",
        "50 ms",
        "--dt",
        "0.05 ms",
        "--precision",
        "f32",
        "--out",
        &path,
        "--overwrite",
        "--json",
    ]);
    let record: Value = serde_json::from_slice(&short.stdout).unwrap();
    assert_eq!(
        (&record["precision"], &record["dt_ms"]),
        (&json!("f32"), &json!(0.05))
    );
    assert_eq!(record["biological_s"], 0.05);
    let refused = rheobase(&["check", &config, "--set", "populations.cells.size=3"]);
    assert_eq!(refused.status.code(), Some(2));
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        message.contains("dt, duration, discard, seed or precision"),
        "{message}"
    );
    // Nothing was written beside the network.
    assert!(!folder.path().join("output").exists());
    std::fs::remove_file(folder.path().join("network/input_nodes.h5")).unwrap();
    let missing = rheobase(&["run", &config, "--out", &path, "--overwrite"]);
    assert_eq!(missing.status.code(), Some(2));
    let message = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(message.contains("input_nodes.h5"), "{message}");
}
