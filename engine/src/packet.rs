//! What nodes emit, and the window of the past that receivers read.

use rheobase_equations::real::Real;

use crate::plan::NodeId;
use crate::time::Slice;

/// What one shard of a node emitted during one slice: spikes sorted by (step, neuron), or real
/// values per step.
#[derive(Clone, Debug, Default)]
pub struct Packet<R> {
    /// Start of each step's spikes in `neurons`; one entry more than steps.
    offsets: Vec<u32>,
    /// Lanes that fired, ascending within a step; one that fired k times stands k times.
    neurons: Vec<u32>,
    /// Of nodes in continuous time: how long after the beginning of its step each spike came \[ms\].
    times: Vec<f64>,
    /// Real values, `[steps, lanes of the shard]`; empty for nodes that emit spikes.
    real: Vec<R>,
}

impl<R: Real> Packet<R> {
    /// Empties the packet, keeping its memory.
    pub fn clear(&mut self) {
        self.offsets.clear();
        self.offsets.push(0);
        self.neurons.clear();
        self.times.clear();
        self.real.clear();
    }

    /// The list to which the spikes of the current step are appended.
    pub fn spikes_mut(&mut self) -> &mut Vec<u32> {
        &mut self.neurons
    }

    /// Appends a spike of the current step that came `offset_ms` after its beginning, in (0, dt].
    /// Every spike of a node has an offset, or none has; without, it came at the end of the step.
    pub fn push_timed(&mut self, neuron: u32, offset_ms: f64) {
        self.neurons.push(neuron);
        self.times.push(offset_ms);
    }

    /// The lists to which spikes of the current step and their offsets are appended.
    pub fn timed_mut(&mut self) -> (&mut Vec<u32>, &mut Vec<f64>) {
        (&mut self.neurons, &mut self.times)
    }

    /// Offsets from the `start`-th spike on; empty for nodes on the grid.
    #[must_use]
    pub fn offsets_from(&self, start: usize) -> &[f64] {
        self.times.get(start..).unwrap_or(&[])
    }

    /// Real values of the current step are appended here.
    pub fn real_mut(&mut self) -> &mut Vec<R> {
        &mut self.real
    }

    /// Number of spikes so far.
    #[must_use]
    pub fn n_spikes(&self) -> usize {
        self.neurons.len()
    }

    /// Spikes from `start` on, mutable: sources write local indices, then shift them.
    pub fn spikes_from_mut(&mut self, start: usize) -> &mut [u32] {
        &mut self.neurons[start..]
    }

    /// Ends the current step.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a slice holds fewer than 2^32 spikes"
    )]
    pub fn end_step(&mut self) {
        self.offsets.push(self.neurons.len() as u32);
    }

    /// The spikes of the slice's `offset`-th step.
    #[must_use]
    #[inline]
    pub fn spikes(&self, offset: usize) -> &[u32] {
        &self.neurons[self.offsets[offset] as usize..self.offsets[offset + 1] as usize]
    }

    /// The offsets of [`Self::spikes`] \[ms\]; empty where spikes come at the end of the step.
    #[must_use]
    #[inline]
    pub fn spike_offsets(&self, offset: usize) -> &[f64] {
        let range = self.offsets[offset] as usize..self.offsets[offset + 1] as usize;
        self.times.get(range).unwrap_or(&[])
    }

    /// Real values of the whole slice.
    #[must_use]
    pub fn real(&self) -> &[R] {
        &self.real
    }
}

/// What every node emitted in the last steps, as one worker sees it: one list per node and step,
/// all shards joined.
///
/// Each node is kept for as long as its longest outgoing delay asks for.
#[derive(Debug)]
pub struct History<R> {
    nodes: Vec<Track<R>>,
}

/// The past of one node.
#[derive(Debug)]
struct Track<R> {
    /// Steps that are kept, the last one included.
    window: u64,
    /// The last step that is known; 0 before the first.
    last: u64,
    /// Spikes of the kept steps one after the other, and some older ones before them.
    neurons: Vec<u32>,
    /// Their offsets \[ms\], parallel to them; empty for nodes on the grid.
    times: Vec<f64>,
    /// Spikes dropped before `neurons[0]`.
    dropped: u64,
    /// Position, dropped ones counted, of the first spike of step s, at s modulo the length; the end
    /// of the last step is the start of the step after it.
    starts: Vec<u64>,
    /// Real values of the kept steps, step s in row s modulo `window`; empty for spikes.
    real: Vec<R>,
}

/// Spikes beyond those in use that a track may hold before it drops them.
const SLACK_SPIKES: usize = 4096;

impl<R: Real> History<R> {
    /// A window that reaches back `reach[node]` steps before the current slice of at most
    /// `max_slice` steps.
    #[must_use]
    pub fn new(reach: &[usize], max_slice: usize) -> Self {
        let nodes = reach
            .iter()
            .map(|&reach| {
                let window = reach + max_slice;
                Track {
                    window: window as u64,
                    last: 0,
                    neurons: Vec::new(),
                    times: Vec::new(),
                    dropped: 0,
                    starts: vec![0; window + 1],
                    real: Vec::new(),
                }
            })
            .collect();
        Self { nodes }
    }

    /// Forgets every step: as if steps up to `last` had been silent.
    pub fn clear(&mut self, last: u64) {
        for track in &mut self.nodes {
            track.forget(last);
        }
    }

    /// Appends what all shards of `node` emitted in `slice`, shards ascending.
    pub fn append<'a>(
        &mut self,
        node: NodeId,
        slice: Slice,
        shards: impl Iterator<Item = &'a Packet<R>> + Clone,
    ) {
        let track = &mut self.nodes[node];
        for (offset, step) in slice.steps().enumerate() {
            for shard in shards.clone() {
                track.neurons.extend_from_slice(shard.spikes(offset));
                track.times.extend_from_slice(shard.spike_offsets(offset));
            }
            track.end(step);
        }
        for shard in shards {
            track.append_real(slice, shard.real());
        }
        track.drop_old();
    }

    /// What `node` emitted at `step`: ascending lanes. Empty for steps before the beginning and
    /// beyond the window.
    #[inline]
    #[must_use]
    pub fn spikes(&self, node: NodeId, step: u64) -> &[u32] {
        let track = &self.nodes[node];
        if step == 0 || step > track.last || track.last - step >= track.window {
            return &[];
        }
        &track.neurons[track.position(step)..track.position(step + 1)]
    }

    /// The offsets of [`Self::spikes`] within their step \[ms\]; empty for nodes on the grid, whose
    /// spikes come at the end of the step.
    #[must_use]
    pub fn spike_offsets(&self, node: NodeId, step: u64) -> &[f64] {
        let track = &self.nodes[node];
        if step == 0 || step > track.last || track.last - step >= track.window {
            return &[];
        }
        let range = track.position(step)..track.position(step + 1);
        track.times.get(range).unwrap_or(&[])
    }

    /// The steps of `node` that are kept.
    pub(crate) fn kept_steps(&self, node: NodeId) -> std::ops::RangeInclusive<u64> {
        let track = &self.nodes[node];
        let first = (track.last + 1).saturating_sub(track.window).max(1);
        first..=track.last
    }

    /// The real values of `node` at `step`, all `lanes` of them.
    #[must_use]
    pub fn real(&self, node: NodeId, step: u64, lanes: usize) -> Option<&[R]> {
        let track = &self.nodes[node];
        if step == 0 || step > track.last || track.last - step >= track.window {
            return None;
        }
        let row = to_usize(step % track.window);
        track.real.get(row * lanes..(row + 1) * lanes)
    }

    /// Puts back what [`Self::kept`] gave: everything `node` is known to have emitted are these steps, from
    /// `first` on.
    pub fn restore<'a>(
        &mut self,
        node: NodeId,
        first: u64,
        steps: impl Iterator<Item = Kept<'a, R>>,
    ) {
        let track = &mut self.nodes[node];
        track.forget(first - 1);
        let mut packet = Packet::default();
        for (step, kept) in (first..).zip(steps) {
            packet.clear();
            packet.neurons.extend_from_slice(kept.spikes);
            packet.times.extend_from_slice(kept.offsets_ms);
            packet.real.extend_from_slice(kept.real);
            packet.end_step();
            let slice = Slice {
                first: step,
                len: 1,
            };
            self.append(node, slice, std::iter::once(&packet));
        }
    }

    /// Steps of `node` that are kept, ascending, with what it emitted: what a checkpoint saves.
    pub fn kept(&self, node: NodeId) -> impl Iterator<Item = (u64, Kept<'_, R>)> {
        let track = &self.nodes[node];
        let lanes = track.real.len() / to_usize(track.window);
        self.kept_steps(node).map(move |step| {
            let kept = Kept {
                spikes: self.spikes(node, step),
                offsets_ms: self.spike_offsets(node, step),
                real: self.real(node, step, lanes).unwrap_or(&[]),
            };
            (step, kept)
        })
    }
}

/// What a node emitted in one step of the past.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a, R> {
    /// Lanes that fired, ascending.
    pub spikes: &'a [u32],
    /// Their offsets within the step \[ms\]; empty for nodes on the grid.
    pub offsets_ms: &'a [f64],
    /// Real values; empty for nodes that emit spikes.
    pub real: &'a [R],
}

impl<R: Real> Track<R> {
    fn forget(&mut self, last: u64) {
        self.neurons.clear();
        self.times.clear();
        self.dropped = 0;
        self.starts.fill(0);
        self.real.fill(R::ZERO);
        self.last = last;
    }

    #[inline]
    fn position(&self, step: u64) -> usize {
        to_usize(self.starts[to_usize(step % self.starts.len() as u64)] - self.dropped)
    }

    /// All spikes of `step` are there.
    fn end(&mut self, step: u64) {
        let len = self.starts.len() as u64;
        self.starts[to_usize((step + 1) % len)] = self.dropped + self.neurons.len() as u64;
        self.last = step;
    }

    fn append_real(&mut self, slice: Slice, values: &[R]) {
        if values.is_empty() {
            return;
        }
        let lanes = values.len() / slice.len;
        self.real.resize(to_usize(self.window) * lanes, R::ZERO);
        for (step, row) in slice.steps().zip(values.chunks_exact(lanes)) {
            let at = to_usize(step % self.window) * lanes;
            self.real[at..at + lanes].copy_from_slice(row);
        }
    }

    /// Drops spikes that no one can ask for any more, once they are most of what is held.
    fn drop_old(&mut self) {
        let first = (self.last + 1).saturating_sub(self.window).max(1);
        let old = self.position(first);
        if old > SLACK_SPIKES && old > self.neurons.len() / 2 {
            self.neurons.drain(..old);
            self.times.drain(..old.min(self.times.len()));
            self.dropped += old as u64;
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "places in arrays that are in memory"
)]
#[inline]
fn to_usize(x: u64) -> usize {
    x as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(lists: &[&[u32]]) -> Packet<f32> {
        let mut packet = Packet::default();
        packet.clear();
        for list in lists {
            packet.spikes_mut().extend_from_slice(list);
            packet.end_step();
        }
        packet
    }

    #[test]
    fn steps_are_found_over_slices_of_any_length() {
        let mut history = History::<f32>::new(&[6], 4);
        let mut first = 1;
        for len in [4, 1, 3, 4, 2] {
            let slice = Slice { first, len };
            let lists: Vec<[u32; 1]> = slice
                .steps()
                .map(|step| [u32::try_from(step).unwrap()])
                .collect();
            let lists: Vec<&[u32]> = lists.iter().map(<[u32; 1]>::as_slice).collect();
            let packet = packet(&lists);
            history.append(0, slice, std::iter::once(&packet));
            first += len as u64;
            for back in 0..12_u64 {
                let step = (first - 1).saturating_sub(back);
                let found = history.spikes(0, step);
                let expected: Vec<u32> = u32::try_from(step)
                    .ok()
                    .filter(|&s| s > 0 && back < 10)
                    .into_iter()
                    .collect();
                assert_eq!(found, expected, "{first} {back}");
            }
            let kept: Vec<u64> = history.kept(0).map(|(step, ..)| step).collect();
            let expected: Vec<u64> = (1..first).rev().take(10).collect();
            assert!(kept.iter().rev().eq(&expected), "{kept:?}");
        }
    }

    #[test]
    fn offsets_go_with_their_spikes() {
        let mut history = History::<f32>::new(&[2, 2], 2);
        for first in (1..30_000_u32).step_by(2) {
            let mut packet = packet(&[]);
            for lane in 0..3 {
                packet.push_timed(lane, f64::from(first + lane));
            }
            packet.end_step();
            packet.end_step();
            let slice = Slice {
                first: u64::from(first),
                len: 2,
            };
            history.append(0, slice, std::iter::once(&packet));
            let expected = [0, 1, 2].map(|lane| f64::from(first + lane));
            assert_eq!(history.spike_offsets(0, slice.first), expected);
            assert!(history.spike_offsets(0, slice.first + 1).is_empty());
        }
        assert!(history.nodes[0].times.len() < 3 * SLACK_SPIKES);
        let kept: Vec<f64> = history
            .kept(0)
            .flat_map(|(_, k)| k.offsets_ms.to_vec())
            .collect();
        assert_eq!(
            kept,
            [29_997, 29_998, 29_999, 29_999, 30_000, 30_001].map(f64::from)
        );
        history.restore(1, 29_997, history_steps(&kept));
        assert_eq!(history.spike_offsets(1, 29_999), &kept[3..]);
    }

    fn history_steps(offsets_ms: &[f64]) -> impl Iterator<Item = Kept<'_, f32>> {
        offsets_ms.chunks(3).flat_map(|offsets_ms| {
            [(&[0, 1, 2][..], offsets_ms), (&[], &[])].map(|(spikes, offsets_ms)| Kept {
                spikes,
                offsets_ms,
                real: &[],
            })
        })
    }

    #[test]
    fn shards_are_joined_and_the_past_is_forgotten() {
        let mut history = History::<f32>::new(&[2], 2);
        let mut longest = 0;
        for first in (1..40_000).step_by(2) {
            let slice = Slice { first, len: 2 };
            let (a, b) = (packet(&[&[1, 2], &[]]), packet(&[&[5], &[7]]));
            history.append(0, slice, [&a, &b].into_iter());
            assert_eq!(history.spikes(0, first), [1, 2, 5]);
            assert_eq!(history.spikes(0, first + 1), [7]);
            longest = longest.max(history.nodes[0].neurons.len());
        }
        assert!(longest < 3 * SLACK_SPIKES, "{longest}");
        history.clear(7);
        assert!(history.spikes(0, 7).is_empty() && history.spikes(0, 39_999).is_empty());
    }
}
