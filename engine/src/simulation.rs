//! A built network, ready to advance.

mod saved;

use std::sync::{Arc, PoisonError};

use rheobase_equations::real::Real;

use crate::actor::RunError;
use crate::anchored::ModeReport;
use crate::build::device::DeviceCircuit;
use crate::build::{BuildError, BuildOptions, BuildReport, Built, Placement, build};
use crate::fingerprint::{SpikeHash, WordHash};
use crate::instantiate::Instantiate;
use crate::plan::{InputKind, NodeId, NodeKind, Plan};
use crate::port::Tensor;
use crate::record::{DeviceCounts, ExactCounts, Spikes, Trace};
use crate::schedule::Schedule;
use crate::source::{InputData, InputHandle};
use crate::worker::{Worker, panic_message};
use saved::gather;

/// A network in precision `R`.
pub struct Simulation<R> {
    plan: Arc<Plan>,
    workers: Vec<Worker<R>>,
    schedule: Schedule,
    inputs: Vec<(NodeId, InputHandle<R>)>,
    report: BuildReport,
    /// Steps done.
    now: u64,
    failed: Option<RunError>,
}

/// What was recorded and counted, of all nodes.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Spikes of every node whose spikes are recorded, by node.
    pub spikes: Vec<(NodeId, Spikes)>,
    /// Traces, shards joined.
    pub traces: Vec<Trace>,
    /// Spikes emitted by each node, recorded or not.
    pub n_spikes: Vec<u64>,
    /// Synaptic events delivered in all.
    pub synaptic_events: u64,
    /// How populations were advanced where there was a choice, by node.
    pub modes: Vec<(NodeId, ModeReport)>,
    /// What populations in continuous time had to do, by node.
    pub exact: Vec<(NodeId, ExactCounts)>,
    /// What devices did.
    pub device: DeviceCounts,
}

impl Recording {
    /// Adds how another shard of a node was advanced.
    fn add_modes(&mut self, node: NodeId, modes: ModeReport) {
        match self.modes.iter_mut().find(|(n, _)| *n == node) {
            Some((_, sum)) => sum.add(modes),
            None => self.modes.push((node, modes)),
        }
    }
}

impl<R: Instantiate> Simulation<R> {
    /// Builds `plan`.
    ///
    /// # Errors
    /// If drawn values cannot be used or the graph has a cycle without delay.
    pub fn build(plan: Arc<Plan>, options: BuildOptions) -> Result<Self, BuildError> {
        Self::build_with(plan, options, Vec::new(), Vec::new())
    }

    /// Builds `plan`, some populations of which run on a device.
    pub(crate) fn build_with(
        plan: Arc<Plan>,
        options: BuildOptions,
        circuits: Vec<DeviceCircuit<R>>,
        placement: Vec<Placement>,
    ) -> Result<Self, BuildError> {
        let Built {
            workers,
            schedule,
            inputs,
            mut report,
        } = build::<R>(&plan, options, circuits)?;
        report.placement = placement;
        Ok(Self {
            plan,
            workers,
            schedule,
            inputs,
            report,
            now: 0,
            failed: None,
        })
    }

    /// The plan it was built from.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What building found out.
    #[must_use]
    pub fn report(&self) -> &BuildReport {
        &self.report
    }

    /// The schedule.
    #[must_use]
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Steps done so far.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Advances to step `last`. The result does not depend on how a run is cut into calls.
    ///
    /// # Errors
    /// The first failure of an actor, named; what was recorded before is kept. A simulation that
    /// has failed stays failed until [`Self::reset`].
    pub fn advance_to(&mut self, last: u64) -> Result<(), RunError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if last <= self.now {
            return Ok(());
        }
        let (first, slice_len) = (self.now + 1, self.schedule.slice_len);
        let outcome = match self.workers.as_mut_slice() {
            [worker] => worker.run(first, last, slice_len),
            workers => run_parallel(workers, first, last, slice_len),
        };
        if let Err(error) = outcome {
            // What all workers have run to its end is kept.
            let completed = self.workers.iter().map(|w| w.completed).min();
            self.now = completed.unwrap_or(self.now);
            self.failed = Some(error.clone());
            return Err(error);
        }
        self.now = last;
        Ok(())
    }

    /// Back to the initial state at step 0, recordings dropped. Random streams begin anew: a rerun
    /// gives the same bits.
    pub fn reset(&mut self) {
        for worker in &mut self.workers {
            worker.restart();
        }
        self.now = 0;
        self.failed = None;
    }

    /// Takes what was recorded since the last call.
    pub fn take_recording(&mut self) -> Recording {
        let n_nodes = self.plan.nodes.len();
        let mut shards: Vec<Vec<Spikes>> = vec![Vec::new(); n_nodes];
        let mut recorded = vec![false; n_nodes];
        let mut recording = Recording {
            n_spikes: vec![0; n_nodes],
            ..Recording::default()
        };
        let mut traces: Vec<Trace> = Vec::new();
        for worker in &mut self.workers {
            for placed in worker.actors() {
                for records in placed.actor.take_records() {
                    let node = records.node;
                    recording.n_spikes[node] += records.n_spikes;
                    recording.synaptic_events += records.synaptic_events;
                    if let Some(modes) = records.modes {
                        recording.add_modes(node, modes);
                    }
                    recording.device += records.device.unwrap_or_default();
                    if let Some(counts) = records.exact {
                        add_counts(&mut recording.exact, node, counts);
                    }
                    if let Some(spikes) = records.spikes {
                        recorded[node] = true;
                        shards[node].push(spikes);
                    }
                    for part in records.traces {
                        join_trace(&mut traces, part);
                    }
                }
            }
        }
        if self.failed.is_some() {
            let now = self.now;
            shards.iter_mut().flatten().for_each(|s| s.truncate(now));
            traces.iter_mut().for_each(|t| t.truncate(now));
            for (count, shards) in recording.n_spikes.iter_mut().zip(&shards) {
                if !shards.is_empty() {
                    *count = shards.iter().map(|s| s.len() as u64).sum();
                }
            }
        }
        recording.traces = traces;
        recording.spikes = (0..n_nodes)
            .filter(|&n| recorded[n])
            .map(|n| (n, Spikes::merge(&shards[n])))
            .collect();
        recording
    }

    /// Gives an input node its data: `[steps, N, *shape]`, row-major, for steps `first`, `first` + 1,
    /// …; replaces earlier data.
    ///
    /// # Errors
    /// If there is no such input, the length is not a whole number of steps, or a value is not
    /// finite.
    pub fn set_input(&mut self, name: &str, first: u64, values: Vec<R>) -> Result<(), RunError> {
        let fail = |message: String| RunError::Input {
            node: name.to_owned(),
            message,
        };
        let found = self
            .inputs
            .iter()
            .find(|(id, _)| self.plan.nodes[*id].name == name)
            .ok_or_else(|| fail("there is no such input".to_owned()))?;
        let lanes = self.plan.nodes[found.0].size() * self.plan.batch;
        if values.is_empty() || !values.len().is_multiple_of(lanes) {
            return Err(fail(format!(
                "{} values are no whole number of steps of {lanes} each",
                values.len()
            )));
        }
        if let Some(k) = values.iter().position(|x| !x.is_finite()) {
            return Err(fail(format!("value {k} is {}", values[k])));
        }
        let kind = &self.plan.nodes[found.0].kind;
        let is_spike = |x: &R| *x == R::ZERO || *x == R::ONE;
        if matches!(kind, NodeKind::Input(InputKind::Spikes))
            && let Some(k) = values.iter().position(|x| !is_spike(x))
        {
            return Err(fail(format!(
                "value {k} is {}, but spikes are 0 or 1",
                values[k]
            )));
        }
        *found.1.lock().unwrap_or_else(PoisonError::into_inner) = InputData { first, values };
        Ok(())
    }

    /// Every state array by (node name, variable), shards in order, but those of users' own actors
    /// ([`Self::visit_state_f64`]). Spikes that are still under way are not among them. Of populations in
    /// anchored arithmetic these are copies: what is changed in them has no effect.
    pub fn visit_state(&mut self, mut visit: impl FnMut(&str, &str, &mut [R])) {
        for worker in &mut self.workers {
            for placed in worker.actors() {
                let nodes = &self.plan.nodes;
                placed.actor.state(&mut |node, variable, values| {
                    visit(&nodes[node].name, variable, values);
                });
            }
        }
    }

    /// As [`Self::visit_state`], for populations in continuous time: they compute in f64 whatever the
    /// precision of the network. Besides the states of its model, each has `last_event_step` and
    /// `last_event_offset`, when a neuron's states were those, and `refractory_step` and
    /// `refractory_offset`, the end of its refractory time (0 where it is not refractory).
    pub fn visit_state_f64(&mut self, mut visit: impl FnMut(&str, &str, &mut [f64])) {
        for worker in &mut self.workers {
            for placed in worker.actors() {
                let nodes = &self.plan.nodes;
                placed.actor.state_f64(&mut |node, variable, values| {
                    visit(&nodes[node].name, variable, values);
                });
            }
        }
    }

    /// A state variable of a whole node, lanes in order. Of populations in continuous time, each
    /// neuron's value after its last event.
    pub fn state(&mut self, node: &str, variable: &str) -> Option<Vec<R>> {
        let mut all = Vec::new();
        let mut found = false;
        self.visit_state(|n, v, values| {
            if n == node && v == variable {
                found = true;
                all.extend_from_slice(values);
            }
        });
        self.visit_state_f64(|n, v, values| {
            if n == node && v == variable {
                found = true;
                all.extend(values.iter().map(|&x| R::from_f64(x)));
            }
        });
        found.then_some(all)
    }

    /// What `node` emitted at `step` as real values: spikes as counts. Zeros for steps that are no longer
    /// kept: the last slice is, and before it as many steps as the longest delay of the node needs. `None`
    /// for real values that stay on a device ([`BuildReport::unseen`]).
    #[must_use]
    pub fn emitted(&self, node: NodeId, step: u64) -> Option<Vec<R>> {
        (!self.report.unseen.contains(&node)).then(|| self.shown(node, step))
    }

    fn shown(&self, node: NodeId, step: u64) -> Vec<R> {
        let lanes = self.plan.nodes[node].size() * self.plan.batch;
        let history = &self.workers[0].history;
        if crate::build::emits_real(&self.plan.nodes[node]) {
            return history
                .real(node, step, lanes)
                .map_or_else(|| vec![R::ZERO; lanes], <[R]>::to_vec);
        }
        let mut values = vec![R::ZERO; lanes];
        for &lane in history.spikes(node, step) {
            values[lane as usize] += R::ONE;
        }
        values
    }

    /// Parameters of layers, with the name of their node.
    pub fn visit_parameters(&mut self, mut visit: impl FnMut(&str, &mut Tensor<R>)) {
        for worker in &mut self.workers {
            for placed in worker.actors() {
                let nodes = &self.plan.nodes;
                placed
                    .actor
                    .parameters(&mut |node, p| visit(&nodes[node].name, p));
            }
        }
    }

    /// Why the states shown are not those of now: a device that has failed since the last step.
    #[must_use]
    pub fn device_trouble(&mut self) -> Option<RunError> {
        let actors = self.workers.iter_mut().flat_map(Worker::actors);
        let message = actors.filter_map(|placed| placed.actor.trouble()).next()?;
        #[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
        let time_ms = self.now as f64 * self.plan.dt_ms;
        Some(RunError::Device { message, time_ms })
    }

    /// What stopped the simulation, if anything did.
    #[must_use]
    pub fn failed(&self) -> Option<&RunError> {
        self.failed.as_ref()
    }

    /// Number of neurons in populations, times the batch (stimuli not counted).
    #[must_use]
    pub fn n_neurons(&self) -> usize {
        self.plan
            .nodes
            .iter()
            .filter(|n| matches!(n.kind, NodeKind::Population(_)))
            .map(|n| n.size() * self.plan.batch)
            .sum()
    }

    /// Worker threads in use: those asked for, less those that would have nothing to do.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.workers.len()
    }

    /// Order-sensitive hash of all states and of the spikes given: equal hashes mean equal bits and
    /// equal order.
    pub fn fingerprint(&mut self, recording: &Recording) -> u64 {
        let hashes: Vec<(NodeId, SpikeHash)> = recording
            .spikes
            .iter()
            .map(|(node, spikes)| {
                let mut hash = SpikeHash::default();
                hash.extend(&spikes.steps, &spikes.neurons, &spikes.offsets_ms);
                (*node, hash)
            })
            .collect();
        self.fingerprint_with(&hashes)
    }

    /// [`Self::fingerprint`] where spikes were hashed while the run went on: of each recorded node,
    /// by node.
    pub fn fingerprint_with(&mut self, spikes: &[(NodeId, SpikeHash)]) -> u64 {
        let mut hash = WordHash::new();
        let mut names: Vec<(String, String)> = Vec::new();
        self.visit_state(|node, variable, _| {
            let name = (node.to_owned(), variable.to_owned());
            if !names.contains(&name) {
                names.push(name);
            }
        });
        names.sort();
        for (node, variable) in names {
            for x in self.state(&node, &variable).unwrap_or_default() {
                hash.add(x.to_int_bits().cast_unsigned());
            }
        }
        let mut arrays: Vec<(String, Vec<f64>)> = Vec::new();
        self.visit_state_f64(|node, variable, values| {
            gather(&mut arrays, &format!("{node}\n{variable}"), values);
        });
        arrays.sort_by(|a, b| a.0.cmp(&b.0));
        for x in arrays.iter().flat_map(|(_, values)| values) {
            hash.add(x.to_bits());
        }
        for (node, spikes) in spikes {
            hash.add(*node as u64);
            hash.add(spikes.count);
            hash.add(spikes.hash);
        }
        hash.finish()
    }
}

fn add_counts(all: &mut Vec<(NodeId, ExactCounts)>, node: NodeId, counts: ExactCounts) {
    match all.iter_mut().find(|(n, _)| *n == node) {
        Some((_, sum)) => *sum += counts,
        None => all.push((node, counts)),
    }
}

/// Columns of the same monitor and variable are joined, shard after shard.
fn join_trace(traces: &mut Vec<Trace>, part: Trace) {
    let same = |t: &&mut Trace| (t.monitor, &t.variable) == (part.monitor, &part.variable);
    let Some(whole) = traces.iter_mut().find(same) else {
        traces.push(part);
        return;
    };
    let (left, right) = (whole.neurons.len(), part.neurons.len());
    if right == 0 {
        return;
    }
    if left == 0 {
        *whole = part;
        return;
    }
    let mut values = Vec::with_capacity(whole.values.len() + part.values.len());
    for (a, b) in whole.values.chunks(left).zip(part.values.chunks(right)) {
        values.extend_from_slice(a);
        values.extend_from_slice(b);
    }
    whole.values = values;
    whole.neurons.extend(part.neurons);
}

fn run_parallel<R: Real>(
    workers: &mut [Worker<R>],
    first: u64,
    last: u64,
    slice_len: usize,
) -> Result<(), RunError> {
    let outcomes: Vec<Result<(), RunError>> = std::thread::scope(|scope| {
        let handles: Vec<_> = workers
            .iter_mut()
            .map(|worker| scope.spawn(move || worker.run(first, last, slice_len)))
            .collect();
        handles
            .into_iter()
            .map(|h| {
                h.join().unwrap_or_else(|panic| {
                    Err(RunError::Panicked {
                        actor: "worker".to_owned(),
                        message: panic_message(panic.as_ref()),
                    })
                })
            })
            .collect()
    });
    // Workers that were only told to stop, or waited in vain, do not know the cause.
    let follows = |e: &RunError| matches!(e, RunError::Aborted | RunError::Deadlock { .. });
    let mut errors: Vec<RunError> = outcomes.into_iter().filter_map(Result::err).collect();
    errors.sort_by_key(|e| (follows(e), matches!(e, RunError::Aborted)));
    errors.into_iter().next().map_or(Ok(()), Err)
}
