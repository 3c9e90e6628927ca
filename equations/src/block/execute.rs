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
        #[inline(always)]
        fn $map<R: Real, $($A: Source<R>),+>(
            out: &mut [Block<R>], $($a: $A,)+ f: impl Fn($(loops!(@ty $a)),+) -> R + Copy,
        ) {
            for (k, out) in out.iter_mut().enumerate() {
                $lanes(out, $($a.block(k),)+ f);
            }
        }

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
        Code::Copy if shape == ONE_S => map1(out, from.s(0), |x| x),
        Code::Copy => map1(out, from.v(0), |x| x),
        Code::Neg => map1(out, from.v(0), |x: R| -x),
        Code::Abs => map1(out, from.v(0), R::abs),
        Code::Sqrt => map1(out, from.v(0), R::sqrt),
        Code::Floor => map1(out, from.v(0), |x: R| x.lane_floor::<I>()),
        Code::Round => map1(out, from.v(0), |x: R| x.lane_round::<I>()),
        Code::ToInt => map1(out, from.v(0), |x: R| R::lane_from_bits(x.lane_to_int())),
        Code::ToFloat => map1(out, from.v(0), |x: R| R::lane_from_int(x.lane_bits())),
        Code::Not => map1(out, from.v(0), |x: R| R::lane_mask(!x.lane_is_set())),
        Code::Indicator => {
            map1(out, from.v(0), |x: R| {
                select(x.lane_is_set(), R::ONE, R::ZERO)
            });
        }
        Code::Shl => map1(out, from.v(0), |x: R| on_bits1(x, |i| R::int_shl(i, by))),
        Code::Shr => map1(out, from.v(0), |x: R| on_bits1(x, |i| R::int_shr(i, by))),
        Code::Add => sum(shape, out, from, |x, y| x + y),
        Code::Mul => sum(shape, out, from, |x, y| x * y),
        Code::Sub => difference(shape, out, from, |x, y| x - y),
        Code::Div => comparison(shape, out, from, |x, y| x / y),
        Code::Min => comparison(shape, out, from, R::lane_min),
        Code::Max => comparison(shape, out, from, R::lane_max),
        Code::Lt => comparison(shape, out, from, |x, y| R::lane_mask(x < y)),
        Code::Le => comparison(shape, out, from, |x, y| R::lane_mask(x <= y)),
        Code::Eq => map2(out, from.v(0), from.v(1), |x: R, y: R| R::lane_mask(x == y)),
        Code::And => map2(out, from.v(0), from.v(1), |x, y| on_bits(x, y, R::int_and)),
        Code::Or => map2(out, from.v(0), from.v(1), |x, y| on_bits(x, y, R::int_or)),
        Code::NotAnd => {
            map2(out, from.v(0), from.v(1), |x: R, y: R| {
                R::lane_mask(!x.lane_is_set() & y.lane_is_set())
            });
        }
        Code::IntAdd => integer(shape, out, from, |x, y| on_bits(x, y, R::int_add)),
        Code::IntSub => integer(shape, out, from, |x, y| on_bits(x, y, R::int_sub)),
        Code::IntLt => map2(out, from.v(0), from.v(1), |x: R, y: R| {
            R::lane_mask(R::int_lt(x.lane_bits(), y.lane_bits()))
        }),
        Code::MulAdd => product(shape, out, from, |x, y, z| x * y + z),
        Code::MulSub => product(shape, out, from, |x, y, z| x * y - z),
        Code::SubMul => product(shape, out, from, |x, y, z| z - x * y),
        Code::Linear2 => linear::<R, 2, false>(shape == LINEAR2D, out, from),
        Code::Linear3 => linear::<R, 3, false>(shape == LINEAR3D, out, from),
        Code::Linear4 => linear::<R, 4, false>(shape == LINEAR4D, out, from),
        Code::Linear2C => linear::<R, 2, true>(shape == LINEAR2CD, out, from),
        Code::Linear3C => linear::<R, 3, true>(shape == LINEAR3CD, out, from),
        Code::Linear4C => linear::<R, 4, true>(shape == LINEAR4CD, out, from),
        Code::Countdown => countdown(shape, out, from),
        Code::Select => choice(shape, out, from, |w, x, y| select(w.lane_is_set(), x, y)),
        Code::SelectLt => compared_choice(shape, out, from, |w, x, y, z| select(w < x, y, z)),
        Code::SelectLe => compared_choice(shape, out, from, |w, x, y, z| select(w <= x, y, z)),
        Code::NotAndLt => guarded(shape, out, from, |w, x, y| {
            R::lane_mask(!w.lane_is_set() & (x < y))
        }),
        Code::NotAndLe => guarded(shape, out, from, |w, x, y| {
            R::lane_mask(!w.lane_is_set() & (x <= y))
        }),
    }
}

#[inline(always)]
fn on_bits1<R: Real>(x: R, f: impl Fn(R::Int) -> R::Int) -> R {
    R::lane_from_bits(f(x.lane_bits()))
}

#[inline(always)]
fn on_bits<R: Real>(x: R, y: R, f: impl Fn(R::Int, R::Int) -> R::Int) -> R {
    R::lane_from_bits(f(x.lane_bits(), y.lane_bits()))
}

type Out<'o, R> = &'o mut [Block<R>];
type From<'f, 't, 'w, R> = &'f Operands<'t, 'w, R>;

/// Commutative, two operands.
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
fn difference<R: Real>(
    shape: Shape,
    out: Out<'_, R>,
    from: From<'_, '_, '_, R>,
    f: impl Fn(R, R) -> R + Copy,
) {
    by_shape! { shape, out, from, f; map2;
        VV = V 0 V 1; VS = V 0 S 1; SV = S 0 V 1; DV = D 0 V 1; VD = V 0 D 1; DS = D 0 S 1;
        SD = S 0 D 1;
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
fn integer<R: Real>(
    shape: Shape,
    out: Out<'_, R>,
    from: From<'_, '_, '_, R>,
    f: impl Fn(R, R) -> R + Copy,
) {
    by_shape! { shape, out, from, f; map2; VV = V 0 V 1; VS = V 0 S 1; }
}

#[inline(always)]
fn product<R: Real>(
    shape: Shape,
    out: Out<'_, R>,
    from: From<'_, '_, '_, R>,
    f: impl Fn(R, R, R) -> R + Copy,
) {
    by_shape! { shape, out, from, f; map3;
        VVV = V 0 V 1 V 2; VVS = V 0 V 1 S 2; VVD = V 0 V 1 D 2;
        VSV = V 0 S 1 V 2; VSS = V 0 S 1 S 2; VSD = V 0 S 1 D 2;
        DVV = D 0 V 1 V 2; DVS = D 0 V 1 S 2; DSV = D 0 S 1 V 2; DSS = D 0 S 1 S 2;
    }
}

/// x₀·s₀ + x₁·s₁ + … (+ c), from the left; the first window may be the destination.
#[inline(always)]
fn linear<R: Real, const N: usize, const C: bool>(
    in_place: bool,
    out: Out<'_, R>,
    from: From<'_, '_, '_, R>,
) {
    let factors: [R; N] = std::array::from_fn(|i| from.s(2 * i + 1).0);
    let constant = if C { from.s(2 * N).0 } else { R::ZERO };
    let [x1, x2, x3] = std::array::from_fn(|i| if i + 1 < N { from.v(2 * i + 2) } else { V(&[]) });
    if in_place {
        for k in 0..out.len() {
            linear_block::<R, _, N, C>(&mut out[k], D, [x1, x2, x3], k, factors, constant);
        }
    } else {
        let x0 = from.v(0);
        for k in 0..out.len() {
            let first = x0.block(k);
            linear_block::<R, _, N, C>(&mut out[k], first, [x1, x2, x3], k, factors, constant);
        }
    }
}

#[inline(always)]
fn linear_block<R: Real, A: Lanes<R>, const N: usize, const C: bool>(
    out: &mut Block<R>,
    x0: A,
    rest: [V<'_, R>; 3],
    k: usize,
    factors: [R; N],
    constant: R,
) {
    let finish = |sum: R| if C { sum + constant } else { sum };
    let f = |i: usize| factors[i];
    match N {
        2 => lanes2(out, x0, rest[0].block(k), |a, b| {
            finish(a * f(0) + b * f(1))
        }),
        3 => lanes3(out, x0, rest[0].block(k), rest[1].block(k), |a, b, c| {
            finish(a * f(0) + b * f(1) + c * f(2))
        }),
        _ => lanes4(
            out,
            x0,
            rest[0].block(k),
            rest[1].block(k),
            rest[2].block(k),
            |a, b, c, e| finish(a * f(0) + b * f(1) + c * f(2) + e * f(3)),
        ),
    }
}

#[inline(always)]
fn countdown<R: Real>(shape: Shape, out: Out<'_, R>, from: From<'_, '_, '_, R>) {
    let f = |u: R, v: R, w: R, x: R, y: R, z: R| {
        select(u.lane_is_set(), v, select(w.lane_is_set(), x - y, z))
    };
    by_shape! { shape, out, from, f; map6;
        COUNT_S = V 0 S 1 V 2 V 3 S 4 S 5; COUNT_SD = V 0 S 1 V 2 D 3 S 4 S 5;
        COUNT_V = V 0 V 1 V 2 V 3 S 4 S 5; COUNT_VD = V 0 V 1 V 2 D 3 S 4 S 5;
        COUNT_VVV = V 0 V 1 V 2 V 3 V 4 V 5;
    }
}

#[inline(always)]
fn choice<R: Real>(
    shape: Shape,
    out: Out<'_, R>,
    from: From<'_, '_, '_, R>,
    f: impl Fn(R, R, R) -> R + Copy,
) {
    by_shape! { shape, out, from, f; map3;
        VVV = V 0 V 1 V 2; VVS = V 0 V 1 S 2; VSV = V 0 S 1 V 2; VSS = V 0 S 1 S 2;
        VVD = V 0 V 1 D 2; VSD = V 0 S 1 D 2; VDV = V 0 D 1 V 2; VDS = V 0 D 1 S 2;
    }
}

#[inline(always)]
fn guarded<R: Real>(
    shape: Shape,
    out: Out<'_, R>,
    from: From<'_, '_, '_, R>,
    f: impl Fn(R, R, R) -> R + Copy,
) {
    by_shape! { shape, out, from, f; map3;
        VVV = V 0 V 1 V 2; VVS = V 0 V 1 S 2; VSV = V 0 S 1 V 2;
    }
}

#[inline(always)]
fn compared_choice<R: Real>(
    shape: Shape,
    out: Out<'_, R>,
    from: From<'_, '_, '_, R>,
    f: impl Fn(R, R, R, R) -> R + Copy,
) {
    by_shape! { shape, out, from, f; map4;
        VVVV = V 0 V 1 V 2 V 3; VVVS = V 0 V 1 V 2 S 3; VVSV = V 0 V 1 S 2 V 3;
        VVSS = V 0 V 1 S 2 S 3; VSVV = V 0 S 1 V 2 V 3; VSVS = V 0 S 1 V 2 S 3;
        VSSV = V 0 S 1 S 2 V 3; VSSS = V 0 S 1 S 2 S 3; SVVV = S 0 V 1 V 2 V 3;
        SVVS = S 0 V 1 V 2 S 3; SVSV = S 0 V 1 S 2 V 3; SVSS = S 0 V 1 S 2 S 3;
        VVVD = V 0 V 1 V 2 D 3; VVDV = V 0 V 1 D 2 V 3; VVSD = V 0 V 1 S 2 D 3;
        VVDS = V 0 V 1 D 2 S 3; VSVD = V 0 S 1 V 2 D 3; VSDV = V 0 S 1 D 2 V 3;
        VSSD = V 0 S 1 S 2 D 3; VSDS = V 0 S 1 D 2 S 3; SVVD = S 0 V 1 V 2 D 3;
        SVDV = S 0 V 1 D 2 V 3; SVSD = S 0 V 1 S 2 D 3; SVDS = S 0 V 1 D 2 S 3;
    }
}
