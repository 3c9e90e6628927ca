//! No platform mathematics in anything simulated: `exp`, `sin`, `powi`, `mul_add` and the like give
//! other bits on other machines. `clippy.toml` bans them by type; this finds them without a build.

use super::Problem;
use crate::workspace::Workspace;

/// Rooms whose code decides what a simulation computes.
const ROOMS: [&str; 5] = ["equations", "shaders", "engine", "components", "learning"];

/// Methods without an argument, as they are called on a float.
const UNARY: [&str; 17] = [
    "exp", "exp2", "exp_m1", "ln", "ln_1p", "log2", "log10", "sin", "cos", "tan", "asin", "acos",
    "atan", "sinh", "cosh", "tanh", "cbrt",
];

/// Methods with one argument (with two, they are methods of the IR builder).
const BINARY: [&str; 6] = ["powf", "powi", "log", "hypot", "atan2", "sin_cos"];

/// Files that may, and why.
const ALLOWED: [(&str, &str); 3] = [
    (
        "equations/src/interpret/reference.rs",
        "the f64 reference: every product is judged against it within a stated tolerance, nothing runs on it",
    ),
    (
        "equations/src/real.rs",
        "hands out the fused product that matrix kernels use",
    ),
    (
        "components/src/layer/matmul.rs",
        "products of real matrices may be fused, bits then depend on the instruction set; sums over spikes do not",
    ),
];

pub(super) fn check(workspace: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (file, reason) in ALLOWED {
        if !workspace.exists(file) {
            problems.push(Problem::file(
                file,
                format!("is allowed platform mathematics ({reason}), but is gone"),
            ));
        }
    }
    for room in ROOMS {
        for (file, code) in super::library_code(workspace, room) {
            if ALLOWED.iter().any(|(f, _)| *f == file) {
                continue;
            }
            for (line, text) in (1..).zip(code.lines()) {
                for name in banned_calls(text) {
                    problems.push(Problem::line(
                        file,
                        line,
                        format!("`{name}` of the platform: its bits differ between machines; use libm on the host, the IR in kernels"),
                    ));
                }
            }
        }
    }
    problems
}

fn banned_calls(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in UNARY {
        let method = line.contains(&format!(".{name}()"));
        let path = ["f32", "f64"].iter().any(|t| {
            line.contains(&format!("{t}::{name}")) && !continues(line, &format!("{t}::{name}"))
        });
        if method || path {
            found.push(name.to_owned());
        }
    }
    for name in BINARY {
        let call = format!(".{name}(");
        let method = line
            .match_indices(&call)
            .any(|(at, _)| has_one_argument(&line[at + call.len()..]));
        let path = ["f32", "f64"].iter().any(|t| {
            line.contains(&format!("{t}::{name}")) && !continues(line, &format!("{t}::{name}"))
        });
        if method || path {
            found.push(name.to_owned());
        }
    }
    if line.contains(".mul_add(") || line.contains("::mul_add(") {
        found.push("mul_add".to_owned());
    }
    found
}

/// Whether every occurrence of `path` goes on as a longer name (`f64::exp` in `f64::exp_table`).
fn continues(line: &str, path: &str) -> bool {
    line.match_indices(path).all(|(at, _)| {
        line[at + path.len()..]
            .chars()
            .next()
            .is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// Whether the argument list that begins here holds no comma of its own before it closes.
fn has_one_argument(rest: &str) -> bool {
    let mut depth = 0_usize;
    for c in rest.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => return true,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => return false,
            _ => {}
        }
    }
    // The list goes on in the next line; a float's single argument seldom does.
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_told_from_the_builder() {
        assert_eq!(
            banned_calls("let y = (-x).exp() * x.powi(n.max(2));"),
            ["exp", "powi"]
        );
        assert_eq!(
            banned_calls("let y = f64::ln(x).mul_add(a, b);"),
            ["ln", "mul_add"]
        );
        assert_eq!(banned_calls("xs.map(f32::tanh)"), ["tanh"]);
        assert!(banned_calls("let y = b.powi(x, 3); let e = b.exp(x); libm::exp(x)").is_empty());
        assert!(banned_calls("Self::exp_table(); f64::exp_table(); x.sqrt()").is_empty());
    }
}
