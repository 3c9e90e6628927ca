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
//! without spikes is 0 at once. Step by step, spikes of one population pass as a list: the windows over
//! an active input spike.
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
use rheobase_engine::port::{Entry, Layer, LayerCall, LayerInput, LayerShape, LayerType, Tensor};
use rheobase_engine::random::Construction;
use rheobase_engine::simd::dispatch;
use rheobase_equations::real::Real;

use super::convolution::{self, grown};
use super::pool::{KERNEL_SIZE, PADDING, STRIDE, dense_row, sliding_shape, window};
use super::window::{Window, narrow, narrow_both};

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

    fn on_device(&self, input: &[usize]) -> Option<LayerShape> {
        let [channels, out_height, out_width] = sliding_shape(NAME, &self.window, input).ok()?;
        Some(LayerShape::MaxPool2d {
            channels: narrow(channels)?,
            height: narrow(input[1])?,
            width: narrow(input[2])?,
            out_height: narrow(out_height)?,
            out_width: narrow(out_width)?,
            kernel: narrow_both(self.window.kernel)?,
            stride: narrow_both(self.window.stride)?,
            padding: narrow_both(self.window.padding)?,
        })
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
    /// For each axis and each input along it: the windows that lie over it.
    reach: [Vec<Range<usize>>; 2],
    /// The same for each input of a line as bits, if a line has no more than 64 windows.
    over: Vec<u64>,
}

impl Kernel {
    /// Whether windows are 2 × 2, side by side: the usual ones.
    fn is_two_by_two(&self) -> bool {
        let w = &self.window;
        (w.kernel, w.stride, w.padding, w.dilation) == ([2; 2], [2; 2], [0; 2], [1; 2])
    }

    fn new(w: Window, channels: usize, input: [usize; 2], output: [usize; 2]) -> Self {
        let column = |tap: usize| {
            let windows = w.inside(1, tap, input[1], output[1]);
            let x = (windows.start * w.stride[1] + tap).checked_sub(w.padding[1]);
            x.filter(|_| !windows.is_empty()).map(|x| (windows, x))
        };
        let over = |axis: usize, at: usize| {
            let at = at + w.padding[axis];
            let first = (at + 1).saturating_sub(w.kernel[axis]);
            let end = (at / w.stride[axis] + 1).min(output[axis]);
            first.div_ceil(w.stride[axis]).min(end)..end
        };
        let reach = [0, 1].map(|axis| (0..input[axis]).map(|at| over(axis, at)).collect());
        let mut bits: Vec<u64> = Vec::new();
        if output[1] <= 64 {
            let of_input = |at| over(1, at).fold(0, |bits, x| bits | 1 << x);
            bits.extend((0..input[1]).map(of_input));
        }
        Self {
            window: w,
            channels,
            input,
            output,
            columns: (0..w.kernel[1]).filter_map(column).collect(),
            reach,
            over: bits,
        }
    }

    /// Marks the windows that lie over an active input, one bit each.
    fn mark(&self, active: &[u32], marks: &mut [u64]) {
        let [height, width] = self.input;
        let mut rest = active;
        for line in 0..self.channels * height {
            let first = line * width;
            let here = rest.iter().take_while(|&&i| (i as usize) < first + width);
            let (here, after) = rest.split_at(here.count());
            rest = after;
            if here.is_empty() {
                continue;
            }
            let channel = line / height * self.positions();
            // All windows of a line at a time, where a word has bits enough.
            let mut over = here.iter().map(|&i| self.over.get(i as usize - first));
            let bits = over.try_fold(0, |bits, over| Some(bits | over?));
            for y in self.reach[0][line % height].clone() {
                let of_line = channel + y * self.output[1];
                if let Some(bits) = bits {
                    set(marks, of_line, bits);
                    continue;
                }
                for &i in here {
                    let windows = self.reach[1][i as usize - first].clone();
                    windows.for_each(|x| set(marks, of_line + x, 1));
                }
            }
        }
    }

    fn plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    fn positions(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Lines of the input that a line of windows lies over. With [`Self::columns`] these are the taps
    /// of the windows, ascending.
    #[inline(always)]
    fn lines(&self, line: usize) -> Range<usize> {
        let first = line * self.window.stride[0];
        let end = first + self.window.kernel[0];
        let before = |y: usize| y.saturating_sub(self.window.padding[0]);
        before(first)..before(end).min(self.input[0])
    }

    /// The largest of each window of a line. A NaN is larger than any number.
    #[inline(always)]
    fn line<R: Real>(&self, line: usize, x: &[R], y: &mut [R]) {
        y.fill(R::from_f64(f64::NEG_INFINITY));
        let stride = self.window.stride[1];
        for at in self.lines(line) {
            let x = &x[at * self.input[1]..(at + 1) * self.input[1]];
            for (windows, first) in &self.columns {
                let (y, x) = (&mut y[windows.clone()], &x[*first..]);
                match stride {
                    1 => y.iter_mut().zip(x).for_each(|(y, &x)| *y = larger(*y, x)),
                    2 => {
                        // In pairs, which vectors can load; the last may be alone.
                        let pairs = x.as_chunks::<2>().0;
                        let both = y.len().min(pairs.len());
                        for (y, x) in y.iter_mut().zip(pairs) {
                            *y = larger(*y, x[0]);
                        }
                        for y in &mut y[both..] {
                            *y = larger(*y, x[2 * both]);
                        }
                    }
                    _ => {
                        for (y, &x) in y.iter_mut().zip(x.iter().step_by(stride)) {
                            *y = larger(*y, x);
                        }
                    }
                }
            }
        }
    }
}

/// Sets 64 bits from place `first` on where those of `bits` are set; others may lie behind the end.
#[inline(always)]
fn set(marks: &mut [u64], first: usize, bits: u64) {
    let (word, shift) = (first / 64, first % 64);
    marks[word] |= bits << shift;
    let rest = bits >> 1 >> (63 - shift);
    if rest != 0 {
        marks[word + 1] |= rest;
    }
}

/// A choice, not a branch: which is the larger cannot be foretold.
#[inline(always)]
fn larger<R: Real>(y: R, x: R) -> R {
    if ((x > y) | !is_number(x)) & is_number(y) {
        x
    } else {
        y
    }
}

/// What a window gives to x, of what is left of its cotangent: all, if x is the largest.
#[inline(always)]
fn give<R: Real>(x: R, most: R, left: &mut R) -> R {
    let found = (x == most) | !(is_number(x) | is_number(most));
    let given = if found { *left } else { R::ZERO };
    *left = if found { R::ZERO } else { *left };
    given
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

dispatch! {
    /// As [`add_largest`], for windows of 2 × 2 side by side.
    fn add_largest_of_four<R: Real> =
        add_largest_of_four_body(kernel: &Kernel, x: &[R], dy: &[R], dx: &mut [R]);
}

#[inline(always)]
fn add_largest_of_four_body<R: Real>(kernel: &Kernel, x: &[R], dy: &[R], dx: &mut [R]) {
    let width = kernel.input[1];
    let lines = x.chunks(2 * width).zip(dx.chunks_mut(2 * width));
    for ((x, dx), dy) in lines.zip(dy.chunks_exact(kernel.output[1])) {
        let (upper, lower) = x.split_at(width);
        let (d_upper, d_lower) = dx.split_at_mut(width);
        let above = upper
            .as_chunks::<2>()
            .0
            .iter()
            .zip(d_upper.as_chunks_mut::<2>().0);
        let below = lower
            .as_chunks::<2>()
            .0
            .iter()
            .zip(d_lower.as_chunks_mut::<2>().0);
        for (((a, d_a), (b, d_b)), &dy) in above.zip(below).zip(dy) {
            // Places in row-major order; a later one takes over only where it is larger.
            let right = a[1] > a[0];
            let top = if right { a[1] } else { a[0] };
            let lower = b[0] > top;
            let three = if lower { b[0] } else { top };
            let last = b[1] > three;
            let give = |here: bool| if here { dy } else { R::ZERO };
            d_a[0] += give(!right && !lower && !last);
            d_a[1] += give(right && !lower && !last);
            d_b[0] += give(lower && !last);
            d_b[1] += give(last);
        }
    }
}

#[inline(always)]
fn add_largest_body<R: Real>(kernel: &Kernel, x: &[R], dy: &[R], dx: &mut [R], room: &mut [R]) {
    let (width, stride) = (kernel.input[1], kernel.window.stride[1]);
    let (most, left) = room.split_at_mut(kernel.output[1]);
    for (line, dy) in dy.chunks_exact(kernel.output[1]).enumerate() {
        kernel.line(line, x, most);
        // What each window has not given away yet.
        left.copy_from_slice(dy);
        for at in kernel.lines(line) {
            let x = &x[at * width..(at + 1) * width];
            let dx = &mut dx[at * width..(at + 1) * width];
            for (windows, first) in &kernel.columns {
                let windows = most[windows.clone()].iter().zip(&mut left[windows.clone()]);
                let (x, dx) = (&x[*first..], &mut dx[*first..]);
                if stride == 1 {
                    for ((&x, dx), (&most, left)) in x.iter().zip(dx).zip(windows) {
                        *dx += give(x, most, left);
                    }
                } else {
                    let cells = x.chunks(stride).zip(dx.chunks_mut(stride));
                    for ((x, dx), (&most, left)) in cells.zip(windows) {
                        dx[0] += give(x[0], most, left);
                    }
                }
            }
        }
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

    /// A window over an active input is 1.
    fn relay(&self, active: &[u32], fired: &mut Vec<u32>, marks: &mut Vec<u64>) -> bool {
        marks.clear();
        marks.resize((self.channels * self.positions()).div_ceil(64), 0);
        self.mark(active, marks);
        fired.clear();
        for (first, &word) in (0..).step_by(64).zip(marks.iter()) {
            let mut rest = word;
            while rest != 0 {
                fired.push(first + rest.trailing_zeros());
                rest &= rest - 1;
            }
        }
        true
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
                if self.is_two_by_two() {
                    add_largest_of_four(self, x, dy, dx);
                } else {
                    add_largest(self, x, dy, dx, room);
                }
            }
        }
    }
}
