//! Operators between two operands.

use std::collections::HashMap;

use super::{Checker, Type, Typed, is_shown, shown};
use crate::diagnostic::{Problem, Span};
use crate::ir::{Binary, Slot, Unary, Value};
use crate::syntax::ast::{Infix, NodeKind};
use crate::syntax::halves;
use crate::unit::Dimension;

use super::names::{Entry, Meaning};

/// Two quantities that do not fit.
pub(super) fn mismatch(span: Span, operator: Infix, left: Dimension, right: Dimension) -> Problem {
    let (l, r) = (shown(left), shown(right));
    let message = match operator {
        Infix::Add => format!("cannot add {r} to {l}"),
        Infix::Sub => format!("cannot subtract {r} from {l}"),
        _ => format!("cannot compare {l} with {r}"),
    };
    let (l, r) = (is_shown(left), is_shown(right));
    Problem::new(span, message).label(format!("the left side is {l}, the right side {r}"))
}

impl Checker<'_, '_> {
    /// `left operator right`; `nodes` are the indices of the operands.
    pub(super) fn infix(
        &mut self,
        operator: Infix,
        nodes: (usize, usize),
        left: Typed,
        right: Typed,
        span: Span,
    ) -> Option<Typed> {
        let is_fixed = left.is_fixed && right.is_fixed;
        let (value, ty) = match operator {
            Infix::Add | Infix::Sub => {
                let ty = self.same_dimension(operator, nodes, (left, right), span)?;
                let op = if operator == Infix::Add {
                    Binary::Add
                } else {
                    Binary::Sub
                };
                (self.builder.binary(op, left.value, right.value), ty)
            }
            Infix::Mul | Infix::Div => {
                let d = (self.number(nodes.0, left)?, self.number(nodes.1, right)?);
                let (op, dimension) = if operator == Infix::Mul {
                    (Binary::Mul, d.0.product(d.1))
                } else {
                    (Binary::Div, d.0.quotient(d.1))
                };
                let dimension = self.in_range(dimension, span)?;
                (
                    self.builder.binary(op, left.value, right.value),
                    Type::Float(dimension),
                )
            }
            Infix::Pow => {
                let dimension = self.power_dimension(nodes, left, right, span)?;
                let value = self.builder.binary(Binary::Pow, left.value, right.value);
                (value, Type::Float(dimension))
            }
            Infix::And | Infix::Or => {
                self.condition(nodes.0, left)?;
                self.condition(nodes.1, right)?;
                let op = if operator == Infix::And {
                    Binary::And
                } else {
                    Binary::Or
                };
                (self.builder.binary(op, left.value, right.value), Type::Bool)
            }
            Infix::CrossesUp | Infix::CrossesDown => {
                self.same_dimension(operator, nodes, (left, right), span)?;
                let previous = self.previous(nodes.0, "crosses")?;
                (
                    self.crossing(operator, previous, left.value, right.value),
                    Type::Bool,
                )
            }
            _ => {
                self.same_dimension(operator, nodes, (left, right), span)?;
                (
                    self.comparison(operator, left.value, right.value),
                    Type::Bool,
                )
            }
        };
        Some(Typed {
            value,
            ty,
            is_fixed,
        })
    }

    fn comparison(&mut self, operator: Infix, x: Value, y: Value) -> Value {
        match operator {
            Infix::Less => self.builder.binary(Binary::Lt, x, y),
            Infix::LessEqual => self.builder.binary(Binary::Le, x, y),
            Infix::Greater => self.builder.gt(x, y),
            Infix::GreaterEqual => self.builder.ge(x, y),
            Infix::NotEqual => {
                let equal = self.builder.binary(Binary::Eq, x, y);
                self.builder.unary(Unary::Not, equal)
            }
            _ => self.builder.binary(Binary::Eq, x, y),
        }
    }

    /// On this side now, on the other side at the start of the step.
    fn crossing(&mut self, operator: Infix, previous: Value, x: Value, level: Value) -> Value {
        let guard = self.was_beyond(operator, previous, level);
        let now = if operator == Infix::CrossesUp {
            self.builder.ge(x, level)
        } else {
            self.builder.ge(level, x)
        };
        self.builder.binary(Binary::And, guard, now)
    }

    /// Whether the state was on the side a crossing comes from: both it and the level as they were
    /// at the start of the step.
    pub(super) fn was_beyond(&mut self, operator: Infix, previous: Value, level: Value) -> Value {
        let ops = self.builder.ops().to_vec();
        let mut memo = HashMap::new();
        let level = self
            .builder
            .import(&ops, level, &mut memo, &mut |b, slot| match slot {
                Slot::State(i) => b.load(Slot::Previous(i)),
                other => b.load(other),
            });
        if operator == Infix::CrossesUp {
            self.builder.binary(Binary::Lt, previous, level)
        } else {
            self.builder.gt(previous, level)
        }
    }

    /// The state variable at `node` as it was at the start of the step.
    pub(super) fn previous(&mut self, node: usize, what: &str) -> Option<Value> {
        let at = &self.nodes[node];
        if let NodeKind::Name(name) = at.kind
            && let Some(Entry {
                meaning: Meaning::State(i),
                ..
            }) = self.names.get(name)
        {
            return Some(self.builder.load(Slot::Previous(i)));
        }
        let problem = Problem::new(at.span, format!("`{what}` needs a state variable"))
            .label("expected the name of a state variable");
        self.report(problem);
        None
    }

    fn same_dimension(
        &mut self,
        operator: Infix,
        nodes: (usize, usize),
        (left, right): (Typed, Typed),
        span: Span,
    ) -> Option<Type> {
        let d = (self.number(nodes.0, left)?, self.number(nodes.1, right)?);
        match (left.ty, right.ty) {
            (Type::Zero, other) | (other, Type::Zero) => Some(other),
            _ if d.0 == d.1 => Some(left.ty),
            _ => {
                self.report(mismatch(span, operator, d.0, d.1));
                None
            }
        }
    }

    fn power_dimension(
        &mut self,
        nodes: (usize, usize),
        base: Typed,
        exponent: Typed,
        span: Span,
    ) -> Option<Dimension> {
        let dimension = self.number(nodes.0, base)?;
        self.pure("^", nodes.1, exponent)?;
        if dimension.is_none() {
            return Some(dimension);
        }
        let at = self.nodes[nodes.1].span;
        let Some(exponent) = self.builder.as_constant(exponent.value) else {
            let unit = is_shown(dimension);
            self.report(
                Problem::new(at, "the exponent of a quantity with a unit is a constant")
                    .label(format!("the base is {unit}; expected a number such as `2`")),
            );
            return None;
        };
        let power = halves(exponent).and_then(|h| dimension.power(h));
        self.in_range(power, span)
    }

    pub(super) fn in_range(&mut self, d: Option<Dimension>, span: Span) -> Option<Dimension> {
        if d.is_none() {
            self.report(
                Problem::new(span, "the unit of this expression is out of range")
                    .label("an exponent is too large or no multiple of 1/2"),
            );
        }
        d
    }
}
