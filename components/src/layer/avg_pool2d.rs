//! Average pooling: each output is the average over a window of its channel.
//!
//! # Equations
//! y\[c, i, j\] = Σ x\[c, i·stride + ky − padding, j·stride + kx − padding\] / n, where x outside the
//! input is 0 and n = height · width of the kernel; without `count_include_pad`, n counts the inputs
//! that the window lies over. Backward: every input of a window gets dy/n.
//!
//! # Update scheme
//! Each sum adds the inputs of its window line by line, and is divided once.
//! O(out · kernel) per row; spikes are written out as numbers first.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `kernel_size` | 1 | required | 1 to 65,536 |
//! | `stride` | 1 | `kernel_size` | 1 to 65,536 |
//! | `padding` | 1 | 0 | 0 to half the kernel |
//! | `count_include_pad` | – | true | – |
//!
//! Sizes are one number for both axes, or a list \[height, width\].
//!
//! # State
//! None.
//!
//! # Shapes
//! `[rows, channels, height, width]` → `[rows, channels, height', width']`, with
//! height' = ⌊(height + 2·padding − kernel)/stride⌋ + 1, likewise width'.
//!
//! # Semantics
//! An input that spikes k times in a row counts k times.
//!
//! # Errors
//! An input that is not `[channels, height, width]`, or empty; a window larger than its input with
//! padding; padding of more than half the kernel.
//!
//! # Source
//! `torch.nn.AvgPool2d` with `ceil_mode=False`, PyTorch 2.
//!
//! # Example
//! ```
//! use rheobase_engine::plan::WeightFormat;
//! use rheobase_engine::port::StepInput;
//!
//! let pool = rheobase_components::layer("avg_pool2d", &[("kernel_size", "2".into())])?;
//! assert_eq!(pool.output_shape(&[1, 2, 4]), Ok(vec![1, 1, 2]));
//! let mut step = pool.step_layer_f64(&[1, 2, 4], &[], WeightFormat::Exact)?;
//! let mut output = [0.0; 2];
//! step.step(StepInput::Spikes(&[0, 4, 7]), &mut output);
//! assert_eq!(output, [0.5, 0.25]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::port::{Entry, Layer, LayerShape, LayerType, Tensor};
use rheobase_engine::random::Construction;
use rheobase_equations::real::Real;

use super::pool::{Averages, KERNEL_SIZE, PADDING, STRIDE, Spans, sliding_shape, window};
use super::window::{Window, narrow, narrow_both};

pub(super) const ENTRY: Entry<Arc<dyn LayerType>> = Entry {
    summary: "each output is the average over a window of its channel",
    arguments: &[
        KERNEL_SIZE,
        STRIDE,
        PADDING,
        ArgumentSpec {
            name: "count_include_pad",
            kind: ArgumentKind::Boolean,
            default: Some("true"),
            doc: "divide by the size of the kernel, padding and all",
        },
    ],
    make,
};

const NAME: &str = "avg_pool2d";

struct AvgPool {
    window: Window,
    whole: bool,
}

fn make(arguments: &Arguments) -> Result<Arc<dyn LayerType>, ArgumentError> {
    Ok(Arc::new(AvgPool {
        window: window(arguments)?,
        whole: arguments.boolean("count_include_pad")?,
    }))
}

impl AvgPool {
    fn spans(&self, input: &[usize]) -> Result<Spans, String> {
        Spans::sliding(NAME, &self.window, input)
    }

    fn kernel<R: Real>(&self, input: &[usize]) -> Averages<R> {
        let divisor = self.whole.then_some(self.window.taps());
        // A shape that `output_shape` has refused computes nothing.
        Averages::new(self.spans(input).unwrap_or_default(), divisor)
    }
}

impl LayerType for AvgPool {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, String> {
        sliding_shape(NAME, &self.window, input).map(Vec::from)
    }

    fn parameters(&self, _input: &[usize], _random: &mut Construction) -> Vec<Tensor<f64>> {
        Vec::new()
    }

    fn layer_f32(&self, input: &[usize]) -> Box<dyn Layer<f32>> {
        Box::new(self.kernel(input))
    }

    fn layer_f64(&self, input: &[usize]) -> Box<dyn Layer<f64>> {
        Box::new(self.kernel(input))
    }

    fn on_device(&self, input: &[usize]) -> Option<LayerShape> {
        let [channels, out_height, out_width] = sliding_shape(NAME, &self.window, input).ok()?;
        Some(LayerShape::AvgPool2d {
            channels: narrow(channels)?,
            height: narrow(input[1])?,
            width: narrow(input[2])?,
            out_height: narrow(out_height)?,
            out_width: narrow(out_width)?,
            kernel: narrow_both(self.window.kernel)?,
            stride: narrow_both(self.window.stride)?,
            padding: narrow_both(self.window.padding)?,
            counts_padding: self.whole,
        })
    }
}
