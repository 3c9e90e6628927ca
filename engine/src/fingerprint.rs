//! Hashes that tell whether two runs gave the same bits.

/// Order-sensitive hash of the spikes of one node, fed while a run goes on.
///
/// It depends on every spike and on their order, not on how they are cut into calls. Equal spikes
/// give equal hashes; different ones differ but for a chance of about 2⁻⁶⁴.
///
/// ```
/// use rheobase_engine::fingerprint::SpikeHash;
///
/// let (mut whole, mut cut) = (SpikeHash::default(), SpikeHash::default());
/// whole.extend(&[1, 1, 7], &[0, 4, 2], &[]);
/// cut.extend(&[1], &[0], &[]);
/// cut.extend(&[1, 7], &[4, 2], &[]);
/// assert_eq!(whole, cut);
/// cut.extend(&[8], &[0], &[]);
/// assert_ne!(whole, cut);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpikeHash {
    /// The hash so far.
    pub hash: u64,
    /// Spikes so far.
    pub count: u64,
}

impl Default for SpikeHash {
    fn default() -> Self {
        Self {
            hash: START,
            count: 0,
        }
    }
}

impl SpikeHash {
    /// Adds spikes in order: a step and a neuron each; an offset each where they have one.
    pub fn extend(&mut self, steps: &[u64], neurons: &[u32], offsets_ms: &[f64]) {
        for (k, (&step, &neuron)) in steps.iter().zip(neurons).enumerate() {
            self.hash = mix(mix(self.hash, step), u64::from(neuron));
            if let Some(offset) = offsets_ms.get(k) {
                self.hash = mix(self.hash, offset.to_bits());
            }
            self.count += 1;
        }
    }
}

const START: u64 = 0xcbf2_9ce4_8422_2325;

/// A word into a hash: for a given hash, different words give different results.
fn mix(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ (product >> 32)
}

/// Order-sensitive hash of a sequence of words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WordHash(u64);

impl WordHash {
    pub(crate) fn new() -> Self {
        Self(START)
    }

    pub(crate) fn add(&mut self, word: u64) {
        self.0 = mix(self.0, word);
    }

    pub(crate) fn finish(self) -> u64 {
        self.0
    }
}
