//! Where the amplitudes of a neuron lie.
//!
//! Neurons stand in blocks of [`WIDTH`]; a block holds one row per mode and one more, the *gate*: 0
//! where a neuron may fire, [`closed`] where it is refractory, or padding. A block is what a sparse
//! step touches: one or two cache lines where there are few modes.

use rheobase_equations::native::padded;
use rheobase_equations::real::Real;

/// Neurons of a block.
pub(crate) const WIDTH: usize = 8;

/// The block of a neuron.
#[allow(clippy::cast_possible_truncation, reason = "8")]
pub(super) fn block_of(neuron: u32) -> u32 {
    neuron / WIDTH as u32
}

/// Rows and blocks of a shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Layout {
    /// Modes of a neuron.
    pub(super) n_modes: usize,
    /// Neurons.
    pub(super) n: usize,
}

impl Layout {
    /// As many as the input lanes have, which are padded.
    pub(super) fn n_blocks(self) -> usize {
        padded(self.n) / WIDTH
    }

    /// Values of a block.
    pub(super) fn block_len(self) -> usize {
        (self.n_modes + 1) * WIDTH
    }

    /// Values in all.
    pub(super) fn len(self) -> usize {
        self.n_blocks() * self.block_len()
    }

    /// Place of mode 0 of a neuron; mode m is [`WIDTH`]·m further, the gate after the last mode.
    #[inline(always)]
    pub(super) fn at(self, neuron: usize) -> usize {
        neuron / WIDTH * self.block_len() + neuron % WIDTH
    }

    /// Place of the gate of a neuron.
    #[inline(always)]
    pub(super) fn gate(self, neuron: usize) -> usize {
        self.at(neuron) + self.n_modes * WIDTH
    }
}

/// A gate that no margin reaches: nothing is at or above what is no number.
#[inline(always)]
pub(super) fn closed<R: Real>() -> R {
    R::from_f64(f64::NAN)
}
