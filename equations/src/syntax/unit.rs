//! Units after a colon: `mV`, `pA/ms`, `1/ms`, `mV/ms^0.5`, `1`.

use super::ast::UnitNote;
use super::parser::{Failed, Parsed, Parser};
use super::token::Kind;
use crate::diagnostic::{Problem, Span};
use crate::unit::{Scaled, lookup, normalised, spellings};

impl<'a> Parser<'a, '_> {
    /// `:` and a unit.
    pub(super) fn unit_note(&mut self) -> Parsed<UnitNote> {
        self.expect(Kind::Colon)?;
        self.unit()
    }

    /// A unit: factors joined by `*` and `/`.
    pub(super) fn unit(&mut self) -> Parsed<UnitNote> {
        let start = self.token().span;
        let unit = self.unit_product()?;
        let span = Span::new(start.start, self.previous_end());
        let name = span.of(self.text).split_whitespace().collect();
        Ok(UnitNote {
            unit: unit.named(name),
            span,
        })
    }

    fn unit_product(&mut self) -> Parsed<Scaled> {
        let start = self.token().span;
        let mut unit = self.unit_factor()?;
        while matches!(self.kind(), Kind::Star | Kind::Slash) {
            let operator = self.advance().kind;
            let factor = self.unit_factor()?;
            let combined = if operator == Kind::Star {
                unit.product(factor)
            } else {
                unit.quotient(factor)
            };
            let span = Span::new(start.start, self.previous_end());
            unit = self.in_range(combined, span)?;
        }
        Ok(unit)
    }

    fn unit_factor(&mut self) -> Parsed<Scaled> {
        let span = self.token().span;
        let base = match self.kind() {
            Kind::Number if span.of(self.text) == "1" => {
                self.advance();
                Scaled::ONE
            }
            Kind::Number => {
                let problem = Problem::new(span, "a number is no unit")
                    .label("expected a unit such as `mV`")
                    .help("a pure number has the unit `1`");
                return self.fail(problem);
            }
            Kind::Open => self.nested(|p| {
                p.advance();
                let unit = p.unit_product()?;
                p.expect(Kind::Close)?;
                Ok(unit)
            })?,
            Kind::Word => self.unit_word()?,
            _ => return self.expected("a unit such as `mV`"),
        };
        if !self.eat(Kind::Caret) {
            return Ok(base);
        }
        let halves = self.exponent_halves()?;
        let span = Span::new(span.start, self.previous_end());
        self.in_range(base.power(halves), span)
    }

    /// A word that must be a unit.
    pub(super) fn unit_word(&mut self) -> Parsed<Scaled> {
        let word = self.any_word("a unit such as `mV`")?;
        if let Some(unit) = lookup(word.text) {
            return Ok(unit);
        }
        let problem = Problem::new(word.span, format!("unknown unit `{}`", word.text))
            .label("expected a unit such as `mV`");
        let problem = match crate::syntax::words::alias(word.text) {
            Some(ours) => problem.help(format!("write `{ours}`")),
            None => problem.suggest(&normalised(word.text), spellings()),
        };
        self.fail(problem)
    }

    /// An exponent that is a multiple of ½: `2`, `-1`, `0.5`, `(1/2)`; in halves.
    fn exponent_halves(&mut self) -> Parsed<i32> {
        let start = self.token().span;
        let parenthesised = self.eat(Kind::Open);
        let negative = self.eat(Kind::Minus);
        let mut value = self.plain_number()?;
        if parenthesised {
            if self.eat(Kind::Slash) {
                value /= self.plain_number()?;
            }
            self.expect(Kind::Close)?;
        }
        let span = Span::new(start.start, self.previous_end());
        halves(if negative { -value } else { value }).map_or_else(
            || {
                let problem = Problem::new(span, "the exponent of a unit is a multiple of 1/2")
                    .label("expected for example `2`, `-1` or `0.5`");
                self.fail(problem)
            },
            Ok,
        )
    }

    fn plain_number(&mut self) -> Parsed<f64> {
        let span = self.expect(Kind::Number)?.span;
        span.of(self.text).parse().map_err(|_| Failed)
    }

    fn in_range(&mut self, unit: Option<Scaled>, span: Span) -> Parsed<Scaled> {
        match unit {
            Some(unit) => Ok(unit),
            None => self.fail(
                Problem::new(span, "this unit is out of range")
                    .label("an exponent is too large or no multiple of 1/2"),
            ),
        }
    }
}

/// The exponent in halves, if it is a multiple of ½ and small enough for any unit.
pub(crate) fn halves(exponent: f64) -> Option<i32> {
    let doubled = exponent * 2.0;
    if doubled.fract() != 0.0 || doubled.abs() > 254.0 {
        return None;
    }
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a whole number within ±254"
    )]
    Some(doubled as i32)
}
