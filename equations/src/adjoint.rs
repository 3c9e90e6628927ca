//! Reverse mode: from a program to the program of its cotangents.
//!
//! For a program y = f(x) the adjoint reads everything f reads and, for each slot f stores, the
//! cotangent of that slot; it stores x̄ = (∂f/∂x)ᵀ·ȳ for the slots asked for. It recomputes the
//! forward values it needs.
//!
//! A step reads *and* writes `State(i)`: in its adjoint, **loading `StateCotangent(i)` means the
//! cotangent of the new state, storing it that of the old one**, so that running adjoints backwards
//! in time passes cotangents from step to step in place.
//!
//! # Rules that are choices
//!
//! - A Heaviside step passes ȳ·σ'(x) with σ' its surrogate. To a shape argument a, on which its value
//!   does not depend, it passes ȳ·∂σ/∂a with σ the primitive, so that a slope can be learned; nothing
//!   where the text writes the surrogate as an expression.
//! - A `select` on [`Unary::Fired`] of a spike passes ȳ·(yes − no) to the spike; other conditions
//!   pass nothing. The branch not taken gets 0.
//! - `min` and `max` pass to the operand chosen (the first where both are equal); |x| has slope 1 at 0.
//! - `floor`, rounding, indicators, `detach` and integer operations pass nothing.
//! - xʸ passes ȳ·y·xʸ⁻¹ to x, and ȳ·xʸ·ln x to y where x > 0.
//!
//! Cotangents are summed from the last use of a value to the first. A branch not taken must have a
//! finite slope all the same: 0·∞ is NaN.
//!
//! The result contains transcendental functions; [`crate::expand::expand`] makes it the same on every
//! machine. [`Op::ExpDifference`] occurs in it only where it occurs in the program.

use std::collections::{BTreeMap, HashMap};

use crate::ir::{Binary, Builder, Op, Program, Slot, SurrogateId, Type, Unary, Value};
use crate::surrogate;

/// The adjoint of `program` with respect to the slots `wrt`; slots that carry no gradient
/// ([`Slot::cotangent`]) are left out, slots the program does not depend on get 0.
///
/// ```
/// use rheobase_equations::adjoint::adjoint;
/// use rheobase_equations::interpret;
/// use rheobase_equations::ir::{Builder, Slot};
///
/// let mut b = Builder::new();
/// let x = b.load(Slot::Argument(0));
/// let square = b.mul(x, x);
/// b.store(Slot::Output(0), square);
/// let gradient = adjoint(&b.finish(), &[Slot::Argument(0)]);
/// let load = &mut |slot| if slot == Slot::OutputCotangent(0) { 1.0 } else { 3.0 };
/// assert_eq!(interpret::run(&gradient, load), [(Slot::ArgumentCotangent(0), 6.0)]);
/// ```
#[must_use]
pub fn adjoint(program: &Program, wrt: &[Slot]) -> Program {
    let mut sweep = Sweep::new(program, wrt);
    sweep.seed();
    for i in (0..program.ops.len()).rev() {
        sweep.propagate(i);
    }
    sweep.finish(wrt)
}

struct Sweep<'a> {
    program: &'a Program,
    b: Builder,
    types: Vec<Type>,
    /// Forward values in `b`.
    values: Vec<Value>,
    /// Depends on a slot of `wrt`.
    active: Vec<bool>,
    cotangents: Vec<Option<Value>>,
    slots: BTreeMap<Slot, Value>,
}

impl<'a> Sweep<'a> {
    fn new(program: &'a Program, wrt: &[Slot]) -> Self {
        let mut b = Builder::new();
        let mut values: Vec<Value> = Vec::with_capacity(program.ops.len());
        let mut active: Vec<bool> = Vec::with_capacity(program.ops.len());
        for op in &program.ops {
            values.push(b.push(op.map_operands(|v| values[v.index()])));
            let mut is_active = matches!(op, Op::Load(slot) if wrt.contains(slot));
            op.for_each_operand(|v| is_active |= active[v.index()]);
            active.push(is_active);
        }
        let cotangents = vec![None; program.ops.len()];
        let types = program.types();
        Self {
            program,
            b,
            types,
            values,
            active,
            cotangents,
            slots: BTreeMap::new(),
        }
    }

    /// Cotangents of what the program stores.
    fn seed(&mut self) {
        for store in &self.program.stores {
            if let Some(slot) = store.slot.cotangent() {
                let g = self.b.load(slot);
                self.pass(store.value, g);
            }
        }
    }

    fn finish(mut self, wrt: &[Slot]) -> Program {
        for slot in wrt {
            if let Some(cotangent) = slot.cotangent() {
                let zero = self.b.constant(0.0);
                let value = self.slots.get(slot).copied().unwrap_or(zero);
                self.b.store(cotangent, value);
            }
        }
        self.b.finish()
    }

    fn value(&self, v: Value) -> Value {
        self.values[v.index()]
    }

    /// Adds `g` to the cotangent of `v`.
    fn pass(&mut self, v: Value, g: Value) {
        if !self.active[v.index()] || self.types[v.index()] != Type::Float {
            return;
        }
        let sum = match self.cotangents[v.index()] {
            None => g,
            Some(sum) => self.b.add(sum, g),
        };
        self.cotangents[v.index()] = Some(sum);
    }

    /// Adds g·slope to the cotangent of `v`.
    fn pass_times(&mut self, v: Value, g: Value, slope: Value) {
        let product = self.b.mul(g, slope);
        self.pass(v, product);
    }

    fn propagate(&mut self, i: usize) {
        let Some(g) = self.cotangents[i] else { return };
        let program = self.program;
        match &program.ops[i] {
            Op::Const(_) | Op::Bool(_) | Op::Int(_) => {}
            Op::Load(slot) => {
                let sum = self.slots.get(slot).copied();
                let sum = sum.map_or(g, |sum| self.b.add(sum, g));
                self.slots.insert(*slot, sum);
            }
            Op::Unary(u, x) => self.unary(*u, *x, self.values[i], g),
            Op::Binary(o, x, y) => self.binary(*o, *x, *y, self.values[i], g),
            Op::Select(c, yes, no) => self.select(*c, *yes, *no, g),
            Op::Heaviside {
                x,
                surrogate,
                arguments,
                ..
            } => {
                let at = self.value(*x);
                let shape: Vec<Value> = arguments.iter().map(|&v| self.value(v)).collect();
                let derivative = surrogate::get(*surrogate).derivative;
                let slope = derivative(&mut self.b, at, &shape);
                self.pass_times(*x, g, slope);
                self.pass_to_shape(*surrogate, at, arguments, g);
            }
            Op::ExpDifference(nodes) => {
                for &node in nodes
                    .iter()
                    .filter(|v| self.active[v.index()])
                    .collect::<Vec<_>>()
                {
                    let mut repeated: Vec<Value> = nodes.iter().map(|&v| self.value(v)).collect();
                    repeated.push(self.value(node));
                    let slope = self.b.push(Op::ExpDifference(repeated));
                    self.pass_times(node, g, slope);
                }
            }
        }
    }

    /// What a surrogate passes to its shape: the gradient of its primitive.
    fn pass_to_shape(&mut self, id: SurrogateId, at: Value, arguments: &[Value], g: Value) {
        let active: Vec<Slot> = (0..arguments.len())
            .filter(|&k| self.active[arguments[k].index()])
            .map(shape_slot)
            .collect();
        if active.is_empty() || id == surrogate::OWN {
            return;
        }
        let shape: Vec<Value> = arguments.iter().map(|&v| self.value(v)).collect();
        let gradient = adjoint(&surrogate::primitive_program(id, shape.len()), &active);
        let mut memo = HashMap::new();
        for (k, &argument) in arguments.iter().enumerate() {
            let slot = shape_slot(k).cotangent();
            let Some(stored) = slot.and_then(|slot| gradient.stored(slot)) else {
                continue;
            };
            let load = &mut |b: &mut Builder, slot| match slot {
                Slot::Argument(0) => at,
                Slot::Argument(k) => shape[k as usize - 1],
                Slot::OutputCotangent(_) => g,
                other => b.load(other),
            };
            let share = self.b.import(&gradient.ops, stored, &mut memo, load);
            self.pass(argument, share);
        }
    }

    fn select(&mut self, c: Value, yes: Value, no: Value, g: Value) {
        if let Op::Unary(Unary::Fired, spike) = self.program.ops[c.index()]
            && self.active[spike.index()]
        {
            let (p, q) = (self.value(yes), self.value(no));
            let jump = self.b.sub(p, q);
            self.pass_times(spike, g, jump);
        }
        self.route(self.value(c), yes, no, g);
    }

    /// Passes g to `yes` where the condition holds, else to `no`.
    fn route(&mut self, condition: Value, yes: Value, no: Value, g: Value) {
        let zero = self.b.constant(0.0);
        if self.active[yes.index()] {
            let to_yes = self.b.select(condition, g, zero);
            self.pass(yes, to_yes);
        }
        if self.active[no.index()] {
            let to_no = self.b.select(condition, zero, g);
            self.pass(no, to_no);
        }
    }

    fn unary(&mut self, u: Unary, operand: Value, y: Value, g: Value) {
        let x = self.value(operand);
        let b = &mut self.b;
        let slope = match u {
            Unary::Neg => {
                let minus = b.neg(g);
                return self.pass(operand, minus);
            }
            Unary::Abs => {
                let (zero, minus) = (b.constant(0.0), b.neg(g));
                let negative = b.binary(Binary::Lt, x, zero);
                let routed = b.select(negative, minus, g);
                return self.pass(operand, routed);
            }
            Unary::Ln => {
                let quotient = b.div(g, x);
                return self.pass(operand, quotient);
            }
            Unary::Ln1p => {
                let one = b.constant(1.0);
                let shifted = b.add(one, x);
                let quotient = b.div(g, shifted);
                return self.pass(operand, quotient);
            }
            Unary::Sqrt => {
                let half = b.constant(0.5);
                b.div(half, y)
            }
            Unary::Exp => y,
            Unary::Expm1 => b.unary(Unary::Exp, x),
            Unary::Exprel => exprel_slope(b, x, y),
            Unary::Sin => b.unary(Unary::Cos, x),
            Unary::Cos => {
                let sin = b.unary(Unary::Sin, x);
                b.neg(sin)
            }
            Unary::Tanh => {
                let one = b.constant(1.0);
                let (below, above) = (b.sub(one, y), b.add(one, y));
                b.mul(below, above)
            }
            Unary::Erf => gaussian(b, x),
            Unary::Sigmoid => {
                // 1 − sigmoid(x) without cancellation.
                let minus = b.neg(x);
                let rest = b.unary(Unary::Sigmoid, minus);
                b.mul(y, rest)
            }
            Unary::Floor
            | Unary::Not
            | Unary::Detach
            | Unary::Round
            | Unary::ToInt
            | Unary::ToFloat
            | Unary::ToBits
            | Unary::FromBits
            | Unary::Indicator
            | Unary::Fired => return,
        };
        self.pass_times(operand, g, slope);
    }

    fn binary(&mut self, o: Binary, left: Value, right: Value, result: Value, g: Value) {
        let (x, y) = (self.value(left), self.value(right));
        match o {
            Binary::Add => {
                self.pass(left, g);
                self.pass(right, g);
            }
            Binary::Sub => {
                self.pass(left, g);
                let minus = self.b.neg(g);
                self.pass(right, minus);
            }
            Binary::Mul => {
                self.pass_times(left, g, y);
                self.pass_times(right, g, x);
            }
            Binary::Div => {
                let quotient = self.b.div(g, y);
                self.pass(left, quotient);
                let minus = self.b.neg(quotient);
                self.pass_times(right, minus, result);
            }
            Binary::Min => {
                let second = self.b.binary(Binary::Lt, y, x);
                self.route(second, right, left, g);
            }
            Binary::Max => {
                let second = self.b.binary(Binary::Lt, x, y);
                self.route(second, right, left, g);
            }
            Binary::Pow => self.pow(left, right, result, g),
            _ => {}
        }
    }

    fn pow(&mut self, base: Value, exponent: Value, result: Value, g: Value) {
        let (x, y) = (self.value(base), self.value(exponent));
        let (zero, one) = (self.b.constant(0.0), self.b.constant(1.0));
        if self.active[base.index()] {
            let less = self.b.sub(y, one);
            let power = self.b.binary(Binary::Pow, x, less);
            let slope = self.b.mul(y, power);
            self.pass_times(base, g, slope);
        }
        if self.active[exponent.index()] {
            let positive = self.b.gt(x, zero);
            let safe = self.b.select(positive, x, one);
            let ln = self.b.unary(Unary::Ln, safe);
            let slope = self.b.mul(result, ln);
            self.pass_times(exponent, g, slope);
        }
    }
}

/// Where the k-th shape argument stands in the program of a surrogate.
fn shape_slot(k: usize) -> Slot {
    Slot::Argument(Value::at(k + 1).0)
}

/// erf'(x) = 2/√π·e^−x².
fn gaussian(b: &mut Builder, x: Value) -> Value {
    let square = b.mul(x, x);
    let minus = b.neg(square);
    let e = b.unary(Unary::Exp, minus);
    let factor = b.constant(std::f64::consts::FRAC_2_SQRT_PI);
    b.mul(factor, e)
}

/// exprel'(x) = (eˣ − exprel(x))/x, and near 0, where that cancels, Σ xᵏ·(k + 1)/(k + 2)!.
fn exprel_slope(b: &mut Builder, x: Value, exprel: Value) -> Value {
    /// Where the series takes over: the quotient loses a factor of 4 there.
    const NEAR: f64 = 0.7;
    const DEGREE: i32 = 16;
    let (zero, one, near) = (b.constant(0.0), b.constant(1.0), b.constant(NEAR));
    let magnitude = b.unary(Unary::Abs, x);
    let is_near = b.binary(Binary::Lt, magnitude, near);
    let small = b.select(is_near, x, zero);
    let mut coefficients = Vec::new();
    let mut factorial = 1.0;
    for k in 0..=DEGREE {
        factorial *= f64::from(k + 2);
        coefficients.push(f64::from(k + 1) / factorial);
    }
    let mut series = zero;
    for coefficient in coefficients.into_iter().rev() {
        let coefficient = b.constant(coefficient);
        let product = b.mul(series, small);
        series = b.add(product, coefficient);
    }
    let e = b.unary(Unary::Exp, x);
    let difference = b.sub(e, exprel);
    let divisor = b.select(is_near, one, x);
    let quotient = b.div(difference, divisor);
    b.select(is_near, series, quotient)
}

#[cfg(test)]
mod tests;
