//! Layers: what maps whole sequences at once, without memory from step to step.

use std::ops::Range;

use rheobase_equations::real::Real;
pub use rheobase_shaders::LayerShape;

use super::step;
use super::{StepLayer, Tensor};
use crate::plan::WeightFormat;
use crate::random::{Construction, Philox, Purpose, construction_stream};

/// A kind of layer: stateless over time, maps what arrives at a step to real values.
pub trait LayerType: Send + Sync {
    /// Shape of the output for an input of this shape, without the batch axis.
    ///
    /// # Errors
    /// A sentence that says which shape was expected.
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, String>;

    /// Initial parameters for an input of this shape.
    fn parameters(&self, input: &[usize], random: &mut Construction) -> Vec<Tensor<f64>>;

    /// Number of parameters for an input of this shape, for the memory estimate.
    fn parameter_count(&self, input: &[usize]) -> usize {
        let mut random = construction_stream(0, Purpose::Layer, 0, 0);
        self.parameters(input, &mut random)
            .iter()
            .map(|t| t.values.len())
            .sum()
    }

    /// Whether a row of the output depends on other rows (statistics over the batch): such a layer needs
    /// all steps at once, and cannot stand in a cycle.
    fn mixes_rows(&self) -> bool {
        false
    }

    /// Whether the same input gives another output at another step.
    fn depends_on_step(&self) -> bool {
        false
    }

    /// The computation in f32.
    fn layer_f32(&self, input: &[usize]) -> Box<dyn Layer<f32>>;

    /// The computation in f64.
    fn layer_f64(&self, input: &[usize]) -> Box<dyn Layer<f64>>;

    /// What it computes, where a device can do the same.
    fn on_device(&self, _input: &[usize]) -> Option<LayerShape> {
        None
    }

    /// The computation for one step of one sample at a time, in f32, with these parameters and, after
    /// them, buffers ([`Layer::buffers`]); buffers that are not given are as at first. The results have the bits of [`Layer::forward`] outside training where weights are kept exactly.
    ///
    /// # Errors
    /// A sentence that says why the weights cannot be kept in that form.
    fn step_layer_f32(
        &self,
        input: &[usize],
        parameters: &[Tensor<f32>],
        weights: WeightFormat,
    ) -> Result<Box<dyn StepLayer<f32>>, String> {
        let n_out = self.output_shape(input)?.iter().product();
        let layer = self.layer_f32(input);
        step::of_layer(layer, (input, n_out), parameters, weights)
    }

    /// As [`Self::step_layer_f32`], in f64.
    ///
    /// # Errors
    /// A sentence that says why the weights cannot be kept in that form.
    fn step_layer_f64(
        &self,
        input: &[usize],
        parameters: &[Tensor<f64>],
        weights: WeightFormat,
    ) -> Result<Box<dyn StepLayer<f64>>, String> {
        let n_out = self.output_shape(input)?.iter().product();
        let layer = self.layer_f64(input);
        step::of_layer(layer, (input, n_out), parameters, weights)
    }
}

/// The computation of a layer. Rows are steps × batch: row r belongs to sample r mod batch.
///
/// In a pass, [`Self::begin`] comes first, with all rows; then [`Self::forward`] is called for ranges
/// of rows, in any order and on any thread. Back-propagation goes the same way: [`Self::begin_reverse`],
/// [`Self::reverse`] for ranges of rows, and [`Self::add_gradients`] for all rows. What is returned must
/// not depend on how rows are cut into ranges, nor on the number of threads of the rayon pool that the
/// calls run in.
pub trait Layer<R: Real>: Send + Sync {
    /// Prepares a pass: lays out weights, takes statistics. Spikes may be given with no rows where
    /// [`LayerType::mixes_rows`] says that they do not matter.
    fn begin(&mut self, _call: &LayerCall<'_, R>, _input: LayerInput<'_, R>) {}

    /// Overwrites `output` (`[rows, out]`) for the rows in `rows`, all of whose values are in `input`.
    /// `scratch` is memory to work with, of any length and content.
    fn forward(
        &self,
        call: &LayerCall<'_, R>,
        rows: Range<usize>,
        input: LayerInput<'_, R>,
        output: &mut [R],
        scratch: &mut Vec<R>,
    );

    /// For layers that make 0s and 1s of 0s and 1s outside training: writes to `fired` the elements of
    /// the output that are 1, ascending, where the inputs in `active` (ascending, each once) are 1 and
    /// all others 0, and returns whether this is such a layer. What is 1 then passes as a list, without
    /// an array between. `marks` is memory to work with, of any length and content.
    fn relay(&self, _active: &[u32], _fired: &mut Vec<u32>, _marks: &mut Vec<u64>) -> bool {
        false
    }

    /// Prepares back-propagation: all rows of the input and of the cotangent of the output.
    fn begin_reverse(
        &mut self,
        _call: &LayerCall<'_, R>,
        _input: LayerInput<'_, R>,
        _output_cotangent: &[R],
    ) {
    }

    /// Adds to `input_cotangent` (`[rows, in]`) what `output_cotangent` (`[rows, out]`) implies.
    fn reverse(
        &self,
        call: &LayerCall<'_, R>,
        rows: Range<usize>,
        input: LayerInput<'_, R>,
        output_cotangent: &[R],
        input_cotangent: &mut [R],
        scratch: &mut Vec<R>,
    );

    /// Adds the cotangents of the parameters, rows in ascending order: `gradients` has the shapes of the
    /// parameters.
    fn add_gradients(
        &mut self,
        _call: &LayerCall<'_, R>,
        _input: LayerInput<'_, R>,
        _output_cotangent: &[R],
        _gradients: &mut [Tensor<R>],
    ) {
    }

    /// Arrays that are not trained but belong to the network (running statistics): saved with the
    /// parameters.
    fn buffers(&mut self) -> &mut [Tensor<R>] {
        &mut []
    }
}

/// In which pass a layer computes.
#[derive(Clone, Copy, Debug)]
pub struct LayerCall<'a, R> {
    /// Trained parameters, as [`LayerType::parameters`] names them.
    pub parameters: &'a [Tensor<R>],
    /// Training, rather than evaluation.
    pub training: bool,
    /// The pass is computed again for back-propagation: running statistics have been updated.
    pub again: bool,
    /// Samples; row r belongs to sample r mod batch.
    pub batch: usize,
    /// Step of the first row, from 0.
    pub first_step: usize,
    /// Steps that each row stands for: more than 1 where the input is the same in all of them.
    pub repeats: usize,
    /// The layer's random stream.
    pub stream: Philox,
    /// Number of the pass: what is drawn once for a sample is drawn anew in each.
    pub pass: u64,
    /// The same in two calls where the parameters are; 0 where nobody keeps count.
    pub version: u64,
}

/// What a layer reads: real values, or spikes.
#[derive(Clone, Copy, Debug)]
pub enum LayerInput<'a, R> {
    /// `[rows, width]`, row-major.
    Real {
        /// Values.
        values: &'a [R],
        /// Length of a row.
        width: usize,
    },
    /// Index lists: row r holds `indices[offsets[r] .. offsets[r + 1]]`, ascending; an index that
    /// stands k times counts k.
    Spikes {
        /// Start of each row; `rows + 1` entries.
        offsets: &'a [u32],
        /// Active inputs; what stands behind the last offset has no meaning.
        indices: &'a [u32],
        /// Length of a row.
        width: usize,
    },
}

impl<'a, R: Real> LayerInput<'a, R> {
    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        match *self {
            Self::Real { values, width } => values.len() / width.max(1),
            Self::Spikes { offsets, .. } => offsets.len().saturating_sub(1),
        }
    }

    /// Length of a row.
    #[must_use]
    pub fn width(&self) -> usize {
        match *self {
            Self::Real { width, .. } | Self::Spikes { width, .. } => width,
        }
    }

    /// Some of the rows.
    ///
    /// # Panics
    /// If there are not as many.
    #[must_use]
    pub fn slice(&self, rows: Range<usize>) -> LayerInput<'a, R> {
        match *self {
            Self::Real { values, width } => LayerInput::Real {
                values: &values[rows.start * width..rows.end * width],
                width,
            },
            Self::Spikes {
                offsets,
                indices,
                width,
            } => LayerInput::Spikes {
                offsets: &offsets[rows.start..=rows.end],
                indices,
                width,
            },
        }
    }

    /// Share of inputs that are not known to be 0.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    pub fn activity(&self) -> f64 {
        match *self {
            Self::Real { .. } => 1.0,
            Self::Spikes { offsets, width, .. } => {
                let n =
                    offsets.last().copied().unwrap_or(0) - offsets.first().copied().unwrap_or(0);
                f64::from(n) / ((self.rows() * width).max(1) as f64)
            }
        }
    }

    /// Writes the rows out as numbers: `[rows, width]`.
    pub fn write_dense(&self, to: &mut Vec<R>) {
        match *self {
            Self::Real { values, .. } => {
                to.clear();
                to.extend_from_slice(values);
            }
            Self::Spikes {
                offsets,
                indices,
                width,
            } => {
                to.clear();
                to.resize(self.rows() * width, R::ZERO);
                for (row, span) in to.chunks_exact_mut(width).zip(offsets.windows(2)) {
                    for &i in &indices[span[0] as usize..span[1] as usize] {
                        row[i as usize] += R::ONE;
                    }
                }
            }
        }
    }
}
