//! The command as a user meets it: results, JSON, exit codes, and what it says to wrong input.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::harness;

fn rheobase(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rheobase"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A network that is right; each malformed case changes one thing.
const RIGHT: &str = r#"
name = "right"
seed = 1
dt = "0.1 ms"
duration = "100 ms"

[populations.E]
model = "iaf_psc_exp"
size = 80
parameters = { i_e = "400 pA", tau_m = "10 ms" }
initial = { v = { uniform = ["-65 mV", "-50 mV"] } }

[populations.I]
model = "iaf_psc_exp"
size = 20

[stimuli.background]
model = "poisson_background"
target = "I"
port = "ex"
rate = "5 kHz"
weight = "100 pA"

[[projections]]
source = "E"
target = "I"
port = "ex"
rule = { pairwise_bernoulli = { p = 0.2 } }
weight = "50 pA"
delay = "1.5 ms"

[[projections]]
source = "I"
target = "E"
port = "in"
rule = { fixed_indegree = { indegree = 5 } }
weight = "-100 pA"
delay = "0.5 ms"
"#;

#[test]
fn a_run_writes_results_and_prints_one_json_object() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("net.toml"), RIGHT).unwrap();
    let run = |threads: &str| {
        let out = rheobase(
            &[
                "run",
                "net.toml",
                "--json",
                "--out",
                "out",
                "--overwrite",
                "--threads",
                threads,
            ],
            folder.path(),
        );
        assert!(out.status.success(), "{}", text(&out.stderr));
        serde_json::from_slice::<Value>(&out.stdout).unwrap()
    };
    let record = run("1");
    let promised = [
        "biological_s",
        "build_s",
        "simulation_s",
        "real_time_factor",
        "peak_rss_bytes",
        "neurons",
        "synapses",
        "spikes",
        "synaptic_events",
        "threads",
        "seed",
        "precision",
        "backend",
        "populations",
    ];
    for field in promised {
        assert!(record.get(field).is_some(), "{field}");
    }
    assert_eq!(
        (&record["neurons"], &record["seed"]),
        (&100.into(), &1.into())
    );
    for field in ["name", "size", "spikes", "rate_hz", "cv_isi", "synchrony"] {
        assert!(record["populations"][0].get(field).is_some(), "{field}");
    }
    assert!(record["spikes"].as_u64().unwrap() > 100);
    assert_eq!(run("3")["spikes"], record["spikes"]);
    for file in ["run.json", "spikes.npz", "raster.svg", "raster.png"] {
        assert!(
            folder
                .path()
                .join("out")
                .join(file)
                .metadata()
                .unwrap()
                .len()
                > 100,
            "{file}"
        );
    }
    let written = std::fs::read_to_string(folder.path().join("out/run.json")).unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(written["neurons"], record["neurons"]);
    let spikes = rheobase::report::npz::read_spikes(&folder.path().join("out/spikes.npz")).unwrap();
    let n: usize = spikes.populations.iter().map(|p| p.steps.len()).sum();
    assert_eq!(n as u64, record["spikes"].as_u64().unwrap());
}

#[test]
fn a_description_from_standard_input_runs() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_rheobase"))
        .args([
            "run",
            "-",
            "--json",
            "--precision",
            "f64",
            "--duration",
            "20 ms",
        ])
        .current_dir(folder.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(RIGHT.as_bytes())
        .unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    let record: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(record["precision"], "f64");
    assert_eq!(record["biological_s"], 0.02);
}

#[test]
fn check_models_and_doctor_answer() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("net.toml"), RIGHT).unwrap();
    let check = rheobase(&["check", "net.toml", "--json"], folder.path());
    assert!(check.status.success(), "{}", text(&check.stderr));
    let check: Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!(check["neurons"], 100);
    for name in [
        "lif",
        "iaf_cond_exp",
        "pairwise_bernoulli",
        "poisson_background",
        "linear",
    ] {
        let models = rheobase(&["models", name], folder.path());
        assert!(models.status.success());
        assert!(text(&models.stdout).contains(name));
    }
    let doctor = rheobase(&["doctor", "--json"], folder.path());
    assert!(doctor.status.success(), "{}", text(&doctor.stderr));
    let doctor: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert!(doctor["kernels"].as_array().unwrap().len() >= 6);
}

/// (what is wrong, text replaced, replacement, part of the message).
const MALFORMED: [(&str, &str, &str, &str); 20] = [
    (
        "unknown population",
        "target = \"I\"\nport = \"ex\"\nrule",
        "target = \"J\"\nport = \"ex\"\nrule",
        "J",
    ),
    (
        "unknown model",
        "model = \"iaf_psc_exp\"\nsize = 80",
        "model = \"iaf_psc_exq\"\nsize = 80",
        "did you mean `iaf_psc_exp`",
    ),
    (
        "unknown parameter",
        "tau_m = \"10 ms\"",
        "tau_n = \"10 ms\"",
        "tau_n",
    ),
    ("unknown port", "port = \"in\"", "port = \"inh\"", "inh"),
    (
        "unknown rule",
        "fixed_indegree",
        "fixed_indegre",
        "did you mean `fixed_indegree`",
    ),
    ("unknown key", "size = 20", "size = 20\nsise = 3", "sise"),
    ("wrong unit", "tau_m = \"10 ms\"", "tau_m = \"10 mV\"", "mV"),
    ("missing unit", "tau_m = \"10 ms\"", "tau_m = 10", "unit"),
    (
        "misspelt unit",
        "weight = \"50 pA\"",
        "weight = \"50 pa\"",
        "pa",
    ),
    (
        "negative delay",
        "delay = \"1.5 ms\"",
        "delay = \"-1.5 ms\"",
        "delay",
    ),
    (
        "zero delay on a cycle",
        "delay = \"1.5 ms\"",
        "delay = \"0 ms\"",
        "cycle",
    ),
    (
        "delay off the grid",
        "delay = \"1.5 ms\"",
        "delay = \"1.53 ms\"",
        "whole number of steps",
    ),
    (
        "infinite parameter",
        "tau_m = \"10 ms\"",
        "tau_m = inf",
        "tau_m",
    ),
    ("NaN weight", "weight = \"50 pA\"", "weight = nan", "weight"),
    ("size of zero", "size = 20", "size = 0", "size"),
    ("probability above one", "p = 0.2", "p = 1.2", "p"),
    (
        "negative rate",
        "rate = \"5 kHz\"",
        "rate = \"-5 kHz\"",
        "rate",
    ),
    ("dt of zero", "dt = \"0.1 ms\"", "dt = \"0 ms\"", "dt"),
    ("no TOML", "[populations.E]", "[populations.E", "line"),
    (
        "too large for memory",
        "size = 80",
        "size = 2000000000",
        "GiB",
    ),
];

#[test]
fn twenty_malformed_networks_get_a_message_and_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    for (what, from, to, expected) in MALFORMED {
        assert_eq!(
            RIGHT.matches(from).count(),
            1,
            "{what}: `{from}` must stand once"
        );
        std::fs::write(folder.path().join("net.toml"), RIGHT.replace(from, to)).unwrap();
        let out = rheobase(&["run", "net.toml", "--out", "out"], folder.path());
        let message = text(&out.stderr);
        println!("--- {what}\n{}", message.trim_end());
        assert_eq!(out.status.code(), Some(2), "{what}: {message}");
        assert!(message.contains(expected), "{what}: {message}");
        assert!(message.lines().count() <= 12, "{what}: one clear message");
        assert!(
            !folder.path().join("out/run.json").exists(),
            "{what}: nothing half-written"
        );
    }
}

#[test]
fn wrong_models_and_options_get_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let own = RIGHT.replace("[populations.E]", "[models]\nown = '''\nneuron own\n  parameter tau = 10 ms\n  dv/dt = -v/tua + 3 ms : mV\n  spike when v >= 1 mV\n'''\n\n[populations.E]")
        .replace("model = \"iaf_psc_exp\"\nsize = 80\nparameters = { i_e = \"400 pA\", tau_m = \"10 ms\" }", "model = \"own\"\nsize = 80");
    std::fs::write(folder.path().join("own.toml"), own).unwrap();
    std::fs::write(folder.path().join("net.toml"), RIGHT).unwrap();
    std::fs::write(folder.path().join("file"), "in the way").unwrap();
    let cases: [(&[&str], &str); 8] = [
        (&["run", "own.toml"], "did you mean `tau`"),
        (&["run", "absent.toml"], "absent.toml"),
        (
            &["run", "net.toml", "--set", "populations.E.sise=3"],
            "sise",
        ),
        (&["run", "net.toml", "--set", "nothing"], "PATH=VALUE"),
        (&["run", "net.toml", "--duration", "1 mV"], "duration"),
        (&["run", "net.toml", "--threads", "0"], "threads"),
        (&["run", "net.toml", "--out", "file/results"], "file"),
        (&["models", "iaf_psc_exq"], "iaf_psc_exp"),
    ];
    for (arguments, expected) in cases {
        let out = rheobase(arguments, folder.path());
        let message = text(&out.stderr);
        println!("--- {arguments:?}\n{}", message.trim_end());
        assert_eq!(out.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}

/// Forward Euler far beyond its stability limit: the run stops, says where, keeps what it has.
#[test]
fn a_state_that_blows_up_stops_the_run_with_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let unstable = RIGHT
        .replace("[populations.E]", "[models]\nown = '''\nneuron own\n  parameter tau = 1 us\n  dv/dt = -v*v*v/(tau*1 mV*1 mV) : mV = 2 mV\n  input ex(w : pA): v += w*(1 mV/(1 pA))\n  input in(w : pA): v += w*(1 mV/(1 pA))\n  integrator euler\n'''\n\n[populations.E]")
        .replace("model = \"iaf_psc_exp\"\nsize = 80\nparameters = { i_e = \"400 pA\", tau_m = \"10 ms\" }\ninitial = { v = { uniform = [\"-65 mV\", \"-50 mV\"] } }", "model = \"own\"\nsize = 80");
    std::fs::write(folder.path().join("net.toml"), unstable).unwrap();
    let out = rheobase(&["run", "net.toml", "--out", "out"], folder.path());
    let message = text(&out.stderr);
    println!("{message}");
    assert_eq!(out.status.code(), Some(1), "{message}");
    for part in ["population `E`", "neuron 0", "`v`", "t = "] {
        assert!(message.contains(part), "{message}");
    }
    assert!(
        folder.path().join("out/run.json").exists(),
        "what was recorded is kept"
    );
}

#[test]
fn every_example_is_correct() {
    for entry in std::fs::read_dir(harness::root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let out = rheobase(&["check", path.to_str().unwrap()], harness::root());
            assert!(
                out.status.success(),
                "{}: {}",
                path.display(),
                text(&out.stderr)
            );
        }
    }
}

/// The blocks of docs/network.md, one after the other, are one network of real components.
#[test]
fn the_network_in_the_docs_is_correct() {
    let docs = std::fs::read_to_string(harness::root().join("docs/network.md")).unwrap();
    let blocks: String = docs
        .split("```toml\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .collect();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("net.toml"), blocks).unwrap();
    let other = "neuron other\n  dv/dt = -v/(10 ms) : mV\n  spike when v >= 1 mV, reset v = 0";
    std::fs::write(folder.path().join("other.rheo"), other).unwrap();
    let out = rheobase(&["check", "net.toml", "--json"], folder.path());
    assert!(out.status.success(), "{}", text(&out.stderr));
    let check: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(check["neurons"], 3200 + 800 + 10 + 512);
}
