//! Statements: equations, updates, ports.

use super::names::{Entry, Meaning, small};
use super::{Checker, Scope, Type, Typed, is_shown, shown};
use crate::diagnostic::{Problem, Span};
use crate::ir::{Binary, Slot, Value};
use crate::limits::MAX_OUTPUTS;
use crate::model;
use crate::syntax::ast::{
    Assignment, Equation, Expression, Infix, Input, Name, Output, Subexpression, Update,
};
use crate::unit::{Dimension, Unit};

/// What an initial value is called in a message.
const INITIAL: Scope<'static> = Scope {
    fixed: Some("an initial value"),
    ..Scope::STEP
};

impl<'a> Checker<'a, '_> {
    pub(super) fn define_equation(&mut self, equation: &'a Equation<'a>) {
        self.note_unless(equation.unless_refractory);
        // Where the name was refused, its unit and rate mean nothing.
        let Some(state) = self.state_declared_at(equation.name) else {
            return;
        };
        self.define_initial(equation.name, equation.initial);
        let rate = self.expression(equation.rate, Scope::STEP);
        let unit = equation.unit.unit.dimension;
        let Some(wanted) = self.in_range(unit.quotient(Dimension::TIME), equation.unit.span) else {
            return;
        };
        if self.expect_dimension(equation.rate, rate, wanted, |found| {
            let message = format!(
                "the rate of `{}` is {found}, not {}",
                equation.name.text,
                is_shown(wanted)
            );
            (
                message,
                (rate.ty == Type::Float(unit)).then_some("divide by a time constant"),
            )
        }) {
            self.model.equations.push(model::Equation {
                state: small(state),
                rate: rate.value,
                unless_refractory: equation.unless_refractory.is_some(),
            });
        }
    }

    /// The initial value that the statement at `name` gives its state.
    pub(super) fn define_initial(&mut self, name: Name<'a>, initial: Option<Expression>) {
        let Some(initial) = initial else { return };
        let typed = self.expression(initial, INITIAL);
        let Some(state) = self.state_declared_at(name) else {
            return;
        };
        let wanted = self.model.states[state].unit.dimension;
        if self.expect_dimension(initial, typed, wanted, |found| {
            let wanted = is_shown(wanted);
            (
                format!("`{}` is {wanted}, its initial value {found}", name.text),
                None,
            )
        }) {
            self.set_initial(state, typed.value);
        }
    }

    pub(super) fn define_update(&mut self, update: &'a Update<'a>) {
        self.note_unless(update.unless_refractory);
        if let Some((_, initial)) = &update.declares {
            self.define_initial(update.assignment.target, *initial);
        }
        let is_unknown = self.names.get(update.assignment.target.text).is_none();
        if is_unknown && !self.block.is_incomplete {
            let name = update.assignment.target;
            let problem =
                Problem::new(name.span, format!("unknown state variable `{}`", name.text))
                    .label("no equation, `state` or `update` declares it");
            let problem = match crate::diagnostic::nearest(name.text, self.names.states()) {
                Some(best) => problem.help(format!("did you mean `{best}`?")),
                None => problem.help("to declare it here, add `: UNIT = INITIAL` to the update"),
            };
            self.report(problem);
            return;
        }
        let unless = update.unless_refractory.is_some();
        if let Some(assignment) = self.assignment(&update.assignment, Scope::STEP, unless) {
            self.model.updates.push(assignment);
        }
    }

    pub(super) fn define_subexpression(&mut self, s: &'a Subexpression<'a>) {
        let mut typed = self.expression(s.value, Scope::STEP);
        if let Some(note) = &s.unit {
            let wanted = note.unit.dimension;
            let fits = self.expect_dimension(s.value, typed, wanted, |found| {
                (
                    format!(
                        "`{}` is {}, its value {found}",
                        s.name.text,
                        is_shown(wanted)
                    ),
                    None,
                )
            });
            typed.ty = if fits {
                Type::Float(wanted)
            } else {
                Type::Wrong
            };
        }
        // Where the name was refused, it still means what it was declared as first.
        if let Some(Entry {
            meaning: Meaning::Subexpression(None),
            span,
        }) = self.names.get(s.name.text)
            && span == s.name.span
        {
            let meaning = Meaning::Subexpression(Some(typed));
            self.names.set(s.name.text, Entry { meaning, span });
        }
    }

    pub(super) fn define_input(&mut self, input: &'a Input<'a>) {
        self.note_unless(input.unless_refractory);
        let Some(effect) = &input.effect else {
            if let Some(span) = input.unless_refractory {
                self.report(
                    Problem::new(span, "an input without effect is not dropped")
                        .label("read by its name, refractory or not")
                        .help(
                            "put `(unless refractory)` after the equation or update that reads it",
                        ),
                );
            }
            return;
        };
        self.check_arriving(effect.arriving);
        let Some(port) = self
            .model
            .inputs
            .iter()
            .position(|i| i.name == input.name.text)
        else {
            return;
        };
        let dimension = input.unit.unit.dimension;
        let arriving = Some((effect.arriving.text, small(port), dimension));
        let scope = Scope {
            arriving,
            ..Scope::STEP
        };
        for assignment in &effect.assignments {
            if let Some(effect) = self.assignment(assignment, scope, false) {
                self.model.inputs[port].effects.push(effect);
            }
        }
    }

    pub(super) fn define_output(&mut self, output: &'a Output<'a>) {
        let value = self.expression(output.value, Scope::STEP);
        let name = output.name;
        if self.model.outputs.iter().any(|o| o.name == name.text) {
            let message = format!("two output ports are named `{}`", name.text);
            self.report(Problem::new(name.span, message).label("the second one"));
            return;
        }
        if self.model.outputs.len() >= MAX_OUTPUTS {
            let problem = Problem::new(name.span, "too many output ports")
                .label(format!("at most {MAX_OUTPUTS} are allowed"));
            self.report(problem);
            return;
        }
        let Some(found) = self.number(output.value.root, value) else {
            return;
        };
        let unit = match &output.unit {
            Some(note) => note.unit.clone(),
            None => Unit::base(found),
        };
        if self.expect_dimension(output.value, value, unit.dimension, |found| {
            let wanted = is_shown(unit.dimension);
            (
                format!("output `{}` is {wanted}, its value {found}", name.text),
                None,
            )
        }) {
            let value = value.value;
            self.model.outputs.push(model::Output {
                name: name.text.to_owned(),
                unit,
                value,
            });
        }
    }

    pub(super) fn define_integrator(&mut self, name: Name<'a>) {
        if std::mem::replace(&mut self.has_integrator, true) {
            self.report(
                Problem::new(name.span, "a second integrator").label("one is named already"),
            );
            return;
        }
        let Some(integrator) = model::Integrator::from_name(name.text) else {
            let all: Vec<&str> = model::Integrator::ALL.iter().map(|i| i.name()).collect();
            self.report(
                Problem::new(name.span, format!("unknown integrator `{}`", name.text))
                    .label(format!("expected one of {}", all.join(", ")))
                    .suggest(name.text, all),
            );
            return;
        };
        self.model.integrator = integrator;
    }

    /// `x = value` or `x += value`.
    pub(super) fn assignment(
        &mut self,
        assignment: &'a Assignment<'a>,
        scope: Scope<'a>,
        unless_refractory: bool,
    ) -> Option<model::Assignment> {
        let value = self.expression(assignment.value, scope);
        let state = self.assignable(assignment.target)?;
        let unit = self.model.states.get(state as usize)?.unit.dimension;
        let is_factor = matches!(assignment.operator, Some(Infix::Mul | Infix::Div));
        let wanted = if is_factor { Dimension::NONE } else { unit };
        let name = assignment.target.text;
        let fits = self.expect_dimension(assignment.value, value, wanted, |found| {
            let message = match assignment.operator {
                Some(o) if is_factor => {
                    format!("`{}=` takes a pure number; this is {found}", o.symbol())
                }
                _ => format!("`{name}` is {}, the value {found}", is_shown(unit)),
            };
            (message, None)
        });
        if !fits || self.is_full {
            return None;
        }
        let value = self.combined(state, assignment.operator, value.value);
        if self
            .builder
            .as_constant(value)
            .is_some_and(|c| !c.is_finite())
        {
            self.report(Problem::new(assignment.span, "this constant is not finite"));
            return None;
        }
        Some(model::Assignment {
            state,
            value,
            unless_refractory,
        })
    }

    fn combined(&mut self, state: u32, operator: Option<Infix>, value: Value) -> Value {
        let operator = match operator {
            None => return value,
            Some(Infix::Sub) => Binary::Sub,
            Some(Infix::Mul) => Binary::Mul,
            Some(Infix::Div) => Binary::Div,
            Some(_) => Binary::Add,
        };
        let now = self.builder.load(Slot::State(state));
        self.builder.binary(operator, now, value)
    }

    /// Whether the expression is a number of that dimension; reports otherwise, with the message
    /// and help that `describe` makes of what was found.
    pub(super) fn expect_dimension(
        &mut self,
        expression: Expression,
        typed: Typed,
        wanted: Dimension,
        describe: impl FnOnce(&str) -> (String, Option<&'static str>),
    ) -> bool {
        if typed.ty == Type::Zero {
            return true;
        }
        let Some(found) = self.number(expression.root, typed) else {
            return false;
        };
        if found == wanted {
            return true;
        }
        let (message, help) = describe(&is_shown(found));
        let problem = Problem::new(self.nodes[expression.root].span, message).label(format!(
            "expected {}, found {}",
            shown(wanted),
            shown(found)
        ));
        self.report(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
        false
    }

    fn note_unless(&mut self, span: Option<Span>) {
        self.unless_refractory = self.unless_refractory.or(span);
    }
}
