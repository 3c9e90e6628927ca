//! Dropout: in training, inputs are set to 0 at random, the same ones at every step of a pass.
//!
//! # Equations
//! In training y = x·m/(1 − p), with m = 0 with probability p and 1 otherwise, drawn for every element
//! of every sample, once for all steps of a pass. In evaluation y = x. Backward: dx += dy·m/(1 − p).
//!
//! # Update scheme
//! Element i of sample b has the word of lane b·width + i, step = number of the pass, draw 0, of the
//! layer's Philox stream, and is dropped where that word is below p·2³². The mask is drawn when a pass
//! begins. O(in) per sample, then O(in) per row. Step by step nothing is dropped, and spikes of one
//! population stay a list.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `p` | 1 | 0.5 | 0 to 1 |
//!
//! # State
//! None over time. The mask is kept for its pass, a number for every element of every sample; a pass
//! that is computed again has the mask of the first time.
//!
//! # Shapes
//! `[rows, …]` → the same.
//!
//! # Semantics
//! The mask of a sample does not depend on the step, so that a neuron that is dropped stays silent
//! for the whole pass. With p = 1 all is 0. An input that spikes k times in a row counts k times.
//!
//! # Errors
//! p outside 0 to 1; more than 2³¹ elements.
//!
//! # Source
//! Srivastava et al. 2014, JMLR 15, 1929–1958; the mask over time as in
//! `spikingjelly.activation_based.layer.Dropout`, SpikingJelly 2.0.0.
//!
//! # Example
//! ```
//! use rheobase_engine::plan::WeightFormat;
//! use rheobase_engine::port::StepInput;
//!
//! let dropout = rheobase_components::layer("dropout", &[("p", "0.2".into())])?;
//! assert_eq!(dropout.output_shape(&[6, 3, 3]), Ok(vec![6, 3, 3]));
//! // Single steps are evaluation: nothing is dropped.
//! let mut step = dropout.step_layer_f64(&[3], &[], WeightFormat::Exact)?;
//! let mut output = [0.0; 3];
//! step.step(StepInput::Real(&[1.0, 2.0, 3.0]), &mut output);
//! assert_eq!(output, [1.0, 2.0, 3.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::port::{Entry, Layer, LayerCall, LayerInput, LayerShape, LayerType, Tensor};
use rheobase_engine::random::{Construction, Philox};
use rheobase_equations::real::Real;

use super::matmul::add_to;
use super::sum::{copy, relay_all};
use super::window::{elements, narrow};

pub(super) const ENTRY: Entry<Arc<dyn LayerType>> = Entry {
    summary: "in training, inputs set to 0 at random, the same at every step of a pass",
    arguments: &[ArgumentSpec {
        name: "p",
        kind: ArgumentKind::Number,
        default: Some("0.5"),
        doc: "probability that an input is set to 0",
    }],
    make,
};

/// Words drawn at a time: whole groups of four lanes.
const WORDS: usize = 256;

#[derive(Clone, Copy, Debug)]
struct Dropout {
    /// Words below are dropped.
    threshold: u64,
    /// What the others are multiplied by.
    scale: f64,
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to 2^32"
)]
fn make(arguments: &Arguments) -> Result<Arc<dyn LayerType>, ArgumentError> {
    let p = arguments.number("p")?;
    if !(0.0..=1.0).contains(&p) {
        return Err(ArgumentError::new(
            "p",
            format!("expected 0 to 1, found {p}"),
        ));
    }
    Ok(Arc::new(Dropout {
        threshold: (p * 4_294_967_296.0).round() as u64,
        scale: if p < 1.0 { 1.0 / (1.0 - p) } else { 0.0 },
    }))
}

impl LayerType for Dropout {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, String> {
        elements(input).map_err(|message| format!("dropout: {message}"))?;
        Ok(input.to_vec())
    }

    fn parameters(&self, _input: &[usize], _random: &mut Construction) -> Vec<Tensor<f64>> {
        Vec::new()
    }

    fn layer_f32(&self, input: &[usize]) -> Box<dyn Layer<f32>> {
        Box::new(Kernel::new(*self, input))
    }

    fn layer_f64(&self, input: &[usize]) -> Box<dyn Layer<f64>> {
        Box::new(Kernel::new(*self, input))
    }

    fn on_device(&self, input: &[usize]) -> Option<LayerShape> {
        Some(LayerShape::Dropout {
            n: narrow(elements(input).ok()?).filter(|&n| n > 0)?,
            threshold: self.threshold,
            scale: self.scale,
        })
    }
}

struct Kernel<R> {
    of: Dropout,
    width: usize,
    /// Factors of all elements of all samples.
    mask: Vec<R>,
    /// The stream and the pass that they are of.
    drawn: Option<(Philox, u64)>,
}

impl<R: Real> Kernel<R> {
    fn new(of: Dropout, input: &[usize]) -> Self {
        Self {
            of,
            width: input.iter().product(),
            mask: Vec::new(),
            drawn: None,
        }
    }

    /// Draws the mask of a pass, unless it is there. Lanes of more than 2³² elements come round again.
    fn draw(&mut self, call: &LayerCall<'_, R>) {
        let n = self.width * call.batch;
        let of_pass = Some((call.stream, call.pass));
        if !call.training || (self.drawn == of_pass && self.mask.len() == n) {
            return;
        }
        self.drawn = of_pass;
        self.mask.resize(n, R::ZERO);
        let (threshold, scale) = (self.of.threshold, R::from_f64(self.of.scale));
        let parts = self.mask.par_chunks_mut(WORDS).enumerate();
        parts.for_each(|(k, mask)| {
            let mut words = [0_u32; WORDS];
            let words = &mut words[..mask.len()];
            call.stream.fill(low(k * WORDS), call.pass, 0, words);
            for (factor, &word) in mask.iter_mut().zip(&*words) {
                let kept = u64::from(word) >= threshold;
                *factor = if kept { scale } else { R::ZERO };
            }
        });
    }

    /// The factors of a row.
    fn factors(&self, call: &LayerCall<'_, R>, row: usize) -> &[R] {
        let sample = row % call.batch.max(1);
        &self.mask[sample * self.width..(sample + 1) * self.width]
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "lanes are counted in 32 bits"
)]
fn low(n: usize) -> u32 {
    n as u32
}

impl<R: Real> Layer<R> for Kernel<R> {
    fn begin(&mut self, call: &LayerCall<'_, R>, _input: LayerInput<'_, R>) {
        self.draw(call);
    }

    fn forward(
        &self,
        call: &LayerCall<'_, R>,
        rows: Range<usize>,
        input: LayerInput<'_, R>,
        output: &mut [R],
        _scratch: &mut Vec<R>,
    ) {
        copy(input, output);
        if !call.training || self.width == 0 {
            return;
        }
        for (k, y) in output.chunks_exact_mut(self.width).enumerate() {
            let factors = self.factors(call, rows.start + k);
            match input {
                LayerInput::Real { .. } => {
                    for (y, &factor) in y.iter_mut().zip(factors) {
                        *y *= factor;
                    }
                }
                LayerInput::Spikes {
                    offsets, indices, ..
                } => {
                    let active = &indices[offsets[k] as usize..offsets[k + 1] as usize];
                    for (n, &i) in active.iter().enumerate() {
                        // An input that stands several times has been counted, and is scaled once.
                        if n == 0 || active[n - 1] != i {
                            y[i as usize] *= factors[i as usize];
                        }
                    }
                }
            }
        }
    }

    fn relay(&self, active: &[u32], fired: &mut Vec<u32>, _marks: &mut Vec<u64>) -> bool {
        relay_all(active, fired)
    }

    fn begin_reverse(
        &mut self,
        call: &LayerCall<'_, R>,
        _input: LayerInput<'_, R>,
        _output_cotangent: &[R],
    ) {
        self.draw(call);
    }

    fn reverse(
        &self,
        call: &LayerCall<'_, R>,
        rows: Range<usize>,
        _input: LayerInput<'_, R>,
        output_cotangent: &[R],
        input_cotangent: &mut [R],
        _scratch: &mut Vec<R>,
    ) {
        if !call.training || self.width == 0 {
            add_to(input_cotangent, output_cotangent);
            return;
        }
        let cotangents = output_cotangent.chunks_exact(self.width);
        let cotangents = cotangents.zip(input_cotangent.chunks_exact_mut(self.width));
        for (row, (dy, dx)) in rows.zip(cotangents) {
            let factors = self.factors(call, row);
            for ((dx, &dy), &factor) in dx.iter_mut().zip(dy).zip(factors) {
                *dx += dy * factor;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rheobase_engine::port::LayerCall;

    use super::super::testing::{
        call, check_adjoint, check_spikes, check_steps, check_threads, forward, made, numbers,
        real, refused,
    };

    #[test]
    fn the_mask_of_a_sample_is_that_of_the_pass() {
        let (width, batch, steps) = (301, 3, 4);
        let dropout = made("dropout", &[("p", "0.25")]);
        let x = vec![1.0; width * batch * steps];
        let mut layer = dropout.layer_f64(&[width]);
        let mut pass = |pass: u64| {
            let call = LayerCall {
                pass,
                ..call(&[], batch)
            };
            forward(layer.as_mut(), &call, real(&x, width), width)
        };
        let y = pass(3);
        let mask = &y[..width * batch];
        assert!(mask.iter().all(|&y| y == 0.0 || y == 1.0 / 0.75));
        for step in y.chunks(width * batch) {
            assert_eq!(step, mask);
        }
        assert!(mask[..width] != mask[width..2 * width]);
        // The lanes are numbered over the whole batch.
        let stream = call::<f64>(&[], batch).stream;
        for (lane, &y) in (0..).zip(mask) {
            let kept = f64::from(stream.word(lane, 3, 0)) >= 0.25 * 4_294_967_296.0;
            assert_eq!(y > 0.0, kept);
        }
        assert_eq!(pass(3), y);
        assert!(pass(4) != y);
    }

    /// Within 3 standard errors of p, over 10⁵ elements.
    #[test]
    fn so_many_are_dropped() {
        for p in [0.1, 0.5, 0.9] {
            let dropout = made("dropout", &[("p", &p.to_string())]);
            let n = 100_000;
            let mut layer = dropout.layer_f32(&[n]);
            let y = forward(layer.as_mut(), &call(&[], 1), real(&vec![1.0; n], n), n);
            let share = y.iter().filter(|&&y| y == 0.0).count() as f64 / n as f64;
            println!("p = {p}: {share}");
            assert!((share - p).abs() < 3.0 * (p * (1.0 - p) / n as f64).sqrt());
        }
    }

    #[test]
    fn evaluation_changes_nothing() {
        let dropout = made("dropout", &[]);
        let x = numbers(60, 1);
        let mut layer = dropout.layer_f64(&[20]);
        let evaluation = LayerCall {
            training: false,
            ..call(&[], 3)
        };
        assert_eq!(forward(layer.as_mut(), &evaluation, real(&x, 20), 20), x);
        assert!(check_steps::<f64>(&*dropout, &[20], 2));
    }

    #[test]
    fn all_or_nothing() {
        for (p, factor) in [("0", 1.0), ("1", 0.0)] {
            let dropout = made("dropout", &[("p", p)]);
            let x = numbers(60, 1);
            let mut layer = dropout.layer_f64(&[20]);
            let y = forward(layer.as_mut(), &call(&[], 3), real(&x, 20), 20);
            assert!(y.iter().zip(&x).all(|(y, x)| *y == x * factor));
        }
    }

    #[test]
    fn an_input_that_spikes_twice_counts_twice() {
        let dropout = made("dropout", &[("p", "0.5")]);
        let (offsets, indices) = (
            &[0, 40][..],
            (0..20).flat_map(|i| [i, i]).collect::<Vec<_>>(),
        );
        let spikes = rheobase_engine::port::LayerInput::Spikes {
            offsets,
            indices: &indices,
            width: 20,
        };
        let mut layer = dropout.layer_f64(&[20]);
        let y = forward(layer.as_mut(), &call(&[], 1), spikes, 20);
        assert!(y.iter().all(|&y| y == 0.0 || y == 4.0) && y.contains(&4.0));
    }

    #[test]
    fn backward_is_the_adjoint_of_forward() {
        let dropout = made("dropout", &[]);
        check_adjoint(&*dropout, &[3, 37], 4);
        check_threads(&*dropout, &[700], 4);
    }

    proptest! {
        #[test]
        fn spikes_give_the_bits_of_zeros_and_ones(
            (width, rows) in (1_usize..600, 1_usize..5),
            density in 0.0..0.8,
            seed in 0_u64..1000,
        ) {
            let dropout = made("dropout", &[("p", "0.3")]);
            check_spikes::<f32>(&*dropout, &[width], rows, density, seed);
            check_spikes::<f64>(&*dropout, &[width], rows, density, seed);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(refused("dropout", &[("p", "1.5")]).contains("0 to 1"));
        let dropout = made("dropout", &[]);
        assert!(dropout.output_shape(&[1 << 40, 1 << 40]).is_err());
    }
}
