//! The excerpt of the source under an error.

use std::fmt::{self, Write};

use super::{Diagnostic, Span, visible};

/// Widest piece of a source line shown \[characters\].
const MAX_WIDTH: usize = 120;
/// Characters kept before the span where a line is cut.
const CONTEXT: usize = 40;

/// One line of source and the part of it to underline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Excerpt {
    /// Line, from 1.
    pub(super) line: usize,
    /// Column in characters, from 1.
    pub(super) column: usize,
    source: String,
    /// Characters before the underline, in `source`.
    indent: usize,
    /// Length of the underline; at least 1.
    width: usize,
}

impl Excerpt {
    /// The line on which `span` starts; what reaches beyond that line is not underlined.
    pub(super) fn new(text: &str, span: Span) -> Self {
        let start = floor_boundary(text, span.start);
        let end = floor_boundary(text, span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
        let line = 1 + text[..line_start].bytes().filter(|&b| b == b'\n').count();
        let before = text[line_start..start].trim_end_matches('\r');
        let marked = &text[start..end.min(line_end)];
        let after = &text[end.min(line_end)..line_end];
        Self::cut(line, before, marked, after)
    }

    fn cut(line: usize, before: &str, marked: &str, after: &str) -> Self {
        let column = 1 + before.chars().count();
        let skip = if column > MAX_WIDTH - CONTEXT {
            column - 1 - CONTEXT
        } else {
            0
        };
        let mut source = String::new();
        let mut room = MAX_WIDTH;
        if skip > 0 {
            source.push('…');
        }
        for c in before.chars().skip(skip) {
            push_visible(&mut source, c);
            room = room.saturating_sub(1);
        }
        let indent = source.chars().count();
        for c in marked.chars().take(room) {
            push_visible(&mut source, c);
        }
        let width = (source.chars().count() - indent).max(1);
        room = room.saturating_sub(marked.chars().count());
        let rest = after.trim_end();
        for c in rest.chars().take(room) {
            push_visible(&mut source, c);
        }
        if room < rest.chars().count() || marked.chars().count() > MAX_WIDTH {
            source.push('…');
        }
        Self {
            line,
            column,
            source,
            indent,
            width,
        }
    }
}

/// Tabs become spaces and hidden characters a mark, so that underlines stay in place and a
/// terminal is not driven by the file.
fn push_visible(out: &mut String, c: char) {
    match c {
        '\t' => out.push_str("    "),
        c => out.push(visible(c).unwrap_or('\u{fffd}')),
    }
}

/// The largest boundary of a character at or before `index`.
fn floor_boundary(text: &str, index: usize) -> usize {
    let mut i = index.min(text.len());
    while !text.is_char_boundary(i) {
        i -= 1;
    }
    i
}

pub(super) fn fmt(diagnostic: &Diagnostic, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Diagnostic {
        file,
        line,
        column,
        message,
        label,
        help,
        excerpt,
        ..
    } = diagnostic;
    let number = line.to_string();
    let gutter = " ".repeat(number.len());
    writeln!(f, "error: {message}")?;
    writeln!(f, "{gutter}--> {file}:{line}:{column}")?;
    writeln!(f, "{gutter} |")?;
    writeln!(f, "{number} | {}", excerpt.source.trim_end())?;
    let mut underline = " ".repeat(excerpt.indent);
    underline.extend(std::iter::repeat_n('^', excerpt.width));
    if !label.is_empty() {
        write!(underline, " {label}")?;
    }
    writeln!(f, "{gutter} | {underline}")?;
    if let Some(help) = help {
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{gutter} = help: {help}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, start: usize, end: usize) -> Excerpt {
        Excerpt::new(text, Span::new(start, end))
    }

    #[test]
    fn lines_and_columns_count_characters() {
        let text = "a\nµΩ b\r\nc";
        let e = excerpt(text, 7, 8);
        assert_eq!(
            (e.line, e.column, e.source.as_str(), e.indent, e.width),
            (2, 4, "µΩ b", 3, 1)
        );
        let e = excerpt(text, text.len(), text.len());
        assert_eq!((e.line, e.column, e.indent, e.width), (3, 2, 1, 1));
    }

    #[test]
    fn the_end_of_a_line_is_before_its_carriage_return() {
        let e = excerpt("neuron\r\nx", 7, 8);
        assert_eq!((e.column, e.source.as_str(), e.indent), (7, "neuron", 6));
    }

    #[test]
    fn spans_inside_a_character_or_beyond_the_text_are_tolerated() {
        let text = "µ";
        let _ = excerpt(text, 1, 1);
        let e = excerpt(text, 5, 90);
        assert_eq!((e.line, e.column), (1, 2));
    }

    #[test]
    fn long_lines_are_cut_around_the_span() {
        let text = format!("{}HERE{}", "x".repeat(5000), "y".repeat(5000));
        let e = excerpt(&text, 5000, 5004);
        assert!(e.source.chars().count() <= MAX_WIDTH + 2);
        assert_eq!(
            e.source
                .chars()
                .skip(e.indent)
                .take(e.width)
                .collect::<String>(),
            "HERE"
        );
        assert!(e.source.starts_with('…') && e.source.ends_with('…'));
    }

    #[test]
    fn tabs_keep_the_underline_in_place_and_control_characters_are_neutral() {
        let e = excerpt("\tx\u{1b}[31m", 1, 2);
        assert_eq!((e.indent, e.width), (4, 1));
        assert!(!e.source.contains('\u{1b}'));
    }
}
