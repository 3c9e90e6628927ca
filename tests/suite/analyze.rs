//! `rheobase analyze`: figures of a run found again from its files, and errors for what is no run.

use std::path::Path;
use std::process::{Command, Output};

use rheobase::formats::csv::Options;
use rheobase::report::npz::NpzWriter;
use rheobase::spikes::EventList;
use serde_json::Value;

use crate::harness;

fn rheobase(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rheobase"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn error(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap()
}

#[test]
fn the_figures_of_a_run_are_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let network = harness::root().join("examples/coba.toml");
    let run = rheobase(
        &[
            "run",
            network.to_str().unwrap(),
            "--out",
            "out",
            "--json",
            "--duration",
            "0.5 s",
            "--discard",
            "0.1 s",
        ],
        folder.path(),
    );
    assert!(run.status.success(), "{}", error(&run));
    let record = json(&run.stdout);
    let out = rheobase(&["analyze", "out", "--json"], folder.path());
    assert!(out.status.success(), "{}", error(&out));
    let analysis = json(&out.stdout);
    assert_eq!(analysis["start_ms"], 100.0);
    assert_eq!(analysis["end_ms"], 500.0);
    for k in 0..2 {
        let (found, known) = (&analysis["populations"][k], &record["populations"][k]);
        for field in ["name", "size", "spikes", "rate_hz", "cv_isi", "synchrony"] {
            assert_eq!(found[field], known[field], "{field}");
        }
        let correlation = found["correlation"].as_f64().unwrap();
        assert!(correlation.abs() < 0.1, "{correlation}");
        assert!(found["pairs"].as_u64().unwrap() > 5_000);
        let neurons: u64 = found["rates"]["counts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n.as_u64().unwrap())
            .sum();
        assert_eq!(found["size"], neurons);
        let density = found["spectrum"]["density"].as_array().unwrap();
        assert_eq!(density.len(), 129, "256 bins fit into 400 ms");
    }
    for stem in ["raster", "rates", "cv", "spectrum"] {
        for extension in ["svg", "png"] {
            let file = folder.path().join(format!("out/{stem}.{extension}"));
            assert!(file.metadata().unwrap().len() > 1000, "{}", file.display());
        }
    }
    let written = std::fs::read(folder.path().join("out/analysis.json")).unwrap();
    assert_eq!(json(&written), analysis);

    // Another window and other bins; elsewhere; without the record of the run.
    std::fs::remove_file(folder.path().join("out/run.json")).unwrap();
    let arguments = [
        "analyze",
        "out",
        "--out",
        "else",
        "--discard",
        "0.2 s",
        "--bin",
        "5 ms",
        "--json",
    ];
    let out = rheobase(&arguments, folder.path());
    assert!(out.status.success(), "{}", error(&out));
    let analysis = json(&out.stdout);
    assert_eq!(analysis["start_ms"], 200.0);
    assert_eq!(analysis["bin_ms"], 5.0);
    assert!(analysis["end_ms"].as_f64().unwrap() > 490.0);
    assert!(folder.path().join("else/spectrum.png").exists());
    let out = rheobase(&["analyze", "out"], folder.path());
    let table = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(table.contains("correlation  peak [Hz]"), "{table}");
}

#[test]
fn what_is_no_result_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("empty")).unwrap();
    for name in ["text", "huge", "late", "columns"] {
        std::fs::create_dir(path(name)).unwrap();
    }
    std::fs::write(path("text/spikes.npz"), "no archive").unwrap();
    let archive = |name: &str, size: u32, steps: &[i64], neurons: &[u32]| {
        let mut archive = NpzWriter::create(&path(name).join("spikes.npz")).unwrap();
        archive.scalar("dt_ms", 0.1).unwrap();
        archive.scalar("E.size", size).unwrap();
        archive
            .array("E.step", &[steps.len() as u64], steps.iter().copied())
            .unwrap();
        archive
            .array("E.neuron", &[neurons.len() as u64], neurons.iter().copied())
            .unwrap();
        archive.finish().unwrap();
    };
    archive("huge", u32::MAX, &[5, 6], &[0, 1]);
    archive("late", 4, &[i64::MAX - 1], &[0]);
    archive("columns", 4, &[5, 6], &[0]);
    let cases: [(&[&str], &str); 7] = [
        (&["analyze", "absent"], "expected a folder with results"),
        (&["analyze", "empty"], "there is no spikes.npz"),
        (&["analyze", "text"], "spikes.npz"),
        (&["analyze", "huge"], "4294967295 neurons"),
        (&["analyze", "late"], "the window holds"),
        (&["analyze", "columns"], "differ in length"),
        (
            &["analyze", "huge", "--bin", "0.25 ms"],
            "expected a whole number of steps",
        ),
    ];
    for (arguments, expected) in cases {
        let out = rheobase(arguments, folder.path());
        let message = error(&out);
        println!("--- {arguments:?}\n{}", message.trim_end());
        assert_eq!(out.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}

/// Cut or flipped anywhere, an archive is refused or read, never a crash.
#[test]
fn damaged_archives_do_not_crash_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spikes.npz");
    let mut archive = NpzWriter::create(&path).unwrap();
    archive.scalar("dt_ms", 0.1).unwrap();
    archive.scalar("E.size", 9_u32).unwrap();
    archive.array("E.step", &[200], 1..=200_i64).unwrap();
    archive
        .array("E.neuron", &[200], (0..200).map(|k| k % 9_u32))
        .unwrap();
    archive.finish().unwrap();
    let whole = std::fs::read(&path).unwrap();
    let (mut refused, mut tried) = (0, 0);
    for k in 0..60 {
        let at = k * whole.len() / 60;
        let mut flipped = whole.clone();
        flipped[at] ^= 0x55;
        for bytes in [&whole[..at], &flipped[..]] {
            std::fs::write(&path, bytes).unwrap();
            let out = rheobase(&["analyze", ".", "--out", "plots"], folder.path());
            assert!(
                matches!(out.status.code(), Some(0 | 2)),
                "{at}: {}",
                error(&out)
            );
            tried += 1;
            refused += u32::from(out.status.code() == Some(2));
        }
    }
    println!("{refused} of {tried} refused");
    assert!(refused > tried * 3 / 4, "{refused} of {tried} refused");
}

/// Spikes of the format SONATA give the figures of the same spikes in an archive.
#[cfg(feature = "hdf5")]
#[test]
fn spikes_of_sonata_are_analysed_alike() {
    use rheobase::formats::sonata::spikes_file;
    let folder = tempfile::tempdir().unwrap();
    let columns: Vec<(i64, u32)> = (1..4000_u32)
        .map(|k| (i64::from(k * 7 / 3), k * k % 20))
        .collect();
    let mut sorted = columns.clone();
    sorted.sort_unstable();
    std::fs::create_dir(folder.path().join("npz")).unwrap();
    let mut archive = NpzWriter::create(&folder.path().join("npz/spikes.npz")).unwrap();
    let n = [sorted.len() as u64];
    archive.scalar("dt_ms", 0.1).unwrap();
    archive.scalar("cells.size", 17_u32).unwrap();
    let steps = sorted.iter().map(|s| s.0);
    archive.array("cells.step", &n, steps).unwrap();
    let neurons = sorted.iter().map(|s| s.1);
    archive.array("cells.neuron", &n, neurons).unwrap();
    archive.finish().unwrap();
    let expected = rheobase(&["analyze", "npz", "--json"], folder.path());
    assert!(expected.status.success(), "{}", error(&expected));
    for (name, order) in [
        ("by_time", &sorted),
        ("unsorted", &{
            let mut reversed = sorted.clone();
            reversed.reverse();
            reversed
        }),
    ] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        let population = rheobase::formats::sonata::PopulationSpikes {
            population: "cells".to_owned(),
            node_ids: order.iter().map(|s| u64::from(s.1)).collect(),
            times_ms: order.iter().map(|s| s.0 as f64 * 0.1).collect(),
        };
        let bytes = spikes_file(&[population]).unwrap();
        std::fs::write(folder.path().join(name).join("spikes.h5"), bytes).unwrap();
        let found = rheobase(&["analyze", name, "--json"], folder.path());
        assert!(found.status.success(), "{}", error(&found));
        assert!(json(&found.stdout) == json(&expected.stdout), "{name}");
    }
    std::fs::write(folder.path().join("by_time/spikes.h5"), b"\x89HDF\r\n").unwrap();
    let out = rheobase(&["analyze", "by_time"], folder.path());
    assert_eq!(out.status.code(), Some(2), "{}", error(&out));
}

/// Ten times the spikes, and yet the memory of a stretch.
#[test]
fn memory_does_not_grow_with_the_length_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let network = harness::root().join("examples/coba.toml");
    let run = |duration: &str| {
        let network = network.to_str().unwrap();
        let arguments = [
            "run",
            network,
            "--out",
            "out",
            "--overwrite",
            "--json",
            "--duration",
            duration,
            "--threads",
            "1",
        ];
        let out = rheobase(&arguments, folder.path());
        assert!(out.status.success(), "{}", error(&out));
        let record = json(&out.stdout);
        let figure = |name: &str| record[name].as_u64().unwrap();
        (figure("spikes"), figure("peak_rss_bytes"))
    };
    let (short, long) = (run("3 s"), run("30 s"));
    println!("(spikes, peak bytes): {short:?}, {long:?}");
    let spikes_bytes = 12 * (long.0 - short.0);
    let grown = long.1.saturating_sub(short.1);
    // Buffers of a MiB for each of four columns fill up.
    assert!(grown < 8 << 20, "{grown} bytes more");
    assert!(
        spikes_bytes > 20 << 20,
        "{spikes_bytes} bytes would be seen"
    );
}

#[test]
fn spikes_are_exported_as_tables_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut archive = NpzWriter::create(&path("spikes.npz")).unwrap();
    archive.scalar("dt_ms", 0.1).unwrap();
    let steps = [1_i64, 3, 3, 7, 100_000_001];
    for (name, n) in [("E", 5), ("I", 0)] {
        let column = |column: &str| format!("{name}.{column}");
        archive.scalar(&column("size"), 10_u32).unwrap();
        let steps = steps[..n].iter().copied();
        archive.array(&column("step"), &[n as u64], steps).unwrap();
        let neurons = [9_u32, 0, 4, 0, 0][..n].iter().copied();
        archive
            .array(&column("neuron"), &[n as u64], neurons)
            .unwrap();
    }
    archive.finish().unwrap();
    let out = rheobase(&["analyze", ".", "--csv", "--bin", "100 ms"], folder.path());
    assert!(out.status.success(), "{}", error(&out));
    let text = std::fs::read_to_string(path("E.csv")).unwrap();
    let expected = "time_ms,neuron\n0.1,9\n0.3,0\n0.3,4\n0.7,0\n10000000.1,0\n";
    assert_eq!(text, expected);
    let empty = std::fs::read_to_string(path("I.csv")).unwrap();
    assert_eq!(empty, "time_ms,neuron\n");

    let options = Options {
        neurons: Some(10),
        ..Options::new(0.1)
    };
    let read = rheobase::spikes::read_csv(&path("E.csv"), &options).unwrap();
    let archived = rheobase::spikes::read_npz(&path("spikes.npz")).unwrap();
    assert_eq!(archived[0], ("E".to_owned(), read.events));
    assert_eq!(archived[0].1.item(0).steps(), steps.map(i64::cast_unsigned));

    let other = archived[1].1.clone().into_columns();
    let other = EventList::new(archived[1].1.shape(), 0.2, other).unwrap();
    let both = [("E", &archived[0].1), ("I", &other)];
    let refused = rheobase::spikes::write_npz(&path("both.npz"), &both).unwrap_err();
    assert!(
        refused.to_string().contains("I has a time step of 0.2 ms"),
        "{refused}"
    );
    assert!(!path("both.npz").exists());
}
