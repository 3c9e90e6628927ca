//! Continuous time through the command: example, files, checkpoints.

use std::path::Path;
use std::process::Command;

use rheobase::report::npz::NpzReader;
use serde_json::Value;

use crate::harness::root;

fn run(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rheobase"));
    let out = command
        .args(["run", "--quiet"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
}

fn record(folder: &Path, out: &str) -> Value {
    let text = std::fs::read_to_string(folder.join(out).join("run.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_example_runs_and_its_files_hold_offsets() {
    let folder = tempfile::tempdir().unwrap();
    let example = root().join("examples/cuba_exact.toml");
    let example = example.to_str().unwrap();
    run(
        folder.path(),
        &[example, "--duration", "0.3 s", "--out", "whole"],
    );
    let mut whole = record(folder.path(), "whole");
    let population = &whole["populations"][0];
    assert_eq!(
        (&population["mode"], &population["continuous"]["time"]),
        (&"exact".into(), &"exact".into())
    );
    let continuous = &population["continuous"];
    for count in ["events", "spikes", "predictions"] {
        assert!(continuous[count].as_u64().unwrap() > 1000, "{continuous}");
    }
    let mut archive = NpzReader::open(&folder.path().join("whole/spikes.npz")).unwrap();
    let offsets = archive.array::<f64>("E.offset_ms").unwrap().values;
    let steps = archive.array::<i64>("E.step").unwrap().values;
    assert_eq!(offsets.len(), steps.len());
    assert!(offsets.iter().all(|&x| x > 0.0 && x <= 0.1));
    // Off the grid.
    assert!(offsets.iter().filter(|&&x| x < 0.1).count() > offsets.len() / 2);

    // Stopped and continued, on other threads: the same files.
    let half = [
        "--duration",
        "0.15 s",
        "--checkpoint-every",
        "0.1 s",
        "--out",
        "cut",
    ];
    run(folder.path(), &[&[example][..], &half[..]].concat());
    let rest = [
        "--duration",
        "0.3 s",
        "--resume",
        "cut/checkpoint.rheobase",
        "--threads",
        "3",
    ];
    run(folder.path(), &[&[example][..], &rest[..]].concat());
    let mut cut = record(folder.path(), "cut");
    // How many crossings were solved for depends on where the run was cut: a cost, not a result.
    for record in [&mut whole, &mut cut] {
        for population in record["populations"].as_array_mut().unwrap() {
            let continuous = population["continuous"].as_object_mut().unwrap();
            assert!(continuous.remove("predictions").is_some());
        }
    }
    for field in ["fingerprint", "spikes", "synaptic_events", "populations"] {
        assert_eq!(whole[field], cut[field], "{field}");
    }
    let bytes = |out: &str| std::fs::read(folder.path().join(out).join("spikes.npz")).unwrap();
    assert!(bytes("whole") == bytes("cut"));
}
