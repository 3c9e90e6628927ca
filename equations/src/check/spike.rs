//! Threshold, reset, refractoriness.

use super::{Checker, Scope, Typed};
use crate::diagnostic::{Problem, nearest};
use crate::ir::{Binary, Op, SurrogateId, Value};
use crate::model;
use crate::surrogate;
use crate::syntax::ast::{Argument, Expression, Infix, NodeKind, Spike, Surrogate};
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
        let (surrogate, surrogate_arguments) = self.surrogate(spike.surrogate.as_ref());
        if let (None, Some(named)) = (condition.margin, &spike.surrogate)
            && self.sink.count() == 0
        {
            self.report(
                Problem::new(named.name.span, "there is nothing to take a surrogate of")
                    .label("the condition has no comparison of numbers joined by `and`"),
            );
        }
        self.model.spike = Some(model::Spike {
            margin: condition.margin,
            strict: condition.strict,
            guard: condition.guard,
            surrogate,
            surrogate_arguments,
            reset,
            detach_reset: spike.detached,
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

    fn refractory(&mut self, expression: Expression) -> Option<Value> {
        let scope = Scope {
            fixed: Some("a refractory time"),
            arriving: None,
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

    fn surrogate(&mut self, named: Option<&'a Surrogate<'a>>) -> (SurrogateId, Vec<Value>) {
        let id = match named {
            None => default_surrogate(),
            Some(named) => match surrogate::find(named.name.text) {
                Some(id) => id,
                None => {
                    self.unknown_surrogate(named);
                    return (default_surrogate(), Vec::new());
                }
            },
        };
        let declared = surrogate::get(id).arguments;
        let mut given: Vec<Option<Value>> = vec![None; declared.len()];
        for (i, argument) in named.map_or(&[][..], |n| &n.arguments).iter().enumerate() {
            self.surrogate_argument(declared, i, argument, &mut given);
        }
        let values = given
            .into_iter()
            .zip(declared)
            .map(|(value, d)| value.unwrap_or_else(|| self.builder.constant(d.1)))
            .collect();
        (id, values)
    }

    fn surrogate_argument(
        &mut self,
        declared: &[(&'static str, f64)],
        position: usize,
        argument: &'a Argument<'a>,
        given: &mut [Option<Value>],
    ) {
        let scope = Scope {
            fixed: Some("the shape of a surrogate"),
            arriving: None,
        };
        let value = self.expression(argument.value, scope);
        let span = self.nodes[argument.value.root].span;
        let names = || declared.iter().map(|d| d.0);
        let slot = match argument.name {
            Some(name) => declared.iter().position(|d| d.0 == name.text),
            None => Some(position),
        };
        let Some(slot) = slot.filter(|&s| s < declared.len()) else {
            let all: Vec<&str> = names().collect();
            let label = format!("the surrogate takes ({})", all.join(", "));
            let span = argument.name.map_or(span, |n| n.span);
            let problem = Problem::new(span, "no such argument of the surrogate").label(label);
            self.report(match argument.name {
                Some(name) => problem.suggest(name.text, names()),
                None => problem,
            });
            return;
        };
        if given[slot].is_some() {
            let message = format!("`{}` is given twice", declared[slot].0);
            self.report(Problem::new(span, message).label("the second one"));
            return;
        }
        let fits = self.expect_dimension(argument.value, value, Dimension::NONE, |found| {
            (
                format!("the shape of a surrogate is a pure number, not {found}"),
                None,
            )
        });
        if fits {
            given[slot] = Some(value.value);
        }
    }

    fn unknown_surrogate(&mut self, named: &Surrogate<'a>) {
        let all: Vec<&str> = surrogate::SURROGATES.iter().map(|s| s.name).collect();
        let name = named.name.text;
        let problem = Problem::new(named.name.span, format!("unknown surrogate `{name}`"))
            .label("expected the name of a surrogate");
        self.report(match nearest(name, all.iter().copied()) {
            Some(best) => problem.help(format!("did you mean `{best}`?")),
            None => problem.help(format!("known are {}", all.join(", "))),
        });
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

/// The surrogate of thresholds that name none.
pub(super) fn default_surrogate() -> SurrogateId {
    surrogate::find("atan").unwrap_or(SurrogateId(0))
}
