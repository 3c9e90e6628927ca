//! Adaptive average pooling: averages over windows chosen so that the output has a given size.
//!
//! # Equations
//! Output i of n along an axis of m inputs averages the inputs from ⌊i·m/n⌋ up to, but without,
//! ⌈(i + 1)·m/n⌉. Backward: every input of a window gets dy over the size of the window.
//!
//! # Update scheme
//! Each sum adds the inputs of its window line by line, and is divided once.
//! O(out · window) per row; spikes are written out as numbers first.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `output_size` | 1 | required | 1 to 65,536 |
//!
//! The size is one number for both axes, or a list \[height, width\].
//!
//! # State
//! None.
//!
//! # Shapes
//! `[rows, channels, height, width]` → `[rows, channels, height', width']`, as `output_size` says.
//!
//! # Semantics
//! An input that spikes k times in a row counts k times. Windows overlap where sizes do not divide,
//! and repeat inputs where the output is the larger.
//!
//! # Errors
//! An input that is not `[channels, height, width]`, or empty.
//!
//! # Source
//! `torch.nn.AdaptiveAvgPool2d`, PyTorch 2.
//!
//! # Example
//! ```
//! use rheobase_engine::plan::WeightFormat;
//! use rheobase_engine::port::StepInput;
//!
//! let pool = rheobase_components::layer("adaptive_avg_pool2d", &[("output_size", "1".into())])?;
//! assert_eq!(pool.output_shape(&[2, 1, 4]), Ok(vec![2, 1, 1]));
//! let mut step = pool.step_layer_f64(&[2, 1, 4], &[], WeightFormat::Exact)?;
//! let mut output = [0.0; 2];
//! step.step(StepInput::Spikes(&[0, 4, 7]), &mut output);
//! assert_eq!(output, [0.25, 0.5]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::port::{Entry, Layer, LayerShape, LayerType, Tensor};
use rheobase_engine::random::Construction;
use rheobase_equations::real::Real;

use super::pool::{Averages, Spans, axes};
use super::window::{elements, narrow, narrow_both, sizes};

pub(super) const ENTRY: Entry<Arc<dyn LayerType>> = Entry {
    summary: "averages over windows chosen so that the output has a given size",
    arguments: &[ArgumentSpec {
        name: "output_size",
        kind: ArgumentKind::Sizes,
        default: None,
        doc: "size of the output",
    }],
    make,
};

const NAME: &str = "adaptive_avg_pool2d";

struct AdaptiveAvgPool {
    output: [usize; 2],
}

fn make(arguments: &Arguments) -> Result<Arc<dyn LayerType>, ArgumentError> {
    Ok(Arc::new(AdaptiveAvgPool {
        output: sizes(arguments, "output_size", 2, 1, 1)?,
    }))
}

impl AdaptiveAvgPool {
    fn spans(&self, input: &[usize]) -> Result<Spans, String> {
        let (channels, input) = axes(NAME, input)?;
        elements(&[channels, self.output[0], self.output[1]])
            .map_err(|message| format!("{NAME}: {message}"))?;
        let spans = [0, 1].map(|axis| {
            // Below 2^31 · 2^16.
            let (m, n) = (input[axis], self.output[axis]);
            let span = |i: usize| i * m / n..((i + 1) * m).div_ceil(n);
            (0..n).map(span).collect()
        });
        Ok(Spans {
            channels,
            input,
            spans,
        })
    }

    fn kernel<R: Real>(&self, input: &[usize]) -> Averages<R> {
        // A shape that `output_shape` has refused computes nothing.
        Averages::new(self.spans(input).unwrap_or_default(), None)
    }
}

impl LayerType for AdaptiveAvgPool {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, String> {
        let spans = self.spans(input)?;
        Ok(vec![spans.channels, self.output[0], self.output[1]])
    }

    fn parameters(&self, _input: &[usize], _random: &mut Construction) -> Vec<Tensor<f64>> {
        Vec::new()
    }

    fn layer_f32(&self, input: &[usize]) -> Box<dyn Layer<f32>> {
        Box::new(self.kernel(input))
    }

    fn layer_f64(&self, input: &[usize]) -> Box<dyn Layer<f64>> {
        Box::new(self.kernel(input))
    }

    fn on_device(&self, input: &[usize]) -> Option<LayerShape> {
        let spans = self.spans(input).ok()?;
        let axes = spans.input.iter().zip(self.output);
        // Where windows begin is computed in 32 bits.
        let mut products = axes.map(|(&m, n)| (m + 1).checked_mul(n + 1));
        if !products.all(|product| product.is_some_and(|p| p < 1 << 31)) {
            return None;
        }
        let [height, width] = narrow_both(spans.input)?;
        let [out_height, out_width] = narrow_both(self.output)?;
        Some(LayerShape::AdaptiveAvgPool2d {
            channels: narrow(spans.channels)?,
            height,
            width,
            out_height,
            out_width,
        })
    }
}
