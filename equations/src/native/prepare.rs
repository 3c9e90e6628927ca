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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::interpret;
    use crate::ir::SurrogateId;

    fn heaviside(b: &mut Builder, x: Value, strict: bool) -> Value {
        b.push(Op::Heaviside {
            x,
            strict,
            surrogate: SurrogateId(0),
            arguments: Vec::new(),
        })
    }

    /// `v >= v_th`, never while refractory, then a reset: as lowering writes it.
    fn threshold(strict: bool) -> Program {
        let mut b = Builder::new();
        let (v, v_th) = (b.load(Slot::State(0)), b.load(Slot::Derived(0)));
        let (counter, zero) = (b.load(Slot::State(1)), b.constant(0.0));
        let active = b.gt(counter, zero);
        let margin = b.sub(v, v_th);
        let crossed = heaviside(&mut b, margin, strict);
        let spike = b.select(active, zero, crossed);
        let detached = b.unary(Unary::Detach, spike);
        let fired = b.unary(Unary::Fired, detached);
        let after = b.select(fired, zero, v);
        b.store(Slot::Spike, spike);
        b.store(Slot::State(0), after);
        b.finish()
    }

    #[test]
    fn a_threshold_becomes_one_comparison_and_no_float() {
        let prepared = prepare(&threshold(false), SpikeAs::Flag);
        let spike = prepared.stored(Slot::Spike).unwrap();
        assert_eq!(prepared.types()[spike.index()], Type::Bool);
        let count = |f: &dyn Fn(&Op) -> bool| prepared.ops.iter().filter(|op| f(op)).count();
        assert_eq!(count(&|op| matches!(op, Op::Binary(Binary::Sub, ..))), 0);
        assert_eq!(count(&|op| matches!(op, Op::Binary(Binary::Le, ..))), 1);
        assert_eq!(count(&|op| matches!(op, Op::Select(..))), 1);
        assert_eq!(count(&|op| matches!(op, Op::Unary(Unary::Indicator, _))), 0);
    }

    /// Flags that share operands would be visited along every path.
    #[test]
    fn deeply_nested_flags_are_compared_as_floats() {
        let mut b = Builder::new();
        let x = b.load(Slot::State(0));
        let zero = b.constant(0.0);
        let (mut older, mut newer) = (zero, heaviside(&mut b, x, false));
        for k in 1..200 {
            let y = b.load(Slot::State(k));
            let condition = b.gt(y, x);
            let next = b.select(condition, older, newer);
            (older, newer) = (newer, next);
        }
        b.store(Slot::Spike, newer);
        let prepared = prepare(&b.finish(), SpikeAs::Flag);
        assert!(prepared.ops.len() < 1000, "{} ops", prepared.ops.len());
    }

    fn stored(program: &Program, v: f64, v_th: f64, counter: f64) -> Vec<(Slot, f64)> {
        interpret::run(program, &mut |slot| match slot {
            Slot::State(0) => v,
            Slot::State(_) => counter,
            _ => v_th,
        })
    }

    /// Any finite number, subnormal ones included.
    fn finite() -> impl Strategy<Value = f64> {
        any::<u64>()
            .prop_map(f64::from_bits)
            .prop_filter("finite", |x| x.is_finite())
    }

    proptest! {
        #[test]
        fn preparing_changes_no_result(
            v in finite(),
            apart in 0..4_i64,
            other in finite(),
            near in any::<bool>(),
            counter in 0..2_i32,
            strict in any::<bool>(),
        ) {
            let neighbour = f64::from_bits(v.to_bits().wrapping_add_signed(apart));
            let v_th = if near && neighbour.is_finite() { neighbour } else { other };
            let program = threshold(strict);
            let counter = f64::from(counter);
            let want = stored(&program, v, v_th, counter);
            let got = stored(&prepare(&program, SpikeAs::Float), v, v_th, counter);
            prop_assert_eq!(got, want);
        }
    }
}
