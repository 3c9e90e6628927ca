//! The two floating-point types populations are computed in.

use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// Precision of a population.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// 64-bit floats.
    F64,
}

/// f32 or f64.
pub trait Real:
    Copy
    + Send
    + Sync
    + 'static
    + Default
    + Debug
    + Display
    + PartialEq
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + bytemuck::Pod
    + crate::native::Lane
    + crate::block::Interpreted
{
    /// Which of the two.
    const PRECISION: Precision;
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Bytes of one value.
    const BYTES: usize;
    /// Rounds to nearest.
    fn from_f64(x: f64) -> Self;
    /// Exact.
    fn from_i16(x: i16) -> Self;
    /// Exact.
    fn to_f64(self) -> f64;
    /// Correctly rounded square root.
    fn sqrt(self) -> Self;
    /// |x|.
    fn abs(self) -> Self;
    /// x·y + z, rounded once. Slow where the code is not compiled for instructions that fuse.
    fn mul_add(self, y: Self, z: Self) -> Self;
    /// Largest integer ≤ x.
    fn floor(self) -> Self;
    /// Nearest integer, ties to even.
    fn round_ties_even(self) -> Self;
    /// Neither NaN nor infinite.
    fn is_finite(self) -> bool;
    /// Bits, sign-extended.
    fn to_int_bits(self) -> i64;
    /// From the low bits.
    fn from_int_bits(bits: i64) -> Self;
}

macro_rules! real {
    ($t:ident, $int:ident, $precision:ident) => {
        impl Real for $t {
            const PRECISION: Precision = Precision::$precision;
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const BYTES: usize = size_of::<$t>();
            #[inline(always)]
            #[allow(clippy::cast_possible_truncation, reason = "rounding is the purpose")]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn from_i16(x: i16) -> Self {
                <$t>::from(x)
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                <$t>::sqrt(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                <$t>::abs(self)
            }
            #[inline(always)]
            #[allow(
                clippy::disallowed_methods,
                reason = "for products of layers, which fuse knowingly"
            )]
            fn mul_add(self, y: Self, z: Self) -> Self {
                <$t>::mul_add(self, y, z)
            }
            #[inline(always)]
            fn floor(self) -> Self {
                <$t>::floor(self)
            }
            #[inline(always)]
            fn round_ties_even(self) -> Self {
                <$t>::round_ties_even(self)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                <$t>::is_finite(self)
            }
            #[inline(always)]
            fn to_int_bits(self) -> i64 {
                i64::from(self.to_bits() as $int)
            }
            #[inline(always)]
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "low bits"
            )]
            fn from_int_bits(bits: i64) -> Self {
                <$t>::from_bits((bits as $int).cast_unsigned())
            }
        }
    };
}
real!(f32, i32, F32);
real!(f64, i64, F64);
