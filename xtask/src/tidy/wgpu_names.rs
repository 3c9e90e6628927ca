//! Only the GPU backend names wgpu.

use super::Problem;
use crate::workspace::Workspace;

const HOME: &str = "engine/src/backend/gpu/";

pub(super) fn check(workspace: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in workspace
        .files("", &["rs"])
        .filter(|f| !f.starts_with(HOME))
    {
        let code = crate::rust_source::code(&workspace.read(file));
        for (line, text) in (1..).zip(code.lines()) {
            if text.contains("wgpu::") || text.contains("use wgpu") {
                problems.push(Problem::line(
                    file,
                    line,
                    format!("wgpu is named outside {HOME}"),
                ));
            }
        }
    }
    problems
}
