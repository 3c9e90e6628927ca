//! `cargo xtask bench`: the questions of `rheobase bench`, in release mode.

use crate::Failure;
use crate::workspace::{Workspace, run as run_command};

pub(crate) fn run(workspace: &Workspace, rest: &[&str]) -> Result<(), Failure> {
    let mut command = workspace.cargo(&["run", "--release", "--locked", "--package", "rheobase"]);
    command.args(["--", "bench"]).args(rest);
    run_command(command)
}
