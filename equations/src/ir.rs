//! The intermediate representation: straight-line SSA with `select`.
//!
//! A [`Program`] is a list of [`Op`]s, each naming earlier ones by [`Value`]. There is no
//! control flow: branches are [`Op::Select`]. Three types exist: floats (f32 or f64, decided by
//! whoever runs the program), booleans, and integers as wide as the float, which only the
//! expansion of transcendental functions uses.
//!
//! Programs are made by a [`Builder`], which folds constants and shares equal subexpressions as
//! it goes, so that two programs that compute the same thing the same way are equal.

mod builder;

use std::fmt;

pub use builder::Builder;

/// One SSA value: the index of the op that defines it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Value(pub u32);

impl Value {
    /// The position of the defining op in [`Program::ops`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The value defined at that position; programs are far shorter than 2³² ops.
    pub(crate) fn at(position: usize) -> Self {
        Self(u32::try_from(position).unwrap_or(u32::MAX))
    }
}

/// What a program reads or writes, by role and index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Slot {
    /// State variable of the component, in declaration order.
    State(u32),
    /// State variable as it was at the start of the step (`previous(x)`); only in models, lowering
    /// turns it into a plain state load.
    Previous(u32),
    /// Parameter, in declaration order, in base units.
    Parameter(u32),
    /// Quantity computed by the prologue from parameters and `dt`.
    Derived(u32),
    /// Sum of what arrived at an input port in this step.
    Input(u32),
    /// Uniform random number in (0, 1): the k-th draw of this step.
    Uniform(u32),
    /// Standard normal random number: the k-th draw of this step.
    Normal(u32),
    /// Length of a step \[ms\].
    Dt,
    /// Time at the end of the step \[ms\].
    Time,
    /// The spike output: 1 where the component fired, else 0.
    Spike,
    /// Real-valued output, in declaration order.
    Output(u32),
    /// Argument of a free-standing function (surrogates, tests).
    Argument(u32),
    /// Cotangent (adjoint) of a state variable.
    StateCotangent(u32),
    /// Cotangent of a parameter.
    ParameterCotangent(u32),
    /// Cotangent of a derived quantity.
    DerivedCotangent(u32),
    /// Cotangent of an input.
    InputCotangent(u32),
    /// Cotangent of the spike output.
    SpikeCotangent,
    /// Cotangent of a real-valued output.
    OutputCotangent(u32),
    /// Cotangent of an argument.
    ArgumentCotangent(u32),
}

impl Slot {
    /// The slot that carries the cotangent of this one; `None` for slots that have no gradient.
    #[must_use]
    pub fn cotangent(self) -> Option<Self> {
        Some(match self {
            Self::State(i) => Self::StateCotangent(i),
            Self::Parameter(i) => Self::ParameterCotangent(i),
            Self::Derived(i) => Self::DerivedCotangent(i),
            Self::Input(i) => Self::InputCotangent(i),
            Self::Spike => Self::SpikeCotangent,
            Self::Output(i) => Self::OutputCotangent(i),
            Self::Argument(i) => Self::ArgumentCotangent(i),
            _ => return None,
        })
    }
}

/// Type of a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Type {
    /// f32 or f64, decided by the runner.
    Float,
    /// Truth value.
    Bool,
    /// Two's-complement integer as wide as the float.
    Int,
}

/// Operations with one operand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Unary {
    /// −x.
    Neg,
    /// |x|.
    Abs,
    /// Square root (IEEE correctly rounded).
    Sqrt,
    /// Largest integer ≤ x.
    Floor,
    /// eˣ.
    Exp,
    /// eˣ − 1.
    Expm1,
    /// (eˣ − 1)/x, 1 at x = 0.
    Exprel,
    /// Natural logarithm.
    Ln,
    /// ln(1 + x).
    Ln1p,
    /// Sine.
    Sin,
    /// Cosine.
    Cos,
    /// Hyperbolic tangent.
    Tanh,
    /// Gauss error function.
    Erf,
    /// 1/(1 + e⁻ˣ).
    Sigmoid,
    /// Logical not (bool → bool).
    Not,
    /// The value itself, with zero gradient (float → float).
    Detach,
    /// Round to the nearest integer, ties to even, as a float.
    Round,
    /// Float holding an integer → that integer (int); the float is within ±2²² (f32) or ±2⁵¹ (f64).
    ToInt,
    /// Integer → float, exact within the same range.
    ToFloat,
    /// Bit pattern of a float as an integer.
    ToBits,
    /// Float with the given bit pattern.
    FromBits,
    /// Bool → float, 1 or 0. No gradient.
    Indicator,
    /// Spike (a float, 1 or 0) → bool. A [`Op::Select`] on it passes the gradient `yes − no` to the
    /// spike; to cut that path, detach the spike first.
    Fired,
}

/// Operations with two operands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Binary {
    /// x + y.
    Add,
    /// x − y.
    Sub,
    /// x · y.
    Mul,
    /// x / y.
    Div,
    /// `y < x ? y : x` (the first operand where they compare equal or unordered).
    Min,
    /// `x < y ? y : x` (the first operand where they compare equal or unordered).
    Max,
    /// xʸ for x ≥ 0 (integer exponents are expanded to products by the builder).
    Pow,
    /// x < y.
    Lt,
    /// x ≤ y.
    Le,
    /// x = y.
    Eq,
    /// Logical and.
    And,
    /// Logical or.
    Or,
    /// Integer sum, wrapping.
    IntAdd,
    /// Integer difference, wrapping.
    IntSub,
    /// Bitwise and of integers.
    IntAnd,
    /// Bitwise or of integers.
    IntOr,
    /// Integer shifted left by a constant.
    Shl,
    /// Integer shifted right by a constant, sign kept.
    Shr,
    /// Integer x < y, signed (bool).
    IntLt,
}

/// Index into the surrogate table ([`crate::surrogate`]).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SurrogateId(pub u16);

/// One operation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    /// Float constant, as the bits of an f64 (rounded to f32 where the runner works in f32).
    Const(u64),
    /// Bool constant.
    Bool(bool),
    /// Integer constant.
    Int(i64),
    /// Reads a slot.
    Load(Slot),
    /// Operation with one operand.
    Unary(Unary, Value),
    /// Operation with two operands.
    Binary(Binary, Value, Value),
    /// `condition ? yes : no`.
    Select(Value, Value, Value),
    /// 1 where x ≥ 0 (x > 0 if `strict`), else 0; the derivative is the surrogate's.
    Heaviside {
        /// The argument.
        x: Value,
        /// `>` instead of `>=`.
        strict: bool,
        /// Which surrogate derivative.
        surrogate: SurrogateId,
        /// Shape arguments of the surrogate, floats.
        arguments: Vec<Value>,
    },
    /// Divided difference of exp over the given nodes, exp\[z₀, …, zₙ\]: eᶻ for one node,
    /// (eᵃ − eᵇ)/(a − b) for two, with the limits where nodes coincide. Accurate also where they
    /// nearly coincide. Its derivative by zᵢ is the same with zᵢ repeated. Only prologues contain
    /// it: they run in f64 on the host.
    ExpDifference(Vec<Value>),
}

impl Op {
    /// Float constant.
    #[must_use]
    pub fn constant(x: f64) -> Self {
        Self::Const(x.to_bits())
    }

    /// Type of the result.
    #[must_use]
    pub fn ty(&self, types: &[Type]) -> Type {
        match self {
            Self::Const(_) | Self::Load(_) | Self::Heaviside { .. } | Self::ExpDifference(_) => {
                Type::Float
            }
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Unary(u, _) => match u {
                Unary::Not | Unary::Fired => Type::Bool,
                Unary::ToInt | Unary::ToBits => Type::Int,
                _ => Type::Float,
            },
            Self::Binary(b, ..) => match b {
                Binary::Lt | Binary::Le | Binary::Eq | Binary::And | Binary::Or | Binary::IntLt => {
                    Type::Bool
                }
                Binary::IntAdd
                | Binary::IntSub
                | Binary::IntAnd
                | Binary::IntOr
                | Binary::Shl
                | Binary::Shr => Type::Int,
                _ => Type::Float,
            },
            Self::Select(_, a, _) => types[a.index()],
        }
    }

    /// Calls `f` on every operand.
    pub fn for_each_operand(&self, mut f: impl FnMut(Value)) {
        match self {
            Self::Const(_) | Self::Bool(_) | Self::Int(_) | Self::Load(_) => {}
            Self::Unary(_, a) => f(*a),
            Self::Binary(_, a, b) => {
                f(*a);
                f(*b);
            }
            Self::Select(c, a, b) => {
                f(*c);
                f(*a);
                f(*b);
            }
            Self::Heaviside { x, arguments, .. } => {
                f(*x);
                arguments.iter().copied().for_each(f);
            }
            Self::ExpDifference(z) => z.iter().copied().for_each(f),
        }
    }

    /// The same operation on operands replaced by `f`.
    #[must_use]
    pub fn map_operands(&self, mut f: impl FnMut(Value) -> Value) -> Self {
        match self {
            Self::Const(_) | Self::Bool(_) | Self::Int(_) | Self::Load(_) => self.clone(),
            Self::Unary(u, a) => Self::Unary(*u, f(*a)),
            Self::Binary(o, a, b) => Self::Binary(*o, f(*a), f(*b)),
            Self::Select(c, a, b) => Self::Select(f(*c), f(*a), f(*b)),
            Self::Heaviside {
                x,
                strict,
                surrogate,
                arguments,
            } => Self::Heaviside {
                x: f(*x),
                strict: *strict,
                surrogate: *surrogate,
                arguments: arguments.iter().map(|&v| f(v)).collect(),
            },
            Self::ExpDifference(z) => Self::ExpDifference(z.iter().map(|&v| f(v)).collect()),
        }
    }
}

/// A value written to a slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Store {
    /// Where to.
    pub slot: Slot,
    /// What.
    pub value: Value,
}

/// Straight-line code: ops in order, then stores.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Program {
    /// The ops; each refers only to earlier ones.
    pub ops: Vec<Op>,
    /// What is written when all ops have run.
    pub stores: Vec<Store>,
}

impl Program {
    /// Types of all values.
    #[must_use]
    pub fn types(&self) -> Vec<Type> {
        let mut types = Vec::with_capacity(self.ops.len());
        for op in &self.ops {
            let ty = op.ty(&types);
            types.push(ty);
        }
        types
    }

    /// The value stored to `slot`, if any.
    #[must_use]
    pub fn stored(&self, slot: Slot) -> Option<Value> {
        self.stores.iter().find(|s| s.slot == slot).map(|s| s.value)
    }

    /// Every slot the program reads, in order of first use.
    #[must_use]
    pub fn loads(&self) -> Vec<Slot> {
        let mut slots = Vec::new();
        for op in &self.ops {
            if let Op::Load(slot) = op
                && !slots.contains(slot)
            {
                slots.push(*slot);
            }
        }
        slots
    }

    /// The program without ops that no store depends on; values are renumbered.
    #[must_use]
    pub fn without_dead_ops(&self) -> Self {
        let mut live = vec![false; self.ops.len()];
        for store in &self.stores {
            live[store.value.index()] = true;
        }
        for i in (0..self.ops.len()).rev() {
            if live[i] {
                self.ops[i].for_each_operand(|v| live[v.index()] = true);
            }
        }
        let mut renamed = vec![Value(0); self.ops.len()];
        let mut ops = Vec::new();
        for (i, op) in self.ops.iter().enumerate() {
            if live[i] {
                renamed[i] = Value::at(ops.len());
                ops.push(op.map_operands(|v| renamed[v.index()]));
            }
        }
        let stores = self
            .stores
            .iter()
            .map(|s| Store {
                slot: s.slot,
                value: renamed[s.value.index()],
            })
            .collect();
        Self { ops, stores }
    }
}

impl fmt::Display for Program {
    /// One line per op, then one per store: the form used in snapshots.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, op) in self.ops.iter().enumerate() {
            match op {
                Op::Const(bits) => writeln!(f, "v{i} = {:?}", f64::from_bits(*bits))?,
                other => writeln!(f, "v{i} = {other:?}")?,
            }
        }
        for store in &self.stores {
            writeln!(f, "{:?} <- v{}", store.slot, store.value.0)?;
        }
        Ok(())
    }
}
