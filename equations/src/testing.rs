//! Random programs for tests of the passes.

use proptest::prelude::*;

use crate::ir::{Binary, Builder, Op, Program, Slot, Store, SurrogateId, Unary, Value};
use crate::surrogate::SURROGATES;

/// A program of a few arguments, all of whose values stay of moderate size.
#[derive(Clone, Debug)]
pub(crate) struct RandomProgram {
    /// As the builder made it: folded, shared.
    pub(crate) program: Program,
    /// The same ops one by one, nothing folded.
    pub(crate) raw: Program,
    pub(crate) arguments: Vec<Slot>,
}

/// Random programs of about `size` steps that use every float and bool operation.
pub(crate) fn random_program(size: usize) -> impl Strategy<Value = RandomProgram> {
    let op = (any::<u8>(), any::<u16>(), any::<u16>(), any::<u16>());
    proptest::collection::vec(op, 4..size).prop_map(|choices| {
        let mut b = Builder::new();
        for (slot, v) in build(&mut b, &choices) {
            b.store(slot, v);
        }
        let mut raw = Raw(Vec::new());
        let stores = build(&mut raw, &choices);
        let stores = stores
            .into_iter()
            .map(|(slot, value)| Store { slot, value })
            .collect();
        RandomProgram {
            program: b.finish(),
            raw: Program { ops: raw.0, stores },
            arguments: (0..4).map(Slot::Argument).collect(),
        }
    })
}

/// What ops are pushed to.
trait Sink {
    fn push(&mut self, op: Op) -> Value;

    fn constant(&mut self, x: f64) -> Value {
        self.push(Op::constant(x))
    }

    fn unary(&mut self, u: Unary, x: Value) -> Value {
        self.push(Op::Unary(u, x))
    }

    fn binary(&mut self, o: Binary, x: Value, y: Value) -> Value {
        self.push(Op::Binary(o, x, y))
    }

    fn select(&mut self, c: Value, x: Value, y: Value) -> Value {
        self.push(Op::Select(c, x, y))
    }
}

impl Sink for Builder {
    fn push(&mut self, op: Op) -> Value {
        Builder::push(self, op)
    }
}

/// Keeps every op as it comes.
struct Raw(Vec<Op>);

impl Sink for Raw {
    fn push(&mut self, op: Op) -> Value {
        self.0.push(op);
        Value::at(self.0.len() - 1)
    }
}

fn build(b: &mut impl Sink, choices: &[(u8, u16, u16, u16)]) -> Vec<(Slot, Value)> {
    let mut floats: Vec<Value> = (0..4)
        .map(|k| b.push(Op::Load(Slot::Argument(k))))
        .collect();
    for c in [0.375, 0.0, 1.0, -1.0] {
        floats.push(b.constant(c));
    }
    for &(op, i, j, k) in choices {
        let pick = |i: u16| floats[usize::from(i) % floats.len()];
        let raw = grow(b, op, pick(i), pick(j), pick(k));
        let v = tame(b, raw, op);
        floats.push(v);
    }
    (0_u32..)
        .zip(floats.iter().rev().take(3))
        .map(|(k, &v)| (Slot::Output(k), v))
        .collect()
}

/// Some operation of x, y, z, which lie within ±2.
fn grow(b: &mut impl Sink, op: u8, x: Value, y: Value, z: Value) -> Value {
    let three = b.constant(3.0);
    let positive = b.binary(Binary::Add, three, x);
    let condition = b.binary(if op < 128 { Binary::Lt } else { Binary::Le }, y, z);
    match op % 32 {
        0 => b.unary(Unary::Neg, x),
        1 => b.unary(Unary::Abs, x),
        2 => b.unary(Unary::Sqrt, positive),
        3 => b.unary(Unary::Exp, x),
        4 => b.unary(Unary::Expm1, x),
        5 => b.unary(Unary::Exprel, x),
        6 => b.unary(Unary::Ln, positive),
        7 => b.unary(Unary::Ln1p, positive),
        8 => b.unary(Unary::Sin, x),
        9 => b.unary(Unary::Cos, x),
        10 => b.unary(Unary::Tanh, x),
        11 => b.unary(Unary::Erf, x),
        12 => b.unary(Unary::Sigmoid, x),
        13 => b.unary(Unary::Detach, x),
        14 => b.unary(Unary::Floor, x),
        15 => b.unary(Unary::Round, x),
        16 => b.unary(Unary::Indicator, condition),
        17 | 18 => b.binary(Binary::Add, x, y),
        19 => b.binary(Binary::Sub, x, y),
        20 | 21 => b.binary(Binary::Mul, x, y),
        22 => b.binary(Binary::Div, y, positive),
        23 => b.binary(Binary::Min, x, y),
        24 => b.binary(Binary::Max, x, y),
        25 => b.binary(Binary::Pow, positive, y),
        26 => b.select(condition, x, y),
        27 => {
            let no = b.unary(Unary::Not, condition);
            let equal = b.binary(Binary::Eq, x, y);
            let either = b.binary(Binary::Or, no, equal);
            b.select(either, z, x)
        }
        28 | 29 => {
            let spike = heaviside(b, op, x);
            let fired = b.unary(Unary::Fired, spike);
            b.select(fired, y, z)
        }
        30 => heaviside(b, op, y),
        _ => b.push(Op::ExpDifference(vec![x, y, z])),
    }
}

fn heaviside(b: &mut impl Sink, op: u8, x: Value) -> Value {
    let id = usize::from(op / 32) * 3 % SURROGATES.len();
    let arguments = SURROGATES[id]
        .arguments
        .iter()
        .map(|(_, c)| b.constant(*c))
        .collect();
    let surrogate = SurrogateId(u16::try_from(id).unwrap_or(0));
    b.push(Op::Heaviside {
        x,
        strict: op >= 128,
        surrogate,
        arguments,
    })
}

/// Keeps values within ±2 without flattening all of them.
fn tame(b: &mut impl Sink, x: Value, op: u8) -> Value {
    let two = b.constant(2.0);
    let minus_two = b.constant(-2.0);
    if op.is_multiple_of(3) {
        let squashed = b.unary(Unary::Tanh, x);
        return b.binary(Binary::Mul, two, squashed);
    }
    let low = b.binary(Binary::Max, x, minus_two);
    b.binary(Binary::Min, low, two)
}
