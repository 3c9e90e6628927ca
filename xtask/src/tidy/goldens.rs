//! Golden files: each that a test names exists, and each that exists is described beside it.

use super::Problem;
use crate::workspace::Workspace;

const FOLDER: &str = "tests/golden";
const DATA: [&str; 8] = [
    "json",
    "toml",
    "npz",
    "npy",
    "csv",
    "bin",
    "safetensors",
    "wgsl",
];

pub(super) fn check(workspace: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in workspace.files(FOLDER, &DATA) {
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        let readme = format!("{folder}/README.md");
        if !workspace.exists(&readme) {
            problems.push(Problem::file(
                file,
                "no README.md beside it says where it comes from",
            ));
        } else if !names(&workspace.read(&readme), name) {
            problems.push(Problem::file(
                file,
                format!("{readme} does not say where it comes from"),
            ));
        }
    }
    for file in workspace
        .files("", &["rs"])
        .filter(|f| *f != "xtask/src/tidy/goldens.rs")
    {
        for (line, text) in (1..).zip(workspace.read(file).lines()) {
            for path in golden_paths(text) {
                if !workspace.exists(&path) {
                    problems.push(Problem::line(file, line, format!("{path} does not exist")));
                }
            }
        }
    }
    problems
}

/// Whether a text names a file, literally or by a pattern such as `single_<model>.json`.
fn names(readme: &str, name: &str) -> bool {
    readme.contains(name)
        || readme.split('`').any(|span| {
            let pieces = span
                .split_once('<')
                .and_then(|(head, rest)| rest.split_once('>').map(|(_, tail)| (head, tail)));
            pieces.is_some_and(|(head, tail)| {
                name.len() > head.len() + tail.len()
                    && name.starts_with(head)
                    && name.ends_with(tail)
            })
        })
}

/// Paths of golden files that stand in a line of Rust, as far as they are written out.
fn golden_paths(line: &str) -> Vec<String> {
    line.match_indices(FOLDER)
        .filter_map(|(at, _)| {
            let path: String = line[at..]
                .chars()
                .take_while(|c| {
                    c.is_alphanumeric() || matches!(c, '/' | '_' | '-' | '.' | '{' | '<')
                })
                .collect();
            let path = path.trim_end_matches('.');
            (!path.contains(['{', '<'])).then(|| path.trim_end_matches('/').to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_paths() {
        assert!(names("| `single_<model>.json` | x |", "single_lif.json"));
        assert!(names("`a.json`, `b.json`", "b.json"));
        assert!(!names("`single_<model>.json`", "double_lif.json"));
        let line = format!(
            "include_str!(\"../{FOLDER}/nest/x.json\"); format!(\"{FOLDER}/{{name}}.json\")"
        );
        assert_eq!(golden_paths(&line), [format!("{FOLDER}/nest/x.json")]);
    }
}
