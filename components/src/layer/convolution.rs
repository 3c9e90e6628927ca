//! What convolutions share: the products behind forward and backward, for one row at a time.
//!
//! The taps of a window (channel, y, x) are the depth of a product, its positions the columns. Every
//! output is one chain over the taps in ascending order, every weight's cotangent one chain over rows
//! and positions in ascending order: spikes may be added one by one, or multiplied as zeros and ones,
//! and the sums have the same bits.

mod geometry;
mod spikes;
mod weights;

use std::ops::Range;

pub(super) use geometry::Geometry;
use geometry::Tables;
use rheobase_engine::port::{LayerInput, Tensor};
use rheobase_engine::random::Construction;
use rheobase_equations::real::Real;

use super::matmul::{
    Left, PackedRows, Panels, Product, Strided, fill_panels, multiply_panels, panel_width,
    panels_len, transpose,
};
use super::sum::copy;

/// Elements of the window contents that are laid out at a time: about half of a second-level cache.
const BLOCK: usize = 65_536;
/// Spikes are added one by one below this share of active inputs, and multiplied above.
const SPARSE: usize = 4;

/// The products of a convolution of [`Geometry`].
pub(super) struct Convolution<R> {
    pub(super) geometry: Geometry,
    tables: Tables,
    /// Weights of each group as `[out, taps]`, in tiles.
    by_output: Vec<PackedRows<R>>,
    /// Weights of each group as `[taps, out]`, plain.
    by_tap: Vec<R>,
    /// Weights of each group as `[taps, out]`, in tiles.
    turned: Vec<PackedRows<R>>,
}

impl<R: Real> Convolution<R> {
    pub(super) fn new(geometry: Geometry) -> Self {
        Self {
            tables: Tables::new(&geometry),
            geometry,
            by_output: Vec::new(),
            by_tap: Vec::new(),
            turned: Vec::new(),
        }
    }

    /// Lays out weights for [`Self::add_outputs`].
    pub(super) fn begin(&mut self, weight: &[R]) {
        let g = &self.geometry;
        let (depth, out) = (g.depth(), g.group_outputs());
        self.by_output.resize(g.groups, PackedRows::default());
        self.by_tap.resize(weight.len(), R::ZERO);
        let groups = weight.chunks_exact((depth * out).max(1));
        let to = self.by_tap.chunks_exact_mut((depth * out).max(1));
        for ((weight, packed), by_tap) in groups.zip(&mut self.by_output).zip(to) {
            packed.pack(Left::Strided(Strided::rows(weight, depth)), out, depth);
            transpose(out, depth, weight, by_tap);
        }
    }

    /// Lays out weights for [`Self::add_inputs`].
    pub(super) fn begin_reverse(&mut self, weight: &[R]) {
        let g = &self.geometry;
        let (depth, out) = (g.depth(), g.group_outputs());
        self.turned.resize(g.groups, PackedRows::default());
        let groups = weight.chunks_exact((depth * out).max(1));
        for (weight, packed) in groups.zip(&mut self.turned) {
            let turned = Strided::transposed(weight, depth);
            packed.pack(Left::Strided(turned), depth, out);
        }
    }

    /// Adds W·x to every row of `output`.
    pub(super) fn add_outputs(
        &self,
        input: LayerInput<'_, R>,
        output: &mut [R],
        scratch: &mut Vec<R>,
    ) {
        let (inputs, outputs) = (self.geometry.inputs(), self.geometry.n_outputs());
        if inputs == 0 || outputs == 0 {
            return;
        }
        match input {
            LayerInput::Real { values, .. } => {
                let rows = values.chunks_exact(inputs);
                for (x, y) in rows.zip(output.chunks_exact_mut(outputs)) {
                    self.add_dense(|g, to| g.pad(0..g.channels, x, to), y, scratch);
                }
            }
            LayerInput::Spikes {
                offsets, indices, ..
            } => {
                let rows = offsets.windows(2);
                for (span, y) in rows.zip(output.chunks_exact_mut(outputs)) {
                    let active = &indices[span[0] as usize..span[1] as usize];
                    if is_sparse(active, inputs) {
                        self.add_active(active, y, scratch);
                    } else {
                        self.add_dense(|g, to| g.pad_spikes(0..g.channels, active, to), y, scratch);
                    }
                }
            }
        }
    }

    /// One row of [`Self::add_outputs`]; `pad` writes its input with padding.
    fn add_dense(&self, pad: impl Fn(&Geometry, &mut [R]), output: &mut [R], scratch: &mut Vec<R>) {
        let g = &self.geometry;
        let (width, depth, out, positions) = (
            panel_width::<R>(),
            g.depth(),
            g.group_outputs(),
            g.positions(),
        );
        let block = (BLOCK / depth / width).max(1) * width;
        let block = block.min(positions.next_multiple_of(width));
        let (padded_len, columns_len) = (g.padded_len::<R>(), block * depth + width);
        let scratch = grown(scratch, padded_len + columns_len);
        let (padded, columns) = scratch.split_at_mut(padded_len);
        pad(g, padded);
        let of_group = g.group_channels() * g.padded_plane();
        for (group, weight) in self.by_output.iter().enumerate() {
            let padded = &padded[group * of_group..];
            for first in (0..positions).step_by(block) {
                let of_block = first..positions.min(first + block);
                let n = of_block.len();
                self.tables.columns(g, padded, of_block, columns);
                multiply_panels(Product {
                    rows: out,
                    a: Left::Packed(weight, 0),
                    b: Panels {
                        depth,
                        columns: n,
                        values: columns,
                    },
                    c: &mut output[group * out * positions + first..],
                    stride: positions,
                    scratch: &mut [],
                });
            }
        }
    }

    /// The same where few inputs are active: their weights are added, position by position.
    fn add_active(&self, active: &[u32], output: &mut [R], scratch: &mut Vec<R>) {
        let g = &self.geometry;
        let (depth, out, positions) = (g.depth(), g.group_outputs(), g.positions());
        let turned = &mut grown(scratch, out * positions)[..out * positions];
        for (group, output) in output.chunks_exact_mut(out * positions).enumerate() {
            let channels = group * g.group_channels()..(group + 1) * g.group_channels();
            let active = g.active_in(channels.clone(), active);
            if active.is_empty() {
                continue;
            }
            transpose(out, positions, output, turned);
            let weights = &self.by_tap[group * depth * out..(group + 1) * depth * out];
            spikes::add::<R, true>(g, &self.tables, channels.start, active, weights, turned);
            transpose(positions, out, turned, output);
        }
    }

    /// Adds Wᵀ·dy to every row of `inputs`, a few lines of positions at a time: to each, windows in
    /// ascending order of their taps, each a chain over the outputs.
    pub(super) fn add_inputs(
        &self,
        outputs: LayerInput<'_, R>,
        inputs: &mut [R],
        scratch: &mut Vec<R>,
    ) {
        let g = &self.geometry;
        if g.inputs() == 0 || g.n_outputs() == 0 {
            return;
        }
        let (depth, out, positions) = (g.depth(), g.group_outputs(), g.positions());
        let [out_y, out_x] = g.output;
        let lines = (BLOCK / PackedRows::<R>::blocks_of(1) / out_x).clamp(1, out_y);
        let block = PackedRows::<R>::blocks_of(BLOCK / (lines * out_x)).min(depth);
        let dense_len = match outputs {
            LayerInput::Real { .. } => 0,
            LayerInput::Spikes { width, .. } => width,
        };
        let panels_len = panels_len::<R>(out, lines * out_x);
        let scratch = grown(scratch, block * lines * out_x + panels_len + dense_len);
        let (dense, scratch) = scratch.split_at_mut(dense_len);
        let (panels, windows) = scratch.split_at_mut(panels_len);
        for (row, dx) in inputs.chunks_exact_mut(g.inputs()).enumerate() {
            let dy = dense_row(outputs, row, dense);
            let of_group = g.group_channels() * g.plane();
            for ((dy, dx), weight) in dy
                .chunks_exact(out * positions)
                .zip(dx.chunks_exact_mut(of_group))
                .zip(&self.turned)
            {
                for first_line in (0..out_y).step_by(lines) {
                    let lines = first_line..out_y.min(first_line + lines);
                    let n = lines.len() * out_x;
                    let dy = Strided::rows(&dy[first_line * out_x..], positions);
                    fill_panels(dy, out, n, panels);
                    for first in (0..depth).step_by(block) {
                        let taps = first..depth.min(first + block);
                        let windows = &mut windows[..taps.len() * n];
                        windows.fill(R::ZERO);
                        multiply_panels(Product {
                            rows: taps.len(),
                            a: Left::Packed(weight, first),
                            b: Panels {
                                depth: out,
                                columns: n,
                                values: panels,
                            },
                            c: windows,
                            stride: n,
                            scratch: &mut [],
                        });
                        g.add_windows(taps, lines.clone(), windows, dx);
                    }
                }
            }
        }
    }
}

/// Whether adding spikes one by one is faster.
pub(super) fn is_sparse(active: &[u32], inputs: usize) -> bool {
    active.len() < inputs / SPARSE
}

/// `scratch`, at least of this length, of any content.
pub(super) fn grown<R: Real>(scratch: &mut Vec<R>, length: usize) -> &mut [R] {
    if scratch.len() < length {
        scratch.resize(length, R::ZERO);
    }
    scratch
}

/// A row as numbers: where it lies, or written to `room`, which has its length.
pub(super) fn dense_row<'a, R: Real>(
    input: LayerInput<'a, R>,
    row: usize,
    room: &'a mut [R],
) -> &'a [R] {
    match input.slice(row..row + 1) {
        LayerInput::Real { values, .. } => values,
        spikes @ LayerInput::Spikes { .. } => {
            copy(spikes, room);
            room
        }
    }
}

/// Writes the bias of every channel to every position.
pub(super) fn fill_bias<R: Real>(bias: Option<&Tensor<R>>, positions: usize, output: &mut [R]) {
    let Some(bias) = bias.filter(|b| positions * b.values.len() > 0) else {
        output.fill(R::ZERO);
        return;
    };
    for row in output.chunks_exact_mut(positions * bias.values.len()) {
        for (y, &b) in row.chunks_exact_mut(positions).zip(&bias.values) {
            // A bias of −0 becomes 0: then adding a product of 0 never changes a sum.
            y.fill(b + R::ZERO);
        }
    }
}

/// Adds the cotangents of all positions and rows to each channel's, in ascending order.
pub(super) fn add_bias<R: Real>(dy: &[R], positions: usize, bias: &mut [R]) {
    /// Chains that run side by side: one alone would wait for each addition.
    const SIDE: usize = 8;
    if positions == 0 || bias.is_empty() {
        return;
    }
    for dy in dy.chunks_exact(positions * bias.len()) {
        for (sums, dy) in bias.chunks_mut(SIDE).zip(dy.chunks(SIDE * positions)) {
            if let Ok(sums) = <&mut [R; SIDE]>::try_from(&mut *sums) {
                let rows: [&[R]; SIDE] =
                    std::array::from_fn(|k| &dy[k * positions..(k + 1) * positions]);
                for p in 0..positions {
                    for (sum, row) in sums.iter_mut().zip(&rows) {
                        *sum += row[p];
                    }
                }
            } else {
                for (sum, dy) in sums.iter_mut().zip(dy.chunks_exact(positions)) {
                    dy.iter().for_each(|&x| *sum += x);
                }
            }
        }
    }
}

/// A weight of this shape, and a bias where there is one, uniform between ±1/√`fan_in`.
#[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
pub(super) fn parameters(
    weight: Vec<usize>,
    fan_in: usize,
    bias: Option<usize>,
    random: &mut Construction,
) -> Vec<Tensor<f64>> {
    let bound = 1.0 / (fan_in as f64).sqrt();
    let mut tensor = |name: &str, shape: Vec<usize>| {
        let n = shape.iter().product();
        let values = (0..n)
            .map(|_| bound * (2.0 * random.uniform() - 1.0))
            .collect();
        Tensor {
            name: name.to_owned(),
            shape,
            values,
        }
    };
    let mut parameters = vec![tensor("weight", weight)];
    if let Some(n) = bias {
        parameters.push(tensor("bias", vec![n]));
    }
    parameters
}

/// Part `k` of `n` of a range.
fn part(of: Range<usize>, k: usize, n: usize) -> Range<usize> {
    let at = |k: usize| of.start + of.len() * k / n;
    at(k)..at(k + 1)
}
