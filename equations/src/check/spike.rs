//! Threshold, reset, refractoriness.

use super::{Checker, Scope, Typed};
use crate::diagnostic::Problem;
use crate::ir::{Binary, Op, Value};
use crate::model;
use crate::syntax::ast::{Detached, Expression, Infix, NodeKind, Spike};
use crate::unit::Dimension;

/// A condition taken apart.
struct Condition {
    margin: Option<Value>,
    strict: bool,
    guard: Option<Value>,
}

impl<'a> Checker<'a, '_> {
    pub(super) fn define_spike(&mut self, spike: &'a Spike<'a>) {
        if self.model.spike.is_some() {
            let problem = Problem::new(spike.span, "a second `spike`")
                .label("a component has one threshold")
                .help("join conditions with `or`");
            self.report(problem);
            return;
        }
        let condition = self.spike_condition(spike.condition);
        let reset: Vec<_> = spike
            .reset
            .iter()
            .filter_map(|a| self.assignment(a, Scope::STEP, false))
            .collect();
        let refractory = spike.refractory.and_then(|r| self.refractory(r));
        let after = Scope {
            after_spike: true,
            ..Scope::STEP
        };
        let then: Vec<_> = spike
            .then
            .iter()
            .filter_map(|a| self.assignment(a, after, false))
            .collect();
        let named = spike.surrogate.as_ref();
        let (surrogate, surrogate_arguments) = self.surrogate(named, condition.margin);
        let detach_reset = self.is_detached(spike.detached.as_ref());
        self.model.spike = Some(model::Spike {
            margin: condition.margin,
            strict: condition.strict,
            guard: condition.guard,
            surrogate,
            surrogate_arguments,
            reset,
            then,
            detach_reset,
            refractory,
        });
    }

    /// The first comparison among the conjuncts gives the margin, the others the guard.
    fn spike_condition(&mut self, expression: Expression) -> Condition {
        let typed = self.expression_nodes(expression, Scope::STEP);
        let at = |node: usize| typed[node - expression.first];
        let mut condition = Condition {
            margin: None,
            strict: false,
            guard: None,
        };
        if self
            .condition(expression.root, at(expression.root))
            .is_none()
        {
            return condition;
        }
        for node in self.conjuncts(expression.root) {
            let guard = match self.nodes[node].kind {
                NodeKind::Infix(o, x, y) if condition.margin.is_none() && is_ordering(o) => {
                    let (margin, strict) = self.margin(o, at(x), at(y));
                    (condition.margin, condition.strict) = (Some(margin), strict);
                    self.crossing_guard(o, x, at(y))
                }
                _ => Some(at(node).value),
            };
            condition.guard = match (condition.guard, guard) {
                (Some(a), Some(b)) => Some(self.builder.binary(Binary::And, a, b)),
                (a, b) => a.or(b),
            };
        }
        condition.guard = condition
            .guard
            .filter(|g| *self.builder.op(*g) != Op::Bool(true));
        // Without comparison and with a guard that always holds, every step is a spike.
        if condition.margin.is_none() && condition.guard.is_none() {
            condition.guard = Some(at(expression.root).value);
        }
        condition
    }

    /// The operands of the outermost `and`s, in the order of the text.
    fn conjuncts(&self, root: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut open = vec![root];
        while let Some(node) = open.pop() {
            match self.nodes[node].kind {
                NodeKind::Infix(Infix::And, x, y) => open.extend([y, x]),
                _ => found.push(node),
            }
        }
        found
    }

    /// What is ≥ 0 (> 0 if strict) where the comparison holds.
    fn margin(&mut self, operator: Infix, x: Typed, y: Typed) -> (Value, bool) {
        let strict = matches!(operator, Infix::Greater | Infix::Less);
        let is_upward = matches!(
            operator,
            Infix::Greater | Infix::GreaterEqual | Infix::CrossesUp
        );
        let (high, low) = if is_upward { (x, y) } else { (y, x) };
        (self.builder.sub(high.value, low.value), strict)
    }

    /// For a crossing: that the state was on the other side at the start of the step.
    fn crossing_guard(&mut self, operator: Infix, node: usize, level: Typed) -> Option<Value> {
        if !matches!(operator, Infix::CrossesUp | Infix::CrossesDown) {
            return None;
        }
        let previous = self.previous(node, "crosses")?;
        Some(self.was_beyond(operator, previous, level.value))
    }

    /// `detached`, or `detached when` an option says so.
    fn is_detached(&mut self, detached: Option<&Detached>) -> bool {
        let Some(detached) = detached else {
            return false;
        };
        let Some(condition) = detached.condition else {
            return true;
        };
        let typed = self.expression(condition, Scope::STEP);
        if self.condition(condition.root, typed).is_none() {
            return false;
        }
        if let Op::Bool(holds) = *self.builder.op(typed.value) {
            return holds;
        }
        let span = self.nodes[condition.root].span;
        let problem = Problem::new(span, "whether a reset is detached depends on options only")
            .label("not known before the run");
        self.report(problem);
        false
    }

    fn refractory(&mut self, expression: Expression) -> Option<Value> {
        let scope = Scope {
            fixed: Some("a refractory time"),
            ..Scope::STEP
        };
        let typed = self.expression(expression, scope);
        let fits = self.expect_dimension(expression, typed, Dimension::TIME, |found| {
            (format!("a refractory time is in `ms`, not {found}"), None)
        });
        if !fits {
            return None;
        }
        if self
            .builder
            .as_constant(typed.value)
            .is_some_and(|c| c < 0.0)
        {
            let span = self.nodes[expression.root].span;
            self.report(Problem::new(span, "a refractory time is not negative"));
            return None;
        }
        Some(typed.value)
    }
}

/// Comparisons that have a margin.
fn is_ordering(operator: Infix) -> bool {
    matches!(
        operator,
        Infix::Less
            | Infix::LessEqual
            | Infix::Greater
            | Infix::GreaterEqual
            | Infix::CrossesUp
            | Infix::CrossesDown
    )
}
