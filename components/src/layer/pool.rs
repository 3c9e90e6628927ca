//! What pooling layers share: windows along two axes, and averages over them.

use std::ops::Range;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::port::{Layer, LayerCall, LayerInput};
use rheobase_equations::real::Real;

use super::convolution::{self, grown};
use super::window::{Window, elements, sizes};

pub(super) const KERNEL_SIZE: ArgumentSpec = ArgumentSpec {
    name: "kernel_size",
    kind: ArgumentKind::Sizes,
    default: None,
    doc: "size of the window",
};

pub(super) const STRIDE: ArgumentSpec = ArgumentSpec {
    name: "stride",
    kind: ArgumentKind::Sizes,
    default: Some(""),
    doc: "inputs from one position of the window to the next (default: the kernel's size)",
};

pub(super) const PADDING: ArgumentSpec = ArgumentSpec {
    name: "padding",
    kind: ArgumentKind::Sizes,
    default: Some("0"),
    doc: "elements added on each side of the input, at most half the kernel",
};

/// The window of a pooling layer's arguments.
pub(super) fn window(arguments: &Arguments) -> Result<Window, ArgumentError> {
    let kernel = sizes(arguments, "kernel_size", 2, 1, 1)?;
    let stride = if arguments.has("stride") {
        sizes(arguments, "stride", 2, 1, 1)?
    } else {
        kernel
    };
    let padding = sizes(arguments, "padding", 2, 0, 0)?;
    if (0..2).any(|axis| padding[axis] > kernel[axis] / 2) {
        return Err(ArgumentError::new(
            "padding",
            format!("expected at most half the kernel {kernel:?}, found {padding:?}"),
        ));
    }
    Ok(Window {
        kernel,
        stride,
        padding,
        dilation: [1; 2],
    })
}

/// Windows over channels of two axes: every pair of a span of each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Spans {
    pub(super) channels: usize,
    pub(super) input: [usize; 2],
    /// Inputs along each axis that a window lies over, without padding.
    pub(super) spans: [Vec<Range<usize>>; 2],
}

impl Spans {
    /// Those of a window that slides.
    ///
    /// # Errors
    /// As [`sliding_shape`].
    pub(super) fn sliding(name: &str, window: &Window, shape: &[usize]) -> Result<Self, String> {
        let (channels, input) = axes(name, shape)?;
        let [_, positions @ ..] = sliding_shape(name, window, shape)?;
        let spans = [0, 1].map(|axis| {
            let span = |k: usize| {
                let start = k * window.stride[axis];
                let end = start + window.kernel[axis];
                // The window lies over an input at least: padding is at most half of it.
                let before = |at: usize| at.saturating_sub(window.padding[axis]);
                before(start)..before(end).min(input[axis])
            };
            (0..positions[axis]).map(span).collect()
        });
        Ok(Self {
            channels,
            input,
            spans,
        })
    }

    pub(super) fn plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    pub(super) fn positions(&self) -> usize {
        self.spans[0].len() * self.spans[1].len()
    }

    pub(super) fn n_outputs(&self) -> usize {
        self.channels * self.positions()
    }

    /// Windows of a channel, row by row.
    pub(super) fn windows(&self) -> impl Iterator<Item = (&Range<usize>, &Range<usize>)> {
        let [ys, xs] = &self.spans;
        ys.iter().flat_map(move |y| xs.iter().map(move |x| (y, x)))
    }
}

/// Channels and positions of a window that slides.
///
/// # Errors
/// A sentence: another shape, or a window that does not fit.
pub(super) fn sliding_shape(
    name: &str,
    window: &Window,
    shape: &[usize],
) -> Result<[usize; 3], String> {
    let (channels, input) = axes(name, shape)?;
    let of = || {
        let [height, width] = window.positions(input)?;
        elements(&[channels, height, width])?;
        Ok([channels, height, width])
    };
    of().map_err(|message: String| format!("{name}: {message}"))
}

/// Channels and both axes of a shape.
///
/// # Errors
/// A sentence: another shape, or an empty one.
pub(super) fn axes(name: &str, shape: &[usize]) -> Result<(usize, [usize; 2]), String> {
    match *shape {
        [channels, height, width] if channels > 0 && height > 0 && width > 0 => {
            elements(shape).map_err(|message| format!("{name}: {message}"))?;
            Ok((channels, [height, width]))
        }
        _ => Err(format!(
            "{name} expects an input [channels, height, width], each at least 1, found the shape \
             {shape:?}; reshape it"
        )),
    }
}

/// A row as numbers.
pub(super) fn dense_row<'a, R: Real>(
    input: LayerInput<'a, R>,
    row: usize,
    scratch: &'a mut Vec<R>,
) -> &'a [R] {
    let room = &mut grown(scratch, input.width())[..input.width()];
    convolution::dense_row(input, row, room)
}

/// Averages over windows.
pub(super) struct Averages<R> {
    spans: Spans,
    /// What the sum of each window of a channel is divided by.
    divisors: Vec<R>,
}

impl<R: Real> Averages<R> {
    /// The sum of each window is divided by `divisor`, or by the number of inputs that it lies over.
    #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
    pub(super) fn new(spans: Spans, divisor: Option<usize>) -> Self {
        let own = |(y, x): (&Range<usize>, &Range<usize>)| y.len() * x.len();
        let divisors = spans
            .windows()
            .map(|window| R::from_f64(divisor.unwrap_or_else(|| own(window)) as f64))
            .collect();
        Self { spans, divisors }
    }
}

impl<R: Real> Layer<R> for Averages<R> {
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
            let x = dense_row(input, row, scratch);
            let planes = x.chunks_exact(s.plane());
            for (x, y) in planes.zip(y.chunks_exact_mut(s.positions())) {
                let windows = s.windows().zip(&self.divisors);
                for (((lines, columns), &n), y) in windows.zip(y) {
                    let mut sum = R::ZERO;
                    for line in lines.clone() {
                        let x = &x[line * s.input[1]..][columns.clone()];
                        x.iter().for_each(|&x| sum += x);
                    }
                    *y = sum / n;
                }
            }
        }
    }

    fn reverse(
        &self,
        _call: &LayerCall<'_, R>,
        _rows: Range<usize>,
        _input: LayerInput<'_, R>,
        output_cotangent: &[R],
        input_cotangent: &mut [R],
        _scratch: &mut Vec<R>,
    ) {
        let s = &self.spans;
        if s.n_outputs() == 0 {
            return;
        }
        let planes = input_cotangent.chunks_exact_mut(s.plane());
        for (dx, dy) in planes.zip(output_cotangent.chunks_exact(s.positions())) {
            let windows = s.windows().zip(&self.divisors);
            for (((lines, columns), &n), &dy) in windows.zip(dy) {
                let share = dy / n;
                for line in lines.clone() {
                    let dx = &mut dx[line * s.input[1]..][columns.clone()];
                    dx.iter_mut().for_each(|x| *x += share);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
