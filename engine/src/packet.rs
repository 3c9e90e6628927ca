//! What nodes emit, and the window of the past that receivers read.

use std::sync::Arc;

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
    /// Real values, `[steps, lanes of the shard]`; empty for nodes that emit spikes.
    real: Vec<R>,
}

impl<R: Real> Packet<R> {
    /// Empties the packet, keeping its memory.
    pub fn clear(&mut self) {
        self.offsets.clear();
        self.offsets.push(0);
        self.neurons.clear();
        self.real.clear();
    }

    /// The list to which the spikes of the current step are appended.
    pub fn spikes_mut(&mut self) -> &mut Vec<u32> {
        &mut self.neurons
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

    /// All spikes of the slice with their step offsets.
    pub fn all_spikes(&self) -> impl Iterator<Item = (usize, &[u32])> {
        (0..self.offsets.len().saturating_sub(1)).map(|k| (k, self.spikes(k)))
    }

    /// Start of each step in the list of all spikes, and that list.
    #[must_use]
    pub fn lists(&self) -> (&[u32], &[u32]) {
        (&self.offsets, &self.neurons)
    }

    /// Real values of the whole slice.
    #[must_use]
    pub fn real(&self) -> &[R] {
        &self.real
    }
}

/// The packets of the last slices, of every node and shard, as one worker sees them.
#[derive(Debug)]
pub struct History<R> {
    n_shards: usize,
    n_nodes: usize,
    /// Ring of slices.
    slots: Vec<Slot<R>>,
    /// Ring over steps: slot and offset of a step.
    steps: Vec<(u32, u32)>,
    current: usize,
}

#[derive(Clone, Debug)]
struct Slot<R> {
    slice: Slice,
    packets: Vec<Option<Arc<Packet<R>>>>,
}

impl<R: Real> History<R> {
    /// A window that reaches back `n_steps` steps before the current slice of at most `max_slice`.
    #[must_use]
    pub fn new(n_nodes: usize, n_shards: usize, n_steps: usize, max_slice: usize) -> Self {
        let slot = Slot {
            slice: Slice { first: 0, len: 0 },
            packets: vec![None; n_nodes * n_shards],
        };
        // Slices may be as short as one step.
        let n_slots = n_steps + 2;
        Self {
            n_shards,
            n_nodes,
            slots: vec![slot; n_slots],
            steps: vec![(0, 0); n_steps + max_slice + 1],
            current: 0,
        }
    }

    /// Forgets every step.
    pub fn clear(&mut self) {
        for slot in &mut self.slots {
            slot.slice = Slice { first: 0, len: 0 };
            slot.packets.fill(None);
        }
    }

    /// Begins `slice`: the oldest slot becomes the current one.
    #[allow(clippy::cast_possible_truncation, reason = "rings are short")]
    pub fn begin(&mut self, slice: Slice) {
        self.current = (self.current + 1) % self.slots.len();
        self.slots[self.current].slice = slice;
        let capacity = self.steps.len() as u64;
        for (offset, step) in slice.steps().enumerate() {
            self.steps[(step % capacity) as usize] = (self.current as u32, offset as u32);
        }
    }

    /// A packet to fill for (node, shard) in the current slice: the memory of the one that falls
    /// out of the window, where no one else holds it.
    #[must_use]
    pub fn recycle(&mut self, node: NodeId, shard: usize) -> Packet<R> {
        let old = self.slots[self.current].packets[node * self.n_shards + shard].take();
        let mut packet = old
            .and_then(|p| Arc::try_unwrap(p).ok())
            .unwrap_or_default();
        packet.clear();
        packet
    }

    /// Puts what (node, shard) emitted in the current slice.
    pub fn put(&mut self, node: NodeId, shard: usize, packet: Arc<Packet<R>>) {
        debug_assert!(node < self.n_nodes);
        self.slots[self.current].packets[node * self.n_shards + shard] = Some(packet);
    }

    /// The packets of `node`, one per shard, and the offset of `step` in them. Empty for steps
    /// before the beginning.
    #[inline]
    fn at(&self, node: NodeId, step: u64) -> (&[Option<Arc<Packet<R>>>], usize) {
        let (slot, offset) = self.steps[(step % self.steps.len() as u64) as usize];
        let slot = &self.slots[slot as usize];
        if slot.slice.first + u64::from(offset) != step || slot.slice.len == 0 {
            return (&[], 0);
        }
        let start = node * self.n_shards;
        (&slot.packets[start..start + self.n_shards], offset as usize)
    }

    /// What `node` emitted at `step`, shard by shard: ascending lanes in all.
    #[inline]
    pub fn spikes(&self, node: NodeId, step: u64) -> impl Iterator<Item = &[u32]> {
        let (packets, offset) = self.at(node, step);
        packets
            .iter()
            .filter_map(move |p| p.as_deref().map(|p| p.spikes(offset)))
    }

    /// The real values of `node` at `step` (nodes that emit real values have one shard).
    #[must_use]
    pub fn real(&self, node: NodeId, step: u64, lanes: usize) -> Option<&[R]> {
        let (packets, offset) = self.at(node, step);
        let packet = packets.first()?.as_deref()?;
        packet.real.get(offset * lanes..(offset + 1) * lanes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found_over_slices_of_any_length() {
        let mut history = History::<f32>::new(1, 1, 6, 4);
        let mut first = 1;
        for len in [4, 1, 3, 4, 2] {
            let slice = Slice { first, len };
            history.begin(slice);
            let mut packet = history.recycle(0, 0);
            for step in slice.steps() {
                packet.spikes_mut().push(u32::try_from(step).unwrap());
                packet.end_step();
            }
            history.put(0, 0, Arc::new(packet));
            first += len as u64;
            for back in 0..6_u64 {
                let found: Vec<u32> = history
                    .spikes(0, (first - 1).saturating_sub(back))
                    .flatten()
                    .copied()
                    .collect();
                let expected: Vec<u32> = u32::try_from(first - 1)
                    .unwrap()
                    .checked_sub(u32::try_from(back).unwrap())
                    .filter(|&s| s > 0)
                    .into_iter()
                    .collect();
                assert_eq!(found, expected);
            }
        }
    }
}
