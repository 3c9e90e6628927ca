//! From bits to the places of those that are set.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bits of a word from which on all its bytes are looked up: fewer are found one by one.
const MANY: u32 = 8;

/// The places of the bits of every byte that are set, ascending; then anything.
const PLACES: [[u32; 8]; 256] = {
    let mut places = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut n, mut bit) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                places[byte][n] = bit;
                n += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    places
};

/// Bits that are set in every byte.
const COUNTS: [usize; 256] = {
    let mut counts = [0; 256];
    let mut byte: usize = 0;
    while byte < 256 {
        counts[byte] = byte.count_ones() as usize;
        byte += 1;
    }
    counts
};

crate::simd::dispatch! {
    /// Writes the places of the bits that are set in a row of words, ascending, to the beginning of `to`,
    /// which has room for them; returns their number.
    pub(super) fn places = places_body(words: &[AtomicU64], to: &mut [u32]) -> usize;
}

#[inline(always)]
fn places_body(words: &[AtomicU64], to: &mut [u32]) -> usize {
    let mut n = 0;
    for (first, word) in (0_u32..).step_by(64).zip(words) {
        let word = word.load(Ordering::Relaxed);
        let end = n + word.count_ones() as usize;
        if word.count_ones() >= MANY && end + 8 <= to.len() {
            of_bytes(first, word, &mut to[n..]);
        } else {
            of_bits(first, word, &mut to[n..]);
        }
        n = end;
    }
    n
}

#[inline(always)]
fn of_bits(first: u32, word: u64, to: &mut [u32]) {
    let mut rest = word;
    for place in to {
        if rest == 0 {
            break;
        }
        *place = first + rest.trailing_zeros();
        rest &= rest - 1;
    }
}

/// Eight are written for every byte, those that are set first, and as many kept: no branch depends on
/// the bits. There is room for eight more than there are.
#[inline(always)]
fn of_bytes(first: u32, word: u64, to: &mut [u32]) {
    let mut rest = to;
    for (first, byte) in (first..).step_by(8).zip(word.to_le_bytes()) {
        let Some(eight) = rest.first_chunk_mut::<8>() else {
            return;
        };
        let places = PLACES[byte as usize];
        *eight = places.map(|place| first + place);
        rest = &mut rest[COUNTS[byte as usize]..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_bits() {
        let mut state = 1_u64;
        let mut random = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            state ^ state >> 31
        };
        for density in [0, 1, 2, 3] {
            let words: Vec<u64> = (0..40)
                .map(|_| match density {
                    0 => random() & random() & random() & random() & random(),
                    1 => random() & random(),
                    2 => random() | random(),
                    _ => u64::MAX,
                })
                .collect();
            let bits = 0..64 * words.len();
            let is_set = |i: &usize| words[i / 64] >> (i % 64) & 1 == 1;
            let expected: Vec<u32> = bits.filter(is_set).map(|i| i as u32).collect();
            let mut found = vec![u32::MAX; expected.len()];
            let words: Vec<AtomicU64> = words.into_iter().map(AtomicU64::new).collect();
            let n = places(&words, &mut found);
            assert_eq!((n, &found), (expected.len(), &expected));
        }
    }
}
