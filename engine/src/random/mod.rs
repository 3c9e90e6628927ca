//! Random numbers, every one with a named stream.
//!
//! Draws *during a run* are Philox4x32-10, keyed by (seed, stream), counted by (lane group, step,
//! draw): skippable and independent of threads. Draws *during construction* come from xoshiro256++
//! streams keyed by (seed, stream, row).

use rheobase_equations::real::{Precision, Real};

mod construction;
mod philox;
mod ziggurat;

pub use construction::{Construction, construction_stream};
pub use philox::{Philox, philox4x32};
pub use ziggurat::Normals;

/// What a stream is for; part of its key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Purpose {
    /// Sources, weights and delays of a projection; row = target neuron.
    Projection,
    /// Initial value or parameter of a population; row = state or parameter.
    Population,
    /// A stimulus node or drive.
    Stimulus,
    /// Random draws inside a neuron model.
    Neuron,
    /// Weights of a layer.
    Layer,
    /// What a connectivity rule draws for more than one row; row = as the rule likes.
    Rule,
    /// A user's own actor.
    Actor,
    /// Order of the samples of a data set; index = epoch.
    Data,
    /// Samples of a generated task; index = 0 to learn from, 1 to judge by; row = sample.
    Task,
}

/// 64-bit key of stream number `index` of a purpose under `seed`: distinct inputs give distinct
/// keys up to a chance of 2⁻⁶⁴ per pair.
#[must_use]
pub fn stream_key(seed: u64, purpose: Purpose, index: u64) -> u64 {
    let mut key = mix(seed ^ 0x9e37_79b9_7f4a_7c15);
    key = mix(key ^ (purpose as u64 + 1));
    mix(key ^ index.wrapping_add(0x2545_f491_4f6c_dd1d))
}

/// The finaliser of splitmix64 (a bijection of 64-bit words).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Uniform numbers in (0, 1), never 0 or 1, from random words: steps of 2⁻³² from 2⁻³³ on, rounded
/// to the precision of the population (in f32, that is to 24 bits).
pub fn uniforms<R: Real>(words: &[u32], out: &mut [R]) {
    for (x, &w) in out.iter_mut().zip(words) {
        *x = uniform(w);
    }
}

#[inline(always)]
fn uniform<R: Real>(word: u32) -> R {
    let u = R::from_f64((f64::from(word) + 0.5) * (1.0 / 4_294_967_296.0));
    // In f32 the last 2⁻²⁵ rounds to 1: the largest float below takes its place.
    let largest = match R::PRECISION {
        Precision::F32 => R::from_f64(1.0 - 1.0 / 16_777_216.0),
        Precision::F64 => return u,
    };
    if u < largest { u } else { largest }
}
