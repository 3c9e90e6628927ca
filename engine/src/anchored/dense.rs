//! Every neuron in every step: plain loops over blocks.

use rheobase_equations::native::{LANES, append_fired};
use rheobase_equations::real::Real;

use super::layout::Layout;
use crate::simd::dispatch;

/// What a step does to all neurons alike.
pub(super) struct StepRow<'a, R> {
    /// What one unit of weight adds, `[ports][modes]`.
    pub(super) gain: &'a [R],
    /// Factors of the amplitudes in the margin, and its constant.
    pub(super) margin: &'a [R],
    pub(super) constant: R,
    /// It fires where the margin exceeds the gate, not where it reaches it.
    pub(super) strict: bool,
}

/// The input lanes of a shard: port p at `p·plane`.
pub(crate) struct Lanes<'a, R> {
    pub(crate) values: &'a mut [R],
    pub(crate) plane: usize,
}

dispatch! {
    /// Lets what arrived act, empties the lanes, and appends the neurons that reach their threshold.
    pub(super) fn step_all<R: Real> = step_all_body(
        layout: Layout,
        z: &mut [R],
        lanes: &mut Lanes<'_, R>,
        row: &StepRow<'_, R>,
        fired: &mut Vec<u32>,
    );
}

#[inline(always)]
fn step_all_body<R: Real>(
    layout: Layout,
    z: &mut [R],
    lanes: &mut Lanes<'_, R>,
    row: &StepRow<'_, R>,
    fired: &mut Vec<u32>,
) {
    for (b, block) in z.chunks_exact_mut(layout.block_len()).enumerate() {
        let mut gains = row.gain.chunks_exact(layout.n_modes);
        for port in 0..row.gain.len() / layout.n_modes {
            let start = port * lanes.plane + b * LANES;
            let Some((arrived, gain)) = lanes.values[start..]
                .first_chunk_mut::<LANES>()
                .zip(gains.next())
            else {
                continue;
            };
            if any(arrived) {
                absorb(block, arrived, gain);
                arrived.fill(R::ZERO);
            }
        }
        let mut margin = [row.constant; LANES];
        for (factor, z) in row.margin.iter().zip(block.as_chunks::<LANES>().0) {
            for (sum, z) in margin.iter_mut().zip(z) {
                *sum += *factor * *z;
            }
        }
        let gate = &block[layout.n_modes * LANES..];
        let reached = if row.strict {
            reached(&margin, gate, |m, g| m > g)
        } else {
            reached(&margin, gate, |m, g| m >= g)
        };
        if let Some(hits) = reached {
            append_fired(&hits, b, layout.n, fired);
        }
    }
}

/// Whether anything arrived.
#[inline(always)]
fn any<R: Real>(arrived: &[R; LANES]) -> bool {
    let mut n = 0_u32;
    for x in arrived {
        n += u32::from(*x != R::ZERO);
    }
    n > 0
}

#[inline(always)]
fn absorb<R: Real>(block: &mut [R], arrived: &[R; LANES], gain: &[R]) {
    for (factor, z) in gain.iter().zip(block.as_chunks_mut::<LANES>().0) {
        for (z, w) in z.iter_mut().zip(arrived) {
            *z = absorbed(*z, *factor, *w);
        }
    }
}

/// An amplitude after `weight` has arrived. Where nothing arrived it keeps its bits.
#[inline(always)]
pub(super) fn absorbed<R: Real>(z: R, factor: R, weight: R) -> R {
    if weight == R::ZERO {
        z
    } else {
        z + factor * weight
    }
}

/// 1 for each lane whose margin reaches its gate; `None` if there is none.
#[inline(always)]
fn reached<R: Real>(
    margin: &[R; LANES],
    gate: &[R],
    test: impl Fn(R, R) -> bool,
) -> Option<[u8; LANES]> {
    let mut hits = [0_u8; LANES];
    let mut n = 0_u32;
    for ((hit, m), g) in hits.iter_mut().zip(margin).zip(gate) {
        *hit = u8::from(test(*m, *g));
        n += u32::from(*hit);
    }
    (n > 0).then_some(hits)
}
