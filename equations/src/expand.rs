//! Expansion of transcendental functions into add, multiply, compare, select and integer operations.
//!
//! An expanded program has the same bits on every machine: it uses IEEE add, subtract, multiply,
//! divide, square root, rounding and integer operations only, never a fused multiply-add and never
//! the platform's library. It is branch-free, so that it vectorises, and in f32 it needs integers
//! of 32 bits only, so that it is WGSL as well.
//!
//! # Accuracy
//!
//! Bounds of the error in units in the last place of the result, held on the grids of the tests (which
//! print what they find):
//!
//! | function | range | f32 | f64 | outside the range |
//! |---|---|---|---|---|
//! | `exp` | −87.3 … 88.7 (f32), −708.3 … 709.7 (f64) | 1.5 | 1.5 | below: 0, above: 3.40e38 or 1.79e308 |
//! | `expm1` | same, all negative | 2 | 2 | as `exp` |
//! | `exprel` | same, all negative | 3 | 3 | as `exp`, divided by x |
//! | `ln` | smallest normal number and up | 1.5 | 1.5 | 0 and negative count as the smallest normal number |
//! | `ln1p` | above −1 | 2 | 2 | at and below −1: as `ln` of 0 |
//! | `sin`, `cos` | absolute error, \|x\| ≤ 8192 (f32), 10⁵ (f64) | 1.5e-7 | 3e-16 | within ±1, accuracy lost |
//! | `tanh` | all | 3 | 3 | |
//! | `erf` | all | 3 | 3 | |
//! | `sigmoid` | all | 3 | 3 | as `exp` |
//! | `pow` | x > 0, \|y\| ≤ 8, result normal | 1.5 | 1.5 | error grows with \|y\|; x ≤ 0 counts as 0, 0ʸ = 0 for y > 0 |
//!
//! No result is subnormal (but 1/x, which `exprel` is for x beyond −8e37 in f32), none is infinite
//! for a finite argument, and NaN stays NaN. The
//! polynomials are weighted minimax fits by Remez exchange (`equations/tools/minimax.py`).
//!
//! [`Op::ExpDifference`] stays: it occurs in prologues only, where the interpreter evaluates it with
//! the same bits on every machine ([`crate::interpret::exp_difference`]).

mod coefficients;
mod erf;
mod exp;
mod format;
mod ln;
mod normal;
mod pow;
mod trigonometric;

use crate::ir::{Binary, Builder, Op, Program, Slot, Unary, Value};
use crate::real::Precision;

use format::Expander;
pub use normal::normal_from_uniform;

/// Replaces every transcendental function by its expansion for `precision`.
///
/// Functions of constants become constants, computed in f64 by the same expansions.
///
/// ```
/// use rheobase_equations::expand::expand;
/// use rheobase_equations::interpret;
/// use rheobase_equations::ir::{Builder, Slot, Unary};
/// use rheobase_equations::real::Precision;
///
/// let mut b = Builder::new();
/// let x = b.load(Slot::Argument(0));
/// let y = b.unary(Unary::Exp, x);
/// b.store(Slot::Output(0), y);
/// let program = expand(&b.finish(), Precision::F64);
/// let (_, e) = interpret::run(&program, &mut |_| 1.0)[0];
/// assert!((e - std::f64::consts::E).abs() < 1e-15);
/// ```
#[must_use]
pub fn expand(program: &Program, precision: Precision) -> Program {
    let mut b = Builder::new();
    let mut renamed: Vec<Value> = Vec::with_capacity(program.ops.len());
    for op in &program.ops {
        let op = op.map_operands(|v| renamed[v.index()]);
        let v = expand_op(&mut b, op, precision);
        renamed.push(v);
    }
    for store in &program.stores {
        b.store(store.slot, renamed[store.value.index()]);
    }
    b.finish()
}

/// Whether `op` is one that [`expand`] replaces.
#[must_use]
pub fn is_transcendental(op: &Op) -> bool {
    matches!(
        op,
        Op::Binary(Binary::Pow, ..)
            | Op::Unary(
                Unary::Exp
                    | Unary::Expm1
                    | Unary::Exprel
                    | Unary::Ln
                    | Unary::Ln1p
                    | Unary::Sin
                    | Unary::Cos
                    | Unary::Tanh
                    | Unary::Erf
                    | Unary::Sigmoid,
                _,
            )
    )
}

fn expand_op(b: &mut Builder, op: Op, precision: Precision) -> Value {
    if !is_transcendental(&op) {
        return b.push(op);
    }
    if let Some(value) = of_constants(b, &op) {
        return b.constant(value);
    }
    let mut e = Expander::new(b, precision);
    match op {
        Op::Unary(function, x) => e.function(function, x),
        Op::Binary(_, x, y) => e.pow(x, y),
        _ => unreachable!("is_transcendental lists unary operations and pow"),
    }
}

impl Expander<'_> {
    fn function(&mut self, function: Unary, x: Value) -> Value {
        match function {
            Unary::Exp => self.exp(x),
            Unary::Expm1 => self.expm1(x),
            Unary::Exprel => self.exprel(x),
            Unary::Ln => self.ln(x),
            Unary::Ln1p => self.ln1p(x),
            Unary::Sin => self.sin(x),
            Unary::Cos => self.cos(x),
            Unary::Tanh => self.tanh(x),
            Unary::Erf => self.erf(x),
            Unary::Sigmoid => self.sigmoid(x),
            other => self.b.unary(other, x),
        }
    }
}

/// The value of a function of constants, by its f64 expansion.
fn of_constants(b: &Builder, op: &Op) -> Option<f64> {
    let mut arguments = Vec::new();
    let mut all = true;
    op.for_each_operand(|v| match b.as_constant(v) {
        Some(c) => arguments.push(c),
        None => all = false,
    });
    if !all {
        return None;
    }
    let mut scratch = Builder::new();
    let mut k = 0;
    let loaded = op.map_operands(|_| {
        k += 1;
        scratch.load(Slot::Argument(k - 1))
    });
    let value = expand_op(&mut scratch, loaded, Precision::F64);
    scratch.store(Slot::Output(0), value);
    let program = scratch.finish();
    let mut load = |slot| match slot {
        Slot::Argument(k) => arguments[k as usize],
        _ => 0.0,
    };
    crate::interpret::run(&program, &mut load)
        .first()
        .map(|(_, value)| *value)
}

#[cfg(test)]
#[allow(clippy::print_stderr, reason = "measured errors are printed")]
mod tests;
