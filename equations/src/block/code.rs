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

/// Kind of an operand: two bits of a [`Shape`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Arg {
    /// A window; a scalar is spread over one if need be.
    V = 0,
    /// A scalar.
    S = 1,
    /// The old contents of the destination.
    D = 2,
}

/// Kinds of all operands, the first in the lowest bits.
pub(super) type Shape = u32;

const fn shape(kinds: &[Arg]) -> Shape {
    let mut bits = 0;
    let mut i = 0;
    while i < kinds.len() {
        bits |= (kinds[i] as Shape) << (2 * i);
        i += 1;
    }
    bits
}

/// The kind of operand `k`.
pub(super) fn kind(shape: Shape, k: usize) -> Arg {
    match shape >> (2 * k) & 3 {
        0 => Arg::V,
        1 => Arg::S,
        _ => Arg::D,
    }
}

/// Shapes by name.
pub(super) mod shapes {
    use super::Arg::{D, S, V};
    use super::{Shape, shape};

    macro_rules! shapes {
        ($($name:ident = $($kind:ident)+;)*) => {
            $(pub(in super::super) const $name: Shape = shape(&[$($kind),+]);)*
        };
    }
    shapes! {
        V1 = V; S1 = S;
        VV = V V; VS = V S; SV = S V; DV = D V; VD = V D; DS = D S;
        VVV = V V V; VVS = V V S; VVD = V V D; VSV = V S V; VSS = V S S; VSD = V S D;
        DSV = D S V; DVV = D V V; VDV = V D V;
        VVVV = V V V V; VSVV = V S V V; SVVV = S V V V; VVVD = V V V D; VVDV = V V D V;
        LINEAR2 = V S V S S; LINEAR2D = D S V S S;
        LINEAR3 = V S V S V S S; LINEAR3D = D S V S V S S;
        LINEAR4 = V S V S V S V S S; LINEAR4D = D S V S V S V S S;
        COUNTDOWN = V V V V V V; COUNTDOWN_S = V S V D S S; COUNTDOWN_V = V V V D S S;
    }
}

/// The shapes the executor has a loop for, the best first; the last takes any operands except the
/// destination. Each loop is compiled for two precisions and three levels, so only what programs
/// spend their time in has its own.
pub(super) fn supported(code: Code) -> &'static [Shape] {
    use shapes::*;
    match code {
        Code::Copy => &[S1, V1],
        Code::Neg
        | Code::Abs
        | Code::Sqrt
        | Code::Floor
        | Code::Round
        | Code::ToInt
        | Code::ToFloat
        | Code::Not
        | Code::Indicator
        | Code::Shl
        | Code::Shr => &[V1],
        Code::Add | Code::Mul => &[DS, DV, VS, VV],
        Code::Sub => &[DS, DV, VD, SV, VS, VV],
        Code::Lt | Code::Le => &[SV, VS, VV],
        Code::Div
        | Code::Min
        | Code::Max
        | Code::Eq
        | Code::And
        | Code::Or
        | Code::NotAnd
        | Code::IntAdd
        | Code::IntSub
        | Code::IntLt => &[VV],
        Code::MulAdd => &[DSV, DVV, VSD, VVD, VSS, VSV, VVS, VVV],
        Code::MulSub | Code::SubMul => &[VSV, VVV],
        Code::Linear2 => &[LINEAR2D, LINEAR2],
        Code::Linear3 => &[LINEAR3D, LINEAR3],
        Code::Linear4 => &[LINEAR4D, LINEAR4],
        Code::Select => &[VVD, VDV, VSV, VVS, VVV],
        Code::SelectLt | Code::SelectLe => &[VVVD, VVDV, SVVV, VSVV, VVVV],
        Code::NotAndLt | Code::NotAndLe => &[VSV, VVV],
        Code::Countdown => &[COUNTDOWN_S, COUNTDOWN_V, COUNTDOWN],
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

/// One instruction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instruction {
    pub(super) code: Code,
    pub(super) shape: Shape,
    /// Shift amount.
    pub(super) immediate: u32,
    /// Window written.
    pub(super) target: u32,
    /// Windows or scalars read, by the shape.
    pub(super) sources: [u32; MAX_ARGS],
}
