//! The computation over all rows.

use std::ops::Range;

use rayon::prelude::*;
use rheobase_engine::port::{Layer, LayerCall, LayerInput, Tensor};
use rheobase_equations::real::Real;

use super::super::pool::dense_row;
use super::super::sum::copy;
use super::BatchNorm;

/// Sums that run side by side: one alone would wait for each addition.
const SIDE: usize = 8;

/// What a channel is shifted and scaled by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channel<R> {
    /// μ.
    pub(super) mean: R,
    /// 1/√(σ² + ε).
    inverse: R,
    /// γ/√(σ² + ε).
    pub(super) scale: R,
    /// β.
    pub(super) shift: R,
    /// Means of dy and of dy·x̂, where the statistics follow the input.
    pull: [R; 2],
}

impl<R: Real> Channel<R> {
    #[inline(always)]
    pub(super) fn apply(&self, x: R) -> R {
        (x - self.mean) * self.scale + self.shift
    }
}

pub(super) struct Kernel<R> {
    of: BatchNorm,
    pub(super) positions: usize,
    /// Those of the pass that has begun.
    pub(super) channels: Vec<Channel<R>>,
    /// Σ dy and Σ dy·x̂ of each channel.
    sums: Vec<[f64; 2]>,
    /// Mean and variance, running.
    pub(super) buffers: [Tensor<R>; 2],
    /// Spikes as numbers.
    dense: Vec<R>,
}

impl<R: Real> Kernel<R> {
    pub(super) fn new(of: BatchNorm, input: &[usize]) -> Self {
        let n = input.first().copied().unwrap_or(0);
        let buffer = |name: &str, x: R| Tensor {
            name: name.to_owned(),
            shape: vec![n],
            values: vec![x; n],
        };
        Self {
            of,
            positions: input.iter().skip(1).product(),
            channels: Vec::new(),
            sums: Vec::new(),
            buffers: [
                buffer("running_mean", R::ZERO),
                buffer("running_var", R::ONE),
            ],
            dense: Vec::new(),
        }
    }

    fn width(&self) -> usize {
        self.buffers[0].values.len() * self.positions
    }

    /// Sets what channels are shifted and scaled by, from their means and variances.
    pub(super) fn set(
        &mut self,
        parameters: &[Tensor<R>],
        statistics: impl Iterator<Item = [f64; 2]>,
    ) {
        let affine = self.of.scale.is_some();
        let parameter = |k: usize, c: usize| {
            let tensor = parameters.get(k).filter(|_| affine);
            tensor.map(|t| t.values[c].to_f64())
        };
        self.channels.clear();
        for (c, [mean, variance]) in statistics.enumerate() {
            let inverse = 1.0 / (variance + self.of.eps).sqrt();
            self.channels.push(Channel {
                mean: R::from_f64(mean),
                inverse: R::from_f64(inverse),
                scale: R::from_f64(parameter(0, c).unwrap_or(1.0) * inverse),
                shift: R::from_f64(parameter(1, c).unwrap_or(0.0)),
                pull: [R::ZERO; 2],
            });
        }
    }

    /// Sets them from the running statistics.
    pub(super) fn set_running(&mut self, parameters: &[Tensor<R>]) {
        let [mean, variance] = &self.buffers;
        let both = mean.values.iter().zip(&variance.values);
        let statistics: Vec<_> = both.map(|(m, v)| [m.to_f64(), v.to_f64()]).collect();
        self.set(parameters, statistics.into_iter());
    }

    /// Mean and biased variance of every channel.
    fn statistics(&self, x: &[R]) -> Vec<[f64; 2]> {
        let (width, positions) = (self.width(), self.positions);
        let rows = x.len() / width;
        let n = count(rows, positions);
        let of_channel = |c: usize| {
            let parts = || (0..rows).map(move |row| &x[row * width + c * positions..][..positions]);
            let mean = parts().map(|x| sum(x, |x| x)).sum::<f64>() / n;
            let square = |x: f64| (x - mean) * (x - mean);
            let variance = parts().map(|x| sum(x, square)).sum::<f64>() / n;
            [mean, variance]
        };
        let channels = self.buffers[0].values.len();
        (0..channels).into_par_iter().map(of_channel).collect()
    }

    fn update(&mut self, statistics: &[[f64; 2]], n: f64) {
        let momentum = self.of.momentum;
        let correction = if n > 1.0 { n / (n - 1.0) } else { 1.0 };
        let [means, variances] = &mut self.buffers;
        let running = means.values.iter_mut().zip(&mut variances.values);
        for ((mean, variance), now) in running.zip(statistics) {
            let follow = |x: &mut R, now: f64| {
                *x = R::from_f64((1.0 - momentum) * x.to_f64() + momentum * now);
            };
            follow(mean, now[0]);
            follow(variance, now[1] * correction);
        }
    }

    /// The factors of steps, where there are any.
    fn factors<'a>(&self, call: &LayerCall<'a, R>) -> Option<&'a [R]> {
        let p = call.parameters.last().filter(|_| self.of.steps > 0)?;
        Some(&p.values)
    }

    /// The factor of a row.
    fn factor(factors: Option<&[R]>, call: &LayerCall<'_, R>, row: usize) -> R {
        factors.map_or(R::ONE, |p| p[step(p.len(), call, row)])
    }
}

/// The step of a row, among those that have a factor.
fn step<R>(steps: usize, call: &LayerCall<'_, R>, row: usize) -> usize {
    let step = call.first_step.saturating_add(row / call.batch.max(1));
    step.min(steps - 1)
}

#[allow(clippy::cast_precision_loss, reason = "below 2^53")]
fn count(rows: usize, positions: usize) -> f64 {
    (rows * positions) as f64
}

/// Σ f(x), side by side.
fn sum<R: Real>(x: &[R], f: impl Fn(f64) -> f64) -> f64 {
    let mut sums = [0.0; SIDE];
    let (whole, rest) = x.as_chunks::<SIDE>();
    for x in whole {
        for k in 0..SIDE {
            sums[k] += f(x[k].to_f64());
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum += f(x.to_f64());
    }
    sums.iter().sum()
}

/// Σ dy and Σ dy·x̂, side by side.
fn sums_of<R: Real>(x: &[R], dy: &[R], channel: &Channel<R>) -> [f64; 2] {
    let (mean, inverse) = (channel.mean.to_f64(), channel.inverse.to_f64());
    let mut sums = [[0.0; SIDE]; 2];
    for (x, dy) in x.chunks(SIDE).zip(dy.chunks(SIDE)) {
        for (k, (x, dy)) in x.iter().zip(dy).enumerate() {
            sums[0][k] += dy.to_f64();
            sums[1][k] += dy.to_f64() * ((x.to_f64() - mean) * inverse);
        }
    }
    sums.map(|sums| sums.iter().sum())
}

impl<R: Real> Layer<R> for Kernel<R> {
    fn begin(&mut self, call: &LayerCall<'_, R>, input: LayerInput<'_, R>) {
        if !call.training || input.rows() == 0 || self.width() == 0 {
            self.set_running(call.parameters);
            return;
        }
        let mut dense = std::mem::take(&mut self.dense);
        let statistics = match input {
            LayerInput::Real { values, .. } => self.statistics(values),
            LayerInput::Spikes { .. } => {
                dense.resize(input.rows() * input.width(), R::ZERO);
                copy(input, &mut dense);
                self.statistics(&dense)
            }
        };
        self.dense = dense;
        if !call.again {
            let n = count(input.rows(), self.positions) * count(call.repeats, 1);
            self.update(&statistics, n);
        }
        self.set(call.parameters, statistics.into_iter());
    }

    fn forward(
        &self,
        call: &LayerCall<'_, R>,
        rows: Range<usize>,
        input: LayerInput<'_, R>,
        output: &mut [R],
        scratch: &mut Vec<R>,
    ) {
        let width = self.width();
        if width == 0 {
            return;
        }
        let factors = self.factors(call);
        for (k, y) in output.chunks_exact_mut(width).enumerate() {
            let x = dense_row(input, k, scratch);
            let parts = x.chunks_exact(self.positions);
            let parts = parts.zip(y.chunks_exact_mut(self.positions));
            for ((x, y), channel) in parts.zip(&self.channels) {
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = channel.apply(x);
                }
            }
            if factors.is_some() {
                let factor = Self::factor(factors, call, rows.start + k);
                y.iter_mut().for_each(|y| *y *= factor);
            }
        }
    }

    fn begin_reverse(
        &mut self,
        call: &LayerCall<'_, R>,
        input: LayerInput<'_, R>,
        output_cotangent: &[R],
    ) {
        let (width, positions, rows) = (self.width(), self.positions, input.rows());
        if width == 0 {
            return;
        }
        let mut dense = std::mem::take(&mut self.dense);
        let x = match input {
            LayerInput::Real { values, .. } => values,
            LayerInput::Spikes { .. } => {
                dense.resize(rows * width, R::ZERO);
                copy(input, &mut dense);
                &dense
            }
        };
        let factors = self.factors(call);
        let of_channel = |(c, channel): (usize, &Channel<R>)| {
            let mut sums = [0.0; 2];
            for row in 0..rows {
                let at = row * width + c * positions;
                let span = at..at + positions;
                let of_row = sums_of(&x[span.clone()], &output_cotangent[span], channel);
                let factor = Self::factor(factors, call, row).to_f64();
                sums[0] += factor * of_row[0];
                sums[1] += factor * of_row[1];
            }
            sums
        };
        self.sums = self
            .channels
            .par_iter()
            .enumerate()
            .map(of_channel)
            .collect();
        self.dense = dense;
        // Statistics that follow the input take a part of the cotangent away.
        let share = if call.training && rows > 0 {
            1.0 / count(rows, positions)
        } else {
            0.0
        };
        for (channel, sums) in self.channels.iter_mut().zip(&self.sums) {
            channel.pull = sums.map(|sum| R::from_f64(sum * share));
        }
    }

    fn reverse(
        &self,
        call: &LayerCall<'_, R>,
        rows: Range<usize>,
        input: LayerInput<'_, R>,
        output_cotangent: &[R],
        input_cotangent: &mut [R],
        scratch: &mut Vec<R>,
    ) {
        let width = self.width();
        if width == 0 {
            return;
        }
        let factors = self.factors(call);
        let cotangents = output_cotangent.chunks_exact(width);
        let cotangents = cotangents.zip(input_cotangent.chunks_exact_mut(width));
        for (k, (dy, dx)) in cotangents.enumerate() {
            let factor = Self::factor(factors, call, rows.start + k);
            let x = dense_row(input, k, scratch);
            for (((x, dy), dx), channel) in x
                .chunks_exact(self.positions)
                .zip(dy.chunks_exact(self.positions))
                .zip(dx.chunks_exact_mut(self.positions))
                .zip(&self.channels)
            {
                let [pull, along] = channel.pull;
                for ((dx, &dy), &x) in dx.iter_mut().zip(dy).zip(x) {
                    let normal = (x - channel.mean) * channel.inverse;
                    *dx += (factor * dy - pull - normal * along) * channel.scale;
                }
            }
        }
    }

    fn add_gradients(
        &mut self,
        call: &LayerCall<'_, R>,
        input: LayerInput<'_, R>,
        output_cotangent: &[R],
        gradients: &mut [Tensor<R>],
    ) {
        if let ([scale, shift, ..], true) = (&mut *gradients, self.of.scale.is_some()) {
            let of_channels = scale.values.iter_mut().zip(&mut shift.values);
            for ((scale, shift), sums) in of_channels.zip(&self.sums) {
                *scale += R::from_f64(sums[1]);
                *shift += R::from_f64(sums[0]);
            }
        }
        let steps = self.of.steps;
        let Some(p) = gradients
            .last_mut()
            .filter(|_| steps > 0 && self.width() > 0)
        else {
            return;
        };
        let rows = output_cotangent.chunks_exact(self.width()).enumerate();
        let of_row = |scratch: &mut Vec<R>, row: usize, dy: &[R]| {
            let x = dense_row(input, row, scratch);
            let parts = x.chunks_exact(self.positions);
            let parts = parts.zip(dy.chunks_exact(self.positions));
            let of_channel = |((x, dy), channel): ((&[R], &[R]), &Channel<R>)| {
                let products = dy.iter().zip(x);
                let products = products.map(|(dy, &x)| dy.to_f64() * channel.apply(x).to_f64());
                products.sum::<f64>()
            };
            parts.zip(&self.channels).map(of_channel).sum::<f64>()
        };
        let of_rows: Vec<f64> = rows
            .collect::<Vec<_>>()
            .into_par_iter()
            .map_init(Vec::new, |scratch, (row, dy)| of_row(scratch, row, dy))
            .collect();
        let mut sums = vec![0.0; steps];
        for (row, sum) in of_rows.iter().enumerate() {
            sums[step(steps, call, row)] += sum;
        }
        for (p, sum) in p.values.iter_mut().zip(sums) {
            *p += R::from_f64(sum);
        }
    }

    fn buffers(&mut self) -> &mut [Tensor<R>] {
        &mut self.buffers
    }
}
