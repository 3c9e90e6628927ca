//! Layers as kernels: forward, reverse, gradients.

mod batch_norm;
mod conv2d;
mod dropout;
mod linear;
mod pool;
mod product;

use crate::module::{ShaderModule, workgroups};

/// A layer that devices know, with all its sizes. Axes are y, x; each array of a pass, and each array of
/// parameters, has fewer than 2³² elements.
#[derive(Clone, PartialEq, Debug)]
pub enum LayerShape {
    /// y = b + W·x.
    Linear {
        /// Inputs.
        n_in: u32,
        /// Outputs.
        n_out: u32,
        /// There is a bias.
        has_bias: bool,
    },
    /// y = x: what only changes the shape.
    Copy {
        /// Elements of a row.
        n: u32,
    },
    /// Windows slide over two axes, each output channel weighs their contents.
    Conv2d {
        /// Input channels.
        channels: u32,
        /// Lines of an input channel.
        height: u32,
        /// Inputs of a line.
        width: u32,
        /// Output channels.
        out_channels: u32,
        /// Lines of an output channel.
        out_height: u32,
        /// Outputs of a line.
        out_width: u32,
        /// Size of the window.
        kernel: [u32; 2],
        /// Inputs from one position of the window to the next.
        stride: [u32; 2],
        /// Zeros on each side.
        padding: [u32; 2],
        /// Inputs from one element of the window to the next.
        dilation: [u32; 2],
        /// Groups of channels that do not see one another.
        groups: u32,
        /// There is a bias.
        has_bias: bool,
    },
    /// The largest input of each window of a channel.
    MaxPool2d {
        /// Channels.
        channels: u32,
        /// Lines of an input channel.
        height: u32,
        /// Inputs of a line.
        width: u32,
        /// Lines of an output channel.
        out_height: u32,
        /// Outputs of a line.
        out_width: u32,
        /// Size of the window.
        kernel: [u32; 2],
        /// Inputs from one position of the window to the next.
        stride: [u32; 2],
        /// What is added on each side, and never chosen; at most half the kernel.
        padding: [u32; 2],
    },
    /// The average of each window of a channel.
    AvgPool2d {
        /// Channels.
        channels: u32,
        /// Lines of an input channel.
        height: u32,
        /// Inputs of a line.
        width: u32,
        /// Lines of an output channel.
        out_height: u32,
        /// Outputs of a line.
        out_width: u32,
        /// Size of the window.
        kernel: [u32; 2],
        /// Inputs from one position of the window to the next.
        stride: [u32; 2],
        /// Zeros on each side, at most half the kernel.
        padding: [u32; 2],
        /// Sums are divided by the size of the kernel, rather than the inputs that it lies over.
        counts_padding: bool,
    },
    /// Averages over windows chosen so that the output has a given size. The product of input and
    /// output size is below 2³¹ along each axis.
    AdaptiveAvgPool2d {
        /// Channels.
        channels: u32,
        /// Lines of an input channel.
        height: u32,
        /// Inputs of a line.
        width: u32,
        /// Lines of an output channel.
        out_height: u32,
        /// Outputs of a line.
        out_width: u32,
    },
    /// Channels with a mean of 0 and a variance of 1, then a trained scale and shift.
    BatchNorm {
        /// Channels.
        channels: u32,
        /// Elements of a channel.
        positions: u32,
        /// Added to the variance.
        eps: f64,
        /// Share of a pass in the running statistics.
        momentum: f64,
        /// There are a scale and a shift.
        affine: bool,
    },
    /// In training, inputs are set to 0 at random, the same at every step of a pass.
    Dropout {
        /// Elements of a row.
        n: u32,
        /// Random words below are dropped; at most 2³².
        threshold: u64,
        /// What the others are multiplied by.
        scale: f64,
    },
}

impl LayerShape {
    /// Products of a row, forward; 0 where a layer is cheap.
    #[must_use]
    pub fn products(&self) -> u64 {
        let all = |factors: &[u32]| {
            let factors = factors.iter().map(|&f| u64::from(f));
            factors.fold(1_u64, u64::saturating_mul)
        };
        match *self {
            Self::Linear { n_in, n_out, .. } => all(&[n_in, n_out]),
            Self::Conv2d {
                channels,
                out_channels,
                out_height,
                out_width,
                kernel,
                groups,
                ..
            } => {
                let positions = [out_channels, out_height, out_width];
                let window = [channels / groups.max(1), kernel[0], kernel[1]];
                all(&positions).saturating_mul(all(&window))
            }
            _ => 0,
        }
    }
}

/// How many workgroups a kernel is started with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grid {
    /// An invocation for each of so many elements of every row.
    RowElements(u32),
    /// An invocation for each of so many elements, whatever the rows.
    Elements(u32),
    /// A workgroup for each tile of a matrix that has so many lines for each row. What one has too many,
    /// along two dimensions, does nothing.
    RowTiles {
        /// Lines of the matrix for each row.
        lines: u32,
        /// Lines of a tile.
        height: u32,
        /// Tiles side by side.
        across: u32,
    },
    /// So many workgroups along two dimensions, whatever the rows.
    Groups([u32; 2]),
}

/// Workgroups that every device can start along a dimension.
const MAX_GROUPS: u32 = 65_535;

/// At least `n` workgroups along two dimensions that hold at most `limit` each.
fn folded(n: u32, limit: u32) -> Option<[u32; 3]> {
    let lines = n.div_ceil(limit.max(1)).max(1);
    (lines <= limit).then(|| [n.div_ceil(lines), lines, 1])
}

impl Grid {
    /// At least so many workgroups.
    fn flat(n: u32) -> Self {
        folded(n, MAX_GROUPS).map_or(Self::Groups([n, 1]), |[x, y, _]| Self::Groups([x, y]))
    }

    /// Workgroups for so many rows, where a dimension holds at most `limit`; `None` if they are too many.
    #[must_use]
    pub fn groups(self, rows: u32, limit: u32) -> Option<[u32; 3]> {
        match self {
            Self::RowElements(n) => workgroups(n.checked_mul(rows)?, limit),
            Self::Elements(n) => workgroups(n, limit),
            Self::RowTiles {
                lines,
                height,
                across,
            } => {
                let down = lines.checked_mul(rows)?.div_ceil(height);
                folded(down.checked_mul(across)?, limit)
            }
            Self::Groups([x, y]) => (x <= limit && y <= limit).then_some([x, y, 1]),
        }
    }
}

/// A kernel and how it is started.
#[derive(Clone, PartialEq, Debug)]
pub struct LayerKernel {
    /// The shader; its uniform buffer is [`crate::Rows`].
    pub module: ShaderModule,
    /// Its workgroups.
    pub grid: Grid,
}

/// The kernels of a layer, in the order in which they run.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LayerKernels {
    /// Writes y from x.
    pub forward: Vec<LayerKernel>,
    /// Prepares the reverse: sums over all rows that [`Self::reverse`] needs.
    pub begin_reverse: Vec<LayerKernel>,
    /// Adds to dx what dy implies.
    pub reverse: Vec<LayerKernel>,
    /// Adds to the gradients of the parameters, all rows at once.
    pub gradients: Vec<LayerKernel>,
    /// Words of [`crate::Role::Scratch`].
    pub scratch_words: u32,
}

/// The kernels of a layer.
#[must_use]
pub fn layer_kernels(layer: &LayerShape) -> LayerKernels {
    match *layer {
        LayerShape::Linear {
            n_in,
            n_out,
            has_bias,
        } => linear::kernels(n_in, n_out, has_bias),
        LayerShape::Copy { n } => linear::copy(n),
        LayerShape::Conv2d {
            channels,
            height,
            width,
            out_channels,
            out_height,
            out_width,
            kernel,
            stride,
            padding,
            dilation,
            groups,
            has_bias,
        } => {
            let sizes = conv2d::Sizes {
                channels,
                input: [height, width],
                outputs: out_channels,
                output: [out_height, out_width],
                kernel,
                stride,
                padding,
                dilation,
                groups,
                has_bias,
            };
            conv2d::kernels("conv2d", &sizes)
        }
        LayerShape::MaxPool2d {
            channels,
            height,
            width,
            out_height,
            out_width,
            kernel,
            stride,
            padding,
        } => {
            let planes = pool::Planes {
                channels,
                input: [height, width],
                output: [out_height, out_width],
            };
            let windows = pool::Windows::Sliding {
                kernel,
                stride,
                padding,
            };
            pool::largest(planes, windows)
        }
        LayerShape::AvgPool2d {
            channels,
            height,
            width,
            out_height,
            out_width,
            kernel,
            stride,
            padding,
            counts_padding,
        } => {
            let planes = pool::Planes {
                channels,
                input: [height, width],
                output: [out_height, out_width],
            };
            let windows = pool::Windows::Sliding {
                kernel,
                stride,
                padding,
            };
            let divisor = counts_padding.then(|| kernel[0].saturating_mul(kernel[1]));
            pool::averages("avg_pool2d", planes, windows, divisor)
        }
        LayerShape::AdaptiveAvgPool2d {
            channels,
            height,
            width,
            out_height,
            out_width,
        } => {
            let planes = pool::Planes {
                channels,
                input: [height, width],
                output: [out_height, out_width],
            };
            pool::averages("adaptive_avg_pool2d", planes, pool::Windows::Adaptive, None)
        }
        LayerShape::BatchNorm {
            channels,
            positions,
            eps,
            momentum,
            affine,
        } => batch_norm::kernels(channels, positions, (eps, momentum), affine),
        LayerShape::Dropout {
            n,
            threshold,
            scale,
        } => dropout::kernels(n, threshold, scale),
    }
}
