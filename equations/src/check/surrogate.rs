//! The derivative that training takes for a spike.

use super::{Checker, Scope};
use crate::choice::Chosen;
use crate::diagnostic::{Diagnostics, Problem, Sink, Span, nearest};
use crate::ir::{SurrogateId, Value};
use crate::surrogate;
use crate::syntax::ast::{Argument, Block, Expression, Name, Surrogate, Tree};
use crate::syntax::parse_surrogate;
use crate::unit::Dimension;

/// Reads a surrogate with a constant shape, as in `atan(2)`.
pub(crate) fn evaluate(text: &str) -> Result<(SurrogateId, Vec<f64>), Diagnostics> {
    let mut sink = Sink::new(text, "surrogate");
    let (surrogate, nodes) = parse_surrogate(text, &mut sink).unzip();
    let tree = Tree {
        blocks: Vec::new(),
        nodes: nodes.unwrap_or_default(),
    };
    let span = Span::new(0, text.len());
    let block = Block {
        kind: crate::model::Kind::Neuron,
        name: Name { text: "", span },
        doc: String::new(),
        statements: Vec::new(),
        span,
        is_incomplete: false,
    };
    let chosen = Chosen::default();
    let result = surrogate.as_ref().map(|surrogate| {
        Checker::new(&tree, &block, text, &chosen, &mut sink).constant_surrogate(surrogate)
    });
    let nothing = (default_surrogate(), Vec::new());
    sink.finish().map(|()| result.unwrap_or(nothing))
}

impl<'a> Checker<'a, '_> {
    /// The surrogate that was chosen for the component, or else the one its text names.
    pub(super) fn surrogate(
        &mut self,
        named: Option<&'a Surrogate<'a>>,
        margin: Option<Value>,
    ) -> (SurrogateId, Vec<Value>) {
        let written = match named {
            None => self.named_surrogate(None, &[]),
            Some(Surrogate::Named { name, arguments }) => {
                self.has_margin(margin, *name);
                self.named_surrogate(Some(*name), arguments)
            }
            Some(Surrogate::Own {
                margin: name,
                slope,
                primitive,
            }) => {
                self.has_margin(margin, *name);
                let local = (name.text, margin.unwrap_or_else(|| self.wrong().value));
                self.own_surrogate(*name, local, *slope, *primitive)
            }
        };
        let Some((id, shape)) = &self.chosen.surrogate else {
            return written;
        };
        (
            *id,
            shape.iter().map(|&x| self.builder.constant(x)).collect(),
        )
    }

    fn has_margin(&mut self, margin: Option<Value>, name: Name<'a>) {
        if margin.is_none() && self.sink.count() == 0 {
            self.report(
                Problem::new(name.span, "there is nothing to take a surrogate of")
                    .label("the condition has no comparison of numbers joined by `and`"),
            );
        }
    }

    /// A surrogate by name, where nothing but numbers can stand in its shape.
    fn constant_surrogate(mut self, surrogate: &'a Surrogate<'a>) -> (SurrogateId, Vec<f64>) {
        match surrogate {
            Surrogate::Named { name, arguments } => {
                let (id, values) = self.named_surrogate(Some(*name), arguments);
                let constant = |v: &Value| self.builder.as_constant(*v);
                (id, values.iter().filter_map(constant).collect())
            }
            Surrogate::Own { margin, .. } => {
                let problem =
                    Problem::new(margin.span, "only a surrogate with a name can be chosen")
                        .label("an expression stands in the text of the component");
                self.report(problem);
                (default_surrogate(), Vec::new())
            }
        }
    }

    fn named_surrogate(
        &mut self,
        name: Option<Name<'a>>,
        arguments: &'a [Argument<'a>],
    ) -> (SurrogateId, Vec<Value>) {
        let id = match name {
            None => default_surrogate(),
            Some(name) => match surrogate::find(name.text) {
                Some(id) => id,
                None => {
                    self.unknown_surrogate(name);
                    return (default_surrogate(), Vec::new());
                }
            },
        };
        let declared = surrogate::get(id).arguments;
        let mut given: Vec<Option<Value>> = vec![None; declared.len()];
        for (i, argument) in arguments.iter().enumerate() {
            self.surrogate_argument(declared, i, argument, &mut given);
        }
        let values = given
            .into_iter()
            .zip(declared)
            .map(|(value, d)| value.unwrap_or_else(|| self.builder.constant(d.1)))
            .collect();
        (id, values)
    }

    /// `(margin) = slope primitive curve`: expressions of the distance to the threshold.
    fn own_surrogate(
        &mut self,
        name: Name<'a>,
        local: (&'a str, Value),
        slope: Expression,
        primitive: Option<Expression>,
    ) -> (SurrogateId, Vec<Value>) {
        self.check_arriving(name);
        let scope = Scope {
            local: Some(local),
            ..Scope::STEP
        };
        let mut values = Vec::new();
        for expression in [Some(slope), primitive].into_iter().flatten() {
            let typed = self.expression(expression, scope);
            self.expect_dimension(expression, typed, Dimension::NONE, |found| {
                let message = format!("a surrogate is a pure number, not {found}");
                (message, None)
            });
            values.push(typed.value);
        }
        (surrogate::OWN, values)
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
            ..Scope::STEP
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

    fn unknown_surrogate(&mut self, name: Name<'a>) {
        let all: Vec<&str> = surrogate::SURROGATES.iter().map(|s| s.name).collect();
        let problem = Problem::new(name.span, format!("unknown surrogate `{}`", name.text))
            .label("expected the name of a surrogate");
        self.report(match nearest(name.text, all.iter().copied()) {
            Some(best) => problem.help(format!("did you mean `{best}`?")),
            None => problem.help(format!("known are {}", all.join(", "))),
        });
    }
}

/// The surrogate of thresholds that name none.
pub(super) fn default_surrogate() -> SurrogateId {
    surrogate::find("atan").unwrap_or(SurrogateId(0))
}
