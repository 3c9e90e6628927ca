//! Convolution over two axes: windows slide over the input, each output channel weighs their contents.
//!
//! # Equations
//! y\[o, i, j\] = b\[o\] + Σ W\[o, c, ky, kx\] · x\[c, i·stride + ky·dilation − padding,
//! j·stride + kx·dilation − padding\], where x outside the input is 0. The channels of input and output
//! are cut into `groups` of equal size, and c runs over the channels of the output's own group. Backward,
//! with dy given: dx, dW and db are the adjoints of the sum in x, W and b.
//!
//! # Update scheme
//! Each output starts from its bias and adds its inputs in ascending order of (c, ky, kx);
//! multiplication and addition are one operation where the machine can. Rows with few spikes add the
//! weights of active inputs in the same order, so that an input of zeros and ones gives the same bits
//! either way. Cotangents of weights add rows and, in each, positions in ascending order; those of inputs
//! add the taps of windows in ascending order, each summed over its outputs, for a few lines of
//! positions after the other.
//! Step by step, a layer of stride 1 keeps its weights once more, so that an active input adds a whole
//! line of its windows at a time; 8- and 16-bit weights are rounded to multiples of a step for each output
//! and computed with as before.
//! O(out · positions · in/groups · kernel) per row; for few spikes O(active · out/groups · kernel)
//! forward and for dW.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `out_channels` | 1 | required | 1 to 2³¹ |
//! | `kernel_size` | 1 | required | 1 to 65,536 |
//! | `stride` | 1 | 1 | 1 to 65,536 |
//! | `padding` | 1 | 0 | 0 to 65,536 |
//! | `dilation` | 1 | 1 | 1 to 65,536 |
//! | `groups` | 1 | 1 | divides the channels of input and output |
//! | `bias` | – | true | – |
//!
//! Sizes are one number for both axes, or a list \[height, width\]. Trained parameters: `weight`,
//! row-major `[out, in/groups, height, width]`, and `bias` `[out]` where there is one. Both start uniform
//! between ±1/√(in/groups · height · width).
//!
//! # State
//! None over time. The layer keeps room for its weights in the layouts of products.
//!
//! # Shapes
//! `[rows, channels, height, width]` → `[rows, out, height', width']`, with rows = steps × batch and
//! height' = ⌊(height + 2·padding − dilation·(kernel − 1) − 1)/stride⌋ + 1, likewise width'.
//!
//! # Semantics
//! An input that spikes k times in a row counts k times. Padding adds nothing.
//!
//! # Errors
//! An input that is not `[channels, height, width]`, or empty; a window larger than its input with
//! padding; groups that do not divide the channels; more than 2³¹ elements of padded input, output or
//! weight.
//!
//! # Source
//! `torch.nn.Conv2d` and its default initialisation, PyTorch 2.
//!
//! # Example
//! ```
//! use rheobase_engine::plan::WeightFormat;
//! use rheobase_engine::port::{StepInput, Tensor};
//!
//! let arguments = [("out_channels", "1".into()), ("kernel_size", "[1, 2]".into())];
//! let conv = rheobase_components::layer("conv2d", &arguments)?;
//! assert_eq!(conv.output_shape(&[1, 2, 3]), Ok(vec![1, 2, 2]));
//! let parameters = [
//!     Tensor { name: "weight".into(), shape: vec![1, 1, 1, 2], values: vec![2., 3.] },
//!     Tensor { name: "bias".into(), shape: vec![1], values: vec![0.5] },
//! ];
//! let mut step = conv.step_layer_f64(&[1, 2, 3], &parameters, WeightFormat::Exact)?;
//! let mut output = [0.0; 4];
//! step.step(StepInput::Spikes(&[1, 3]), &mut output);
//! assert_eq!(output, [3.5, 2.5, 2.5, 0.5]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod step;

use std::ops::Range;
use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::plan::WeightFormat;
use rheobase_engine::port::{
    Entry, Layer, LayerCall, LayerInput, LayerShape, LayerType, StepLayer, Tensor,
};
use rheobase_engine::random::Construction;
use rheobase_equations::real::Real;

use super::convolution::{Convolution, Geometry, add_bias, fill_bias, parameters};
use super::window::{MAX_SIZE, Window, channels, narrow, narrow_both, sizes};

pub(super) const ENTRY: Entry<Arc<dyn LayerType>> = Entry {
    summary: "windows slide over two axes, each output channel weighs their contents",
    arguments: &ARGUMENTS,
    make: |arguments| make(arguments, 2),
};

pub(super) const ARGUMENTS: [ArgumentSpec; 7] = [
    ArgumentSpec {
        name: "out_channels",
        kind: ArgumentKind::Integer,
        default: None,
        doc: "number of output channels",
    },
    ArgumentSpec {
        name: "kernel_size",
        kind: ArgumentKind::Sizes,
        default: None,
        doc: "size of the window",
    },
    ArgumentSpec {
        name: "stride",
        kind: ArgumentKind::Sizes,
        default: Some("1"),
        doc: "inputs from one position of the window to the next",
    },
    ArgumentSpec {
        name: "padding",
        kind: ArgumentKind::Sizes,
        default: Some("0"),
        doc: "zeros on each side of the input",
    },
    ArgumentSpec {
        name: "dilation",
        kind: ArgumentKind::Sizes,
        default: Some("1"),
        doc: "inputs from one element of the window to the next",
    },
    ArgumentSpec {
        name: "groups",
        kind: ArgumentKind::Integer,
        default: Some("1"),
        doc: "groups of channels that do not see one another",
    },
    ArgumentSpec {
        name: "bias",
        kind: ArgumentKind::Boolean,
        default: Some("true"),
        doc: "add a trained constant to every output channel",
    },
];

/// A convolution over one or two axes.
#[derive(Debug)]
struct Conv {
    axes: usize,
    n_out: usize,
    window: Window,
    groups: usize,
    bias: bool,
}

/// The layer over so many axes.
pub(super) fn make(
    arguments: &Arguments,
    axes: usize,
) -> Result<Arc<dyn LayerType>, ArgumentError> {
    Ok(Arc::new(Conv {
        axes,
        n_out: channels(arguments, "out_channels")?,
        window: window(arguments, axes)?,
        groups: channels(arguments, "groups")?,
        bias: arguments.boolean("bias")?,
    }))
}

/// The window of a convolution's arguments.
pub(super) fn window(arguments: &Arguments, axes: usize) -> Result<Window, ArgumentError> {
    Ok(Window {
        kernel: sizes(arguments, "kernel_size", axes, 1, 1)?,
        stride: sizes(arguments, "stride", axes, 1, 1)?,
        padding: sizes(arguments, "padding", axes, 0, 0)?,
        dilation: sizes(arguments, "dilation", axes, 1, 1)?,
    })
}

/// Channels and both axes of a shape, the first axis 1 where there is only one.
pub(super) fn axes_of(shape: &[usize], axes: usize) -> Option<(usize, [usize; 2])> {
    match (axes, shape) {
        (1, &[channels, length]) => Some((channels, [1, length])),
        (2, &[channels, height, width]) => Some((channels, [height, width])),
        _ => None,
    }
}

/// A shape from channels and both axes.
pub(super) fn shape_of(channels: usize, axes: usize, size: [usize; 2]) -> Vec<usize> {
    let mut shape = vec![channels];
    shape.extend_from_slice(&size[2 - axes..]);
    shape
}

/// What [`axes_of`] expects.
pub(super) fn expected(axes: usize) -> &'static str {
    if axes == 1 {
        "[channels, length]"
    } else {
        "[channels, height, width]"
    }
}

impl Conv {
    fn geometry(&self, input: &[usize]) -> Result<Geometry, String> {
        let name = format!("conv{}d", self.axes);
        let (channels, size) = axes_of(input, self.axes).ok_or_else(|| {
            let expected = expected(self.axes);
            format!("{name} expects an input {expected}, found the shape {input:?}; reshape it")
        })?;
        Geometry::new((channels, self.n_out), self.groups, size, self.window)
            .map_err(|message| format!("{name}: {message}"))
    }

    fn kernel<R: Real>(&self, input: &[usize]) -> Kernel<R> {
        // A shape that `output_shape` has refused computes nothing.
        let geometry = self.geometry(input).unwrap_or_default();
        Kernel {
            conv: Convolution::new(geometry),
        }
    }

    fn step<R: Real>(
        &self,
        input: &[usize],
        parameters: &[Tensor<R>],
        weights: WeightFormat,
    ) -> Result<Box<dyn StepLayer<R>>, String> {
        let geometry = self.geometry(input)?;
        Ok(Box::new(step::Step::new(geometry, parameters, weights)))
    }
}

impl LayerType for Conv {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, String> {
        let g = self.geometry(input)?;
        Ok(shape_of(self.n_out, self.axes, g.output))
    }

    fn parameters(&self, input: &[usize], random: &mut Construction) -> Vec<Tensor<f64>> {
        let Ok(g) = self.geometry(input) else {
            return Vec::new();
        };
        let mut shape = vec![self.n_out];
        shape.extend(shape_of(g.group_channels(), self.axes, g.window.kernel));
        let bias = self.bias.then_some(self.n_out);
        parameters(shape, g.depth(), bias, random)
    }

    fn parameter_count(&self, input: &[usize]) -> usize {
        let weights = |g: Geometry| self.n_out * (g.depth() + usize::from(self.bias));
        self.geometry(input).map_or(0, weights)
    }

    fn layer_f32(&self, input: &[usize]) -> Box<dyn Layer<f32>> {
        Box::new(self.kernel(input))
    }

    fn layer_f64(&self, input: &[usize]) -> Box<dyn Layer<f64>> {
        Box::new(self.kernel(input))
    }

    fn on_device(&self, input: &[usize]) -> Option<LayerShape> {
        let g = self.geometry(input).ok()?;
        // Weights and biases together are numbered in 32 bits.
        narrow((g.depth() + 1).checked_mul(g.outputs)?)?;
        let ([height, width], [out_height, out_width]) =
            (narrow_both(g.input)?, narrow_both(g.output)?);
        Some(LayerShape::Conv2d {
            channels: narrow(g.channels)?,
            height,
            width,
            out_channels: narrow(g.outputs)?,
            out_height,
            out_width,
            kernel: narrow_both(g.window.kernel)?,
            stride: narrow_both(g.window.stride)?,
            padding: narrow_both(g.window.padding)?,
            dilation: narrow_both(g.window.dilation)?,
            groups: narrow(g.groups)?,
            has_bias: self.bias,
        })
    }

    fn step_layer_f32(
        &self,
        input: &[usize],
        parameters: &[Tensor<f32>],
        weights: WeightFormat,
    ) -> Result<Box<dyn StepLayer<f32>>, String> {
        self.step(input, parameters, weights)
    }

    fn step_layer_f64(
        &self,
        input: &[usize],
        parameters: &[Tensor<f64>],
        weights: WeightFormat,
    ) -> Result<Box<dyn StepLayer<f64>>, String> {
        self.step(input, parameters, weights)
    }
}

struct Kernel<R> {
    conv: Convolution<R>,
}

impl<R: Real> Layer<R> for Kernel<R> {
    fn begin(&mut self, call: &LayerCall<'_, R>, _input: LayerInput<'_, R>) {
        if let Some(weight) = call.parameters.first() {
            self.conv.begin(&weight.values);
        }
    }

    fn forward(
        &self,
        call: &LayerCall<'_, R>,
        _rows: Range<usize>,
        input: LayerInput<'_, R>,
        output: &mut [R],
        scratch: &mut Vec<R>,
    ) {
        let g = &self.conv.geometry;
        let rows = output.chunks_exact_mut(g.n_outputs().max(1));
        // One row at a time, while it is in the cache.
        for (row, output) in rows.enumerate() {
            fill_bias(call.parameters.get(1), g.positions(), output);
            let input = input.slice(row..row + 1);
            self.conv.add_outputs(input, output, scratch);
        }
    }

    fn begin_reverse(
        &mut self,
        call: &LayerCall<'_, R>,
        _input: LayerInput<'_, R>,
        _output_cotangent: &[R],
    ) {
        if let Some(weight) = call.parameters.first() {
            self.conv.begin_reverse(&weight.values);
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
            width: self.conv.geometry.n_outputs(),
        };
        self.conv.add_inputs(dy, input_cotangent, scratch);
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
        self.conv
            .add_weights(input, output_cotangent, &mut d_weight.values);
        if let Some(d_bias) = d_bias.first_mut() {
            let positions = self.conv.geometry.positions();
            add_bias(output_cotangent, positions, &mut d_bias.values);
        }
    }
}

const _: () = assert!(MAX_SIZE == 65_536, "the documentation says so");

#[cfg(test)]
mod tests;
