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
///
/// Each node keeps a ring of its own, as long as its longest outgoing delay asks for.
#[derive(Debug)]
pub struct History<R> {
    n_shards: usize,
    nodes: Vec<Ring<R>>,
    /// Where the last steps are, by step modulo the length.
    steps: Vec<Place>,
    /// Number of slices begun.
    serial: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    step: u64,
    serial: u64,
    offset: u32,
}

/// Packets of one node: `[slices][shards]`.
#[derive(Debug)]
struct Ring<R> {
    n_slices: u64,
    packets: Vec<Option<Arc<Packet<R>>>>,
}

impl<R: Real> History<R> {
    /// A window that reaches back `reach[node]` steps before the current slice of at most
    /// `max_slice`. Memory: 8 bytes per step of reach, node and shard.
    #[must_use]
    pub fn new(reach: &[usize], n_shards: usize, max_slice: usize) -> Self {
        let longest = reach.iter().copied().max().unwrap_or(0);
        let nodes = reach
            .iter()
            .map(|&reach| {
                // Slices may be as short as one step.
                let n_slices = reach + 2;
                let mut packets = Vec::new();
                packets.resize_with(n_slices * n_shards, || None);
                Ring {
                    n_slices: n_slices as u64,
                    packets,
                }
            })
            .collect();
        Self {
            n_shards,
            nodes,
            steps: vec![Place::default(); longest + max_slice + 1],
            serial: 0,
        }
    }

    /// Forgets every step.
    pub fn clear(&mut self) {
        for ring in &mut self.nodes {
            ring.packets.fill_with(|| None);
        }
        self.steps.fill(Place::default());
        self.serial = 0;
    }

    /// Begins `slice`.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "rings and slices are short"
    )]
    pub fn begin(&mut self, slice: Slice) {
        self.serial += 1;
        let capacity = self.steps.len() as u64;
        for (offset, step) in slice.steps().enumerate() {
            let place = Place {
                step,
                serial: self.serial,
                offset: offset as u32,
            };
            self.steps[(step % capacity) as usize] = place;
        }
    }

    /// A packet to fill for (node, shard) in the current slice: the memory of the one that falls
    /// out of the window, where no one else holds it.
    #[must_use]
    pub fn recycle(&mut self, node: NodeId, shard: usize) -> Packet<R> {
        let old = self.nodes[node].at_mut(self.serial, self.n_shards)[shard].take();
        let mut packet = old
            .and_then(|p| Arc::try_unwrap(p).ok())
            .unwrap_or_default();
        packet.clear();
        packet
    }

    /// Puts what (node, shard) emitted in the current slice.
    pub fn put(&mut self, node: NodeId, shard: usize, packet: Arc<Packet<R>>) {
        self.nodes[node].at_mut(self.serial, self.n_shards)[shard] = Some(packet);
    }

    /// The packets of `node`, one per shard, and the offset of `step` in them. Empty for steps
    /// before the beginning and beyond the window.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "rings are short")]
    fn at(&self, node: NodeId, step: u64) -> (&[Option<Arc<Packet<R>>>], usize) {
        let place = self.steps[(step % self.steps.len() as u64) as usize];
        let ring = &self.nodes[node];
        if place.step != step || place.serial == 0 || self.serial - place.serial >= ring.n_slices {
            return (&[], 0);
        }
        let start = (place.serial % ring.n_slices) as usize * self.n_shards;
        (
            &ring.packets[start..start + self.n_shards],
            place.offset as usize,
        )
    }

    /// What `node` emitted at `step`, shard by shard: ascending lanes in all.
    #[inline]
    pub fn spikes(&self, node: NodeId, step: u64) -> impl Iterator<Item = &[u32]> {
        let (packets, offset) = self.at(node, step);
        packets
            .iter()
            .filter_map(move |p| p.as_deref().map(|p| p.spikes(offset)))
    }

    /// The real values of `node` at `step`: nodes that emit real values are never split, so one
    /// packet holds all lanes.
    #[must_use]
    pub fn real(&self, node: NodeId, step: u64, lanes: usize) -> Option<&[R]> {
        let (packets, offset) = self.at(node, step);
        let packet = packets.first()?.as_deref()?;
        packet.real.get(offset * lanes..(offset + 1) * lanes)
    }
}

impl<R> Ring<R> {
    #[allow(clippy::cast_possible_truncation, reason = "rings are short")]
    fn at_mut(&mut self, serial: u64, n_shards: usize) -> &mut [Option<Arc<Packet<R>>>] {
        let start = (serial % self.n_slices) as usize * n_shards;
        &mut self.packets[start..start + n_shards]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found_over_slices_of_any_length() {
        let mut history = History::<f32>::new(&[6], 1, 4);
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
