//! Transposed convolution over two axes: every input adds its weights, times its value, to a window of
//! the output.
//!
//! # Equations
//! y\[o, i·stride + ky·dilation − padding, j·stride + kx·dilation − padding\] =
//! b\[o\] + Σ W\[c, o, ky, kx\] · x\[c, i, j\]: the adjoint, in x, of `conv2d` with the same weights. The
//! channels of input and output are cut into `groups` of equal size, and c runs over the channels of the
//! output's own group. Backward, with dy given: dx is `conv2d` of dy; dW and db are the adjoints of the
//! sum in W and b.
//!
//! # Update scheme
//! Each output starts from its bias and adds, in ascending order of (ky, kx), a sum over the input
//! channels in ascending order; multiplication and addition are one operation where the machine can.
//! Cotangents of weights add rows and, in each, inputs of a channel in ascending order; those of inputs
//! add (o, ky, kx) in ascending order. Spikes are written out as numbers first.
//! O(in · positions · out/groups · kernel) per row.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `out_channels` | 1 | required | 1 to 2³¹ |
//! | `kernel_size` | 1 | required | 1 to 65,536 |
//! | `stride` | 1 | 1 | 1 to 65,536 |
//! | `padding` | 1 | 0 | 0 to 65,536 |
//! | `output_padding` | 1 | 0 | 0 to `stride` − 1 |
//! | `dilation` | 1 | 1 | 1 to 65,536 |
//! | `groups` | 1 | 1 | divides the channels of input and output |
//! | `bias` | – | true | – |
//!
//! Sizes are one number for both axes, or a list \[height, width\]. Trained parameters: `weight`,
//! row-major `[in, out/groups, height, width]`, and `bias` `[out]` where there is one. Both start uniform
//! between ±1/√(out/groups · height · width).
//!
//! # State
//! None over time. The layer keeps room for its weights in the layouts of products.
//!
//! # Shapes
//! `[rows, channels, height, width]` → `[rows, out, height', width']`, with rows = steps × batch and
//! height' = (height − 1)·stride − 2·padding + dilation·(kernel − 1) + `output_padding` + 1, likewise
//! width'.
//!
//! # Semantics
//! An input that spikes k times in a row counts k times. `output_padding` adds outputs at the end of an
//! axis, which choose one among the sizes that `conv2d` takes to the same.
//!
//! # Errors
//! An input that is not `[channels, height, width]`, or empty; padding that leaves no output; groups
//! that do not divide the channels; more than 2³¹ elements of input, padded output or weight.
//!
//! # Source
//! `torch.nn.ConvTranspose2d` and its default initialisation, PyTorch 2.
//!
//! # Example
//! ```
//! use rheobase_engine::plan::WeightFormat;
//! use rheobase_engine::port::{StepInput, Tensor};
//!
//! let arguments = [
//!     ("out_channels", "1".into()),
//!     ("kernel_size", "[1, 2]".into()),
//!     ("stride", "[1, 2]".into()),
//!     ("bias", "false".into()),
//! ];
//! let conv = rheobase_components::layer("conv_transpose2d", &arguments)?;
//! assert_eq!(conv.output_shape(&[1, 1, 2]), Ok(vec![1, 1, 4]));
//! let weight = Tensor { name: "weight".into(), shape: vec![1, 1, 1, 2], values: vec![2., 3.] };
//! let mut step = conv.step_layer_f64(&[1, 1, 2], &[weight], WeightFormat::Exact)?;
//! let mut output = [0.0; 4];
//! step.step(StepInput::Spikes(&[1]), &mut output);
//! assert_eq!(output, [0.0, 0.0, 2.0, 3.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::ops::Range;
use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::port::{Entry, Layer, LayerCall, LayerInput, LayerType, Tensor};
use rheobase_engine::random::Construction;
use rheobase_equations::real::Real;

use super::conv2d::{ARGUMENTS, axes_of, window};
use super::convolution::{Convolution, Geometry, add_bias, fill_bias, parameters};
use super::sum::copy;
use super::window::{Window, channels, elements, sizes};

pub(super) const ENTRY: Entry<Arc<dyn LayerType>> = Entry {
    summary: "every input adds its weights to a window of the output, over two axes",
    arguments: &[
        ARGUMENTS[0],
        ARGUMENTS[1],
        ARGUMENTS[2],
        ArgumentSpec {
            name: "padding",
            kind: ArgumentKind::Sizes,
            default: Some("0"),
            doc: "outputs left out on each side",
        },
        ArgumentSpec {
            name: "output_padding",
            kind: ArgumentKind::Sizes,
            default: Some("0"),
            doc: "outputs added at the end of each axis",
        },
        ARGUMENTS[4],
        ARGUMENTS[5],
        ARGUMENTS[6],
    ],
    make,
};

struct ConvTranspose {
    n_out: usize,
    window: Window,
    output_padding: [usize; 2],
    groups: usize,
    bias: bool,
}

fn make(arguments: &Arguments) -> Result<Arc<dyn LayerType>, ArgumentError> {
    let window = window(arguments, 2)?;
    let output_padding = sizes(arguments, "output_padding", 2, 0, 0)?;
    for (&limit, &found) in window.stride.iter().zip(&output_padding) {
        // A whole stride more would be another number of inputs.
        if found >= limit {
            return Err(ArgumentError::new(
                "output_padding",
                format!("expected less than the stride, {limit}, found {found}"),
            ));
        }
    }
    Ok(Arc::new(ConvTranspose {
        n_out: channels(arguments, "out_channels")?,
        window,
        output_padding,
        groups: channels(arguments, "groups")?,
        bias: arguments.boolean("bias")?,
    }))
}

impl ConvTranspose {
    /// The convolution from the output to the input.
    fn geometry(&self, input: &[usize]) -> Result<Geometry, String> {
        let (channels, size) = axes_of(input, 2).ok_or_else(|| {
            format!(
                "conv_transpose2d expects an input [channels, height, width], found the shape \
                 {input:?}; reshape it"
            )
        })?;
        let fail = |message: String| format!("conv_transpose2d: {message}");
        elements(input).map_err(fail)?;
        let (w, mut output) = (&self.window, [0; 2]);
        for axis in 0..2 {
            let last = size[axis].checked_sub(1).ok_or_else(|| {
                fail("its input is empty; give every axis a size of at least 1".to_owned())
            })?;
            // Below 2^31 · 2^16.
            let whole = last * w.stride[axis] + w.extent(axis) + self.output_padding[axis];
            let left = whole.checked_sub(2 * w.padding[axis]).filter(|&n| n > 0);
            output[axis] = left.ok_or_else(|| {
                let padding = w.padding[axis];
                fail(format!(
                    "padding of {padding} on each side leaves nothing of {whole} outputs; pad less"
                ))
            })?;
        }
        Geometry::new((self.n_out, channels), self.groups, output, self.window).map_err(fail)
    }

    fn kernel<R: Real>(&self, input: &[usize]) -> Kernel<R> {
        // A shape that `output_shape` has refused computes nothing.
        let geometry = self.geometry(input).unwrap_or_default();
        Kernel {
            conv: Convolution::new(geometry),
        }
    }
}

impl LayerType for ConvTranspose {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, String> {
        let [height, width] = self.geometry(input)?.input;
        Ok(vec![self.n_out, height, width])
    }

    fn parameters(&self, input: &[usize], random: &mut Construction) -> Vec<Tensor<f64>> {
        let Ok(g) = self.geometry(input) else {
            return Vec::new();
        };
        let [height, width] = g.window.kernel;
        let shape = vec![g.outputs, g.group_channels(), height, width];
        let bias = self.bias.then_some(self.n_out);
        parameters(shape, g.depth(), bias, random)
    }

    fn parameter_count(&self, input: &[usize]) -> usize {
        let bias = if self.bias { self.n_out } else { 0 };
        let weights = |g: Geometry| g.outputs * g.depth() + bias;
        self.geometry(input).map_or(0, weights)
    }

    fn layer_f32(&self, input: &[usize]) -> Box<dyn Layer<f32>> {
        Box::new(self.kernel(input))
    }

    fn layer_f64(&self, input: &[usize]) -> Box<dyn Layer<f64>> {
        Box::new(self.kernel(input))
    }
}

/// The convolution from the output to the input, run backwards.
struct Kernel<R> {
    conv: Convolution<R>,
}

impl<R: Real> Layer<R> for Kernel<R> {
    fn begin(&mut self, call: &LayerCall<'_, R>, _input: LayerInput<'_, R>) {
        if let Some(weight) = call.parameters.first() {
            self.conv.begin_reverse(&weight.values);
        }
    }

    fn forward(
        &self,
        call: &LayerCall<'_, R>,
        rows: Range<usize>,
        input: LayerInput<'_, R>,
        output: &mut [R],
        scratch: &mut Vec<R>,
    ) {
        let g = &self.conv.geometry;
        let outputs = output.chunks_exact_mut(g.inputs().max(1));
        for (row, y) in (0..rows.len()).zip(outputs) {
            fill_bias(call.parameters.get(1), g.plane(), y);
            let input = input.slice(row..row + 1);
            self.conv.add_inputs(input, y, scratch);
        }
    }

    fn begin_reverse(
        &mut self,
        call: &LayerCall<'_, R>,
        _input: LayerInput<'_, R>,
        _output_cotangent: &[R],
    ) {
        if let Some(weight) = call.parameters.first() {
            self.conv.begin(&weight.values);
        }
    }

    fn reverse(
        &self,
        _call: &LayerCall<'_, R>,
        _rows: Range<usize>,
        _input: LayerInput<'_, R>,
        output_cotangent: &[R],
        input_cotangent: &mut [R],
        scratch: &mut Vec<R>,
    ) {
        let dy = LayerInput::Real {
            values: output_cotangent,
            width: self.conv.geometry.inputs(),
        };
        self.conv.add_outputs(dy, input_cotangent, scratch);
    }

    fn add_gradients(
        &mut self,
        _call: &LayerCall<'_, R>,
        input: LayerInput<'_, R>,
        output_cotangent: &[R],
        gradients: &mut [Tensor<R>],
    ) {
        let Some((d_weight, d_bias)) = gradients.split_first_mut() else {
            return;
        };
        let g = &self.conv.geometry;
        let dy = LayerInput::Real {
            values: output_cotangent,
            width: g.inputs(),
        };
        let mut dense = Vec::new();
        let x = match input {
            LayerInput::Real { values, .. } => values,
            LayerInput::Spikes { width, .. } => {
                dense.resize(input.rows() * width, R::ZERO);
                copy(input, &mut dense);
                &dense
            }
        };
        self.conv.add_weights(dy, x, &mut d_weight.values);
        if let Some(d_bias) = d_bias.first_mut() {
            add_bias(output_cotangent, g.plane(), &mut d_bias.values);
        }
    }
}

#[cfg(test)]
mod tests;
