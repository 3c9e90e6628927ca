//! Seeded random numbers for the tests.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

pub(crate) struct Random(Xoshiro256PlusPlus);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.0.next_u64() % n as u64).expect("small")
    }

    /// Magnitudes from 2⁻⁸ to 2⁸, both signs, all 23 bits of the fraction random.
    pub(crate) fn float(&mut self) -> f32 {
        let bits = self.0.next_u32();
        let exponent = 127 - 8 + self.below(16);
        f32::from_bits((bits & 0x807f_ffff) | u32::try_from(exponent << 23).expect("fits"))
    }

    /// In (0, 1).
    pub(crate) fn unit(&mut self) -> f32 {
        let bits = self.0.next_u32() >> 9;
        f32::from_bits(0x3f80_0000 | bits) - 1.0 + 0.5 * f32::EPSILON
    }

    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// About standard normal: a sum of twelve.
    pub(crate) fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }
}
