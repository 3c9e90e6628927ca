//! What is going to happen: spikes on their way to a shard, and when each neuron acts next by itself.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use hashbrown::DefaultHashBuilder;
use priority_queue::PriorityQueue;

use super::moment::Moment;

/// A spike on its way along the synapses of its source onto the shard: one entry, whatever their
/// number, that walks the row in the order of the delays.
///
/// Entries are ordered by the moment of the next arrival; at the same moment by edge, emission,
/// source and position in the row, which is the order in which simultaneous inputs are summed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Delivery {
    /// When the next synapse of the row is reached.
    pub(super) at: Moment,
    /// Place of the edge among those that lead here.
    pub(super) afferent: u32,
    /// When the source fired.
    pub(super) emitted: Moment,
    /// The lane that fired.
    pub(super) source: u32,
    /// The next synapse, counted from the beginning of the row.
    pub(super) position: u32,
}

/// Spikes on their way. Each operation costs O(log entries).
#[derive(Debug, Default)]
pub(super) struct Deliveries(BinaryHeap<Reverse<Delivery>>);

impl Deliveries {
    /// Bytes of an entry.
    pub(super) const ENTRY_BYTES: usize = size_of::<Delivery>();

    pub(super) fn push(&mut self, delivery: Delivery) {
        self.0.push(Reverse(delivery));
    }

    /// The moment of the next arrival.
    pub(super) fn next(&self) -> Option<Moment> {
        self.0.peek().map(|d| d.0.at)
    }

    /// Hands the first entry to `walk` if it is due at `at`, and puts it back where `walk` gives the
    /// next arrival of its row. Whether there was one.
    pub(super) fn walk_first(
        &mut self,
        at: Moment,
        walk: impl FnOnce(Delivery) -> Option<Delivery>,
    ) -> bool {
        let Some(mut first) = self.0.peek_mut().filter(|d| d.0.at == at) else {
            return false;
        };
        match walk(first.0) {
            Some(next) => first.0 = next,
            None => {
                PeekMut::pop(first);
            }
        }
        true
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// When each neuron acts next if nothing arrives: fires, ends its refractory time, or is looked at. The neuron
/// stands in the priority, so that the order of those at the same moment is their own.
pub(super) struct Predictions(PriorityQueue<u32, Reverse<(Moment, u32)>, DefaultHashBuilder>);

impl Predictions {
    /// Bytes of a queued neuron: key, priority and hash in one table, its place in a second, and two
    /// indices of the heap.
    pub(super) const ENTRY_BYTES: usize = size_of::<(u32, Reverse<(Moment, u32)>, u64)>()
        + size_of::<usize>()
        + 1
        + 2 * size_of::<usize>();

    pub(super) fn new() -> Self {
        Self(PriorityQueue::with_default_hasher())
    }

    /// Sets or removes what `neuron` will do. O(log neurons).
    pub(super) fn set(&mut self, neuron: u32, at: Option<Moment>) {
        match at {
            Some(at) => {
                self.0.push(neuron, Reverse((at, neuron)));
            }
            None => {
                self.0.remove(&neuron);
            }
        }
    }

    /// What `neuron` will do.
    pub(super) fn of(&self, neuron: u32) -> Option<Moment> {
        self.0.get_priority(&neuron).map(|first| first.0.0)
    }

    /// The first to act.
    pub(super) fn next(&self) -> Option<(Moment, u32)> {
        self.0.peek().map(|(_, first)| first.0)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::moment::Clock;

    fn at(step: u64) -> Moment {
        Clock::new(0.1).step_end(step)
    }

    #[test]
    fn entries_come_by_moment_then_edge_emission_source_and_position() {
        let delivery = |step, afferent, emitted, source, position| Delivery {
            at: at(step),
            afferent,
            emitted: at(emitted),
            source,
            position,
        };
        let sorted = [
            delivery(3, 1, 2, 0, 0),
            delivery(5, 0, 2, 9, 1),
            delivery(5, 0, 3, 1, 7),
            delivery(5, 0, 3, 1, 8),
            delivery(5, 0, 3, 2, 0),
            delivery(5, 1, 1, 0, 0),
        ];
        for start in 0..sorted.len() {
            let mut queue = Deliveries::default();
            for k in 0..sorted.len() {
                queue.push(sorted[(start + k * 5) % sorted.len()]);
            }
            let mut seen = Vec::new();
            while let Some(moment) = queue.next() {
                assert!(!queue.walk_first(at(99), |_| None));
                assert!(queue.walk_first(moment, |d| {
                    seen.push(d);
                    None
                }));
            }
            assert_eq!(seen, sorted);
        }
    }

    #[test]
    fn neurons_act_by_moment_then_number_and_change_their_minds() {
        let mut queue = Predictions::new();
        for neuron in [4, 2, 9, 7] {
            queue.set(neuron, Some(at(8)));
        }
        queue.set(9, Some(at(1)));
        queue.set(4, None);
        queue.set(5, None);
        queue.set(7, Some(at(20)));
        let mut seen = Vec::new();
        while let Some((moment, neuron)) = queue.next() {
            seen.push((moment.step(), neuron));
            queue.set(neuron, None);
        }
        assert_eq!(seen, [(1, 9), (8, 2), (20, 7)]);
    }
}
