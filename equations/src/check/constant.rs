//! Constants: defaults and bounds of parameters; quantities and expressions of network files.

use crate::diagnostic::Problem;
use crate::syntax::ast::{Expression, Infix, Node, NodeKind, Prefix};
use crate::syntax::words;
use crate::unit::{Dimension, PI, Scope, Unit, lookup};

/// A number with a dimension.
#[derive(Clone, Debug)]
pub(crate) struct Constant {
    /// In base units.
    pub(crate) value: f64,
    /// Dimension, and the unit to show it in.
    pub(crate) unit: Unit,
    /// A bare number 0, which fits every dimension.
    pub(crate) is_bare_zero: bool,
    /// Consists of units alone, or of a number and units: `unit` is as written.
    spelled: bool,
    /// A pure number.
    is_number: bool,
}

impl Constant {
    fn number(value: f64) -> Self {
        let is_bare_zero = value == 0.0;
        Self {
            value,
            unit: Unit::one(),
            is_bare_zero,
            spelled: true,
            is_number: true,
        }
    }

    fn quantity(value: f64, unit: Unit) -> Self {
        Self {
            value,
            unit,
            is_bare_zero: false,
            spelled: true,
            is_number: false,
        }
    }

    fn computed(value: f64, dimension: Dimension) -> Self {
        let unit = Unit::base(dimension);
        Self {
            value,
            unit,
            is_bare_zero: false,
            spelled: false,
            is_number: dimension.is_none(),
        }
    }

    /// The dimension.
    pub(crate) fn dimension(&self) -> Dimension {
        self.unit.dimension
    }
}

/// The value of an expression of numbers, units and `pi`; with a scope, also of its names and of
/// functions.
pub(crate) fn evaluate(
    nodes: &[Node<'_>],
    expression: Expression,
    scope: Option<&Scope>,
) -> Result<Constant, Problem> {
    let Expression { first, root } = expression;
    let mut values: Vec<Constant> = Vec::with_capacity(root + 1 - first);
    for node in &nodes[first..=root] {
        let operand = |i: usize| values[i - first].clone();
        let constant = match &node.kind {
            NodeKind::Number(x) => Constant::number(*x),
            NodeKind::Quantity(x, unit) => Constant::quantity(*x, unit.clone()),
            NodeKind::Unit(unit) => Constant::quantity(unit.scale, unit.clone()),
            NodeKind::Name(name) => named(node, name, scope)?,
            NodeKind::Prefix(Prefix::Plus, x) => operand(*x),
            NodeKind::Prefix(Prefix::Minus, x) => {
                let x = operand(*x);
                Constant {
                    value: -x.value,
                    ..x
                }
            }
            NodeKind::Infix(o, x, y) => {
                infix(node, *o, &operand(*x), &operand(*y), scope.is_some())?
            }
            NodeKind::Call(name, arguments) if scope.is_some() => {
                let arguments: Vec<Constant> = arguments.iter().map(|&i| operand(i)).collect();
                call(node, name.text, &arguments)?
            }
            NodeKind::Truth(_)
            | NodeKind::Is(..)
            | NodeKind::Prefix(Prefix::Not, _)
            | NodeKind::Call(..) => {
                return Err(not_constant(node));
            }
        };
        if !constant.value.is_finite() {
            return Err(Problem::new(node.span, "this constant is not finite")
                .label(format!("the value is {}", constant.value)));
        }
        values.push(constant);
    }
    // The root is the last node: operands stand before operators.
    values.pop().ok_or_else(|| not_constant(&nodes[root]))
}

fn not_constant(node: &Node<'_>) -> Problem {
    Problem::new(node.span, "expected a constant").label("only numbers, units, `pi` and + - * / ^")
}

fn named(node: &Node<'_>, name: &str, scope: Option<&Scope>) -> Result<Constant, Problem> {
    if name == PI {
        return Ok(Constant::computed(std::f64::consts::PI, Dimension::NONE));
    }
    if let Some(quantity) = scope.and_then(|s| s.get(name)) {
        return Ok(Constant {
            is_bare_zero: quantity.is_bare_zero,
            ..Constant::computed(quantity.value_base, quantity.dimension)
        });
    }
    match lookup(name) {
        Some(scaled) => Ok(Constant::quantity(
            scaled.scale(),
            scaled.named(name.to_owned()),
        )),
        None => {
            let message = match scope {
                Some(_) => format!("`{name}` is no parameter, unit or constant"),
                None => format!("`{name}` is not a constant"),
            };
            let problem =
                Problem::new(node.span, message).label("only numbers, units, `pi` and + - * / ^");
            let names = scope.into_iter().flat_map(Scope::iter).map(|(n, _)| n);
            let own = crate::diagnostic::nearest(name, names);
            Err(match (own, words::alias(name)) {
                (Some(own), _) => problem.help(format!("did you mean `{own}`?")),
                (None, Some(ours)) => problem.help(format!("write `{ours}`")),
                (None, None) => {
                    problem.suggest(name, crate::unit::spellings().filter(|u| u.len() > 1))
                }
            })
        }
    }
}

fn infix(
    node: &Node<'_>,
    operator: Infix,
    x: &Constant,
    y: &Constant,
    any_power: bool,
) -> Result<Constant, Problem> {
    let (dx, dy) = (x.dimension(), y.dimension());
    let out_of_range = || Problem::new(node.span, "the unit of this constant is out of range");
    match operator {
        Infix::Add | Infix::Sub => {
            let dimension = common(node, operator, x, y)?;
            let value = if operator == Infix::Add {
                x.value + y.value
            } else {
                x.value - y.value
            };
            Ok(Constant::computed(value, dimension))
        }
        Infix::Mul => {
            let dimension = dx.product(dy).ok_or_else(out_of_range)?;
            Ok(spelled(x, "*", y, x.value * y.value, dimension))
        }
        Infix::Div => {
            let dimension = dx.quotient(dy).ok_or_else(out_of_range)?;
            Ok(spelled(x, "/", y, x.value / y.value, dimension))
        }
        Infix::Pow => power(node, x, y, any_power),
        _ => Err(not_constant(node)),
    }
}

/// The dimension of two constants that are added or compared; a bare 0 has any.
fn common(
    node: &Node<'_>,
    operator: Infix,
    x: &Constant,
    y: &Constant,
) -> Result<Dimension, Problem> {
    let (dx, dy) = (x.dimension(), y.dimension());
    match (x.is_bare_zero, y.is_bare_zero) {
        (true, _) => Ok(dy),
        (_, true) => Ok(dx),
        _ if dx == dy => Ok(dx),
        _ => Err(super::infix::mismatch(node.span, operator, dx, dy)),
    }
}

/// A function of constants; the parser has checked its name and the number of arguments.
fn call(node: &Node<'_>, function: &str, arguments: &[Constant]) -> Result<Constant, Problem> {
    let (Some(x), y) = (arguments.first(), arguments.get(1)) else {
        return Err(not_constant(node));
    };
    match (function, y) {
        ("abs", _) => Ok(Constant {
            value: x.value.abs(),
            ..Constant::computed(x.value, x.dimension())
        }),
        ("sqrt", _) => match x.dimension().sqrt() {
            Some(dimension) => Ok(Constant::computed(x.value.sqrt(), dimension)),
            None => Err(Problem::new(
                node.span,
                "the unit of this constant is out of range",
            )),
        },
        ("min" | "max", Some(y)) => extreme(node, function == "max", x, y),
        ("clip", Some(low)) => {
            let high = arguments.get(2).ok_or_else(|| not_constant(node))?;
            let raised = extreme(node, true, x, low)?;
            extreme(node, false, &raised, high)
        }
        _ => {
            let Some(f) = pure_function(function) else {
                return Err(not_constant(node));
            };
            if !x.dimension().is_none() {
                let message = format!(
                    "`{function}` needs a pure number, found `{}`",
                    x.dimension()
                );
                return Err(Problem::new(node.span, message));
            }
            Ok(Constant::computed(f(x.value), Dimension::NONE))
        }
    }
}

fn extreme(
    node: &Node<'_>,
    largest: bool,
    x: &Constant,
    y: &Constant,
) -> Result<Constant, Problem> {
    let dimension = common(node, Infix::Less, x, y)?;
    let value = if largest {
        x.value.max(y.value)
    } else {
        x.value.min(y.value)
    };
    Ok(Constant {
        is_bare_zero: x.is_bare_zero && y.is_bare_zero,
        ..Constant::computed(value, dimension)
    })
}

/// Functions of one pure number; those of `libm` give the same bits on every machine.
fn pure_function(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "exp" => libm::exp,
        "expm1" => libm::expm1,
        "ln" => libm::log,
        "ln1p" => libm::log1p,
        "floor" => f64::floor,
        "ceil" => f64::ceil,
        "round" => f64::round,
        _ => return None,
    })
}

/// Keeps the spelling of `10 mV/ms` and `2 * mV`; anything else is shown in base units.
fn spelled(
    x: &Constant,
    operator: &str,
    y: &Constant,
    value: f64,
    dimension: Dimension,
) -> Constant {
    let is_bare_unit = !y.is_number && y.value.to_bits() == y.unit.scale.to_bits();
    if !(x.spelled && y.spelled && is_bare_unit) {
        return Constant::computed(value, dimension);
    }
    let name = match (x.unit.name.as_str(), operator) {
        ("1", "*") => y.unit.name.clone(),
        (left, _) => format!("{left}{operator}{}", y.unit.name),
    };
    let scale = if operator == "*" {
        x.unit.scale * y.unit.scale
    } else {
        x.unit.scale / y.unit.scale
    };
    Constant::quantity(
        value,
        Unit {
            dimension,
            scale,
            name,
        },
    )
}

/// x^y; where `any_power` is set, pure numbers may have any exponent.
fn power(
    node: &Node<'_>,
    x: &Constant,
    y: &Constant,
    any_power: bool,
) -> Result<Constant, Problem> {
    let pure = x.dimension().is_none() && y.dimension().is_none();
    let halves = crate::syntax::halves(y.value).filter(|_| y.dimension().is_none());
    let halves = match halves {
        Some(halves) => halves,
        None if any_power && pure => {
            let value = libm::pow(x.value, y.value);
            return Ok(Constant::computed(value, Dimension::NONE));
        }
        None => {
            let problem =
                Problem::new(node.span, "the exponent of a constant is a multiple of 1/2");
            return Err(problem.label("expected for example `2`, `-1` or `0.5`"));
        }
    };
    let dimension = x.dimension().power(halves).ok_or_else(|| {
        Problem::new(node.span, "the unit of this constant is out of range")
            .label("an exponent is too large or no multiple of 1/2")
    })?;
    let value = raised(x.value, halves);
    let is_bare_unit = !x.is_number && x.value.to_bits() == x.unit.scale.to_bits();
    if !(x.spelled && y.spelled && is_bare_unit && !x.unit.name.contains(['*', '/', '^'])) {
        return Ok(Constant::computed(value, dimension));
    }
    let name = format!("{}^{}", x.unit.name, y.value);
    Ok(Constant::quantity(
        value,
        Unit {
            dimension,
            scale: value,
            name,
        },
    ))
}

/// x^(halves/2) by repeated multiplication and one square root.
fn raised(x: f64, halves: i32) -> f64 {
    let mut result = if halves % 2 == 0 { 1.0 } else { x.sqrt() };
    let (mut square, mut rest) = (x, halves.unsigned_abs() / 2);
    while rest > 0 {
        if rest & 1 == 1 {
            result *= square;
        }
        square *= square;
        rest >>= 1;
    }
    if halves < 0 { 1.0 / result } else { result }
}
