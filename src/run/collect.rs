//! What becomes of recordings while a run goes on: statistics, hashes, columns on disk, memory.

use rheobase_engine::fingerprint::SpikeHash;
use rheobase_engine::plan::{Monitor, NodeId, NodeKind, Plan};
use rheobase_engine::record::{ExactCounts, Spikes, Trace};
use rheobase_engine::simulation::Recording;
use rheobase_report::bytes::{DecodeError, Decoder, Encoder};
use rheobase_report::npz::NpzError;
use rheobase_report::statistics::{PopulationStatistics, Statistics};
use rheobase_report::stream::{PartFiles, StreamLayout, TraceLayout};
use rheobase_report::{FileError, ResultFolder};

use super::RunFailure;

/// Takes recordings stretch by stretch.
pub(super) struct Collector {
    dt_ms: f64,
    discard_steps: u64,
    /// Nodes whose spikes are recorded, by node.
    nodes: Vec<Recorded>,
    /// Monitor and variable of each trace, in the order of the columns.
    traces: Vec<(usize, String)>,
    /// Spikes and traces of the monitors, if they are kept; counts.
    pub(super) total: Recording,
    keep: bool,
    pub(super) parts: Option<PartFiles>,
}

/// A node whose spikes are recorded.
pub(super) struct Recorded {
    pub(super) node: NodeId,
    pub(super) hash: SpikeHash,
    /// Of populations.
    pub(super) statistics: Option<PopulationStatistics>,
    /// Its place among the columns, if a monitor records it.
    column: Option<usize>,
}

impl Collector {
    /// `empty` is a recording of the network before its first step: who records what. `monitored`
    /// are the monitors of the description; other populations are recorded for statistics only.
    pub(super) fn new(
        plan: &Plan,
        empty: Recording,
        monitored: &[Monitor],
        keep: bool,
    ) -> Result<Self, RunFailure> {
        let mut columns = 0;
        let mut nodes = Vec::new();
        for (node, _) in &empty.spikes {
            let lanes = lanes(plan, *node);
            let population = matches!(plan.nodes[*node].kind, NodeKind::Population(_));
            let statistics = population
                .then(|| PopulationStatistics::new(lanes, plan.dt_ms, plan.discard_steps))
                .transpose()?;
            let asked = monitored.contains(&Monitor::Spikes { node: *node });
            nodes.push(Recorded {
                node: *node,
                hash: SpikeHash::default(),
                statistics,
                column: asked.then_some(columns),
            });
            columns += usize::from(asked);
        }
        let mut traces: Vec<(usize, String)> = empty
            .traces
            .iter()
            .map(|t| (t.monitor, t.variable.clone()))
            .collect();
        traces.sort_by_key(|(monitor, _)| *monitor);
        let mut collector = Self {
            dt_ms: plan.dt_ms,
            discard_steps: plan.discard_steps,
            nodes,
            traces,
            total: Recording {
                n_spikes: vec![0; plan.nodes.len()],
                // One entry for each population in continuous time, before the first step too.
                exact: empty.exact,
                ..Recording::default()
            },
            keep,
            parts: None,
        };
        if keep {
            collector.total.traces = empty.traces;
            collector.total.spikes = collector
                .nodes
                .iter()
                .filter(|recorded| recorded.column.is_some())
                .map(|recorded| (recorded.node, Spikes::default()))
                .collect();
        }
        Ok(collector)
    }

    /// Sends what monitors record to columns in a folder from now on: new ones, or those of
    /// `lengths` bytes that a checkpoint tells of.
    pub(super) fn stream_to(
        &mut self,
        folder: &ResultFolder,
        layout: StreamLayout,
        lengths: Option<&[u64]>,
    ) -> Result<(), NpzError> {
        self.parts = Some(match lengths {
            None => PartFiles::create(folder, layout)?,
            Some(lengths) => PartFiles::resume(folder, layout, lengths)?,
        });
        Ok(())
    }

    /// Writes hashes, statistics and counts.
    pub(super) fn save(&self, out: &mut Encoder) {
        out.u64(self.total.synaptic_events);
        out.u64(self.total.n_spikes.len() as u64);
        self.total.n_spikes.iter().for_each(|&n| out.u64(n));
        for (node, counts) in &self.total.exact {
            out.u64(*node as u64);
            let ExactCounts {
                events,
                spikes,
                predictions,
                grazing,
            } = *counts;
            for n in [events, spikes, predictions, grazing] {
                out.u64(n);
            }
        }
        out.u64(self.nodes.len() as u64);
        for recorded in &self.nodes {
            out.u64(recorded.node as u64);
            out.u64(recorded.hash.hash);
            out.u64(recorded.hash.count);
            if let Some(statistics) = &recorded.statistics {
                statistics.save(out);
            }
        }
    }

    /// Takes over what [`Self::save`] wrote for the same network.
    pub(super) fn restore(&mut self, from: &mut Decoder<'_>) -> Result<(), DecodeError> {
        self.total.synaptic_events = from.u64()?;
        expect(
            "the number of nodes",
            from.u64()?,
            self.total.n_spikes.len(),
        )?;
        for n in &mut self.total.n_spikes {
            *n = from.u64()?;
        }
        for (node, counts) in &mut self.total.exact {
            expect("a node in continuous time", from.u64()?, *node)?;
            *counts = ExactCounts {
                events: from.u64()?,
                spikes: from.u64()?,
                predictions: from.u64()?,
                grazing: from.u64()?,
            };
        }
        expect(
            "the number of recorded nodes",
            from.u64()?,
            self.nodes.len(),
        )?;
        for recorded in &mut self.nodes {
            expect("a recorded node", from.u64()?, recorded.node)?;
            recorded.hash.hash = from.u64()?;
            recorded.hash.count = from.u64()?;
            if let Some(statistics) = &mut recorded.statistics {
                statistics.restore(from)?;
            }
        }
        Ok(())
    }

    /// The columns for what the monitors of `plan` record; `empty` as in [`Self::new`].
    pub(super) fn layout(&self, plan: &Plan, empty: &[Trace]) -> StreamLayout {
        let spikes = self.nodes.iter().filter(|n| n.column.is_some());
        let traces = self.traces.iter().filter_map(|(monitor, variable)| {
            let trace = find(empty, *monitor, variable)?;
            let Monitor::State { every_steps, .. } = &plan.monitors[*monitor] else {
                return None;
            };
            Some(TraceLayout {
                population: plan.nodes[trace.node].name.clone(),
                variable: variable.clone(),
                unit: trace.unit.clone(),
                neurons: trace.neurons.clone(),
                every_steps: *every_steps,
            })
        });
        let continuous = self.nodes.iter().filter(|n| plan.has_offsets(n.node));
        StreamLayout {
            dt_ms: plan.dt_ms,
            continuous: continuous
                .map(|n| plan.nodes[n.node].name.clone())
                .collect(),
            spikes: spikes
                .map(|n| (plan.nodes[n.node].name.clone(), lanes(plan, n.node)))
                .collect(),
            traces: traces.collect(),
        }
    }

    /// Takes what was recorded since the last call.
    pub(super) fn take(&mut self, recording: Recording) -> Result<(), RunFailure> {
        let counts = self.total.n_spikes.iter_mut();
        for (total, count) in counts.zip(&recording.n_spikes) {
            *total += count;
        }
        self.total.synaptic_events += recording.synaptic_events;
        self.total.device += recording.device;
        for (node, modes) in recording.modes {
            match self.total.modes.iter_mut().find(|(n, _)| *n == node) {
                Some((_, sum)) => sum.extend(modes),
                None => self.total.modes.push((node, modes)),
            }
        }
        for (node, counts) in &recording.exact {
            self.add_exact(*node, *counts);
        }
        for (node, spikes) in &recording.spikes {
            self.take_spikes(*node, spikes)?;
        }
        if let Some(parts) = &mut self.parts {
            append_traces(parts, &self.traces, &recording.traces)?;
        }
        if self.keep {
            self.keep_traces(recording.traces);
        }
        Ok(())
    }

    fn add_exact(&mut self, node: NodeId, counts: ExactCounts) {
        match self.total.exact.iter_mut().find(|(n, _)| *n == node) {
            Some((_, sum)) => *sum += counts,
            None => self.total.exact.push((node, counts)),
        }
    }

    fn take_spikes(&mut self, node: NodeId, spikes: &Spikes) -> Result<(), RunFailure> {
        let Some(recorded) = self.nodes.iter_mut().find(|n| n.node == node) else {
            return Ok(());
        };
        let (steps, neurons) = (&spikes.steps, &spikes.neurons);
        recorded.hash.extend(steps, neurons, &spikes.offsets_ms);
        if let Some(statistics) = &mut recorded.statistics {
            statistics.extend(rheobase_report::Spikes::new(steps, neurons)?)?;
        }
        let Some(column) = recorded.column else {
            return Ok(());
        };
        if let Some(parts) = &mut self.parts {
            parts.append_spikes(column, steps, neurons)?;
            parts.append_offsets(column, &spikes.offsets_ms)?;
        }
        if self.keep {
            let kept = &mut self.total.spikes[column].1;
            kept.steps.extend_from_slice(steps);
            kept.neurons.extend_from_slice(neurons);
            kept.offsets_ms.extend_from_slice(&spikes.offsets_ms);
        }
        Ok(())
    }

    fn keep_traces(&mut self, traces: Vec<Trace>) {
        for trace in traces {
            let same =
                |t: &&mut Trace| (t.monitor, &t.variable) == (trace.monitor, &trace.variable);
            if let Some(kept) = self.total.traces.iter_mut().find(same) {
                kept.steps.extend(trace.steps);
                kept.values.extend(trace.values);
            }
        }
    }

    /// Hashes of the spikes of all recorded nodes, by node.
    pub(super) fn hashes(&self) -> Vec<(NodeId, SpikeHash)> {
        self.nodes.iter().map(|n| (n.node, n.hash)).collect()
    }

    /// Statistics of each population up to step `now`.
    pub(super) fn statistics(&self, now: u64) -> Result<Vec<(NodeId, Statistics)>, RunFailure> {
        let populations = self.nodes.iter();
        populations
            .filter_map(|n| Some((n.node, n.statistics.as_ref()?)))
            .map(|(node, statistics)| Ok((node, self.summary(statistics, now)?)))
            .collect()
    }

    fn summary(
        &self,
        statistics: &PopulationStatistics,
        now: u64,
    ) -> Result<Statistics, RunFailure> {
        if now > self.discard_steps {
            return Ok(statistics.finish(now)?);
        }
        // Stopped before the window began.
        Ok(Statistics {
            n: statistics.size(),
            spikes: 0,
            window_s: 0.0,
            rate_hz: 0.0,
            cv_isi: None,
            synchrony: None,
        })
    }

    /// Steps that may be run between two calls of [`Self::take`], so that what is recorded
    /// meanwhile stays small: at most about `bytes`, at a thousand spikes per neuron and second.
    pub(super) fn longest_stretch(&self, plan: &Plan, bytes: u64) -> u64 {
        const SPIKE_BYTES: f64 = 12.0;
        #[allow(clippy::cast_precision_loss, reason = "an estimate")]
        let size = |n: usize| n as f64;
        let lanes = self
            .nodes
            .iter()
            .map(|n| plan.nodes[n.node].size() * plan.batch);
        let mut per_step = size(lanes.sum()) * SPIKE_BYTES * self.dt_ms.min(1.0);
        for monitor in &plan.monitors {
            if let Monitor::State {
                states,
                neurons,
                every_steps,
                ..
            } = monitor
            {
                #[allow(clippy::cast_precision_loss, reason = "an estimate")]
                let every = (*every_steps).max(1) as f64;
                per_step += 8.0 * size(states.len() * neurons.len() * plan.batch) / every;
            }
        }
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a positive number of steps; the cast saturates"
        )]
        let steps = (bytes as f64 / per_step.max(1e-9)) as u64;
        steps.max(1)
    }
}

fn expect(what: &'static str, value: u64, expected: usize) -> Result<(), DecodeError> {
    if value == expected as u64 {
        Ok(())
    } else {
        Err(DecodeError::Value { what, value })
    }
}

fn lanes(plan: &Plan, node: NodeId) -> u32 {
    u32::try_from(plan.nodes[node].size() * plan.batch).unwrap_or(u32::MAX)
}

fn find<'a>(traces: &'a [Trace], monitor: usize, variable: &str) -> Option<&'a Trace> {
    traces
        .iter()
        .find(|t| t.monitor == monitor && t.variable == variable)
}

fn append_traces(
    parts: &mut PartFiles,
    columns: &[(usize, String)],
    traces: &[Trace],
) -> Result<(), FileError> {
    for (k, (monitor, variable)) in columns.iter().enumerate() {
        if let Some(trace) = find(traces, *monitor, variable) {
            parts.append_trace(k, &trace.values)?;
        }
    }
    Ok(())
}
