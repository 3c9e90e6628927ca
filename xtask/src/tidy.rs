//! Rules of this workspace that no compiler checks, one file each.

mod arrows;
mod documentation;
mod examples;
mod float_functions;
mod goldens;
mod leftovers;
mod length;
mod lockfile;
mod map;
mod map_order;
mod rooms;
mod wgpu_names;

pub(crate) use documentation::NEURON_HEADINGS;

use std::fmt;

use crate::workspace::Workspace;

/// Something that breaks a rule.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Problem {
    file: String,
    /// From 1; 0 where the whole file is meant.
    line: usize,
    message: String,
}

impl Problem {
    fn file(file: &str, message: impl Into<String>) -> Self {
        Self::line(file, 0, message)
    }

    fn line(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}: {}", self.file, self.message),
        }
    }
}

/// Everything wrong with the workspace, by file and line.
pub(crate) fn check(workspace: &Workspace) -> Vec<Problem> {
    let checks = [
        arrows::check,
        documentation::check,
        examples::check,
        float_functions::check,
        goldens::check,
        leftovers::check,
        length::check,
        lockfile::check,
        map::check,
        map_order::check,
        rooms::check,
        wgpu_names::check,
    ];
    let mut problems: Vec<Problem> = checks.iter().flat_map(|check| check(workspace)).collect();
    problems.sort();
    problems.dedup();
    problems
}

/// Whether a Rust file holds tests only: it lies in a folder of tests, or a module above it declares
/// it under `#[cfg(test)]`.
fn is_test_file(workspace: &Workspace, file: &str) -> bool {
    let in_folder = |folder: &str| {
        file.starts_with(&format!("{folder}/")) || file.contains(&format!("/{folder}/"))
    };
    if in_folder("tests") || in_folder("benches") || in_folder("examples") {
        return true;
    }
    // `a/b/c.rs` is test code if `a/b.rs`, `a/b/mod.rs`, `a/b/lib.rs` or `a/b/main.rs` says so of
    // `c`, or if `a/b.rs` is test code itself.
    let Some((folder, name)) = file.trim_end_matches(".rs").rsplit_once('/') else {
        return false;
    };
    let parents = [
        format!("{folder}.rs"),
        format!("{folder}/mod.rs"),
        format!("{folder}/lib.rs"),
        format!("{folder}/main.rs"),
    ];
    parents
        .iter()
        .filter(|p| *p != file && workspace.exists(p))
        .any(|parent| {
            let declared = crate::rust_source::test_modules(&workspace.read(parent));
            declared.iter().any(|m| m == name)
                || (!parent.ends_with("lib.rs")
                    && !parent.ends_with("main.rs")
                    && is_test_file(workspace, parent))
        })
}

/// Rust files below `folder` that are not tests, with their code: comments, literals and test items
/// blanked out.
fn library_code<'w>(
    workspace: &'w Workspace,
    folder: &'w str,
) -> impl Iterator<Item = (&'w str, String)> {
    workspace
        .files(folder, &["rs"])
        .filter(|file| !is_test_file(workspace, file))
        .map(|file| {
            (
                file,
                crate::rust_source::code_without_tests(&workspace.read(file)),
            )
        })
}

#[cfg(test)]
mod tests {
    use crate::workspace::Workspace;

    /// The workspace keeps its own rules: what `cargo xtask tidy` checks.
    #[test]
    fn the_workspace_is_tidy() {
        let problems: Vec<String> = super::check(&Workspace::find().unwrap())
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }

    #[test]
    fn test_modules_are_told_from_others() {
        let workspace = Workspace::find().unwrap();
        assert!(super::is_test_file(
            &workspace,
            "report/src/statistics/tests.rs"
        ));
        assert!(super::is_test_file(&workspace, "engine/tests/gpu.rs"));
        assert!(!super::is_test_file(&workspace, "report/src/statistics.rs"));
        assert!(!super::is_test_file(&workspace, "xtask/src/main.rs"));
    }
}
