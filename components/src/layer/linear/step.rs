//! One step of one sample: the rows of active inputs, added up.
//!
//! Weights lie as `[in, out]`, rows padded to whole tiles; a tile of outputs stays in registers while
//! the rows of all active inputs pass. Exact weights are added in ascending order of inputs, which
//! gives the bits of the layer. Quantised ones are added as integers, whose sum knows no order, and
//! scaled once.

use rheobase_engine::plan::WeightFormat;
use rheobase_engine::port::{StepInput, StepLayer, Tensor};
use rheobase_engine::simd::{dispatch, dispatch_fused};
use rheobase_equations::real::Real;

use super::super::matmul::multiply_step;

/// Outputs of a tile, and of the tiles of what is left.
const TILE: usize = 64;
const SMALL: usize = 16;
/// Rows of 8-bit weights whose sum fits into 16 bits.
const ROWS_OF_BYTES: usize = 256;
/// Rows of 16-bit weights whose sum fits into 32 bits.
const ROWS_OF_WORDS: usize = 65_536;

pub(super) struct Linear<R> {
    n_out: usize,
    /// Length of a row: `n_out` in whole small tiles.
    stride: usize,
    bias: Vec<R>,
    weights: Weights<R>,
    sums: Vec<R>,
    integers: Vec<i64>,
    /// Room for the inputs that are not 0, with their values.
    nonzero: Vec<(u32, R)>,
}

enum Weights<R> {
    Exact(Vec<R>),
    /// Multiples of `scale`, one for each output.
    Int16(Vec<i16>, Vec<R>),
    Int8(Vec<i8>, Vec<R>),
}

impl<R: Real> Linear<R> {
    /// `parameters` are those of the layer: weight `[out, in]`, and perhaps bias.
    pub(super) fn new(
        (n_in, n_out): (usize, usize),
        parameters: &[Tensor<R>],
        format: WeightFormat,
    ) -> Self {
        let stride = n_out.next_multiple_of(SMALL);
        let weight = &parameters[0].values;
        let at = |i: usize, o: usize| {
            if o < n_out {
                weight[o * n_in + i]
            } else {
                R::ZERO
            }
        };
        let cells = || (0..n_in).flat_map(|i| (0..stride).map(move |o| (i, o)));
        let largest = |o: usize| {
            let row = weight[o * n_in..(o + 1) * n_in].iter();
            row.fold(0.0_f64, |m, w| m.max(w.to_f64().abs()))
        };
        let scales = |steps: f64| -> Vec<f64> {
            let scale = |o| largest(o) / steps;
            (0..stride)
                .map(|o| if o < n_out { scale(o) } else { 0.0 })
                .collect()
        };
        // Between −steps and steps, by the choice of the scale.
        let multiple = |x: R, scale: f64| {
            if scale > 0.0 {
                libm::rint(x.to_f64() / scale)
            } else {
                0.0
            }
        };
        #[allow(clippy::cast_possible_truncation, reason = "bounded by the scale")]
        let weights = match format {
            WeightFormat::Exact => Weights::Exact(cells().map(|(i, o)| at(i, o)).collect()),
            WeightFormat::Int16 => {
                let scales = scales(32_767.0);
                let q = cells().map(|(i, o)| multiple(at(i, o), scales[o]) as i16);
                Weights::Int16(
                    q.collect(),
                    scales.iter().map(|&s| R::from_f64(s)).collect(),
                )
            }
            WeightFormat::Int8 => {
                let scales = scales(127.0);
                let q = cells().map(|(i, o)| multiple(at(i, o), scales[o]) as i8);
                Weights::Int8(
                    q.collect(),
                    scales.iter().map(|&s| R::from_f64(s)).collect(),
                )
            }
        };
        let mut bias = vec![R::ZERO; stride];
        if let Some(given) = parameters.get(1) {
            for (to, &from) in bias.iter_mut().zip(&given.values) {
                // A bias of −0 becomes 0, as in the layer.
                *to = from + R::ZERO;
            }
        }
        Self {
            n_out,
            stride,
            bias,
            weights,
            sums: vec![R::ZERO; stride],
            integers: vec![0; stride],
            nonzero: vec![(0, R::ZERO); n_in + 1],
        }
    }
}

impl<R: Real> StepLayer<R> for Linear<R> {
    fn step(&mut self, input: StepInput<'_, R>, output: &mut [R]) {
        let (stride, sums) = (self.stride, &mut self.sums);
        match (&self.weights, input) {
            (Weights::Exact(w), StepInput::Spikes(active)) => {
                sums.copy_from_slice(&self.bias);
                add_rows(stride, w, active, sums);
            }
            (Weights::Exact(w), StepInput::Real(x)) => {
                sums.copy_from_slice(&self.bias);
                let n = find_nonzero(x, &mut self.nonzero);
                add_products(stride, w, &self.nonzero[..n], sums);
            }
            (Weights::Int16(q, scale), StepInput::Spikes(active)) => {
                self.integers.fill(0);
                for active in active.chunks(ROWS_OF_WORDS) {
                    add_words(stride, q, active, &mut self.integers);
                }
                scaled(&self.integers, scale, &self.bias, sums);
            }
            (Weights::Int8(q, scale), StepInput::Spikes(active)) => {
                self.integers.fill(0);
                for active in active.chunks(ROWS_OF_BYTES) {
                    add_bytes(stride, q, active, &mut self.integers);
                }
                scaled(&self.integers, scale, &self.bias, sums);
            }
            (Weights::Int16(q, scale), StepInput::Real(x)) => {
                sums.fill(R::ZERO);
                add_word_products(stride, q, x, sums);
                finish(scale, &self.bias, sums);
            }
            (Weights::Int8(q, scale), StepInput::Real(x)) => {
                sums.fill(R::ZERO);
                add_byte_products(stride, q, x, sums);
                finish(scale, &self.bias, sums);
            }
        }
        output.copy_from_slice(&sums[..self.n_out]);
    }

    fn error(&self) -> f64 {
        match &self.weights {
            Weights::Exact(_) => 0.0,
            Weights::Int16(_, scale) | Weights::Int8(_, scale) => {
                0.5 * scale.iter().fold(0.0_f64, |m, s| m.max(s.to_f64()))
            }
        }
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "below 2^53 for any number of inputs in memory"
)]
fn scaled<R: Real>(integers: &[i64], scale: &[R], bias: &[R], sums: &mut [R]) {
    for (((sum, &n), scale), bias) in sums.iter_mut().zip(integers).zip(scale).zip(bias) {
        *sum = *bias + R::from_f64(n as f64) * *scale;
    }
}

fn finish<R: Real>(scale: &[R], bias: &[R], sums: &mut [R]) {
    for ((sum, scale), bias) in sums.iter_mut().zip(scale).zip(bias) {
        *sum = *bias + *sum * *scale;
    }
}

/// Runs `$body` for every tile of a row: first output and, as a constant, length.
macro_rules! for_tiles {
    ($stride:expr, $first:ident, $tile:ident => $body:block) => {
        let mut $first = 0;
        while $first + TILE <= $stride {
            const $tile: usize = TILE;
            $body
            $first += TILE;
        }
        while $first < $stride {
            const $tile: usize = SMALL;
            $body
            $first += SMALL;
        }
    };
}

dispatch! {
    /// Adds the rows of active inputs, ascending.
    fn add_rows<R: Real> = add_rows_body(stride: usize, w: &[R], active: &[u32], sums: &mut [R]);
}

#[inline(always)]
fn add_rows_body<R: Real>(stride: usize, w: &[R], active: &[u32], sums: &mut [R]) {
    for_tiles!(stride, first, N => {
        let mut acc: [R; N] = std::array::from_fn(|l| sums[first + l]);
        for &i in active {
            let start = i as usize * stride + first;
            let row = &w[start..start + N];
            for l in 0..N {
                acc[l] += row[l];
            }
        }
        sums[first..first + N].copy_from_slice(&acc);
    });
}

/// Writes the inputs that are not 0 to `found`, which has room for one more than all; returns their
/// number. No branch depends on which they are.
#[inline(always)]
fn find_nonzero<R: Real>(x: &[R], found: &mut [(u32, R)]) -> usize {
    let mut n = 0;
    for (i, &x) in (0..u32::MAX).zip(x) {
        found[n] = (i, x);
        n += usize::from(x != R::ZERO);
    }
    n
}

dispatch_fused! {
    /// Adds the rows of some inputs, ascending, times their values; inputs that are 0 add nothing.
    fn add_products<R: Real> =
        add_products_body(stride: usize, w: &[R], some: &[(u32, R)], sums: &mut [R]);
}

#[inline(always)]
fn add_products_body<R: Real, const FUSE: bool>(
    stride: usize,
    w: &[R],
    some: &[(u32, R)],
    sums: &mut [R],
) {
    for_tiles!(stride, first, N => {
        let mut acc: [R; N] = std::array::from_fn(|l| sums[first + l]);
        for &(i, x) in some {
            let start = i as usize * stride + first;
            let row = &w[start..start + N];
            for l in 0..N {
                acc[l] = multiply_step::<R, FUSE>(x, row[l], acc[l]);
            }
        }
        sums[first..first + N].copy_from_slice(&acc);
    });
}

dispatch! {
    /// At most [`ROWS_OF_WORDS`] rows.
    fn add_words = add_words_body(stride: usize, q: &[i16], active: &[u32], sums: &mut [i64]);
}

#[inline(always)]
fn add_words_body(stride: usize, q: &[i16], active: &[u32], sums: &mut [i64]) {
    for_tiles!(stride, first, N => {
        let mut acc = [0_i32; N];
        for &i in active {
            let start = i as usize * stride + first;
            let row = &q[start..start + N];
            for l in 0..N {
                acc[l] += i32::from(row[l]);
            }
        }
        for l in 0..N {
            sums[first + l] += i64::from(acc[l]);
        }
    });
}

dispatch! {
    /// At most [`ROWS_OF_BYTES`] rows.
    fn add_bytes = add_bytes_body(stride: usize, q: &[i8], active: &[u32], sums: &mut [i64]);
}

#[inline(always)]
fn add_bytes_body(stride: usize, q: &[i8], active: &[u32], sums: &mut [i64]) {
    for_tiles!(stride, first, N => {
        let mut acc = [0_i16; N];
        for &i in active {
            let start = i as usize * stride + first;
            let row = &q[start..start + N];
            for l in 0..N {
                acc[l] = acc[l].wrapping_add(i16::from(row[l]));
            }
        }
        for l in 0..N {
            sums[first + l] += i64::from(acc[l]);
        }
    });
}

fn add_word_products<R: Real>(stride: usize, q: &[i16], x: &[R], sums: &mut [R]) {
    for (row, &x) in q
        .chunks_exact(stride)
        .zip(x)
        .filter(|(_, x)| **x != R::ZERO)
    {
        for (sum, &q) in sums.iter_mut().zip(row) {
            *sum += x * R::from_i16(q);
        }
    }
}

fn add_byte_products<R: Real>(stride: usize, q: &[i8], x: &[R], sums: &mut [R]) {
    for (row, &x) in q
        .chunks_exact(stride)
        .zip(x)
        .filter(|(_, x)| **x != R::ZERO)
    {
        for (sum, &q) in sums.iter_mut().zip(row) {
            *sum += x * R::from_i16(i16::from(q));
        }
    }
}
