//! The interpreter: what a [`Program`] means.
//!
//! In f64, on a program whose transcendental functions have not been expanded, it is the reference
//! every other product is judged by: functions are the platform's, which are accurate but not the
//! same on every machine. On an expanded program it uses add, multiply, divide, square root and
//! integer operations only, so that the bits are the same everywhere; this is how prologues run.
//!
//! In f32 it gives the bits compiled f32 kernels must give.

mod dual;
mod exp_difference;
mod reference;

use crate::ir::{Binary, Op, Program, Slot, Unary, Value};
use crate::real::{Precision, Real};

pub use dual::{Dual, run_dual};
pub use exp_difference::exp_difference;

/// Runs `program` in f64; `load` gives the slots it reads. Returns what it stores, in order.
///
/// ```
/// use rheobase_equations::interpret;
/// use rheobase_equations::ir::{Builder, Slot, Unary};
///
/// let mut b = Builder::new();
/// let x = b.load(Slot::Argument(0));
/// let y = b.unary(Unary::Sqrt, x);
/// b.store(Slot::Output(0), y);
/// assert_eq!(interpret::run(&b.finish(), &mut |_| 9.0), [(Slot::Output(0), 3.0)]);
/// ```
pub fn run(program: &Program, load: &mut dyn FnMut(Slot) -> f64) -> Vec<(Slot, f64)> {
    run_in(program, load)
}

/// As [`run`], in the precision of `R`.
pub fn run_in<R: Real>(program: &Program, load: &mut dyn FnMut(Slot) -> R) -> Vec<(Slot, R)> {
    let mut interpreter = Interpreter::new(program.clone());
    let mut result = Vec::with_capacity(program.stores.len());
    interpreter.run(load, |slot, value| result.push((slot, value)));
    result
}

/// A program with room for its values, for repeated runs without allocation.
#[derive(Clone, Debug)]
pub struct Interpreter<R> {
    program: Program,
    floats: Vec<R>,
    /// Integers, sign-extended from the width of `R`; bools as 0 and 1.
    integers: Vec<i64>,
    nodes: Vec<f64>,
}

impl<R: Real> Interpreter<R> {
    /// Prepares `program`.
    #[must_use]
    pub fn new(program: Program) -> Self {
        let n = program.ops.len();
        Self {
            program,
            floats: vec![R::ZERO; n],
            integers: vec![0; n],
            nodes: Vec::new(),
        }
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Runs the program: `load` gives what it reads, `store` takes what it writes, in order.
    pub fn run(&mut self, mut load: impl FnMut(Slot) -> R, mut store: impl FnMut(Slot, R)) {
        let program = std::mem::take(&mut self.program);
        for (i, op) in program.ops.iter().enumerate() {
            self.execute(i, op, &mut load);
        }
        for s in &program.stores {
            store(s.slot, self.floats[s.value.index()]);
        }
        self.program = program;
    }

    /// A float computed by the last run.
    #[must_use]
    pub fn float(&self, v: Value) -> R {
        self.floats[v.index()]
    }

    /// A bool computed by the last run.
    #[must_use]
    pub fn boolean(&self, v: Value) -> bool {
        self.integers[v.index()] != 0
    }

    fn execute(&mut self, i: usize, op: &Op, load: &mut impl FnMut(Slot) -> R) {
        match op {
            Op::Const(bits) => self.floats[i] = R::from_f64(f64::from_bits(*bits)),
            Op::Bool(b) => self.integers[i] = i64::from(*b),
            Op::Int(x) => self.integers[i] = wrap::<R>(*x),
            Op::Load(slot) => self.floats[i] = load(*slot),
            Op::Unary(u, x) => self.unary(i, *u, *x),
            Op::Binary(o, x, y) => self.binary(i, *o, *x, *y),
            Op::Select(c, x, y) => {
                let chosen = if self.boolean(*c) {
                    x.index()
                } else {
                    y.index()
                };
                self.floats[i] = self.floats[chosen];
                self.integers[i] = self.integers[chosen];
            }
            Op::Heaviside { x, strict, .. } => {
                let x = self.float(*x);
                let fired = if *strict { x > R::ZERO } else { x >= R::ZERO };
                self.floats[i] = if fired { R::ONE } else { R::ZERO };
            }
            Op::ExpDifference(z) => {
                let mut nodes = std::mem::take(&mut self.nodes);
                nodes.clear();
                nodes.extend(z.iter().map(|&v| self.float(v).to_f64()));
                self.floats[i] = R::from_f64(exp_difference(&mut nodes));
                self.nodes = nodes;
            }
        }
    }

    fn unary(&mut self, i: usize, u: Unary, operand: Value) {
        let x = self.floats[operand.index()];
        let k = self.integers[operand.index()];
        match u {
            Unary::Not => self.integers[i] = 1 - k,
            Unary::ToInt => self.integers[i] = to_int(x),
            Unary::ToBits => self.integers[i] = x.to_int_bits(),
            Unary::Fired => self.integers[i] = i64::from(x != R::ZERO),
            Unary::ToFloat => self.floats[i] = to_float(k),
            Unary::FromBits => self.floats[i] = R::from_int_bits(k),
            Unary::Indicator => self.floats[i] = if k == 0 { R::ZERO } else { R::ONE },
            Unary::Neg => self.floats[i] = -x,
            Unary::Abs => self.floats[i] = x.abs(),
            Unary::Sqrt => self.floats[i] = x.sqrt(),
            Unary::Floor => self.floats[i] = x.floor(),
            Unary::Round => self.floats[i] = x.round_ties_even(),
            Unary::Detach => self.floats[i] = x,
            function => self.floats[i] = R::from_f64(reference::evaluate(function, x.to_f64())),
        }
    }

    fn binary(&mut self, i: usize, o: Binary, left: Value, right: Value) {
        let (x, y) = (self.floats[left.index()], self.floats[right.index()]);
        let (j, k) = (self.integers[left.index()], self.integers[right.index()]);
        match o {
            Binary::Add => self.floats[i] = x + y,
            Binary::Sub => self.floats[i] = x - y,
            Binary::Mul => self.floats[i] = x * y,
            Binary::Div => self.floats[i] = x / y,
            Binary::Min => self.floats[i] = if y < x { y } else { x },
            Binary::Max => self.floats[i] = if x < y { y } else { x },
            Binary::Pow => {
                self.floats[i] = R::from_f64(reference::power(x.to_f64(), y.to_f64()));
            }
            Binary::Lt => self.integers[i] = i64::from(x < y),
            Binary::Le => self.integers[i] = i64::from(x <= y),
            Binary::Eq => self.integers[i] = i64::from(x == y),
            Binary::And | Binary::IntAnd => self.integers[i] = j & k,
            Binary::Or | Binary::IntOr => self.integers[i] = j | k,
            Binary::IntAdd => self.integers[i] = wrap::<R>(j.wrapping_add(k)),
            Binary::IntSub => self.integers[i] = wrap::<R>(j.wrapping_sub(k)),
            Binary::Shl => self.integers[i] = wrap::<R>(j << (k & shift_mask::<R>())),
            Binary::Shr => self.integers[i] = j >> (k & shift_mask::<R>()),
            Binary::IntLt => self.integers[i] = i64::from(j < k),
        }
    }
}

/// An integer cut to the width of `R`, sign-extended.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the low bits are the purpose"
)]
fn wrap<R: Real>(x: i64) -> i64 {
    match R::PRECISION {
        Precision::F32 => i64::from(x as i32),
        Precision::F64 => x,
    }
}

fn shift_mask<R: Real>() -> i64 {
    match R::PRECISION {
        Precision::F32 => 31,
        Precision::F64 => 63,
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the float holds an integer in range"
)]
fn to_int<R: Real>(x: R) -> i64 {
    match R::PRECISION {
        Precision::F32 => i64::from(x.to_f64() as i32),
        Precision::F64 => x.to_f64() as i64,
    }
}

#[allow(clippy::cast_precision_loss, reason = "integers in range are exact")]
fn to_float<R: Real>(k: i64) -> R {
    R::from_f64(k as f64)
}

#[cfg(test)]
mod tests;
