//! The ops of a program as WGSL statements.

use std::fmt::Write as _;

use rheobase_equations::ir::{Binary, Op, Program, Slot, Type, Unary, Value};
use rheobase_equations::native::prepare::{SpikeAs, prepare};

use crate::error::EmitError;
use crate::guard::{Contraction, guarded};
use crate::literal;

/// How a kernel reaches the slots of the program it runs.
pub(crate) trait Memory {
    /// What is written to a slot lies where it was read: a slot that keeps its value needs no write.
    const IN_PLACE: bool;
    /// The expression that reads `slot`, and what it is called in the component's text.
    fn load(&self, slot: Slot) -> Result<(String, String), EmitError>;
    /// The statement that writes the expression `value`, of that type, to `slot`; empty where nobody
    /// reads it.
    fn store(&self, slot: Slot, value: &str, ty: Type) -> Result<String, EmitError>;
}

/// All ops as `let` statements, then all stores. What is stored to the spike output reaches
/// [`Memory::store`] as `spike` says.
pub(crate) fn emit<M: Memory>(
    program: &Program,
    spike: SpikeAs,
    contraction: Contraction,
    memory: &M,
) -> Result<String, EmitError> {
    check_order(program)?;
    // The pass every runner starts from: gradient markers gone, spikes as truth values.
    let program = &prepare(program, spike);
    let body = Body {
        program,
        types: program.types(),
        guards: guarded(program, contraction),
        named: named_constants(program),
        memory,
    };
    let mut text = String::new();
    for index in 0..program.ops.len() {
        body.op(&mut text, index)?;
    }
    for store in &program.stores {
        let keeps = program.ops[store.value.index()] == Op::Load(store.slot);
        if !keeps || !M::IN_PLACE {
            let value = body.operand(store.value, false)?;
            let ty = body.types[store.value.index()];
            let statement = memory.store(store.slot, &value, ty)?;
            if !statement.is_empty() {
                line(&mut text, &statement);
            }
        }
    }
    Ok(text)
}

/// Every value is defined before it is used.
fn check_order(program: &Program) -> Result<(), EmitError> {
    let n = program.ops.len();
    let mut wrong = None;
    for (index, op) in program.ops.iter().enumerate() {
        op.for_each_operand(|v| {
            if v.index() >= index {
                wrong = wrong.or(Some((index, v.0)));
            }
        });
    }
    let stores = program.stores.iter().map(|s| s.value);
    let undefined = stores.filter(|v| v.index() >= n).map(|v| (n, v.0)).next();
    match wrong.or(undefined) {
        Some((index, operand)) => Err(EmitError::Order { index, operand }),
        None => Ok(()),
    }
}

/// Constants that need a name. The others are written where they are used; but an operation on
/// literals alone would be a constant expression, whose evaluation WGSL checks more strictly than it
/// runs code, and a `let` is none.
fn named_constants(program: &Program) -> Vec<bool> {
    let mut named = vec![false; program.ops.len()];
    for op in &program.ops {
        match op {
            // The distance is always a literal.
            Op::Binary(Binary::Shl | Binary::Shr, x, _) => {
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
    types: Vec<Type>,
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
            Op::ExpDifference(_) | Op::Heaviside { .. } => {
                return Err(EmitError::Unexpanded {
                    index,
                    op: format!("{op:?}"),
                });
            }
            Op::Const(_) | Op::Bool(_) | Op::Int(_) | Op::Load(_) => self.constant(index)?,
        })
    }

    fn unary(&self, index: usize, unary: Unary, a: &str) -> Result<String, EmitError> {
        Ok(match unary {
            Unary::Neg => format!("-{a}"),
            Unary::Abs => format!("abs({a})"),
            Unary::Sqrt => format!("sqrt({a})"),
            Unary::Floor => format!("floor({a})"),
            Unary::Round => format!("round({a})"),
            Unary::Not => format!("!{a}"),
            Unary::ToInt => format!("i32({a})"),
            Unary::ToFloat => format!("f32({a})"),
            Unary::ToBits => format!("bitcast<i32>({a})"),
            Unary::FromBits => format!("bitcast<f32>({a})"),
            Unary::Indicator => format!("select(0.0f, 1.0f, {a})"),
            Unary::Exp
            | Unary::Expm1
            | Unary::Exprel
            | Unary::Ln
            | Unary::Ln1p
            | Unary::Sin
            | Unary::Cos
            | Unary::Tanh
            | Unary::Erf
            | Unary::Sigmoid
            | Unary::Detach
            | Unary::Fired => {
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
