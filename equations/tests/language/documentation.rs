//! The reference tells the truth: every `rheo` block of `docs/language.md` is read.

use rheobase_equations::parse;

const REFERENCE: &str = include_str!("../../../docs/language.md");

/// The fenced blocks of a language, with the line each starts on.
fn blocks<'a>(markdown: &'a str, language: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String, bool)> = None;
    for (i, line) in markdown.lines().enumerate() {
        let fence: Option<&'a str> = line.strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(info)) => open = Some((i + 1, String::new(), info == language)),
            (Some(_), Some(_)) => {
                if let Some((start, text, true)) = open.take() {
                    found.push((start, text));
                }
            }
            (Some((_, text, _)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    found
}

#[test]
fn every_example_is_read() {
    let examples = blocks(REFERENCE, "rheo");
    assert!(examples.len() >= 3, "{} examples", examples.len());
    for (line, text) in examples {
        if let Err(errors) = parse(&text, &format!("language.md, block of line {line}")) {
            panic!("{errors}");
        }
    }
}

#[test]
fn every_limit_is_stated() {
    use rheobase_equations::limits as l;
    let limits = [
        l::MAX_NESTING as usize,
        l::MAX_NAME_BYTES,
        l::MAX_STATEMENTS,
        l::MAX_STATES,
        l::MAX_PARAMETERS,
        l::MAX_OPTIONS,
        l::MAX_INPUTS,
        l::MAX_OUTPUTS,
        l::MAX_DRAWS,
        l::MAX_OPS,
        l::MAX_DIAGNOSTICS,
    ];
    for limit in limits {
        assert!(
            REFERENCE.contains(&format!("| {limit} |")),
            "{limit} is not in the table of limits"
        );
    }
    assert!(REFERENCE.contains(&format!("| {} KiB |", l::MAX_TEXT_BYTES / 1024)));
}
