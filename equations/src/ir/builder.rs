//! Making programs.

use std::collections::HashMap;

use super::{Binary, Op, Program, Slot, Store, Type, Unary, Value};

/// Makes a [`Program`], folding constants and sharing equal subexpressions.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    ops: Vec<Op>,
    types: Vec<Type>,
    known: HashMap<Op, Value>,
    stores: Vec<Store>,
}

impl Builder {
    /// An empty program.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The ops so far.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The op that defines `v`.
    #[must_use]
    pub fn op(&self, v: Value) -> &Op {
        &self.ops[v.index()]
    }

    /// The type of `v`.
    #[must_use]
    pub fn ty(&self, v: Value) -> Type {
        self.types[v.index()]
    }

    /// The float constant `v` is, if it is one.
    #[must_use]
    pub fn as_constant(&self, v: Value) -> Option<f64> {
        match self.op(v) {
            Op::Const(bits) => Some(f64::from_bits(*bits)),
            _ => None,
        }
    }

    /// Writes `value` to `slot`, replacing an earlier store to it.
    pub fn store(&mut self, slot: Slot, value: Value) {
        match self.stores.iter_mut().find(|s| s.slot == slot) {
            Some(store) => store.value = value,
            None => self.stores.push(Store { slot, value }),
        }
    }

    /// The finished program, dead ops removed.
    #[must_use]
    pub fn finish(self) -> Program {
        Program {
            ops: self.ops,
            stores: self.stores,
        }
        .without_dead_ops()
    }

    /// Adds `op` after folding; equal ops share one value.
    pub fn push(&mut self, op: Op) -> Value {
        match crate::fold::fold(self, op) {
            crate::fold::Folded::Value(v) => v,
            crate::fold::Folded::Op(op) => self.intern(op),
        }
    }

    fn intern(&mut self, op: Op) -> Value {
        if let Some(&v) = self.known.get(&op) {
            return v;
        }
        let v = Value::at(self.ops.len());
        self.types.push(op.ty(&self.types));
        self.ops.push(op.clone());
        self.known.insert(op, v);
        v
    }

    /// Copies the computation of `root` from `source` into this builder. Every load goes through
    /// `load`, which gives the value to use here. `memo` carries what was copied already; use one
    /// per (source, meaning of loads).
    pub fn import(
        &mut self,
        source: &[Op],
        root: Value,
        memo: &mut HashMap<Value, Value>,
        load: &mut impl FnMut(&mut Self, Slot) -> Value,
    ) -> Value {
        let mut live = vec![false; root.index() + 1];
        live[root.index()] = true;
        for i in (0..=root.index()).rev() {
            if live[i] && !memo.contains_key(&Value::at(i)) {
                source[i].for_each_operand(|v| live[v.index()] = true);
            }
        }
        for (i, &is_live) in live.iter().enumerate() {
            let here = Value::at(i);
            if !is_live || memo.contains_key(&here) {
                continue;
            }
            let v = match &source[i] {
                Op::Load(slot) => load(self, *slot),
                op => {
                    let op = op.map_operands(|v| memo[&v]);
                    self.push(op)
                }
            };
            memo.insert(here, v);
        }
        memo[&root]
    }

    /// Float constant.
    pub fn constant(&mut self, x: f64) -> Value {
        self.push(Op::constant(x))
    }

    /// Integer constant.
    pub fn int(&mut self, x: i64) -> Value {
        self.push(Op::Int(x))
    }

    /// Bool constant.
    pub fn boolean(&mut self, x: bool) -> Value {
        self.push(Op::Bool(x))
    }

    /// Reads a slot.
    pub fn load(&mut self, slot: Slot) -> Value {
        self.push(Op::Load(slot))
    }

    /// Operation with one operand.
    pub fn unary(&mut self, op: Unary, a: Value) -> Value {
        self.push(Op::Unary(op, a))
    }

    /// Operation with two operands.
    pub fn binary(&mut self, op: Binary, a: Value, b: Value) -> Value {
        self.push(Op::Binary(op, a, b))
    }

    /// x + y.
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.binary(Binary::Add, a, b)
    }

    /// x − y.
    pub fn sub(&mut self, a: Value, b: Value) -> Value {
        self.binary(Binary::Sub, a, b)
    }

    /// x · y.
    pub fn mul(&mut self, a: Value, b: Value) -> Value {
        self.binary(Binary::Mul, a, b)
    }

    /// x / y.
    pub fn div(&mut self, a: Value, b: Value) -> Value {
        self.binary(Binary::Div, a, b)
    }

    /// −x.
    pub fn neg(&mut self, a: Value) -> Value {
        self.unary(Unary::Neg, a)
    }

    /// x ≥ y.
    pub fn ge(&mut self, a: Value, b: Value) -> Value {
        self.binary(Binary::Le, b, a)
    }

    /// x > y.
    pub fn gt(&mut self, a: Value, b: Value) -> Value {
        self.binary(Binary::Lt, b, a)
    }

    /// `condition ? yes : no`.
    pub fn select(&mut self, condition: Value, yes: Value, no: Value) -> Value {
        self.push(Op::Select(condition, yes, no))
    }

    /// xⁿ by repeated squaring.
    pub fn powi(&mut self, x: Value, n: u32) -> Value {
        let mut result = None;
        let mut square = x;
        let mut rest = n;
        while rest > 0 {
            if rest & 1 == 1 {
                result = Some(match result {
                    None => square,
                    Some(r) => self.mul(r, square),
                });
            }
            rest >>= 1;
            if rest > 0 {
                square = self.mul(square, square);
            }
        }
        result.unwrap_or_else(|| self.constant(1.0))
    }
}
