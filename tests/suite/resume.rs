//! Runs that are stopped and continued: as if nothing had happened, or an error that says why not.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// 500 neurons, two seconds: delays that differ, noise, traces at two rates.
const NETWORK: &str = r#"
name = "resumed"
seed = 5
dt = "0.1 ms"
duration = "2 s"
discard = "0.15 s"

[populations.E]
model = "iaf_psc_exp"
size = 400
parameters = { i_e = "300 pA", tau_m = "10 ms" }
initial = { v = { uniform = ["-65 mV", "-50 mV"] } }

[populations.I]
model = "iaf_psc_exp"
size = 100

[stimuli.background]
model = "poisson_background"
target = ["E", "I"]
port = "ex"
rate = "4 kHz"
weight = "60 pA"

[[projections]]
source = "E"
target = "I"
port = "ex"
rule = { pairwise_bernoulli = { p = 0.1 } }
weight = "50 pA"
delay = { uniform = ["0.5 ms", "9 ms"] }

[[projections]]
source = "I"
target = "E"
port = "in"
rule = { fixed_indegree = { indegree = 10 } }
weight = "-100 pA"
delay = "1.5 ms"

[[monitors]]
spikes = ["E", "I"]

[[monitors]]
state = "E"
variables = ["v"]
neurons = { first = 3 }
every = "1 ms"

[[monitors]]
state = "I"
variables = ["v"]
neurons = { first = 2 }
every = "0.7 ms"
"#;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("net.toml"), NETWORK).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rheobase"));
        command
            .args(["run", "net.toml", "--quiet"])
            .args(arguments)
            .current_dir(self.folder.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn succeeds(&self, arguments: &[&str]) {
        let out = self.run(arguments);
        assert!(out.status.success(), "{arguments:?}: {}", error(&out));
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stderr(Stdio::null()).stdout(Stdio::null());
        command.spawn().unwrap()
    }

    fn record(&self, out: &str) -> Value {
        let text = std::fs::read_to_string(self.path(out).join("run.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

fn error(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// Same hash, same counts, same statistics, same files byte for byte.
fn assert_same(place: &Place, a: &str, b: &str) {
    let (left, right) = (place.record(a), place.record(b));
    for field in [
        "fingerprint",
        "spikes",
        "synaptic_events",
        "biological_s",
        "populations",
        "interrupted",
    ] {
        assert_eq!(left[field], right[field], "{field}");
    }
    for file in [
        "spikes.npz",
        "traces.npz",
        "traces_2.npz",
        "raster.svg",
        "raster.png",
        "traces.svg",
    ] {
        let bytes = |out: &str| std::fs::read(place.path(out).join(file)).unwrap();
        assert!(bytes(a) == bytes(b), "{file} differs");
    }
}

/// Runs to several places, there on other numbers of threads to the end.
#[test]
fn a_run_continued_anywhere_on_any_number_of_threads_is_the_whole_run() {
    let place = Place::new();
    place.succeeds(&["--out", "whole", "--threads", "1"]);
    let cuts = [
        ("150.1 ms", "1", "3"),
        ("337.3 ms", "3", "2"),
        ("1.9999 s", "2", "1"),
    ];
    for (k, (cut, before, after)) in cuts.into_iter().enumerate() {
        let out = format!("cut{k}");
        let shorter = ["--duration", cut, "--checkpoint-every", "0.3 s"];
        let shorter = [&shorter[..], &["--out", &out, "--threads", before]].concat();
        place.succeeds(&shorter);
        let checkpoint = format!("{out}/checkpoint.rheobase");
        place.succeeds(&["--resume", &checkpoint, "--threads", after]);
        assert_same(&place, "whole", &out);
        let resumed = place.record(&out)["resumed_s"].clone();
        assert_eq!(resumed.as_array().unwrap().len(), 1, "{resumed}");
    }
}

/// With and without checkpoints, and continued at its end: the same.
#[test]
fn checkpoints_change_nothing_and_a_finished_run_can_be_finished_again() {
    let place = Place::new();
    place.succeeds(&["--out", "whole"]);
    assert!(!place.path("whole/checkpoint.rheobase").exists());
    assert!(!place.path("whole/.rheobase-parts").exists());
    place.succeeds(&[
        "--out",
        "often",
        "--checkpoint-every",
        "10 ms",
        "--threads",
        "2",
    ]);
    assert_same(&place, "whole", "often");
    // As if killed while results were written.
    std::fs::remove_file(place.path("often/spikes.npz")).unwrap();
    std::fs::write(place.path("often/run.json"), "{").unwrap();
    place.succeeds(&["--resume", "often/checkpoint.rheobase"]);
    assert_same(&place, "whole", "often");
    // A new run in the same folder forgets the checkpoint of the old one.
    place.succeeds(&["--out", "often", "--overwrite"]);
    assert!(!place.path("often/checkpoint.rheobase").exists());
}

/// Kills a run at some moment after its first checkpoint, continues it, and compares.
fn killed_and_resumed(place: &Place, rounds: u32, threads: &[&str]) {
    place.succeeds(&["--out", "whole", "--threads", "1"]);
    let begun = Instant::now();
    place.succeeds(&["--out", "timed", "--checkpoint-every", "20 ms"]);
    let whole = begun.elapsed();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let (mut kills, mut late) = (0, 0);
    for round in 0..rounds {
        let out = format!("killed{round}");
        let checkpoint = format!("{out}/checkpoint.rheobase");
        let mut first = true;
        loop {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let threads = threads[(state % threads.len() as u64) as usize];
            let mut arguments = vec!["--threads", threads];
            if first {
                arguments.extend(["--out", &out, "--checkpoint-every", "20 ms"]);
            } else {
                arguments.extend(["--resume", &checkpoint]);
            }
            first = false;
            let mut child = place.spawn(&arguments);
            let begun = Instant::now();
            // The first checkpoint is there, so that there is something to continue from.
            while !place.path(&checkpoint).exists() && begun.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(1));
            }
            let moment = whole.mul_f64((state >> 40) as f64 / (1_u64 << 24) as f64);
            std::thread::sleep(moment);
            if child.try_wait().unwrap().is_some() {
                late += 1;
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            if state.is_multiple_of(3) {
                break;
            }
        }
        place.succeeds(&["--resume", &checkpoint, "--threads", "1"]);
        assert_same(place, "whole", &out);
    }
    println!("{kills} kills in {rounds} runs, {late} came after the end");
    assert!(kills > 0, "nothing was tested");
}

#[test]
fn a_run_that_is_killed_continues_as_if_it_had_not_been() {
    killed_and_resumed(&Place::new(), 4, &["1", "2"]);
}

/// `cargo test --release --test suite -- --ignored twenty`
#[test]
#[ignore = "takes a minute"]
fn twenty_runs_that_are_killed_continue_as_if_they_had_not_been() {
    killed_and_resumed(&Place::new(), 20, &["1", "2", "3"]);
}

#[test]
fn damaged_checkpoints_are_errors_wherever_the_damage_is() {
    let place = Place::new();
    let shorter = [
        "--duration",
        "0.2 s",
        "--out",
        "out",
        "--checkpoint-every",
        "1 s",
    ];
    place.succeeds(&shorter);
    let path = place.path("out/checkpoint.rheobase");
    let whole = std::fs::read(&path).unwrap();
    let mut cases: Vec<(String, Vec<u8>)> = (0..20)
        .map(|k| {
            let length = k * whole.len() / 20;
            (format!("cut to {length}"), whole[..length].to_vec())
        })
        .collect();
    for k in 0..40 {
        let bit = 8 * k * whole.len() / 40 + k % 8;
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        cases.push((format!("bit {bit}"), bytes));
    }
    for (what, bytes) in cases {
        std::fs::write(&path, bytes).unwrap();
        let out = place.run(&["--resume", "out/checkpoint.rheobase"]);
        let message = error(&out);
        assert_eq!(out.status.code(), Some(2), "{what}: {message}");
        assert!(message.contains("checkpoint.rheobase"), "{what}: {message}");
        assert!(!message.contains("panicked"), "{what}: {message}");
    }
    std::fs::write(&path, &whole).unwrap();
    // What was recorded before the checkpoint is part of it.
    let parts = place.path("out/.rheobase-parts");
    std::fs::write(parts.join("0.step"), [0; 8]).unwrap();
    let message = error(&place.run(&["--resume", "out/checkpoint.rheobase"]));
    assert!(
        message.contains("recorded before it are not there"),
        "{message}"
    );
    std::fs::remove_dir_all(parts).unwrap();
    let out = place.run(&["--resume", "out/checkpoint.rheobase"]);
    assert_eq!(out.status.code(), Some(2), "{}", error(&out));
}

#[test]
fn another_model_is_refused_and_the_difference_named() {
    let place = Place::new();
    let shorter = [
        "--duration",
        "0.2 s",
        "--out",
        "out",
        "--checkpoint-every",
        "1 s",
    ];
    place.succeeds(&shorter);
    let resume = ["--resume", "out/checkpoint.rheobase"];
    let cases: [(&[&str], &str); 6] = [
        (&["--seed", "6"], "`\"seed\": 5` became `\"seed\": 6`"),
        (&["--dt", "0.05 ms"], "0.05 ms"),
        (&["--precision", "f64"], "f64"),
        (&["--set", "populations.E.size=401"], "401"),
        (
            &["--set", "populations.E.parameters.i_e=\"301 pA\""],
            "301 pA",
        ),
        (
            &["--duration", "0.18 s"],
            "after the end of a run of 0.18 s",
        ),
    ];
    for (change, expected) in cases {
        let out = place.run(&[&resume[..], change].concat());
        let message = error(&out);
        println!("--- {change:?}\n{}", message.trim_end());
        assert_eq!(out.status.code(), Some(2), "{change:?}: {message}");
        assert!(message.contains(expected), "{change:?}: {message}");
    }
    let out = place.run(&["--resume", "absent/checkpoint.rheobase"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(error(&out).contains("there is no such file"));
    let out = place.run(&["--resume", "net.toml"]);
    assert!(error(&out).contains("is no checkpoint"), "{}", error(&out));
    let out = place.run(&["--out", "x", "--checkpoint-every", "5 mV"]);
    assert!(error(&out).contains("quantity in ms"), "{}", error(&out));
}

#[cfg(unix)]
#[test]
fn an_interrupt_writes_a_checkpoint_and_says_how_to_continue() {
    let place = Place::new();
    let longer = ["--duration", "20 s"];
    place.succeeds(&[&longer[..], &["--out", "whole"]].concat());
    let arguments = [
        &longer[..],
        &["--out", "out", "--checkpoint-every", "0.1 s"],
    ]
    .concat();
    let mut command = place.command(&arguments);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    while !place.path("out/checkpoint.rheobase").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{}", error(&out));
    let record = place.record("out");
    assert_eq!(
        record["interrupted"], true,
        "the signal came before the end"
    );
    let told = "to continue: rheobase run net.toml --resume out/checkpoint.rheobase";
    assert!(error(&out).contains(told), "{}", error(&out));
    let spikes = rheobase::report::npz::read_spikes(&place.path("out/spikes.npz")).unwrap();
    let n: usize = spikes.populations.iter().map(|p| p.steps.len()).sum();
    assert_eq!(record["spikes"], n as u64, "what was recorded is kept");
    place.succeeds(&[&longer[..], &["--resume", "out/checkpoint.rheobase"]].concat());
    assert_same(&place, "whole", "out");
}

/// A limit on the size of files stands for a disk that is full.
#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_and_the_last_checkpoint_stays_valid() {
    let place = Place::new();
    place.succeeds(&["--out", "whole"]);
    let limited = |kib: u32, rest: &str| {
        let run = format!(
            "trap '' XFSZ; ulimit -f {kib}; exec {} run net.toml --quiet {rest}",
            env!("CARGO_BIN_EXE_rheobase")
        );
        Command::new("bash")
            .args(["-c", &run])
            .current_dir(place.folder.path())
            .output()
            .unwrap()
    };
    let columns = place.record("whole")["spikes"].as_u64().unwrap() * 8 / 1024;
    let kib = u32::try_from(columns / 2).unwrap();
    let out = limited(kib, "--out full --checkpoint-every \"50 ms\"");
    let message = error(&out);
    println!("limit of {kib} KiB: {}", message.trim_end());
    assert_eq!(out.status.code(), Some(1), "{message}");
    assert!(message.contains("cannot write"), "{message}");
    assert!(
        message.contains("the last checkpoint is valid"),
        "{message}"
    );
    place.succeeds(&["--resume", "full/checkpoint.rheobase"]);
    assert_same(&place, "whole", "full");
    // Room for the columns, not for the archive made of them.
    let kib = u32::try_from(columns).unwrap();
    let out = limited(kib, "--out late --checkpoint-every \"1 s\"");
    let message = error(&out);
    println!("limit of {kib} KiB: {}", message.trim_end());
    assert_eq!(out.status.code(), Some(1), "{message}");
    assert!(message.contains("spikes.npz"), "{message}");
    assert!(
        message.contains("the last checkpoint is valid"),
        "{message}"
    );
    place.succeeds(&["--resume", "late/checkpoint.rheobase"]);
    assert_same(&place, "whole", "late");
    // Without checkpoints nothing is left to fill the disk.
    let out = limited(kib, "--out none");
    assert_eq!(out.status.code(), Some(1), "{}", error(&out));
    assert!(!place.path("none/.rheobase-parts").exists());
}
