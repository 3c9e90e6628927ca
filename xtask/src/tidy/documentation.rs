//! Every component says the same things about itself under the same headings, and is registered.

use super::Problem;
use crate::workspace::Workspace;

/// Headings of a neuron (`# Heading` lines before its equations), in this order.
pub(crate) const NEURON_HEADINGS: [&str; 7] = [
    "Equations",
    "Update scheme",
    "Parameters",
    "State",
    "Semantics",
    "Source",
    "Example",
];

/// Headings of a component written in Rust (`//! # Heading`), in this order.
const RUST_HEADINGS: [&str; 9] = [
    "Equations",
    "Update scheme",
    "Parameters",
    "State",
    "Shapes",
    "Semantics",
    "Errors",
    "Source",
    "Example",
];

const NEURONS: &str = "components/src/neuron";

pub(super) fn check(workspace: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    let registry = workspace.read("components/src/neuron.rs");
    for file in workspace.files(NEURONS, &["rheo"]) {
        let text = workspace.read(file);
        problems.extend(missing(file, &headings(&text, "# "), &NEURON_HEADINGS));
        let name = file
            .trim_end_matches(".rheo")
            .rsplit('/')
            .next()
            .unwrap_or(file);
        if !registry.contains(&format!("{name}.rheo")) && !registry.contains(&format!("\"{name}\""))
        {
            problems.push(Problem::file(
                file,
                "is not in the registry (components/src/neuron.rs)",
            ));
        }
    }
    for room in ["components/src", "learning/src"] {
        for file in workspace.files(room, &["rs"]) {
            let text = workspace.read(file);
            if text.contains("const ENTRY: Entry<") {
                problems.extend(missing(file, &headings(&text, "//! # "), &RUST_HEADINGS));
            }
        }
    }
    problems
}

/// Lines that consist of `marker` and a title.
fn headings<'t>(text: &'t str, marker: &str) -> Vec<&'t str> {
    text.lines()
        .filter_map(|l| l.strip_prefix(marker))
        .map(str::trim_end)
        .collect()
}

/// A problem for each heading that is absent, or stands before one it should follow.
fn missing(file: &str, found: &[&str], wanted: &[&str]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut last = 0;
    for heading in wanted {
        match found.iter().position(|f| f == heading) {
            None => problems.push(Problem::file(file, format!("no heading `{heading}`"))),
            Some(at) if at < last => {
                problems.push(Problem::file(
                    file,
                    format!("heading `{heading}` stands too early"),
                ));
            }
            Some(at) => last = at,
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_and_misplaced_headings_are_found() {
        let text = "# A neuron.\n#\n# State\n#   v\n# Equations\nneuron x";
        let found = headings(text, "# ");
        let problems = missing("x", &found, &["Equations", "State", "Source"]);
        let messages: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(
            messages,
            ["heading `State` stands too early", "no heading `Source`"]
        );
    }
}
