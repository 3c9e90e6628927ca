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
    /// Products of a window and a scalar, summed from the left, each op rounded.
    Linear2,
    Linear3,
    Linear4,
    /// The same, a scalar added last.
    Linear2C,
    Linear3C,
    Linear4C,
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
    pub(super) const ALL: [Self; 42] = {
        use Code::*;
        [
            Copy, Neg, Abs, Sqrt, Floor, Round, ToInt, ToFloat, Not, Indicator, Shl, Shr, Add, Sub,
            Mul, Div, Min, Max, Lt, Le, Eq, And, Or, NotAnd, IntAdd, IntSub, IntLt, MulAdd, MulSub,
            SubMul, Linear2, Linear3, Linear4, Linear2C, Linear3C, Linear4C, Select, SelectLt,
            SelectLe, NotAndLt, NotAndLe, Countdown,
        ]
    };
}

/// Kind of an operand: two bits of a [`Shape`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Arg {
    /// A window.
    V = 0,
    /// A scalar.
    S = 1,
    /// The old contents of the destination.
    D = 2,
}

/// Kinds of all operands, the first in the lowest bits.
pub(super) type Shape = u32;

/// The shape of these operands.
pub(super) const fn shape(kinds: &[Arg]) -> Shape {
    let mut bits = 0;
    let mut i = 0;
    while i < kinds.len() {
        bits |= (kinds[i] as Shape) << (2 * i);
        i += 1;
    }
    bits
}

/// Shapes by name, as far as instructions support them.
pub(super) mod shapes {
    use super::Arg::{D, S, V};
    use super::{Shape, shape};

    macro_rules! shapes {
        ($($name:ident = $($kind:ident)+;)*) => {
            $(pub(in super::super) const $name: Shape = shape(&[$($kind),+]);)*
        };
    }
    shapes! {
        ONE_V = V; ONE_S = S;
        VV = V V; VS = V S; SV = S V; DV = D V; VD = V D; DS = D S; SD = S D;
        VVV = V V V; VVS = V V S; VVD = V V D; VSV = V S V; VSS = V S S; VSD = V S D;
        DVV = D V V; DVS = D V S; DSV = D S V; DSS = D S S;
        VDV = V D V; VDS = V D S;
        VSVS = V S V S; VVVS = V V V S; VVVV = V V V V; VVSV = V V S V; VVSS = V V S S;
        VSVV = V S V V; VSSV = V S S V; VSSS = V S S S;
        SVVV = S V V V; SVVS = S V V S; SVSV = S V S V; SVSS = S V S S;
        VVVD = V V V D; VVDV = V V D V; VVSD = V V S D; VVDS = V V D S;
        VSVD = V S V D; VSDV = V S D V; VSSD = V S S D; VSDS = V S D S;
        SVVD = S V V D; SVDV = S V D V; SVSD = S V S D; SVDS = S V D S;
        LINEAR2 = V S V S; LINEAR2D = D S V S; LINEAR2C = V S V S S; LINEAR2CD = D S V S S;
        LINEAR3 = V S V S V S; LINEAR3D = D S V S V S; LINEAR3C = V S V S V S S;
        LINEAR3CD = D S V S V S S; LINEAR4 = V S V S V S V S; LINEAR4D = D S V S V S V S;
        LINEAR4C = V S V S V S V S S; LINEAR4CD = D S V S V S V S S;
        COUNT_S = V S V V S S; COUNT_SD = V S V D S S; COUNT_V = V V V V S S;
        COUNT_VD = V V V D S S; COUNT_VVV = V V V V V V;
    }
}

/// The shapes the executor has a loop for.
pub(super) fn supported(code: Code) -> &'static [Shape] {
    use shapes::*;
    match code {
        Code::Copy => &[ONE_V, ONE_S],
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
        | Code::Shr => &[ONE_V],
        Code::Add | Code::Mul => &[VV, VS, DV, DS],
        Code::Sub => &[VV, VS, SV, DV, VD, DS, SD],
        Code::Div | Code::Min | Code::Max | Code::Lt | Code::Le => &[VV, VS, SV],
        Code::IntAdd | Code::IntSub => &[VV, VS],
        Code::Eq | Code::And | Code::Or | Code::NotAnd | Code::IntLt => &[VV],
        Code::MulAdd | Code::MulSub | Code::SubMul => {
            &[VVV, VVS, VVD, VSV, VSS, VSD, DVV, DVS, DSV, DSS]
        }
        Code::Linear2 => &[LINEAR2, LINEAR2D],
        Code::Linear3 => &[LINEAR3, LINEAR3D],
        Code::Linear4 => &[LINEAR4, LINEAR4D],
        Code::Linear2C => &[LINEAR2C, LINEAR2CD],
        Code::Linear3C => &[LINEAR3C, LINEAR3CD],
        Code::Linear4C => &[LINEAR4C, LINEAR4CD],
        Code::Countdown => &[COUNT_VVV, COUNT_S, COUNT_SD, COUNT_V, COUNT_VD],
        Code::Select => &[VVV, VVS, VSV, VSS, VVD, VSD, VDV, VDS],
        Code::SelectLt | Code::SelectLe => &[
            VVVV, VVVS, VVSV, VVSS, VSVV, VSVS, VSSV, VSSS, SVVV, SVVS, SVSV, SVSS, VVVD, VVDV,
            VVSD, VVDS, VSVD, VSDV, VSSD, VSDS, SVVD, SVDV, SVSD, SVDS,
        ],
        Code::NotAndLt | Code::NotAndLe => &[VVV, VVS, VSV],
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
        Code::Linear2
        | Code::Linear3
        | Code::Linear4
        | Code::Linear2C
        | Code::Linear3C
        | Code::Linear4C => {
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
