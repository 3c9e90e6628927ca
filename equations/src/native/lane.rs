//! What one lane of a kernel computes: the operations of the IR that plain operators do not cover.
//!
//! Every runner (native code, block interpreter) goes through these functions, so that they agree
//! bit for bit. Each is written so that a loop over lanes becomes packed instructions on every
//! instruction set, SSE2 included, where rounding has no instruction of its own.

use std::fmt::Debug;

use super::dispatch::Isa;

/// `condition ? yes : no`, without a branch: inside a loop it becomes a blend.
#[inline(always)]
pub fn select<T>(condition: bool, yes: T, no: T) -> T {
    std::hint::select_unpredictable(condition, yes, no)
}

/// Lane arithmetic of f32 and f64.
pub trait Lane: Copy + Sized {
    /// Signed integer as wide as the float.
    type Int: Copy + Debug + Default + PartialEq + Send + Sync + 'static;

    /// `other < self ? other : self`.
    fn lane_min(self, other: Self) -> Self;
    /// `self < other ? other : self`.
    fn lane_max(self, other: Self) -> Self;
    /// Largest integer ≤ x; by an instruction where `I` has one.
    fn lane_floor<I: Isa>(self) -> Self;
    /// Nearest integer, ties to even; by an instruction where `I` has one.
    fn lane_round<I: Isa>(self) -> Self;
    /// Integer value of a float holding an integer within ±2²² (f32) or ±2⁵¹ (f64).
    fn lane_to_int(self) -> Self::Int;
    /// Inverse of [`Self::lane_to_int`], within the same range.
    fn lane_from_int(int: Self::Int) -> Self;
    /// Bit pattern.
    fn lane_bits(self) -> Self::Int;
    /// Float with the given bit pattern.
    fn lane_from_bits(bits: Self::Int) -> Self;
    /// Low bits of an integer constant.
    fn lane_int(int: i64) -> Self::Int;
    /// Sum, wrapping.
    fn int_add(a: Self::Int, b: Self::Int) -> Self::Int;
    /// Difference, wrapping.
    fn int_sub(a: Self::Int, b: Self::Int) -> Self::Int;
    /// Bitwise and.
    fn int_and(a: Self::Int, b: Self::Int) -> Self::Int;
    /// Bitwise or.
    fn int_or(a: Self::Int, b: Self::Int) -> Self::Int;
    /// Shift left; the amount is taken modulo the width.
    fn int_shl(a: Self::Int, by: u32) -> Self::Int;
    /// Shift right, sign kept; the amount is taken modulo the width.
    fn int_shr(a: Self::Int, by: u32) -> Self::Int;
    /// a < b, signed.
    fn int_lt(a: Self::Int, b: Self::Int) -> bool;
    /// A truth value as a float-wide mask: all bits set, or none.
    fn lane_mask(condition: bool) -> Self;
    /// The truth value of a mask.
    fn lane_is_set(self) -> bool;
}

macro_rules! lane {
    ($float:ident, $int:ident, big: $big:literal, magic: $magic:literal) => {
        impl Lane for $float {
            type Int = $int;

            #[inline(always)]
            fn lane_min(self, other: Self) -> Self {
                select(other < self, other, self)
            }

            #[inline(always)]
            fn lane_max(self, other: Self) -> Self {
                select(self < other, other, self)
            }

            #[inline(always)]
            fn lane_floor<I: Isa>(self) -> Self {
                if I::ROUNDS {
                    return self.floor();
                }
                let near = self.lane_round::<I>();
                near - select(near > self, 1.0, 0.0)
            }

            #[inline(always)]
            fn lane_round<I: Isa>(self) -> Self {
                if I::ROUNDS {
                    return self.round_ties_even();
                }
                // From 2^mantissa on every float is an integer; adding that pushes the fraction
                // out, rounding to even. The sign is restored so that −0.3 gives −0.
                const BIG: $float = $big;
                const SIGN: $int = $int::MIN;
                let magnitude = self.abs();
                let rounded = ((magnitude + BIG) - BIG).lane_bits();
                let signed = Self::lane_from_bits(rounded | (self.lane_bits() & SIGN));
                select(magnitude < BIG, signed, self)
            }

            #[inline(always)]
            fn lane_to_int(self) -> Self::Int {
                (self + Self::MAGIC)
                    .lane_bits()
                    .wrapping_sub(Self::MAGIC.lane_bits())
            }

            #[inline(always)]
            fn lane_from_int(int: Self::Int) -> Self {
                Self::lane_from_bits(int.wrapping_add(Self::MAGIC.lane_bits())) - Self::MAGIC
            }

            #[inline(always)]
            fn lane_bits(self) -> Self::Int {
                self.to_bits().cast_signed()
            }

            #[inline(always)]
            fn lane_from_bits(bits: Self::Int) -> Self {
                Self::from_bits(bits.cast_unsigned())
            }

            #[inline(always)]
            #[allow(clippy::cast_possible_truncation, reason = "low bits are the purpose")]
            fn lane_int(int: i64) -> Self::Int {
                int as $int
            }

            #[inline(always)]
            fn int_add(a: Self::Int, b: Self::Int) -> Self::Int {
                a.wrapping_add(b)
            }

            #[inline(always)]
            fn int_sub(a: Self::Int, b: Self::Int) -> Self::Int {
                a.wrapping_sub(b)
            }

            #[inline(always)]
            fn int_and(a: Self::Int, b: Self::Int) -> Self::Int {
                a & b
            }

            #[inline(always)]
            fn int_or(a: Self::Int, b: Self::Int) -> Self::Int {
                a | b
            }

            #[inline(always)]
            fn int_shl(a: Self::Int, by: u32) -> Self::Int {
                a.wrapping_shl(by)
            }

            #[inline(always)]
            fn int_shr(a: Self::Int, by: u32) -> Self::Int {
                a.wrapping_shr(by)
            }

            #[inline(always)]
            fn int_lt(a: Self::Int, b: Self::Int) -> bool {
                a < b
            }

            #[inline(always)]
            fn lane_mask(condition: bool) -> Self {
                Self::lane_from_bits(select(condition, -1, 0))
            }

            #[inline(always)]
            fn lane_is_set(self) -> bool {
                // The sign bit alone: that is what blend instructions look at.
                self.lane_bits() < 0
            }
        }

        impl Magic for $float {
            const MAGIC: Self = $magic;
        }
    };
}

/// 1.5 · 2^mantissa: adding it leaves an integer in the low bits, negative ones included.
trait Magic {
    const MAGIC: Self;
}

// 2^mantissa, and one and a half times that.
lane!(f32, i32, big: 8_388_608.0, magic: 12_582_912.0);
lane!(f64, i64, big: 4_503_599_627_370_496.0, magic: 6_755_399_441_055_744.0);

#[cfg(test)]
mod tests {
    use super::super::dispatch::{Baseline, Isa};
    use super::*;

    struct Rounding;
    impl Isa for Rounding {
        const ROUNDS: bool = true;
    }

    fn probes() -> Vec<f64> {
        let mut x = vec![
            0.0,
            -0.0,
            0.3,
            -0.3,
            0.5,
            -0.5,
            1.5,
            -1.5,
            2.5,
            -2.5,
            0.49999999999999994,
            4_194_303.5,
            4_194_304.5,
            -8_388_607.5,
            8_388_608.0,
            1e30,
            -1e30,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ];
        x.extend((-4000..4000).map(|k| f64::from(k) * 0.37));
        x
    }

    #[test]
    fn rounding_without_an_instruction_gives_the_same_bits() {
        for x in probes() {
            for y in [x, x.next_up(), x.next_down()] {
                assert_eq!(
                    y.lane_round::<Baseline>().to_bits(),
                    y.lane_round::<Rounding>().to_bits(),
                    "round {y}"
                );
                assert_eq!(
                    y.lane_floor::<Baseline>().to_bits(),
                    y.lane_floor::<Rounding>().to_bits(),
                    "floor {y}"
                );
            }
            #[allow(clippy::cast_possible_truncation, reason = "probe in f32")]
            let x = x as f32;
            for y in [x, x.next_up(), x.next_down()] {
                assert_eq!(
                    y.lane_round::<Baseline>().to_bits(),
                    y.lane_round::<Rounding>().to_bits(),
                    "round {y}"
                );
                assert_eq!(
                    y.lane_floor::<Baseline>().to_bits(),
                    y.lane_floor::<Rounding>().to_bits(),
                    "floor {y}"
                );
            }
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "exact in the tested range")]
    #[test]
    fn integers_survive_the_round_trip() {
        for k in [0_i32, 1, -1, 127, -150, 4_194_303, -4_194_303] {
            assert_eq!((k as f32).lane_to_int(), k);
            assert_eq!(f32::lane_from_int(k).to_bits(), (k as f32).to_bits());
        }
        for k in [0_i64, 1, -1, 1023, (1 << 51) - 1, 1 - (1 << 51)] {
            assert_eq!((k as f64).lane_to_int(), k);
            assert_eq!(f64::lane_from_int(k).to_bits(), (k as f64).to_bits());
        }
    }

    #[test]
    fn min_and_max_keep_the_first_operand_when_unordered() {
        assert!(f64::NAN.lane_min(1.0).is_nan());
        assert_eq!(1.0_f64.lane_min(f64::NAN).to_bits(), 1.0_f64.to_bits());
        assert_eq!(0.0_f32.lane_max(-0.0).to_bits(), 0.0_f32.to_bits());
        assert_eq!((-0.0_f32).lane_max(0.0).to_bits(), (-0.0_f32).to_bits());
    }
}
