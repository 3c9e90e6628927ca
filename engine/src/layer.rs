//! A stateless layer as an actor: all steps of a slice and all samples of the batch at once.

use rheobase_equations::real::Real;

use crate::actor::{Actor, RunError, VisitParameters};
use crate::cotangent::Cotangents;
use crate::packet::{History, Packet};
use crate::plan::NodeId;
use crate::port::{Layer, LayerCall, LayerInput, Tensor};
use crate::random::Philox;
use crate::record::Records;
use crate::time::Slice;

/// A layer with its one incoming edge.
pub(crate) struct LayerActor<R> {
    pub(crate) node: NodeId,
    pub(crate) layer: Box<dyn Layer<R>>,
    pub(crate) parameters: Vec<Tensor<R>>,
    pub(crate) gradients: Vec<Tensor<R>>,
    pub(crate) source: NodeId,
    pub(crate) delay: u64,
    /// The source emits real values.
    pub(crate) real: bool,
    pub(crate) batch: usize,
    /// Elements of the source and of the output, without the batch axis.
    pub(crate) width: usize,
    pub(crate) out: usize,
    pub(crate) gathered: Gathered<R>,
    pub(crate) output: Vec<R>,
    pub(crate) scratch: Vec<R>,
    pub(crate) stream: Philox,
    /// Kept on a tape.
    pub(crate) training: bool,
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
            training: $actor.training,
            again: false,
            batch: $actor.batch,
            first_step: usize::try_from($slice.first - 1).unwrap_or(usize::MAX),
            repeats: 1,
            stream: $actor.stream,
            pass: 0,
        }
    };
}

impl<R: Real> LayerActor<R> {
    fn gather(&mut self, slice: Slice, history: &History<R>) {
        let g = &mut self.gathered;
        g.values.clear();
        g.indices.clear();
        g.offsets.clear();
        g.offsets.push(0);
        let lanes = self.width * self.batch;
        for step in slice.steps() {
            let emitted = step.saturating_sub(self.delay);
            if self.real {
                match history.real(self.source, emitted, lanes) {
                    Some(values) => g.values.extend_from_slice(values),
                    None => g.values.extend(std::iter::repeat_n(R::ZERO, lanes)),
                }
                continue;
            }
            let mut copy = 0;
            for &lane in history.spikes(self.source, emitted) {
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
}

impl<R: Real> Gathered<R> {
    fn input(&self, real: bool, width: usize) -> LayerInput<'_, R> {
        if real {
            LayerInput::Real {
                values: &self.values,
                width,
            }
        } else {
            LayerInput::Spikes {
                offsets: &self.offsets,
                indices: &self.indices,
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
        let input = self.gathered.input(self.real, self.width);
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

    fn reverse(
        &mut self,
        slice: Slice,
        history: &History<R>,
        cotangents: &mut Cotangents<R>,
    ) -> Result<(), RunError> {
        self.gather(slice, history);
        let lanes = self.batch * self.width;
        let mut output_cotangent = Vec::with_capacity(slice.len * self.batch * self.out);
        for step in slice.steps() {
            output_cotangent.extend_from_slice(cotangents.at(self.node, step));
        }
        let mut input_cotangent = vec![R::ZERO; slice.len * lanes];
        let call = call!(self, slice);
        let input = self.gathered.input(self.real, self.width);
        let (rows, dy) = (0..input.rows(), &output_cotangent);
        self.layer.begin_reverse(&call, input, dy);
        let (dx, scratch) = (&mut input_cotangent, &mut self.scratch);
        self.layer.reverse(&call, rows, input, dy, dx, scratch);
        self.layer
            .add_gradients(&call, input, dy, &mut self.gradients);
        for (k, step) in slice.steps().enumerate() {
            let Some(emitted) = step.checked_sub(self.delay).filter(|&s| s > 0) else {
                continue;
            };
            let source = cotangents.at(self.source, emitted);
            for (c, &x) in source
                .iter_mut()
                .zip(&input_cotangent[k * lanes..(k + 1) * lanes])
            {
                *c += x;
            }
        }
        Ok(())
    }

    fn parameters(&mut self, visit: &mut VisitParameters<'_, R>) {
        for (p, g) in self.parameters.iter_mut().zip(&mut self.gradients) {
            visit(self.node, p, g);
        }
    }
}
