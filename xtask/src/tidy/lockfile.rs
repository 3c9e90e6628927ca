//! Cargo.lock is committed and names the public registry only.

use super::Problem;
use crate::workspace::Workspace;

const FILE: &str = "Cargo.lock";
const REGISTRY: &str = concat!(
    "source = \"registry+https://github.com/rust-lang/crates",
    ".io-index\""
);

pub(super) fn check(workspace: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !workspace.exists(FILE) || workspace.is_tracked(FILE) == Some(false) {
        problems.push(Problem::file(
            FILE,
            "is not committed: builds could not be repeated",
        ));
    }
    let locks = workspace.files("", &["lock"]);
    for (file, line, text) in locks.flat_map(|f| lines(f, &workspace.read(f))) {
        if text.starts_with("source = ") && text != REGISTRY {
            problems.push(Problem::line(
                file,
                line,
                "a source other than the public registry",
            ));
        }
    }
    problems
}

fn lines<'f>(file: &'f str, text: &str) -> Vec<(&'f str, usize, String)> {
    (1..)
        .zip(text.lines())
        .map(|(line, text)| (file, line, text.to_owned()))
        .collect()
}
