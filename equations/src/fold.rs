//! Constant folding and algebraic identities, applied as a program is built.
//!
//! Only identities that hold for every finite operand are used (x·1, x + 0, x/1, −(−x),
//! `select` on a constant). Reassociation and distribution never happen: they would change bits.
//! Transcendental functions of constants are left to the interpreter, whose expansion gives the
//! same bits on every machine.

use crate::ir::{Binary, Builder, Op, Type, Unary, Value};

/// What an op became.
pub(crate) enum Folded {
    /// It equals this value.
    Value(Value),
    /// It stays an op (perhaps another one).
    Op(Op),
}

/// Simplifies `op` in the context of `b`.
pub(crate) fn fold(b: &mut Builder, op: Op) -> Folded {
    match op {
        Op::Unary(u, x) => fold_unary(b, u, x),
        Op::Binary(o, x, y) => fold_binary(b, o, x, y),
        Op::Select(c, x, y) => match b.op(c) {
            Op::Bool(true) => Folded::Value(x),
            Op::Bool(false) => Folded::Value(y),
            _ if x == y => Folded::Value(x),
            _ => Folded::Op(Op::Select(c, x, y)),
        },
        Op::ExpDifference(mut nodes) => {
            // Symmetric in its nodes: one order for all.
            nodes.sort_unstable();
            match nodes.as_slice() {
                [z] => Folded::Op(Op::Unary(Unary::Exp, *z)),
                _ => Folded::Op(Op::ExpDifference(nodes)),
            }
        }
        other => Folded::Op(other),
    }
}

fn fold_unary(b: &Builder, u: Unary, x: Value) -> Folded {
    let same = Op::Unary(u, x);
    if let Some(c) = b.as_constant(x) {
        return match u {
            Unary::Neg => Folded::Op(Op::constant(-c)),
            Unary::Abs => Folded::Op(Op::constant(c.abs())),
            Unary::Floor => Folded::Op(Op::constant(c.floor())),
            Unary::Detach => Folded::Value(x),
            _ => Folded::Op(same),
        };
    }
    match (u, b.op(x)) {
        (Unary::Neg, Op::Unary(Unary::Neg, y)) | (Unary::Not, Op::Unary(Unary::Not, y)) => {
            Folded::Value(*y)
        }
        (Unary::Not, Op::Bool(c)) => Folded::Op(Op::Bool(!c)),
        (Unary::Detach, Op::Unary(Unary::Detach, _)) => Folded::Value(x),
        (Unary::Indicator, Op::Bool(c)) => Folded::Op(Op::constant(if *c { 1.0 } else { 0.0 })),
        _ => Folded::Op(same),
    }
}

fn fold_binary(b: &mut Builder, o: Binary, x: Value, y: Value) -> Folded {
    let constants = (b.as_constant(x), b.as_constant(y));
    if let (Some(p), Some(q)) = constants {
        let value = match o {
            Binary::Add => Some(Op::constant(p + q)),
            Binary::Sub => Some(Op::constant(p - q)),
            Binary::Mul => Some(Op::constant(p * q)),
            Binary::Div => Some(Op::constant(p / q)),
            Binary::Min => Some(Op::constant(if q < p { q } else { p })),
            Binary::Max => Some(Op::constant(if p < q { q } else { p })),
            Binary::Lt => Some(Op::Bool(p < q)),
            Binary::Le => Some(Op::Bool(p <= q)),
            _ => None,
        };
        if let Some(op) = value {
            return Folded::Op(op);
        }
    }
    let is = |v: Option<f64>, k: f64| v.is_some_and(|c| c.to_bits() == k.to_bits());
    let (cx, cy) = constants;
    match o {
        Binary::Add if is(cx, 0.0) => Folded::Value(y),
        Binary::Add | Binary::Sub if is(cy, 0.0) => Folded::Value(x),
        Binary::Sub if is(cx, 0.0) => Folded::Op(Op::Unary(Unary::Neg, y)),
        Binary::Mul if is(cx, 1.0) => Folded::Value(y),
        Binary::Mul | Binary::Div if is(cy, 1.0) => Folded::Value(x),
        // States, parameters and inputs are finite by contract, so 0·x is 0.
        Binary::Mul if is(cx, 0.0) => Folded::Value(x),
        Binary::Mul if is(cy, 0.0) => Folded::Value(y),
        Binary::Mul if is(cx, -1.0) => Folded::Op(Op::Unary(Unary::Neg, y)),
        Binary::Mul if is(cy, -1.0) => Folded::Op(Op::Unary(Unary::Neg, x)),
        Binary::Div if is(cx, 0.0) => Folded::Value(x),
        Binary::Pow => fold_power(b, x, y),
        Binary::And | Binary::Or => fold_logic(b, o, x, y),
        Binary::Add | Binary::Mul | Binary::IntAdd | Binary::IntAnd | Binary::IntOr if y < x => {
            // Commutative: one order, so that equal sums share a value.
            Folded::Op(Op::Binary(o, y, x))
        }
        _ => Folded::Op(Op::Binary(o, x, y)),
    }
}

/// Integer exponents up to 16 become products; ½ becomes a square root.
fn fold_power(b: &mut Builder, x: Value, y: Value) -> Folded {
    let Some(e) = b.as_constant(y) else {
        return Folded::Op(Op::Binary(Binary::Pow, x, y));
    };
    if e.to_bits() == 0.5_f64.to_bits() {
        return Folded::Op(Op::Unary(Unary::Sqrt, x));
    }
    if e.fract() == 0.0 && e.abs() <= 16.0 {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0..=16"
        )]
        let power = b.powi(x, e.abs() as u32);
        if e >= 0.0 {
            return Folded::Value(power);
        }
        let one = b.constant(1.0);
        return Folded::Op(Op::Binary(Binary::Div, one, power));
    }
    Folded::Op(Op::Binary(Binary::Pow, x, y))
}

fn fold_logic(b: &Builder, o: Binary, x: Value, y: Value) -> Folded {
    debug_assert!(b.ty(x) == Type::Bool);
    let absorbing = o == Binary::Or;
    for (v, other) in [(x, y), (y, x)] {
        if let Op::Bool(c) = b.op(v) {
            return Folded::Value(if *c == absorbing { v } else { other });
        }
    }
    if x == y {
        return Folded::Value(x);
    }
    let (x, y) = if y < x { (y, x) } else { (x, y) };
    Folded::Op(Op::Binary(o, x, y))
}

#[cfg(test)]
mod tests;
