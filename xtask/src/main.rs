//! Checks and chores of the workspace: `cargo xtask COMMAND`.
//!
//! What lives here: one file per command (`command/`) and one per check of `tidy` (`tidy/`).
//! What may not: anything a user of the library needs. No dependencies, so that it builds in
//! seconds.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command talks to its terminal"
)]

mod command;
mod rust_source;
mod tidy;
mod workspace;

use std::process::ExitCode;

use workspace::Workspace;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  ci                 everything that must hold before a change lands: format, lints, tidy, tests,
                     documentation; with the time of each
  tidy               the rules that no compiler checks (a second, no build)
  test [ARGS]        all tests in release mode; ARGS go to the test binaries
  test-gpu           the tests that need a graphics adapter (a software one will do)
  golden verify      the tests that compare with committed references
  bench [ARGS]       `rheobase bench ARGS`, built with --release; without ARGS all questions
  new neuron NAME    a neuron file with its headings, and its line in the registry
";

/// Why a command ends without success.
#[derive(Debug)]
enum Failure {
    /// What was typed makes no sense; exit code 2.
    Usage(String),
    /// Something was checked and found wrong, or could not be run; exit code 1.
    Failed(String),
}

impl Failure {
    fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => {
            eprintln!("error: {message}\n\n{USAGE}");
            ExitCode::from(2)
        }
        Err(Failure::Failed(message)) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[&str]) -> Result<(), Failure> {
    let workspace = Workspace::find()?;
    match words {
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        ["ci"] => command::ci::run(&workspace),
        ["tidy"] => command::tidy::run(&workspace),
        ["test", rest @ ..] => command::test::run(&workspace, rest),
        ["test-gpu"] => command::test_gpu::run(&workspace),
        ["golden", "verify"] => command::golden::verify(&workspace),
        ["bench", rest @ ..] => command::bench::run(&workspace, rest),
        ["new", "neuron", name] => command::new::neuron(&workspace, name),
        other => Err(Failure::Usage(format!(
            "unknown command `{}`",
            other.join(" ")
        ))),
    }
}
