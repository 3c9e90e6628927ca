//! One step of one sample.
//!
//! Where windows move by one, an active input lies in windows side by side, and adds to the outputs of
//! a line of them what stands in one row here: its weights for the last tap of a window to the first,
//! `[input channel, tap y, tap x, output]`. Sums lie as `[group, y, x, output]`, with a margin for
//! windows that do not lie over the input far enough to be outputs. Each sum gets its terms in
//! ascending order of taps, as in the layer.

use rheobase_engine::plan::WeightFormat;
use rheobase_engine::port::{LayerInput, StepInput, StepLayer, Tensor};
use rheobase_engine::simd::dispatch;
use rheobase_equations::real::Real;

use super::super::convolution::{Convolution, Geometry, fill_bias, is_sparse};
use super::super::matmul::transpose_into;
use super::super::quantised::Multiples;

/// From one in so many active inputs on, multiplying zeros and ones is faster than adding.
const DENSE: usize = 2;

pub(super) struct Step<R> {
    conv: Convolution<R>,
    bias: Option<Tensor<R>>,
    /// Where windows move by one, lie over at least one input each, and are not few beside their size.
    sums: Option<Sums<R>>,
    scratch: Vec<R>,
    error: f64,
}

impl<R: Real> Step<R> {
    /// `parameters` are those of the layer: weight `[out, in / groups, taps…]`, and perhaps bias.
    pub(super) fn new(g: Geometry, parameters: &[Tensor<R>], format: WeightFormat) -> Self {
        let (mut weight, mut error) = (parameters[0].values.clone(), 0.0);
        if let Some(multiples) = Multiples::new(&weight, g.outputs, format) {
            error = multiples.error(&weight);
            for (row, o) in weight.chunks_exact_mut(g.depth().max(1)).zip(0..) {
                row.iter_mut().for_each(|x| *x = multiples.rounded(*x, o));
            }
        }
        let sums = Sums::new(&g, &weight);
        let (n_in, n_out) = (g.inputs(), g.n_outputs());
        let mut conv = Convolution::new(g);
        conv.begin(&weight);
        let mut step = Self {
            conv,
            bias: parameters.get(1).cloned(),
            sums,
            scratch: Vec::new(),
            error,
        };
        // Steps of every kind, so that later ones find all the memory they need.
        let mut output = vec![R::ZERO; n_out];
        let all: Vec<u32> = (0..u32::MAX).take(n_in).collect();
        step.step(StepInput::Real(&vec![R::ZERO; n_in]), &mut output);
        step.step(StepInput::Spikes(&all[..n_in.min(1)]), &mut output);
        step.step(StepInput::Spikes(&all), &mut output);
        step
    }
}

impl<R: Real> StepLayer<R> for Step<R> {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a node has below 2^31 elements"
    )]
    fn step(&mut self, input: StepInput<'_, R>, output: &mut [R]) {
        let g = &self.conv.geometry;
        let offsets;
        let input = match (input, &mut self.sums) {
            (StepInput::Spikes(active), Some(sums)) if is_added(active, g.inputs()) => {
                return sums.step(g, self.bias.as_ref(), active, output);
            }
            (StepInput::Spikes(indices), _) => {
                offsets = [0, indices.len() as u32];
                LayerInput::Spikes {
                    offsets: &offsets,
                    indices,
                    width: g.inputs(),
                }
            }
            (StepInput::Real(values), _) => LayerInput::Real {
                values,
                width: g.inputs(),
            },
        };
        fill_bias(self.bias.as_ref(), g.positions(), output);
        self.conv.add_outputs(input, output, &mut self.scratch);
    }

    fn error(&self) -> f64 {
        self.error
    }
}

/// Whether weights of active inputs are added. The layer multiplies from a smaller share on, which is the
/// same to the bit where each input stands once.
fn is_added(active: &[u32], inputs: usize) -> bool {
    let is_small = active.len() < inputs / DENSE;
    is_small && (is_sparse(active, inputs) || active.is_sorted_by(|a, b| a < b))
}

struct Sums<R> {
    weights: Vec<R>,
    sums: Vec<R>,
    sizes: Sizes,
}

/// Lengths in [`Sums`].
struct Sizes {
    input: [usize; 2],
    channels_of_group: usize,
    /// Output channels of a group.
    outputs: usize,
    /// Lines of a window.
    taps_y: usize,
    /// Weights of an input for a line of its windows.
    row: usize,
    /// Sums of a line, and of a group.
    line: usize,
    group: usize,
}

impl<R: Real> Sums<R> {
    fn new(g: &Geometry, weight: &[R]) -> Option<Self> {
        let w = &g.window;
        let fits = |axis: usize| {
            let overlap = w.padding[axis] < w.kernel[axis];
            overlap && w.stride[axis] == 1 && w.dilation[axis] == 1
        };
        let with_margin = (g.input[0] + w.kernel[0] - 1) * (g.input[1] + w.kernel[1] - 1);
        if g.inputs() == 0 || !(fits(0) && fits(1)) || 2 * g.positions() < with_margin {
            return None;
        }
        let [taps_y, taps_x] = w.kernel;
        let outputs = g.group_outputs();
        let line = (g.input[1] + taps_x - 1) * outputs;
        let sizes = Sizes {
            input: g.input,
            channels_of_group: g.group_channels(),
            outputs,
            taps_y,
            row: taps_x * outputs,
            line,
            group: (g.input[0] + taps_y - 1) * line,
        };
        let mut weights = Vec::with_capacity(weight.len());
        for channel in 0..g.channels {
            let (group, of_group) = (channel / g.group_channels(), channel % g.group_channels());
            for tap in (0..w.taps()).rev() {
                let at = |o: usize| (group * outputs + o) * g.depth() + of_group * w.taps() + tap;
                weights.extend((0..outputs).map(|o| weight[at(o)]));
            }
        }
        Some(Self {
            weights,
            sums: vec![R::ZERO; g.groups * sizes.group],
            sizes,
        })
    }

    fn step(&mut self, g: &Geometry, bias: Option<&Tensor<R>>, active: &[u32], output: &mut [R]) {
        let (n, sizes) = (self.sizes.outputs, &self.sizes);
        for (group, sums) in self.sums.chunks_exact_mut(sizes.group).enumerate() {
            match bias {
                None => sums.fill(R::ZERO),
                Some(bias) => {
                    let bias = &bias.values[group * n..(group + 1) * n];
                    for sums in sums.chunks_exact_mut(n) {
                        // A bias of −0 becomes 0, as in the layer.
                        let pairs = sums.iter_mut().zip(bias);
                        pairs.for_each(|(sum, &b)| *sum = b + R::ZERO);
                    }
                }
            }
        }
        add(sizes, &self.weights, active, &mut self.sums);
        let margin = [0, 1].map(|axis| g.window.kernel[axis] - 1 - g.window.padding[axis]);
        let (positions, width) = (g.positions(), g.output[1]);
        let groups = self.sums.chunks_exact(sizes.group);
        for (sums, output) in groups.zip(output.chunks_exact_mut(n * positions)) {
            for y in 0..g.output[0] {
                let from = &sums[(y + margin[0]) * sizes.line + margin[1] * n..][..width * n];
                transpose_into((width, n), from, &mut output[y * width..], positions);
            }
        }
    }
}

dispatch! {
    /// Adds the weights of every active input, ascending.
    fn add<R: Real> = add_body(sizes: &Sizes, weights: &[R], active: &[u32], sums: &mut [R]);
}

#[inline(always)]
fn add_body<R: Real>(sizes: &Sizes, weights: &[R], active: &[u32], sums: &mut [R]) {
    let [height, width] = sizes.input;
    let mut rest = active;
    let mut line = 0;
    while let Some(&next) = rest.first() {
        line += (next as usize - line * width) / width;
        let first = line * width;
        let here = rest.iter().take_while(|&&i| (i as usize) < first + width);
        let (here, after) = rest.split_at(here.count());
        rest = after;
        let (channel, y) = (line / height, line % height);
        let weights = &weights[channel * sizes.taps_y * sizes.row..];
        let sums = &mut sums[channel / sizes.channels_of_group * sizes.group..];
        for &i in here {
            let place = y * sizes.line + (i as usize - first) * sizes.outputs;
            for tap in 0..sizes.taps_y {
                let from = &weights[tap * sizes.row..][..sizes.row];
                let to = &mut sums[place + tap * sizes.line..][..sizes.row];
                add_row(from, to);
            }
        }
    }
}

#[inline(always)]
fn add_row<R: Real>(from: &[R], to: &mut [R]) {
    const LANES: usize = 32;
    let (blocks, rest) = to.as_chunks_mut::<LANES>();
    let (from_blocks, from_rest) = from.as_chunks::<LANES>();
    for (to, from) in blocks.iter_mut().zip(from_blocks) {
        for lane in 0..LANES {
            to[lane] += from[lane];
        }
    }
    for (to, from) in rest.iter_mut().zip(from_rest) {
        *to += *from;
    }
}
