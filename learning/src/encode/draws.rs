//! The random stream of encoders.

use rheobase_engine::random::{Philox, Purpose, philox4x32, stream_key};

/// Index of the stimulus whose streams encoders draw from: one that no network can have.
const ENCODERS: u64 = u64::MAX;

/// Words for every (sample, element, step) of an epoch: Philox4x32-10, counted by all three.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Draws {
    stream: Philox,
}

impl Draws {
    /// The draws of an epoch of training under `seed`. Each epoch has a stream of its own; give the same
    /// number again where a sample shall become the same spikes again.
    #[must_use]
    pub fn new(seed: u64, epoch: u64) -> Self {
        let seed = stream_key(seed, Purpose::Stimulus, ENCODERS);
        Self {
            stream: Philox::new(seed, Purpose::Stimulus, epoch),
        }
    }

    /// Words of the elements of `blocks`, four each, of a sample in a step.
    #[inline]
    pub(super) fn fill(&self, sample: u32, step: u64, blocks: &[u32], words: &mut [[u32; 4]]) {
        fill(self.stream.key(), sample, step, blocks, words);
    }

    /// The word of a lane of a sample in a step.
    pub(super) fn word(&self, sample: u32, step: u64, lane: u32) -> u32 {
        self.stream.word(lane, step, sample)
    }
}

#[inline(always)]
fn fill_body(key: [u32; 2], sample: u32, step: u64, blocks: &[u32], words: &mut [[u32; 4]]) {
    let [_, low, high, _] = Philox::counter(0, step, sample);
    for (words, &block) in words.iter_mut().zip(blocks) {
        *words = philox4x32([block, low, high, sample], key);
    }
}

rheobase_engine::simd::dispatch! {
    fn fill = fill_body(
        key: [u32; 2], sample: u32, step: u64, blocks: &[u32], words: &mut [[u32; 4]],
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_stream() {
        let draws = Draws::new(7, 3);
        let (sample, step, blocks) = (59_999, (1 << 33) + 5, [0, 1, 5, 195]);
        let mut words = [[0; 4]; 4];
        draws.fill(sample, step, &blocks, &mut words);
        for (block, words) in blocks.into_iter().zip(words) {
            for (lane, word) in (4 * block..).zip(words) {
                assert_eq!(word, draws.word(sample, step, lane));
            }
        }
    }
}
