//! Max pooling: each output is the largest input of a window of its channel.
//!
//! # Equations
//! y\[c, i, j\] = max x\[c, i·stride + ky − padding, j·stride + kx − padding\] over the inputs that the
//! window lies over. Backward: the input that was chosen gets all of dy.
//!
//! # Update scheme
//! A line of windows is searched at a time, tap by tap; of equal inputs the first, line by line, is
//! chosen. Which one that is carries no
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
use rheobase_engine::simd::dispatch;
use rheobase_equations::real::Real;

use super::convolution::{self, grown};
use super::pool::{KERNEL_SIZE, PADDING, STRIDE, dense_row, sliding_shape, window};
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
    fn kernel(&self, input: &[usize]) -> Kernel {
        // A shape that `output_shape` has refused computes nothing.
        let sizes = |[channels, height, width]: [usize; 3]| {
            let input = [input[1], input[2]];
            Kernel::new(self.window, channels, input, [height, width])
        };
        let shape = sliding_shape(NAME, &self.window, input);
        shape.map_or_else(|_| Kernel::default(), sizes)
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

#[derive(Clone, Debug, Default)]
struct Kernel {
    window: Window,
    channels: usize,
    input: [usize; 2],
    output: [usize; 2],
    /// For every tap along a line that lies over an input at all: the windows in which it does, and
    /// the input of the first.
    columns: Vec<(Range<usize>, usize)>,
}

impl Kernel {
    fn new(w: Window, channels: usize, input: [usize; 2], output: [usize; 2]) -> Self {
        let column = |tap: usize| {
            let windows = w.inside(1, tap, input[1], output[1]);
            let x = (windows.start * w.stride[1] + tap).checked_sub(w.padding[1]);
            x.filter(|_| !windows.is_empty()).map(|x| (windows, x))
        };
        Self {
            window: w,
            channels,
            input,
            output,
            columns: (0..w.kernel[1]).filter_map(column).collect(),
        }
    }

    fn plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    fn positions(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// For a line of windows, calls `each` for every tap in ascending order: the windows of the line in
    /// which it lies over the input, and the place of the first.
    #[inline(always)]
    fn taps(&self, line: usize, mut each: impl FnMut(Range<usize>, usize)) {
        let (w, width) = (&self.window, self.input[1]);
        for tap_y in 0..w.kernel[0] {
            let y = (line * w.stride[0] + tap_y).wrapping_sub(w.padding[0]);
            if y >= self.input[0] {
                continue;
            }
            for (windows, x) in &self.columns {
                each(windows.clone(), y * width + x);
            }
        }
    }

    /// The largest of each window of a line. A NaN is larger than any number.
    #[inline(always)]
    fn line<R: Real>(&self, line: usize, x: &[R], y: &mut [R]) {
        y.fill(R::from_f64(f64::NEG_INFINITY));
        self.taps(line, |windows, at| {
            let (y, x) = (&mut y[windows], &x[at..]);
            let larger = |y: &mut R, x: R| {
                // A choice, not a branch: which is the larger cannot be foretold.
                *y = if !(x <= *y) & is_number(*y) { x } else { *y };
            };
            match self.window.stride[1] {
                1 => y.iter_mut().zip(x).for_each(|(y, &x)| larger(y, x)),
                2 => {
                    // In pairs, which vectors can load; the last may be alone.
                    let pairs = x.as_chunks::<2>().0;
                    let both = y.len().min(pairs.len());
                    let (y, last) = y.split_at_mut(both);
                    y.iter_mut().zip(pairs).for_each(|(y, x)| larger(y, x[0]));
                    last.iter_mut().for_each(|y| larger(y, x[2 * both]));
                }
                stride => {
                    let x = x.iter().step_by(stride);
                    y.iter_mut().zip(x).for_each(|(y, &x)| larger(y, x));
                }
            }
        });
    }
}

#[allow(clippy::eq_op, reason = "only a NaN differs from itself")]
#[inline(always)]
fn is_number<R: Real>(x: R) -> bool {
    x == x
}

dispatch! {
    /// The largest of each window of a channel.
    fn largest<R: Real> = largest_body(kernel: &Kernel, x: &[R], y: &mut [R]);
}

#[inline(always)]
fn largest_body<R: Real>(kernel: &Kernel, x: &[R], y: &mut [R]) {
    for (line, y) in y.chunks_exact_mut(kernel.output[1]).enumerate() {
        kernel.line(line, x, y);
    }
}

dispatch! {
    /// Adds the cotangents of a channel's windows to the first of their largest inputs. `room` has
    /// two numbers for each window of a line.
    fn add_largest<R: Real> =
        add_largest_body(kernel: &Kernel, x: &[R], dy: &[R], dx: &mut [R], room: &mut [R]);
}

#[inline(always)]
fn add_largest_body<R: Real>(kernel: &Kernel, x: &[R], dy: &[R], dx: &mut [R], room: &mut [R]) {
    let (most, left) = room.split_at_mut(kernel.output[1]);
    for (line, dy) in dy.chunks_exact(kernel.output[1]).enumerate() {
        kernel.line(line, x, most);
        // What the window has not given away yet.
        left.copy_from_slice(dy);
        kernel.taps(line, |windows, at| {
            let give = |x: R, dx: &mut R, most: R, left: &mut R| {
                let found = (x == most) | !(is_number(x) | is_number(most));
                *dx += if found { *left } else { R::ZERO };
                *left = if found { R::ZERO } else { *left };
            };
            let (most, left) = (&most[windows.clone()], &mut left[windows]);
            let (x, dx) = (&x[at..], &mut dx[at..]);
            let both = match kernel.window.stride[1] {
                2 => most.len().min(x.len() / 2),
                _ => 0,
            };
            let (x, x_rest) = x.split_at(2 * both);
            let (dx, dx_rest) = dx.split_at_mut(2 * both);
            let pairs = x.as_chunks::<2>().0.iter().zip(dx.as_chunks_mut::<2>().0);
            let (most, most_rest) = most.split_at(both);
            let (left, left_rest) = left.split_at_mut(both);
            for ((x, dx), (&most, left)) in pairs.zip(most.iter().zip(left)) {
                give(x[0], &mut dx[0], most, left);
            }
            let stride = kernel.window.stride[1];
            let cells = x_rest.iter().step_by(stride);
            let cells = cells.zip(dx_rest.iter_mut().step_by(stride));
            for ((&x, dx), (&most, left)) in cells.zip(most_rest.iter().zip(left_rest)) {
                give(x, dx, most, left);
            }
        });
    }
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
        let n_out = self.channels * self.positions();
        if n_out == 0 {
            return;
        }
        for (row, y) in (0..rows.len()).zip(output.chunks_exact_mut(n_out)) {
            if is_silent(input, row) {
                y.fill(R::ZERO);
                continue;
            }
            let x = dense_row(input, row, scratch);
            let planes = x.chunks_exact(self.plane());
            for (x, y) in planes.zip(y.chunks_exact_mut(self.positions())) {
                largest(self, x, y);
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
        let n_out = self.channels * self.positions();
        if n_out == 0 {
            return;
        }
        let n_in = self.channels * self.plane();
        let scratch = grown(scratch, n_in + 2 * self.output[1]);
        let (dense, room) = scratch.split_at_mut(n_in);
        let room = &mut room[..2 * self.output[1]];
        let cotangents = output_cotangent
            .chunks_exact(n_out)
            .zip(input_cotangent.chunks_exact_mut(n_in));
        for (row, (dy, dx)) in (0..rows.len()).zip(cotangents) {
            let x = convolution::dense_row(input, row, dense);
            for ((x, dx), dy) in x
                .chunks_exact(self.plane())
                .zip(dx.chunks_exact_mut(self.plane()))
                .zip(dy.chunks_exact(self.positions()))
            {
                add_largest(self, x, dy, dx, room);
            }
        }
    }
}
