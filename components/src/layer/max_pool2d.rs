//! Max pooling: each output is the largest input of a window of its channel.
//!
//! # Equations
//! y\[c, i, j\] = max x\[c, i·stride + ky − padding, j·stride + kx − padding\] over the inputs that the
//! window lies over. Backward: the input that was chosen gets all of dy.
//!
//! # Update scheme
//! Windows are searched line by line; of equal inputs the first is chosen. Which one that is carries no
//! gradient of its own. O(out · kernel) per row; spikes are written out as numbers first, and a row
//! without spikes is 0 at once.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `kernel_size` | 1 | required | 1 to 65,536 |
//! | `stride` | 1 | `kernel_size` | 1 to 65,536 |
//! | `padding` | 1 | 0 | 0 to half the kernel |
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
//! Padding is never chosen. Windows over spikes have many ties: all of the cotangent goes to the first
//! of them. An input that spikes k times in a row counts k times. A window that holds a NaN gives NaN.
//!
//! # Errors
//! An input that is not `[channels, height, width]`, or empty; a window larger than its input with
//! padding; padding of more than half the kernel.
//!
//! # Source
//! `torch.nn.MaxPool2d` with `ceil_mode=False`, PyTorch 2.
//!
//! # Example
//! ```
//! use rheobase_engine::plan::WeightFormat;
//! use rheobase_engine::port::StepInput;
//!
//! let pool = rheobase_components::layer("max_pool2d", &[("kernel_size", "2".into())])?;
//! assert_eq!(pool.output_shape(&[1, 2, 4]), Ok(vec![1, 1, 2]));
//! let mut step = pool.step_layer_f64(&[1, 2, 4], &[], WeightFormat::Exact)?;
//! let mut output = [0.0; 2];
//! step.step(StepInput::Spikes(&[0, 4]), &mut output);
//! assert_eq!(output, [1.0, 0.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::ops::Range;
use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, Arguments};
use rheobase_engine::port::{Entry, Layer, LayerCall, LayerInput, LayerType, Tensor};
use rheobase_engine::random::Construction;
use rheobase_equations::real::Real;

use super::pool::{KERNEL_SIZE, PADDING, STRIDE, Spans, dense_row, sliding_shape, window};
use super::window::Window;

pub(super) const ENTRY: Entry<Arc<dyn LayerType>> = Entry {
    summary: "each output is the largest input of a window of its channel",
    arguments: &[KERNEL_SIZE, STRIDE, PADDING],
    make,
};

const NAME: &str = "max_pool2d";

struct MaxPool {
    window: Window,
}

fn make(arguments: &Arguments) -> Result<Arc<dyn LayerType>, ArgumentError> {
    Ok(Arc::new(MaxPool {
        window: window(arguments)?,
    }))
}

impl MaxPool {
    fn spans(&self, input: &[usize]) -> Result<Spans, String> {
        Spans::sliding(NAME, &self.window, input)
    }

    fn kernel(&self, input: &[usize]) -> Kernel {
        // A shape that `output_shape` has refused computes nothing.
        Kernel {
            spans: self.spans(input).unwrap_or_default(),
        }
    }
}

impl LayerType for MaxPool {
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
}

struct Kernel {
    spans: Spans,
}

impl Kernel {
    /// The place of the first of the largest inputs of a window.
    #[inline(always)]
    fn chosen<R: Real>(&self, x: &[R], lines: &Range<usize>, columns: &Range<usize>) -> usize {
        let width = self.spans.input[1];
        let mut best = lines.start * width + columns.start;
        let mut most = x[best];
        for line in lines.clone() {
            let first = line * width + columns.start;
            let x = &x[first..first + columns.len()];
            for (at, &x) in (first..).zip(x) {
                // A NaN is larger than any number.
                if x > most || (is_nan(x) && !is_nan(most)) {
                    (best, most) = (at, x);
                }
            }
        }
        best
    }
}

#[allow(clippy::eq_op, reason = "only a NaN differs from itself")]
fn is_nan<R: Real>(x: R) -> bool {
    x != x
}

fn is_silent<R: Real>(input: LayerInput<'_, R>, row: usize) -> bool {
    match input {
        LayerInput::Real { .. } => false,
        LayerInput::Spikes { offsets, .. } => offsets[row] == offsets[row + 1],
    }
}

impl<R: Real> Layer<R> for Kernel {
    fn forward(
        &self,
        _call: &LayerCall<'_, R>,
        rows: Range<usize>,
        input: LayerInput<'_, R>,
        output: &mut [R],
        scratch: &mut Vec<R>,
    ) {
        let s = &self.spans;
        if s.n_outputs() == 0 {
            return;
        }
        for (row, y) in (0..rows.len()).zip(output.chunks_exact_mut(s.n_outputs())) {
            if is_silent(input, row) {
                y.fill(R::ZERO);
                continue;
            }
            let x = dense_row(input, row, scratch);
            let planes = x.chunks_exact(s.plane());
            for (x, y) in planes.zip(y.chunks_exact_mut(s.positions())) {
                for ((lines, columns), y) in s.windows().zip(y) {
                    *y = x[self.chosen(x, lines, columns)];
                }
            }
        }
    }

    fn reverse(
        &self,
        _call: &LayerCall<'_, R>,
        rows: Range<usize>,
        input: LayerInput<'_, R>,
        output_cotangent: &[R],
        input_cotangent: &mut [R],
        scratch: &mut Vec<R>,
    ) {
        let s = &self.spans;
        if s.n_outputs() == 0 {
            return;
        }
        let cotangents = output_cotangent
            .chunks_exact(s.n_outputs())
            .zip(input_cotangent.chunks_exact_mut(s.inputs()));
        for (row, (dy, dx)) in (0..rows.len()).zip(cotangents) {
            let x = dense_row(input, row, scratch);
            for ((x, dx), dy) in x
                .chunks_exact(s.plane())
                .zip(dx.chunks_exact_mut(s.plane()))
                .zip(dy.chunks_exact(s.positions()))
            {
                for ((lines, columns), &dy) in s.windows().zip(dy) {
                    dx[self.chosen(x, lines, columns)] += dy;
                }
            }
        }
    }
}
