//! Nothing unfinished, nothing private: no stubs, no notes to oneself, no paths or hosts of the
//! machine something was written on.

use super::Problem;
use crate::workspace::Workspace;

/// Macros that have no place in a commit, and what is wrong with them.
const STUBS: [(&str, &str); 4] = [
    (concat!("to", "do!("), "a stub"),
    (concat!("unimplemen", "ted!("), "a stub"),
    (concat!("db", "g!("), "output for debugging"),
    (
        concat!("#[ign", "ore]"),
        "a test that never runs; say when it runs: `= \"why\"`",
    ),
];

/// Words that mark unfinished text. Put together here so that this file does not hold them.
const NOTES: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// Folders of one machine, and package hosts that only a build's own configuration may name.
const PRIVATE: [&str; 11] = [
    concat!("/wo", "rk/"),
    concat!("/tm", "p/"),
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/mn", "t/"),
    concat!("index.cra", "tes.io"),
    concat!("static.cra", "tes.io"),
    concat!("arti", "factory"),
    concat!("pypi.o", "rg/simple"),
    concat!("files.python", "hosted"),
    concat!("registry.npm", "js"),
];

/// Files with text: everything but data and the lock file, whose sources `lockfile` checks.
const TEXT: [&str; 12] = [
    "rs", "toml", "md", "py", "wgsl", "rheo", "sh", "yml", "yaml", "css", "html", "run",
];

pub(super) fn check(workspace: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    let scripts = [".ci/run"];
    let files = workspace
        .files("", &TEXT)
        .chain(scripts.into_iter().filter(|s| workspace.exists(s)));
    for file in files {
        let text = workspace.read(file);
        let code = if file.ends_with(".rs") {
            crate::rust_source::code(&text)
        } else {
            String::new()
        };
        for (line, text) in (1..).zip(code.lines()) {
            for (stub, what) in STUBS.iter().filter(|(stub, _)| has_word(text, stub)) {
                problems.push(Problem::line(file, line, format!("`{stub}`: {what}")));
            }
        }
        for (line, text) in (1..).zip(text.lines()) {
            for note in NOTES.iter().filter(|n| has_word(text, n)) {
                problems.push(Problem::line(
                    file,
                    line,
                    format!("`{note}`: finish it, or write an issue"),
                ));
            }
            for word in PRIVATE.iter().filter(|w| text.contains(**w)) {
                problems.push(Problem::line(
                    file,
                    line,
                    format!("`{word}` is of one machine only"),
                ));
            }
        }
    }
    problems
}

/// Whether `word` stands in `text` other than as a part of a longer name.
fn has_word(text: &str, word: &str) -> bool {
    let name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(name);
        let after = text[at + word.len()..].chars().next().is_some_and(name);
        let open = word.ends_with(name);
        !before && (!open || !after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_only() {
        assert!(has_word(concat!("// TO", "DO: x"), NOTES[0]));
        assert!(!has_word(concat!("MASTO", "DON"), NOTES[0]));
        assert!(has_word(concat!("let x = db", "g!(y);"), STUBS[2].0));
        assert!(!has_word(concat!("my_db", "g!(y)"), STUBS[2].0));
    }
}
