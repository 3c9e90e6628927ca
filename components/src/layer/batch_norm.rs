//! Batch normalisation: every channel is shifted and scaled to a mean of 0 and a variance of 1, then to
//! a trained shift and scale.
//!
//! # Equations
//! y = γ·(x − μ)/√(σ² + ε) + β for each channel. In training μ and σ² are the mean and the biased
//! variance of the channel over all rows and positions, n numbers in all, and the running statistics
//! follow them: m ← (1 − momentum)·m + momentum·μ, and likewise v with σ²·n/(n − 1). In evaluation
//! μ = m and σ² = v. With x̂ = (x − μ)/√(σ² + ε), backward in training:
//! dx += γ/√(σ² + ε) · (dy − mean(dy) − x̂·mean(dy·x̂)); in evaluation dx += γ/√(σ² + ε) · dy; in both
//! dγ += Σ dy·x̂ and dβ += Σ dy.
//!
//! Variants:
//! - `plain`.
//! - `td` (threshold-dependent): γ starts at `alpha` · `v_threshold`, so that inputs of the neurons
//!   that follow are spread in proportion to their threshold.
//! - `te` (temporal effective): step t multiplies all of y by a trained p\[t\], which starts at 1.
//!   dp\[t\] += Σ dy · y/p\[t\].
//!
//! # Update scheme
//! Statistics in f64, the mean first, then squares about it; rows in ascending order, within a row
//! eight sums side by side. Channels are cut among threads, so the bits do not depend on their number.
//! O(in) per row.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `eps` | 1 | 1e-5 | > 0 |
//! | `momentum` | 1 | 0.1 | 0 to 1 |
//! | `affine` | – | true | – |
//! | `variant` | – | plain | plain, td, te |
//! | `alpha` | 1 | 1 | finite |
//! | `v_threshold` | 1 | 1 | finite |
//! | `steps` | 1 | – | 1 to 65,536; required by `te`, for it alone |
//!
//! Trained parameters: with `affine`, `weight` (γ) `[channels]`, from 1 (or as `td` says), and `bias`
//! (β) `[channels]`, from 0; for `te`, `p` `[steps]`.
//!
//! # State
//! Buffers `running_mean` `[channels]`, from 0, and `running_var` `[channels]`, from 1. They are updated
//! once in each pass in training.
//!
//! # Shapes
//! `[rows, channels, …]` → the same, with rows = steps × batch.
//!
//! # Semantics
//! Statistics mix rows: in training, the steps of all samples are needed at once. A row that stands for
//! several steps counts as often. Where n is 1, σ² is not corrected. Steps after the last of `te` have
//! its p. A step of one sample at a time uses running statistics, which stand behind the trained
//! parameters, by their names; it does not know which step it is, so `te` has none.
//!
//! # Errors
//! An empty input; `td` without `affine`; `steps` that are missing or have no use.
//!
//! # Source
//! `torch.nn.BatchNorm2d`, PyTorch 2. Variants: Zheng et al. 2021, doi:10.1609/aaai.v35i12.17320,
//! equations 4 to 7; Duan et al. 2022, "Temporal Effective Batch Normalization in Spiking Neural
//! Networks", NeurIPS 35.
//!
//! # Example
//! ```
//! use rheobase_engine::plan::WeightFormat;
//! use rheobase_engine::port::{StepInput, Tensor};
//!
//! let norm = rheobase_components::layer("batch_norm", &[("eps", "0.25".into())])?;
//! assert_eq!(norm.output_shape(&[1, 2, 2]), Ok(vec![1, 2, 2]));
//! let one = |name: &str, x: f64| Tensor { name: name.into(), shape: vec![1], values: vec![x] };
//! let parameters =
//!     [one("weight", 4.0), one("bias", 1.0), one("running_mean", 0.5), one("running_var", 3.75)];
//! let mut step = norm.step_layer_f64(&[1, 2, 2], &parameters, WeightFormat::Exact)?;
//! let mut output = [0.0; 4];
//! step.step(StepInput::Spikes(&[3]), &mut output);
//! assert_eq!(output, [0.0, 0.0, 0.0, 2.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod fold;
mod kernel;
mod step;

use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::plan::WeightFormat;
use rheobase_engine::port::{Entry, Layer, LayerShape, LayerType, StepLayer, Tensor};
use rheobase_engine::random::Construction;
use rheobase_equations::real::Real;

pub use fold::{FoldError, Norm, fold_batch_norm};
use kernel::Kernel;

use super::window::{MAX_SIZE, elements, narrow};

pub(super) const ENTRY: Entry<Arc<dyn LayerType>> = Entry {
    summary: "channels with a mean of 0 and a variance of 1, then a trained shift and scale",
    arguments: &[
        ArgumentSpec {
            name: "eps",
            kind: ArgumentKind::Number,
            default: Some("1e-5"),
            doc: "added to the variance",
        },
        ArgumentSpec {
            name: "momentum",
            kind: ArgumentKind::Number,
            default: Some("0.1"),
            doc: "share of a pass in the running statistics",
        },
        ArgumentSpec {
            name: "affine",
            kind: ArgumentKind::Boolean,
            default: Some("true"),
            doc: "train a scale and a shift for every channel",
        },
        ArgumentSpec {
            name: "variant",
            kind: ArgumentKind::Text,
            default: Some("plain"),
            doc: "plain, td (scales start at alpha · v_threshold), te (a trained factor for each step)",
        },
        ArgumentSpec {
            name: "alpha",
            kind: ArgumentKind::Number,
            default: Some("1"),
            doc: "for td: factor of the first scales",
        },
        ArgumentSpec {
            name: "v_threshold",
            kind: ArgumentKind::Number,
            default: Some("1"),
            doc: "for td: threshold of the neurons that follow",
        },
        ArgumentSpec {
            name: "steps",
            kind: ArgumentKind::Integer,
            default: Some(""),
            doc: "for te: number of steps",
        },
    ],
    make,
};

#[derive(Clone, Debug)]
struct BatchNorm {
    eps: f64,
    momentum: f64,
    /// First value of every scale, where there are any.
    scale: Option<f64>,
    /// Steps with a factor of their own; 0 without.
    steps: usize,
}

fn make(arguments: &Arguments) -> Result<Arc<dyn LayerType>, ArgumentError> {
    let number = |name: &str, fits: fn(f64) -> bool, expected: &str| {
        let x = arguments.number(name)?;
        if fits(x) {
            Ok(x)
        } else {
            Err(ArgumentError::new(
                name,
                format!("expected {expected}, found {x}"),
            ))
        }
    };
    let eps = number("eps", |x| x > 0.0, "a number above 0")?;
    let momentum = number("momentum", |x| (0.0..=1.0).contains(&x), "0 to 1")?;
    let affine = arguments.boolean("affine")?;
    let variant = arguments.text("variant")?;
    let first = match variant {
        "plain" | "te" => 1.0,
        "td" if affine => arguments.number("alpha")? * arguments.number("v_threshold")?,
        "td" => {
            let message = "td sets the scales of channels, but `affine` is false";
            return Err(ArgumentError::new("variant", message));
        }
        _ => {
            let message = format!("expected plain, td or te, found {variant}");
            return Err(ArgumentError::new("variant", message));
        }
    };
    let steps = match (variant, arguments.has("steps")) {
        ("te", true) => {
            let n = arguments.integer("steps")?;
            let steps = usize::try_from(n).ok();
            let steps = steps.filter(|_| (1..=MAX_SIZE).contains(&n));
            steps.ok_or_else(|| {
                ArgumentError::new("steps", format!("expected 1 to {MAX_SIZE}, found {n}"))
            })?
        }
        ("te", false) => {
            let message = "is required by te: the number of steps of a pass";
            return Err(ArgumentError::new("steps", message));
        }
        (_, true) => {
            let message = format!("has no use in {variant}; only te has factors for steps");
            return Err(ArgumentError::new("steps", message));
        }
        (_, false) => 0,
    };
    Ok(Arc::new(BatchNorm {
        eps,
        momentum,
        scale: affine.then_some(first),
        steps,
    }))
}

impl BatchNorm {
    fn kernel<R: Real>(&self, input: &[usize]) -> Kernel<R> {
        Kernel::new(self.clone(), input)
    }

    /// A layer for single steps: parameters, then buffers. They are few and kept as given, in whatever
    /// form weights are.
    fn step_layer<R: Real>(
        &self,
        input: &[usize],
        parameters: &[Tensor<R>],
    ) -> Result<Box<dyn StepLayer<R>>, String> {
        if self.steps > 0 {
            return Err(
                "its factors depend on the step; use the plain variant, or whole passes".to_owned(),
            );
        }
        Ok(Box::new(step::Step::new(self.kernel(input), parameters)))
    }
}

impl LayerType for BatchNorm {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, String> {
        let n = elements(input).map_err(|message| format!("batch_norm: {message}"))?;
        if input.is_empty() || n == 0 {
            return Err(format!(
                "batch_norm expects [channels, …], each at least 1, found the shape {input:?}; \
                 reshape its input"
            ));
        }
        Ok(input.to_vec())
    }

    fn parameters(&self, input: &[usize], _random: &mut Construction) -> Vec<Tensor<f64>> {
        let channels = input.first().copied().unwrap_or(0);
        let tensor = |name: &str, n: usize, x: f64| Tensor {
            name: name.to_owned(),
            shape: vec![n],
            values: vec![x; n],
        };
        let mut parameters = Vec::new();
        if let Some(scale) = self.scale {
            parameters.push(tensor("weight", channels, scale));
            parameters.push(tensor("bias", channels, 0.0));
        }
        if self.steps > 0 {
            parameters.push(tensor("p", self.steps, 1.0));
        }
        parameters
    }

    fn mixes_rows(&self) -> bool {
        true
    }

    fn depends_on_step(&self) -> bool {
        self.steps > 0
    }

    fn layer_f32(&self, input: &[usize]) -> Box<dyn Layer<f32>> {
        Box::new(self.kernel(input))
    }

    fn layer_f64(&self, input: &[usize]) -> Box<dyn Layer<f64>> {
        Box::new(self.kernel(input))
    }

    fn on_device(&self, input: &[usize]) -> Option<LayerShape> {
        self.output_shape(input).ok()?;
        let (channels, positions) = input.split_first()?;
        // Factors of steps are the CPU's alone; six numbers of a channel are kept.
        if self.steps > 0 || channels.checked_mul(6).and_then(narrow).is_none() {
            return None;
        }
        Some(LayerShape::BatchNorm {
            channels: narrow(*channels)?,
            positions: narrow(positions.iter().product())?,
            eps: self.eps,
            momentum: self.momentum,
            affine: self.scale.is_some(),
        })
    }

    fn step_layer_f32(
        &self,
        input: &[usize],
        parameters: &[Tensor<f32>],
        _weights: WeightFormat,
    ) -> Result<Box<dyn StepLayer<f32>>, String> {
        self.step_layer(input, parameters)
    }

    fn step_layer_f64(
        &self,
        input: &[usize],
        parameters: &[Tensor<f64>],
        _weights: WeightFormat,
    ) -> Result<Box<dyn StepLayer<f64>>, String> {
        self.step_layer(input, parameters)
    }
}

#[cfg(test)]
mod tests;
