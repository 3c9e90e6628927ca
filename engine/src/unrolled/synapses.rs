//! The synapses onto one port of a population, over the steps of a segment.
//!
//! With weights w and delays d, in the step t of a sample
//!
//! ```text
//! forward    y[t, target] = Σ w · s[t − d, source]
//! reverse    ∂s[t − d, source] += w · ∂y[t, target]
//!            ∂w += s[t − d, source] · ∂y[t, target]
//! ```
//!
//! Forward and the gradient of weights cost as much as there are spikes times synapses; a cotangent is
//! needed of what did not fire, too.

use std::ops::Range;

use rayon::prelude::*;
use rheobase_equations::real::Real;

use super::emission::{Emission, Rows};
use super::graph::is_given;
use super::make::unsupported;
use super::{Route, UnrolledError};
use crate::build::BuildError;
use crate::plan::{EdgeKind, InputKind, NodeId, NodeKind, Plan};
use crate::port::Tensor;
use crate::rows::{Synapse, Wiring};

/// Synapses that a thread takes at a time: their weights and targets stay in its cache.
const BLOCK_SYNAPSES: usize = 1 << 14;

/// All projections onto a port, in the order of the description.
pub(super) struct SynapsesNode<R> {
    pub(super) target: NodeId,
    pub(super) port: usize,
    pub(super) projections: Vec<Projection<R>>,
}

/// A projection.
pub(super) struct Projection<R> {
    pub(super) name: String,
    pub(super) source: NodeId,
    wiring: Wiring,
    /// Blocks of sources.
    blocks: Vec<Range<usize>>,
    /// Numbers that the source emits are numbers of spikes.
    counts: bool,
    pub(super) is_learnable: bool,
    pub(super) weight: Tensor<R>,
    /// Empty unless learnable.
    pub(super) gradient: Tensor<R>,
}

/// Draws the projections of a plan: a node for each port that has any.
pub(super) fn synapses_nodes<R: Real>(plan: &Plan) -> Result<Vec<SynapsesNode<R>>, UnrolledError> {
    let mut nodes: Vec<SynapsesNode<R>> = Vec::new();
    for (index, edge) in plan.edges.iter().enumerate() {
        let EdgeKind::Synapses(synapses) = &edge.kind else {
            continue;
        };
        if is_given(plan, edge.target) {
            continue;
        }
        let kind = &plan.nodes[edge.source].kind;
        match kind {
            NodeKind::Population(_) | NodeKind::Source(_) | NodeKind::Input(InputKind::Spikes) => {}
            _ => {
                return Err(unsupported(
                    &edge.name,
                    "a projection from what has no spikes",
                ));
            }
        }
        if !matches!(plan.nodes[edge.target].kind, NodeKind::Population(_)) {
            return Err(unsupported(
                &edge.name,
                "a projection onto what is no population",
            ));
        }
        let Some((wiring, weights)) = Wiring::draw(plan, index).map_err(BuildError::Rows)? else {
            continue;
        };
        let tensor = |values: Vec<R>| Tensor {
            name: "weight".to_owned(),
            shape: vec![values.len()],
            values,
        };
        let gradient = if synapses.learnable {
            vec![R::ZERO; weights.len()]
        } else {
            Vec::new()
        };
        let projection = Projection {
            name: edge.name.clone(),
            source: edge.source,
            blocks: wiring.blocks(BLOCK_SYNAPSES),
            wiring,
            counts: matches!(kind, NodeKind::Source(_)),
            is_learnable: synapses.learnable,
            weight: tensor(weights),
            gradient: tensor(gradient),
        };
        let place = (edge.target, edge.port);
        match nodes.iter_mut().find(|n| (n.target, n.port) == place) {
            Some(node) => node.projections.push(projection),
            None => nodes.push(SynapsesNode {
                target: edge.target,
                port: edge.port,
                projections: vec![projection],
            }),
        }
    }
    Ok(nodes)
}

impl<R: Real> SynapsesNode<R> {
    /// An incoming edge for each projection and delay.
    pub(super) fn routes(&self) -> Vec<Route> {
        let of_projection = |(port, p): (usize, &Projection<R>)| {
            let source = p.source;
            let delays = p.wiring.delays().iter();
            let routes = delays.map(move |&delay| Route {
                port,
                source,
                delay: delay as usize,
            });
            routes.collect::<Vec<_>>()
        };
        let projections = self.projections.iter().enumerate();
        projections.flat_map(of_projection).collect()
    }

    pub(super) fn is_learnable(&self) -> bool {
        self.projections.iter().any(|p| p.is_learnable)
    }

    /// What arrives in some steps, `[steps · batch, targets]`. A target adds in the order of projection,
    /// emission step, source, position in row: that of a simulation.
    pub(super) fn forward(
        &self,
        steps: &Range<usize>,
        sources: &[&Emission<R>],
        batch: usize,
        arrived: &mut [R],
    ) {
        let width = arrived.len() / (steps.len() * batch).max(1);
        let rows = arrived.par_chunks_exact_mut(width.max(1)).enumerate();
        rows.for_each(|(k, arrived)| {
            let (step, sample) = (steps.start + k / batch, k % batch);
            arrived.fill(R::ZERO);
            for (projection, source) in self.projections.iter().zip(sources) {
                projection.deliver(source, (step, sample), arrived);
            }
        });
    }
}

impl<R: Real> Projection<R> {
    /// Numbers that the source emits are numbers of spikes.
    #[cfg(feature = "gpu")]
    pub(super) fn counts(&self) -> bool {
        self.counts
    }

    /// Every synapse, in the order of the weights.
    pub(super) fn synapses(&self) -> impl Iterator<Item = Synapse> {
        self.wiring.synapses()
    }

    fn deliver(&self, source: &Emission<R>, (step, sample): (usize, usize), arrived: &mut [R]) {
        let (targets, weights) = (self.wiring.targets(), self.weight.values.as_slice());
        for (place, &delay) in self.wiring.delays().iter().enumerate().rev() {
            let rows = source.arriving(&(step..step + 1), delay as usize);
            let all = 0..source.width;
            self.for_each_active(source, rows.start + sample, all, |i, value| {
                let range = self.wiring.find(i, place);
                let synapses = targets[range.clone()].iter().zip(&weights[range]);
                for (&target, &weight) in synapses {
                    arrived[target as usize] += weight * value;
                }
            });
        }
    }

    /// Calls `f` with every element of a part of a row that is not zero, ascending, and its value; with
    /// one that fired k times, k times.
    #[inline]
    fn for_each_active(
        &self,
        source: &Emission<R>,
        row: usize,
        part: Range<usize>,
        mut f: impl FnMut(usize, R),
    ) {
        if let Rows::Spikes(spikes) = &source.rows {
            spikes.for_each(row, part, |i| f(i, R::ONE));
            return;
        }
        let values = &source.values(&(row..row + 1))[part.clone()];
        for (i, &value) in part.zip(values) {
            if !self.counts {
                if value != R::ZERO {
                    f(i, value);
                }
                continue;
            }
            let mut left = value;
            while left > R::ZERO {
                f(i, R::ONE);
                left -= R::ONE;
            }
        }
    }

    /// From the cotangent of what arrived in some steps to that of what the source emitted, which it adds
    /// to: the last step first, so that it does not matter where steps are cut.
    pub(super) fn reverse(
        &self,
        source: &Emission<R>,
        steps: &Range<usize>,
        arrived: &[R],
        emitted: &mut [R],
    ) {
        let delays = self.wiring.delays();
        let (Some(&least), Some(&most)) = (delays.first(), delays.last()) else {
            return;
        };
        let batch = source.batch;
        let n_target = arrived.len() / (steps.len() * batch).max(1);
        let first = source.arriving(steps, most as usize).start;
        let end = source.arriving(steps, least as usize).end;
        let rows = &mut emitted[first * source.width..end * source.width];
        // Of each block and sample, block by block, the rows of its steps.
        let mut tasks: Vec<Vec<&mut [R]>> = Vec::new();
        tasks.resize_with(self.blocks.len() * batch, Vec::new);
        for (row, values) in rows.chunks_exact_mut(source.width).enumerate() {
            let mut rest = values;
            for (block, sources) in self.blocks.iter().enumerate() {
                let (part, after) = rest.split_at_mut(sources.len());
                tasks[block * batch + row % batch].push(part);
                rest = after;
            }
        }
        tasks.par_iter_mut().enumerate().for_each(|(task, rows)| {
            let (sources, sample) = (&self.blocks[task / batch], task % batch);
            for k in (0..steps.len()).rev() {
                let arrived = &arrived[(k * batch + sample) * n_target..][..n_target];
                for (i, source) in sources.clone().enumerate() {
                    for (delay, range) in self.wiring.row(source) {
                        let row = k + (most - delay) as usize;
                        rows[row][i] += self.gather(range, arrived);
                    }
                }
            }
        });
    }

    /// Σ weight · arrived over some synapses, as four sums side by side.
    #[inline]
    fn gather(&self, range: Range<usize>, arrived: &[R]) -> R {
        let weights = &self.weight.values[range.clone()];
        let targets = &self.wiring.targets()[range];
        let (fours, weights_left) = weights.as_chunks::<4>();
        let (targets_of_fours, targets_left) = targets.as_chunks::<4>();
        let mut sums = [R::ZERO; 4];
        for (weights, targets) in fours.iter().zip(targets_of_fours) {
            for ((sum, &weight), &target) in sums.iter_mut().zip(weights).zip(targets) {
                *sum += weight * arrived[target as usize];
            }
        }
        let left = weights_left.iter().zip(targets_left);
        for (sum, (&weight, &target)) in sums.iter_mut().zip(left) {
            *sum += weight * arrived[target as usize];
        }
        (sums[0] + sums[1]) + (sums[2] + sums[3])
    }

    /// Adds the gradient of the weights, from the cotangent of what arrived in some steps: in ascending
    /// order of step and sample for each synapse.
    pub(super) fn add_gradient(
        &mut self,
        source: &Emission<R>,
        steps: &Range<usize>,
        arrived: &[R],
    ) {
        let delays = self.wiring.delays();
        let (Some(&least), Some(&most)) = (delays.first(), delays.last()) else {
            return;
        };
        let batch = source.batch;
        let n_target = arrived.len() / (steps.len() * batch).max(1);
        let rows =
            source.arriving(steps, most as usize).start..source.arriving(steps, least as usize).end;
        let mut gradient = std::mem::take(&mut self.gradient.values);
        let mut parts = Vec::with_capacity(self.blocks.len());
        let mut rest = gradient.as_mut_slice();
        for sources in &self.blocks {
            let (part, after) = rest.split_at_mut(self.wiring.range(sources).len());
            parts.push(part);
            rest = after;
        }
        parts
            .into_par_iter()
            .zip(&self.blocks)
            .for_each(|(part, sources)| {
                let first = self.wiring.range(sources).start;
                for (k, row) in rows.clone().enumerate() {
                    let (emitted, sample) = (k / batch, k % batch);
                    self.for_each_active(source, row, sources.clone(), |i, value| {
                        for (delay, range) in self.wiring.row(i) {
                            // Before the first of the steps, or after the last.
                            let arrives = (emitted + delay as usize).checked_sub(most as usize);
                            let Some(step) = arrives.filter(|&s| s < steps.len()) else {
                                continue;
                            };
                            let arrived =
                                &arrived[(step * batch + sample) * n_target..][..n_target];
                            let targets = &self.wiring.targets()[range.clone()];
                            let sums = &mut part[range.start - first..range.end - first];
                            for (sum, &target) in sums.iter_mut().zip(targets) {
                                *sum += value * arrived[target as usize];
                            }
                        }
                    });
                }
            });
        self.gradient.values = gradient;
    }
}
