//! The inner loops of delivery: adding segments of synapses to what arrives.

use std::ops::Range;

use bytemuck::Pod;
use rheobase_equations::real::Real;

use crate::fetch::fetch;
use crate::pages::Pages;

/// A run of synapses to be delivered in one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// First synapse.
    pub(super) start: u32,
    /// One past the last.
    pub(super) end: u32,
    /// Lane of target 0 of the copy of the batch that is meant.
    pub(super) first: u32,
}

impl Segment {
    #[inline]
    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Targets of synapses, as lanes of the bundle.
#[derive(Debug)]
pub(super) enum Targets {
    /// Every segment holds all lanes in order; nothing is stored.
    All,
    /// Where all lanes are below 2¹⁶.
    Narrow(Pages<u16>),
    /// Elsewhere.
    Wide(Pages<u32>),
}

impl Targets {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::All => 0,
            Self::Narrow(t) => t.bytes(),
            Self::Wide(t) => t.bytes(),
        }
    }
}

impl<R: Real> Weights<R> {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Constant(_) => 0,
            Self::Each(w) => w.bytes(),
            Self::Quantised { multiples, .. } => multiples.bytes(),
        }
    }
}

/// Weights of synapses.
#[derive(Debug)]
pub(super) enum Weights<R> {
    /// All the same.
    Constant(R),
    /// One per synapse.
    Each(Pages<R>),
    /// One per synapse, as a multiple of `unit`.
    Quantised {
        /// Multiples.
        multiples: Pages<i16>,
        /// The unit.
        unit: R,
    },
}

/// Targets and weights.
#[derive(Debug)]
pub(super) enum Stored<R> {
    /// In arrays of their own.
    Apart {
        /// Targets.
        targets: Targets,
        /// Weights.
        weights: Weights<R>,
    },
    /// Narrow targets with quantised weights, side by side: a segment touches fewer cache lines.
    Packed {
        /// Target in the lower half, multiple in the upper.
        words: Pages<u32>,
        /// The unit of weights.
        unit: R,
    },
}

/// A target and a multiple in one word.
#[inline(always)]
pub(super) fn pack(target: u16, multiple: i16) -> u32 {
    u32::from(target) | u32::from(multiple.cast_unsigned()) << 16
}

/// Target and multiple of a word.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "the halves of a word")]
pub(super) fn unpack(word: u32) -> (u16, i16) {
    (word as u16, ((word >> 16) as u16).cast_signed())
}

/// Adds the segments of `due` to `input`, one after the other. The lanes of a copy of the batch are
/// `n_target`.
///
/// # Panics
/// If a segment does not lie within the synapses, or its copy not within `input`.
pub(super) fn add_segments<R: Real>(
    due: &[Segment],
    synapses: &Stored<R>,
    n_target: usize,
    input: &mut [R],
) {
    match synapses {
        Stored::Packed { words, unit } => scatter_packed(due, words, *unit, n_target, input),
        Stored::Apart { targets, weights } => match targets {
            Targets::All => match weights {
                Weights::Constant(w) => add_all(due, Constant(*w), n_target, input),
                Weights::Each(w) => add_all(due, Each(w), n_target, input),
                Weights::Quantised { multiples, unit } => {
                    add_all(due, Quantised(multiples, *unit), n_target, input);
                }
            },
            Targets::Narrow(t) => add_some(due, t, weights, n_target, input),
            Targets::Wide(t) => add_some(due, t, weights, n_target, input),
        },
    }
}

fn add_some<R: Real, I: Lane>(
    due: &[Segment],
    targets: &[I],
    weights: &Weights<R>,
    n_target: usize,
    input: &mut [R],
) {
    match weights {
        Weights::Constant(w) => scatter(due, targets, Constant(*w), n_target, input),
        Weights::Each(w) => scatter(due, targets, Each(w), n_target, input),
        Weights::Quantised { multiples, unit } => {
            scatter(due, targets, Quantised(multiples, *unit), n_target, input);
        }
    }
}

/// Segments whose synapses are fetched from memory ahead of the one that is added.
const AHEAD: usize = 6;

/// Fetches the first segments of `due`, which no earlier segment has fetched.
pub(super) fn fetch_first<R: Real>(due: &[Segment], synapses: &Stored<R>) {
    for segment in due.iter().take(AHEAD) {
        let range = segment.range();
        let (targets, weights) = match synapses {
            Stored::Packed { words, .. } => {
                fetch(words, range);
                continue;
            }
            Stored::Apart { targets, weights } => (targets, weights),
        };
        match targets {
            Targets::All => {}
            Targets::Narrow(t) => fetch(t, range.clone()),
            Targets::Wide(t) => fetch(t, range.clone()),
        }
        match weights {
            Weights::Constant(_) => {}
            Weights::Each(w) => fetch(w, range),
            Weights::Quantised { multiples, .. } => fetch(multiples, range),
        }
    }
}

/// Where every lane is a target: plain sums of arrays.
fn add_all<R: Real>(due: &[Segment], weights: impl WeightOf<R>, n_target: usize, input: &mut [R]) {
    for segment in due {
        let lanes = &mut input[segment.first as usize..][..n_target];
        let weights = weights.of(segment.range());
        for (k, x) in lanes.iter_mut().enumerate() {
            *x += weights.get(k);
        }
    }
}

#[inline(always)]
fn scatter<R: Real, I: Lane>(
    due: &[Segment],
    targets: &[I],
    weights: impl WeightOf<R>,
    n_target: usize,
    input: &mut [R],
) {
    for (k, segment) in due.iter().enumerate() {
        if let Some(next) = due.get(k + AHEAD) {
            fetch(targets, next.range());
            weights.fetch(next.range());
        }
        let lanes = &mut input[segment.first as usize..][..n_target];
        let range = segment.range();
        add(&targets[range.clone()], weights.of(range), lanes);
    }
}

#[allow(unsafe_code, reason = "as in `add`")]
fn scatter_packed<R: Real>(
    due: &[Segment],
    words: &[u32],
    unit: R,
    n_target: usize,
    input: &mut [R],
) {
    for (k, segment) in due.iter().enumerate() {
        if let Some(next) = due.get(k + AHEAD) {
            fetch(words, next.range());
        }
        let lanes = &mut input[segment.first as usize..][..n_target];
        for &word in &words[segment.range()] {
            let (target, multiple) = unpack(word);
            let t = usize::from(target);
            debug_assert!(t < lanes.len());
            // SAFETY: `store` keeps every target below `n_target`, to which `lanes` is cut.
            unsafe { *lanes.get_unchecked_mut(t) += R::from_i16(multiple) * unit };
        }
    }
}

/// Tells the lane of every target of the segments.
#[inline]
pub(super) fn for_each_target<R: Real>(
    due: &[Segment],
    synapses: &Stored<R>,
    n_target: usize,
    reached: &mut impl FnMut(usize),
) {
    for segment in due {
        let (first, range) = (segment.first as usize, segment.range());
        match synapses {
            Stored::Packed { words, .. } => {
                for &word in &words[range] {
                    reached(first + usize::from(unpack(word).0));
                }
            }
            Stored::Apart { targets, .. } => match targets {
                Targets::All => (first..first + n_target).for_each(&mut *reached),
                Targets::Narrow(t) => {
                    for target in &t[range] {
                        reached(first + target.index());
                    }
                }
                Targets::Wide(t) => {
                    for target in &t[range] {
                        reached(first + target.index());
                    }
                }
            },
        }
    }
}

/// `lanes[t] += w` for every target and its weight. The inner loop of the simulation.
#[inline(always)]
#[allow(
    unsafe_code,
    reason = "a bounds check per synaptic event costs a fifth of delivery"
)]
fn add<R: Real, I: Lane>(targets: &[I], weights: impl WeightOf<R>, lanes: &mut [R]) {
    for (k, t) in targets.iter().enumerate() {
        let t = t.index();
        debug_assert!(t < lanes.len());
        // SAFETY: `store` keeps every target below `n_target`, and `scatter`, the only caller, has
        // cut `lanes` to that length.
        unsafe { *lanes.get_unchecked_mut(t) += weights.get(k) };
    }
}

/// A stored target.
trait Lane: Pod {
    fn index(self) -> usize;
}

impl Lane for u16 {
    #[inline(always)]
    fn index(self) -> usize {
        usize::from(self)
    }
}

impl Lane for u32 {
    #[inline(always)]
    fn index(self) -> usize {
        self as usize
    }
}

/// Weights of a run of synapses.
trait WeightOf<R>: Copy {
    /// Those of a part of the run.
    fn of(&self, range: Range<usize>) -> Self;
    fn get(&self, k: usize) -> R;
    fn fetch(&self, range: Range<usize>);
}

#[derive(Clone, Copy)]
struct Constant<R>(R);

impl<R: Real> WeightOf<R> for Constant<R> {
    #[inline(always)]
    fn of(&self, _: Range<usize>) -> Self {
        *self
    }
    #[inline(always)]
    fn get(&self, _: usize) -> R {
        self.0
    }
    #[inline(always)]
    fn fetch(&self, _: Range<usize>) {}
}

#[derive(Clone, Copy)]
struct Each<'a, R>(&'a [R]);

impl<R: Real> WeightOf<R> for Each<'_, R> {
    #[inline(always)]
    fn of(&self, range: Range<usize>) -> Self {
        Self(&self.0[range])
    }
    #[inline(always)]
    fn get(&self, k: usize) -> R {
        self.0[k]
    }
    #[inline(always)]
    fn fetch(&self, range: Range<usize>) {
        fetch(self.0, range);
    }
}

#[derive(Clone, Copy)]
struct Quantised<'a, R>(&'a [i16], R);

impl<R: Real> WeightOf<R> for Quantised<'_, R> {
    #[inline(always)]
    fn of(&self, range: Range<usize>) -> Self {
        Self(&self.0[range], self.1)
    }
    #[inline(always)]
    fn get(&self, k: usize) -> R {
        R::from_i16(self.0[k]) * self.1
    }
    #[inline(always)]
    fn fetch(&self, range: Range<usize>) {
        fetch(self.0, range);
    }
}

/// Asks for the cache lines of an array.
#[inline(always)]
pub(super) fn fetch_all<T: Pod>(values: &[T]) {
    fetch(values, 0..values.len());
}
