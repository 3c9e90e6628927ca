//! How kernels see a population's arrays: as blocks of [`LANES`] values, lengths known.

use super::{Derived, LANES};
use crate::real::Real;

/// One block of values.
pub type Block<T> = [T; LANES];

/// The first `blocks` blocks of each of the first `N` arrays in `group`, which lie `stride` apart;
/// the last one may end with the group.
///
/// # Panics
/// If the group is too short or `blocks` exceeds the stride: a fault of the caller, not of its
/// data.
#[inline(always)]
pub fn windows_mut<T, const N: usize>(
    group: &mut [T],
    stride: usize,
    blocks: usize,
) -> [&mut [Block<T>]; N] {
    let mut rest = group;
    std::array::from_fn(|_| {
        let here = std::mem::take(&mut rest);
        let end = stride.min(here.len());
        let (array, others) = here.split_at_mut(end);
        rest = others;
        &mut array.as_chunks_mut::<LANES>().0[..blocks]
    })
}

/// As [`windows_mut`], to read.
///
/// # Panics
/// As [`windows_mut`].
#[inline(always)]
pub fn windows<T, const N: usize>(group: &[T], stride: usize, blocks: usize) -> [&[Block<T>]; N] {
    let mut rest = group;
    std::array::from_fn(|_| {
        let (array, others) = rest.split_at(stride.min(rest.len()));
        rest = others;
        &array.as_chunks::<LANES>().0[..blocks]
    })
}

/// The first `blocks` blocks of each of `N` arrays.
///
/// # Panics
/// If there are fewer arrays, or one is too short: a fault of the caller, not of its data.
#[inline(always)]
pub fn ports<'a, T, const N: usize>(arrays: &[&'a [T]], blocks: usize) -> [&'a [Block<T>]; N] {
    std::array::from_fn(|k| &arrays[k].as_chunks::<LANES>().0[..blocks])
}

/// As [`ports`], to write.
///
/// # Panics
/// As [`ports`].
#[inline(always)]
pub fn ports_mut<'s, T, const N: usize>(
    arrays: &'s mut [&mut [T]],
    blocks: usize,
) -> [&'s mut [Block<T>]; N] {
    let mut arrays = arrays.iter_mut();
    std::array::from_fn(|_| {
        let array: &mut [T] = arrays.next().map_or(&mut [], |array| &mut **array);
        &mut array.as_chunks_mut::<LANES>().0[..blocks]
    })
}

/// The values of `N` derived quantities if each is the same for every neuron.
///
/// # Panics
/// If there are fewer than `N`.
#[inline(always)]
pub fn shared<R: Real, const N: usize>(derived: &[Derived<R>]) -> Option<[R; N]> {
    let derived = &derived[..N];
    let all = derived.iter().all(|d| matches!(d, Derived::Shared(_)));
    all.then(|| {
        std::array::from_fn(|k| match &derived[k] {
            Derived::Shared(b) => b[0],
            Derived::PerNeuron(_) => R::ZERO,
        })
    })
}

/// Block `b` of one derived quantity.
///
/// # Panics
/// If a per-neuron quantity is shorter than that.
#[inline(always)]
pub fn derived_block<R: Real>(derived: &Derived<R>, b: usize) -> &Block<R> {
    match derived {
        Derived::Shared(block) => block,
        Derived::PerNeuron(values) => &values.as_chunks::<LANES>().0[b],
    }
}

/// A derived quantity in a block: one value, or one per lane.
pub trait PerLane<R>: Copy {
    /// The value of lane `l`.
    fn lane(self, l: usize) -> R;
}

impl PerLane<f32> for f32 {
    #[inline(always)]
    fn lane(self, _: usize) -> f32 {
        self
    }
}

impl PerLane<f64> for f64 {
    #[inline(always)]
    fn lane(self, _: usize) -> f64 {
        self
    }
}

impl<R: Copy> PerLane<R> for &Block<R> {
    #[inline(always)]
    fn lane(self, l: usize) -> R {
        self[l]
    }
}

/// Reports lanes of block `b` whose flag is set, if they are below `n`: in `bits` where there are any,
/// else their indices are appended to `spikes`, ascending.
#[inline(never)]
pub fn append_fired<T: Copy + Default + PartialEq>(
    fired: &Block<T>,
    b: usize,
    n: usize,
    spikes: &mut Vec<u32>,
    bits: &mut Option<&mut [u64]>,
) {
    let mut bytes = [0_u8; LANES];
    for (byte, flag) in bytes.iter_mut().zip(fired) {
        *byte = if *flag == T::default() { 0 } else { 255 };
    }
    append_lanes(mask(&bytes), b, n, spikes, bits);
}

/// A bit for each byte, which is 0 or 255.
#[cfg(target_arch = "x86_64")]
fn mask(bytes: &[u8; LANES]) -> u64 {
    use std::arch::x86_64::{__m128i, _mm_movemask_epi8};
    let parts: [__m128i; LANES / 16] = bytemuck::cast(*bytes);
    let parts = parts.into_iter().enumerate();
    parts.fold(0, |mask, (k, part)| {
        #[allow(unsafe_code, reason = "call of a target_feature function")]
        // SAFETY: every x86-64 processor has SSE2.
        let bits = unsafe { _mm_movemask_epi8(part) };
        mask | u64::from(bits.cast_unsigned()) << (16 * k)
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn mask(bytes: &[u8; LANES]) -> u64 {
    let eights = bytes.as_chunks::<8>().0.iter().enumerate();
    eights.fold(0, |mask, (k, &eight)| {
        // Bit 0 of byte i goes to bit 56 + i; no two sums carry.
        let ones = u64::from_le_bytes(eight) & 0x0101_0101_0101_0101;
        mask | ones.wrapping_mul(0x0102_0408_1020_4080) >> 56 << (8 * k)
    })
}

/// Reports the lanes of block `b` whose bit is set in `mask`, where they are below `n`.
#[inline]
pub(crate) fn append_lanes(
    mut mask: u64,
    b: usize,
    n: usize,
    spikes: &mut Vec<u32>,
    bits: &mut Option<&mut [u64]>,
) {
    let start = b * LANES;
    let left = n.saturating_sub(start);
    if left < LANES {
        mask &= (1 << left) - 1;
    }
    if let Some(word) = bits.as_mut().and_then(|bits| bits.get_mut(b)) {
        *word |= mask;
        return;
    }
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a population has below 2³² neurons"
    )]
    let start = start as u32;
    while mask != 0 {
        spikes.push(start + mask.trailing_zeros());
        mask &= mask - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_neurons_are_reported() {
        let mut fired = [0_i32; LANES];
        fired[0] = 1;
        fired[5] = 1;
        fired[6] = 1;
        fired[63] = 1;
        let mut spikes = vec![7];
        append_fired(&fired, 1, 70, &mut spikes, &mut None);
        assert_eq!(spikes, [7, 64, 69]);
        append_fired(&fired, 1, 64, &mut spikes, &mut None);
        assert_eq!(spikes, [7, 64, 69]);
        append_fired(&fired, 0, 64, &mut spikes, &mut None);
        assert_eq!(spikes, [7, 64, 69, 0, 5, 6, 63]);
        let mut words = [0, 0];
        append_fired(&fired, 1, 70, &mut spikes, &mut Some(&mut words));
        append_fired(&fired, 0, 70, &mut spikes, &mut Some(&mut words));
        assert_eq!(
            (words, spikes.len()),
            ([1 << 63 | 0b110_0001, 0b10_0001], 7)
        );
    }

    #[test]
    fn windows_cut_arrays_into_blocks() {
        let mut group: Vec<u32> = (0..384).collect();
        let [a, b] = windows_mut::<_, 2>(&mut group, 192, 2);
        assert_eq!((a.len(), a[1][0], b[0][0], b[1][63]), (2, 64, 192, 319));
        let [c] = windows::<_, 1>(&group, 128, 1);
        assert_eq!((c.len(), c[0][63]), (1, 63));
    }
}
