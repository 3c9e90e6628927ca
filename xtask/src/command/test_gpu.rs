//! `cargo xtask test-gpu`: the tests that run shaders; here a missing adapter is an error.

use crate::Failure;
use crate::workspace::{Workspace, run as run_command};

pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let arguments = [
        "test",
        "--release",
        "--locked",
        "--package",
        "rheobase-engine",
        "--test",
        "gpu",
        "--",
        "--nocapture",
    ];
    let mut command = workspace.cargo(&arguments);
    command.env("RHEOBASE_REQUIRE_GPU", "1");
    run_command(command)
}
