//! Cargo.lock is committed and names the public registry only.

use super::Problem;
use crate::workspace::Workspace;

const FILE: &str = "Cargo.lock";
const REGISTRY: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

pub(super) fn check(workspace: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !workspace.exists(FILE) || workspace.is_tracked(FILE) == Some(false) {
        problems.push(Problem::file(
            FILE,
            "is not committed: builds could not be repeated",
        ));
    }
    for (line, text) in (1..).zip(workspace.read(FILE).lines()) {
        if text.starts_with("source = ") && text != REGISTRY {
            problems.push(Problem::line(
                FILE,
                line,
                "a source other than the public registry",
            ));
        }
    }
    problems
}
