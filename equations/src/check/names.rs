//! What names mean.

use std::collections::BTreeMap;

use super::constant::{Constant, evaluate};
use super::{Checker, Typed, is_shown, line_of};
use crate::diagnostic::{Problem, Span};
use crate::ir::Value;
use crate::limits::{MAX_INPUTS, MAX_PARAMETERS, MAX_STATES};
use crate::model;
use crate::syntax::ast::{Expression, Input, Name, NodeKind, Parameter, UnitNote};
use crate::syntax::words;
use crate::unit::lookup;

/// What a name of the component stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning {
    Option(u32),
    Parameter(u32),
    State(u32),
    /// An input port read by its own name.
    Input(u32),
    /// `None` until its definition is reached.
    Subexpression(Option<Typed>),
}

impl Meaning {
    /// How it reads in a message.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::Option(_) => "an option",
            Self::Parameter(_) => "a parameter",
            Self::State(_) => "a state variable",
            Self::Input(_) => "an input",
            Self::Subexpression(_) => "a subexpression",
        }
    }
}

/// A declared name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) meaning: Meaning,
    /// Where it was declared.
    pub(super) span: Span,
}

/// The names of a component.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    entries: BTreeMap<&'a str, Entry>,
}

impl<'a> Names<'a> {
    pub(super) fn get(&self, name: &str) -> Option<Entry> {
        self.entries.get(name).copied()
    }

    pub(super) fn set(&mut self, name: &'a str, entry: Entry) {
        self.entries.insert(name, entry);
    }

    /// Every name, in alphabetical order.
    pub(super) fn all(&self) -> impl Iterator<Item = &'a str> {
        self.entries.keys().copied()
    }

    /// Every state variable, in alphabetical order.
    pub(super) fn states(&self) -> impl Iterator<Item = &'a str> {
        let is_state = |e: &Entry| matches!(e.meaning, Meaning::State(_));
        self.entries
            .iter()
            .filter(move |(_, e)| is_state(e))
            .map(|(n, _)| *n)
    }
}

impl<'a> Checker<'a, '_> {
    pub(super) fn declare_parameter(&mut self, parameter: &'a Parameter<'a>) {
        let index = self.model.parameters.len();
        if !self.may_declare(parameter.name, "parameters", index, MAX_PARAMETERS) {
            return;
        }
        self.enter(parameter.name, Meaning::Parameter(small(index)));
        let default = self.constant(parameter.default);
        let bounds = parameter.bounds.and_then(|(low, high)| {
            let bounds = (self.constant(low)?, self.constant(high)?);
            self.check_bounds(
                parameter,
                default.as_ref()?,
                (low, &bounds.0),
                (high, &bounds.1),
            )
        });
        self.model.parameters.push(model::Parameter {
            name: parameter.name.text.to_owned(),
            doc: parameter.doc.clone(),
            default: default.as_ref().map_or(0.0, |d| d.value),
            unit: default.map_or_else(crate::unit::Unit::one, |d| d.unit),
            learnable: parameter.learnable,
            per_neuron: parameter.per_neuron,
            bounds,
        });
    }

    fn constant(&mut self, expression: Expression) -> Option<Constant> {
        let other = self.nodes[expression.first..=expression.root]
            .iter()
            .find_map(|node| {
                let NodeKind::Name(name) = node.kind else {
                    return None;
                };
                self.names
                    .get(name)
                    .filter(|_| lookup(name).is_none())
                    .map(|_| (name, node.span))
            });
        if let Some((name, span)) = other {
            self.report(
                Problem::new(span, format!("a default cannot depend on `{name}`"))
                    .label("only numbers, units, `pi` and + - * / ^")
                    .help("define a subexpression below the parameters"),
            );
            return None;
        }
        evaluate(self.nodes, expression, None)
            .map_err(|problem| self.report(problem))
            .ok()
    }

    fn check_bounds(
        &mut self,
        parameter: &Parameter<'a>,
        default: &Constant,
        low: (Expression, &Constant),
        high: (Expression, &Constant),
    ) -> Option<(f64, f64)> {
        for (expression, bound) in [low, high] {
            if bound.dimension() != default.dimension() && !bound.is_bare_zero {
                let span = self.nodes[expression.root].span;
                let (wanted, found) = (is_shown(default.dimension()), is_shown(bound.dimension()));
                self.report(
                    Problem::new(
                        span,
                        format!("this bound is {found}, its parameter {wanted}"),
                    )
                    .label("expected the unit of the default"),
                );
                return None;
            }
        }
        let (low, high) = (low.1.value, high.1.value);
        if !(low <= default.value && default.value <= high) {
            let span = self.nodes[parameter.default.root].span;
            let (name, unit) = (parameter.name.text, &default.unit);
            let (low, high) = (unit.from_base(low), unit.from_base(high));
            let spelled = if unit.dimension.is_none() {
                ""
            } else {
                unit.name.as_str()
            };
            let label = format!("expected a value in [{low}, {high}] {spelled}");
            self.report(
                Problem::new(
                    span,
                    format!("the default of `{name}` is outside its bounds"),
                )
                .label(label.trim_end()),
            );
            return None;
        }
        Some((low, high))
    }

    pub(super) fn declare_state(&mut self, name: Name<'a>, unit: &UnitNote, doc: &str) {
        let index = self.model.states.len();
        if !self.may_declare(name, "state variables", index, MAX_STATES) {
            return;
        }
        self.enter(name, Meaning::State(small(index)));
        let zero = self.builder.constant(0.0);
        self.model.states.push(model::State {
            name: name.text.to_owned(),
            doc: doc.to_owned(),
            unit: unit.unit.clone(),
            initial: zero,
        });
    }

    pub(super) fn declare_subexpression(&mut self, name: Name<'a>) {
        if self.may_declare(name, "subexpressions", 0, 1) {
            self.enter(name, Meaning::Subexpression(None));
        }
    }

    pub(super) fn declare_input(&mut self, input: &'a Input<'a>) {
        let index = self.model.inputs.len();
        let name = input.name;
        if self.model.inputs.iter().any(|i| i.name == name.text) {
            let message = format!("two input ports are named `{}`", name.text);
            self.report(Problem::new(name.span, message).label("the second one"));
            return;
        }
        if index >= MAX_INPUTS {
            self.report(too_many(name.span, "input ports", MAX_INPUTS));
            return;
        }
        // A port with an effect is not read by its name, which may then be that of a state.
        if input.effect.is_none() {
            if !self.may_declare(name, "input ports", index, MAX_INPUTS) {
                return;
            }
            self.enter(name, Meaning::Input(small(index)));
        }
        let before = input.effect.as_ref().is_none_or(|e| e.before);
        self.model.inputs.push(model::Input {
            name: name.text.to_owned(),
            doc: input.doc.clone(),
            unit: input.unit.unit.clone(),
            timing: if before {
                model::InputTiming::Before
            } else {
                model::InputTiming::After
            },
            unless_refractory: input.unless_refractory.is_some(),
            effects: Vec::new(),
        });
    }

    pub(super) fn enter(&mut self, name: Name<'a>, meaning: Meaning) {
        self.names.set(
            name.text,
            Entry {
                meaning,
                span: name.span,
            },
        );
    }

    /// Reports why the name cannot be declared, if it cannot.
    pub(super) fn may_declare(
        &mut self,
        name: Name<'a>,
        what: &str,
        count: usize,
        limit: usize,
    ) -> bool {
        let problem = if let Some(entry) = self.names.get(name.text) {
            let line = line_of(self.text, entry.span);
            Some(
                Problem::new(name.span, format!("`{}` is declared twice", name.text))
                    .label(format!("already {} (line {line})", entry.meaning.shown())),
            )
        } else if count >= limit {
            Some(too_many(name.span, what, limit))
        } else {
            taken_by_the_language(name)
        };
        let is_free = problem.is_none();
        if let Some(problem) = problem {
            self.report(problem);
        }
        is_free
    }

    /// Reports why what is named for one expression alone cannot have this name, if it cannot.
    pub(super) fn check_arriving(&mut self, name: Name<'a>) {
        let problem = match self.names.get(name.text) {
            Some(entry) => Some(
                Problem::new(name.span, format!("`{}` is already taken", name.text))
                    .label(format!("{} has this name", entry.meaning.shown()))
                    .help("choose another name"),
            ),
            None => taken_by_the_language(name),
        };
        if let Some(problem) = problem {
            self.report(problem);
        }
    }

    /// The state that the statement at `name` declared.
    pub(super) fn state_declared_at(&self, name: Name<'a>) -> Option<usize> {
        match self.names.get(name.text)? {
            Entry {
                meaning: Meaning::State(i),
                span,
            } if span == name.span => Some(i as usize),
            _ => None,
        }
    }

    /// The state to assign to; reports what else the name is.
    pub(super) fn assignable(&mut self, name: Name<'a>) -> Option<u32> {
        let problem = match self.names.get(name.text) {
            Some(Entry {
                meaning: Meaning::State(i),
                ..
            }) => return Some(i),
            Some(entry) => {
                let what = entry.meaning.shown();
                Problem::new(name.span, format!("`{}` cannot be assigned", name.text))
                    .label(format!("{what}; expected a state variable"))
            }
            None if self.block.is_incomplete => return None,
            None => Problem::new(name.span, format!("unknown state variable `{}`", name.text))
                .label("no equation, `state` or `update` declares it")
                .suggest(name.text, self.names.states()),
        };
        self.report(problem);
        None
    }

    pub(super) fn set_initial(&mut self, state: usize, initial: Value) {
        if let Some(state) = self.model.states.get_mut(state) {
            state.initial = initial;
        }
    }
}

/// Functions, constants, and units of more than one letter.
fn taken_by_the_language(name: Name<'_>) -> Option<Problem> {
    let text = name.text;
    let what = if words::arity(text).is_some() {
        "a function"
    } else if words::CONSTANTS.contains(&text) || text == words::HIDDEN_STATE {
        "a quantity of the language"
    } else if text.len() > 1 && lookup(text).is_some() {
        "a unit"
    } else {
        return None;
    };
    Some(Problem::new(name.span, format!("`{text}` is {what}")).label("expected another name"))
}

fn too_many(span: Span, what: &str, limit: usize) -> Problem {
    Problem::new(span, format!("too many {what}")).label(format!("at most {limit} are allowed"))
}

/// An index within the limits of the language.
pub(super) fn small(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
