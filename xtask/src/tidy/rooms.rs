//! Every room says what lives in it and what may not.

use super::Problem;
use crate::workspace::Workspace;

/// Where each room opens.
const ROOMS: [&str; 9] = [
    "equations/src/lib.rs",
    "equations/macros/src/lib.rs",
    "shaders/src/lib.rs",
    "engine/src/lib.rs",
    "components/src/lib.rs",
    "learning/src/lib.rs",
    "formats/src/lib.rs",
    "report/src/lib.rs",
    "src/lib.rs",
];

/// Within so many lines.
const LINES: usize = 25;

pub(super) fn check(workspace: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    for room in ROOMS {
        let text = workspace.read(room);
        let opening: Vec<&str> = text
            .lines()
            .take_while(|l| l.starts_with("//!"))
            .take(LINES)
            .collect();
        for wanted in ["What lives here", "What may not"] {
            if !opening.iter().any(|l| l.contains(wanted)) {
                problems.push(Problem::file(
                    room,
                    format!("its first lines do not say \"{wanted}\""),
                ));
            }
        }
    }
    problems
}
