//! From the precision-free ports to instances for one precision.

use rheobase_equations::native::{NativeReverse, ReverseFn};
use rheobase_equations::real::Real;

use crate::plan::WeightFormat;
use crate::port::{
    Drive, DriveType, Kernel, Layer, LayerType, NeuronType, StepLayer, StimulusContext, Tensor,
};

/// Picks the f32 or f64 instance of a port.
pub trait Instantiate: Real {
    /// Kernel of a neuron type.
    fn kernel(neuron: &dyn NeuronType) -> Box<dyn Kernel<Self>>;
    /// A compiled reverse.
    fn reverse(native: NativeReverse) -> ReverseFn<Self>;
    /// Instance of a drive.
    fn drive(drive: &dyn DriveType, context: StimulusContext) -> Box<dyn Drive<Self>>;
    /// Computation of a layer for an input of this shape.
    fn layer(layer: &dyn LayerType, input: &[usize]) -> Box<dyn Layer<Self>>;
    /// Computation of a layer step by step.
    ///
    /// # Errors
    /// A sentence that says why the weights cannot be kept in that form.
    fn step_layer(
        layer: &dyn LayerType,
        input: &[usize],
        parameters: &[Tensor<Self>],
        weights: WeightFormat,
    ) -> Result<Box<dyn StepLayer<Self>>, String>;
}

impl Instantiate for f32 {
    fn kernel(neuron: &dyn NeuronType) -> Box<dyn Kernel<Self>> {
        neuron.kernel_f32()
    }
    fn reverse(native: NativeReverse) -> ReverseFn<Self> {
        native.reverse_f32
    }
    fn drive(drive: &dyn DriveType, context: StimulusContext) -> Box<dyn Drive<Self>> {
        drive.instantiate_f32(context)
    }
    fn layer(layer: &dyn LayerType, input: &[usize]) -> Box<dyn Layer<Self>> {
        layer.layer_f32(input)
    }
    fn step_layer(
        layer: &dyn LayerType,
        input: &[usize],
        parameters: &[Tensor<Self>],
        weights: WeightFormat,
    ) -> Result<Box<dyn StepLayer<Self>>, String> {
        layer.step_layer_f32(input, parameters, weights)
    }
}

impl Instantiate for f64 {
    fn kernel(neuron: &dyn NeuronType) -> Box<dyn Kernel<Self>> {
        neuron.kernel_f64()
    }
    fn reverse(native: NativeReverse) -> ReverseFn<Self> {
        native.reverse_f64
    }
    fn drive(drive: &dyn DriveType, context: StimulusContext) -> Box<dyn Drive<Self>> {
        drive.instantiate_f64(context)
    }
    fn layer(layer: &dyn LayerType, input: &[usize]) -> Box<dyn Layer<Self>> {
        layer.layer_f64(input)
    }
    fn step_layer(
        layer: &dyn LayerType,
        input: &[usize],
        parameters: &[Tensor<Self>],
        weights: WeightFormat,
    ) -> Result<Box<dyn StepLayer<Self>>, String> {
        layer.step_layer_f64(input, parameters, weights)
    }
}
