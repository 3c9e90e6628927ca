//! Streams used while a network is built.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Purpose, stream_key};

/// Generator of one row of a construction stream. Its transcendental functions are `libm`'s, which
/// give the same bits on every machine.
#[derive(Clone, Debug)]
pub struct Construction(Xoshiro256PlusPlus);

/// The stream of `row` of the `index`-th thing of `purpose`.
#[must_use]
#[inline]
pub fn construction_stream(seed: u64, purpose: Purpose, index: u64, row: u64) -> Construction {
    let key = stream_key(stream_key(seed, purpose, index), purpose, row);
    Construction(Xoshiro256PlusPlus::seed_from_u64(key))
}

impl Construction {
    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in (0, 1): never 0, never 1.
    #[allow(clippy::cast_precision_loss, reason = "52 bits fit")]
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) * (1.0 / 4_503_599_627_370_496.0)
    }

    /// Uniform in `0 .. n` (multiply-shift with rejection: exactly uniform).
    ///
    /// # Panics
    /// Debug builds assert `n > 0`.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "high word of a product below n·2^32"
    )]
    #[inline]
    pub fn below(&mut self, n: u32) -> u32 {
        debug_assert!(n > 0);
        loop {
            let product = (self.bits() >> 32) * u64::from(n);
            let low = product as u32;
            if low >= n || low >= n.wrapping_neg() % n {
                return (product >> 32) as u32;
            }
        }
    }

    /// Exponential with mean 1.
    #[inline]
    pub fn exponential(&mut self) -> f64 {
        -libm::log(self.uniform())
    }

    /// Standard normal.
    #[inline]
    pub fn normal(&mut self) -> f64 {
        super::Normals::get().draw(self)
    }
}
