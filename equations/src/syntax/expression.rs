//! Expressions, by precedence climbing. From loose to tight: `or`, `and`, `not`, comparisons,
//! `+ -`, `* /`, signs, `^`, unit after a number.

use super::ast::{Expression, Infix, Name, Node, NodeKind, Prefix};
use super::parser::{Parsed, Parser};
use super::token::Kind;
use super::words;
use crate::diagnostic::{Problem, Span};
use crate::unit::{lookup, normalised, spellings};

/// How tightly an infix operator binds.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const SUM: u8 = 5;
const PRODUCT: u8 = 6;
const SIGN: u8 = 7;
const POWER: u8 = 8;

impl<'a> Parser<'a, '_> {
    /// An expression.
    pub(super) fn expression(&mut self) -> Parsed<Expression> {
        let first = self.nodes.len();
        let root = self.operators(OR)?;
        Ok(Expression { first, root })
    }

    /// An operand and every following operator that binds at least as tightly as `floor`.
    fn operators(&mut self, floor: u8) -> Parsed<usize> {
        let mut left = self.prefix()?;
        let mut compared = false;
        while let Some((operator, strength)) = self.infix() {
            if strength < floor {
                break;
            }
            if strength == COMPARISON && std::mem::replace(&mut compared, true) {
                let problem = Problem::new(self.token().span, "comparisons cannot be chained")
                    .label("a second comparison")
                    .help("write `a < b and b < c`");
                return self.fail(problem);
            }
            compared &= strength >= COMPARISON;
            self.at += 1;
            let right = match operator {
                // To the right: a^b^c = a^(b^c), and the exponent may have a sign.
                Infix::Pow => self.nested(|p| p.operators(SIGN))?,
                // Climbs at most once through the strengths: no deeper for a longer text.
                _ => self.operators(strength + 1)?,
            };
            let operator = match operator {
                Infix::CrossesUp if self.eat_word("downward").is_some() => Infix::CrossesDown,
                other => other,
            };
            let span = Span::new(self.nodes[left].span.start, self.previous_end());
            left = self.node(NodeKind::Infix(operator, left, right), span);
        }
        Ok(left)
    }

    /// The infix operator ahead and its strength.
    fn infix(&self) -> Option<(Infix, u8)> {
        let (operator, strength) = match self.kind() {
            Kind::Plus => (Infix::Add, SUM),
            Kind::Minus => (Infix::Sub, SUM),
            Kind::Star => (Infix::Mul, PRODUCT),
            Kind::Slash => (Infix::Div, PRODUCT),
            Kind::Caret => (Infix::Pow, POWER),
            Kind::Less => (Infix::Less, COMPARISON),
            Kind::LessEqual => (Infix::LessEqual, COMPARISON),
            Kind::Greater => (Infix::Greater, COMPARISON),
            Kind::GreaterEqual => (Infix::GreaterEqual, COMPARISON),
            Kind::Equal => (Infix::Equal, COMPARISON),
            Kind::NotEqual => (Infix::NotEqual, COMPARISON),
            Kind::Word => match self.peek_word(0) {
                "and" => (Infix::And, AND),
                "or" => (Infix::Or, OR),
                "crosses" => (Infix::CrossesUp, COMPARISON),
                _ => return None,
            },
            _ => return None,
        };
        Some((operator, strength))
    }

    fn prefix(&mut self) -> Parsed<usize> {
        let (operator, strength) = match self.kind() {
            Kind::Plus => (Prefix::Plus, SIGN),
            Kind::Minus => (Prefix::Minus, SIGN),
            Kind::Word if self.is_word("not") => (Prefix::Not, NOT),
            _ => return self.primary(),
        };
        let start = self.advance().span;
        let operand = self.nested(|p| p.operators(strength))?;
        let span = Span::new(start.start, self.previous_end());
        Ok(self.node(NodeKind::Prefix(operator, operand), span))
    }

    fn primary(&mut self) -> Parsed<usize> {
        match self.kind() {
            Kind::Number => self.number(),
            Kind::Open => {
                self.advance();
                let inner = self.nested(|p| p.operators(OR))?;
                self.expect(Kind::Close)?;
                Ok(inner)
            }
            // `x (unless refractory)` is a value and the end of its statement.
            Kind::Word if self.peek(1) == Kind::Open && self.peek_word(2) != "unless" => {
                self.call()
            }
            Kind::Word => self.name(),
            _ => self.expected("an expression"),
        }
    }

    /// A number, with the unit that may follow.
    fn number(&mut self) -> Parsed<usize> {
        let span = self.advance().span;
        let digits = span.of(self.text);
        let value: f64 = digits.parse().unwrap_or(f64::NAN);
        if !value.is_finite() {
            return self.too_large(span);
        }
        if self.kind() != Kind::Word || words::may_follow_expression(self.peek_word(0)) {
            return Ok(self.node(NodeKind::Number(value), span));
        }
        if lookup(self.peek_word(0)).is_none() {
            return self.no_unit(span);
        }
        let unit_span = self.token().span;
        let scaled = self.unit_word()?;
        let unit = scaled.named(unit_span.of(self.text).to_owned());
        if self.kind() == Kind::Caret {
            return self.number_times_power(value, span, unit, unit_span);
        }
        let whole = span.to(unit_span);
        let value = scaled.to_base(digits);
        if !value.is_finite() {
            return self.too_large(whole);
        }
        Ok(self.node(NodeKind::Quantity(value, unit), whole))
    }

    /// `10 ms^2` is ten square milliseconds.
    fn number_times_power(
        &mut self,
        value: f64,
        span: Span,
        unit: crate::unit::Unit,
        unit_span: Span,
    ) -> Parsed<usize> {
        let number = self.node(NodeKind::Number(value), span);
        let unit = self.node(NodeKind::Unit(unit), unit_span);
        self.advance();
        let exponent = self.nested(|p| p.operators(SIGN))?;
        let end = self.previous_end();
        let power_span = Span::new(unit_span.start, end);
        let power = self.node(NodeKind::Infix(Infix::Pow, unit, exponent), power_span);
        Ok(self.node(
            NodeKind::Infix(Infix::Mul, number, power),
            Span::new(span.start, end),
        ))
    }

    fn too_large(&mut self, span: Span) -> Parsed<usize> {
        self.fail(Problem::new(span, "this number is too large").label("larger than any f64"))
    }

    /// A number followed by a word that is no unit.
    fn no_unit(&mut self, number: Span) -> Parsed<usize> {
        let word = self.token().span;
        let (digits, name) = (number.of(self.text), word.of(self.text));
        let problem = Problem::new(word, format!("unknown unit `{name}`"))
            .label("expected a unit or an operator after the number")
            .suggest(&normalised(name), spellings());
        let problem = match (problem.help.is_some(), words::alias(name)) {
            (_, Some(ours)) => problem.help(format!("write `{ours}`")),
            (true, None) => problem,
            (false, None) => problem.help(format!("to multiply, write `{digits}*{name}`")),
        };
        self.fail(problem)
    }

    fn name(&mut self) -> Parsed<usize> {
        let word = self.peek_word(0);
        let truth = match word {
            "true" => Some(true),
            "false" => Some(false),
            // The spike of this step, known in `then`.
            "spike" => None,
            _ if words::is_reserved(word) => return self.expected("an expression"),
            _ => None,
        };
        let span = self.advance().span;
        if truth.is_none() && self.eat_word("is").is_some() {
            let choice = self.any_word("what the option may be")?;
            let option = Name { text: word, span };
            let span = span.to(choice.span);
            return Ok(self.node(NodeKind::Is(option, choice), span));
        }
        Ok(self.node(truth.map_or(NodeKind::Name(word), NodeKind::Truth), span))
    }

    /// `function(arguments)`.
    fn call(&mut self) -> Parsed<usize> {
        let name = Name {
            text: self.peek_word(0),
            span: self.token().span,
        };
        if words::arity_among(self.functions, name.text).is_none() {
            return self.unknown_function(name);
        }
        self.at += 2;
        let mut arguments = Vec::new();
        while self.kind() != Kind::Close {
            arguments.push(self.nested(|p| p.operators(OR))?);
            if !self.eat(Kind::Comma) {
                break;
            }
        }
        if self.kind() != Kind::Close {
            return self.expected("`,` or `)`");
        }
        self.advance();
        let span = Span::new(name.span.start, self.previous_end());
        self.check_arity(name, arguments.len(), span)?;
        Ok(self.node(NodeKind::Call(name, arguments), span))
    }

    fn check_arity(&mut self, name: Name<'a>, found: usize, span: Span) -> Parsed<()> {
        let wanted = words::arity_among(self.functions, name.text).unwrap_or(found);
        if found == wanted {
            return Ok(());
        }
        let plural = if wanted == 1 { "" } else { "s" };
        let function = name.text;
        self.fail(
            Problem::new(
                span,
                format!("`{function}` takes {wanted} argument{plural}"),
            )
            .label(format!("expected {wanted}, found {found}")),
        )
    }

    fn unknown_function<T>(&mut self, name: Name<'a>) -> Parsed<T> {
        let function = name.text;
        if words::is_reserved(function) {
            return self.expected("an expression");
        }
        let problem = Problem::new(name.span, format!("unknown function `{function}`"))
            .label("not a function of the language");
        let problem = match words::alias(function) {
            Some(ours) => problem.help(format!("write `{ours}`")),
            None => problem.suggest(function, self.functions.iter().map(|f| f.0)),
        };
        let problem = match problem.help {
            None => problem.help(format!("to multiply, write `{function}*(…)`")),
            Some(_) => problem,
        };
        self.fail(problem)
    }

    fn node(&mut self, kind: NodeKind<'a>, span: Span) -> usize {
        self.nodes.push(Node { kind, span });
        self.nodes.len() - 1
    }
}
