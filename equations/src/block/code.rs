//! Instructions.

use super::fuse::Source;

/// Most operands an instruction has.
pub(super) const MAX_ARGS: usize = 9;

/// What an instruction computes. Truth values are float-wide masks, integers are bit patterns, so
/// that every operand is a float or looks like one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Code {
    Copy,
    Neg,
    Abs,
    Sqrt,
    Floor,
    Round,
    ToInt,
    ToFloat,
    Not,
    /// 1 where the mask is set, else 0.
    Indicator,
    /// Shift left by the immediate.
    Shl,
    /// Shift right by the immediate, sign kept.
    Shr,
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
    Lt,
    Le,
    Eq,
    /// Bitwise, for masks and integers.
    And,
    /// Bitwise, for masks and integers.
    Or,
    /// `!x & y`.
    NotAnd,
    IntAdd,
    IntSub,
    IntLt,
    /// x·y + z, rounded twice.
    MulAdd,
    /// x·y − z, rounded twice.
    MulSub,
    /// z − x·y, rounded twice.
    SubMul,
    /// Products of a window and a scalar, summed from the left, a scalar added last; each op
    /// rounded.
    Linear2,
    Linear3,
    Linear4,
    /// `w ? x : y` for a mask w.
    Select,
    /// `w < x ? y : z`.
    SelectLt,
    /// `w ≤ x ? y : z`.
    SelectLe,
    /// `!w & (x < y)` as a mask.
    NotAndLt,
    /// `!w & (x ≤ y)` as a mask.
    NotAndLe,
    /// `u ? v : (w ? x − y : z)` for masks u, w: the refractory counter.
    Countdown,
}

#[cfg(test)]
impl Code {
    pub(super) const ALL: [Self; 39] = {
        use Code::*;
        [
            Copy, Neg, Abs, Sqrt, Floor, Round, ToInt, ToFloat, Not, Indicator, Shl, Shr, Add, Sub,
            Mul, Div, Min, Max, Lt, Le, Eq, And, Or, NotAnd, IntAdd, IntSub, IntLt, MulAdd, MulSub,
            SubMul, Linear2, Linear3, Linear4, Select, SelectLt, SelectLe, NotAndLt, NotAndLe,
            Countdown,
        ]
    };
}

/// Where an instruction reads the old contents of its destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum InPlace {
    /// Nowhere.
    No,
    /// As this operand.
    At(u8),
}

/// The ways of reading the destination the executor has loops for, besides not at all. Each loop is
/// compiled for two precisions and three levels: only what steps of neurons need is here.
pub(super) fn in_place(code: Code) -> &'static [u8] {
    match code {
        Code::Add | Code::Mul | Code::Linear2 | Code::Linear3 | Code::Linear4 => &[0],
        Code::Sub => &[0, 1],
        Code::MulAdd => &[0, 2],
        Code::Select => &[1, 2],
        Code::SelectLt | Code::SelectLe => &[2, 3],
        Code::Countdown => &[3],
        _ => &[],
    }
}

/// Lets those operands change places that may without changing the result; false if none may.
pub(super) fn mirrored(code: Code, args: &mut [Source]) -> bool {
    match code {
        Code::Add
        | Code::Mul
        | Code::Eq
        | Code::And
        | Code::Or
        | Code::IntAdd
        | Code::MulAdd
        | Code::MulSub
        | Code::SubMul => args.swap(0, 1),
        // The first two products.
        Code::Linear2 | Code::Linear3 | Code::Linear4 => {
            args.swap(0, 2);
            args.swap(1, 3);
        }
        _ => return false,
    }
    true
}

/// A window or a scalar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum From {
    /// Position in the table of windows.
    Window(u32),
    /// Position in the list of scalars.
    Scalar(u32),
}

/// One instruction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instruction {
    pub(super) code: Code,
    pub(super) in_place: InPlace,
    /// Shift amount.
    pub(super) immediate: u32,
    /// Window written.
    pub(super) target: u32,
    /// What is read; the operand read in place is ignored.
    pub(super) sources: [From; MAX_ARGS],
}
