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

/// (what is wrong, text replaced, replacement, place and phrase of the message).
const MALFORMED: [(&str, &str, &str, &str); 20] = [
    (
        "unknown population",
        "target = \"I\"\nport = \"ex\"\nrule",
        "target = \"J\"\nport = \"ex\"\nrule",
        "projections[0].target: unknown node `J`; expected E, I or background",
    ),
    (
        "unknown model",
        "model = \"iaf_psc_exp\"\nsize = 80",
        "model = \"iaf_psc_exq\"\nsize = 80",
        "populations.E.model: unknown neuron `iaf_psc_exq`; did you mean `iaf_psc_exp`?",
    ),
    (
        "unknown parameter",
        "tau_m = \"10 ms\"",
        "tau_n = \"10 ms\"",
        "populations.E.parameters: unknown parameter `tau_n`; did you mean `tau_in`?",
    ),
    (
        "unknown port",
        "port = \"in\"",
        "port = \"inh\"",
        "projections[1].port: unknown port `inh`; did you mean `in`?",
    ),
    (
        "unknown rule",
        "fixed_indegree",
        "fixed_indegre",
        "projections[1].rule: unknown connectivity rule `fixed_indegre`; did you mean `fixed_indegree`?",
    ),
    (
        "unknown key",
        "size = 20",
        "size = 20\nsise = 3",
        "populations.I: unknown entry `sise`; did you mean `size`?",
    ),
    (
        "wrong unit",
        "tau_m = \"10 ms\"",
        "tau_m = \"10 mV\"",
        "populations.E.parameters.tau_m: expected a quantity in ms, found \"10 mV\"",
    ),
    (
        "missing unit",
        "tau_m = \"10 ms\"",
        "tau_m = 10",
        "populations.E.parameters.tau_m: the number 10 has no unit; write \"10 ms\"",
    ),
    (
        "misspelt unit",
        "weight = \"50 pA\"",
        "weight = \"50 pa\"",
        "projections[0].weight: `50 pa` is no quantity: unknown unit `pa`; did you mean `pA`?",
    ),
    (
        "negative delay",
        "delay = \"1.5 ms\"",
        "delay = \"-1.5 ms\"",
        "projections[0].delay: -1.5 ms is negative",
    ),
    (
        "zero delay on a cycle",
        "delay = \"1.5 ms\"",
        "delay = \"0 ms\"",
        "projections[0]: the delay is 0 on the cycle E -> I -> E; every edge on a cycle needs",
    ),
    (
        "delay off the grid",
        "delay = \"1.5 ms\"",
        "delay = \"1.53 ms\"",
        "projections[0].delay: 1.53 ms is no whole number of steps of 0.1 ms; round_delay = true",
    ),
    (
        "infinite parameter",
        "tau_m = \"10 ms\"",
        "tau_m = inf",
        "populations.E.parameters.tau_m: inf is not finite",
    ),
    (
        "NaN weight",
        "weight = \"50 pA\"",
        "weight = nan",
        "projections[0].weight: NaN is not finite",
    ),
    (
        "size of zero",
        "size = 20",
        "size = 0",
        "populations.I.size: expected a whole number from 1 to 2147483648, found 0",
    ),
    (
        "probability above one",
        "p = 0.2",
        "p = 1.2",
        "projections[0].rule.pairwise_bernoulli.p: expected a probability, found 1.2",
    ),
    (
        "negative rate",
        "rate = \"5 kHz\"",
        "rate = \"-5 kHz\"",
        "stimuli.background.rate: -5000 Hz is negative",
    ),
    (
        "dt of zero",
        "dt = \"0.1 ms\"",
        "dt = \"0 ms\"",
        "dt: 0 ms is not above 0",
    ),
    (
        "no TOML",
        "[populations.E]",
        "[populations.E",
        "net.toml: TOML parse error at line 7, column 15",
    ),
    (
        "too large for memory",
        "size = 80",
        "size = 2000000000",
        "(2000000020 neurons, 1.800e10 synapses) but only",
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
            message.starts_with("error: "),
            "{what}: where and what, first of all: {message}"
        );
        assert!(!folder.path().join("out").exists(), "{what}: no folder");
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
    let inputs = format!(
        "{RIGHT}\n[inputs.image]\nshape = [20]\n\n[layers.fc]\nmodel = \"linear\"\nout_features = 4\n\n[[edges]]\nsource = \"image\"\ntarget = \"fc\"\n"
    );
    std::fs::write(folder.path().join("inputs.toml"), inputs).unwrap();
    let cases: [(&[&str], &str); 11] = [
        (&["run", "own.toml"], "did you mean `tau`"),
        (
            &["run", "inputs.toml"],
            "inputs.image: an input gets its values from a program",
        ),
        (&["run", "absent.toml"], "absent.toml"),
        (
            &["run", "net.toml", "--set", "populations.E.sise=3"],
            "populations.E: unknown entry `sise`",
        ),
        (
            &["run", "net.toml", "--set", "nothing"],
            "--set nothing: expected PATH=VALUE",
        ),
        (
            &["run", "net.toml", "--duration", "1 mV"],
            "duration: expected a quantity in ms",
        ),
        (
            &["run", "net.toml", "--threads", "0"],
            "invalid value '0' for '--threads",
        ),
        (
            &["run", "net.toml", "--backend", "tpu"],
            "invalid value 'tpu' for '--backend",
        ),
        (
            &["run", "net.toml", "--out", "file/results"],
            "--out: cannot create file/results",
        ),
        (
            &["run", "net.toml", "--max-memory", "0.000005"],
            "(100 neurons, 7.200e2 synapses) but only 5.2 KiB may be used",
        ),
        (&["models", "iaf_psc_exq"], "iaf_psc_exp"),
    ];
    for (arguments, expected) in cases {
        let out = rheobase(arguments, folder.path());
        let message = text(&out.stderr);
        println!("--- {arguments:?}\n{}", message.trim_end());
        assert_eq!(out.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    assert!(!folder.path().join("results").exists(), "no run began");
    let check = rheobase(&["check", "inputs.toml"], folder.path());
    assert!(check.status.success(), "{}", text(&check.stderr));
}

/// A refused run leaves what an earlier one wrote; a new run leaves nothing of an earlier one.
#[test]
fn results_of_two_runs_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let monitors =
        "\n[[monitors]]\nstate = \"E\"\nvariables = [\"v\"]\nneurons = { first = 1 }\nevery = ";
    let monitored = format!("{RIGHT}{monitors}\"0.5 ms\"\n{monitors}\"0.3 ms\"\n");
    std::fs::write(folder.path().join("monitored.toml"), monitored).unwrap();
    std::fs::write(folder.path().join("net.toml"), RIGHT).unwrap();
    let names = || {
        let entries = std::fs::read_dir(&out).unwrap();
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let run = |file: &str, memory: &str| {
        let arguments = [
            "run",
            file,
            "--out",
            "out",
            "--overwrite",
            "--max-memory",
            memory,
        ];
        rheobase(&arguments, folder.path()).status.code()
    };
    assert_eq!(run("monitored.toml", "1"), Some(0));
    let traces = ["npz", "png", "svg"].map(|e| format!("traces.{e}"));
    let more = ["npz", "png", "svg"].map(|e| format!("traces_2.{e}"));
    let first = [["run.json".to_owned()].as_slice(), &traces, &more].concat();
    assert_eq!(names(), first, "what the README lists");
    assert_eq!(run("net.toml", "0.000005"), Some(2));
    assert_eq!(names(), first, "a refused run changes nothing");
    std::fs::write(out.join("traces_of_mine.npz"), "kept").unwrap();
    assert_eq!(run("net.toml", "1"), Some(0));
    let second = [
        "raster.png",
        "raster.svg",
        "run.json",
        "spikes.npz",
        "traces_of_mine.npz",
    ];
    assert_eq!(names(), second);
    assert_eq!(run("monitored.toml", "1"), Some(0));
    let third = [first.as_slice(), &["traces_of_mine.npz".to_owned()]].concat();
    assert_eq!(names(), third);
}

#[test]
fn delays_moved_by_the_grid_are_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let drawn = RIGHT.replace(
        "delay = \"0.5 ms\"",
        "delay = { uniform = [\"0 ms\", \"0.2 ms\"] }",
    );
    std::fs::write(folder.path().join("net.toml"), drawn).unwrap();
    let out = rheobase(&["run", "net.toml", "--out", "out"], folder.path());
    assert!(out.status.success(), "{}", text(&out.stderr));
    let record = std::fs::read_to_string(folder.path().join("out/run.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    let raised = record["raised_delays"].as_u64().unwrap();
    // A quarter of 400 delays lies below half a step.
    assert!((60..140).contains(&raised), "{raised}");
    let told = format!("{raised} delays were raised to one step of 0.1 ms");
    assert!(text(&out.stdout).contains(&told), "{}", text(&out.stdout));
    let told = format!(
        "{} delays were rounded to the grid of 0.1 ms",
        record["rounded_delays"]
    );
    assert!(text(&out.stdout).contains(&told), "{}", text(&out.stdout));
}

/// The limit holds for what will be allocated: on all threads, with all that is recorded.
#[test]
fn the_memory_limit_counts_threads_and_the_recordings_of_the_statistics() {
    use rheobase::run::{RunFailure, RunOptions, estimate, run_plan};
    // Only I is monitored; E is recorded all the same, for the statistics.
    let monitored = format!("{RIGHT}\n[[monitors]]\nspikes = [\"I\"]\n");
    let network = rheobase::engine::network::Network::from_toml(&monitored, "right").unwrap();
    let plan = harness::plan(&network);
    let options = RunOptions {
        threads: 3,
        ..RunOptions::default()
    };
    let needed = estimate(&plan, &options).bytes;
    assert!(needed > plan.estimate_for(3).bytes, "recordings");
    assert!(
        needed > estimate(&plan, &RunOptions::default()).bytes,
        "threads"
    );
    let run = |limit: u64| {
        let mut options = options.clone();
        options.memory_limit = Some(limit);
        run_plan(plan.clone(), &options, &mut |_| {
            rheobase::run::Continue::Yes
        })
    };
    let refused = run(needed - 1).map(|_| ());
    assert!(matches!(refused, Err(RunFailure::Memory(e)) if e.bytes == needed));
    assert_eq!(run(needed).unwrap().record.threads, 3);
}

#[test]
fn every_command_helps_with_an_example() {
    for command in ["run", "analyze", "check", "models", "doctor"] {
        let help = rheobase(&[command, "--help"], harness::root());
        assert!(help.status.success());
        let help = text(&help.stdout);
        assert!(help.contains(&format!("\n  rheobase {command}")), "{help}");
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
    assert_eq!(check["neurons"], 2068 + 3200 + 800 + 10 + 512);
}
