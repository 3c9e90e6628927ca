//! Numbers for directions and weights.

/// `SplitMix64`.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Within ±1.
    #[allow(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub(super) fn signed(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    /// `count` numbers within ±1.
    pub(super) fn directions(&mut self, count: usize) -> std::vec::IntoIter<f64> {
        let numbers: Vec<f64> = (0..count).map(|_| self.signed()).collect();
        numbers.into_iter()
    }
}
