//! Runs one instruction over a window.
//!
//! Every loop is over a block of known length whose arrays are separate parameters, so that LLVM
//! makes packed code of it. Operands are blocks in memory: of a window, or one block of equal
//! values, in the first-level cache at once; loops for scalars in registers would be many more
//! and little faster.

use super::code::{Code, From, InPlace, Instruction, MAX_ARGS};
use super::table::Window;
use crate::native::{Block, Isa, LANES, Lane, select};
use crate::real::Real;

/// Operand in memory.
#[derive(Clone, Copy)]
struct M<'w, R> {
    blocks: &'w [Block<R>],
    /// All ones for a window, 0 for a block of equal values.
    mask: usize,
}
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

impl<'w, R: Real> Source<R> for M<'w, R> {
    type Lanes = &'w Block<R>;
    #[inline(always)]
    fn block(self, k: usize) -> &'w Block<R> {
        &self.blocks[k & self.mask]
    }
}
impl<R: Real> Lanes<R> for &Block<R> {
    #[inline(always)]
    fn get(self, _: R, l: usize) -> R {
        self[l]
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
    scalars: &'t [Block<R>],
    sources: &'t [From; MAX_ARGS],
    k: usize,
}

impl<'t, R: Real> Operands<'t, '_, R> {
    #[inline(always)]
    fn get(&self, i: usize) -> M<'t, R> {
        match self.sources[i] {
            From::Window(w) => M { blocks: self.table[w as usize].first(self.k), mask: usize::MAX },
            From::Scalar(s) => M { blocks: &self.scalars[s as usize..][..1], mask: 0 },
        }
    }

    /// The value of an operand that is a scalar.
    #[inline(always)]
    fn scalar(&self, i: usize) -> R {
        self.get(i).blocks[0][0]
    }
}

/// Runs `instruction` over the first `k` blocks of its windows; scalars are blocks of equal values.
#[inline(always)]
pub(super) fn execute<R: Real, I: Isa>(
    instruction: &Instruction,
    table: &mut [Window<'_, R>],
    scalars: &[Block<R>],
    k: usize,
) {
    let target = instruction.target as usize;
    let Window::Mut(out) = std::mem::take(&mut table[target]) else { return };
    let from = Operands { table, scalars, sources: &instruction.sources, k };
    compute::<R, I>(instruction, &mut out[..k], &from);
    table[target] = Window::Mut(out);
}

/// `from.get(i)`, or the destination.
macro_rules! operand {
    ($from:ident D) => {
        D
    };
    ($from:ident $i:literal) => {
        $from.get($i)
    };
}

/// Chooses the loop by where the destination is read; the first is for nowhere.
macro_rules! by_place {
    ($instruction:ident, $out:ident, $from:ident, $f:expr; $map:ident($($first:tt)+)
     $(; $at:literal: ($($arg:tt)+))*) => {
        match $instruction.in_place {
            $(InPlace::At($at) => $map($out, $(operand!($from $arg),)+ $f),)*
            _ => $map($out, $(operand!($from $first),)+ $f),
        }
    };
}

#[inline(always)]
fn compute<R: Real, I: Isa>(
    instruction: &Instruction,
    out: &mut [Block<R>],
    from: &Operands<'_, '_, R>,
) {
    let by = instruction.immediate;
    match instruction.code {
        Code::Copy => one(out, from, |x| x),
        Code::Neg => one(out, from, |x| -x),
        Code::Abs => one(out, from, R::abs),
        Code::Sqrt => one(out, from, R::sqrt),
        Code::Floor => one(out, from, |x| x.lane_floor::<I>()),
        Code::Round => one(out, from, |x| x.lane_round::<I>()),
        Code::ToInt => one(out, from, |x| R::lane_from_bits(x.lane_to_int())),
        Code::ToFloat => one(out, from, |x| R::lane_from_int(x.lane_bits())),
        Code::Not => one(out, from, |x| R::lane_mask(!x.lane_is_set())),
        Code::Indicator => one(out, from, |x| select(x.lane_is_set(), R::ONE, R::ZERO)),
        Code::Shl => one(out, from, |x| R::lane_from_bits(R::int_shl(x.lane_bits(), by))),
        Code::Shr => one(out, from, |x| R::lane_from_bits(R::int_shr(x.lane_bits(), by))),
        Code::Add => by_place!(instruction, out, from, |x, y| x + y; map2(0 1); 0: (D 1)),
        Code::Mul => by_place!(instruction, out, from, |x, y| x * y; map2(0 1); 0: (D 1)),
        Code::Sub => {
            by_place!(instruction, out, from, |x, y| x - y; map2(0 1); 0: (D 1); 1: (0 D));
        }
        Code::Div => two(out, from, |x, y| x / y),
        Code::Min => two(out, from, R::lane_min),
        Code::Max => two(out, from, R::lane_max),
        Code::Lt => two(out, from, |x, y| R::lane_mask(x < y)),
        Code::Le => two(out, from, |x, y| R::lane_mask(x <= y)),
        Code::Eq => two(out, from, |x, y| R::lane_mask(x == y)),
        Code::And => two(out, from, |x, y| on_bits(x, y, R::int_and)),
        Code::Or => two(out, from, |x, y| on_bits(x, y, R::int_or)),
        Code::NotAnd => two(out, from, |x, y| R::lane_mask(!x.lane_is_set() & y.lane_is_set())),
        Code::IntAdd => two(out, from, |x, y| on_bits(x, y, R::int_add)),
        Code::IntSub => two(out, from, |x, y| on_bits(x, y, R::int_sub)),
        Code::IntLt => {
            two(out, from, |x, y| R::lane_mask(R::int_lt(x.lane_bits(), y.lane_bits())));
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
    match instruction.code {
        Code::MulAdd => {
            by_place!(instruction, out, from, |x, y, z| x * y + z;
                map3(0 1 2); 0: (D 1 2); 2: (0 1 D));
        }
        Code::MulSub => three(out, from, |x, y, z| x * y - z),
        Code::SubMul => three(out, from, |x, y, z| z - x * y),
        Code::Linear2 => linear::<R, 2>(instruction, out, from),
        Code::Linear3 => linear::<R, 3>(instruction, out, from),
        Code::Linear4 => linear::<R, 4>(instruction, out, from),
        Code::Select => {
            by_place!(instruction, out, from, |w, x, y| select(R::lane_is_set(w), x, y);
                map3(0 1 2); 1: (0 D 2); 2: (0 1 D));
        }
        Code::SelectLt => {
            by_place!(instruction, out, from, |w, x, y, z| select(w < x, y, z);
                map4(0 1 2 3); 2: (0 1 D 3); 3: (0 1 2 D));
        }
        Code::SelectLe => {
            by_place!(instruction, out, from, |w, x, y, z| select(w <= x, y, z);
                map4(0 1 2 3); 2: (0 1 D 3); 3: (0 1 2 D));
        }
        Code::NotAndLt => three(out, from, |w, x, y| R::lane_mask(!w.lane_is_set() & (x < y))),
        Code::NotAndLe => three(out, from, |w, x, y| R::lane_mask(!w.lane_is_set() & (x <= y))),
        Code::Countdown => {
            let f = |u: R, v: R, w: R, x: R, y: R, z: R| {
                select(u.lane_is_set(), v, select(w.lane_is_set(), x - y, z))
            };
            by_place!(instruction, out, from, f; map6(0 1 2 3 4 5); 3: (0 1 2 D 4 5));
        }
        other => unreachable!("{other:?} is not fused"),
    }
}

#[inline(always)]
fn on_bits<R: Real>(x: R, y: R, f: impl Fn(R::Int, R::Int) -> R::Int) -> R {
    R::lane_from_bits(f(x.lane_bits(), y.lane_bits()))
}

#[inline(always)]
fn one<R: Real>(out: &mut [Block<R>], from: &Operands<'_, '_, R>, f: impl Fn(R) -> R + Copy) {
    map1(out, from.get(0), f);
}

#[inline(always)]
fn two<R: Real>(out: &mut [Block<R>], from: &Operands<'_, '_, R>, f: impl Fn(R, R) -> R + Copy) {
    map2(out, from.get(0), from.get(1), f);
}

#[inline(always)]
fn three<R: Real>(
    out: &mut [Block<R>],
    from: &Operands<'_, '_, R>,
    f: impl Fn(R, R, R) -> R + Copy,
) {
    map3(out, from.get(0), from.get(1), from.get(2), f);
}

/// x₀·s₀ + x₁·s₁ + … + c, from the left; the first window may be the destination.
#[inline(always)]
fn linear<R: Real, const N: usize>(
    instruction: &Instruction,
    out: &mut [Block<R>],
    from: &Operands<'_, '_, R>,
) {
    let s: [R; 4] = std::array::from_fn(|i| from.scalar(2 * i.min(N - 1) + 1));
    let c = from.scalar(2 * N);
    match N {
        2 => by_place!(instruction, out, from, |x, y| x * s[0] + y * s[1] + c;
                map2(0 2); 0: (D 2)),
        3 => by_place!(instruction, out, from, |x, y, z| x * s[0] + y * s[1] + z * s[2] + c;
                map3(0 2 4); 0: (D 2 4)),
        _ => by_place!(instruction, out, from,
                |w, x, y, z| w * s[0] + x * s[1] + y * s[2] + z * s[3] + c;
                map4(0 2 4 6); 0: (D 2 4 6)),
    }
}
