//! Primitive mode: the spike replaced by the curve whose derivative the surrogate is.
//!
//! The result is a smooth program, so that its gradient can be judged by differences. What a spike
//! decides becomes a blend: `select` on a spike s gives no + s·(yes − no). What carries no gradient,
//! a detached spike, still follows the threshold.

use crate::ir::{Builder, Op, Program, Unary, Value};
use crate::lower::Component;
use crate::surrogate;

/// `program` with every Heaviside step replaced by the primitive of its surrogate.
///
/// ```
/// use rheobase_equations::interpret::run;
/// use rheobase_equations::ir::{Builder, Op, Slot};
/// use rheobase_equations::primitive::primitive;
/// use rheobase_equations::surrogate::find;
///
/// let mut b = Builder::new();
/// let (x, alpha) = (b.load(Slot::Argument(0)), b.constant(4.0));
/// let surrogate = find("sigmoid").unwrap();
/// let step = b.push(Op::Heaviside { x, strict: false, surrogate, arguments: vec![alpha] });
/// b.store(Slot::Output(0), step);
/// let program = b.finish();
/// assert_eq!(run(&program, &mut |_| 0.0)[0].1, 1.0);
/// assert_eq!(run(&primitive(&program), &mut |_| 0.0)[0].1, 0.5);
/// ```
#[must_use]
pub fn primitive(program: &Program) -> Program {
    let mut b = Builder::new();
    // As it is, and smooth: equal where no spike has a part in the value.
    let mut plain: Vec<Value> = Vec::with_capacity(program.ops.len());
    let mut smooth: Vec<Value> = Vec::with_capacity(program.ops.len());
    for op in &program.ops {
        let as_it_is = b.push(op.map_operands(|v| plain[v.index()]));
        let soft = soften(&mut b, program, op, as_it_is, &smooth);
        plain.push(as_it_is);
        smooth.push(soft);
    }
    for store in &program.stores {
        b.store(store.slot, smooth[store.value.index()]);
    }
    b.finish()
}

fn soften(b: &mut Builder, program: &Program, op: &Op, plain: Value, smooth: &[Value]) -> Value {
    match op {
        Op::Heaviside {
            x,
            surrogate,
            arguments,
            ..
        } => {
            let shape: Vec<Value> = arguments.iter().map(|v| smooth[v.index()]).collect();
            (surrogate::get(*surrogate).primitive)(b, smooth[x.index()], &shape)
        }
        Op::Unary(Unary::Detach | Unary::Fired, _) => plain,
        Op::Select(c, yes, no) => {
            let (yes, no) = (smooth[yes.index()], smooth[no.index()]);
            match program.ops[c.index()] {
                Op::Unary(Unary::Fired, spike)
                    if !matches!(program.ops[spike.index()], Op::Unary(Unary::Detach, _)) =>
                {
                    let jump = b.sub(yes, no);
                    let share = b.mul(smooth[spike.index()], jump);
                    b.add(no, share)
                }
                _ => b.select(smooth[c.index()], yes, no),
            }
        }
        op => b.push(op.map_operands(|v| smooth[v.index()])),
    }
}

impl Component {
    /// The component in primitive mode: its step is smooth in states, inputs and parameters.
    #[must_use]
    pub fn in_primitive_mode(&self) -> Self {
        Self {
            step: primitive(&self.step),
            ..self.clone()
        }
    }
}
