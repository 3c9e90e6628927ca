//! Errors of a component text: where, what, and what to do about it.
//!
//! [`Diagnostics`] is a plain [`std::error::Error`]; its `Display` shows each error under an
//! excerpt of the source, as compilers do, without colour and the same on every run:
//!
//! ```
//! let text = "neuron leaky\n  parameter tau = 10 ms\n  dv/dt = -v/tua : mV\n";
//! let error = rheobase_equations::parse_one(text, "leaky.rheo").unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "\
//! error: unknown name `tua`
//!  --> leaky.rheo:3:14
//!   |
//! 3 |   dv/dt = -v/tua : mV
//!   |              ^^^ not a parameter, state, input, subexpression or unit
//!   |
//!   = help: did you mean `tau`?
//! "
//! );
//! ```

mod render;

use std::fmt;
use std::ops::Range;

use crate::limits::MAX_DIAGNOSTICS;

/// A range of bytes of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// From the start of `self` to the end of `other`.
    pub(crate) fn to(self, other: Self) -> Self {
        Self {
            start: self.start,
            end: other.end.max(self.end),
        }
    }

    /// The text under the span.
    pub(crate) fn of(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

/// One error in a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// Name of the file, as given to the parser.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Bytes of the text it is about.
    pub span: Range<usize>,
    /// What is wrong, in one line.
    pub message: String,
    /// What stands below the underlined span: what was expected and what was found. May be empty.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The underlined source with its line number, and the underline.
    excerpt: render::Excerpt,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        render::fmt(self, f)
    }
}

impl std::error::Error for Diagnostic {}

/// All errors of one run over a text, in the order of the text; never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    truncated: bool,
}

impl Diagnostics {
    /// A single error.
    pub(crate) fn one(problem: Problem, text: &str, file: &str) -> Self {
        Self {
            list: vec![locate(problem, file, text)],
            truncated: false,
        }
    }

    /// The errors, in the order of the text.
    #[must_use]
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.list
    }

    /// Whether more errors were found than are reported
    /// ([`MAX_DIAGNOSTICS`]).
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.list.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            diagnostic.fmt(f)?;
        }
        if self.truncated {
            writeln!(
                f,
                "\nerror: too many errors; the first {MAX_DIAGNOSTICS} are shown"
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// An error on its way to the sink.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) label: String,
    pub(crate) help: Option<String>,
}

impl Problem {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            label: String::new(),
            help: None,
        }
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds `did you mean …?` where one of `candidates` is close to `word`.
    pub(crate) fn suggest<'a>(
        self,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match nearest(word, candidates) {
            Some(best) => self.help(format!("did you mean `{best}`?")),
            None => self,
        }
    }
}

/// Collects problems and turns them into diagnostics.
#[derive(Debug)]
pub(crate) struct Sink<'a> {
    file: &'a str,
    text: &'a str,
    problems: Vec<Problem>,
    truncated: bool,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(text: &'a str, file: &'a str) -> Self {
        Self {
            file,
            text,
            problems: Vec::new(),
            truncated: false,
        }
    }

    /// Keeps the problem, unless there are too many or one at the same place.
    pub(crate) fn report(&mut self, problem: Problem) {
        if self.problems.iter().any(|p| p.span == problem.span) {
            return;
        }
        if self.is_full() {
            self.truncated = true;
        } else {
            self.problems.push(problem);
        }
    }

    /// Whether further problems would be dropped.
    pub(crate) fn is_full(&self) -> bool {
        self.problems.len() >= MAX_DIAGNOSTICS
    }

    /// Notes that reading stopped early because the sink is full.
    pub(crate) fn stop(&mut self) {
        self.truncated |= self.is_full();
    }

    pub(crate) fn count(&self) -> usize {
        self.problems.len()
    }

    /// `Err` if anything was reported.
    pub(crate) fn finish(mut self) -> Result<(), Diagnostics> {
        if self.problems.is_empty() {
            return Ok(());
        }
        self.problems.sort_by_key(|p| (p.span.start, p.span.end));
        let list = self
            .problems
            .into_iter()
            .map(|p| locate(p, self.file, self.text))
            .collect();
        Err(Diagnostics {
            list,
            truncated: self.truncated,
        })
    }
}

fn locate(problem: Problem, file: &str, text: &str) -> Diagnostic {
    let excerpt = render::Excerpt::new(text, problem.span);
    Diagnostic {
        file: file.to_owned(),
        line: excerpt.line,
        column: excerpt.column,
        span: problem.span.start..problem.span.end,
        message: problem.message,
        label: problem.label,
        help: problem.help,
        excerpt,
    }
}

/// How a character of the text may be shown: `None` for those that drive a terminal, turn the
/// direction of text, or have no width.
pub(crate) fn visible(c: char) -> Option<char> {
    let is_hidden = c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        );
    (!is_hidden).then_some(c)
}

/// The candidate closest to `word`, if any is close; the first of equals.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    let mut best = None;
    for candidate in candidates {
        let distance = if candidate.eq_ignore_ascii_case(word) {
            0
        } else {
            strsim::damerau_levenshtein(word, candidate)
        };
        // A single letter is near every other: only its other case is a near miss.
        let near = distance <= allowed && distance < candidate.chars().count().max(1);
        if near && best.is_none_or(|(d, _)| distance < d) && candidate != word {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_found_and_far_ones_are_not() {
        let names = ["c_m", "tau_ex", "tau_in", "tau_m", "v_reset"];
        assert_eq!(nearest("tau_n", names), Some("tau_in"));
        assert_eq!(nearest("v_rest", names), Some("v_reset"));
        assert_eq!(nearest("C_M", names), Some("c_m"));
        assert_eq!(nearest("membrane", names), None);
        assert_eq!(nearest("x", ["y", "z"]), None);
        assert_eq!(nearest("mv", ["mV", "uV"]), Some("mV"));
    }
}
