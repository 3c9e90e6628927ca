//! Sum: passes on what arrives, which is the sum over its incoming edges.
//!
//! # Equations
//! y = x, where x is the sum of what the edges bring. Backward: dx += dy, for every edge.
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
//! `[rows, …]` → the same.
//!
//! # Semantics
//! Joins the branches of a residual connection. An input that spikes k times in a row becomes k.
//!
//! # Errors
//! More than 2³¹ elements.
//!
//! # Source
//! He et al. 2016, doi:10.1109/CVPR.2016.90, equation 1.
//!
//! # Example
//! ```
//! let sum = rheobase_components::layer("sum", &[])?;
//! assert_eq!(sum.output_shape(&[6, 3, 3]), Ok(vec![6, 3, 3]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::ops::Range;
use std::sync::Arc;

use rheobase_engine::port::{Entry, Layer, LayerCall, LayerInput, LayerShape, LayerType, Tensor};
use rheobase_engine::random::Construction;
use rheobase_equations::real::Real;

use super::matmul::add_to;
use super::window::{elements, narrow};

pub(super) const ENTRY: Entry<Arc<dyn LayerType>> = Entry {
    summary: "passes on the sum of what arrives",
    arguments: &[],
    make: |_| Ok(Arc::new(Sum)),
};

struct Sum;

impl LayerType for Sum {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, String> {
        elements(input).map_err(|message| format!("sum: {message}"))?;
        Ok(input.to_vec())
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

/// Copies.
pub(super) struct Identity;

impl<R: Real> Layer<R> for Identity {
    fn forward(
        &self,
        _call: &LayerCall<'_, R>,
        _rows: Range<usize>,
        input: LayerInput<'_, R>,
        output: &mut [R],
        _scratch: &mut Vec<R>,
    ) {
        copy(input, output);
    }

    fn relay(&self, active: &[u32], fired: &mut Vec<u32>, _marks: &mut Vec<u64>) -> bool {
        relay_all(active, fired)
    }

    fn reverse(
        &self,
        _call: &LayerCall<'_, R>,
        _rows: Range<usize>,
        _input: LayerInput<'_, R>,
        output_cotangent: &[R],
        input_cotangent: &mut [R],
        _scratch: &mut Vec<R>,
    ) {
        add_to(input_cotangent, output_cotangent);
    }
}

/// What arrives goes on.
pub(super) fn relay_all(active: &[u32], fired: &mut Vec<u32>) -> bool {
    fired.clear();
    fired.extend_from_slice(active);
    true
}

/// Writes rows as numbers.
pub(super) fn copy<R: Real>(input: LayerInput<'_, R>, output: &mut [R]) {
    match input {
        LayerInput::Real { values, .. } => output.copy_from_slice(values),
        LayerInput::Spikes {
            offsets,
            indices,
            width,
        } => {
            output.fill(R::ZERO);
            let rows = output.chunks_exact_mut(width.max(1));
            for (row, span) in rows.zip(offsets.windows(2)) {
                for &i in &indices[span[0] as usize..span[1] as usize] {
                    row[i as usize] += R::ONE;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        check_adjoint, check_forward, check_spikes, check_steps, check_threads, made,
    };

    #[test]
    fn values_pass_unchanged() {
        for name in ["sum", "flatten"] {
            let layer = made(name, &[]);
            for shape in [&[5][..], &[2, 3, 4]] {
                check_forward(&*layer, shape, 3, |_, x| x.to_vec());
                check_adjoint(&*layer, shape, 3);
                check_threads(&*layer, shape, 3);
                check_spikes::<f32>(&*layer, shape, 3, 0.4, 1);
                check_spikes::<f64>(&*layer, shape, 3, 0.4, 1);
                assert!(check_steps::<f32>(&*layer, shape, 1));
            }
            let error = layer.output_shape(&[1 << 40, 1 << 40]).unwrap_err();
            assert!(error.contains("make it smaller"));
        }
    }
}
