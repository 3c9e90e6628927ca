//! `cargo xtask test`: every test of the workspace, documentation examples included.
//!
//! In release mode: whole networks run in these tests, and the artefacts are those of
//! `cargo build --release`, so that nothing is built twice.

use crate::Failure;
use crate::workspace::{Workspace, run as run_command};

pub(crate) const ARGUMENTS: [&str; 5] = [
    "test",
    "--workspace",
    "--release",
    "--locked",
    "--no-fail-fast",
];

pub(crate) fn run(workspace: &Workspace, rest: &[&str]) -> Result<(), Failure> {
    let mut command = workspace.cargo(&ARGUMENTS);
    if !rest.is_empty() {
        command.arg("--").args(rest);
    }
    run_command(command)
}
