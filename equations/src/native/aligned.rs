//! Arrays that start on a cache line.

use std::ops::{Deref, DerefMut};

use super::LANES;
use crate::real::Real;

const LINE_BYTES: usize = 64;

/// A zero-initialised array of floats that starts on a cache line, of fixed length.
///
/// Packed loads of 64 bytes that straddle lines cost twice; population arrays, whose stride is a
/// multiple of [`LANES`], avoid that throughout when the first one is aligned.
///
/// ```
/// use rheobase_equations::native::Aligned;
/// let mut states = Aligned::<f32>::zeroed(128);
/// states[3] = 1.0;
/// assert_eq!(states.len(), 128);
/// assert_eq!(states.as_ptr() as usize % 64, 0);
/// ```
pub struct Aligned<R> {
    /// Never grows, so that `start` stays right.
    memory: Vec<R>,
    start: usize,
    len: usize,
}

impl<R: Real> Aligned<R> {
    /// `len` zeros.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        let slack = LINE_BYTES / R::BYTES;
        let memory = vec![R::ZERO; len + slack];
        let start = memory.as_ptr().align_offset(LINE_BYTES).min(slack);
        Self { memory, start, len }
    }

    /// A copy of `values`.
    #[must_use]
    pub fn from_slice(values: &[R]) -> Self {
        let mut copy = Self::zeroed(values.len());
        copy.copy_from_slice(values);
        copy
    }
}

/// `n` rounded up to whole blocks.
#[must_use]
pub const fn padded(n: usize) -> usize {
    n.div_ceil(LANES) * LANES
}

impl<R> Deref for Aligned<R> {
    type Target = [R];
    fn deref(&self) -> &[R] {
        &self.memory[self.start..self.start + self.len]
    }
}

impl<R> DerefMut for Aligned<R> {
    fn deref_mut(&mut self) -> &mut [R] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

impl<R: Real> Default for Aligned<R> {
    fn default() -> Self {
        Self::zeroed(0)
    }
}

impl<R: Real> Clone for Aligned<R> {
    /// The copy lies elsewhere and finds its own start.
    fn clone(&self) -> Self {
        Self::from_slice(self)
    }
}

impl<R: std::fmt::Debug> std::fmt::Debug for Aligned<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
