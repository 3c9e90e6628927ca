//! The parser's core: the token cursor, blocks, and recovery at the end of a statement.

use super::ast::{Block, Expression, Name, Node, Surrogate, Tree};
use super::lexer;
use super::token::{Kind, Token};
use super::words;
use crate::diagnostic::{Problem, Sink, Span};
use crate::limits::{MAX_NESTING, MAX_STATEMENTS};
use crate::model;

/// Words that begin a component, and what it is then.
const KINDS: [(&str, model::Kind); 2] = [
    ("neuron", model::Kind::Neuron),
    ("optimizer", model::Kind::Optimizer),
];

/// A syntax error, already reported.
#[derive(Debug)]
pub(super) struct Failed;

/// What parsing gives.
pub(super) type Parsed<T> = Result<T, Failed>;

/// Parses a text; what could not be parsed is reported and left out.
pub(crate) fn parse_text<'a>(text: &'a str, sink: &mut Sink<'a>) -> Tree<'a> {
    let mut parser = Parser::new(text, sink);
    parser.blocks();
    Tree {
        blocks: parser.blocks,
        nodes: parser.nodes,
    }
}

/// Parses an expression that is the whole text, as in `10 ms`; gives its nodes.
pub(crate) fn parse_quantity_expression<'a>(
    text: &'a str,
    sink: &mut Sink<'a>,
) -> Option<(Expression, Vec<Node<'a>>)> {
    let mut parser = Parser::new(text, sink);
    parser.functions = words::CONSTANT_FUNCTIONS;
    let expression = parser.expression().ok()?;
    parser.end_of_statement("an operator").ok()?;
    parser.at += 1;
    if parser.kind() != Kind::End {
        parser.expected::<()>("the end of the text").ok()?;
    }
    Some((expression, parser.nodes))
}

/// Parses a surrogate that is the whole text, as in `atan(2)`.
pub(crate) fn parse_surrogate<'a>(
    text: &'a str,
    sink: &mut Sink<'a>,
) -> Option<(Surrogate<'a>, Vec<Node<'a>>)> {
    let mut parser = Parser::new(text, sink);
    let surrogate = parser.surrogate().ok()?;
    parser.end_of_statement("the end of the text").ok()?;
    parser.at += 1;
    if parser.kind() != Kind::End {
        parser.expected::<()>("the end of the text").ok()?;
    }
    Some((surrogate, parser.nodes))
}

pub(super) struct Parser<'a, 's> {
    pub(super) text: &'a str,
    pub(super) tokens: Vec<Token>,
    pub(super) at: usize,
    pub(super) depth: u32,
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) sink: &'s mut Sink<'a>,
    /// Functions that may be called, with the number of their arguments.
    pub(super) functions: &'static [(&'static str, usize)],
    blocks: Vec<Block<'a>>,
    statements: usize,
}

impl<'a, 's> Parser<'a, 's> {
    fn new(text: &'a str, sink: &'s mut Sink<'a>) -> Self {
        let tokens = lexer::tokens(text, sink);
        let (nodes, blocks) = (Vec::new(), Vec::new());
        Self {
            text,
            tokens,
            at: 0,
            depth: 0,
            nodes,
            sink,
            functions: words::FUNCTIONS,
            blocks,
            statements: 0,
        }
    }

    fn blocks(&mut self) {
        while self.kind() != Kind::End && !self.sink.is_full() {
            if self.kind() == Kind::Newline {
                self.at += 1;
            } else if self.statement_or_header().is_err() {
                self.recover();
            }
        }
        if self.kind() != Kind::End {
            self.sink.stop();
        }
        if self.blocks.is_empty() && self.sink.count() == 0 {
            let span = Span::new(0, 0);
            self.sink.report(
                Problem::new(span, "there is no component in this text")
                    .label("expected `neuron NAME`"),
            );
        }
    }

    fn statement_or_header(&mut self) -> Parsed<()> {
        self.statements += 1;
        if self.statements > MAX_STATEMENTS {
            let problem = Problem::new(self.token().span, "the text has too many statements")
                .label(format!("at most {MAX_STATEMENTS} are allowed"));
            self.at = self.tokens.len() - 1;
            return self.fail(problem);
        }
        for (word, kind) in KINDS {
            if self.is_word(word) {
                return self.header(kind);
            }
        }
        if self.blocks.is_empty() {
            return self.statement_without_component();
        }
        if self.has_bad_token() {
            if let Some(block) = self.blocks.last_mut() {
                block.is_incomplete = true;
            }
            return Err(Failed);
        }
        let parsed = self.statement().and_then(|statements| {
            self.end_of_statement("an operator or the end of the line")?;
            Ok(statements)
        });
        let end = self.previous_end();
        let Some(block) = self.blocks.last_mut() else {
            return Err(Failed);
        };
        match parsed {
            Ok(statements) => {
                block.span.end = end;
                block.statements.extend(statements);
                Ok(())
            }
            Err(failed) => {
                block.is_incomplete = true;
                Err(failed)
            }
        }
    }

    /// Whether the lexer reported something in this statement: one error is enough.
    fn has_bad_token(&self) -> bool {
        let rest = self.tokens[self.at..].iter();
        rest.take_while(|t| t.kind != Kind::Newline)
            .any(|t| t.kind == Kind::Bad)
    }

    /// Reported once: the statements that follow get a component without a name.
    fn statement_without_component(&mut self) -> Parsed<()> {
        let span = self.token().span;
        let problem = Problem::new(span, "a statement before the first component")
            .label("expected `neuron NAME` first")
            .suggest(self.peek_word(0), KINDS.map(|(word, _)| word));
        let name = Name { text: "", span };
        let (doc, statements) = (String::new(), Vec::new());
        self.blocks.push(Block {
            kind: model::Kind::Neuron,
            name,
            doc,
            statements,
            span,
            is_incomplete: true,
        });
        self.fail(problem)
    }

    /// `neuron name "doc"`.
    fn header(&mut self, kind: model::Kind) -> Parsed<()> {
        let start = self.advance().span;
        let name = self.new_name(match kind {
            model::Kind::Neuron => "the name of the neuron",
            model::Kind::Optimizer => "the name of the optimizer",
        });
        // The block is kept in any case, so that its statements have a place.
        let (name, is_incomplete) = match name {
            Ok(name) => (name, false),
            Err(Failed) => (
                Name {
                    text: "",
                    span: start,
                },
                true,
            ),
        };
        let doc = if is_incomplete {
            String::new()
        } else {
            self.doc()
        };
        let span = Span::new(start.start, self.previous_end());
        self.blocks.push(Block {
            kind,
            name,
            doc,
            statements: Vec::new(),
            span,
            is_incomplete,
        });
        if is_incomplete {
            return Err(Failed);
        }
        self.end_of_statement("a documentation string or the end of the line")
    }

    /// Skips to the next statement.
    fn recover(&mut self) {
        self.depth = 0;
        while !matches!(self.kind(), Kind::Newline | Kind::End) {
            self.at += 1;
        }
    }

    pub(super) fn end_of_statement(&mut self, expected: &str) -> Parsed<()> {
        match self.kind() {
            Kind::Newline => Ok(()),
            Kind::Word if self.is_loose_unless() => {
                let problem = Problem::new(
                    self.token().span,
                    "`unless refractory` stands in parentheses",
                )
                .label("write `(unless refractory)`");
                self.fail(problem)
            }
            _ => self.expected(expected),
        }
    }

    fn is_loose_unless(&self) -> bool {
        self.is_word("unless")
    }

    // The cursor.

    pub(super) fn token(&self) -> Token {
        // The last token is `End`, and nothing steps over it.
        self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    pub(super) fn kind(&self) -> Kind {
        self.token().kind
    }

    /// Kind of the token after the next `n`.
    pub(super) fn peek(&self, n: usize) -> Kind {
        self.tokens.get(self.at + n).map_or(Kind::End, |t| t.kind)
    }

    /// The word `n` tokens ahead, or the empty string.
    pub(super) fn peek_word(&self, n: usize) -> &'a str {
        match self.tokens.get(self.at + n) {
            Some(t) if t.kind == Kind::Word => t.span.of(self.text),
            _ => "",
        }
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.peek_word(0) == word
    }

    pub(super) fn advance(&mut self) -> Token {
        let token = self.token();
        self.at += usize::from(token.kind != Kind::End);
        token
    }

    pub(super) fn eat(&mut self, kind: Kind) -> bool {
        let found = self.kind() == kind;
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn eat_word(&mut self, word: &str) -> Option<Span> {
        self.is_word(word).then(|| self.advance().span)
    }

    pub(super) fn expect(&mut self, kind: Kind) -> Parsed<Token> {
        if self.kind() == kind {
            Ok(self.advance())
        } else {
            self.expected(kind.expectation())
        }
    }

    pub(super) fn previous_end(&self) -> usize {
        self.at
            .checked_sub(1)
            .map_or(0, |i| self.tokens[i].span.end)
    }

    // Errors.

    pub(super) fn fail<T>(&mut self, problem: Problem) -> Parsed<T> {
        self.sink.report(problem);
        Err(Failed)
    }

    /// `expected …, found …` at the next token.
    pub(super) fn expected<T>(&mut self, what: &str) -> Parsed<T> {
        let token = self.token();
        if token.kind == Kind::Bad {
            return Err(Failed);
        }
        let found = token.description(self.text);
        self.fail(
            Problem::new(token.span, format!("expected {what}, found {found}"))
                .label(format!("expected {what}")),
        )
    }

    // Small pieces.

    /// A name that the text declares.
    pub(super) fn new_name(&mut self, what: &str) -> Parsed<Name<'a>> {
        let name = self.any_word(what)?;
        if words::is_reserved(name.text) {
            let problem = Problem::new(name.span, format!("`{}` is a reserved word", name.text))
                .label(format!("expected {what}"));
            return self.fail(problem);
        }
        if !name.text.is_ascii() {
            let problem = Problem::new(name.span, format!("`{}` cannot be a name", name.text))
                .label("names are ASCII letters, digits and `_`");
            return self.fail(problem);
        }
        Ok(name)
    }

    /// Any word, reserved or not.
    pub(super) fn any_word(&mut self, what: &str) -> Parsed<Name<'a>> {
        if self.kind() != Kind::Word {
            return self.expected(what);
        }
        let span = self.advance().span;
        Ok(Name {
            text: span.of(self.text),
            span,
        })
    }

    /// A documentation string, if there is one.
    pub(super) fn doc(&mut self) -> String {
        if self.kind() != Kind::Text {
            return String::new();
        }
        let quoted = self.advance().span.of(self.text);
        unescape(&quoted[1..quoted.len() - 1])
    }

    /// Runs `f` one level deeper.
    pub(super) fn nested<T>(&mut self, f: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            let problem = Problem::new(self.token().span, "nested too deeply")
                .label(format!("at most {MAX_NESTING} levels are allowed"));
            return self.fail(problem);
        }
        let result = f(self);
        self.depth -= 1;
        result
    }
}

/// `\"` and `\\` become `"` and `\`; other backslashes stay.
fn unescape(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match (c, characters.peek()) {
            ('\\', Some(&next @ ('"' | '\\'))) => {
                result.push(next);
                characters.next();
            }
            _ => result.push(c),
        }
    }
    result
}
