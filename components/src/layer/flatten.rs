//! Flatten: the same values as a vector.
//!
//! # Equations
//! y = x. Backward: dx += dy.
//!
//! # Update scheme
//! A copy; spikes become numbers. O(in) per row. Step by step, spikes of one population stay a list.
//!
//! # Parameters
//! None.
//!
//! # State
//! None.
//!
//! # Shapes
//! `[rows, …]` → `[rows, product]`; the last axis runs fastest.
//!
//! # Semantics
//! An input that spikes k times in a row becomes k.
//!
//! # Errors
//! More than 2³¹ elements.
//!
//! # Source
//! `torch.nn.Flatten`, PyTorch 2.
//!
//! # Example
//! ```
//! let flatten = rheobase_components::layer("flatten", &[])?;
//! assert_eq!(flatten.output_shape(&[6, 3, 3]), Ok(vec![54]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;

use rheobase_engine::port::{Entry, Layer, LayerShape, LayerType, Tensor};
use rheobase_engine::random::Construction;

use super::sum::Identity;
use super::window::{elements, narrow};

pub(super) const ENTRY: Entry<Arc<dyn LayerType>> = Entry {
    summary: "the same values as a vector",
    arguments: &[],
    make: |_| Ok(Arc::new(Flatten)),
};

struct Flatten;

impl LayerType for Flatten {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, String> {
        let n = elements(input).map_err(|message| format!("flatten: {message}"))?;
        Ok(vec![n])
    }

    fn parameters(&self, _input: &[usize], _random: &mut Construction) -> Vec<Tensor<f64>> {
        Vec::new()
    }

    fn layer_f32(&self, _input: &[usize]) -> Box<dyn Layer<f32>> {
        Box::new(Identity)
    }

    fn layer_f64(&self, _input: &[usize]) -> Box<dyn Layer<f64>> {
        Box::new(Identity)
    }

    fn on_device(&self, input: &[usize]) -> Option<LayerShape> {
        let n = narrow(elements(input).ok()?).filter(|&n| n > 0)?;
        Some(LayerShape::Copy { n })
    }
}
