//! Expressions of a model as text, for messages.

use crate::ir::{Binary, Op, Slot, Unary, Value};
use crate::model::Model;

/// Longest text produced, in characters; the rest becomes `…`.
const LIMIT: usize = 80;

/// `value` of the model's arena written with the names of the model.
pub(crate) fn describe(model: &Model, value: Value) -> String {
    let mut text = String::new();
    write(model, value, 0, 0, &mut text);
    if text.chars().count() > LIMIT {
        text = text.chars().take(LIMIT).collect();
        text.push('…');
    }
    text
}

/// Name of a state of the model; `state 7` for an index out of range.
pub(crate) fn state_name(model: &Model, state: u32) -> String {
    model
        .states
        .get(state as usize)
        .map_or_else(|| format!("state {state}"), |s| s.name.clone())
}

/// Writes `value`, in parentheses where its operator binds less tightly than `binding`.
fn write(model: &Model, value: Value, binding: u8, depth: u8, text: &mut String) {
    if depth > 24 || text.len() > 4 * LIMIT {
        text.push('…');
        return;
    }
    let operand = |v: Value, binding: u8, text: &mut String| {
        write(model, v, binding, depth + 1, text);
    };
    match &model.ops[value.index()] {
        Op::Const(bits) => text.push_str(&format!("{}", f64::from_bits(*bits))),
        Op::Bool(b) => text.push_str(if *b { "true" } else { "false" }),
        Op::Int(i) => text.push_str(&i.to_string()),
        Op::Load(slot) => text.push_str(&slot_name(model, *slot)),
        Op::Unary(Unary::Neg, x) => {
            text.push('-');
            operand(*x, 4, text);
        }
        Op::Unary(u, x) => call(unary_name(*u), &[*x], operand, text),
        Op::Binary(o, x, y) => match infix(*o) {
            Some((symbol, level)) => {
                let parentheses = level < binding;
                text.push_str(if parentheses { "(" } else { "" });
                operand(*x, level, text);
                text.push_str(symbol);
                operand(*y, level + 1, text);
                text.push_str(if parentheses { ")" } else { "" });
            }
            None => call(&format!("{o:?}").to_lowercase(), &[*x, *y], operand, text),
        },
        Op::Select(c, x, y) => call("select", &[*c, *x, *y], operand, text),
        Op::Heaviside { x, .. } => call("heaviside", &[*x], operand, text),
        Op::ExpDifference(z) => call("exp_difference", z, operand, text),
    }
}

fn call(
    name: &str,
    arguments: &[Value],
    operand: impl Fn(Value, u8, &mut String),
    text: &mut String,
) {
    text.push_str(name);
    text.push('(');
    for (i, a) in arguments.iter().enumerate() {
        text.push_str(if i > 0 { ", " } else { "" });
        operand(*a, 0, text);
    }
    text.push(')');
}

fn infix(o: Binary) -> Option<(&'static str, u8)> {
    Some(match o {
        Binary::Or => (" or ", 0),
        Binary::And => (" and ", 1),
        Binary::Lt => (" < ", 1),
        Binary::Le => (" <= ", 1),
        Binary::Eq => (" == ", 1),
        Binary::Add => (" + ", 2),
        Binary::Sub => (" - ", 2),
        Binary::Mul => (" * ", 3),
        Binary::Div => (" / ", 3),
        Binary::Pow => ("^", 5),
        _ => return None,
    })
}

fn unary_name(u: Unary) -> &'static str {
    match u {
        Unary::Neg => "-",
        Unary::Abs => "abs",
        Unary::Sqrt => "sqrt",
        Unary::Floor => "floor",
        Unary::Exp => "exp",
        Unary::Expm1 => "expm1",
        Unary::Exprel => "exprel",
        Unary::Ln => "ln",
        Unary::Ln1p => "ln1p",
        Unary::Sin => "sin",
        Unary::Cos => "cos",
        Unary::Tanh => "tanh",
        Unary::Erf => "erf",
        Unary::Sigmoid => "sigmoid",
        Unary::Not => "not",
        Unary::Detach => "detach",
        Unary::Round => "round",
        Unary::ToInt => "to_int",
        Unary::ToFloat => "to_float",
        Unary::ToBits => "to_bits",
        Unary::FromBits => "from_bits",
        Unary::Indicator => "indicator",
        Unary::Fired => "fired",
    }
}

fn slot_name(model: &Model, slot: Slot) -> String {
    let known = match slot {
        Slot::State(i) => model.states.get(i as usize).map(|s| s.name.clone()),
        Slot::Previous(i) => model
            .states
            .get(i as usize)
            .map(|s| format!("previous({})", s.name)),
        Slot::Parameter(i) => model.parameters.get(i as usize).map(|p| p.name.clone()),
        Slot::Input(i) => model.inputs.get(i as usize).map(|p| p.name.clone()),
        Slot::Dt => Some("dt".to_owned()),
        Slot::Time => Some("t".to_owned()),
        Slot::Uniform(_) => Some("uniform()".to_owned()),
        Slot::Normal(_) => Some("normal()".to_owned()),
        _ => None,
    };
    known.unwrap_or_else(|| format!("{slot:?}"))
}
