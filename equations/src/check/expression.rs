//! Expressions: names are resolved, dimensions checked, ops built.

use super::names::{Meaning, small};
use super::{Checker, Scope, Type, Typed, is_shown, line_of, shown};
use crate::diagnostic::{Problem, Span};
use crate::ir::{Binary, Op, Slot, Unary, Value};
use crate::limits::MAX_DRAWS;
use crate::surrogate;
use crate::syntax::ast::{Expression, Name, Node, NodeKind, Prefix};
use crate::syntax::words;
use crate::unit::{Dimension, Unit, lookup, spellings};

impl<'a> Checker<'a, '_> {
    /// Checks and builds an expression.
    pub(super) fn expression(&mut self, expression: Expression, scope: Scope<'a>) -> Typed {
        let nodes = self.expression_nodes(expression, scope);
        nodes[expression.root - expression.first]
    }

    /// Checks and builds every node of an expression; the n-th is node `first + n`.
    pub(super) fn expression_nodes(
        &mut self,
        expression: Expression,
        scope: Scope<'a>,
    ) -> Vec<Typed> {
        let Expression { first, root } = expression;
        let wrong = self.wrong();
        let mut typed = Vec::with_capacity(root + 1 - first);
        for (i, node) in self.nodes.iter().enumerate().take(root + 1).skip(first) {
            let operands = &typed[..];
            let result = if self.is_full || self.sink.is_full() {
                None
            } else {
                self.node(node, operands, first, scope)
            };
            let result = result.and_then(|t| self.checked(t, i));
            typed.push(result.unwrap_or(wrong));
        }
        typed
    }

    /// Stands for an expression that was reported.
    pub(super) fn wrong(&mut self) -> Typed {
        Typed {
            value: self.builder.constant(0.0),
            ty: Type::Wrong,
            is_fixed: true,
        }
    }

    /// Refuses constants that are not finite, and arenas that are too large.
    fn checked(&mut self, typed: Typed, node: usize) -> Option<Typed> {
        let span = self.nodes[node].span;
        self.check_size(span);
        if self.is_full {
            return None;
        }
        if let Some(c) = self.builder.as_constant(typed.value)
            && !c.is_finite()
        {
            self.report(
                Problem::new(span, "this constant is not finite")
                    .label(format!("the value is {c}")),
            );
            return None;
        }
        Some(typed)
    }

    fn node(
        &mut self,
        node: &'a Node<'a>,
        typed: &[Typed],
        first: usize,
        scope: Scope<'a>,
    ) -> Option<Typed> {
        let at = |i: usize| typed[i - first];
        match &node.kind {
            NodeKind::Number(x) => {
                let ty = if *x == 0.0 {
                    Type::Zero
                } else {
                    Type::Float(Dimension::NONE)
                };
                Some(Typed {
                    value: self.builder.constant(*x),
                    ty,
                    is_fixed: true,
                })
            }
            NodeKind::Quantity(x, unit) => self.quantity(*x, unit, node.span),
            NodeKind::Unit(unit) => Some(self.constant_of(unit.scale, unit.dimension)),
            NodeKind::Truth(truth) => Some(Typed {
                value: self.builder.boolean(*truth),
                ty: Type::Bool,
                is_fixed: true,
            }),
            NodeKind::Name(name) => self.name(
                Name {
                    text: name,
                    span: node.span,
                },
                scope,
            ),
            NodeKind::Is(option, choice) => self.is_chosen(*option, *choice),
            NodeKind::Prefix(prefix, operand) => self.prefix(*prefix, *operand, at(*operand)),
            NodeKind::Infix(operator, x, y) => {
                self.infix(*operator, (*x, *y), at(*x), at(*y), node.span)
            }
            NodeKind::Call(name, arguments) => {
                let operands: Vec<Typed> = arguments.iter().map(|&i| at(i)).collect();
                self.call(*name, arguments, &operands, scope, node.span)
            }
        }
    }

    fn constant_of(&mut self, value: f64, dimension: Dimension) -> Typed {
        let value = self.builder.constant(value);
        Typed {
            value,
            ty: Type::Float(dimension),
            is_fixed: true,
        }
    }

    /// `10 ms`. Where a variable has the unit's letter for a name, `2 m` could mean either.
    fn quantity(&mut self, x: f64, unit: &Unit, span: Span) -> Option<Typed> {
        let name = &unit.name;
        if let Some(entry) = self.names.get(name) {
            let what = entry.meaning.shown();
            self.report(
                Problem::new(span, format!("`{name}` is {what} here, and also a unit"))
                    .label("either a product or a quantity")
                    .help(format!("write `*{name}` for the product")),
            );
            return None;
        }
        Some(self.constant_of(x, unit.dimension))
    }

    // Names.

    fn name(&mut self, name: Name<'a>, scope: Scope<'a>) -> Option<Typed> {
        if let Some((arriving, port, dimension)) = scope.arriving
            && arriving == name.text
        {
            return Some(self.load(Slot::Input(port), dimension));
        }
        if let Some((local, value)) = scope.local
            && local == name.text
        {
            return Some(Typed {
                value,
                ty: Type::Float(Dimension::NONE),
                is_fixed: false,
            });
        }
        let Some(entry) = self.names.get(name.text) else {
            return self.name_of_the_language(name, scope);
        };
        let typed = match entry.meaning {
            Meaning::Option(i) => return self.switch(name, i),
            Meaning::Parameter(i) => {
                let dimension = self.model.parameters.get(i as usize)?.unit.dimension;
                Typed {
                    is_fixed: true,
                    ..self.load(Slot::Parameter(i), dimension)
                }
            }
            Meaning::State(i) => {
                let dimension = self.model.states.get(i as usize)?.unit.dimension;
                self.load(Slot::State(i), dimension)
            }
            Meaning::Input(i) => {
                let dimension = self.model.inputs.get(i as usize)?.unit.dimension;
                self.load(Slot::Input(i), dimension)
            }
            Meaning::Subexpression(Some(typed)) => typed,
            Meaning::Subexpression(None) => return self.undefined(name, entry.span),
        };
        match scope.fixed {
            Some(place) if !typed.is_fixed => {
                self.report(
                    Problem::new(name.span, format!("{place} depends on parameters only"))
                        .label(format!("`{}` is {}", name.text, entry.meaning.shown())),
                );
                None
            }
            _ => Some(typed),
        }
    }

    fn load(&mut self, slot: Slot, dimension: Dimension) -> Typed {
        let value = self.builder.load(slot);
        Typed {
            value,
            ty: Type::Float(dimension),
            is_fixed: false,
        }
    }

    fn undefined(&mut self, name: Name<'a>, defined: Span) -> Option<Typed> {
        let line = line_of(self.text, defined);
        self.report(
            Problem::new(
                name.span,
                format!("`{}` is used before it is defined", name.text),
            )
            .label(format!("defined on line {line}"))
            .help("a subexpression is defined above its first use"),
        );
        None
    }

    /// `pi`, `dt`, `t`, and units.
    fn name_of_the_language(&mut self, name: Name<'a>, scope: Scope<'a>) -> Option<Typed> {
        if name.text == "spike" {
            if scope.after_spike {
                return Some(self.load(Slot::Spike, Dimension::NONE));
            }
            let problem = Problem::new(name.span, "`spike` is not known here")
                .label("known in `then` only, after the threshold was tested")
                .help("write `spike when CONDITION, then x = …`");
            self.report(problem);
            return None;
        }
        let time = match name.text {
            "pi" => return Some(self.constant_of(std::f64::consts::PI, Dimension::NONE)),
            "dt" => Some(Slot::Dt),
            "t" => Some(Slot::Time),
            _ => None,
        };
        if let Some(slot) = time {
            if let Some(place) = scope.fixed {
                self.not_fixed(name.span, place, name.text);
                return None;
            }
            return Some(self.load(slot, Dimension::TIME));
        }
        if let Some(unit) = lookup(name.text) {
            return Some(self.constant_of(unit.scale(), unit.dimension));
        }
        if !self.block.is_incomplete {
            let problem = self.unknown(name);
            self.report(problem);
        }
        None
    }

    fn not_fixed(&mut self, span: Span, place: &str, what: &str) {
        self.report(
            Problem::new(span, format!("{place} depends on parameters only"))
                .label(format!("`{what}` is not known before the run")),
        );
    }

    fn unknown(&self, name: Name<'a>) -> Problem {
        let text = name.text;
        if words::arity(text).is_some() {
            return Problem::new(name.span, format!("`{text}` is a function"))
                .label(format!("expected `{text}(…)`"));
        }
        let problem = Problem::new(name.span, format!("unknown name `{text}`"))
            .label("not a parameter, state, input, subexpression or unit");
        let units = spellings().filter(|u| u.len() > 1);
        let own = crate::diagnostic::nearest(text, self.names.all());
        match (own, words::alias(text)) {
            (Some(own), _) => problem.help(format!("did you mean `{own}`?")),
            (None, Some(ours)) => problem.help(format!("write `{ours}`")),
            (None, None) => problem.suggest(text, units),
        }
    }

    // Operators and functions.

    fn prefix(&mut self, prefix: Prefix, node: usize, operand: Typed) -> Option<Typed> {
        match prefix {
            Prefix::Plus => self.number(node, operand).map(|_| operand),
            Prefix::Minus => {
                self.number(node, operand)?;
                Some(Typed {
                    value: self.builder.neg(operand.value),
                    ..operand
                })
            }
            Prefix::Not => {
                self.condition(node, operand)?;
                Some(Typed {
                    value: self.builder.unary(Unary::Not, operand.value),
                    ..operand
                })
            }
        }
    }

    fn call(
        &mut self,
        name: Name<'a>,
        nodes: &[usize],
        operands: &[Typed],
        scope: Scope<'a>,
        span: Span,
    ) -> Option<Typed> {
        let is_fixed = operands.iter().all(|t| t.is_fixed);
        if let Some(function) = pure_function(name.text) {
            self.pure(name.text, nodes[0], operands[0])?;
            let value = self.builder.unary(function, operands[0].value);
            return Some(Typed {
                value,
                ty: Type::Float(Dimension::NONE),
                is_fixed,
            });
        }
        let (value, ty) = match name.text {
            "abs" => {
                self.number(nodes[0], operands[0])?;
                (
                    self.builder.unary(Unary::Abs, operands[0].value),
                    operands[0].ty,
                )
            }
            "sqrt" => {
                let dimension = self.number(nodes[0], operands[0])?.sqrt();
                let dimension = self.in_range(dimension, span)?;
                let value = self.builder.unary(Unary::Sqrt, operands[0].value);
                (value, Type::Float(dimension))
            }
            "min" | "max" | "clip" => {
                let ty = self.one_dimension(name.text, nodes, operands, span)?;
                (self.bounded(name.text, operands), ty)
            }
            "select" => {
                self.condition(nodes[0], operands[0])?;
                let ty = self.one_dimension("select", &nodes[1..], &operands[1..], span)?;
                let [c, yes, no] = [operands[0].value, operands[1].value, operands[2].value];
                (self.builder.select(c, yes, no), ty)
            }
            "heaviside" => {
                self.number(nodes[0], operands[0])?;
                (
                    self.heaviside(operands[0].value),
                    Type::Float(Dimension::NONE),
                )
            }
            "detach" => {
                self.number(nodes[0], operands[0])?;
                let value = self.builder.unary(Unary::Detach, operands[0].value);
                (value, operands[0].ty)
            }
            "previous" => {
                let value = self.previous(nodes[0], "previous")?;
                return Some(Typed {
                    value,
                    ..operands[0]
                });
            }
            _ => return self.draw(name, scope),
        };
        Some(Typed {
            value,
            ty,
            is_fixed,
        })
    }

    fn bounded(&mut self, function: &str, operands: &[Typed]) -> Value {
        let (x, y) = (operands[0].value, operands[1].value);
        match function {
            "min" => self.builder.binary(Binary::Min, x, y),
            "max" => self.builder.binary(Binary::Max, x, y),
            _ => {
                let raised = self.builder.binary(Binary::Max, x, y);
                self.builder.binary(Binary::Min, raised, operands[2].value)
            }
        }
    }

    /// 1 where x ≥ 0, else 0, with the default surrogate for its derivative.
    fn heaviside(&mut self, x: Value) -> Value {
        let surrogate = super::surrogate::default_surrogate();
        let arguments = surrogate::get(surrogate).arguments;
        let arguments = arguments
            .iter()
            .map(|a| self.builder.constant(a.1))
            .collect();
        self.builder.push(Op::Heaviside {
            x,
            strict: false,
            surrogate,
            arguments,
        })
    }

    /// `uniform()`, `normal()`: each call in the text is a draw of its own.
    fn draw(&mut self, name: Name<'a>, scope: Scope<'a>) -> Option<Typed> {
        if let Some(place) = scope.fixed {
            self.not_fixed(name.span, place, &format!("{}()", name.text));
            return None;
        }
        let is_uniform = name.text == "uniform";
        let count = if is_uniform {
            &mut self.model.n_uniforms
        } else {
            &mut self.model.n_normals
        };
        let k = *count;
        if k >= small(MAX_DRAWS) {
            let problem = Problem::new(name.span, format!("too many draws of `{}()`", name.text))
                .label(format!("at most {MAX_DRAWS} are allowed"));
            self.report(problem);
            return None;
        }
        *count += 1;
        let slot = if is_uniform {
            Slot::Uniform(k)
        } else {
            Slot::Normal(k)
        };
        Some(self.load(slot, Dimension::NONE))
    }

    // What operands must be.

    /// A number of any dimension.
    pub(super) fn number(&mut self, node: usize, operand: Typed) -> Option<Dimension> {
        match operand.ty {
            Type::Float(dimension) => Some(dimension),
            Type::Zero => Some(Dimension::NONE),
            Type::Wrong => None,
            Type::Bool => {
                let span = self.nodes[node].span;
                self.report(
                    Problem::new(span, "a condition is not a number")
                        .label("expected a number, found a condition")
                        .help("write `select(condition, 1, 0)`"),
                );
                None
            }
        }
    }

    /// A condition.
    pub(super) fn condition(&mut self, node: usize, operand: Typed) -> Option<()> {
        match operand.ty {
            Type::Bool => Some(()),
            Type::Wrong => None,
            Type::Zero | Type::Float(_) => {
                let (span, found) = (self.nodes[node].span, operand.ty.shown());
                self.report(
                    Problem::new(span, "a number is not a condition")
                        .label(format!("expected a condition, found {found}"))
                        .help("compare it: `x > 0`"),
                );
                None
            }
        }
    }

    /// A pure number.
    pub(super) fn pure(&mut self, function: &str, node: usize, operand: Typed) -> Option<()> {
        let dimension = self.number(node, operand)?;
        if dimension.is_none() {
            return Some(());
        }
        let (span, found) = (self.nodes[node].span, shown(dimension));
        let what = if function == "^" {
            "an exponent is a pure number".to_owned()
        } else {
            format!("`{function}` takes a pure number")
        };
        self.report(
            Problem::new(span, what)
                .label(format!("expected a pure number, found {found}"))
                .help(format!("divide by a quantity in {found}")),
        );
        None
    }

    /// Operands of one dimension.
    fn one_dimension(
        &mut self,
        function: &str,
        nodes: &[usize],
        operands: &[Typed],
        span: Span,
    ) -> Option<Type> {
        let mut ty = Type::Zero;
        for (&node, &operand) in nodes.iter().zip(operands) {
            let dimension = self.number(node, operand)?;
            match (ty, operand.ty) {
                (_, Type::Zero) => {}
                (Type::Zero, other) => ty = other,
                (Type::Float(first), _) if first != dimension => {
                    let (first, other) = (is_shown(first), is_shown(dimension));
                    self.report(
                        Problem::new(span, format!("`{function}` of different units"))
                            .label(format!("one value is {first}, another {other}")),
                    );
                    return None;
                }
                _ => {}
            }
        }
        Some(ty)
    }
}

/// Functions from pure numbers to pure numbers.
fn pure_function(name: &str) -> Option<Unary> {
    Some(match name {
        "exp" => Unary::Exp,
        "expm1" => Unary::Expm1,
        "exprel" => Unary::Exprel,
        "ln" => Unary::Ln,
        "ln1p" => Unary::Ln1p,
        "floor" => Unary::Floor,
        "sin" => Unary::Sin,
        "cos" => Unary::Cos,
        "tanh" => Unary::Tanh,
        "erf" => Unary::Erf,
        "sigmoid" => Unary::Sigmoid,
        _ => return None,
    })
}
