//! The windows an instruction works on.

use crate::native::{Block, LANES};
use crate::real::Real;

/// A run of whole blocks of one array or register.
#[derive(Debug)]
pub(super) enum Window<'w, R> {
    /// May be written.
    Mut(&'w mut [Block<R>]),
    /// Read only.
    Ref(&'w [Block<R>]),
}

impl<R> Default for Window<'_, R> {
    fn default() -> Self {
        Self::Ref(&[])
    }
}

impl<'w, R: Real> Window<'w, R> {
    /// The first `blocks` blocks of `array`.
    pub(super) fn from_mut(array: &'w mut [R], blocks: usize) -> Self {
        Self::Mut(&mut array.as_chunks_mut::<LANES>().0[..blocks])
    }

    /// The first `blocks` blocks of `array`, to read.
    pub(super) fn from_ref(array: &'w [R], blocks: usize) -> Self {
        Self::Ref(&array.as_chunks::<LANES>().0[..blocks])
    }

    /// The first `k` blocks.
    #[inline(always)]
    pub(super) fn first(&self, k: usize) -> &[Block<R>] {
        match self {
            Self::Mut(blocks) => &blocks[..k],
            Self::Ref(blocks) => &blocks[..k],
        }
    }

    /// Splits the first `k` blocks off.
    #[inline(always)]
    pub(super) fn split_off(&mut self, k: usize) -> Self {
        match std::mem::take(self) {
            Self::Mut(blocks) => {
                let (head, tail) = blocks.split_at_mut(k);
                *self = Self::Mut(tail);
                Self::Mut(head)
            }
            Self::Ref(blocks) => {
                let (head, tail) = blocks.split_at(k);
                *self = Self::Ref(tail);
                Self::Ref(head)
            }
        }
    }
}

/// An empty table that keeps the memory of `table`: the standard library collects a mapped vector
/// in place when the element's layout is the same.
pub(super) fn recycle<'b, R>(mut table: Vec<Window<'_, R>>) -> Vec<Window<'b, R>> {
    table.clear();
    table.into_iter().map(|_| Window::default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recycled_table_keeps_its_memory() {
        let mut array = vec![0.0_f32; 128];
        let mut table: Vec<Window<'_, f32>> = Vec::with_capacity(7);
        table.push(Window::from_mut(&mut array, 2));
        let place = table.as_ptr() as usize;
        let again: Vec<Window<'static, f32>> = recycle(table);
        assert_eq!(again.capacity(), 7);
        assert_eq!(again.as_ptr() as usize, place);
        assert!(again.is_empty());
    }
}
