//! Cotangents of a convolution's weights.

use std::ops::Range;

use rayon::prelude::*;
use rheobase_engine::port::LayerInput;
use rheobase_equations::real::Real;

use super::super::matmul::{
    Left, Packed, Product, Strided, multiply_panels, panel_width, room, transpose,
};
use super::{Convolution, is_sparse, part, spikes};

/// The weights from some input channels to some output channels, of one group.
struct Part {
    inputs: Range<usize>,
    outputs: Range<usize>,
}

impl<R: Real> Convolution<R> {
    /// Adds to `d_weight` (`[out, in / groups, taps]`) the products of inputs and cotangents of
    /// outputs: each a chain over rows and positions. Channels are cut among threads.
    pub(in super::super) fn add_weights(
        &self,
        input: LayerInput<'_, R>,
        dy: &[R],
        d_weight: &mut [R],
    ) {
        let g = &self.geometry;
        if g.inputs() == 0 || g.n_outputs() == 0 {
            return;
        }
        let (depth, taps) = (g.depth(), g.window.taps());
        let parts = self.parts(rayon::current_num_threads());
        let sums: Vec<Vec<R>> = parts
            .par_iter()
            .map(|part| self.add_part(part, input, dy, d_weight))
            .collect();
        for (part, sums) in parts.iter().zip(&sums) {
            let (first, n) = (self.first_tap(part), part.inputs.len() * taps);
            let n_outputs = part.outputs.len();
            for (k, o) in part.outputs.clone().enumerate() {
                let to = &mut d_weight[o * depth + first..][..n];
                for (to, sums) in to.iter_mut().zip(sums.chunks_exact(n_outputs)) {
                    *to = sums[k];
                }
            }
        }
    }

    /// At least as many parts as threads where there are channels enough.
    fn parts(&self, threads: usize) -> Vec<Part> {
        let g = &self.geometry;
        let (channels, outputs) = (g.group_channels(), g.group_outputs());
        let wanted = threads.div_ceil(g.groups);
        let by_input = wanted.min(channels);
        let panels = outputs.div_ceil(panel_width::<R>());
        let by_output = wanted.div_ceil(by_input).min(panels);
        let mut parts = Vec::with_capacity(g.groups * by_input * by_output);
        for group in 0..g.groups {
            for i in 0..by_input {
                for o in 0..by_output {
                    let first = group * channels;
                    let inputs = part(first..first + channels, i, by_input);
                    let first = group * outputs;
                    let outputs = part(first..first + outputs, o, by_output);
                    parts.push(Part { inputs, outputs });
                }
            }
        }
        parts
    }

    /// The first tap of a part within its group.
    fn first_tap(&self, part: &Part) -> usize {
        part.inputs.start % self.geometry.group_channels() * self.geometry.window.taps()
    }

    /// `[taps, outputs]` of a part, from what `d_weight` holds on.
    fn add_part(&self, part: &Part, input: LayerInput<'_, R>, dy: &[R], d_weight: &[R]) -> Vec<R> {
        let g = &self.geometry;
        let (n_outputs, positions) = (part.outputs.len(), g.positions());
        let (first, n) = (self.first_tap(part), part.inputs.len() * g.window.taps());
        let mut sums = vec![R::ZERO; n * n_outputs];
        for (k, o) in part.outputs.clone().enumerate() {
            let from = &d_weight[o * g.depth() + first..][..n];
            for (sums, &from) in sums.chunks_exact_mut(n_outputs).zip(from) {
                sums[k] = from;
            }
        }
        let mut padded = vec![R::ZERO; g.padded_plane() * part.inputs.len()];
        let mut scratch = vec![R::ZERO; room(n, positions)];
        let mut packed = Packed::default();
        let mut turned = Vec::new();
        for (row, dy) in dy.chunks_exact(g.n_outputs()).enumerate() {
            let dy = &dy[part.outputs.start * positions..part.outputs.end * positions];
            match input.slice(row..row + 1) {
                LayerInput::Real { values, .. } => {
                    g.pad(part.inputs.clone(), values, &mut padded);
                }
                LayerInput::Spikes {
                    offsets, indices, ..
                } => {
                    let active = &indices[offsets[0] as usize..offsets[1] as usize];
                    if is_sparse(active, g.inputs()) {
                        turned.resize(dy.len(), R::ZERO);
                        transpose(n_outputs, positions, dy, &mut turned);
                        let active = g.active_in(part.inputs.clone(), active);
                        let start = part.inputs.start;
                        let (tables, to) = (&self.tables, &mut sums);
                        spikes::add::<R, false>(g, tables, start, active, &turned, to);
                        continue;
                    }
                    g.pad_spikes(part.inputs.clone(), active, &mut padded);
                }
            }
            packed.pack(Strided::transposed(dy, positions), positions, n_outputs);
            multiply_panels(Product {
                rows: n,
                a: Left::Indexed {
                    values: &padded,
                    rows: &self.tables.taps[..n],
                    columns: &self.tables.positions,
                },
                b: packed.panels(),
                c: &mut sums,
                stride: n_outputs,
                scratch: &mut scratch,
            });
        }
        sums
    }
}
