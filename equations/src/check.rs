//! From syntax tree to [`Model`]: names, dimensions, limits.

mod constant;
mod expression;
mod infix;
mod names;
mod option;
mod spike;
mod statement;
mod surrogate;
#[cfg(test)]
mod tests;

pub(crate) use constant::evaluate as evaluate_constant;
pub(crate) use surrogate::evaluate as evaluate_surrogate;

use std::collections::BTreeMap;

use crate::choice::Chosen;
use crate::diagnostic::{Diagnostics, Problem, Sink, Span};
use crate::ir::{Builder, Op, Slot, Value};
use crate::limits::{MAX_OPS, MAX_TEXT_BYTES};
use crate::model::{Integrator, Kind, Model};
use crate::syntax::ast::{Block, Node, Statement, Tree};
use crate::syntax::parse_text;
use crate::unit::Dimension;
use names::Names;

/// Reads every component of a text. `file` is the name that errors show.
///
/// ```
/// let text = "
/// neuron leaky
///   parameter tau = 10 ms, v_th = 1 mV
///   dv/dt = -v/tau : mV
///   input syn(w : mV): v += w
///   spike when v >= v_th, reset v = 0";
/// let models = rheobase_equations::parse(text, "leaky.rheo")?;
/// assert_eq!(models[0].name, "leaky");
/// assert_eq!(models[0].parameters[0].default, 10.0);
/// # Ok::<(), rheobase_equations::diagnostic::Diagnostics>(())
/// ```
///
/// # Errors
/// Everything wrong with the text, up to
/// [`MAX_DIAGNOSTICS`](crate::limits::MAX_DIAGNOSTICS) errors.
pub fn parse(text: &str, file: &str) -> Result<Vec<Model>, Diagnostics> {
    let models = parse_with_spans(text, file, &Chosen::default())?;
    Ok(models.into_iter().map(|(model, _)| model).collect())
}

/// Reads a text that holds exactly one component.
///
/// # Errors
/// As [`parse`]; also where the text holds more than one component.
pub fn parse_one(text: &str, file: &str) -> Result<Model, Diagnostics> {
    parse_chosen(text, file, &Chosen::default())
}

/// As [`parse_one`], with other options than the defaults.
pub(crate) fn parse_chosen(text: &str, file: &str, chosen: &Chosen) -> Result<Model, Diagnostics> {
    let mut models = parse_with_spans(text, file, chosen)?.into_iter();
    match (models.next(), models.next()) {
        (Some((model, _)), None) => Ok(model),
        (_, second) => {
            let span = second.map_or(Span::new(0, 0), |(_, span)| span);
            let problem = Problem::new(span, "more than one component")
                .label("expected a text with a single component");
            Err(Diagnostics::one(problem, text, file))
        }
    }
}

/// The components of a text, and where they stand.
fn parse_with_spans(
    text: &str,
    file: &str,
    chosen: &Chosen,
) -> Result<Vec<(Model, Span)>, Diagnostics> {
    if text.len() > MAX_TEXT_BYTES {
        let problem = Problem::new(Span::new(0, 0), "the text is too long").label(format!(
            "{} bytes; at most {MAX_TEXT_BYTES} are allowed",
            text.len()
        ));
        return Err(Diagnostics::one(problem, text, file));
    }
    let mut sink = Sink::new(text, file);
    let tree = parse_text(text, &mut sink);
    let models = check(&tree, text, chosen, &mut sink);
    sink.finish().map(|()| models)
}

fn check<'a>(
    tree: &'a Tree<'a>,
    text: &'a str,
    chosen: &'a Chosen,
    sink: &mut Sink<'a>,
) -> Vec<(Model, Span)> {
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    let mut models = Vec::new();
    for block in &tree.blocks {
        if sink.is_full() {
            sink.stop();
            break;
        }
        let name = block.name;
        if !name.text.is_empty()
            && let Some(first) = seen.insert(name.text, name.span)
        {
            let message = format!("two components are named `{}`", name.text);
            let label = format!(
                "already the name of the one on line {}",
                line_of(text, first)
            );
            sink.report(Problem::new(name.span, message).label(label));
        }
        models.push((
            Checker::new(tree, block, text, chosen, sink).run(),
            name.span,
        ));
    }
    models
}

fn line_of(text: &str, span: Span) -> usize {
    1 + text[..span.start].bytes().filter(|&b| b == b'\n').count()
}

/// What an expression is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Type {
    /// A condition.
    Bool,
    /// The bare number 0, which fits every dimension.
    Zero,
    /// A quantity.
    Float(Dimension),
    /// Already reported.
    Wrong,
}

/// A checked expression.
#[derive(Clone, Copy, Debug)]
struct Typed {
    value: Value,
    ty: Type,
    /// Depends on parameters and constants only.
    is_fixed: bool,
}

/// Where an expression stands.
#[derive(Clone, Copy, Debug)]
struct Scope<'a> {
    /// What may depend on parameters only, if this may.
    fixed: Option<&'static str>,
    /// Name and port of what arrives, in the effect of an input.
    arriving: Option<(&'a str, u32, Dimension)>,
    /// A pure number with a name that is known in this expression only.
    local: Option<(&'a str, Value)>,
    /// Whether the neuron fired is known.
    after_spike: bool,
}

impl Scope<'_> {
    /// Equations, updates, conditions, resets, outputs.
    const STEP: Self = Self {
        fixed: None,
        arriving: None,
        local: None,
        after_spike: false,
    };
}

/// Checks one component.
struct Checker<'a, 's> {
    text: &'a str,
    nodes: &'a [Node<'a>],
    block: &'a Block<'a>,
    chosen: &'a Chosen,
    sink: &'s mut Sink<'a>,
    builder: Builder,
    names: Names<'a>,
    model: Model,
    /// The arena is full; nothing more is built.
    is_full: bool,
    has_integrator: bool,
    /// The first `(unless refractory)`.
    unless_refractory: Option<Span>,
}

impl<'a, 's> Checker<'a, 's> {
    fn new(
        tree: &'a Tree<'a>,
        block: &'a Block<'a>,
        text: &'a str,
        chosen: &'a Chosen,
        sink: &'s mut Sink<'a>,
    ) -> Self {
        let model = Model {
            kind: block.kind,
            name: block.name.text.to_owned(),
            doc: block.doc.clone(),
            text: block.span.of(text).to_owned(),
            ops: Vec::new(),
            options: Vec::new(),
            parameters: Vec::new(),
            states: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            equations: Vec::new(),
            updates: Vec::new(),
            spike: None,
            integrator: Integrator::Auto,
            n_uniforms: 0,
            n_normals: 0,
        };
        Self {
            text,
            nodes: &tree.nodes,
            block,
            chosen,
            sink,
            builder: Builder::new(),
            names: Names::default(),
            model,
            is_full: false,
            has_integrator: false,
            unless_refractory: None,
        }
    }

    fn run(mut self) -> Model {
        let block = self.block;
        if block.statements.is_empty() && !block.is_incomplete {
            let message = format!("`{}` describes nothing", block.name.text);
            let label = "expected statements on the lines below";
            self.sink
                .report(Problem::new(block.name.span, message).label(label));
        }
        for statement in &block.statements {
            if self.sink.is_full() {
                self.sink.stop();
                break;
            }
            self.declare(statement);
        }
        for statement in &block.statements {
            if self.sink.is_full() {
                self.sink.stop();
                break;
            }
            self.define(statement);
        }
        self.check_refractory_use();
        self.check_optimizer();
        self.check_size(block.span);
        self.model.ops = self.builder.ops().to_vec();
        self.model
    }

    /// Enters the names that a statement declares, so that all may use them.
    fn declare(&mut self, statement: &'a Statement<'a>) {
        match statement {
            Statement::Option(option) => self.declare_option(option),
            Statement::Parameter(parameter) => self.declare_parameter(parameter),
            Statement::Equation(e) => self.declare_state(e.name, &e.unit, &e.doc),
            Statement::State(s) => self.declare_state(s.name, &s.unit, &s.doc),
            Statement::Update(update) => {
                if let Some((unit, _)) = &update.declares {
                    self.declare_state(update.assignment.target, unit, &update.doc);
                }
            }
            Statement::Subexpression(s) => self.declare_subexpression(s.name),
            Statement::Input(input) => self.declare_input(input),
            Statement::Output(_) | Statement::Spike(_) | Statement::Integrator(_) => {}
        }
    }

    /// Checks and builds the expressions of a statement.
    fn define(&mut self, statement: &'a Statement<'a>) {
        match statement {
            Statement::Option(_) | Statement::Parameter(_) => {}
            Statement::Equation(equation) => self.define_equation(equation),
            Statement::State(state) => self.define_initial(state.name, state.initial),
            Statement::Update(update) => self.define_update(update),
            Statement::Subexpression(subexpression) => self.define_subexpression(subexpression),
            Statement::Input(input) => self.define_input(input),
            Statement::Output(output) => self.define_output(output),
            Statement::Spike(spike) => self.define_spike(spike),
            Statement::Integrator(name) => self.define_integrator(*name),
        }
    }

    fn report(&mut self, problem: Problem) {
        self.sink.report(problem);
    }

    /// Reports an arena that is too large, once.
    fn check_size(&mut self, span: Span) {
        if self.is_full || self.builder.ops().len() <= MAX_OPS {
            return;
        }
        self.is_full = true;
        self.report(
            Problem::new(span, "the component is too large")
                .label(format!("beyond {MAX_OPS} operations here")),
        );
    }

    /// An optimizer moves its first state along its one input, by updates alone.
    fn check_optimizer(&mut self) {
        let model = &self.model;
        if model.kind != Kind::Optimizer || self.block.is_incomplete || self.sink.count() > 0 {
            return;
        }
        let is_time = |op: &Op| matches!(op, Op::Load(Slot::Time | Slot::Dt));
        let reads_time = self.builder.ops().iter().any(is_time);
        let wrong = [
            (model.inputs.len() != 1, "one input: the gradient"),
            (model.states.is_empty(), "a state: what is trained"),
            (
                !model.equations.is_empty(),
                "updates, no differential equations",
            ),
            (model.spike.is_some(), "no spikes"),
            (!model.outputs.is_empty(), "no outputs"),
            (model.n_uniforms + model.n_normals > 0, "no random numbers"),
            (
                reads_time,
                "no `t` and no `dt`: the number of the update is `k`",
            ),
        ];
        if let Some((_, expected)) = wrong.into_iter().find(|(wrong, _)| *wrong) {
            let message = format!("`{}` cannot be an optimizer", self.block.name.text);
            let label = format!("expected {expected}");
            self.report(Problem::new(self.block.name.span, message).label(label));
        }
    }

    /// `(unless refractory)` needs a refractory time.
    fn check_refractory_use(&mut self) {
        let has_refractory = self
            .model
            .spike
            .as_ref()
            .is_some_and(|s| s.refractory.is_some());
        if has_refractory || self.block.is_incomplete || self.sink.count() > 0 {
            return;
        }
        if let Some(span) = self.unless_refractory {
            self.report(
                Problem::new(span, "there is no refractory time")
                    .label("never refractory")
                    .help("add `refractory t_ref` to `spike`, or leave this out"),
            );
        }
    }
}

/// How a dimension reads in a message.
fn shown(dimension: Dimension) -> String {
    if dimension.is_none() {
        "a pure number".to_owned()
    } else {
        format!("`{dimension}`")
    }
}

/// How a dimension reads after "is".
fn is_shown(dimension: Dimension) -> String {
    if dimension.is_none() {
        "a pure number".to_owned()
    } else {
        format!("in `{dimension}`")
    }
}

impl Type {
    /// How it reads in a message.
    fn shown(self) -> String {
        match self {
            Self::Bool => "a condition".to_owned(),
            Self::Zero => "0".to_owned(),
            Self::Float(dimension) => shown(dimension),
            Self::Wrong => "an error".to_owned(),
        }
    }
}
