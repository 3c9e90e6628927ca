//! A stateless layer as an actor: all steps of a slice and all samples of the batch at once.

use rheobase_equations::real::Real;

use crate::actor::{Actor, RunError, VisitParameters};
use crate::packet::{History, Packet};
use crate::plan::NodeId;
use crate::population::Identity;
use crate::port::{Layer, LayerCall, LayerInput, Tensor};
use crate::random::Philox;
use crate::record::Records;
use crate::time::Slice;

/// A layer with its incoming edges.
pub(crate) struct LayerActor<R> {
    pub(crate) node: NodeId,
    pub(crate) layer: Box<dyn Layer<R>>,
    pub(crate) parameters: Vec<Tensor<R>>,
    /// In the order of the description; what arrives over several is added up.
    pub(crate) afferents: Vec<Identity>,
    pub(crate) batch: usize,
    /// Elements of the input and of the output, without the batch axis.
    pub(crate) width: usize,
    pub(crate) out: usize,
    pub(crate) gathered: Gathered<R>,
    pub(crate) output: Vec<R>,
    pub(crate) scratch: Vec<R>,
    pub(crate) stream: Philox,
}

/// What arrives over a slice, as rows of steps × batch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gathered<R> {
    values: Vec<R>,
    offsets: Vec<u32>,
    indices: Vec<u32>,
}

/// What a layer is told of a slice (a macro, as the actor's other fields are borrowed meanwhile).
macro_rules! call {
    ($actor:ident, $slice:ident) => {
        LayerCall {
            parameters: &$actor.parameters,
            training: false,
            again: false,
            batch: $actor.batch,
            first_step: usize::try_from($slice.first - 1).unwrap_or(usize::MAX),
            repeats: 1,
            stream: $actor.stream,
            pass: 0,
            version: 0,
        }
    };
}

impl<R: Real> LayerActor<R> {
    fn gather(&mut self, slice: Slice, history: &History<R>) {
        match *self.afferents.as_slice() {
            [edge] if edge.real => self.copy_values(edge, slice, history),
            [edge] => self.list_spikes(edge, slice, history),
            _ => self.add_up(slice, history),
        }
    }

    fn copy_values(&mut self, edge: Identity, slice: Slice, history: &History<R>) {
        let values = &mut self.gathered.values;
        values.clear();
        for step in slice.steps() {
            let emitted = step.saturating_sub(edge.delay);
            match history.real(edge.source, emitted, edge.lanes) {
                Some(row) => values.extend_from_slice(row),
                None => values.extend(std::iter::repeat_n(R::ZERO, edge.lanes)),
            }
        }
    }

    fn list_spikes(&mut self, edge: Identity, slice: Slice, history: &History<R>) {
        let g = &mut self.gathered;
        g.indices.clear();
        g.offsets.clear();
        g.offsets.push(0);
        for step in slice.steps() {
            let emitted = step.saturating_sub(edge.delay);
            let mut copy = 0;
            for &lane in history.spikes(edge.source, emitted) {
                let (b, index) = (lane as usize / self.width, lane as usize % self.width);
                while copy < b {
                    g.offsets.push(length(&g.indices));
                    copy += 1;
                }
                g.indices.push(u32::try_from(index).unwrap_or(u32::MAX));
            }
            while copy < self.batch {
                g.offsets.push(length(&g.indices));
                copy += 1;
            }
        }
    }

    fn add_up(&mut self, slice: Slice, history: &History<R>) {
        let lanes = self.width * self.batch;
        let values = &mut self.gathered.values;
        values.clear();
        values.resize(slice.len * lanes, R::ZERO);
        let all = 0..u32::try_from(lanes).unwrap_or(u32::MAX);
        for (step, row) in slice.steps().zip(values.chunks_exact_mut(lanes)) {
            for edge in &self.afferents {
                edge.deliver(step, history, &all, row, |_| {});
            }
        }
    }

    /// Whether what arrives is index lists.
    fn is_listed(&self) -> bool {
        matches!(self.afferents.as_slice(), [edge] if !edge.real)
    }
}

impl<R: Real> Gathered<R> {
    fn input(&self, is_listed: bool, width: usize) -> LayerInput<'_, R> {
        if is_listed {
            LayerInput::Spikes {
                offsets: &self.offsets,
                indices: &self.indices,
                width,
            }
        } else {
            LayerInput::Real {
                values: &self.values,
                width,
            }
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a slice holds fewer than 2^32 spikes"
)]
fn length(indices: &[u32]) -> u32 {
    indices.len() as u32
}

impl<R: Real> Actor<R> for LayerActor<R> {
    fn advance(
        &mut self,
        slice: Slice,
        history: &History<R>,
        packets: &mut [Packet<R>],
    ) -> Result<(), RunError> {
        let packet = &mut packets[0];
        self.gather(slice, history);
        self.output
            .resize(slice.len * self.batch * self.out, R::ZERO);
        let call = call!(self, slice);
        let input = self.gathered.input(self.is_listed(), self.width);
        self.layer.begin(&call, input);
        let (rows, output) = (0..input.rows(), &mut self.output);
        self.layer
            .forward(&call, rows, input, output, &mut self.scratch);
        packet.real_mut().extend_from_slice(output);
        for _ in 0..slice.len {
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

    fn parameters(&mut self, visit: &mut VisitParameters<'_, R>) {
        for parameter in &mut self.parameters {
            visit(self.node, parameter);
        }
    }
}
