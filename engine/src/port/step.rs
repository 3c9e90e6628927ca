//! Layers for one step of one sample at a time.

use rheobase_equations::real::Real;

use super::{Layer, LayerInput, Tensor};
use crate::plan::WeightFormat;

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

    /// How far an output may be off for each active input of size 1, because weights are not kept as
    /// they were given; 0 where they are.
    fn error(&self) -> f64 {
        0.0
    }
}

/// A layer that has nothing of its own for single steps.
pub(super) fn of_layer<R: Real>(
    layer: Box<dyn Layer<R>>,
    input: &[usize],
    parameters: &[Tensor<R>],
    weights: WeightFormat,
) -> Result<Box<dyn StepLayer<R>>, String> {
    if weights != WeightFormat::Exact && !parameters.is_empty() {
        return Err("its weights can only be kept exactly".to_owned());
    }
    Ok(Box::new(OfLayer {
        layer,
        parameters: parameters.to_vec(),
        width: input.iter().product(),
    }))
}

struct OfLayer<R> {
    layer: Box<dyn Layer<R>>,
    parameters: Vec<Tensor<R>>,
    width: usize,
}

impl<R: Real> StepLayer<R> for OfLayer<R> {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a node has below 2^31 elements"
    )]
    fn step(&mut self, input: StepInput<'_, R>, output: &mut [R]) {
        let width = self.width;
        match input {
            StepInput::Real(values) => {
                let input = LayerInput::Real { values, width };
                self.layer.forward(&self.parameters, input, output);
            }
            StepInput::Spikes(indices) => {
                let input = LayerInput::Spikes {
                    offsets: &[0, indices.len() as u32],
                    indices,
                    width,
                };
                self.layer.forward(&self.parameters, input, output);
            }
        }
    }
}
