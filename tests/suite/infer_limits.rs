//! `rheobase infer` where numbers blow up, and with trained synapses.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rheobase::engine::plan::Plan;
use rheobase::engine::unrolled::{Sequence, UnrolledNetwork, UnrolledOptions};
use rheobase::report::ResultFolder;
use rheobase::run::Continue;
use rheobase::train::{TrainOptions, TrainProgress, TrainingFile, WEIGHTS, read_weights, train};
use serde_json::{Value, json};

use crate::harness;

fn infer(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rheobase"))
        .arg("infer")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A sum that never ends, and its readout.
const SUM: &str = r#"
name = "sum"
dt = "1 ms"
[inputs.x]
shape = [1]
[populations.n]
model = "leaky_readout"
size = 1
emits = "potential"
options = { leak = false }
[[edges]]
source = "x"
target = "n"
"#;

#[test]
fn numbers_that_are_not_finite_end_the_run() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("net.toml"), SUM).unwrap();
    let mut frames = Vec::new();
    let mut lines = String::new();
    for _ in 0..2 {
        lines.push_str("{\"x\":[3e38]}\n");
        frames.extend_from_slice(&8_u32.to_le_bytes());
        frames.extend_from_slice(&0_u32.to_le_bytes());
        frames.extend_from_slice(&3e38_f32.to_le_bytes());
    }
    let state = ["net.toml", "--save-state", "state.json"];
    let expected = "2: output `n`, element 0 is inf; weights or inputs are too large";
    for (arguments, input) in [
        (&state[..], lines.as_bytes()),
        (&["net.toml", "--format", "binary"], &frames),
    ] {
        let output = infer(folder.path(), arguments, input);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(expected), "{message}");
        assert!(!output.stdout.is_empty(), "the first step is answered");
    }
    assert!(!folder.path().join("state.json").exists());

    // Where spikes are asked for, of which there are none, the state tells.
    let net = SUM.replace("emits = \"potential\"\n", "");
    std::fs::write(folder.path().join("net.toml"), net).unwrap();
    let output = infer(folder.path(), &state, lines.as_bytes());
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("the state is not kept: `n.v` is not finite"),
        "{message}"
    );
    assert!(!folder.path().join("state.json").exists());
}

#[test]
fn a_duration_has_no_part() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("net.toml"), SUM).unwrap();
    for option in ["--duration", "--discard"] {
        let output = infer(folder.path(), &["net.toml", option, "1 s"], b"");
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("standard input ends the run"), "{message}");
    }
}

#[test]
fn a_step_beyond_all_counting_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("net.toml"), SUM).unwrap();
    let saved = infer(
        folder.path(),
        &["net.toml", "--save-state", "s.json"],
        b"{\"x\":[1]}\n",
    );
    assert!(saved.status.success(), "{}", text(&saved.stderr));
    let path = folder.path().join("s.json");
    let mut state: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    state["state"]["step"] = json!(u64::MAX);
    std::fs::write(&path, state.to_string()).unwrap();
    let output = infer(folder.path(), &["net.toml", "--state", "s.json"], b"");
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("step 18446744073709551615 is beyond"),
        "{message}"
    );
}

/// Weights of all synapses.
fn synapses(plan: &Plan) -> Vec<f32> {
    let options = UnrolledOptions::default();
    let mut network = UnrolledNetwork::<f32>::new(Arc::new(plan.clone()), &options).unwrap();
    let mut weights = Vec::new();
    network.visit_parameters(|node, tensor, _| {
        if node.contains("projections") {
            weights.extend_from_slice(&tensor.values);
        }
    });
    weights
}

/// Weights of projections go the same way as those of layers.
#[test]
fn trained_synapses_give_the_outputs_of_evaluation() {
    let folder = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/sparse_recurrent.toml");
    let network = std::fs::read_to_string(example).unwrap();
    std::fs::write(folder.path().join("net.toml"), &network).unwrap();
    let file = TrainingFile::from_toml(&network, "net").unwrap();
    let options = TrainOptions {
        threads: 1,
        checkpoint_every: Duration::from_secs(3600),
        ..TrainOptions::default()
    };
    let results = ResultFolder::create(&folder.path().join("results"), true).unwrap();
    let mut batches = 0;
    let stop = &mut |_: TrainProgress<'_>| {
        batches += 1;
        if batches < 5 {
            Continue::Yes
        } else {
            Continue::Stop
        }
    };
    train(&file, &rheobase::registry(), &options, &results, stop).unwrap();
    let weights = folder.path().join("results").join(WEIGHTS);

    let mut plan = harness::plan(&file.network);
    let before = synapses(&plan);
    let tensors = read_weights(&weights, &mut plan).unwrap();
    let after = synapses(&plan);
    assert!(
        before.len() == after.len() && before != after,
        "they were trained"
    );
    let steps = 30;
    let unrolled = UnrolledOptions {
        steps,
        ..UnrolledOptions::default()
    };
    let mut network = UnrolledNetwork::<f32>::new(Arc::new(plan), &unrolled).unwrap();
    network.visit_parameters(|node, tensor, _| {
        let trained = tensors
            .iter()
            .find(|(n, t)| n == node && t.name == tensor.name);
        if let Some((_, trained)) = trained {
            tensor.values = trained.values.iter().map(|&x| x as f32).collect();
        }
    });
    let inputs: Vec<String> = network.input_names().map(str::to_owned).collect();
    let outputs: Vec<String> = network.output_names().map(str::to_owned).collect();
    let image: Vec<f32> = (0..64).map(|k| (k * 37 % 17) as f32 / 4.0).collect();
    let x: Vec<f32> = (0..steps).flat_map(|_| image.clone()).collect();
    network.forward(&[Sequence::Steps(&x)], false).unwrap();
    let line = format!("{}\n", json!({inputs[0].as_str(): image}));
    let arguments = ["net.toml", "--weights", "results/weights.safetensors"];
    let output = infer(folder.path(), &arguments, line.repeat(steps).as_bytes());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut found = Vec::new();
    for line in text(&output.stdout).lines() {
        let answer: Value = serde_json::from_str(line).unwrap();
        let values = answer[outputs[0].as_str()].as_array().unwrap().clone();
        found.extend(values.iter().map(|x| x.as_f64().unwrap() as f32));
    }
    let expected = network.output(&outputs[0]).unwrap();
    let expected: Vec<f32> = if found.len() == expected.len() {
        expected.to_vec()
    } else {
        let width = expected.len() / steps;
        let fires = expected.iter().enumerate().filter(|(_, x)| **x == 1.0);
        fires.map(|(k, _)| (k % width) as f32).collect()
    };
    assert_eq!(found, expected);
    assert!(!found.is_empty());
}
