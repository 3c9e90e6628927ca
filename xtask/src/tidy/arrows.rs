//! Rooms use each other only along the arrows of ARCHITECTURE.md, and wgpu lies behind the engine.

use super::Problem;
use crate::workspace::Workspace;

/// Folder of a crate, its name, and the crates of the workspace it may use.
const ARROWS: [(&str, &str, &[&str]); 10] = [
    ("equations", "rheobase-equations", &[]),
    (
        "equations/macros",
        "rheobase-equations-macros",
        &["rheobase-equations"],
    ),
    ("shaders", "rheobase-shaders", &["rheobase-equations"]),
    (
        "engine",
        "rheobase-engine",
        &["rheobase-equations", "rheobase-shaders"],
    ),
    (
        "components",
        "rheobase-components",
        &[
            "rheobase-equations",
            "rheobase-equations-macros",
            "rheobase-engine",
        ],
    ),
    (
        "learning",
        "rheobase-learning",
        &[
            "rheobase-equations",
            "rheobase-equations-macros",
            "rheobase-engine",
            "rheobase-components",
            "rheobase-formats",
        ],
    ),
    (
        "formats",
        "rheobase-formats",
        &["rheobase-equations", "rheobase-engine"],
    ),
    ("report", "rheobase-report", &[]),
    ("xtask", "xtask", &[]),
    (
        "",
        "rheobase",
        &[
            "rheobase-equations",
            "rheobase-equations-macros",
            "rheobase-shaders",
            "rheobase-engine",
            "rheobase-components",
            "rheobase-learning",
            "rheobase-formats",
            "rheobase-report",
        ],
    ),
];

/// Crates only one room may use, and that room's folder.
const RESERVED: [(&str, &str); 1] = [("wgpu", "engine")];

pub(super) fn check(workspace: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    for manifest in workspace
        .files("", &["toml"])
        .filter(|f| f.rsplit('/').next() == Some("Cargo.toml"))
    {
        let folder = manifest
            .trim_end_matches("Cargo.toml")
            .trim_end_matches('/');
        let text = workspace.read(manifest);
        let arrows = ARROWS.iter().find(|(f, ..)| *f == folder);
        for (line, dependency) in dependencies(&text) {
            if let Some((_, room)) = RESERVED
                .iter()
                .find(|(c, room)| *c == dependency && *room != folder)
            {
                problems.push(Problem::line(
                    manifest,
                    line,
                    format!("only {room} may use `{dependency}`"),
                ));
            }
            let ours = ARROWS.iter().any(|(_, name, _)| *name == dependency);
            if let Some((_, name, allowed)) = arrows
                && ours
                && !allowed.contains(&dependency)
            {
                problems.push(Problem::line(
                    manifest,
                    line,
                    format!("`{name}` may not use `{dependency}`: no arrow leads there (ARCHITECTURE.md)"),
                ));
            }
        }
        let is_crate = text.lines().any(|l| l.trim() == "[package]");
        // A workspace of its own: fuzz targets, crates that tests build from outside.
        let outside = text.lines().any(|l| l.trim() == "[workspace]");
        if arrows.is_none() && is_crate && !outside {
            problems.push(Problem::file(
                manifest,
                "a room without arrows: name it in xtask/src/tidy/arrows.rs",
            ));
        }
    }
    problems
}

/// Names in the dependency tables of a manifest, with their lines. The workspace's own table only
/// gives versions and is left out.
fn dependencies(manifest: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (line, text) in (1..).zip(manifest.lines().map(str::trim)) {
        if let Some(header) = text.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            let table = header.rsplit('.').next().unwrap_or(header);
            inside = table.ends_with("dependencies") && !header.starts_with("workspace.");
            // [dependencies.name]
            if let Some((table, name)) = header.rsplit_once('.')
                && table.ends_with("dependencies")
                && !table.starts_with("workspace")
            {
                found.push((line, name));
            }
        } else if inside && !text.starts_with('#') {
            let end = text.find(['.', '=', ' ']).unwrap_or(0);
            if end > 0 {
                found.push((line, &text[..end]));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_dependency_is_seen() {
        let text = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = \"1\"\n# c = 1\n\
                    [dev-dependencies.d]\npath = \"d\"\n[target.'cfg(unix)'.dependencies]\ne = { path = \"e\" }\n\
                    [workspace.dependencies]\nf = \"1\"";
        let names: Vec<&str> = dependencies(text).into_iter().map(|(_, n)| n).collect();
        assert_eq!(names, ["a", "b", "d", "e"]);
    }
}
