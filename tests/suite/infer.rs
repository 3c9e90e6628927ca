//! `rheobase infer`: steps over streams as a user meets them; trained weights; states; wrong input.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rheobase::engine::network::Network;
use rheobase::engine::port::StepInput;
use rheobase::engine::session::{Session, SessionOptions};
use rheobase::engine::unrolled::{Sequence, UnrolledNetwork, UnrolledOptions};
use rheobase::report::ResultFolder;
use rheobase::run::Continue;
use rheobase::train::{TrainOptions, TrainingFile, WEIGHTS, read_weights, train};
use serde_json::{Value, json};

use crate::harness;

/// Two inputs, real and spikes, and two outputs of both kinds.
const MIXED: &str = r#"
name = "mixed"
dt = "1 ms"

[inputs]
x = { shape = [3] }
events = { shape = [4], kind = "spikes" }

[layers]
fc1 = { model = "linear", out_features = 6 }
fc2 = { model = "linear", out_features = 6 }
readout = { model = "linear", out_features = 2 }

[populations.n]
model = "if"
size = 6

[[edges]]
source = "x"
target = "fc1"
[[edges]]
source = "fc1"
target = "n"
[[edges]]
source = "events"
target = "fc2"
[[edges]]
source = "fc2"
target = "n"
[[edges]]
source = "n"
target = "readout"
delay = "1 ms"
"#;

fn command(folder: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_rheobase"))
        .arg("infer")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Gives all input at once.
fn infer(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = command(folder, arguments);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // One that has found an error reads no more.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn folder(network: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("net.toml"), network).unwrap();
    folder
}

/// Inputs of step `k`.
fn given(k: usize) -> (Vec<f32>, Vec<u32>) {
    let x = (0..3).map(|i| ((k * 7 + i * 5) % 11) as f32 * 0.25 - 0.5);
    let events = (0..4).filter(|i| (k + *i as usize * 3).is_multiple_of(4));
    (x.collect(), events.collect())
}

/// What a session answers to `steps` steps, `n` then `readout`.
fn expected(steps: usize) -> Vec<(Vec<u32>, Vec<f32>)> {
    let plan = harness::plan(&Network::from_toml(MIXED, "mixed").unwrap());
    let options = SessionOptions {
        outputs: vec!["n".to_owned(), "readout".to_owned()],
        ..SessionOptions::default()
    };
    let mut session = Session::<f32>::new(&plan, &options).unwrap();
    let step = |k| {
        let (x, events) = given(k);
        let inputs = [StepInput::Real(&x), StepInput::Spikes(&events)];
        let emitted = session.step(&inputs).unwrap();
        (emitted.spikes(0).to_vec(), emitted.values(1).to_vec())
    };
    (0..steps).map(step).collect()
}

fn line(k: usize) -> String {
    let (x, events) = given(k);
    format!("{}\n", json!({"x": x, "events": events}))
}

fn parsed(line: &str) -> (Vec<u32>, Vec<f32>) {
    let value: Value = serde_json::from_str(line).unwrap();
    (
        serde_json::from_value(value["n"].clone()).unwrap(),
        serde_json::from_value(value["readout"].clone()).unwrap(),
    )
}

const BOTH: [&str; 3] = ["net.toml", "--outputs", "n,readout"];

#[test]
fn a_line_is_answered_before_the_next_is_written() {
    let folder = folder(MIXED);
    let expected = expected(12);
    assert!(expected.iter().map(|e| e.0.len()).sum::<usize>() > 5);
    let mut child = command(folder.path(), &BOTH);
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for round in 0..2 {
        for (k, expected) in expected.iter().enumerate() {
            stdin.write_all(line(k).as_bytes()).unwrap();
            let answer = lines.next().unwrap().unwrap();
            assert_eq!(&parsed(&answer), expected, "round {round}, step {k}");
            assert!(
                answer.starts_with(&format!("{{\"step\":{},", k + 1)),
                "{answer}"
            );
        }
        stdin.write_all(b"\n{\"reset\": true}\n").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "{\"reset\":true}");
    }
    drop(stdin);
    assert!(lines.next().is_none());
    assert!(child.wait().unwrap().success());
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len() + 4)
        .unwrap()
        .to_le_bytes()
        .to_vec();
    frame.extend_from_slice(&0_u32.to_le_bytes());
    frame.extend_from_slice(payload);
    frame
}

fn step_frame(k: usize) -> Vec<u8> {
    let (x, events) = given(k);
    let mut payload: Vec<u8> = x.iter().flat_map(|x| x.to_le_bytes()).collect();
    payload.extend_from_slice(&u32::try_from(events.len()).unwrap().to_le_bytes());
    payload.extend(events.iter().flat_map(|n| n.to_le_bytes()));
    frame(&payload)
}

#[test]
fn frames_carry_the_same_as_lines() {
    let folder = folder(MIXED);
    let reset = [4_u32, 1].map(u32::to_le_bytes).concat();
    let mut input: Vec<u8> = (0..9).flat_map(step_frame).collect();
    input.extend_from_slice(&reset);
    input.extend(step_frame(0));
    let arguments = [&BOTH[..], &["--format", "binary"]].concat();
    let output = infer(folder.path(), &arguments, &input);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut expected_bytes = Vec::new();
    let all = expected(9);
    let answer = |step: u64, (spikes, values): &(Vec<u32>, Vec<f32>)| {
        let mut payload = step.to_le_bytes().to_vec();
        payload.extend_from_slice(&u32::try_from(spikes.len()).unwrap().to_le_bytes());
        payload.extend(spikes.iter().flat_map(|n| n.to_le_bytes()));
        payload.extend(values.iter().flat_map(|x| x.to_le_bytes()));
        frame(&payload)
    };
    for (step, one) in (1..).zip(&all) {
        expected_bytes.extend(answer(step, one));
    }
    expected_bytes.extend_from_slice(&reset);
    expected_bytes.extend(answer(1, &all[0]));
    assert_eq!(output.stdout, expected_bytes);
}

#[test]
fn a_state_is_taken_up_where_it_was_left() {
    let folder = folder(MIXED);
    let lines: Vec<String> = (0..20).map(line).collect();
    let first = [&BOTH[..], &["--save-state", "state.json"]].concat();
    let output = infer(folder.path(), &first, lines[..9].concat().as_bytes());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let then = [&BOTH[..], &["--state", "state.json"]].concat();
    let output = infer(folder.path(), &then, lines[9..].concat().as_bytes());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let answers: Vec<_> = text(&output.stdout).lines().map(parsed).collect();
    assert_eq!(answers, expected(20)[9..]);
    assert!(text(&output.stdout).starts_with("{\"step\":10,"));

    for (arguments, expected) in [
        (["net.toml", "--state", "missing.json"], "missing.json: "),
        (
            ["net.toml", "--state", "net.toml"],
            "net.toml: no state of a session (",
        ),
    ] {
        let output = infer(folder.path(), &arguments, b"");
        assert_eq!(output.status.code(), Some(2));
        assert!(
            text(&output.stderr).contains(expected),
            "{}",
            text(&output.stderr)
        );
    }
    let wide = MIXED
        .replace("out_features = 6", "out_features = 7")
        .replace("size = 6", "size = 7");
    std::fs::write(folder.path().join("wide.toml"), wide).unwrap();
    let output = infer(folder.path(), &["wide.toml", "--state", "state.json"], b"");
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(
        message.contains("state.json: the state does not fit this network"),
        "{message}"
    );
}

#[test]
fn what_is_wrong_in_a_line_is_told_with_its_number() {
    let folder = folder(MIXED);
    let cases = [
        (
            "{\"x\": [0, 0], \"events\": []}",
            "input `x` has 3 elements, 2 values were given",
        ),
        ("{\"x\": [0, 0, 0]}", "input `events` is missing"),
        (
            "{\"y\": [0], \"events\": []}",
            "there is no input `y`; the inputs are: x, events",
        ),
        (
            "{\"x\": [0, 0, 0], \"x\": [1], \"events\": []}",
            "input `x` stands twice",
        ),
        (
            "{\"x\": [0, 0, 1e39], \"events\": []}",
            "input `x`: element 2 is inf",
        ),
        (
            "{\"x\": [0, NaN, 0], \"events\": []}",
            "expected value (column 11)",
        ),
        (
            "{\"x\": [0, null, 0], \"events\": []}",
            "invalid type: null",
        ),
        (
            "{\"x\": [[0, 0, 0]], \"events\": []}",
            "invalid type: sequence",
        ),
        (
            "{\"x\": true, \"events\": []}",
            "input `x` is no list of numbers",
        ),
        (
            "{\"x\": [0, 0, 0], \"events\": [2, 1]}",
            "input `events`: spike 1 is of element 1; elements ascend and are below 4",
        ),
        (
            "{\"x\": [0, 0, 0], \"events\": [4]}",
            "spike 0 is of element 4",
        ),
        (
            "{\"x\": [0, 0, 0], \"events\": [0.5]}",
            "input `events`: spike 0 is 0.5; spikes are the indices",
        ),
        ("{\"x\": [0, 0, 0], \"events\": [-1]}", "spike 0 is -1"),
        (
            "{\"x\": [0, 0, 0], \"events\": []",
            "EOF while parsing an object",
        ),
        ("[1, 2]", "expected an object"),
        ("step", "expected an object"),
        ("{\"reset\": false}", "there is no input `reset`"),
    ];
    for (wrong, expected) in cases {
        let input = format!("{}\n{wrong}\n{}", line(0), line(1));
        let output = infer(folder.path(), &["net.toml"], input.as_bytes());
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {message}");
        // An empty line counts as one.
        assert!(
            message.starts_with("error: standard input, line 3: "),
            "{message}"
        );
        assert!(message.contains(expected), "{wrong}: {message}");
        assert_eq!(text(&output.stdout).lines().count(), 1, "{wrong}");
    }
    let output = infer(folder.path(), &["net.toml"], b"{\"x\": \xff}\n");
    assert!(text(&output.stderr).contains("line 1: it is no UTF-8 (byte 7)"));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_is_wrong_in_a_frame_is_told_with_its_number() {
    let folder = folder(MIXED);
    let whole = step_frame(0);
    let mut long = whole.clone();
    long[0] += 2;
    long.extend_from_slice(&[0, 0]);
    let mut kind = whole.clone();
    kind[4] = 7;
    let mut nan = whole.clone();
    nan[8..12].copy_from_slice(&f32::NAN.to_le_bytes());
    let mut many = whole.clone();
    many[20..24].copy_from_slice(&1000_u32.to_le_bytes());
    let huge = u32::MAX.to_le_bytes().to_vec();
    let cases: [(Vec<u8>, &str); 8] = [
        (
            whole[..2].to_vec(),
            "the stream ends after 2 of the 4 bytes of a length",
        ),
        (whole[..whole.len() - 1].to_vec(), "the stream ends after "),
        (long, "2 bytes are left over after the last input"),
        (kind, "its kind is 7; 0 is a step, 1 a reset"),
        (nan, "input `x`: element 0 is NaN"),
        (many, "input `events` takes 4000 bytes, "),
        (
            huge,
            "its length is 4294967295; a frame has 4 to 268435456 bytes after its length",
        ),
        (frame(&[0; 7]), "input `x` takes 12 bytes, 7 are left"),
    ];
    for (wrong, expected) in cases {
        let input = [whole.clone(), wrong].concat();
        let output = infer(folder.path(), &["net.toml", "--format", "binary"], &input);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{expected}: {message}");
        assert!(
            message.starts_with("error: standard input, frame 2: "),
            "{message}"
        );
        assert!(message.contains(expected), "{message}");
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn a_network_that_cannot_be_run_is_refused_before_anything_is_read() {
    let folder = folder(MIXED);
    let cases: [(&[&str], &str); 4] = [
        (
            &["-"],
            "standard input carries the steps; name the file of the network",
        ),
        (
            &["net.toml", "--outputs", "m"],
            "there is no node `m` to take outputs from",
        ),
        (&["net.toml", "--weights", "none"], "none: "),
        (&["missing.toml"], "missing.toml"),
    ];
    for (arguments, expected) in cases {
        let output = infer(folder.path(), arguments, b"");
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    }
    let output = infer(
        folder.path(),
        &["net.toml", "--weights-format", "i8"],
        line(0).as_bytes(),
    );
    let message = text(&output.stderr);
    assert!(output.status.success(), "{message}");
    for layer in ["fc1", "fc2", "readout"] {
        assert!(
            message.contains(&format!(
                "layer `{layer}`: weights in 8 bits; an output is off by at most"
            )),
            "{message}"
        );
    }
}

/// Digits by convolution, batch norm and spikes.
const CONVOLUTIONAL: &str = r#"
name = "conv"
dt = "1 ms"

[inputs.image]
shape = [1, 8, 8]

[layers]
conv = { model = "conv2d", out_channels = 6, kernel_size = 3, padding = 1, bias = false }
norm = { model = "batch_norm" }
pool = { model = "max_pool2d", kernel_size = 2 }
flat = { model = "flatten" }
fc = { model = "linear", out_features = 10 }

[populations]
spikes = { model = "if", shape = [6, 8, 8], surrogate = "atan(2)" }
output = { model = "plif", size = 10, surrogate = "atan(2)" }

[[edges]]
source = "image"
target = "conv"
[[edges]]
source = "conv"
target = "norm"
[[edges]]
source = "norm"
target = "spikes"
[[edges]]
source = "spikes"
target = "pool"
[[edges]]
source = "pool"
target = "flat"
[[edges]]
source = "flat"
target = "fc"
[[edges]]
source = "fc"
target = "output"

[training]
data = "digits"
steps = 4
batch = 64
epochs = 1
"#;

#[test]
fn trained_weights_give_the_outputs_of_evaluation() {
    let folder = folder(CONVOLUTIONAL);
    let file = TrainingFile::from_toml(CONVOLUTIONAL, "conv").unwrap();
    let options = TrainOptions {
        threads: 1,
        checkpoint_every: Duration::from_secs(3600),
        ..TrainOptions::default()
    };
    let results = ResultFolder::create(&folder.path().join("results"), true).unwrap();
    let mut batches = 0;
    train(
        &file,
        &rheobase::registry(),
        &options,
        &results,
        &mut |_| {
            batches += 1;
            if batches < 8 {
                Continue::Yes
            } else {
                Continue::Stop
            }
        },
    )
    .unwrap();
    let weights = folder.path().join("results").join(WEIGHTS);

    let mut plan = harness::plan(&file.network);
    let tensors = read_weights(&weights, &mut plan).unwrap();
    let steps = 10;
    let unrolled = UnrolledOptions {
        steps,
        outputs: vec!["norm".to_owned(), "spikes".to_owned(), "output".to_owned()],
        ..UnrolledOptions::default()
    };
    let mut network = UnrolledNetwork::<f32>::new(Arc::new(plan), &unrolled).unwrap();
    let values = |node: &str, name: &str| -> Vec<f32> {
        let mut tensors = tensors.iter();
        let found = tensors.find(|(n, t)| n == node && t.name == name).unwrap();
        found.1.values.iter().map(|&x| x as f32).collect()
    };
    let mut n_read = 0;
    network.visit_parameters(|node, tensor, _| {
        let trained = values(node, &tensor.name);
        assert_ne!(
            trained, tensor.values,
            "{node}.{} has been trained",
            tensor.name
        );
        tensor.values = trained;
        n_read += 1;
    });
    network.visit_buffers(|node, tensor| {
        let kept = values(node, &tensor.name);
        assert_ne!(kept, tensor.values, "{node}.{} has changed", tensor.name);
        tensor.values = kept;
        n_read += 1;
    });
    assert_eq!(n_read, tensors.len());
    let x: Vec<f32> = (0..steps * 64)
        .map(|k| (k * 37 % 17) as f32 / 4.0)
        .collect();
    network.forward(&[Sequence::Steps(&x)], false).unwrap();

    let input: String = x
        .chunks(64)
        .map(|x| format!("{}\n", json!({"image": x})))
        .collect();
    let arguments = [
        "net.toml",
        "--weights",
        "results/weights.safetensors",
        "--outputs",
        "norm,spikes,output",
    ];
    let output = infer(folder.path(), &arguments, input.as_bytes());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let answers = text(&output.stdout);
    let answers: Vec<Value> = answers
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(answers.len(), steps);
    let norm: Vec<f32> = answers
        .iter()
        .flat_map(|a| serde_json::from_value::<Vec<f32>>(a["norm"].clone()).unwrap())
        .collect();
    assert_eq!(norm, network.output("norm").unwrap());
    for (name, size) in [("spikes", 384), ("output", 10)] {
        let mut dense = vec![0.0; steps * size];
        for (step, answer) in answers.iter().enumerate() {
            for n in serde_json::from_value::<Vec<usize>>(answer[name].clone()).unwrap() {
                dense[step * size + n] = 1.0;
            }
        }
        assert_eq!(dense, network.output(name).unwrap(), "{name}");
        assert!(dense.iter().sum::<f32>() > 5.0, "{name}");
    }

    // A file of another network.
    for (change, expected) in [
        (
            ("out_channels = 6", "out_channels = 5"),
            "`parameters/conv.weight` has the shape [6, 1, 3, 3], the network needs [5, 1, 3, 3]",
        ),
        (
            (
                "norm = { model = \"batch_norm\" }",
                "norm = { model = \"batch_norm\", affine = false }",
            ),
            "`parameters/norm.bias` belongs to no node of this network",
        ),
        (
            ("bias = false", "bias = true"),
            "there is no array `parameters/conv.bias`",
        ),
    ] {
        let other = CONVOLUTIONAL.replace(change.0, change.1).replace(
            "[6, 8, 8]",
            if change.1.ends_with('5') {
                "[5, 8, 8]"
            } else {
                "[6, 8, 8]"
            },
        );
        std::fs::write(folder.path().join("other.toml"), other).unwrap();
        let output = infer(
            folder.path(),
            &["other.toml", "--weights", "results/weights.safetensors"],
            b"",
        );
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}
