//! `cargo xtask bench`: the benchmarks, each named by the question it answers.

use crate::Failure;
use crate::workspace::{Workspace, run as run_command};

pub(crate) fn run(workspace: &Workspace, rest: &[&str]) -> Result<(), Failure> {
    let mut command = workspace.cargo(&["bench", "--locked", "--package", "rheobase"]);
    command.args(rest);
    run_command(command)
}
