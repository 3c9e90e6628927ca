//! One step of one sample: the rows of active inputs, added up.
//!
//! Weights lie as `[in, out]`, rows padded to whole blocks. Exact weights are added in ascending order of inputs, which
//! gives the bits of the layer. Quantised ones are added as integers, whose sum knows no order, and
//! scaled once.

use std::iter::repeat;

use rheobase_engine::plan::WeightFormat;
use rheobase_engine::port::{StepInput, StepLayer, Tensor};
use rheobase_equations::real::Real;

use super::super::quantised::Multiples;
use super::rows::{self, Bytes, Words, add_products, add_rows};

pub(super) struct Linear<R> {
    n_out: usize,
    /// Length of a row: `n_out` in whole blocks.
    stride: usize,
    bias: Vec<R>,
    weights: Weights<R>,
    /// How far a weight may be from what was given.
    error: f64,
    sums: Vec<R>,
    words: Words,
    bytes: Bytes,
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
        let stride = rows::stride(n_out);
        let weight = &parameters[0].values;
        let at = |i: usize, o: usize| {
            if o < n_out {
                weight[o * n_in + i]
            } else {
                R::ZERO
            }
        };
        let cells = || (0..n_in).flat_map(|i| (0..stride).map(move |o| (i, o)));
        let multiples = Multiples::new(weight, n_out, format);
        let (mut scales, mut error) = (Vec::new(), 0.0);
        if let Some(multiples) = &multiples {
            let padded = multiples.scales.iter().copied().chain(repeat(0.0));
            scales = padded.take(stride).map(R::from_f64).collect();
            error = multiples.error();
        }
        let multiple = |(i, o)| match &multiples {
            Some(multiples) if o < n_out => multiples.of(at(i, o), o),
            _ => 0.0,
        };
        #[allow(clippy::cast_possible_truncation, reason = "bounded by the scale")]
        let weights = match format {
            WeightFormat::Exact => Weights::Exact(cells().map(|(i, o)| at(i, o)).collect()),
            WeightFormat::Int16 => {
                let q = cells().map(|cell| multiple(cell) as i16);
                Weights::Int16(q.collect(), scales)
            }
            WeightFormat::Int8 => {
                let q = cells().map(|cell| multiple(cell) as i8);
                Weights::Int8(q.collect(), scales)
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
            error,
            sums: vec![R::ZERO; stride],
            words: Words::new(stride),
            bytes: Bytes::new(stride),
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
                add_rows(w, active, sums);
            }
            (Weights::Exact(w), StepInput::Real(x)) => {
                sums.copy_from_slice(&self.bias);
                let n = find_nonzero(x, &mut self.nonzero);
                add_products(w, &self.nonzero[..n], sums);
            }
            (Weights::Int16(q, scale), StepInput::Spikes(active)) => {
                self.words.set(q, active);
                #[allow(
                    clippy::cast_precision_loss,
                    reason = "below 2^53 for any number of inputs in memory"
                )]
                let words = self.words.sums.iter().map(|&sum| sum as f64);
                scaled(words, scale, &self.bias, sums);
            }
            (Weights::Int8(q, scale), StepInput::Spikes(active)) => {
                self.bytes.set(q, active);
                let bytes = self.bytes.sums.iter().map(|&sum| f64::from(sum));
                scaled(bytes, scale, &self.bias, sums);
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
        self.error
    }
}

fn scaled<R: Real>(sums: impl Iterator<Item = f64>, scale: &[R], bias: &[R], to: &mut [R]) {
    for (((to, sum), scale), bias) in to.iter_mut().zip(sums).zip(scale).zip(bias) {
        *to = *bias + R::from_f64(sum) * *scale;
    }
}

fn finish<R: Real>(scale: &[R], bias: &[R], sums: &mut [R]) {
    for ((sum, scale), bias) in sums.iter_mut().zip(scale).zip(bias) {
        *sum = *bias + *sum * *scale;
    }
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
