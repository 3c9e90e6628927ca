//! Runs one instruction over a window.
//!
//! Every loop is over a block of known length whose arrays are separate parameters, so that LLVM
//! makes packed code of it; shapes of operands are chosen outside of the loop.

use super::code::{Code, Instruction, MAX_ARGS, Shape, shapes::*};
use super::table::Window;
use crate::native::{Block, Isa, LANES, select};
use crate::real::Real;

/// Operand that is a window.
#[derive(Clone, Copy)]
struct V<'w, R>(&'w [Block<R>]);
/// Operand that is a scalar.
#[derive(Clone, Copy)]
struct S<R>(R);
/// Operand that is the old contents of the destination.
#[derive(Clone, Copy)]
struct D;

/// An operand over all blocks of a window.
trait Source<R>: Copy {
    type Lanes: Lanes<R>;
    fn block(self, k: usize) -> Self::Lanes;
}

/// An operand over one block.
trait Lanes<R>: Copy {
    fn get(self, old: R, l: usize) -> R;
}

impl<'w, R: Real> Source<R> for V<'w, R> {
    type Lanes = &'w Block<R>;
    #[inline(always)]
    fn block(self, k: usize) -> &'w Block<R> {
        &self.0[k]
    }
}
impl<R: Real> Lanes<R> for &Block<R> {
    #[inline(always)]
    fn get(self, _: R, l: usize) -> R {
        self[l]
    }
}
impl<R: Real> Source<R> for S<R> {
    type Lanes = Self;
    #[inline(always)]
    fn block(self, _: usize) -> Self {
        self
    }
}
impl<R: Real> Lanes<R> for S<R> {
    #[inline(always)]
    fn get(self, _: R, _: usize) -> R {
        self.0
    }
}
impl<R: Real> Source<R> for D {
    type Lanes = Self;
    #[inline(always)]
    fn block(self, _: usize) -> Self {
        self
    }
}
impl<R: Real> Lanes<R> for D {
    #[inline(always)]
    fn get(self, old: R, _: usize) -> R {
        old
    }
}

/// The loops, by number of operands.
macro_rules! loops {
    ($($map:ident, $lanes:ident: $($A:ident $a:ident),+;)*) => {$(
        #[allow(clippy::too_many_arguments, reason = "one for each operand")]
        #[inline(always)]
        fn $map<R: Real, $($A: Source<R>),+>(
            out: &mut [Block<R>], $($a: $A,)+ f: impl Fn($(loops!(@ty $a)),+) -> R + Copy,
        ) {
            for (k, out) in out.iter_mut().enumerate() {
                $lanes(out, $($a.block(k),)+ f);
            }
        }

        #[allow(clippy::too_many_arguments, reason = "one for each operand")]
        #[inline(always)]
        fn $lanes<R: Real, $($A: Lanes<R>),+>(
            out: &mut Block<R>, $($a: $A,)+ f: impl Fn($(loops!(@ty $a)),+) -> R,
        ) {
            for l in 0..LANES {
                let old = out[l];
                out[l] = f($($a.get(old, l)),+);
            }
        }
    )*};
    (@ty $a:ident) => { R };
}
loops! {
    map1, lanes1: A a;
    map2, lanes2: A a, B b;
    map3, lanes3: A a, B b, C c;
    map4, lanes4: A a, B b, C c, E e;
    map6, lanes6: A a, B b, C c, E e, F g, G h;
}

/// The operands of an instruction.
struct Operands<'t, 'w, R> {
    table: &'t [Window<'w, R>],
    scalars: &'t [R],
    sources: [u32; MAX_ARGS],
    k: usize,
}

impl<'t, R: Real> Operands<'t, '_, R> {
    #[inline(always)]
    fn v(&self, i: usize) -> V<'t, R> {
        V(self.table[self.sources[i] as usize].first(self.k))
    }

    #[inline(always)]
    fn s(&self, i: usize) -> S<R> {
        S(self.scalars[self.sources[i] as usize])
    }
}

/// `from.v(0)` and so on, by letter.
macro_rules! operand {
    ($from:ident V $i:literal) => {
        $from.v($i)
    };
    ($from:ident S $i:literal) => {
        $from.s($i)
    };
    ($from:ident D $i:literal) => {
        D
    };
}

/// Chooses the loop for a shape.
macro_rules! by_shape {
    ($shape:expr, $out:ident, $from:ident, $f:expr; $map:ident;
     $($name:ident = $($kind:ident $i:literal)+;)*) => {
        match $shape {
            $($name => $map($out, $(operand!($from $kind $i),)+ $f),)*
            other => unreachable!("no loop for shape {other:#b}"),
        }
    };
}

/// Runs `instruction` over the first `k` blocks of its windows.
#[inline(always)]
pub(super) fn execute<R: Real, I: Isa>(
    instruction: &Instruction,
    table: &mut [Window<'_, R>],
    scalars: &[R],
    k: usize,
) {
    let target = instruction.target as usize;
    let Window::Mut(out) = std::mem::take(&mut table[target]) else {
        return;
    };
    let from = Operands {
        table,
        scalars,
        sources: instruction.sources,
        k,
    };
    compute::<R, I>(instruction, &mut out[..k], &from);
    table[target] = Window::Mut(out);
}

#[inline(always)]
fn compute<R: Real, I: Isa>(
    instruction: &Instruction,
    out: &mut [Block<R>],
    from: &Operands<'_, '_, R>,
) {
    let shape = instruction.shape;
    let by = instruction.immediate;
    match instruction.code {
        Code::Copy => by_shape! { shape, out, from, |x| x; map1; S1 = S 0; V1 = V 0; },
        Code::Neg => one(out, from, |x| -x),
        Code::Abs => one(out, from, R::abs),
        Code::Sqrt => one(out, from, R::sqrt),
        Code::Floor => one(out, from, |x| x.lane_floor::<I>()),
        Code::Round => one(out, from, |x| x.lane_round::<I>()),
        Code::ToInt => one(out, from, |x| R::lane_from_bits(x.lane_to_int())),
        Code::ToFloat => one(out, from, |x| R::lane_from_int(x.lane_bits())),
        Code::Not => one(out, from, |x| R::lane_mask(!x.lane_is_set())),
        Code::Indicator => one(out, from, |x| select(x.lane_is_set(), R::ONE, R::ZERO)),
        Code::Shl => one(out, from, |x| {
            R::lane_from_bits(R::int_shl(x.lane_bits(), by))
        }),
        Code::Shr => one(out, from, |x| {
            R::lane_from_bits(R::int_shr(x.lane_bits(), by))
        }),
        Code::Add => sum(shape, out, from, |x, y| x + y),
        Code::Mul => sum(shape, out, from, |x, y| x * y),
        Code::Sub => by_shape! { shape, out, from, |x, y| x - y; map2;
            VV = V 0 V 1; VS = V 0 S 1; SV = S 0 V 1; DV = D 0 V 1; VD = V 0 D 1; DS = D 0 S 1;
        },
        Code::Div => two(out, from, |x, y| x / y),
        Code::Min => two(out, from, R::lane_min),
        Code::Max => two(out, from, R::lane_max),
        Code::Lt => comparison(shape, out, from, |x, y| R::lane_mask(x < y)),
        Code::Le => comparison(shape, out, from, |x, y| R::lane_mask(x <= y)),
        Code::Eq => two(out, from, |x, y| R::lane_mask(x == y)),
        Code::And => two(out, from, |x, y| on_bits(x, y, R::int_and)),
        Code::Or => two(out, from, |x, y| on_bits(x, y, R::int_or)),
        Code::NotAnd => two(out, from, |x, y| {
            R::lane_mask(!x.lane_is_set() & y.lane_is_set())
        }),
        Code::IntAdd => two(out, from, |x, y| on_bits(x, y, R::int_add)),
        Code::IntSub => two(out, from, |x, y| on_bits(x, y, R::int_sub)),
        Code::IntLt => {
            two(out, from, |x, y| {
                R::lane_mask(R::int_lt(x.lane_bits(), y.lane_bits()))
            });
        }
        _ => compute_fused(instruction, out, from),
    }
}

#[inline(always)]
fn compute_fused<R: Real>(
    instruction: &Instruction,
    out: &mut [Block<R>],
    from: &Operands<'_, '_, R>,
) {
    let shape = instruction.shape;
    match instruction.code {
        Code::MulAdd => by_shape! { shape, out, from, |x, y, z| x * y + z; map3;
            VVV = V 0 V 1 V 2; VVS = V 0 V 1 S 2; VSV = V 0 S 1 V 2; VSS = V 0 S 1 S 2;
            VVD = V 0 V 1 D 2; VSD = V 0 S 1 D 2; DVV = D 0 V 1 V 2; DSV = D 0 S 1 V 2;
        },
        Code::MulSub => product(shape, out, from, |x, y, z| x * y - z),
        Code::SubMul => product(shape, out, from, |x, y, z| z - x * y),
        Code::Linear2 => linear2(shape, out, from),
        Code::Linear3 => linear3(shape, out, from),
        Code::Linear4 => linear4(shape, out, from),
        Code::Select => by_shape! { shape, out, from, |w, x, y| select(R::lane_is_set(w), x, y);
            map3;
            VVV = V 0 V 1 V 2; VVS = V 0 V 1 S 2; VSV = V 0 S 1 V 2; VVD = V 0 V 1 D 2;
            VDV = V 0 D 1 V 2;
        },
        Code::SelectLt => compared_choice(shape, out, from, |w, x, y, z| select(w < x, y, z)),
        Code::SelectLe => compared_choice(shape, out, from, |w, x, y, z| select(w <= x, y, z)),
        Code::NotAndLt => {
            product(shape, out, from, |w, x, y| {
                R::lane_mask(!w.lane_is_set() & (x < y))
            });
        }
        Code::NotAndLe => {
            product(shape, out, from, |w, x, y| {
                R::lane_mask(!w.lane_is_set() & (x <= y))
            });
        }
        Code::Countdown => {
            let f = |u: R, v: R, w: R, x: R, y: R, z: R| {
                select(u.lane_is_set(), v, select(w.lane_is_set(), x - y, z))
            };
            by_shape! { shape, out, from, f; map6;
                COUNTDOWN_S = V 0 S 1 V 2 D 3 S 4 S 5; COUNTDOWN_V = V 0 V 1 V 2 D 3 S 4 S 5;
                COUNTDOWN = V 0 V 1 V 2 V 3 V 4 V 5;
            }
        }
        other => unreachable!("{other:?} is not fused"),
    }
}

#[inline(always)]
fn on_bits<R: Real>(x: R, y: R, f: impl Fn(R::Int, R::Int) -> R::Int) -> R {
    R::lane_from_bits(f(x.lane_bits(), y.lane_bits()))
}

type Out<'o, R> = &'o mut [Block<R>];
type From<'f, 't, 'w, R> = &'f Operands<'t, 'w, R>;

#[inline(always)]
fn one<R: Real>(out: Out<'_, R>, from: From<'_, '_, '_, R>, f: impl Fn(R) -> R + Copy) {
    map1(out, from.v(0), f);
}

#[inline(always)]
fn two<R: Real>(out: Out<'_, R>, from: From<'_, '_, '_, R>, f: impl Fn(R, R) -> R + Copy) {
    map2(out, from.v(0), from.v(1), f);
}

#[inline(always)]
fn sum<R: Real>(
    shape: Shape,
    out: Out<'_, R>,
    from: From<'_, '_, '_, R>,
    f: impl Fn(R, R) -> R + Copy,
) {
    by_shape! { shape, out, from, f; map2;
        VV = V 0 V 1; VS = V 0 S 1; DV = D 0 V 1; DS = D 0 S 1;
    }
}

#[inline(always)]
fn comparison<R: Real>(
    shape: Shape,
    out: Out<'_, R>,
    from: From<'_, '_, '_, R>,
    f: impl Fn(R, R) -> R + Copy,
) {
    by_shape! { shape, out, from, f; map2; VV = V 0 V 1; VS = V 0 S 1; SV = S 0 V 1; }
}

#[inline(always)]
fn product<R: Real>(
    shape: Shape,
    out: Out<'_, R>,
    from: From<'_, '_, '_, R>,
    f: impl Fn(R, R, R) -> R + Copy,
) {
    by_shape! { shape, out, from, f; map3; VVV = V 0 V 1 V 2; VSV = V 0 S 1 V 2; }
}

#[inline(always)]
fn compared_choice<R: Real>(
    shape: Shape,
    out: Out<'_, R>,
    from: From<'_, '_, '_, R>,
    f: impl Fn(R, R, R, R) -> R + Copy,
) {
    by_shape! { shape, out, from, f; map4;
        VVVV = V 0 V 1 V 2 V 3; VSVV = V 0 S 1 V 2 V 3; SVVV = S 0 V 1 V 2 V 3;
        VVVD = V 0 V 1 V 2 D 3; VVDV = V 0 V 1 D 2 V 3;
    }
}

#[inline(always)]
fn linear2<R: Real>(shape: Shape, out: Out<'_, R>, from: From<'_, '_, '_, R>) {
    let (s, t, c) = (from.s(1).0, from.s(3).0, from.s(4).0);
    let f = |x: R, y: R| x * s + y * t + c;
    by_shape! { shape, out, from, f; map2; LINEAR2 = V 0 V 2; LINEAR2D = D 0 V 2; }
}

#[inline(always)]
fn linear3<R: Real>(shape: Shape, out: Out<'_, R>, from: From<'_, '_, '_, R>) {
    let (s, t, u, c) = (from.s(1).0, from.s(3).0, from.s(5).0, from.s(6).0);
    let f = |x: R, y: R, z: R| x * s + y * t + z * u + c;
    by_shape! { shape, out, from, f; map3; LINEAR3 = V 0 V 2 V 4; LINEAR3D = D 0 V 2 V 4; }
}

#[inline(always)]
fn linear4<R: Real>(shape: Shape, out: Out<'_, R>, from: From<'_, '_, '_, R>) {
    let (r, s, t) = (from.s(1).0, from.s(3).0, from.s(5).0);
    let (u, c) = (from.s(7).0, from.s(8).0);
    let f = |w: R, x: R, y: R, z: R| w * r + x * s + y * t + z * u + c;
    by_shape! { shape, out, from, f; map4;
        LINEAR4 = V 0 V 2 V 4 V 6; LINEAR4D = D 0 V 2 V 4 V 6;
    }
}
