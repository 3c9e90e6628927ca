//! The order of a hash map leaks into nothing that is simulated.
//!
//! Looks for iteration over names that the same file declares as `HashMap` or `HashSet` (of std or
//! hashbrown: clippy's own lint knows only the former). Where the order cannot matter, a comment
//! `// order does not matter: why` on the line or the one above says so.

use super::Problem;
use crate::workspace::Workspace;

const ROOMS: [&str; 5] = ["equations", "shaders", "engine", "components", "learning"];

const EXCUSE: &str = "order does not matter:";

const ITERATIONS: [&str; 12] = [
    ".iter()",
    ".iter_mut()",
    ".into_iter()",
    ".keys()",
    ".values()",
    ".values_mut()",
    ".into_keys()",
    ".into_values()",
    ".drain()",
    ".retain(",
    ".extract_if(",
    ".par_iter()",
];

pub(super) fn check(workspace: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    for room in ROOMS {
        for (file, code) in super::library_code(workspace, room) {
            let text = workspace.read(file);
            problems.extend(check_file(file, &text, &code));
        }
    }
    problems
}

fn check_file(file: &str, text: &str, code: &str) -> Vec<Problem> {
    let names = hash_names(code);
    let lines: Vec<&str> = text.lines().collect();
    let mut problems = Vec::new();
    for (k, line) in code.lines().enumerate() {
        let excused = lines[k.saturating_sub(1)..=k.min(lines.len() - 1)]
            .iter()
            .any(|l| l.contains(EXCUSE));
        for name in names.iter().filter(|n| iterates(line, n)) {
            if !excused {
                problems.push(Problem::line(
                    file,
                    k + 1,
                    format!("the order of `{name}` is that of a hash map; use an IndexMap or BTreeMap, or say `// {EXCUSE} why`"),
                ));
            }
        }
    }
    problems
}

/// Names bound or declared with a hash map or set as their type.
fn hash_names(code: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in code.lines() {
        let Some(at) = ["HashMap", "HashSet"]
            .iter()
            .filter_map(|t| line.find(t))
            .min()
        else {
            continue;
        };
        let before = &line[..at];
        if before.trim_start().starts_with("use ") || before.contains("->") {
            continue;
        }
        let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
        let before = if before.ends_with("::") {
            before.trim_end_matches(is_path)
        } else {
            before
        };
        // `name: &mut HashMap<…>` or `let mut name = HashMap::new()`.
        let head = before
            .rfind([':', '='])
            .map_or("", |s| before[..s].trim_end());
        let name: String = head
            .chars()
            .rev()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn iterates(line: &str, name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + name.len()..]);
        if before.chars().next_back().is_some_and(word) || after.chars().next().is_some_and(word) {
            return false;
        }
        let source = before
            .trim_end_matches("self.")
            .trim_end_matches(['&', ' '])
            .trim_end_matches("mut")
            .trim_end_matches(['&', ' ']);
        let in_loop = source.ends_with(" in")
            && line.contains("for ")
            && !after.trim_start().starts_with('.');
        in_loop || ITERATIONS.iter().any(|i| after.starts_with(i))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "use std::collections::HashMap;\n\
        struct S { known: HashMap<u32, u32>, list: Vec<u32> }\n\
        fn f(forms: &mut HashMap<u32, u32>) {\n\
        let mut seen = std::collections::HashSet::new();\n\
        for x in &seen {}\n\
        for (k, v) in forms.iter() {}\n\
        for x in &self.list {}\n\
        // order does not matter: they are counted\n\
        let n = self.known.values().count();\n\
        self.known.insert(1, 2); forms.get(&1);\n\
        for x in &mut self.known {}\n\
        }";

    #[test]
    fn iteration_over_hash_maps_is_found() {
        assert_eq!(hash_names(CODE), ["known", "forms", "seen"]);
        let code = crate::rust_source::code(CODE);
        let lines: Vec<usize> = check_file("f", CODE, &code)
            .iter()
            .map(|p| p.line)
            .collect();
        assert_eq!(lines, [5, 6, 11]);
    }
}
