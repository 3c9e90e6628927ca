//! Every example is named where a reader would find it: in README.md or docs/.

use super::Problem;
use crate::workspace::Workspace;

pub(super) fn check(workspace: &Workspace) -> Vec<Problem> {
    let mut text = workspace.read("README.md");
    for page in workspace.files("docs", &["md"]) {
        text.push_str(&workspace.read(page));
    }
    workspace
        .files("examples", &["toml", "json", "rs", "rheo"])
        .filter(|f| f.matches('/').count() == 1)
        .filter(|f| !text.contains(*f))
        .map(|f| Problem::file(f, "is named neither in README.md nor in docs/"))
        .collect()
}
