//! A circuit on a device as an actor of the schedule.

use rheobase_shaders::LANE_BITS;

use super::super::error::GpuError;
use super::events::Events;
use super::layout::{Layout, MOST_SPIKES};
use super::resident::{Emitted, OuterSpikes, Resident};
use super::synapses::Fanout;
use crate::actor::{Actor, RunError};
use crate::packet::{History, Packet};
use crate::plan::NodeId;
use crate::population::{CHECK_EVERY_STEPS, StateRecorder};
use crate::record::{Records, Spikes};
use crate::time::Slice;

/// What the processor keeps of a population on the device.
pub(super) struct Kept {
    pub(super) node: NodeId,
    pub(super) name: String,
    pub(super) n: usize,
    pub(super) first_lane: u32,
    pub(super) state_names: Vec<String>,
    /// `[states][n]`, as far as they are known here.
    pub(super) states: Vec<f32>,
    pub(super) initial: Vec<f32>,
    /// States that the device records, and its columns: neurons in that order.
    pub(super) recorded: Vec<u32>,
    pub(super) columns: Vec<u32>,
    pub(super) recorders: Vec<StateRecorder>,
    pub(super) record_spikes: bool,
    pub(super) spikes: Spikes,
    pub(super) n_spikes: u64,
}

/// A node whose spikes the circuit hears, and its first lane.
#[derive(Clone, Copy)]
pub(super) struct Heard {
    pub(super) node: NodeId,
    pub(super) first_lane: u32,
    /// Runs on the device.
    pub(super) inside: bool,
    /// The last step whose spikes the device has.
    pub(super) delivered: u64,
}

/// Populations on a device.
pub(super) struct CircuitActor {
    resident: Resident,
    /// In the order of the packets.
    populations: Vec<Kept>,
    heard: Vec<Heard>,
    events: Events,
    dt_ms: f64,
    /// The states in [`Kept::states`] are those of the device.
    is_known: bool,
    /// The device is to go on from what is kept here, after that step.
    resume: Option<u64>,
    /// What went wrong where nobody could be told.
    trouble: Option<GpuError>,
    outer: OuterSpikes,
}

impl CircuitActor {
    pub(super) fn new(
        resident: Resident,
        layout: &Layout,
        populations: Vec<Kept>,
        heard: &[NodeId],
        fanout: Fanout,
        dt_ms: f64,
    ) -> Self {
        let inside = |node| populations.iter().any(|p: &Kept| p.node == node);
        let heard = heard
            .iter()
            .filter_map(|&node| {
                Some(Heard {
                    node,
                    first_lane: layout.first_lane(node)?,
                    inside: inside(node),
                    delivered: 0,
                })
            })
            .collect();
        Self {
            resident,
            heard,
            populations,
            events: Events::new(fanout),
            dt_ms,
            is_known: true,
            resume: None,
            trouble: None,
            outer: OuterSpikes::default(),
        }
    }

    fn run(
        &mut self,
        slice: Slice,
        history: &History<f32>,
        packets: &mut [Packet<f32>],
    ) -> Result<(), RunError> {
        let dt_ms = self.dt_ms;
        let failed = |e: GpuError, first: u64| RunError::Device {
            message: e.to_string(),
            time_ms: time_ms(first - 1, dt_ms),
        };
        if let Some(trouble) = self.trouble.clone() {
            return Err(failed(trouble, slice.first));
        }
        if let Some(now) = self.resume.take() {
            self.go_on(now, history)
                .map_err(|e| failed(e, slice.first))?;
        }
        self.is_known = false;
        let mut first = slice.first;
        while first < slice.end() {
            let left = usize::try_from(slice.end() - first).unwrap_or(usize::MAX);
            let part = Slice {
                first,
                len: left.min(self.resident.longest()),
            };
            self.hear(part, history)?;
            let rows: Vec<Vec<usize>> = self.populations.iter().map(|p| p.rows(part)).collect();
            let emitted = self.resident.advance(part, &self.outer, &rows);
            let emitted = emitted.map_err(|e| failed(e, first))?;
            self.take(part, &emitted, &rows, packets);
            self.check(part, &emitted.status)?;
            first = part.end();
        }
        Ok(())
    }

    /// Collects what nodes of the processor emitted in the slice; and before it, where a node that is
    /// heard after some steps runs beside the circuit, and its last slice is known only now.
    fn hear(&mut self, slice: Slice, history: &History<f32>) -> Result<(), RunError> {
        let outer = &mut self.outer;
        outer.late.clear();
        outer.spikes.clear();
        outer.ends.clear();
        let behind = self.heard.iter().filter(|h| !h.inside);
        let first = behind.map(|h| h.delivered + 1).min();
        outer.late_from = first.unwrap_or(slice.first);
        for step in outer.late_from..slice.first {
            let k = u32::try_from(step - outer.late_from).unwrap_or(u32::MAX);
            for heard in self
                .heard
                .iter()
                .filter(|h| !h.inside && h.delivered < step)
            {
                heard.add(k, step, history, self.dt_ms, &mut outer.late)?;
            }
        }
        for (k, step) in (0_u32..).zip(slice.steps()) {
            for heard in self.heard.iter().filter(|h| !h.inside) {
                heard.add(k, step, history, self.dt_ms, &mut outer.spikes)?;
            }
            let end = u32::try_from(outer.spikes.len()).unwrap_or(u32::MAX);
            outer.ends.push(end);
        }
        for heard in self.heard.iter_mut().filter(|h| !h.inside) {
            let known = *history.kept_steps(heard.node).end();
            heard.delivered = heard.delivered.max(known.min(slice.end() - 1));
        }
        Ok(())
    }

    /// Hands spikes and traces to packets and records.
    fn take(
        &mut self,
        slice: Slice,
        emitted: &Emitted,
        rows: &[Vec<usize>],
        packets: &mut [Packet<f32>],
    ) {
        let mut ended = vec![0; self.populations.len()];
        let mut of = 0;
        for &spike in &emitted.spikes {
            let (k, lane) = unpack(spike);
            let holds = |p: &Kept| (p.first_lane..p.first_lane + p.size()).contains(&lane);
            if !self.populations[of].is_source_of(lane) {
                of = self.populations.iter().position(holds).unwrap_or(of);
            }
            let population = &mut self.populations[of];
            let neuron = lane - population.first_lane;
            let packet = &mut packets[of];
            while ended[of] < k {
                packet.end_step();
                ended[of] += 1;
            }
            packet.spikes_mut().push(neuron);
            let step = slice.first + u64::from(k);
            population.n_spikes += 1;
            if population.record_spikes {
                population.spikes.steps.push(step);
                population.spikes.neurons.push(neuron);
            }
            self.events.count(u64::from(k), lane);
        }
        for (packet, ended) in packets.iter_mut().zip(ended) {
            for _ in ended as usize..slice.len {
                packet.end_step();
            }
        }
        for k in 0..self.outer.spikes.len() {
            let (k, lane) = unpack(self.outer.spikes[k]);
            self.events.count(u64::from(k), lane);
        }
        for k in 0..self.outer.late.len() {
            let (k, lane) = unpack(self.outer.late[k]);
            let ago = slice.first - 1 - (self.outer.late_from + u64::from(k));
            self.events.count_past(ago, lane);
        }
        for (population, (rows, traces)) in self
            .populations
            .iter_mut()
            .zip(rows.iter().zip(&emitted.traces))
        {
            population.record(slice, rows, traces);
        }
        self.events.advance(slice.len);
    }

    fn check(&mut self, slice: Slice, status: &[u32]) -> Result<(), RunError> {
        let Some(k) = status.iter().position(|&s| s != 0) else {
            return Ok(());
        };
        let last = slice.end() - 1;
        self.learn().map_err(|e| RunError::Device {
            message: e.to_string(),
            time_ms: time_ms(last, self.dt_ms),
        })?;
        Err(self.populations[k].not_finite(slice, self.dt_ms))
    }

    /// Reads the states back, if they have changed since.
    fn learn(&mut self) -> Result<(), GpuError> {
        if self.is_known {
            return Ok(());
        }
        let all = self.resident.states()?;
        for (population, states) in self.populations.iter_mut().zip(all) {
            population.unpad(&states);
        }
        self.is_known = true;
        Ok(())
    }

    /// The device goes on after step `now` from the states kept here, and from what the past holds.
    fn go_on(&mut self, now: u64, history: &History<f32>) -> Result<(), GpuError> {
        self.resident.forget()?;
        for k in 0..self.populations.len() {
            let states = self.populations[k].padded();
            self.resident.set_states(k, &states)?;
        }
        self.events.clear();
        self.heard.iter_mut().for_each(|h| h.delivered = now);
        let mut past: Vec<(u64, Vec<u32>)> = Vec::new();
        for heard in self.heard.clone() {
            for step in history.kept_steps(heard.node).filter(|&step| step <= now) {
                let spikes = history.spikes(heard.node, step);
                let lanes: Vec<u32> = spikes.iter().map(|l| heard.first_lane + l).collect();
                for &lane in &lanes {
                    self.events.count_past(now - step, lane);
                }
                match past.iter_mut().find(|(s, _)| *s == step) {
                    Some((_, all)) => all.extend(lanes),
                    None => past.push((step, lanes)),
                }
            }
        }
        self.resident.deliver_past(now, &past)
    }
}

/// Step and lane of a spike.
pub(super) fn unpack(spike: u32) -> (u32, u32) {
    (spike >> LANE_BITS, spike & ((1 << LANE_BITS) - 1))
}

impl Heard {
    /// Appends the spikes of a step, `k` steps after the first that counts.
    fn add(
        &self,
        k: u32,
        step: u64,
        history: &History<f32>,
        dt_ms: f64,
        spikes: &mut Vec<u32>,
    ) -> Result<(), RunError> {
        let fired = history.spikes(self.node, step);
        let too_many = |run: &&[u32]| run.len() > MOST_SPIKES as usize;
        if let Some(run) = fired.chunk_by(|a, b| a == b).find(too_many) {
            return Err(RunError::Device {
                message: format!(
                    "a source fired {} times in one step; sums on the device allow for \
                     {MOST_SPIKES}: use a smaller dt or the CPU backend",
                    run.len()
                ),
                time_ms: time_ms(step, dt_ms),
            });
        }
        spikes.extend(
            fired
                .iter()
                .map(|lane| k << LANE_BITS | (self.first_lane + lane)),
        );
        Ok(())
    }
}

#[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
pub(super) fn time_ms(step: u64, dt_ms: f64) -> f64 {
    step as f64 * dt_ms
}

impl Kept {
    /// Names the first state that is not finite, as found after a slice.
    pub(super) fn not_finite(&self, slice: Slice, dt_ms: f64) -> RunError {
        let n = self.n.max(1);
        let found = self.states.iter().position(|x| !x.is_finite());
        let at = found.unwrap_or(0);
        RunError::NotFinite {
            population: self.name.clone(),
            neuron: at % n,
            variable: self.state_names[at / n].clone(),
            value: f64::from(self.states[at]),
            time_ms: time_ms(slice.end() - 1, dt_ms),
            checked_every_steps: CHECK_EVERY_STEPS.max(slice.len as u64),
        }
    }

    /// Shows the states; whether they were changed.
    pub(super) fn show(&mut self, visit: &mut dyn FnMut(NodeId, &str, &mut [f32])) -> bool {
        let before = self.states.clone();
        let rows = self.states.chunks_exact_mut(self.n.max(1));
        for (name, row) in self.state_names.iter().zip(rows) {
            visit(self.node, name, row);
        }
        let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        bits(&before) != bits(&self.states)
    }

    fn size(&self) -> u32 {
        u32::try_from(self.n).unwrap_or(u32::MAX)
    }

    fn is_source_of(&self, lane: u32) -> bool {
        (self.first_lane..self.first_lane + self.size()).contains(&lane)
    }

    /// Steps of a slice, counted from its first, of which something is recorded.
    pub(super) fn rows(&self, slice: Slice) -> Vec<usize> {
        let due = |step: u64| {
            let mut recorders = self.recorders.iter();
            recorders.any(|r| step.is_multiple_of(r.every_steps))
        };
        let steps = slice.steps().enumerate();
        steps
            .filter(|&(_, step)| due(step))
            .map(|(k, _)| k)
            .collect()
    }

    /// Appends the rows of traces to the records that are due.
    pub(super) fn record(&mut self, slice: Slice, rows: &[usize], traces: &[f32]) {
        let columns = self.columns.len();
        let width = self.recorded.len() * columns;
        for (k, &row) in rows.iter().enumerate() {
            // Of no neurons there are steps, too.
            let values = &traces[k * width..(k + 1) * width];
            let step = slice.first + row as u64;
            for recorder in &mut self.recorders {
                if !step.is_multiple_of(recorder.every_steps) {
                    continue;
                }
                let state = self
                    .recorded
                    .iter()
                    .position(|&s| s as usize == recorder.state);
                let of_state = state.map_or(&[][..], |k| &values[k * columns..][..columns]);
                recorder.trace.steps.push(step);
                let column = |lane: &u32| self.columns.binary_search(lane).unwrap_or(0);
                let values = recorder.lanes.iter().map(|l| of_state[column(l)]);
                let scaled = values.map(|x| f64::from(x) * recorder.scale);
                recorder.trace.values.extend(scaled);
            }
        }
    }

    fn unpad(&mut self, padded: &[f32]) {
        let stride = padded.len() / self.state_names.len().max(1);
        let rows = padded.chunks_exact(stride.max(1));
        self.states.clear();
        self.states.extend(rows.flat_map(|row| &row[..self.n]));
    }

    fn padded(&self) -> Vec<f32> {
        pad(&self.states, self.n)
    }
}

/// Distance of the states of a population of `n` neurons on the device.
pub(super) fn stride(n: usize) -> usize {
    n.next_multiple_of(64).max(64)
}

/// `[states][n]` as the device has them.
pub(super) fn pad(states: &[f32], n: usize) -> Vec<f32> {
    let mut padded = Vec::new();
    for row in states.chunks_exact(n.max(1)) {
        padded.extend_from_slice(row);
        padded.resize(padded.len() + stride(n) - n, 0.0);
    }
    padded
}

impl Actor<f32> for CircuitActor {
    fn advance(
        &mut self,
        slice: Slice,
        history: &History<f32>,
        packets: &mut [Packet<f32>],
    ) -> Result<(), RunError> {
        self.run(slice, history, packets)
    }

    fn state(&mut self, visit: &mut dyn FnMut(NodeId, &str, &mut [f32])) {
        if let Err(trouble) = self.learn() {
            // What is shown are the last states known; the next step says why.
            self.trouble.get_or_insert(trouble);
        }
        for k in 0..self.populations.len() {
            if self.populations[k].show(visit) {
                let states = self.populations[k].padded();
                if let Err(trouble) = self.resident.set_states(k, &states) {
                    self.trouble.get_or_insert(trouble);
                }
            }
        }
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.as_ref().map(ToString::to_string)
    }

    fn reset(&mut self) {
        for population in &mut self.populations {
            population.states.clone_from(&population.initial);
        }
        drop(self.take_records());
        self.events.clear();
        self.trouble = None;
        self.is_known = true;
        self.resume = Some(0);
    }

    fn resume(&mut self, now: u64) {
        self.is_known = true;
        self.resume = Some(now);
    }

    fn take_records(&mut self) -> Vec<Records> {
        let mut all: Vec<Records> = self
            .populations
            .iter_mut()
            .map(Kept::take_records)
            .collect();
        if let Some(first) = all.first_mut() {
            first.synaptic_events = self.events.take();
            first.device = Some(std::mem::take(&mut self.resident.counts));
        }
        all
    }
}

impl Kept {
    pub(super) fn take_records(&mut self) -> Records {
        let traces = self.recorders.iter_mut().map(StateRecorder::take);
        Records {
            node: self.node,
            traces: traces.collect(),
            spikes: self.record_spikes.then(|| std::mem::take(&mut self.spikes)),
            n_spikes: std::mem::take(&mut self.n_spikes),
            ..Records::default()
        }
    }
}
