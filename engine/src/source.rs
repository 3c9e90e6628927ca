//! Nodes that emit without receiving: stimuli and inputs from outside.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rheobase_equations::real::Real;

use crate::actor::{Actor, RunError};
use crate::packet::{History, Packet};
use crate::plan::{InputKind, NodeId};
use crate::port::SpikeSource;
use crate::record::{Records, Spikes};
use crate::time::Slice;

/// A shard of a stimulus that emits spikes.
pub(crate) struct SourceActor {
    pub(crate) node: NodeId,
    pub(crate) range: Range<u32>,
    /// How often the neurons' spikes are repeated, one copy of the batch after the other.
    pub(crate) copies: u32,
    /// Neurons of one copy.
    pub(crate) size: u32,
    pub(crate) source: Box<dyn SpikeSource>,
    /// Spikes have offsets.
    pub(crate) timed: bool,
    pub(crate) make: Box<dyn Fn() -> Box<dyn SpikeSource> + Send>,
    pub(crate) record_spikes: bool,
    pub(crate) spikes: Spikes,
    pub(crate) n_spikes: u64,
}

impl SourceActor {
    fn emit(&mut self, step: u64, spikes: &mut Vec<u32>, offsets_ms: &mut Vec<f64>) {
        let start = spikes.len();
        let range = match self.copies {
            1 => self.range.clone(),
            _ => 0..self.size,
        };
        if self.timed {
            self.source.emit_timed(step, range, spikes, offsets_ms);
        } else {
            self.source.emit(step, range, spikes);
        }
        let end = spikes.len();
        for copy in 1..self.copies {
            for k in start..end {
                spikes.push(spikes[k] + copy * self.size);
            }
            if self.timed {
                offsets_ms.extend_from_within(start..end);
            }
        }
    }
}

impl<R: Real> Actor<R> for SourceActor {
    fn advance(
        &mut self,
        slice: Slice,
        _history: &History<R>,
        packets: &mut [Packet<R>],
    ) -> Result<(), RunError> {
        let packet = &mut packets[0];
        for step in slice.steps() {
            let start = packet.n_spikes();
            let (spikes, offsets_ms) = packet.timed_mut();
            self.emit(step, spikes, offsets_ms);
            packet.end_step();
            if self.record_spikes {
                let offsets = packet.offsets_from(start);
                self.spikes.offsets_ms.extend_from_slice(offsets);
            }
            let fired = packet.spikes_from_mut(start);
            self.n_spikes += fired.len() as u64;
            if self.record_spikes {
                self.spikes
                    .steps
                    .extend(std::iter::repeat_n(step, fired.len()));
                self.spikes.neurons.extend_from_slice(fired);
            }
        }
        Ok(())
    }

    fn state(&mut self, _visit: &mut dyn FnMut(NodeId, &str, &mut [R])) {}

    fn reset(&mut self) {
        self.source = (self.make)();
        self.spikes = Spikes::default();
        self.n_spikes = 0;
    }

    fn take_records(&mut self) -> Vec<Records> {
        vec![Records {
            node: self.node,
            spikes: self.record_spikes.then(|| std::mem::take(&mut self.spikes)),
            n_spikes: std::mem::take(&mut self.n_spikes),
            ..Records::default()
        }]
    }
}

/// Data of an input node: `[steps, lanes]`, the first row being that of step `first`.
#[derive(Clone, Debug, Default)]
pub(crate) struct InputData<R> {
    pub(crate) first: u64,
    pub(crate) values: Vec<R>,
}

/// Where data for an input node is left for it.
pub(crate) type InputHandle<R> = Arc<Mutex<InputData<R>>>;

/// An input node.
pub(crate) struct InputActor<R> {
    pub(crate) node: NodeId,
    pub(crate) name: String,
    pub(crate) lanes: usize,
    pub(crate) kind: InputKind,
    pub(crate) data: InputHandle<R>,
}

impl<R: Real> Actor<R> for InputActor<R> {
    fn advance(
        &mut self,
        slice: Slice,
        _history: &History<R>,
        packets: &mut [Packet<R>],
    ) -> Result<(), RunError> {
        let packet = &mut packets[0];
        let data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        for step in slice.steps() {
            let row = step
                .checked_sub(data.first)
                .and_then(|k| usize::try_from(k).ok())
                .and_then(|k| data.values.get(k * self.lanes..(k + 1) * self.lanes))
                .ok_or_else(|| RunError::Input {
                    node: self.name.clone(),
                    message: format!("no data for step {step}; give it before advancing"),
                })?;
            match self.kind {
                InputKind::Real => packet.real_mut().extend_from_slice(row),
                InputKind::Spikes => {
                    let spikes = packet.spikes_mut();
                    // 0 or 1: checked when the data was given.
                    for (lane, &x) in (0_u32..).zip(row) {
                        if x > R::ZERO {
                            spikes.push(lane);
                        }
                    }
                }
            }
            packet.end_step();
        }
        Ok(())
    }

    fn state(&mut self, _visit: &mut dyn FnMut(NodeId, &str, &mut [R])) {}

    fn reset(&mut self) {}

    fn take_records(&mut self) -> Vec<Records> {
        vec![Records {
            node: self.node,
            ..Records::default()
        }]
    }
}
