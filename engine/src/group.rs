//! The populations of one shard that depend on each other, with the synapses onto them.
//!
//! Together they are one actor: the synapses of a source population onto all of them lie in one place
//! and are delivered at a stretch, into input lanes that fit into the nearest caches.

use std::time::Instant;

use rheobase_equations::native::Aligned;
use rheobase_equations::real::Real;

use crate::actor::{Actor, RunError};
use crate::anchored::{BLOCK, Marks};
use crate::packet::{History, Packet};
use crate::plan::NodeId;
use crate::population::{Inputs, PopulationShard};
use crate::record::Records;
use crate::rows::{Arrivals, Rows, Segment};
use crate::time::Slice;

/// The synapses of a bundle onto this shard, and where their lanes begin.
pub(crate) struct Bundle<R> {
    rows: Rows<R>,
    arrivals: Arrivals,
    /// Lane 0 of the bundle among all lanes of the inputs.
    first_lane: usize,
}

impl<R: Real> Bundle<R> {
    pub(crate) fn new(rows: Rows<R>, first_lane: usize) -> Self {
        Self {
            arrivals: rows.arrivals(),
            rows,
            first_lane,
        }
    }

    pub(crate) fn rows(&self) -> &Rows<R> {
        &self.rows
    }
}

/// Populations of one shard.
pub(crate) struct GroupActor<R: Real> {
    populations: Vec<PopulationShard<R>>,
    /// In the order of the description.
    bundles: Vec<Bundle<R>>,
    inputs: Inputs<R>,
    /// Segments due in the current step, and where those of each bundle begin.
    due: Vec<Segment>,
    starts: Vec<usize>,
    synaptic_events: u64,
    /// Blocks of lanes that are reached in a step; empty where no population can be sparse.
    marks: Marks,
    batch: usize,
    running: Option<usize>,
}

impl<R: Real> GroupActor<R> {
    /// `plane` input lanes for each of `n_ports` port numbers.
    pub(crate) fn new(
        populations: Vec<PopulationShard<R>>,
        bundles: Vec<Bundle<R>>,
        (n_ports, plane): (usize, usize),
        batch: usize,
    ) -> Self {
        let anchored = populations.iter().any(PopulationShard::is_anchored);
        Self {
            marks: Marks::new(if anchored { plane } else { 0 }),
            populations,
            bundles,
            inputs: Inputs {
                lanes: Aligned::zeroed(n_ports * plane),
                plane,
            },
            due: Vec::new(),
            starts: Vec::new(),
            synaptic_events: 0,
            batch,
            running: None,
        }
    }

    /// Adds what arrives at `step` by synapses. Per target the order of the sum is: bundle, emission
    /// step, source, position in row.
    fn deliver(&mut self, step: u64, history: &History<R>) {
        self.due.clear();
        self.starts.clear();
        for bundle in &mut self.bundles {
            self.starts.push(self.due.len());
            let (rows, arrivals) = (&bundle.rows, &mut bundle.arrivals);
            self.synaptic_events += rows.find_due(step, history, arrivals, &mut self.due);
        }
        self.starts.push(self.due.len());
        for (bundle, ends) in self.bundles.iter().zip(self.starts.windows(2)) {
            let lanes = &mut self.inputs.lanes[bundle.first_lane..];
            bundle.rows.deliver(&self.due[ends[0]..ends[1]], lanes);
        }
    }

    /// Marks what [`Self::deliver`] has reached, for populations that look at nothing else.
    fn mark(&mut self) {
        let begun = self.populations.iter().any(PopulationShard::is_timed);
        let begun = begun.then(Instant::now);
        for (bundle, ends) in self.bundles.iter().zip(self.starts.windows(2)) {
            // Lanes of all ports lie one below the other.
            let first = bundle.first_lane % self.inputs.plane;
            let lanes = first..first + bundle.rows.n_lanes(self.batch);
            let wanted = |p: &PopulationShard<R>| {
                let own = p.lanes();
                p.is_sparse() && own.start < lanes.end && lanes.start < own.end
            };
            if self.populations.iter().any(wanted) {
                let due = &self.due[ends[0]..ends[1]];
                bundle
                    .rows
                    .for_each_target(due, |lane| self.marks.set(first + lane));
            }
        }
        if let Some(begun) = begun {
            let sparse = self.populations.iter().filter(|p| p.is_sparse()).count();
            let share = begun.elapsed() / u32::try_from(sparse.max(1)).unwrap_or(1);
            for population in self.populations.iter_mut().filter(|p| p.is_sparse()) {
                population.add_time(share);
            }
        }
    }

    /// Lanes of blocks that receive something, summed over the steps of a slice, if `events` fall on
    /// `lanes` of `all` lanes at random.
    #[allow(clippy::cast_precision_loss, reason = "counts of a slice")]
    fn reached(events: u64, slice: Slice, lanes: usize, all: usize) -> f64 {
        let density = (events * BLOCK as u64) as f64 / (slice.len as f64 * all.max(1) as f64);
        slice.len as f64 * lanes as f64 * -libm::expm1(-density)
    }
}

impl<R: Real> Actor<R> for GroupActor<R> {
    fn advance(
        &mut self,
        slice: Slice,
        history: &History<R>,
        packets: &mut [Packet<R>],
    ) -> Result<(), RunError> {
        let events = self.synaptic_events;
        self.populations
            .iter_mut()
            .for_each(PopulationShard::begin_slice);
        let is_sparse = self.populations.iter().any(PopulationShard::is_sparse);
        for step in slice.steps() {
            self.running = None;
            self.deliver(step, history);
            if is_sparse {
                self.mark();
            }
            for (k, population) in self.populations.iter_mut().enumerate() {
                self.running = Some(k);
                let marks = is_sparse.then_some(&mut self.marks);
                population.step(step, history, &mut self.inputs, marks, &mut packets[k]);
            }
        }
        if self.marks.capacity() > 0 {
            let events = self.synaptic_events - events;
            let all: usize = self.populations.iter().map(|p| p.lanes().len()).sum();
            for population in &mut self.populations {
                let lanes = population.lanes().len();
                population.end_slice(slice, Self::reached(events, slice, lanes, all));
            }
        }
        for (k, population) in self.populations.iter_mut().enumerate() {
            self.running = Some(k);
            population.check(slice)?;
        }
        Ok(())
    }

    fn running(&self) -> Option<usize> {
        self.running
    }

    fn state(&mut self, visit: &mut dyn FnMut(NodeId, &str, &mut [R])) {
        for population in &mut self.populations {
            population.state(visit);
        }
    }

    fn reset(&mut self) {
        self.inputs.lanes.fill(R::ZERO);
        self.synaptic_events = 0;
        for bundle in &mut self.bundles {
            bundle.arrivals = bundle.rows.arrivals();
        }
        for population in &mut self.populations {
            population.reset();
        }
    }

    fn resume(&mut self, now: u64) {
        for population in &mut self.populations {
            population.resume(now);
        }
    }

    fn take_records(&mut self) -> Vec<Records> {
        let mut records: Vec<Records> = self
            .populations
            .iter_mut()
            .map(PopulationShard::take_records)
            .collect();
        if let Some(first) = records.first_mut() {
            first.synaptic_events = std::mem::take(&mut self.synaptic_events);
        }
        records
    }
}
