//! `rheobase train`: what is learned, what is left behind, stopping and going on, wrong input.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rheobase::learning::record::Metrics;
use rheobase::report::ResultFolder;
use rheobase::run::Continue;
use rheobase::train::{
    METRICS, TrainOptions, TrainingFile, TrainingRecord, WEIGHTS, evaluate, train,
};
use safetensors::SafeTensors;

const DIGITS: &str = include_str!("../../examples/digits.toml");

fn digits(change: impl Fn(String) -> String) -> TrainingFile {
    TrainingFile::from_toml(&change(DIGITS.to_owned()), "digits").unwrap()
}

/// Trains until `stop` batches of this run are done.
fn run(file: &TrainingFile, folder: &Path, resume: bool, stop: Option<u64>) -> TrainingRecord {
    run_on(file, folder, resume, stop, 1)
}

fn run_on(
    file: &TrainingFile,
    folder: &Path,
    resume: bool,
    stop: Option<u64>,
    threads: usize,
) -> TrainingRecord {
    let options = TrainOptions {
        threads,
        checkpoint_every: Duration::from_secs(3600),
        resume: resume.then(|| folder.join(WEIGHTS)),
        ..TrainOptions::default()
    };
    let folder = ResultFolder::create(folder, true).unwrap();
    let mut batches = 0;
    train(file, &rheobase::registry(), &options, &folder, &mut |_| {
        batches += 1;
        if stop.is_some_and(|n| batches >= n) {
            Continue::Stop
        } else {
            Continue::Yes
        }
    })
    .unwrap()
}

/// Names and bytes of all arrays.
fn arrays(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = std::fs::read(folder.join(WEIGHTS)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut arrays: Vec<(String, Vec<u8>)> = file
        .tensors()
        .into_iter()
        .map(|(name, view)| (name, view.data().to_vec()))
        .collect();
    arrays.sort();
    arrays
}

fn metrics(folder: &Path) -> Vec<Metrics> {
    let text = std::fs::read_to_string(folder.join(METRICS)).unwrap();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

#[test]
fn digits_are_learned() {
    let folder = tempfile::tempdir().unwrap();
    let file = digits(|t| t.replace("epochs = 20", "epochs = 12"));
    let record = run(&file, folder.path(), false, None);
    println!("test accuracy {:.4}", record.test_accuracy);
    assert!(record.test_accuracy > 0.88, "{}", record.test_accuracy);
    let lines = metrics(folder.path());
    assert_eq!(lines.len(), 24);
    let losses: Vec<f64> = lines
        .iter()
        .filter(|m| m.part == "train")
        .map(|m| m.loss.unwrap())
        .collect();
    assert!(losses[11] < 0.3 * losses[0], "{losses:?}");
    for name in [
        "learning_curve.svg",
        "confusion.png",
        "train.json",
        "tensorboard",
    ] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
    let weights = folder.path().join(WEIGHTS);
    let judged = evaluate(&file, &rheobase::registry(), &weights, 2).unwrap();
    assert_eq!(judged.samples, 360);
    assert_eq!(judged.accuracy.to_bits(), record.test_accuracy.to_bits());
}

/// The optimiser of docs/training.md, resumed in between.
#[test]
fn an_optimiser_may_be_a_text() {
    let docs = std::fs::read_to_string(crate::harness::root().join("docs/training.md")).unwrap();
    let table = docs.split_once("[training.optimizer]").unwrap().1;
    let table = table.split_once("```").unwrap().0;
    let file = digits(|t| {
        let t = t.replace("optimizer = { kind = \"adam\", learning_rate = 2e-3 }", "");
        let t = t.replace("epochs = 20", "epochs = 6");
        format!("{t}\n[training.optimizer]{table}").replace("= 0.01  ", "= 1e-3  ")
    });
    let folder = tempfile::tempdir().unwrap();
    run(&file, folder.path(), false, Some(30));
    let record = run(&file, folder.path(), true, None);
    println!("test accuracy {:.4}", record.test_accuracy);
    assert!(record.test_accuracy > 0.85, "{}", record.test_accuracy);
    let whole = tempfile::tempdir().unwrap();
    run(&file, whole.path(), false, None);
    assert_eq!(arrays(folder.path()), arrays(whole.path()));
    let kept = arrays(folder.path()).into_iter().map(|(name, _)| name);
    let kept: Vec<String> = kept.filter(|name| name.starts_with("optimizer")).collect();
    assert!(kept.iter().any(|n| n.contains("fc1.weight")), "{kept:?}");
}

/// Stopped in the middle of an epoch and resumed, on other numbers of threads: the same bits.
#[test]
fn a_resumed_training_is_one_never_stopped() {
    let file = digits(|t| {
        t.replace("epochs = 20", "epochs = 4")
            .replace("kind = \"constant\", scale = 3.0", "kind = \"poisson\"")
            .replace("shape = [64]", "shape = [64]\nkind = \"spikes\"")
    });
    let whole = tempfile::tempdir().unwrap();
    run(&file, whole.path(), false, None);
    let parts = tempfile::tempdir().unwrap();
    let first = run_on(&file, parts.path(), false, Some(30), 2);
    assert!(first.interrupted && first.epochs == 1, "{}", first.epochs);
    let second = run_on(&file, parts.path(), true, Some(17), 3);
    assert!(second.interrupted);
    let last = run_on(&file, parts.path(), true, None, 1);
    assert!(!last.interrupted && last.epochs == 4);
    assert_eq!(arrays(parts.path()), arrays(whole.path()));
    assert_eq!(metrics(parts.path()), metrics(whole.path()));

    // More epochs extend a training; anything else is another.
    let longer = digits(|t| {
        t.replace("epochs = 20", "epochs = 5")
            .replace("kind = \"constant\", scale = 3.0", "kind = \"poisson\"")
            .replace("shape = [64]", "shape = [64]\nkind = \"spikes\"")
    });
    assert_eq!(run(&longer, parts.path(), true, None).epochs, 5);
    let other = digits(|t| t.replace("steps = 8", "steps = 9"));
    let options = TrainOptions {
        resume: Some(parts.path().join(WEIGHTS)),
        ..TrainOptions::default()
    };
    let folder = ResultFolder::create(parts.path(), true).unwrap();
    let before = arrays(parts.path());
    let error = train(
        &other,
        &rheobase::registry(),
        &options,
        &folder,
        &mut |_| Continue::Yes,
    );
    let error = error.unwrap_err();
    assert!(error.is_input(), "{error}");
    assert!(error.to_string().contains("another training"), "{error}");
    assert_eq!(arrays(parts.path()), before);
}

#[test]
fn a_killed_training_continues_from_its_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let description = folder.path().join("digits.toml");
    std::fs::write(&description, DIGITS.replace("epochs = 20", "epochs = 60")).unwrap();
    let out = folder.path().join("out");
    let rheobase = || Command::new(env!("CARGO_BIN_EXE_rheobase"));
    let mut child = rheobase()
        .args(["train", "--quiet", "--threads", "1", "--out"])
        .args([&out, &description])
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !out.join(WEIGHTS).exists() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let resumed = rheobase()
        .args(["train", "--json", "--epochs", "60", "--resume"])
        .args([&out.join(WEIGHTS), &description])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&resumed.stderr).into_owned();
    assert!(resumed.status.success(), "{error}");
    let record: serde_json::Value = serde_json::from_slice(&resumed.stdout).unwrap();
    assert_eq!(record["epochs"], 60);
    let whole = tempfile::tempdir().unwrap();
    let file = TrainingFile::from_path(&description).unwrap();
    run(&file, whole.path(), false, None);
    assert_eq!(arrays(&out), arrays(whole.path()));
    assert_eq!(metrics(&out), metrics(whole.path()));
}

#[test]
fn wrong_input_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |text: String, expected: &str| {
        let message = match TrainingFile::from_toml(&text, "wrong.toml") {
            Err(e) => e.to_string(),
            Ok(file) => {
                let out = ResultFolder::create(&folder.path().join("out"), true).unwrap();
                let options = TrainOptions::default();
                let outcome = train(&file, &rheobase::registry(), &options, &out, &mut |_| {
                    Continue::Yes
                });
                let error = outcome.map(drop).unwrap_err();
                assert!(error.is_input(), "{error}");
                error.to_string()
            }
        };
        assert!(message.contains(expected), "{message}");
    };
    let with = |from: &str, to: &str| DIGITS.replace(from, to);
    let (untrained, _) = DIGITS.split_once("[training]").unwrap();
    fails(untrained.to_owned(), "no table [training]");
    fails(with("[training]", "[trainin]"), "trainin");
    fails(with("steps = 8", "stepps = 8"), "stepps");
    fails(with("steps = 8", "steps = 0"), "steps is 0");
    fails(with("steps = 8", "steps = 99999999999"), "steps is");
    fails(
        with("steps = 8", "steps = 2000000000"),
        "back-propagation needs",
    );
    fails(with("batch = 64", "batch = 0"), "batch is 0");
    fails(with("shape = [64]", "shape = [65]"), "65 elements");
    fails(with("out_features = 10", "out_features = 11"), "");
    fails(
        with("learning_rate = 2e-3", "learning_rate = -1"),
        "learning_rate",
    );
    fails(with("kind = \"adam\"", "kind = \"adamm\""), "adamm");
    fails(
        with(
            "kind = \"adam\"",
            "kind = \"equations\", text = \"neuron n\"",
        ),
        "`n` describes nothing",
    );
    let still = "optimizer o\\n input g : 1\\n state p = 0 : 1\\n update p = p - g";
    let text = format!("kind = \"equations\", text = \"{still}\"");
    fails(
        with("kind = \"adam\"", &text),
        "a text that declares it as a parameter",
    );
    let scheduled = with("kind = \"adam\", learning_rate = 2e-3", &text);
    fails(
        format!("{scheduled}\nschedule = {{ kind = \"step\", size = 1, gamma = 0.5 }}"),
        "declares no parameter learning_rate",
    );
    fails(with("data = \"digits\"", "data = \"nowhere\""), "nowhere");
    fails(
        with("steps = 8", "steps = 8\nmax_memory_mib = 0"),
        "back-propagation needs",
    );
    fails(
        with(
            "kind = \"constant\", scale = 3.0",
            "kind = \"poisson\", scale = 9.0",
        ),
        "expected 0",
    );

    // Weights that are none, cut, or of another network.
    let file = digits(|t| t.replace("epochs = 20", "epochs = 1"));
    run(&file, folder.path(), false, None);
    let weights = folder.path().join(WEIGHTS);
    let bytes = std::fs::read(&weights).unwrap();
    let bad = folder.path().join("bad.safetensors");
    let judge = |file: &TrainingFile| evaluate(file, &rheobase::registry(), &bad, 1);
    for n in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&bad, &bytes[..n]).unwrap();
        assert!(judge(&file).unwrap_err().is_input(), "{n}");
    }
    std::fs::write(&bad, &bytes).unwrap();
    judge(&file).unwrap();
    let wider = digits(|t| {
        t.replace("out_features = 128", "out_features = 127")
            .replace("size = 128", "size = 127")
    });
    let error = judge(&wider).unwrap_err().to_string();
    assert!(error.contains("fc1.weight"), "{error}");
}
