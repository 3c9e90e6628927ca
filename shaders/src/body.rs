//! The ops of a program as WGSL statements.

use std::fmt::Write as _;

use rheobase_equations::ir::{Binary, Op, Program, Slot, Unary, Value};

use crate::error::EmitError;
use crate::guard::{Contraction, guarded};
use crate::literal;

/// How a kernel reaches the slots of the program it runs.
pub(crate) trait Memory {
    /// The expression that reads `slot`, and what it is called in the component's text.
    fn load(&self, slot: Slot) -> Result<(String, String), EmitError>;
    /// The statement that writes the float expression `value` to `slot`.
    fn store(&self, slot: Slot, value: &str) -> Result<String, EmitError>;
}

/// All ops as `let` statements, then all stores.
pub(crate) fn emit(
    program: &Program,
    contraction: Contraction,
    memory: &impl Memory,
) -> Result<String, EmitError> {
    let guards = guarded_in_order(program, contraction)?;
    let body = Body {
        program,
        guards,
        named: named_constants(program),
        memory,
    };
    let mut text = String::new();
    for index in 0..program.ops.len() {
        body.op(&mut text, index)?;
    }
    for store in &program.stores {
        if body.program.ops.get(store.value.index()).is_none() {
            return Err(EmitError::Order {
                index: program.ops.len(),
                operand: store.value.0,
            });
        }
        // A slot that keeps its value is not written.
        if program.ops[store.value.index()] != Op::Load(store.slot) {
            let value = body.operand(store.value, false)?;
            line(&mut text, &memory.store(store.slot, &value)?);
        }
    }
    Ok(text)
}

fn guarded_in_order(program: &Program, contraction: Contraction) -> Result<Vec<bool>, EmitError> {
    for (index, op) in program.ops.iter().enumerate() {
        let mut wrong = None;
        op.for_each_operand(|v| {
            if v.index() >= index {
                wrong = Some(v.0);
            }
        });
        if let Some(operand) = wrong {
            return Err(EmitError::Order { index, operand });
        }
    }
    Ok(guarded(program, contraction))
}

/// Constants that need a name. The others are written where they are used; but an operation on
/// literals alone would be a constant expression, whose evaluation WGSL checks more strictly than it
/// runs code, and a `let` is none.
fn named_constants(program: &Program) -> Vec<bool> {
    let mut named = vec![false; program.ops.len()];
    for op in &program.ops {
        match op {
            // Beside a literal of the emitter's own.
            Op::Binary(Binary::Shl | Binary::Shr, x, _) | Op::Heaviside { x, .. } => {
                named[x.index()] = true;
            }
            op => {
                let mut all_constant = true;
                op.for_each_operand(|v| all_constant &= is_constant(program, v));
                if all_constant {
                    op.for_each_operand(|v| named[v.index()] = true);
                }
            }
        }
    }
    named
}

fn is_constant(program: &Program, v: Value) -> bool {
    matches!(
        program.ops[v.index()],
        Op::Const(_) | Op::Bool(_) | Op::Int(_)
    )
}

fn line(text: &mut String, statement: &str) {
    let _ = writeln!(text, "    {statement}");
}

struct Body<'p, M> {
    program: &'p Program,
    guards: Vec<bool>,
    named: Vec<bool>,
    memory: &'p M,
}

impl<M: Memory> Body<'_, M> {
    fn op(&self, text: &mut String, index: usize) -> Result<(), EmitError> {
        let op = &self.program.ops[index];
        let (expression, comment) = match op {
            Op::Const(_) | Op::Bool(_) | Op::Int(_) if !self.named[index] => return Ok(()),
            Op::Const(_) | Op::Bool(_) | Op::Int(_) => (self.constant(index)?, String::new()),
            Op::Load(slot) => {
                let (expression, name) = self.memory.load(*slot)?;
                (
                    expression,
                    if name.is_empty() {
                        name
                    } else {
                        format!(" // {name}")
                    },
                )
            }
            _ => (self.expression(index, op)?, String::new()),
        };
        let expression = if self.guards[index] {
            format!("rounded({expression})")
        } else {
            expression
        };
        line(text, &format!("let v{index} = {expression};{comment}"));
        Ok(())
    }

    fn expression(&self, index: usize, op: &Op) -> Result<String, EmitError> {
        let mut all_constant = true;
        op.for_each_operand(|v| all_constant &= is_constant(self.program, v));
        let operand = |v: Value| self.operand(v, all_constant);
        Ok(match op {
            Op::Unary(unary, a) => self.unary(index, *unary, &operand(*a)?)?,
            Op::Binary(shift @ (Binary::Shl | Binary::Shr), a, b) => {
                let distance = match self.program.ops[b.index()] {
                    Op::Int(d @ 0..32) => d,
                    _ => return Err(EmitError::Shift { index }),
                };
                let a = self.operand(*a, true)?;
                let sign = if *shift == Binary::Shl { "<<" } else { ">>" };
                format!("{a} {sign} {distance}u")
            }
            Op::Binary(binary, a, b) => {
                self.binary(index, *binary, &operand(*a)?, &operand(*b)?)?
            }
            Op::Select(c, yes, no) => {
                format!(
                    "select({}, {}, {})",
                    operand(*no)?,
                    operand(*yes)?,
                    operand(*c)?
                )
            }
            Op::Heaviside { x, strict, .. } => {
                let sign = if *strict { ">" } else { ">=" };
                let (left, right) = self.compared_with_zero(*x)?;
                format!("select(0.0f, 1.0f, {left} {sign} {right})")
            }
            Op::ExpDifference(_) => {
                return Err(EmitError::Unexpanded {
                    index,
                    op: "ExpDifference".to_owned(),
                });
            }
            Op::Const(_) | Op::Bool(_) | Op::Int(_) | Op::Load(_) => self.constant(index)?,
        })
    }

    /// Two operands that compare as `x` and 0 do. With gradual underflow p − q is 0 only where p and
    /// q are equal, so a difference is compared as p with q; that holds on devices without it, too.
    fn compared_with_zero(&self, x: Value) -> Result<(String, String), EmitError> {
        match self.program.ops[x.index()] {
            Op::Binary(Binary::Sub, p, q) => {
                let by_name = is_constant(self.program, p) && is_constant(self.program, q);
                Ok((self.operand(p, by_name)?, self.operand(q, by_name)?))
            }
            _ => Ok((self.operand(x, true)?, "0.0f".to_owned())),
        }
    }

    fn unary(&self, index: usize, unary: Unary, a: &str) -> Result<String, EmitError> {
        Ok(match unary {
            Unary::Neg => format!("-{a}"),
            Unary::Abs => format!("abs({a})"),
            Unary::Sqrt => format!("sqrt({a})"),
            Unary::Floor => format!("floor({a})"),
            Unary::Round => format!("round({a})"),
            Unary::Not => format!("!{a}"),
            Unary::Detach => a.to_owned(),
            Unary::ToInt => format!("i32({a})"),
            Unary::ToFloat => format!("f32({a})"),
            Unary::ToBits => format!("bitcast<i32>({a})"),
            Unary::FromBits => format!("bitcast<f32>({a})"),
            Unary::Indicator => format!("select(0.0f, 1.0f, {a})"),
            Unary::Fired => format!("{a} > 0.5f"),
            Unary::Exp
            | Unary::Expm1
            | Unary::Exprel
            | Unary::Ln
            | Unary::Ln1p
            | Unary::Sin
            | Unary::Cos
            | Unary::Tanh
            | Unary::Erf
            | Unary::Sigmoid => {
                return Err(EmitError::Unexpanded {
                    index,
                    op: format!("{unary:?}"),
                });
            }
        })
    }

    fn binary(&self, index: usize, binary: Binary, a: &str, b: &str) -> Result<String, EmitError> {
        Ok(match binary {
            Binary::Add | Binary::IntAdd => format!("{a} + {b}"),
            Binary::Sub | Binary::IntSub => format!("{a} - {b}"),
            Binary::Mul => format!("{a} * {b}"),
            Binary::Div => format!("{a} / {b}"),
            // Written out: the built-in `min` and `max` leave open which operand wins a tie.
            Binary::Min => format!("select({a}, {b}, {b} < {a})"),
            Binary::Max => format!("select({a}, {b}, {a} < {b})"),
            Binary::Lt | Binary::IntLt => format!("{a} < {b}"),
            Binary::Le => format!("{a} <= {b}"),
            Binary::Eq => format!("{a} == {b}"),
            Binary::And => format!("{a} && {b}"),
            Binary::Or => format!("{a} || {b}"),
            Binary::IntAnd => format!("{a} & {b}"),
            Binary::IntOr => format!("{a} | {b}"),
            Binary::Pow | Binary::Shl | Binary::Shr => {
                return Err(EmitError::Unexpanded {
                    index,
                    op: format!("{binary:?}"),
                });
            }
        })
    }

    /// `v` as an operand: its name, or its literal.
    fn operand(&self, v: Value, by_name: bool) -> Result<String, EmitError> {
        if is_constant(self.program, v) && !by_name {
            self.constant(v.index())
        } else {
            Ok(format!("v{}", v.0))
        }
    }

    fn constant(&self, index: usize) -> Result<String, EmitError> {
        match self.program.ops[index] {
            Op::Const(bits) => literal::float(f64::from_bits(bits), index),
            Op::Bool(b) => Ok(b.to_string()),
            Op::Int(i) => literal::int(i, index),
            _ => Ok(format!("v{index}")),
        }
    }
}
