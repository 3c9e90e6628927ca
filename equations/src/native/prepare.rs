//! Rewrites a program for the runners: what is the same value, said in cheaper ops.
//!
//! Gradient markers go, the Heaviside becomes a comparison, spikes that exist only as 1 or 0 become
//! truth values again, and the spike output is stored as a truth value.

use crate::ir::{Binary, Builder, Op, Program, Slot, Type, Unary, Value};

/// What a store to [`Slot::Spike`] holds afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpikeAs {
    /// A truth value, for runners that list the neurons that fired.
    Flag,
    /// 1 or 0, as in the program.
    Float,
}

/// `program` (expanded) with cheaper ops and the same results.
///
/// Every runner starts from it, so that all take the same comparisons.
pub fn prepare(program: &Program, spike: SpikeAs) -> Program {
    let mut b = Builder::new();
    let mut renamed: Vec<Value> = Vec::with_capacity(program.ops.len());
    for op in &program.ops {
        let op = op.map_operands(|v| renamed[v.index()]);
        let v = rewrite(&mut b, op);
        renamed.push(v);
    }
    for store in &program.stores {
        let mut value = renamed[store.value.index()];
        if store.slot == Slot::Spike && spike == SpikeAs::Flag {
            value = fired(&mut b, value);
        }
        b.store(store.slot, value);
    }
    b.finish()
}

fn rewrite(b: &mut Builder, op: Op) -> Value {
    match op {
        Op::Unary(Unary::Detach, x) => x,
        Op::Unary(Unary::Fired, x) => fired(b, x),
        Op::Unary(Unary::Not, x) => not(b, x),
        Op::Heaviside { x, strict, .. } => {
            let zero = b.constant(0.0);
            let above = compare(b, if strict { Binary::Lt } else { Binary::Le }, zero, x);
            b.unary(Unary::Indicator, above)
        }
        Op::Binary(o @ (Binary::Lt | Binary::Le), x, y) => compare(b, o, x, y),
        Op::Select(c, x, y) if b.ty(x) == Type::Bool => select_bool(b, c, x, y),
        op => b.push(op),
    }
}

/// `0 < x − y` is `y < x`: with gradual underflow a difference of finite numbers is 0 only where
/// they are equal.
fn compare(b: &mut Builder, o: Binary, x: Value, y: Value) -> Value {
    if b.as_constant(x) == Some(0.0)
        && let Op::Binary(Binary::Sub, p, q) = *b.op(y)
    {
        return b.binary(o, q, p);
    }
    b.binary(o, x, y)
}

/// `x > ½` as a truth value, without the detour where `x` was made from one.
fn fired(b: &mut Builder, x: Value) -> Value {
    if let Some(c) = b.as_constant(x) {
        return b.boolean(c > 0.5);
    }
    match *b.op(x) {
        Op::Unary(Unary::Indicator, c) => c,
        Op::Select(c, yes, no) if is_flag(b, x, FLAG_DEPTH) => {
            let (yes, no) = (fired(b, yes), fired(b, no));
            select_bool(b, c, yes, no)
        }
        _ => {
            let half = b.constant(0.5);
            b.binary(Binary::Lt, half, x)
        }
    }
}

/// Selects nested deeper than this are compared as floats: shared operands would be visited once
/// per path.
const FLAG_DEPTH: u32 = 6;

/// Made from constants and truth values only.
fn is_flag(b: &Builder, x: Value, depth: u32) -> bool {
    match *b.op(x) {
        Op::Const(_) | Op::Unary(Unary::Indicator, _) => true,
        Op::Select(_, yes, no) if depth > 0 => {
            is_flag(b, yes, depth - 1) && is_flag(b, no, depth - 1)
        }
        _ => false,
    }
}

fn select_bool(b: &mut Builder, c: Value, yes: Value, no: Value) -> Value {
    match (b.op(yes).clone(), b.op(no).clone()) {
        (Op::Bool(true), _) => b.binary(Binary::Or, c, no),
        (_, Op::Bool(false)) => b.binary(Binary::And, c, yes),
        (Op::Bool(false), _) => {
            let c = not(b, c);
            b.binary(Binary::And, c, no)
        }
        (_, Op::Bool(true)) => {
            let c = not(b, c);
            b.binary(Binary::Or, c, yes)
        }
        _ => {
            let left = b.binary(Binary::And, c, yes);
            let c = not(b, c);
            let right = b.binary(Binary::And, c, no);
            b.binary(Binary::Or, left, right)
        }
    }
}

fn not(b: &mut Builder, x: Value) -> Value {
    b.unary(Unary::Not, x)
}
