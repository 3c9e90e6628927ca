//! What a submission does, one thing after the other.

use rheobase_shaders::Chunk;

use super::kernels::CHUNK_STRIDE;

/// One set of dispatches, and the chunk it works on.
pub(super) struct Round<'t> {
    pub(super) chunk: Chunk<'t>,
    pub(super) what: What,
}

pub(super) enum What {
    /// Delivers so many spikes of the processor.
    Outer(u32),
    /// Advances the populations of a phase, lists their spikes, delivers them.
    Phase(usize),
}

/// The uniform buffers of all rounds.
pub(super) fn encode(rounds: &[Round<'_>]) -> Vec<u8> {
    #[allow(clippy::cast_possible_truncation, reason = "a few hundred bytes")]
    let stride = CHUNK_STRIDE as usize;
    let mut bytes = vec![0; rounds.len() * stride];
    for (place, round) in bytes.chunks_exact_mut(stride).zip(rounds) {
        let chunk = round.chunk.encode();
        place[..chunk.len()].copy_from_slice(&chunk);
    }
    bytes
}
