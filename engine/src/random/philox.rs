//! Philox4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405).

use super::{Purpose, stream_key};

const M0: u32 = 0xd251_1f53;
const M1: u32 = 0xcd9e_8d57;
const W0: u32 = 0x9e37_79b9;
const W1: u32 = 0xbb67_ae85;

/// One block: four words from a counter and a key.
#[must_use]
#[inline(always)]
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let mut c = counter;
    let mut k = key;
    for round in 0..10 {
        if round > 0 {
            k = [k[0].wrapping_add(W0), k[1].wrapping_add(W1)];
        }
        let p0 = u64::from(M0) * u64::from(c[0]);
        let p1 = u64::from(M1) * u64::from(c[2]);
        c = [
            high(p1) ^ c[1] ^ k[0],
            low(p1),
            high(p0) ^ c[3] ^ k[1],
            low(p0),
        ];
    }
    c
}

#[allow(clippy::cast_possible_truncation, reason = "high word")]
#[inline(always)]
fn high(p: u64) -> u32 {
    (p >> 32) as u32
}

#[allow(clippy::cast_possible_truncation, reason = "low word")]
#[inline(always)]
fn low(p: u64) -> u32 {
    p as u32
}

/// Blocks one vectorised pass makes.
const GROUPS: usize = 32;

/// A run-time stream: a word for every (lane, step, draw).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Philox {
    key: [u32; 2],
}

impl Philox {
    /// The stream of the `index`-th thing of `purpose` under `seed`.
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        let key = stream_key(seed, purpose, index);
        Self {
            key: [low(key), high(key)],
        }
    }

    /// The key words, for backends that draw on a device.
    #[must_use]
    pub fn key(&self) -> [u32; 2] {
        self.key
    }

    /// The counter of the group of four lanes that holds `lane`.
    #[must_use]
    #[inline(always)]
    pub fn counter(lane: u32, step: u64, draw: u32) -> [u32; 4] {
        [lane / 4, low(step), high(step), draw]
    }

    /// The word of one lane.
    #[must_use]
    pub fn word(&self, lane: u32, step: u64, draw: u32) -> u32 {
        philox4x32(Self::counter(lane, step, draw), self.key)[(lane % 4) as usize]
    }

    /// Words of lanes `first .. first + out.len()`; `first` is a multiple of 4.
    pub fn fill(&self, first: u32, step: u64, draw: u32, out: &mut [u32]) {
        debug_assert!(first.is_multiple_of(4));
        fill_dispatch(self.key, first, step, draw, out);
    }
}

/// Low word of a 64-bit lane.
const LOW: u64 = 0xffff_ffff;

/// Words live in the low halves of 64-bit lanes: there a product of two words is one instruction,
/// and what it leaves in the high halves is never read.
#[inline(always)]
fn fill_body(key: [u32; 2], first: u32, step: u64, draw: u32, out: &mut [u32]) {
    let mut block = first / 4;
    for chunk in out.chunks_mut(4 * GROUPS) {
        let mut c0 = [0_u64; GROUPS];
        for (g, c) in c0.iter_mut().enumerate() {
            *c = u64::from(block.wrapping_add(low(g as u64)));
        }
        let mut c1 = [step; GROUPS];
        let mut c2 = [step >> 32; GROUPS];
        let mut c3 = [u64::from(draw); GROUPS];
        let mut k = key;
        for round in 0..10 {
            if round > 0 {
                k = [k[0].wrapping_add(W0), k[1].wrapping_add(W1)];
            }
            let (k0, k1) = (u64::from(k[0]), u64::from(k[1]));
            for g in 0..GROUPS {
                let p0 = u64::from(M0) * (c0[g] & LOW);
                let p1 = u64::from(M1) * (c2[g] & LOW);
                c0[g] = (p1 >> 32) ^ c1[g] ^ k0;
                c2[g] = (p0 >> 32) ^ c3[g] ^ k1;
                (c1[g], c3[g]) = (p1, p0);
            }
        }
        let mut words = [[0_u32; 4]; GROUPS];
        for (g, words) in words.iter_mut().enumerate() {
            *words = [low(c0[g]), low(c1[g]), low(c2[g]), low(c3[g])];
        }
        chunk.copy_from_slice(&words.as_flattened()[..chunk.len()]);
        block = block.wrapping_add(low(GROUPS as u64));
    }
}

crate::simd::dispatch! {
    fn fill_dispatch = fill_body(key: [u32; 2], first: u32, step: u64, draw: u32, out: &mut [u32]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of Random123 1.14.0, `kat_vectors`.
    #[test]
    fn equals_random123() {
        let all = u32::MAX;
        let cases = [
            (
                [0; 4],
                [0; 2],
                [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
            ),
            (
                [all; 4],
                [all; 2],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, expected) in cases {
            assert_eq!(philox4x32(counter, key), expected);
        }
    }

    #[test]
    fn fill_equals_word() {
        let stream = Philox::new(7, Purpose::Stimulus, 3);
        for (first, len) in [(0, 1), (0, 64), (8, 200), (64, 131)] {
            let mut out = vec![0; len];
            stream.fill(first, (1 << 33) + 5, 2, &mut out);
            for (i, &w) in out.iter().enumerate() {
                assert_eq!(w, stream.word(first + low(i as u64), (1 << 33) + 5, 2));
            }
        }
    }
}
