//! Passes in segments: where memory is short, or back-propagation is cut, only the steps of a segment are
//! kept, and each segment is run again before it is reversed, from what it began with.

use super::GpuPass;
use super::machine::{ArrayId, Machine};
use super::nodes::{DeviceNode, DeviceWork, needed};
use crate::plan::NodeId;
use crate::unrolled::device::{GraphPlan, WorkPlan};
use crate::unrolled::{UnrolledError, UnrolledNetwork};

/// What every segment begins with, and room for what lies before it. Empty where there is one segment.
#[derive(Default)]
pub(super) struct Carries {
    /// Of each population, `[segments, states, lanes]`.
    states: Vec<Option<ArrayId>>,
    /// Of each node that is heard later, `[segments, history, lanes]`.
    history: Vec<Option<ArrayId>>,
    /// Of each output, what it emitted in all steps.
    outputs: Vec<ArrayId>,
}

/// Steps of a segment: all, or as few as memory asks for.
pub(super) fn length(
    graph: &GraphPlan,
    network: &UnrolledNetwork<f32>,
) -> Result<usize, UnrolledError> {
    let (steps, batch) = (network.steps(), network.max_batch());
    let truncate = network.truncate_steps();
    let longest = steps.min(truncate.unwrap_or(steps));
    let fits = |n: usize| truncate.is_none_or(|t| t.is_multiple_of(n));
    let mixes = graph.nodes.iter().find(|n| {
        matches!(
            n.work,
            WorkPlan::Layer {
                mixes_rows: true,
                ..
            }
        )
    });
    let allowed = network.max_bytes().unwrap_or(u64::MAX);
    let candidates = (1..=longest).rev().filter(|&n| fits(n));
    let bytes = |n: usize| needed(graph, (steps, n), batch);
    let too_little = |needed, advice| UnrolledError::Memory {
        needed,
        allowed,
        advice,
    };
    match candidates.clone().find(|&n| bytes(n) <= allowed) {
        Some(n) if n == steps || mixes.is_none() => Ok(n),
        Some(_) => Err(too_little(
            bytes(steps),
            "a layer takes statistics over all steps; use smaller batches",
        )),
        None => Err(too_little(
            candidates.map(bytes).min().unwrap_or(u64::MAX),
            "allow more, or use smaller batches",
        )),
    }
}

impl Carries {
    pub(super) fn new(
        machine: &mut Machine,
        graph: &GraphPlan,
        nodes: &[DeviceNode],
        network: &UnrolledNetwork<f32>,
        segment: usize,
    ) -> Result<Self, UnrolledError> {
        let (steps, batch) = (network.steps(), network.max_batch());
        let n = steps.div_ceil(segment);
        if n == 1 {
            return Ok(Self::default());
        }
        let mut carries = Self::default();
        for (node, plan) in nodes.iter().zip(&graph.nodes) {
            let lanes = plan.width * batch;
            let states = match &node.work {
                DeviceWork::Population(p) => n * p.n_states * lanes,
                _ => 0,
            };
            let history = match plan.work {
                WorkPlan::Input | WorkPlan::Source => 0,
                _ => n * plan.history * lanes,
            };
            let mut array = |n: usize| (n > 0).then(|| machine.array("segments", n)).transpose();
            carries.states.push(array(states)?);
            carries.history.push(array(history)?);
        }
        for id in network.output_nodes() {
            let n = steps * graph.nodes[id].width * batch;
            carries.outputs.push(machine.array("outputs", n)?);
        }
        Ok(carries)
    }
}

impl GpuPass {
    pub(super) fn n_segments(&self) -> usize {
        self.steps.div_ceil(self.segment)
    }

    /// Makes a segment the one that is run.
    pub(super) fn enter(&mut self, index: usize) {
        self.first = index * self.segment;
        self.here = self.segment.min(self.steps - self.first);
    }

    /// What lies before the next segment becomes the past of its nodes; states go on.
    pub(super) fn carry(&mut self, index: usize) {
        for id in 0..self.nodes.len() {
            let lanes = self.lanes(id);
            let history = self.graph.nodes[id].history * lanes;
            let emission = self.nodes[id].emission;
            if let Some(carry) = self.carries.history.get(id).copied().flatten()
                && !self.constants[id]
            {
                let place = (carry, index * history);
                self.machine
                    .copy((emission, self.here * lanes), place, history);
            }
            if let Some(carry) = self.carries.states.get(id).copied().flatten()
                && let DeviceWork::Population(p) = &self.nodes[id].work
            {
                let n = p.n_states * lanes;
                self.machine
                    .copy((p.tape, self.here * n), (carry, index * n), n);
            }
        }
    }

    /// Puts back what a segment begins with.
    pub(super) fn restore(&mut self, index: usize) {
        for id in 0..self.nodes.len() {
            let lanes = self.lanes(id);
            let history = self.graph.nodes[id].history * lanes;
            let emission = self.nodes[id].emission;
            if let Some(carry) = self.carries.history.get(id).copied().flatten()
                && !self.constants[id]
            {
                if index == 0 {
                    self.machine.clear(emission, 0, history);
                } else {
                    self.machine
                        .copy((carry, index * history), (emission, 0), history);
                }
            }
            if let DeviceWork::Population(p) = &self.nodes[id].work {
                let n = p.n_states * lanes;
                match self.carries.states.get(id).copied().flatten() {
                    Some(carry) if index > 0 => {
                        self.machine.copy((carry, index * n), (p.tape, 0), n);
                    }
                    _ => self.machine.copy((p.initial, 0), (p.tape, 0), n),
                }
            }
        }
    }

    /// Keeps what outputs emitted in the segment.
    pub(super) fn keep_outputs(&mut self, outputs: &[NodeId]) {
        for (place, &id) in outputs.iter().enumerate() {
            let lanes = self.lanes(id);
            if let Some(&array) = self.carries.outputs.get(place)
                && !self.constants[id]
            {
                let from = (self.nodes[id].emission, self.element(id, 0));
                let to = (array, self.first * lanes);
                self.machine.copy(from, to, self.here * lanes);
            }
        }
    }

    /// Where an output of the whole pass lies.
    pub(super) fn whole_output(&self, place: usize, id: NodeId) -> (ArrayId, usize, usize) {
        let lanes = self.lanes(id);
        match self.carries.outputs.get(place) {
            Some(&array) if !self.constants[id] => (array, 0, self.steps * lanes),
            _ => {
                let steps = if self.constants[id] { 1 } else { self.steps };
                let first = self.element(id, 0);
                (self.nodes[id].emission, first, steps * lanes)
            }
        }
    }

    /// Cotangents of the steps before the segment become those of the last steps of the segment before;
    /// or nothing, where back-propagation is cut.
    pub(super) fn previous_segment(&mut self, is_cut: bool) {
        for id in 0..self.nodes.len() {
            let lanes = self.lanes(id);
            if is_cut && let DeviceWork::Population(p) = &self.nodes[id].work {
                let n = p.n_states * lanes;
                self.machine.clear(p.sums, 0, n);
            }
            let Some(cotangent) = self.nodes[id].cotangent else {
                continue;
            };
            if self.is_whole(id) || self.constants[id] {
                continue;
            }
            let history = self.graph.nodes[id].history * lanes;
            let all = history + self.segment * lanes;
            match self.carries.history.get(id).copied().flatten() {
                // The carry of the segment that is done is free.
                Some(room) if !is_cut => {
                    self.machine.copy((cotangent, 0), (room, 0), history);
                    self.machine.clear(cotangent, 0, all);
                    let to = (cotangent, self.segment * lanes);
                    self.machine.copy((room, 0), to, history);
                }
                _ => self.machine.clear(cotangent, 0, all),
            }
        }
    }

    /// What inputs and stimuli emit is stored whole.
    pub(super) fn is_whole(&self, id: NodeId) -> bool {
        matches!(
            self.graph.nodes[id].work,
            WorkPlan::Input | WorkPlan::Source
        )
    }
}
