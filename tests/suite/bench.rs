//! `rheobase bench`: every question answers, its lines are JSON, and wrong words get exit code 2.

use std::path::Path;
use std::process::{Command, Output};

use rheobase::bench::{QUESTIONS, read_records};
use serde_json::Value;

fn bench(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rheobase"))
        .arg("bench")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The figures a user of the file relies on, by question: (question, key of a figure).
const PROMISED: [(&str, &str); 12] = [
    ("limits", "gb_per_s"),
    ("limits", "additions_per_s"),
    ("limits", "ns_per_load"),
    ("delivery", "ns_per_event"),
    ("training", "samples_per_s"),
    ("training", "kept_mib"),
    ("crossover", "auto_over_better"),
    ("latency", "p999_ns"),
    ("update", "ns_per_neuron_step"),
    ("construction", "ns_per_synapse"),
    ("threads", "s_per_biological_s"),
    ("scaling", "peak_mib"),
];

#[test]
fn every_question_answers_in_lines_of_json_that_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut skipped = Vec::new();
    for question in QUESTIONS {
        let begun = std::time::Instant::now();
        let arguments = [question.name, "--quick", "--json", "--threads", "2"];
        let out = bench(&arguments, folder.path());
        let message = text(&out.stderr);
        let is_required = std::env::var_os("RHEOBASE_REQUIRE_GPU").is_some();
        if !is_required && message.contains("no usable GPU adapter") {
            println!("skipped 1 question: {}: {message}", question.name);
            skipped.push(question.name);
            continue;
        }
        assert!(out.status.success(), "{message}");
        let lines = text(&out.stdout);
        println!(
            "{}: {} answers in {:.1} s",
            question.name,
            lines.lines().count(),
            begun.elapsed().as_secs_f64()
        );
        assert!(lines.lines().count() >= 2, "{}", question.name);
        for line in lines.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            assert_eq!(record["question"], question.name);
            assert_eq!(record["quick"], true);
            for key in ["date", "version", "threads", "case"] {
                assert!(!record[key].is_null(), "{key}: {line}");
            }
            assert!(record["machine"]["cores"].as_u64().unwrap() >= 1);
            assert!(!record["figures"].as_object().unwrap().is_empty(), "{line}");
            if question.name == "latency" {
                assert_eq!(record["figures"]["allocations"], 0, "{line}");
                for share in ["hidden_share_low", "hidden_share_high"] {
                    let share = record["figures"][share].as_f64().unwrap();
                    assert!((0.05..=0.2).contains(&share), "{line}");
                }
            }
        }
        let promised = PROMISED.iter().filter(|(q, _)| *q == question.name);
        for (_, key) in promised {
            assert!(lines.contains(&format!("\"{key}\":")), "{key}: {lines}");
        }
    }
    // All were appended to one file, and none counts in a table.
    let file = folder.path().join("bench.jsonl");
    let records = read_records(&file).unwrap();
    assert!(records.len() > 30 && records.iter().all(|r| r.quick));
    let out = bench(&["--table", "bench.jsonl"], folder.path());
    assert!(text(&out.stdout).starts_with("nothing measured"));
    let measured = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, measured.replace("\"quick\":true", "\"quick\":false")).unwrap();
    let out = bench(&["--table", "bench.jsonl"], folder.path());
    let table = text(&out.stdout);
    for question in QUESTIONS.iter().filter(|q| !skipped.contains(&q.name)) {
        assert!(
            table.contains(&format!("### {}\n", question.name)),
            "{table}"
        );
    }
    assert!(table.contains("bound by"), "{table}");
    for figure in ["scaling.svg", "scaling.png"] {
        let length = folder.path().join(figure).metadata().unwrap().len();
        assert!(length > 1000, "{figure}");
    }
}

/// A doubled cost per event or a wrong count shows in the events and the bytes.
#[test]
fn what_synapses_take_is_what_their_storage_says() {
    let folder = tempfile::tempdir().unwrap();
    let out = bench(
        &["delivery", "--quick", "--out", "new.jsonl"],
        folder.path(),
    );
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("delivery: weights constant, delays one"));
    let records = read_records(&folder.path().join("new.jsonl")).unwrap();
    let bytes = |weights: &str| {
        let of = |r: &&rheobase::bench::Record| {
            r.measurement.case["weights"] == weights && r.measurement.case["delays"] == "one"
        };
        let record = records.iter().find(of).unwrap();
        record.measurement.figures["bytes_per_synapse"]
            .as_f64()
            .unwrap()
    };
    // 2 bytes of target; nothing, 2 or 4 of weight; segments of 100 synapses on top.
    assert!(
        (2.0..3.0).contains(&bytes("constant")),
        "{}",
        bytes("constant")
    );
    assert!(
        (4.0..5.0).contains(&bytes("quantised")),
        "{}",
        bytes("quantised")
    );
    assert!((6.0..7.0).contains(&bytes("exact")), "{}", bytes("exact"));
}

#[test]
fn wrong_words_get_exit_code_2_and_what_is_known() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("no.jsonl"), "{}\n").unwrap();
    let cases: [(&[&str], &str); 5] = [
        (
            &["deliverance"],
            "unknown question `deliverance`; expected limits, delivery, activity, exact, latency, training, crossover, ",
        ),
        (
            &["delivery", "--quick", "--out", "absent/bench.jsonl"],
            "--out absent/bench.jsonl: ",
        ),
        (&["--table", "absent.jsonl"], "--table: absent.jsonl: "),
        (
            &["--table", "no.jsonl"],
            "no.jsonl, line 1: no record of a benchmark",
        ),
        (&["--threads", "0"], "invalid value '0' for '--threads"),
    ];
    for (arguments, expected) in cases {
        let out = bench(arguments, folder.path());
        let message = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    let list = bench(&["--list"], folder.path());
    assert!(list.status.success());
    for question in QUESTIONS {
        assert!(text(&list.stdout).contains(question.why));
    }
}
