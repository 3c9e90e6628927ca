//! `cargo xtask ci`: everything that must hold before a change lands.

use std::time::{Duration, Instant};

use crate::Failure;
use crate::workspace::{Workspace, run as run_command};

/// A stage and its name.
type Stage = (&'static str, fn(&Workspace) -> Result<(), Failure>);

const STAGES: [Stage; 5] = [
    ("format", format),
    ("tidy", super::tidy::run),
    ("lints", lints),
    ("tests", |w| super::test::run(w, &[])),
    ("documentation", documentation),
];

/// Runs every stage, also after one has failed, and says how long each took.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let results: Vec<(&str, Duration, Result<(), Failure>)> = STAGES
        .iter()
        .map(|(name, stage)| {
            eprintln!("\n== {name}");
            let begun = Instant::now();
            let result = stage(workspace);
            (*name, begun.elapsed(), result)
        })
        .collect();
    println!();
    let mut failed = Vec::new();
    for (name, time, result) in &results {
        let verdict = match result {
            Ok(()) => "ok",
            Err(_) => "FAILED",
        };
        println!("{name:<26}{:>8.1} s  {verdict}", time.as_secs_f64());
        if let Err(Failure::Failed(message) | Failure::Usage(message)) = result {
            failed.push(format!("{name}: {message}"));
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::failed(failed.join("\n       ")))
    }
}

fn format(workspace: &Workspace) -> Result<(), Failure> {
    run_command(workspace.cargo(&["fmt", "--all", "--", "--check"]))
}

/// Lints that would only make tests longer: there the platform's functions are references, numbers
/// are small, equal bits are what is tested, a panic is a message, and output is captured.
const NOT_IN_TESTS: [&str; 11] = [
    "--allow=clippy::disallowed_methods",
    "--allow=clippy::cast_possible_truncation",
    "--allow=clippy::cast_precision_loss",
    "--allow=clippy::cast_sign_loss",
    "--allow=clippy::float_cmp",
    "--allow=clippy::missing_panics_doc",
    "--allow=clippy::unwrap_used",
    "--allow=clippy::expect_used",
    "--allow=clippy::print_stdout",
    "--allow=clippy::print_stderr",
    "--allow=unreachable_pub",
];

fn lints(workspace: &Workspace) -> Result<(), Failure> {
    let libraries = [
        "clippy",
        "--workspace",
        "--lib",
        "--bins",
        "--locked",
        "--",
        "--deny=warnings",
    ];
    run_command(workspace.cargo(&libraries))?;
    let all = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "--deny=warnings",
    ];
    let mut command = workspace.cargo(&all);
    command.args(NOT_IN_TESTS);
    run_command(command)
}

fn documentation(workspace: &Workspace) -> Result<(), Failure> {
    let mut command = workspace.cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    command.env("RUSTDOCFLAGS", "-Dwarnings");
    run_command(command)
}
