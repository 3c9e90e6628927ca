//! One step of one sample: the rows of active inputs, added up.
//!
//! Weights lie as `[in, out]`, rows padded to whole blocks. Exact weights are added in ascending order
//! of inputs, which gives the bits of the layer. Quantised ones are added as integers, whose sum knows no order, and
//! scaled once.

use std::iter::repeat;

use rheobase_engine::plan::WeightFormat;
use rheobase_engine::port::{StepInput, StepLayer, Tensor};
use rheobase_equations::real::Real;

use super::super::quantised::Multiples;
use super::rows::{self, Quantised, add_products, add_rows, sum_bytes, sum_products, sum_words};

pub(super) struct Linear<R> {
    n_out: usize,
    bias: Vec<R>,
    weights: Weights<R>,
    /// How far a weight may be from what was given.
    error: f64,
    sums: Vec<R>,
    /// Sums of multiples; of whole numbers they are exact.
    integers: Vec<f64>,
    /// Room for the inputs that are not 0, with their values.
    nonzero: Vec<(u32, R)>,
}

enum Weights<R> {
    Exact(Vec<R>),
    Int16(Quantised<i16, i32, R>),
    Int8(Quantised<i8, i16, R>),
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
        let (mut scale, mut error) = (Vec::new(), 0.0);
        let multiples = Multiples::<R>::new(weight, n_out, format);
        if let Some(multiples) = &multiples {
            let padded = multiples.scales.iter().copied().chain(repeat(R::ZERO));
            scale = padded.take(stride).collect();
            error = multiples.error(weight);
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
                Weights::Int16(Quantised::new(q.collect(), scale))
            }
            WeightFormat::Int8 => {
                let q = cells().map(|cell| multiple(cell) as i8);
                Weights::Int8(Quantised::new(q.collect(), scale))
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
            bias,
            weights,
            error,
            sums: vec![R::ZERO; stride],
            integers: vec![0.0; stride],
            nonzero: vec![(0, R::ZERO); n_in + 1],
        }
    }
}

impl<R: Real> StepLayer<R> for Linear<R> {
    fn step(&mut self, input: StepInput<'_, R>, output: &mut [R]) {
        let sums = &mut self.sums;
        match (&mut self.weights, input) {
            (Weights::Exact(w), StepInput::Spikes(active)) => {
                sums.copy_from_slice(&self.bias);
                add_rows(w, active, sums);
            }
            (Weights::Exact(w), StepInput::Real(x)) => {
                sums.copy_from_slice(&self.bias);
                let n = find_nonzero(x, &mut self.nonzero);
                add_products(w, &self.nonzero[..n], sums);
            }
            (Weights::Int16(q), input) => {
                match input {
                    StepInput::Spikes(active) => sum_words(q, active, &mut self.integers),
                    StepInput::Real(x) => sum_products(&q.multiples, x, &mut self.integers),
                }
                scaled(&self.integers, &q.scale, &self.bias, sums);
            }
            (Weights::Int8(q), input) => {
                match input {
                    StepInput::Spikes(active) => sum_bytes(q, active, &mut self.integers),
                    StepInput::Real(x) => sum_products(&q.multiples, x, &mut self.integers),
                }
                scaled(&self.integers, &q.scale, &self.bias, sums);
            }
        }
        output.copy_from_slice(&sums[..self.n_out]);
    }

    fn error(&self) -> f64 {
        self.error
    }
}

fn scaled<R: Real>(sums: &[f64], scale: &[R], bias: &[R], to: &mut [R]) {
    for (((to, &sum), scale), bias) in to.iter_mut().zip(sums).zip(scale).zip(bias) {
        *to = *bias + R::from_f64(sum) * *scale;
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
