//! The state of a simulation, taken out of its actors and put back.

use super::Simulation;
use crate::build::emits_real;
use crate::checkpoint::{CheckpointError, Emitted, Saved, SavedNode};
use crate::instantiate::Instantiate;
use crate::packet::Kept;
use crate::worker::Worker;

impl<R: Instantiate> Simulation<R> {
    /// All that a checkpoint holds.
    pub(crate) fn saved(&mut self) -> Result<Saved<R>, CheckpointError> {
        let mut nodes: Vec<SavedNode<R>> = Vec::new();
        nodes.resize_with(self.plan.nodes.len(), SavedNode::default);
        for placed in self.workers.iter_mut().flat_map(Worker::actors) {
            placed.actor.state(&mut |node, variable, values| {
                gather(&mut nodes[node].states, variable, values);
            });
            placed.actor.state_f64(&mut |node, variable, values| {
                gather(&mut nodes[node].states_f64, variable, values);
            });
            placed.actor.parameters(&mut |node, parameter| {
                let named = (parameter.name.clone(), parameter.values.clone());
                nodes[node].parameters.push(named);
            });
        }
        let mut pasts: Vec<Vec<R>> = vec![Vec::new(); nodes.len()];
        for placed in self.workers.iter_mut().flat_map(Worker::actors) {
            placed
                .actor
                .past(&mut |node, values| pasts[node] = values.to_vec());
        }
        for placed in self.workers.iter_mut().flat_map(Worker::actors) {
            if let Some(reason) = placed.actor.trouble() {
                return Err(CheckpointError::Device(reason));
            }
        }
        let history = &self.workers[0].history;
        for (id, node) in nodes.iter_mut().enumerate() {
            node.first = self.now + 1;
            node.reach = self.schedule.reach[id];
            let planned = &self.plan.nodes[id];
            let n_real = match emits_real(planned) {
                true => planned.size() * self.plan.batch,
                false => 0,
            };
            for (step, kept) in history.kept(id) {
                node.first = node.first.min(step);
                let ago = usize::try_from(self.now - step).unwrap_or(usize::MAX);
                let mut unseen = pasts[id].rchunks_exact(n_real.max(1));
                let mut real = unseen.nth(ago).unwrap_or(kept.real).to_vec();
                // A device shows no values that nobody hears any more.
                real.resize(n_real, R::ZERO);
                node.past.push(Emitted {
                    spikes: kept.spikes.to_vec(),
                    offsets_ms: kept.offsets_ms.to_vec(),
                    real,
                });
            }
        }
        Ok(Saved {
            now: self.now,
            nodes,
        })
    }

    /// Takes the state of a checkpoint that fits.
    pub(crate) fn restore(&mut self, saved: Saved<R>) {
        self.reset();
        // Shards come in the order of their lanes.
        let nodes = || saved.nodes.iter();
        let mut left: Vec<Left<'_, R>> = nodes().map(|n| Left::new(&n.states)).collect();
        let mut left_f64: Vec<Left<'_, f64>> = nodes().map(|n| Left::new(&n.states_f64)).collect();
        for worker in &mut self.workers {
            for (id, node) in saved.nodes.iter().enumerate() {
                let steps = node.past.iter().map(|e| Kept {
                    spikes: &e.spikes,
                    offsets_ms: &e.offsets_ms,
                    real: &e.real,
                });
                worker.history.restore(id, node.first, steps);
            }
            worker.completed = saved.now;
            for placed in worker.actors() {
                placed.actor.state(&mut |node, variable, values| {
                    left[node].take(variable, values);
                });
                placed.actor.state_f64(&mut |node, variable, values| {
                    left_f64[node].take(variable, values);
                });
                placed.actor.resume(saved.now);
                placed.actor.parameters(&mut |node, parameter| {
                    let all = &saved.nodes[node].parameters;
                    if let Some((_, values)) = all.iter().find(|(n, _)| *n == parameter.name) {
                        parameter.values.copy_from_slice(values);
                    }
                });
            }
        }
        self.now = saved.now;
    }
}

/// Appends the lanes of one shard to the array of that name.
pub(super) fn gather<T: Copy>(arrays: &mut Vec<(String, Vec<T>)>, name: &str, values: &[T]) {
    match arrays.iter_mut().find(|(n, _)| n == name) {
        Some((_, all)) => all.extend_from_slice(values),
        None => arrays.push((name.to_owned(), values.to_vec())),
    }
}

/// What is left of the arrays of a node while they are handed out shard by shard.
struct Left<'a, T>(Vec<(&'a str, &'a [T])>);

impl<'a, T: Copy> Left<'a, T> {
    fn new(arrays: &'a [(String, Vec<T>)]) -> Self {
        let arrays = arrays.iter();
        Self(arrays.map(|(n, v)| (n.as_str(), v.as_slice())).collect())
    }

    fn take(&mut self, name: &str, values: &mut [T]) {
        if let Some((_, left)) = self.0.iter_mut().find(|(n, _)| *n == name) {
            let (here, rest) = left.split_at(values.len());
            values.copy_from_slice(here);
            *left = rest;
        }
    }
}
