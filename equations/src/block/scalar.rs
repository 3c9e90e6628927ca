//! What is the same for every neuron, computed once per run with the arithmetic of a lane.

use crate::ir::{Binary, Op, Slot, Unary, Value};
use crate::native::Baseline;
use crate::real::Real;

/// Evaluates `ops` in order into `values`; operands are positions in that list.
pub(super) fn evaluate<R: Real>(ops: &[Op], values: &mut Vec<R>, mut load: impl FnMut(Slot) -> R) {
    values.clear();
    for op in ops {
        let x = match op {
            Op::Const(bits) => R::from_f64(f64::from_bits(*bits)),
            Op::Bool(b) => R::lane_mask(*b),
            Op::Int(k) => R::lane_from_bits(R::lane_int(*k)),
            Op::Load(slot) => load(*slot),
            Op::Unary(u, x) => unary(*u, values[x.index()]),
            Op::Binary(o, x, y) => binary(*o, values[x.index()], values[y.index()], ops, *y),
            Op::Select(c, x, y) => {
                let chosen = if values[c.index()].lane_is_set() {
                    x
                } else {
                    y
                };
                values[chosen.index()]
            }
            other => unreachable!("{other:?} does not outlive preparation"),
        };
        values.push(x);
    }
}

fn unary<R: Real>(u: Unary, x: R) -> R {
    match u {
        Unary::Neg => -x,
        Unary::Abs => x.abs(),
        Unary::Sqrt => x.sqrt(),
        Unary::Floor => x.lane_floor::<Baseline>(),
        Unary::Round => x.lane_round::<Baseline>(),
        Unary::ToInt => R::lane_from_bits(x.lane_to_int()),
        Unary::ToFloat => R::lane_from_int(x.lane_bits()),
        Unary::ToBits | Unary::FromBits => x,
        Unary::Not => R::lane_mask(!x.lane_is_set()),
        Unary::Indicator => {
            if x.lane_is_set() {
                R::ONE
            } else {
                R::ZERO
            }
        }
        other => unreachable!("{other:?} does not outlive expansion"),
    }
}

fn binary<R: Real>(o: Binary, x: R, y: R, ops: &[Op], amount: Value) -> R {
    let (i, j) = (x.lane_bits(), y.lane_bits());
    match o {
        Binary::Add => x + y,
        Binary::Sub => x - y,
        Binary::Mul => x * y,
        Binary::Div => x / y,
        Binary::Min => x.lane_min(y),
        Binary::Max => x.lane_max(y),
        Binary::Lt => R::lane_mask(x < y),
        Binary::Le => R::lane_mask(x <= y),
        Binary::Eq => R::lane_mask(x == y),
        Binary::And | Binary::IntAnd => R::lane_from_bits(R::int_and(i, j)),
        Binary::Or | Binary::IntOr => R::lane_from_bits(R::int_or(i, j)),
        Binary::IntAdd => R::lane_from_bits(R::int_add(i, j)),
        Binary::IntSub => R::lane_from_bits(R::int_sub(i, j)),
        Binary::IntLt => R::lane_mask(R::int_lt(i, j)),
        Binary::Shl => R::lane_from_bits(R::int_shl(i, shift(ops, amount))),
        Binary::Shr => R::lane_from_bits(R::int_shr(i, shift(ops, amount))),
        Binary::Pow => unreachable!("Pow does not outlive expansion"),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "taken modulo the width")]
#[allow(clippy::cast_sign_loss, reason = "taken modulo the width")]
fn shift(ops: &[Op], amount: Value) -> u32 {
    match ops[amount.index()] {
        Op::Int(by) => by as u32,
        _ => 0,
    }
}
