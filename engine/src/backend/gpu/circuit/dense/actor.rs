//! A circuit with layers as an actor of the schedule.

use super::super::super::error::GpuError;
use super::super::super::unrolled::{Asked, Heard, Stream, Streamed};
use super::super::actor::{time_ms, unpack};
use super::super::events::Events;
use super::super::synapses::Fanout;
use super::Kept;
use crate::actor::{Actor, RunError, VisitParameters};
use crate::build::emits_real;
use crate::packet::{History, Packet};
use crate::plan::{NodeId, Plan};
use crate::record::{DeviceCounts, Records};
use crate::time::Slice;

/// A node outside that the circuit hears.
pub(super) struct Outside {
    pub(super) node: NodeId,
    pub(super) width: usize,
    pub(super) is_real: bool,
    /// First of its lanes, where it fires.
    pub(super) first_lane: Option<u32>,
    /// The last step whose events are counted.
    pub(super) delivered: u64,
}

/// A node of the circuit, in the order of the packets.
struct Member {
    node: NodeId,
    width: usize,
    is_real: bool,
    first_lane: Option<u32>,
    /// Its place among those whose values are shown.
    shown: Option<usize>,
}

/// Populations and layers on a device.
pub(super) struct DenseActor {
    stream: Stream,
    members: Vec<Member>,
    populations: Vec<Kept>,
    outside: Vec<Outside>,
    shown: Vec<NodeId>,
    events: Events,
    dt_ms: f64,
    /// The states kept here are those of the device.
    is_known: bool,
    /// The device is to go on from what is kept here, after that step.
    resume: Option<u64>,
    /// What went wrong where nobody could be told.
    trouble: Option<String>,
    counts: DeviceCounts,
}

impl DenseActor {
    pub(super) fn new(
        (stream, plan, nodes): (Stream, &Plan, &[NodeId]),
        populations: Vec<Kept>,
        (outside, shown): (Vec<Outside>, Vec<NodeId>),
        fanout: Fanout,
    ) -> Self {
        let lane = |node| {
            let kept = populations.iter().find(|p| p.node == node)?;
            (!emits_real(&plan.nodes[node])).then_some(kept.first_lane)
        };
        let member = |&node: &NodeId| Member {
            node,
            width: plan.nodes[node].size(),
            is_real: emits_real(&plan.nodes[node]),
            first_lane: lane(node),
            shown: shown.iter().position(|&n| n == node),
        };
        Self {
            members: nodes.iter().map(member).collect(),
            stream,
            populations,
            outside,
            shown,
            events: Events::new(fanout),
            dt_ms: plan.dt_ms,
            is_known: true,
            resume: None,
            trouble: None,
            counts: DeviceCounts::default(),
        }
    }

    fn run(
        &mut self,
        slice: Slice,
        history: &History<f32>,
        packets: &mut [Packet<f32>],
    ) -> Result<(), RunError> {
        let dt_ms = self.dt_ms;
        let failed = |message: String, first: u64| RunError::Device {
            message,
            time_ms: time_ms(first - 1, dt_ms),
        };
        if let Some(trouble) = self.trouble.clone() {
            return Err(failed(trouble, slice.first));
        }
        if let Some(now) = self.resume.take() {
            let gone_on = self.go_on(now, history);
            gone_on.map_err(|e| failed(e.to_string(), slice.first))?;
        }
        self.is_known = false;
        let mut first = slice.first;
        while first < slice.end() {
            let left = usize::try_from(slice.end() - first).unwrap_or(usize::MAX);
            let part = Slice {
                first,
                len: left.min(self.stream.longest()),
            };
            let heard = self.outside.iter().map(|o| self.hear(o, part, history));
            let heard: Vec<_> = heard.collect();
            let rows: Vec<Vec<usize>> = self.populations.iter().map(|p| p.rows(part)).collect();
            let asked = self.asked(&rows);
            let before = self.stream.submissions();
            let streamed = self
                .stream
                .advance((part.first, part.len), &heard, &asked, &self.shown);
            let streamed = streamed.map_err(|e| failed(e.to_string(), first))?;
            self.counts.submissions += self.stream.submissions() - before;
            self.counts.steps += part.len as u64;
            self.counts.spikes += streamed.spikes.len() as u64;
            self.take(part, &streamed, packets);
            self.take_traces(part, &rows, &asked, &streamed);
            self.count_outside(part, history);
            self.events.advance(part.len);
            self.check(part, &streamed)?;
            first = part.end();
        }
        self.counts.bytes_read += std::mem::take(&mut self.stream.bytes_read);
        self.counts.bytes_written += std::mem::take(&mut self.stream.bytes_written);
        Ok(())
    }

    /// What a node outside has emitted, in the steps before the part that are heard in it, and in the part.
    fn hear(&self, o: &Outside, part: Slice, history: &History<f32>) -> (NodeId, Heard) {
        let before = self.stream.history(o.node) as u64;
        let rows = 0..before + part.len as u64;
        let rows = rows.map(|row| (part.first + row).checked_sub(before));
        if o.is_real {
            let mut values = Vec::new();
            for step in rows {
                match step.and_then(|step| history.real(o.node, step, o.width)) {
                    Some(row) => values.extend_from_slice(row),
                    None => values.resize(values.len() + o.width, 0.0),
                }
            }
            return (o.node, Heard::Values(values));
        }
        let mut spikes: Vec<[u32; 2]> = Vec::new();
        for (row, step) in rows.enumerate() {
            let fired = step.map_or(&[][..], |step| history.spikes(o.node, step));
            for run in fired.chunk_by(|a, b| a == b) {
                let place = row * o.width + run[0] as usize;
                let [place, n] = [place, run.len()].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
                spikes.push([place, n]);
            }
        }
        (o.node, Heard::Spikes(spikes))
    }

    /// The states that are to be recorded: of each row and state, the columns from the first to the last.
    fn asked(&self, rows: &[Vec<usize>]) -> Vec<Asked> {
        let mut asked = Vec::new();
        for (population, rows) in self.populations.iter().zip(rows) {
            let lanes = span(&population.columns);
            for &row in rows {
                for &state in &population.recorded {
                    asked.push(Asked {
                        node: population.node,
                        row,
                        state: state as usize,
                        lanes: lanes.clone(),
                    });
                }
            }
        }
        asked
    }

    /// Appends what was asked for to the records.
    fn take_traces(
        &mut self,
        part: Slice,
        rows: &[Vec<usize>],
        asked: &[Asked],
        streamed: &Streamed,
    ) {
        let mut traces = asked.iter().zip(&streamed.traces);
        for (population, rows) in self.populations.iter_mut().zip(rows) {
            let mut values = Vec::new();
            for (asked, trace) in traces.by_ref().take(rows.len() * population.recorded.len()) {
                let first = asked.lanes.start;
                let columns = population.columns.iter();
                values.extend(columns.map(|&column| trace[column as usize - first]));
            }
            population.record(part, rows, &values);
        }
    }

    /// Hands spikes and values to packets and records.
    fn take(&mut self, part: Slice, streamed: &Streamed, packets: &mut [Packet<f32>]) {
        let mut ended = vec![0; self.members.len()];
        for &spike in &streamed.spikes {
            let (k, lane) = unpack(spike);
            self.events.count(u64::from(k), lane);
            let Some(m) = self.members.iter().position(|m| m.holds(lane)) else {
                continue;
            };
            let member = &self.members[m];
            while ended[m] < k {
                packets[m].end_step();
                ended[m] += 1;
            }
            let neuron = lane - member.first_lane.unwrap_or(0);
            packets[m].spikes_mut().push(neuron);
            let kept = self.populations.iter_mut().find(|p| p.node == member.node);
            if let Some(population) = kept {
                population.n_spikes += 1;
                if population.record_spikes {
                    population.spikes.steps.push(part.first + u64::from(k));
                    population.spikes.neurons.push(neuron);
                }
            }
        }
        for ((member, packet), ended) in self.members.iter().zip(packets).zip(ended) {
            if let Some(k) = member.shown {
                packet.real_mut().extend_from_slice(&streamed.values[k]);
            }
            for _ in ended as usize..part.len {
                packet.end_step();
            }
        }
    }

    /// Counts the events of spikes outside that have become known.
    fn count_outside(&mut self, part: Slice, history: &History<f32>) {
        for o in &mut self.outside {
            let Some(first_lane) = o.first_lane else {
                continue;
            };
            let known = (*history.kept_steps(o.node).end()).min(part.end() - 1);
            for step in o.delivered + 1..=known {
                for lane in history.spikes(o.node, step) {
                    match step.checked_sub(part.first) {
                        Some(k) => self.events.count(k, first_lane + lane),
                        None => {
                            let ago = part.first - 1 - step;
                            self.events.count_past(ago, first_lane + lane);
                        }
                    }
                }
            }
            o.delivered = o.delivered.max(known);
        }
    }

    fn check(&mut self, part: Slice, streamed: &Streamed) -> Result<(), RunError> {
        let Some(k) = streamed.not_finite.iter().position(|&found| found) else {
            return Ok(());
        };
        self.learn().map_err(|e| RunError::Device {
            message: e.to_string(),
            time_ms: time_ms(part.end() - 1, self.dt_ms),
        })?;
        Err(self.populations[k].not_finite(part, self.dt_ms))
    }

    /// Reads the states back, if they have changed since.
    fn learn(&mut self) -> Result<(), GpuError> {
        if self.is_known {
            return Ok(());
        }
        let all = self.stream.states()?;
        for (population, states) in self.populations.iter_mut().zip(all) {
            self.counts.state_bytes += 4 * states.len() as u64;
            population.states = states;
        }
        self.is_known = true;
        Ok(())
    }

    /// The device goes on after step `now` from the states kept here, and from what the past holds.
    fn go_on(&mut self, now: u64, history: &History<f32>) -> Result<(), GpuError> {
        self.stream.forget()?;
        for population in &self.populations {
            let states = &population.states;
            self.counts.state_bytes += 4 * states.len() as u64;
            self.stream.set_states(population.node, states)?;
        }
        self.events.clear();
        for member in &self.members {
            let before = self.stream.history(member.node) as u64;
            if before > 0 {
                let values = member.past(now, before, history);
                self.stream.set_history(member.node, &values)?;
            }
        }
        let inside = self.members.iter().map(|m| (m.node, m.first_lane));
        let outside = self.outside.iter().map(|o| (o.node, o.first_lane));
        for (node, first_lane) in inside.chain(outside) {
            let Some(first_lane) = first_lane else {
                continue;
            };
            for step in history.kept_steps(node).filter(|&step| step <= now) {
                for lane in history.spikes(node, step) {
                    self.events.count_past(now - step, first_lane + lane);
                }
            }
        }
        self.outside.iter_mut().for_each(|o| o.delivered = now);
        Ok(())
    }
}

/// From the first to the last.
fn span(columns: &[u32]) -> std::ops::Range<usize> {
    match (columns.first(), columns.last()) {
        (Some(&first), Some(&last)) => first as usize..last as usize + 1,
        _ => 0..0,
    }
}

impl Member {
    fn holds(&self, lane: u32) -> bool {
        let n = u32::try_from(self.width).unwrap_or(u32::MAX);
        let own = |first: u32| (first..first.saturating_add(n)).contains(&lane);
        self.first_lane.is_some_and(own)
    }

    /// What it emitted in the last `before` steps up to `now`, one row after the other.
    fn past(&self, now: u64, before: u64, history: &History<f32>) -> Vec<f32> {
        let mut values = Vec::new();
        for row in 1..=before {
            let step = (now + row).checked_sub(before);
            let first = values.len();
            values.resize(first + self.width, 0.0);
            let Some(step) = step else { continue };
            if self.is_real {
                if let Some(emitted) = history.real(self.node, step, self.width) {
                    values[first..].copy_from_slice(emitted);
                }
                continue;
            }
            for &lane in history.spikes(self.node, step) {
                values[first + lane as usize] += 1.0;
            }
        }
        values
    }
}

impl Actor<f32> for DenseActor {
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
            self.trouble.get_or_insert(trouble.to_string());
        }
        for population in &mut self.populations {
            if population.show(visit) {
                let (node, states) = (population.node, &population.states);
                if let Err(trouble) = self.stream.set_states(node, states) {
                    self.trouble.get_or_insert(trouble.to_string());
                }
            }
        }
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }

    fn reset(&mut self) {
        for population in &mut self.populations {
            population.states.clone_from(&population.initial);
        }
        drop(self.take_records());
        self.trouble = None;
        self.is_known = true;
        self.resume = Some(0);
    }

    fn resume(&mut self, now: u64) {
        self.is_known = true;
        self.resume = Some(now);
    }

    fn take_records(&mut self) -> Vec<Records> {
        let of_node = |member: &Member| Records {
            node: member.node,
            ..Records::default()
        };
        let mut all: Vec<Records> = self.members.iter().map(of_node).collect();
        for population in &mut self.populations {
            if let Some(records) = all.iter_mut().find(|r| r.node == population.node) {
                *records = population.take_records();
            }
        }
        if let Some(first) = all.first_mut() {
            first.synaptic_events = self.events.take();
            first.device = Some(std::mem::take(&mut self.counts));
        }
        all
    }

    fn past(&mut self, visit: &mut dyn FnMut(NodeId, &[f32])) {
        // What is to be put back has not gone there yet.
        if self.resume.is_some() {
            return;
        }
        for member in self.members.iter().filter(|m| m.is_real) {
            match self.stream.past(member.node) {
                Ok(values) if values.is_empty() => {}
                Ok(values) => visit(member.node, &values),
                Err(trouble) => {
                    self.trouble.get_or_insert(trouble.to_string());
                }
            }
        }
    }

    fn parameters(&mut self, visit: &mut VisitParameters<'_, f32>) {
        self.stream.parameters(visit);
    }
}
