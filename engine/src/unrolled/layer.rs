//! A layer over the steps of a segment.

use std::ops::Range;

use rayon::prelude::*;
use rheobase_equations::real::Real;

use super::emission::Emission;
use crate::port::{Layer, LayerCall, LayerInput, Tensor};
use crate::random::Philox;

/// A layer, its parameters, and what arrives at it.
pub(super) struct LayerNode<R> {
    pub(super) layer: Box<dyn Layer<R>>,
    pub(super) parameters: Vec<Tensor<R>>,
    pub(super) gradients: Vec<Tensor<R>>,
    pub(super) stream: Philox,
    pub(super) mixes_rows: bool,
    pub(super) depends_on_step: bool,
    pub(super) n_in: usize,
    pub(super) arrived: Arrived<R>,
    /// One for each thread.
    pub(super) scratch: Vec<Vec<R>>,
    /// Cotangent of what arrived, where it does not go to one source as it is.
    pub(super) arrived_cotangent: Vec<R>,
}

/// What arrives, where it is not the values of one source as they are.
#[derive(Debug, Default)]
pub(super) struct Arrived<R> {
    pub(super) values: Vec<R>,
    pub(super) offsets: Vec<u32>,
    /// As many as the last offset says; then anything.
    pub(super) indices: Vec<u32>,
}

/// How it arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// The values of one source.
    Values,
    /// The spikes of one source, as index lists.
    Lists,
    /// The sum of several sources.
    Sum,
}

/// What a call is told besides parameters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) training: bool,
    pub(super) again: bool,
    pub(super) batch: usize,
    pub(super) first_step: usize,
    pub(super) repeats: usize,
    pub(super) pass: u64,
    pub(super) version: u64,
}

impl<R: Real> Arrived<R> {
    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.offsets.clear();
        self.offsets.push(0);
    }
}

/// The input of a layer for a range of rows of the segment.
pub(super) fn input<'a, R: Real>(
    arrived: &'a Arrived<R>,
    way: Way,
    source: &'a Emission<R>,
    (steps, delay): (&Range<usize>, usize),
    width: usize,
) -> LayerInput<'a, R> {
    let batch = source.batch;
    match way {
        Way::Values => LayerInput::Real {
            values: source.values(&source.arriving(steps, delay)),
            width,
        },
        Way::Lists => LayerInput::Spikes {
            offsets: &arrived.offsets[steps.start * batch..=steps.end * batch],
            indices: &arrived.indices,
            width,
        },
        Way::Sum => LayerInput::Real {
            values: &arrived.values[steps.start * batch * width..steps.end * batch * width],
            width,
        },
    }
}

impl<R: Real> LayerNode<R> {
    fn call(parameters: &[Tensor<R>], stream: Philox, moment: Moment) -> LayerCall<'_, R> {
        LayerCall {
            parameters,
            training: moment.training,
            again: moment.again,
            batch: moment.batch,
            first_step: moment.first_step,
            repeats: moment.repeats,
            stream,
            pass: moment.pass,
            version: moment.version,
        }
    }
}

/// Prepares a layer for a segment.
pub(super) fn begin<R: Real>(
    layer: &mut dyn Layer<R>,
    (parameters, stream): (&[Tensor<R>], Philox),
    moment: Moment,
    input: LayerInput<'_, R>,
) {
    layer.begin(&LayerNode::call(parameters, stream, moment), input);
}

/// Everything a layer's kernels share in one call.
pub(super) struct Kernel<'a, R> {
    pub(super) layer: &'a dyn Layer<R>,
    pub(super) parameters: &'a [Tensor<R>],
    pub(super) stream: Philox,
    pub(super) moment: Moment,
    /// Place of the first row in the segment.
    pub(super) first_row: usize,
}

impl<R: Real> Kernel<'_, R> {
    /// Rows are cut among threads.
    pub(super) fn forward(
        &self,
        input: LayerInput<'_, R>,
        output: &mut [R],
        scratch: &mut [Vec<R>],
    ) {
        let rows = input.rows();
        if rows == 0 {
            return;
        }
        let call = LayerNode::call(self.parameters, self.stream, self.moment);
        let n_out = output.len() / rows;
        let part = rows.div_ceil(scratch.len());
        scratch
            .par_iter_mut()
            .zip(output.par_chunks_mut((part * n_out).max(1)))
            .enumerate()
            .for_each(|(k, (scratch, output))| {
                let rows = k * part..k * part + output.len() / n_out;
                let input = input.slice(rows.clone());
                let place = self.first_row + rows.start..self.first_row + rows.end;
                self.layer.forward(&call, place, input, output, scratch);
            });
    }

    pub(super) fn reverse(
        &self,
        input: LayerInput<'_, R>,
        output_cotangent: &[R],
        input_cotangent: &mut [R],
        scratch: &mut [Vec<R>],
    ) {
        let rows = input.rows();
        if rows == 0 {
            return;
        }
        let call = LayerNode::call(self.parameters, self.stream, self.moment);
        let (n_in, n_out) = (input.width(), output_cotangent.len() / rows);
        let part = rows.div_ceil(scratch.len());
        scratch
            .par_iter_mut()
            .zip(input_cotangent.par_chunks_mut((part * n_in).max(1)))
            .zip(output_cotangent.par_chunks((part * n_out).max(1)))
            .enumerate()
            .for_each(|(k, ((scratch, dx), dy))| {
                let rows = k * part..k * part + dx.len() / n_in;
                let input = input.slice(rows.clone());
                let place = self.first_row + rows.start..self.first_row + rows.end;
                self.layer.reverse(&call, place, input, dy, dx, scratch);
            });
    }
}

/// Prepares back-propagation.
pub(super) fn begin_reverse<R: Real>(
    layer: &mut dyn Layer<R>,
    (parameters, stream): (&[Tensor<R>], Philox),
    moment: Moment,
    input: LayerInput<'_, R>,
    output_cotangent: &[R],
) {
    let call = LayerNode::call(parameters, stream, moment);
    layer.begin_reverse(&call, input, output_cotangent);
}

/// Adds the cotangents of the parameters.
pub(super) fn add_gradients<R: Real>(
    layer: &mut dyn Layer<R>,
    (parameters, stream): (&[Tensor<R>], Philox),
    moment: Moment,
    input: LayerInput<'_, R>,
    output_cotangent: &[R],
    gradients: &mut [Tensor<R>],
) {
    let call = LayerNode::call(parameters, stream, moment);
    layer.add_gradients(&call, input, output_cotangent, gradients);
}
