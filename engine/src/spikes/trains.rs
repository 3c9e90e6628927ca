//! The events of a list sorted by neuron.

use super::events::accumulate;
use super::{EventList, Shape};

/// Spike trains: for each neuron of each batch item the moments at which it fires, ascending.
#[derive(Clone, PartialEq, Debug)]
pub struct Trains {
    shape: Shape,
    /// Where the train of each lane begins, and the number of spikes.
    starts: Vec<usize>,
    steps: Vec<u64>,
    offsets_ms: Option<Vec<f64>>,
}

/// The spikes of one neuron.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Train<'a> {
    steps: &'a [u64],
    offsets_ms: Option<&'a [f64]>,
}

impl<'a> Train<'a> {
    /// The step of each spike, ascending.
    #[must_use]
    pub fn steps(&self) -> &'a [u64] {
        self.steps
    }

    /// The offset of each spike within its step \[ms\]; `None` on the grid.
    #[must_use]
    pub fn offsets_ms(&self) -> Option<&'a [f64]> {
        self.offsets_ms
    }
}

impl Trains {
    /// Extent.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The spikes of a neuron of a batch item; none where there is no such neuron. O(1).
    #[must_use]
    pub fn train(&self, item: u32, neuron: u32) -> Train<'_> {
        let there = item < self.shape.batch && neuron < self.shape.neurons;
        let range = if there {
            let lane = (item * self.shape.neurons + neuron) as usize;
            self.starts[lane]..self.starts[lane + 1]
        } else {
            0..0
        };
        let offsets_ms = self.offsets_ms.as_ref();
        Train {
            steps: &self.steps[range.clone()],
            offsets_ms: offsets_ms.map(|offsets| &offsets[range]),
        }
    }
}

impl EventList {
    /// Sorts the events by neuron. O(events + lanes), by counting.
    #[must_use]
    pub fn trains(&self) -> Trains {
        let mut starts = vec![0; self.shape.lanes() as usize + 1];
        let lane = |item: u32, neuron: u32| (item * self.shape.neurons + neuron) as usize;
        for item in 0..self.shape.batch {
            for &neuron in self.item(item).neurons() {
                starts[lane(item, neuron) + 1] += 1;
            }
        }
        accumulate(&mut starts);
        let mut next = starts.clone();
        let mut steps = vec![0; self.len()];
        let mut offsets_ms = (!self.is_on_grid()).then(|| vec![0.0; self.len()]);
        for item in 0..self.shape.batch {
            for event in self.item(item).iter() {
                let place = &mut next[lane(item, event.neuron)];
                steps[*place] = event.step;
                if let Some(offsets) = &mut offsets_ms {
                    offsets[*place] = event.offset_ms;
                }
                *place += 1;
            }
        }
        Trains {
            shape: self.shape,
            starts,
            steps,
            offsets_ms,
        }
    }
}
