//! A plain f32 evaluator of expanded programs: one neuron, one op after the other. It shares no code
//! with the emitter or with any kernel it judges.

use rheobase_equations::ir::{Binary, Op, Program, Slot, Unary, Value};

/// What one run of a program gave.
pub(crate) struct Run {
    /// Value of each store, in order.
    pub(crate) stored: Vec<f32>,
    /// Largest magnitude of a float on the way.
    pub(crate) largest: f32,
    /// Smallest magnitude of a float on the way that is not zero.
    pub(crate) smallest: f32,
    /// The argument of the last Heaviside: how far above threshold.
    pub(crate) margin: Option<f32>,
}

impl Run {
    /// No float overflowed, became NaN or subnormal.
    pub(crate) fn is_normal(&self) -> bool {
        self.largest.is_finite() && self.smallest >= f32::MIN_POSITIVE
    }
}

/// |got − expected| in units of `unit`; infinite where one is no number.
pub(crate) fn error(got: f32, expected: f32, unit: f32) -> f32 {
    if got.to_bits() == expected.to_bits() {
        return 0.0;
    }
    let error = (got - expected).abs() / unit;
    if error.is_nan() { f32::INFINITY } else { error }
}

#[derive(Clone, Copy)]
enum Scalar {
    Float(f32),
    Bool(bool),
    Int(i32),
}

impl Scalar {
    fn float(self) -> f32 {
        match self {
            Self::Float(x) => x,
            _ => panic!("not a float"),
        }
    }

    fn bool(self) -> bool {
        match self {
            Self::Bool(b) => b,
            _ => panic!("not a bool"),
        }
    }

    fn int(self) -> i32 {
        match self {
            Self::Int(i) => i,
            _ => panic!("not an integer"),
        }
    }
}

/// Runs `program`; `load` gives the value of a slot.
#[allow(
    clippy::cast_possible_truncation,
    reason = "constants round to f32, integers wrap"
)]
pub(crate) fn run(program: &Program, mut load: impl FnMut(Slot) -> f32) -> Run {
    let mut values: Vec<Scalar> = Vec::new();
    let (mut largest, mut smallest, mut margin) = (0.0_f32, f32::INFINITY, None);
    for op in &program.ops {
        let value = match op {
            Op::Const(bits) => Scalar::Float(f64::from_bits(*bits) as f32),
            Op::Bool(b) => Scalar::Bool(*b),
            Op::Int(i) => Scalar::Int(*i as i32),
            Op::Load(slot) => Scalar::Float(load(*slot)),
            Op::Unary(u, a) => unary(*u, values[a.index()]),
            Op::Binary(o, a, b) => binary(*o, values[a.index()], values[b.index()]),
            Op::Select(c, yes, no) => {
                let taken: &Value = if values[c.index()].bool() { yes } else { no };
                values[taken.index()]
            }
            Op::Heaviside { x, strict, .. } => {
                let x = values[x.index()].float();
                margin = Some(x);
                Scalar::Float(if x > 0.0 || (x == 0.0 && !strict) {
                    1.0
                } else {
                    0.0
                })
            }
            Op::ExpDifference(_) => panic!("not expanded: {op:?}"),
        };
        if let Scalar::Float(x) = value {
            let size = if x.is_nan() { f32::INFINITY } else { x.abs() };
            largest = largest.max(size);
            if size > 0.0 {
                smallest = smallest.min(size);
            }
        }
        values.push(value);
    }
    let stored = program
        .stores
        .iter()
        .map(|s| values[s.value.index()].float())
        .collect();
    Run {
        stored,
        largest,
        smallest,
        margin,
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "ToInt takes integers within ±2²²"
)]
#[allow(
    clippy::cast_precision_loss,
    reason = "ToFloat takes integers within ±2²²"
)]
fn unary(u: Unary, a: Scalar) -> Scalar {
    match u {
        Unary::Neg => Scalar::Float(-a.float()),
        Unary::Abs => Scalar::Float(a.float().abs()),
        Unary::Sqrt => Scalar::Float(a.float().sqrt()),
        Unary::Floor => Scalar::Float(a.float().floor()),
        Unary::Round => Scalar::Float(a.float().round_ties_even()),
        Unary::Detach => a,
        Unary::Not => Scalar::Bool(!a.bool()),
        Unary::ToInt => Scalar::Int(a.float() as i32),
        Unary::ToFloat => Scalar::Float(a.int() as f32),
        Unary::ToBits => Scalar::Int(a.float().to_bits().cast_signed()),
        Unary::FromBits => Scalar::Float(f32::from_bits(a.int().cast_unsigned())),
        Unary::Indicator => Scalar::Float(if a.bool() { 1.0 } else { 0.0 }),
        Unary::Fired => Scalar::Bool(a.float() != 0.0),
        _ => panic!("not expanded: {u:?}"),
    }
}

fn binary(o: Binary, a: Scalar, b: Scalar) -> Scalar {
    let float = |f: fn(f32, f32) -> f32| Scalar::Float(f(a.float(), b.float()));
    let compare = |f: fn(&f32, &f32) -> bool| Scalar::Bool(f(&a.float(), &b.float()));
    let int = |f: fn(i32, i32) -> i32| Scalar::Int(f(a.int(), b.int()));
    match o {
        Binary::Add => float(|x, y| x + y),
        Binary::Sub => float(|x, y| x - y),
        Binary::Mul => float(|x, y| x * y),
        Binary::Div => float(|x, y| x / y),
        Binary::Min => float(|x, y| if y < x { y } else { x }),
        Binary::Max => float(|x, y| if x < y { y } else { x }),
        Binary::Lt => compare(f32::lt),
        Binary::Le => compare(f32::le),
        Binary::Eq => compare(f32::eq),
        Binary::And => Scalar::Bool(a.bool() && b.bool()),
        Binary::Or => Scalar::Bool(a.bool() || b.bool()),
        Binary::IntAdd => int(i32::wrapping_add),
        Binary::IntSub => int(i32::wrapping_sub),
        Binary::IntAnd => int(|x, y| x & y),
        Binary::IntOr => int(|x, y| x | y),
        Binary::Shl => int(|x, y| x << y),
        Binary::Shr => int(|x, y| x >> y),
        Binary::IntLt => Scalar::Bool(a.int() < b.int()),
        Binary::Pow => panic!("not expanded: {o:?}"),
    }
}
