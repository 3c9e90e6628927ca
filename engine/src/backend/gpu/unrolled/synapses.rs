//! Projections of synapses in passes.

use std::ops::Range;

use rheobase_shaders::{Role, Rows, WiringShape};

use super::super::error::GpuError;
use super::super::step::word;
use super::GpuPass;
use super::machine::{ArrayId, KernelId, Machine};
use super::nodes::DeviceWork;
use crate::plan::NodeId;
use crate::rows::Synapse;
use crate::unrolled::device::{GraphPlan, ProjectionPlan};
use crate::unrolled::{UnrolledError, UnrolledNetwork};

/// A projection on the device.
pub(super) struct DeviceProjection {
    source: NodeId,
    n_source: usize,
    longest: usize,
    n_synapses: usize,
    pub(super) weights: ArrayId,
    pub(super) gradient: Option<ArrayId>,
    /// Where the synapses of each target begin, and they; in the order of the sums.
    by_target: (ArrayId, ArrayId),
    by_source: (ArrayId, ArrayId),
    forward: KernelId,
    reverse: KernelId,
    gradients: KernelId,
}

/// Words that a projection takes.
pub(super) fn words(projection: &ProjectionPlan) -> u64 {
    // Twice three words, weight and gradient.
    8 * projection.synapses.len() as u64
}

impl DeviceProjection {
    pub(super) fn new(
        machine: &mut Machine,
        graph: &GraphPlan,
        plan: &ProjectionPlan,
        n_target: usize,
    ) -> Result<Self, UnrolledError> {
        let n_source = graph.nodes[plan.source].width;
        let longest = plan.synapses.iter().map(|s| s.delay_steps).max();
        let longest = longest.unwrap_or(0);
        let n_synapses = word("synapses", plan.synapses.len())?;
        // What several words are reached by.
        word("synapses", 3 * plan.synapses.len())?;
        let shape = WiringShape {
            n_source: word("neurons", n_source)?,
            n_target: word("neurons", n_target)?,
            n_synapses,
            longest,
            counts: plan.counts,
        };
        let mut order: Vec<(u32, &Synapse)> = (0..).zip(&plan.synapses).collect();
        // Stable: what is left of the order is that of sources, then of the rule.
        order.sort_by_key(|(_, s)| (s.target, std::cmp::Reverse(s.delay_steps)));
        let targets = order.iter().map(|(_, s)| s.target);
        let rows = starts(n_target, targets);
        let entries = order
            .iter()
            .flat_map(|(k, s)| [*k, s.source, s.delay_steps]);
        let by_target = upload(machine, &rows, &entries.collect::<Vec<_>>())?;
        let rows = starts(n_source, plan.synapses.iter().map(|s| s.source));
        let entries = plan.synapses.iter();
        let entries = entries.flat_map(|s| [s.source, s.target, s.delay_steps]);
        let by_source = upload(machine, &rows, &entries.collect::<Vec<_>>())?;
        Ok(Self {
            source: plan.source,
            n_source,
            longest: longest as usize,
            n_synapses: plan.synapses.len(),
            weights: machine.array("weights", plan.synapses.len())?,
            gradient: match plan.is_learnable {
                true => Some(machine.array("gradients", plan.synapses.len())?),
                false => None,
            },
            by_target,
            by_source,
            forward: machine.kernel(shape.forward())?,
            reverse: machine.kernel(shape.reverse())?,
            gradients: machine.kernel(shape.gradients())?,
        })
    }
}

/// Where the synapses of each neuron begin, and the end of the last.
fn starts(n: usize, neurons: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut starts = vec![0_u32; n + 1];
    for neuron in neurons {
        starts[neuron as usize + 1] += 1;
    }
    for k in 1..starts.len() {
        starts[k] += starts[k - 1];
    }
    starts
}

fn upload(
    machine: &mut Machine,
    rows: &[u32],
    entries: &[u32],
) -> Result<(ArrayId, ArrayId), GpuError> {
    let arrays = (
        machine.array("rows", rows.len())?,
        machine.array("synapses", entries.len())?,
    );
    machine.write(arrays.0, 0, rows)?;
    machine.write(arrays.1, 0, entries)?;
    Ok(arrays)
}

impl GpuPass {
    /// Uploads the weights of all projections of a node.
    pub(super) fn upload_synapses(
        &self,
        id: NodeId,
        network: &UnrolledNetwork<f32>,
    ) -> Result<(), GpuError> {
        if let DeviceWork::Synapses(projections) = &self.nodes[id].work {
            for (projection, weight) in projections.iter().zip(network.synapse_weights(id)) {
                let words = bytemuck::cast_slice(&weight.values);
                self.machine.write(projection.weights, 0, words)?;
            }
        }
        Ok(())
    }

    /// Rows that arrive from the source of a projection in some steps.
    fn synapse_rows(
        &self,
        id: NodeId,
        projection: &DeviceProjection,
        steps: &Range<usize>,
    ) -> Result<Rows, GpuError> {
        let source = self.element(projection.source, steps.start);
        let width = self.graph.nodes[id].width.max(1);
        Ok(Rows {
            rows: word("rows", steps.len() * self.batch)?,
            x_first: word("rows", source / projection.n_source.max(1))?,
            y_first: word("rows", self.element(id, steps.start) / width)?,
            batch: word("samples", self.batch)?,
            ..Rows::default()
        })
    }

    pub(super) fn advance_synapses(
        &mut self,
        id: NodeId,
        projections: &[DeviceProjection],
        steps: &Range<usize>,
    ) -> Result<(), GpuError> {
        let (emission, n) = (self.nodes[id].emission, steps.len() * self.lanes(id));
        self.machine
            .clear(emission, self.element(id, steps.start), n);
        for p in projections {
            let rows = self.synapse_rows(id, p, steps)?;
            let arrays = [
                (Role::X, self.nodes[p.source].emission),
                (Role::Rows, p.by_target.0),
                (Role::Synapses, p.by_target.1),
                (Role::Parameter(0), p.weights),
                (Role::Y, emission),
            ];
            self.for_each(p.forward, n, rows, &arrays)?;
        }
        Ok(())
    }

    pub(super) fn reverse_synapses(
        &mut self,
        id: NodeId,
        projections: &[DeviceProjection],
        steps: &Range<usize>,
    ) -> Result<(), GpuError> {
        let Some(dy) = self.nodes[id].cotangent else {
            return Ok(());
        };
        for p in projections {
            let Some(dx) = self.nodes[p.source].cotangent else {
                continue;
            };
            let rows = self.synapse_rows(id, p, steps)?;
            let arrays = [
                (Role::Dy, dy),
                (Role::Rows, p.by_source.0),
                (Role::Synapses, p.by_source.1),
                (Role::Parameter(0), p.weights),
                (Role::Dx, dx),
            ];
            let n = (steps.len() + p.longest) * self.lanes(p.source);
            self.for_each(p.reverse, n, rows, &arrays)?;
        }
        Ok(())
    }

    /// Adds the gradients of all weights that are trained.
    pub(super) fn add_synapse_gradients(
        &mut self,
        id: NodeId,
        projections: &[DeviceProjection],
        steps: &Range<usize>,
    ) -> Result<(), GpuError> {
        let Some(dy) = self.nodes[id].cotangent else {
            return Ok(());
        };
        for p in projections {
            let Some(gradient) = p.gradient else { continue };
            let rows = self.synapse_rows(id, p, steps)?;
            let arrays = [
                (Role::X, self.nodes[p.source].emission),
                (Role::Dy, dy),
                (Role::Synapses, p.by_source.1),
                (Role::Gradient(0), gradient),
            ];
            self.for_each(p.gradients, p.n_synapses, rows, &arrays)?;
        }
        Ok(())
    }
}
