//! Layers for one step of one sample at a time.

use rheobase_equations::real::Real;

use super::{Layer, LayerCall, LayerInput, Tensor};
use crate::plan::WeightFormat;
use crate::random::{Philox, Purpose};

/// What arrives in one step of one sample.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum StepInput<'a, R> {
    /// A value for every element.
    Real(&'a [R]),
    /// Elements that fired, ascending; one that stands k times counts k.
    Spikes(&'a [u32]),
}

/// A layer with its weights laid out for one step of one sample at a time.
pub trait StepLayer<R: Real>: Send {
    /// Overwrites `output`. Allocates nothing.
    fn step(&mut self, input: StepInput<'_, R>, output: &mut [R]);

    /// As [`Layer::relay`], for one sample at a time.
    fn relay(&mut self, _active: &[u32], _fired: &mut Vec<u32>) -> bool {
        false
    }

    /// How far an output may be off for each active input of size 1, because weights are not kept as
    /// they were given; 0 where they are.
    fn error(&self) -> f64 {
        0.0
    }
}

/// A layer that has nothing of its own for single steps.
pub(super) fn of_layer<R: Real>(
    mut layer: Box<dyn Layer<R>>,
    (input, n_out): (&[usize], usize),
    parameters: &[Tensor<R>],
    weights: WeightFormat,
) -> Result<Box<dyn StepLayer<R>>, String> {
    if weights != WeightFormat::Exact && !parameters.is_empty() {
        return Err("its weights can only be kept exactly".to_owned());
    }
    let width = input.iter().product();
    // Buffers come with the parameters; the layer keeps them itself.
    for buffer in layer.buffers() {
        let given = parameters.iter().find(|t| t.name == buffer.name);
        if let Some(given) = given.filter(|t| t.values.len() == buffer.values.len()) {
            buffer.values.copy_from_slice(&given.values);
        }
    }
    let mut of_layer = OfLayer {
        layer,
        parameters: parameters.to_vec(),
        width,
        stream: Philox::new(0, Purpose::Layer, 0),
        scratch: Vec::new(),
        marks: Vec::new(),
    };
    let (call, layer) = of_layer.call();
    let none = LayerInput::Real { values: &[], width };
    layer.begin(&call, none);
    of_layer.walk(n_out);
    Ok(Box::new(of_layer))
}

struct OfLayer<R> {
    layer: Box<dyn Layer<R>>,
    parameters: Vec<Tensor<R>>,
    width: usize,
    /// Nothing is drawn outside training.
    stream: Philox,
    scratch: Vec<R>,
    marks: Vec<u64>,
}

impl<R: Real> OfLayer<R> {
    fn call(&mut self) -> (LayerCall<'_, R>, &mut dyn Layer<R>) {
        let call = LayerCall {
            parameters: &self.parameters,
            training: false,
            again: false,
            batch: 1,
            first_step: 0,
            repeats: 1,
            stream: self.stream,
            pass: 0,
            version: 0,
        };
        (call, self.layer.as_mut())
    }
}

impl<R: Real> OfLayer<R> {
    /// Takes steps of every kind, so that later ones find all the memory they need.
    fn walk(&mut self, n_out: usize) {
        let mut output = vec![R::ZERO; n_out];
        let all: Vec<u32> = (0..u32::MAX).take(self.width).collect();
        self.step(StepInput::Real(&vec![R::ZERO; self.width]), &mut output);
        self.step(StepInput::Spikes(&all[..all.len().min(1)]), &mut output);
        self.step(StepInput::Spikes(&all), &mut output);
        self.relay(&all, &mut Vec::new());
    }
}

impl<R: Real> StepLayer<R> for OfLayer<R> {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a node has below 2^31 elements"
    )]
    fn step(&mut self, input: StepInput<'_, R>, output: &mut [R]) {
        let width = self.width;
        let offsets;
        let input = match input {
            StepInput::Real(values) => LayerInput::Real { values, width },
            StepInput::Spikes(indices) => {
                offsets = [0, indices.len() as u32];
                LayerInput::Spikes {
                    offsets: &offsets,
                    indices,
                    width,
                }
            }
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        let (call, layer) = self.call();
        layer.forward(&call, 0..1, input, output, &mut scratch);
        self.scratch = scratch;
    }

    fn relay(&mut self, active: &[u32], fired: &mut Vec<u32>) -> bool {
        self.layer.relay(active, fired, &mut self.marks)
    }
}
