//! Hints to the memory system.

use std::ops::Range;

/// Bytes that come from memory together, on most machines.
pub(crate) const LINE_BYTES: usize = 64;

/// Asks for the cache lines of a part of an array. Costs nothing where the processor has no such
/// instruction.
#[inline(always)]
pub(crate) fn fetch<T>(values: &[T], range: Range<usize>) {
    let Some(part) = values.get(range) else {
        return;
    };
    let first = part.as_ptr() as usize % LINE_BYTES;
    for offset in (0..size_of_val(part) + first).step_by(LINE_BYTES) {
        ask(part.as_ptr().cast::<i8>().wrapping_add(offset));
    }
}

/// Asks for the cache line that holds an element; does no harm where there is no such element.
#[inline(always)]
pub fn fetch_line<T>(values: &[T], index: usize) {
    ask(values.as_ptr().wrapping_add(index).cast());
}

#[inline(always)]
fn ask(place: *const i8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        #[allow(unsafe_code, reason = "a hint without effect on results")]
        // SAFETY: prefetching touches no memory and cannot fault, whatever the address.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(place);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
