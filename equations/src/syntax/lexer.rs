//! Characters → tokens. Also decides where a line ends.

use super::token::{Kind, Token};
use super::words;
use crate::diagnostic::{Problem, Sink, Span, visible};
use crate::limits::MAX_NAME_BYTES;

/// The tokens of `text`, the last of which is [`Kind::End`].
pub(crate) fn tokens(text: &str, sink: &mut Sink<'_>) -> Vec<Token> {
    let mut lexer = Lexer {
        text,
        at: 0,
        tokens: Vec::new(),
        open: 0,
    };
    while lexer.at < text.len() && !sink.is_full() {
        lexer.next(sink);
    }
    if lexer.at < text.len() {
        sink.stop();
    }
    let end = Span::new(text.len(), text.len());
    lexer.tokens.push(Token {
        kind: Kind::Newline,
        span: end,
    });
    lexer.tokens.push(Token {
        kind: Kind::End,
        span: end,
    });
    lexer.tokens
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    /// Open parentheses and brackets; lines do not end inside.
    open: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn next(&mut self, sink: &mut Sink<'_>) {
        let Some(c) = self.rest().chars().next() else {
            return;
        };
        match c {
            ' ' | '\t' | '\r' => self.at += 1,
            '\u{feff}' if self.at == 0 => self.at += c.len_utf8(),
            '#' => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
            '\n' => self.newline(),
            '"' => self.string(sink),
            _ if is_word_start(c) => self.word(sink),
            _ if c.is_ascii_digit() || self.is_leading_point() => self.number(),
            _ => self.symbol(c, sink),
        }
    }

    fn push(&mut self, kind: Kind, length: usize) -> Span {
        let span = Span::new(self.at, self.at + length);
        self.at = span.end;
        self.tokens.push(Token { kind, span });
        span
    }

    fn newline(&mut self) {
        let goes_on = self.open > 0 || self.tokens.last().is_some_and(|t| self.is_unfinished(*t));
        if goes_on && !self.next_line_opens_statement() {
            self.at += 1;
        } else {
            self.open = 0;
            self.push(Kind::Newline, 1);
        }
    }

    /// Whether a line that ends with this token goes on below.
    fn is_unfinished(&self, last: Token) -> bool {
        last.kind.continues_line()
            || matches!(last.span.of(self.text), "and" | "or" | "not" | "crosses")
    }

    /// Whether the next line starts with a word that only a statement starts with: then the line
    /// that should go on was left unfinished, and the error stays within it.
    fn next_line_opens_statement(&self) -> bool {
        let line = self.text[self.at + 1..].trim_start_matches([' ', '\t', '\r']);
        let word = line
            .split(|c: char| !is_word_part(c))
            .next()
            .unwrap_or_default();
        words::is_statement(word)
    }

    fn word(&mut self, sink: &mut Sink<'_>) {
        let rest = self.rest();
        let length = rest.find(|c: char| !is_word_part(c)).unwrap_or(rest.len());
        if length <= MAX_NAME_BYTES {
            self.push(Kind::Word, length);
            return;
        }
        let span = self.push(Kind::Bad, length);
        sink.report(Problem::new(span, "a name is too long").label(format!(
            "{length} bytes; at most {MAX_NAME_BYTES} are allowed"
        )));
    }

    fn is_leading_point(&self) -> bool {
        let bytes = self.rest().as_bytes();
        bytes[0] == b'.' && bytes.get(1).is_some_and(u8::is_ascii_digit)
    }

    /// `12`, `1.5`, `.5`, `2.`, `1e-3`; an `e` without digits after it is not part of the number.
    fn number(&mut self) {
        let bytes = self.rest().as_bytes();
        let digits = |from: usize| {
            bytes[from..]
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count()
        };
        let mut n = digits(0);
        if bytes.get(n) == Some(&b'.') {
            n += 1;
            n += digits(n);
        }
        if matches!(bytes.get(n), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(n + 1), Some(b'+' | b'-')));
            let exponent = if n + 1 + sign <= bytes.len() {
                digits(n + 1 + sign)
            } else {
                0
            };
            if exponent > 0 {
                n += 1 + sign + exponent;
            }
        }
        self.push(Kind::Number, n);
    }

    fn string(&mut self, sink: &mut Sink<'_>) {
        let mut escaped = false;
        for (i, c) in self.rest().char_indices().skip(1) {
            match c {
                '\n' => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    self.push(Kind::Text, i + 1);
                    return;
                }
                _ => {}
            }
        }
        let length = self.rest().find('\n').unwrap_or(self.rest().len());
        let span = self.push(Kind::Bad, length);
        let start = Span::new(span.start, span.start + 1);
        sink.report(
            Problem::new(start, "a documentation string is not closed")
                .label("opened here")
                .help("close it with `\"` on the same line"),
        );
    }

    fn symbol(&mut self, c: char, sink: &mut Sink<'_>) {
        let rest = self.rest();
        if let Some(&(symbol, kind)) = SYMBOLS.iter().find(|s| rest.starts_with(s.0)) {
            match kind {
                Kind::Open | Kind::OpenBracket => self.open += 1,
                Kind::Close | Kind::CloseBracket => self.open = self.open.saturating_sub(1),
                _ => {}
            }
            self.push(kind, symbol.len());
            return;
        }
        let foreign = FOREIGN.iter().find(|f| rest.starts_with(f.0));
        let length = foreign.map_or(c.len_utf8(), |f| f.0.len());
        let span = self.push(Kind::Bad, length);
        let shown = match visible(c) {
            Some(_) => format!("`{}`", span.of(self.text)),
            None => format!("the hidden character U+{:04X}", u32::from(c)),
        };
        let problem = Problem::new(span, format!("{shown} has no meaning here"));
        sink.report(match foreign {
            Some((_, help)) => problem.help(*help),
            None if c.is_alphanumeric() => problem.help("names are ASCII letters, digits and `_`"),
            None => problem,
        });
    }
}

/// Letters of names, and `µ`, `Ω` of units.
fn is_word_start(c: char) -> bool {
    c.is_ascii_alphabetic()
        || c == '_'
        || matches!(c, '\u{b5}' | '\u{3bc}' | '\u{3a9}' | '\u{2126}')
}

fn is_word_part(c: char) -> bool {
    is_word_start(c) || c.is_ascii_digit()
}

/// Longer ones first.
const SYMBOLS: &[(&str, Kind)] = &[
    ("**", Kind::Caret),
    ("+=", Kind::PlusAssign),
    ("-=", Kind::MinusAssign),
    ("*=", Kind::StarAssign),
    ("/=", Kind::SlashAssign),
    ("<=", Kind::LessEqual),
    (">=", Kind::GreaterEqual),
    ("==", Kind::Equal),
    ("!=", Kind::NotEqual),
    ("(", Kind::Open),
    (")", Kind::Close),
    ("[", Kind::OpenBracket),
    ("]", Kind::CloseBracket),
    (",", Kind::Comma),
    (":", Kind::Colon),
    ("+", Kind::Plus),
    ("-", Kind::Minus),
    ("*", Kind::Star),
    ("/", Kind::Slash),
    ("^", Kind::Caret),
    ("=", Kind::Assign),
    ("<", Kind::Less),
    (">", Kind::Greater),
];

/// Symbols of other languages, and what to write instead.
const FOREIGN: &[(&str, &str)] = &[
    ("&&", "write `and`"),
    ("||", "write `or`"),
    ("!", "write `not`"),
    (";", "a statement ends with its line"),
    (
        "'",
        "write a derivative as `dv/dt`, and documentation between `\"`",
    ),
    ("−", "write `-`"),
    ("–", "write `-`"),
    ("·", "write `*`"),
    ("×", "write `*`"),
    ("÷", "write `/`"),
    ("≥", "write `>=`"),
    ("≤", "write `<=`"),
    ("²", "write `^2`"),
    ("³", "write `^3`"),
    ("%", "a comment starts with `#`"),
    ("{", "statements are one to a line, without braces"),
    ("}", "statements are one to a line, without braces"),
    ("?", "write `select(condition, yes, no)`"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn lex(text: &str) -> (Vec<(Kind, String)>, usize) {
        let mut sink = Sink::new(text, "test");
        let tokens = tokens(text, &mut sink);
        let shown = tokens
            .iter()
            .map(|t| (t.kind, t.span.of(text).to_owned()))
            .collect();
        (shown, sink.count())
    }

    fn kinds(text: &str) -> Vec<Kind> {
        lex(text).0.into_iter().map(|t| t.0).collect()
    }

    #[test]
    fn numbers() {
        for number in ["0", "12", "1.5", ".5", "2.", "1e3", "1E-3", "1.5e+10"] {
            let (tokens, errors) = lex(number);
            assert_eq!(
                (tokens[0].clone(), errors),
                ((Kind::Number, number.to_owned()), 0)
            );
        }
        assert_eq!(
            kinds("5e"),
            [Kind::Number, Kind::Word, Kind::Newline, Kind::End]
        );
        assert_eq!(kinds("10ms")[..2], [Kind::Number, Kind::Word]);
        assert_eq!(lex("2e_l").0[1].1, "e_l");
    }

    #[test]
    fn lines_go_on_inside_parentheses_and_after_operators() {
        let newlines = |text: &str| kinds(text).iter().filter(|k| **k == Kind::Newline).count();
        assert_eq!(newlines("a\nb"), 2);
        assert_eq!(newlines("(a\nb)"), 1);
        assert_eq!(newlines("a +\n\n # comment\n b"), 1);
        assert_eq!(newlines("a,\nb"), 1);
        assert_eq!(
            newlines("(a\nspike when"),
            2,
            "an unclosed parenthesis ends with its statement"
        );
        assert_eq!(newlines("(a\nspikes"), 1);
    }

    #[test]
    fn foreign_symbols_are_reported_once_each() {
        assert_eq!(lex("a && b ; c").1, 2);
        assert_eq!(lex("\"open").1, 1);
        assert_eq!(lex("\u{1}").1, 1);
        assert_eq!(lex(&"x".repeat(65)).1, 1);
        assert_eq!(lex(&"x".repeat(64)).1, 0);
    }
}
