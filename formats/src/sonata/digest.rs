//! A digest of a network: which parameters, spikes and synapses.

use rheobase_engine::value::Value;

/// FNV-1a over 64-bit words. Tells changes, not forgeries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digest(u64);

impl Digest {
    pub(super) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(super) fn add(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        // The product moves bits upwards only.
        self.0 ^= self.0 >> 29;
    }

    pub(super) fn add_text(&mut self, text: &str) {
        self.add(text.len() as u64);
        text.bytes().for_each(|b| self.add(u64::from(b)));
    }

    pub(super) fn add_value(&mut self, value: &Value) {
        match value {
            Value::Constant(x) => self.add(x.to_bits()),
            Value::List(list) => list.iter().for_each(|x| self.add(x.to_bits())),
            // Files draw nothing.
            Value::Drawn(_) => self.add(0),
        }
    }

    pub(super) fn word(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_every_bit_count() {
        let digest = |words: &[u64]| {
            let mut digest = Digest::new();
            words.iter().for_each(|&w| digest.add(w));
            digest.word()
        };
        assert_ne!(digest(&[1, 2]), digest(&[2, 1]));
        for bit in 0..64 {
            assert_ne!(digest(&[0, 5]), digest(&[1 << bit, 5]), "bit {bit}");
        }
    }
}
