//! Large arrays of plain values, on huge pages where the system offers them.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use bytemuck::Pod;
use memmap2::MmapMut;

/// Alignment of large arrays: the size of a huge page on x86-64 and most ARM systems.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Arrays below this live on the heap: a page of their own would be waste.
const SMALLEST_MAP_BYTES: usize = 4 << 20;

/// A zero-initialised array of fixed length.
///
/// From 4 MiB on it is mapped for itself and huge pages are asked for: arrays that are read in random
/// order then miss the address cache far less. Memory that is never written is never taken.
#[derive(Debug)]
pub struct Pages<T> {
    memory: Memory,
    len: usize,
    values: PhantomData<T>,
}

#[derive(Debug)]
enum Memory {
    /// In units of 8 bytes, so that every plain type is aligned.
    Heap(Vec<u64>),
    Mapped {
        map: MmapMut,
        start: usize,
    },
}

/// The system has no memory left for an array.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no memory for an array of {bytes} bytes: {reason}")]
pub struct OutOfMemory {
    /// Its size.
    pub bytes: usize,
    /// What the system said.
    pub reason: String,
}

impl<T: Pod> Pages<T> {
    /// `len` zeros.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn zeroed(len: usize) -> Result<Self, OutOfMemory> {
        let bytes = len.saturating_mul(size_of::<T>());
        let memory = if bytes < SMALLEST_MAP_BYTES {
            Memory::Heap(vec![0; bytes.div_ceil(8)])
        } else {
            let padded = bytes.saturating_add(HUGE_PAGE_BYTES);
            let map = MmapMut::map_anon(padded).map_err(|e| OutOfMemory {
                bytes,
                reason: e.to_string(),
            })?;
            // Ordinary pages serve as well, only slower: a refusal is no error.
            #[cfg(target_os = "linux")]
            let _ = map.advise(memmap2::Advice::HugePage);
            let start = map.as_ptr().align_offset(HUGE_PAGE_BYTES);
            Memory::Mapped {
                start: start.min(HUGE_PAGE_BYTES),
                map,
            }
        };
        Ok(Self {
            memory,
            len,
            values: PhantomData,
        })
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.len * size_of::<T>()
    }
}

impl<T: Pod> Deref for Pages<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        let bytes = self.len * size_of::<T>();
        match &self.memory {
            Memory::Heap(words) => {
                bytemuck::cast_slice(&bytemuck::cast_slice::<u64, u8>(words)[..bytes])
            }
            Memory::Mapped { map, start } => bytemuck::cast_slice(&map[*start..*start + bytes]),
        }
    }
}

impl<T: Pod> DerefMut for Pages<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let bytes = self.len * size_of::<T>();
        match &mut self.memory {
            Memory::Heap(words) => {
                let all: &mut [u8] = bytemuck::cast_slice_mut(words);
                bytemuck::cast_slice_mut(&mut all[..bytes])
            }
            Memory::Mapped { map, start } => {
                bytemuck::cast_slice_mut(&mut map[*start..*start + bytes])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_arrays_are_zero_and_keep_what_is_written() {
        for len in [0, 1, 5, 1000, 3_000_001] {
            let mut pages = Pages::<u16>::zeroed(len).unwrap();
            assert_eq!((pages.len(), pages.bytes()), (len, 2 * len));
            assert!(pages.iter().all(|&x| x == 0));
            if let Some(last) = pages.last_mut() {
                *last = 7;
                assert_eq!(pages[len - 1], 7);
            }
        }
    }

    #[test]
    fn an_impossible_size_is_an_error() {
        let error = Pages::<f64>::zeroed(1 << 58).unwrap_err();
        assert_eq!(error.bytes, 1 << 61);
    }
}
