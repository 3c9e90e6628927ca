//! Forward mode: values with one tangent each.

use super::{Interpreter, exp_difference, reference};
use crate::ir::{Binary, Op, Program, Slot, SurrogateId, Unary, Value};
use crate::surrogate::{OWN, derivative_program, primitive_program};

/// A value and its derivative along one direction.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Dual {
    /// The value.
    pub value: f64,
    /// Its derivative.
    pub tangent: f64,
}

/// Runs `program` in f64 and carries the derivative along one direction.
///
/// A Heaviside step has the derivative of its surrogate by its argument, and that of the surrogate's
/// primitive by the shape (none by expressions of the text); a `select` on [`Unary::Fired`] passes (yes − no) times the tangent of the
/// spike; `detach`, rounding, indicators and integer operations have none.
pub fn run_dual(program: &Program, load: &mut dyn FnMut(Slot) -> Dual) -> Vec<(Slot, Dual)> {
    let mut values = Interpreter::<f64>::new(program.clone());
    values.run(|slot| load(slot).value, |_, _| {});
    let mut sweep = Sweep {
        program,
        values: &values,
        tangents: vec![0.0; program.ops.len()],
    };
    for (i, op) in program.ops.iter().enumerate() {
        sweep.tangents[i] = match op {
            Op::Load(slot) => load(*slot).tangent,
            other => sweep.tangent(i, other),
        };
    }
    let stores = program.stores.iter();
    stores
        .map(|s| {
            let tangent = sweep.of(s.value);
            (
                s.slot,
                Dual {
                    value: values.float(s.value),
                    tangent,
                },
            )
        })
        .collect()
}

struct Sweep<'a> {
    program: &'a Program,
    values: &'a Interpreter<f64>,
    tangents: Vec<f64>,
}

impl Sweep<'_> {
    fn of(&self, v: Value) -> f64 {
        self.tangents[v.index()]
    }

    fn tangent(&self, i: usize, op: &Op) -> f64 {
        match op {
            Op::Const(_) | Op::Bool(_) | Op::Int(_) | Op::Load(_) => 0.0,
            Op::Unary(u, x) => self.unary(i, *u, *x),
            Op::Binary(o, x, y) => self.binary(i, *o, *x, *y),
            Op::Select(c, yes, no) => {
                let chosen = if self.values.boolean(*c) {
                    self.of(*yes)
                } else {
                    self.of(*no)
                };
                match self.program.ops[c.index()] {
                    Op::Unary(Unary::Fired, spike) => {
                        let jump = self.values.float(*yes) - self.values.float(*no);
                        chosen + jump * self.of(spike)
                    }
                    _ => chosen,
                }
            }
            Op::Heaviside {
                x,
                surrogate,
                arguments,
                ..
            } => {
                let slope = derivative_program(*surrogate, arguments.len());
                let mut load = |slot| match slot {
                    Slot::Argument(0) => self.values.float(*x),
                    Slot::Argument(k) => self.values.float(arguments[k as usize - 1]),
                    _ => 0.0,
                };
                let by_x = super::run(&slope, &mut load)[0].1 * self.of(*x);
                by_x + self.by_shape(*surrogate, *x, arguments)
            }
            Op::ExpDifference(z) => {
                let repeated = |&node: &Value| {
                    let mut nodes: Vec<f64> = z.iter().map(|&v| self.values.float(v)).collect();
                    nodes.push(self.values.float(node));
                    exp_difference(&mut nodes) * self.of(node)
                };
                z.iter().map(repeated).sum()
            }
        }
    }

    /// Change of a surrogate's primitive by its shape.
    fn by_shape(&self, id: SurrogateId, x: Value, arguments: &[Value]) -> f64 {
        if id == OWN || arguments.iter().all(|&v| self.of(v) == 0.0) {
            return 0.0;
        }
        let primitive = primitive_program(id, arguments.len());
        let stored = run_dual(&primitive, &mut |slot| match slot {
            Slot::Argument(0) => Dual {
                value: self.values.float(x),
                tangent: 0.0,
            },
            Slot::Argument(k) => Dual {
                value: self.values.float(arguments[k as usize - 1]),
                tangent: self.of(arguments[k as usize - 1]),
            },
            _ => Dual::default(),
        });
        stored.first().map_or(0.0, |(_, dual)| dual.tangent)
    }

    fn unary(&self, i: usize, u: Unary, operand: Value) -> f64 {
        let (x, dx) = (self.values.float(operand), self.of(operand));
        let value = self.values.float(Value::at(i));
        match u {
            Unary::Neg => -dx,
            Unary::Abs => {
                if x < 0.0 {
                    -dx
                } else {
                    dx
                }
            }
            Unary::Sqrt => dx / (2.0 * value),
            Unary::Exp => value * dx,
            Unary::Expm1 => reference::exp(x) * dx,
            Unary::Exprel => exp_difference(&mut [0.0, x, x]) * dx,
            Unary::Ln => dx / x,
            Unary::Ln1p => dx / (1.0 + x),
            Unary::Sin => reference::cos(x) * dx,
            Unary::Cos => -reference::sin(x) * dx,
            Unary::Tanh => (1.0 - value * value) * dx,
            Unary::Erf => std::f64::consts::FRAC_2_SQRT_PI * reference::exp(-x * x) * dx,
            Unary::Sigmoid => value * (1.0 - value) * dx,
            _ => 0.0,
        }
    }

    fn binary(&self, i: usize, o: Binary, left: Value, right: Value) -> f64 {
        let (x, y) = (self.values.float(left), self.values.float(right));
        let (dx, dy) = (self.of(left), self.of(right));
        match o {
            Binary::Add => dx + dy,
            Binary::Sub => dx - dy,
            Binary::Mul => dx * y + x * dy,
            Binary::Div => (dx - x / y * dy) / y,
            Binary::Min => {
                if y < x {
                    dy
                } else {
                    dx
                }
            }
            Binary::Max => {
                if x < y {
                    dy
                } else {
                    dx
                }
            }
            Binary::Pow => {
                let value = self.values.float(Value::at(i));
                let by_base = y * reference::power(x, y - 1.0) * dx;
                let by_exponent = if x > 0.0 {
                    value * reference::ln(x) * dy
                } else {
                    0.0
                };
                by_base + by_exponent
            }
            _ => 0.0,
        }
    }
}
