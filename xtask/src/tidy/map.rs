//! ARCHITECTURE.md names no path that does not exist, and links in the documents lead somewhere.

use super::Problem;
use crate::workspace::Workspace;

/// Pages whose `code spans` that look like paths are checked.
const MAPS: [&str; 3] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "benches/README.md"];

const EXTENSIONS: [&str; 12] = [
    "rs", "md", "toml", "rheo", "wgsl", "py", "json", "lock", "svg", "png", "npz", "txt",
];

pub(super) fn check(workspace: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    for page in MAPS {
        if !workspace.exists(page) {
            problems.push(Problem::file(page, "does not exist"));
        }
        for (line, text) in prose(&workspace.read(page)) {
            for path in code_spans(text).filter(|s| is_path(s)) {
                let path_beside = beside(page, path.trim_end_matches('/'));
                if !workspace.exists(path.trim_end_matches('/')) && !workspace.exists(&path_beside)
                {
                    problems.push(Problem::line(
                        page,
                        line,
                        format!("`{path}` does not exist"),
                    ));
                }
            }
        }
    }
    for page in workspace.files("", &["md"]) {
        for (line, text) in prose(&workspace.read(page)) {
            for target in link_targets(text) {
                let path = beside(page, target);
                if !workspace.exists(&path) {
                    problems.push(Problem::line(
                        page,
                        line,
                        format!("link to `{target}`: there is no such file"),
                    ));
                }
            }
        }
    }
    problems
}

/// A path relative to the folder of a page.
fn beside(page: &str, path: &str) -> String {
    match page.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{path}"),
        None => path.to_owned(),
    }
}

/// Lines outside fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, l)| {
        if l.trim_start().starts_with("```") {
            fenced = !fenced;
            return false;
        }
        !fenced
    })
}

fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether a code span is meant as a path of this repository: a file with a known extension, or a
/// folder that ends in `/`; without placeholders.
fn is_path(span: &str) -> bool {
    let plain = span
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '.'));
    let name = span.rsplit('/').next().unwrap_or(span);
    let extension = name
        .rsplit_once('.')
        .filter(|(stem, _)| !stem.is_empty())
        .map(|(_, e)| e);
    let is_file = extension.is_some_and(|e| EXTENSIONS.contains(&e)) && span.contains(['/', '.']);
    let is_root_file = is_file && !span.contains('/');
    plain
        && (span.ends_with('/')
            || (is_file && (span.contains('/') || is_upper(name) || !is_root_file))
            || span == ".ci/run")
}

/// Bare names without a folder count only where they are files of the root (`Cargo.toml`,
/// `README.md`): others (`run.json`) are names of results.
fn is_upper(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase()) || name == "clippy.toml"
}

/// Targets of relative links, without anchors.
fn link_targets(line: &str) -> Vec<&str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .map(|target| target.split('#').next().unwrap_or(target))
        .filter(|target| {
            !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_other_code() {
        for path in [
            "engine/src/schedule.rs",
            "components/",
            "Cargo.toml",
            ".ci/run",
            "docs/language.md",
        ] {
            assert!(is_path(path), "{path}");
        }
        for other in [
            "a::b",
            "neuron/<name>.rheo",
            "run.json",
            "cargo xtask tidy",
            "mul_add",
            "x/y",
            "T × N",
        ] {
            assert!(!is_path(other), "{other}");
        }
    }

    #[test]
    fn links_and_fences() {
        let targets = link_targets("see [a](docs/a.md#b), [c](https://x.y), ![d](d.png)");
        assert_eq!(targets, ["docs/a.md", "d.png"]);
        let lines: Vec<&str> = prose("a\n```\nb\n```\nc").map(|(_, l)| l).collect();
        assert_eq!(lines, ["a", "c"]);
    }
}
