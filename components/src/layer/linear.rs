//! Linear layer: every output is a weighted sum of all inputs.
//!
//! # Equations
//! y = b + W·x, with W `[out, in]` and b `[out]`. Backward, with dy given: dx += dy·W,
//! dW += dyᵀ·x, db += dy.
//!
//! # Update scheme
//! Each output starts from its bias and adds its inputs in ascending order, multiplications and
//! additions rounded one by one. Spikes add the weights of active inputs in the same order, so that
//! an input of zeros and ones gives the same bits either way. Cotangents add outputs (for dx) and
//! rows (for dW, db) in ascending order. O(in · out) per row, O(active · out) for spikes.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `out_features` | 1 | required | ≥ 1 |
//! | `bias` | – | true | – |
//!
//! Trained parameters: `weight`, row-major `[out, in]`, and `bias` `[out]` where there is one. Both
//! start uniform between −1/√in and 1/√in.
//!
//! # State
//! None over time. The layer keeps room for a transposed copy of the weights.
//!
//! # Shapes
//! `[rows, in]` → `[rows, out]`, with rows = steps × batch.
//!
//! # Semantics
//! An input that spikes k times in a row counts k times.
//!
//! # Errors
//! An input that is not a vector, or empty; no output.
//!
//! # Source
//! `torch.nn.Linear` and its default initialisation, PyTorch 2.
//!
//! # Example
//! ```
//! use rheobase_engine::port::{LayerInput, Tensor};
//!
//! let linear = rheobase_components::layer("linear", &[("out_features", "2".into())])?;
//! assert_eq!(linear.output_shape(&[3]), Ok(vec![2]));
//! let parameters = [
//!     Tensor { name: "weight".into(), shape: vec![2, 3], values: vec![1., 2., 3., 4., 5., 6.] },
//!     Tensor { name: "bias".into(), shape: vec![2], values: vec![0.5, -0.5] },
//! ];
//! let spikes = LayerInput::Spikes { offsets: &[0, 2], indices: &[0, 2], width: 3 };
//! let mut output = [0.0; 2];
//! linear.layer_f64(&[3]).forward(&parameters, spikes, &mut output);
//! assert_eq!(output, [4.5, 9.5]);
//! # Ok::<(), rheobase_components::MakeError>(())
//! ```

mod step;

use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::plan::WeightFormat;
use rheobase_engine::port::{Entry, Layer, LayerInput, LayerType, StepLayer, Tensor};
use rheobase_engine::random::Construction;
use rheobase_equations::real::Real;

use super::tile::{Size, Strided, add_rows, add_to, multiply_add, transpose};

pub(super) const ENTRY: Entry<Arc<dyn LayerType>> = Entry {
    summary: "every output is a weighted sum of all inputs",
    arguments: &[
        ArgumentSpec {
            name: "out_features",
            kind: ArgumentKind::Integer,
            default: None,
            doc: "number of outputs",
        },
        ArgumentSpec {
            name: "bias",
            kind: ArgumentKind::Boolean,
            default: Some("true"),
            doc: "add a trained constant to every output",
        },
    ],
    make,
};

/// More outputs than any machine holds weights for.
const MAX_FEATURES: u64 = 1 << 31;

struct Linear {
    n_out: usize,
    bias: bool,
}

fn make(arguments: &Arguments) -> Result<Arc<dyn LayerType>, ArgumentError> {
    let n = arguments.integer("out_features")?;
    let n_out = usize::try_from(n)
        .ok()
        .filter(|_| (1..=MAX_FEATURES).contains(&n))
        .ok_or_else(|| {
            ArgumentError::new(
                "out_features",
                format!("expected 1 to {MAX_FEATURES}, found {n}"),
            )
        })?;
    Ok(Arc::new(Linear {
        n_out,
        bias: arguments.boolean("bias")?,
    }))
}

impl LayerType for Linear {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, String> {
        match input {
            &[n_in] if n_in > 0 => Ok(vec![self.n_out]),
            _ => Err(format!(
                "linear expects a vector, found the shape {input:?}; flatten it first"
            )),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
    fn parameters(&self, input: &[usize], random: &mut Construction) -> Vec<Tensor<f64>> {
        let n_in: usize = input.iter().product();
        let bound = 1.0 / (n_in as f64).sqrt();
        let mut tensor = |name: &str, shape: Vec<usize>| {
            let n = shape.iter().product();
            let values = (0..n)
                .map(|_| bound * (2.0 * random.uniform() - 1.0))
                .collect();
            Tensor {
                name: name.to_owned(),
                shape,
                values,
            }
        };
        let mut parameters = vec![tensor("weight", vec![self.n_out, n_in])];
        if self.bias {
            parameters.push(tensor("bias", vec![self.n_out]));
        }
        parameters
    }

    fn layer_f32(&self, input: &[usize]) -> Box<dyn Layer<f32>> {
        Box::new(self.kernel(input))
    }

    fn layer_f64(&self, input: &[usize]) -> Box<dyn Layer<f64>> {
        Box::new(self.kernel(input))
    }

    fn step_layer_f32(
        &self,
        input: &[usize],
        parameters: &[Tensor<f32>],
        weights: WeightFormat,
    ) -> Result<Box<dyn StepLayer<f32>>, String> {
        let shape = (input.iter().product(), self.n_out);
        Ok(Box::new(step::Linear::new(shape, parameters, weights)))
    }

    fn step_layer_f64(
        &self,
        input: &[usize],
        parameters: &[Tensor<f64>],
        weights: WeightFormat,
    ) -> Result<Box<dyn StepLayer<f64>>, String> {
        let shape = (input.iter().product(), self.n_out);
        Ok(Box::new(step::Linear::new(shape, parameters, weights)))
    }
}

impl Linear {
    fn kernel<R>(&self, input: &[usize]) -> Kernel<R> {
        Kernel {
            n_in: input.iter().product(),
            n_out: self.n_out,
            turned: Vec::new(),
        }
    }
}

struct Kernel<R> {
    n_in: usize,
    n_out: usize,
    /// Weights, or their cotangents, as `[in, out]`; empty until they are needed.
    turned: Vec<R>,
}

impl<R: Real> Layer<R> for Kernel<R> {
    fn forward(&mut self, parameters: &[Tensor<R>], input: LayerInput<'_, R>, output: &mut [R]) {
        let weight = &parameters[0].values;
        for row in output.chunks_exact_mut(self.n_out) {
            match parameters.get(1) {
                // A bias of −0 becomes 0: then adding a product of 0 never changes a sum.
                Some(bias) => {
                    row.iter_mut()
                        .zip(&bias.values)
                        .for_each(|(y, &b)| *y = b + R::ZERO);
                }
                None => row.fill(R::ZERO),
            }
        }
        match input {
            LayerInput::Real { values, .. } => self.dense(weight, values, output),
            LayerInput::Spikes {
                offsets, indices, ..
            } => {
                self.gather(weight, offsets, indices, output);
            }
        }
    }

    fn backward(
        &mut self,
        parameters: &[Tensor<R>],
        input: LayerInput<'_, R>,
        output_cotangent: &[R],
        input_cotangent: Option<&mut [R]>,
        parameter_cotangents: &mut [Tensor<R>],
    ) {
        if let Some(dx) = input_cotangent {
            let dy = Strided {
                values: output_cotangent,
                row_stride: self.n_out,
                column_stride: 1,
            };
            let rows = output_cotangent.len() / self.n_out;
            let size = Size {
                rows,
                depth: self.n_out,
                columns: self.n_in,
            };
            multiply_add(size, dy, &parameters[0].values, dx);
        }
        let Some((d_weight, d_bias)) = parameter_cotangents.split_first_mut() else {
            return;
        };
        match input {
            LayerInput::Real { values, .. } => {
                let rows = output_cotangent.len() / self.n_out;
                let dy = Strided {
                    values: output_cotangent,
                    row_stride: 1,
                    column_stride: self.n_out,
                };
                let size = Size {
                    rows: self.n_out,
                    depth: rows,
                    columns: self.n_in,
                };
                multiply_add(size, dy, values, &mut d_weight.values);
            }
            LayerInput::Spikes {
                offsets, indices, ..
            } => {
                self.scatter(output_cotangent, offsets, indices, &mut d_weight.values);
            }
        }
        if let Some(d_bias) = d_bias.first_mut() {
            for dy in output_cotangent.chunks_exact(self.n_out) {
                add_to(&mut d_bias.values, dy);
            }
        }
    }
}

impl<R: Real> Kernel<R> {
    fn dense(&mut self, weight: &[R], values: &[R], output: &mut [R]) {
        let rows = output.len() / self.n_out;
        if rows == 1 {
            dot_products(weight, values, output);
            return;
        }
        self.turn(weight);
        let x = Strided {
            values,
            row_stride: self.n_in,
            column_stride: 1,
        };
        let size = Size {
            rows,
            depth: self.n_in,
            columns: self.n_out,
        };
        multiply_add(size, x, &self.turned, output);
    }

    fn gather(&mut self, weight: &[R], offsets: &[u32], indices: &[u32], output: &mut [R]) {
        let is_worth_turning = self.is_worth_turning(indices.len());
        if is_worth_turning {
            self.turn(weight);
        }
        for (row, y) in output.chunks_exact_mut(self.n_out).enumerate() {
            let active = active(offsets, indices, row);
            if is_worth_turning {
                add_rows(self.n_out, &self.turned, active, y);
                continue;
            }
            for (y, w) in y.iter_mut().zip(weight.chunks_exact(self.n_in)) {
                for &i in active {
                    *y += w[i as usize];
                }
            }
        }
    }

    fn scatter(&mut self, dy: &[R], offsets: &[u32], indices: &[u32], d_weight: &mut [R]) {
        let is_worth_turning = self.is_worth_turning(indices.len());
        if is_worth_turning {
            self.turn(d_weight);
        }
        for (row, dy) in dy.chunks_exact(self.n_out).enumerate() {
            for &i in active(offsets, indices, row) {
                let i = i as usize;
                if is_worth_turning {
                    add_to(&mut self.turned[i * self.n_out..(i + 1) * self.n_out], dy);
                    continue;
                }
                for (dw, &dy) in d_weight.chunks_exact_mut(self.n_in).zip(dy) {
                    dw[i] += dy;
                }
            }
        }
        if is_worth_turning {
            transpose(self.n_in, self.n_out, &self.turned, d_weight);
        }
    }

    /// Whether so many inputs are active that turning all weights costs less than reading theirs
    /// column by column.
    fn is_worth_turning(&self, n_active: usize) -> bool {
        n_active > self.n_in / 2
    }

    /// Copies `[out, in]` to `turned`.
    fn turn(&mut self, weight: &[R]) {
        self.turned.resize(weight.len(), R::ZERO);
        transpose(self.n_out, self.n_in, weight, &mut self.turned);
    }
}

/// Active inputs of a row.
fn active<'a>(offsets: &[u32], indices: &'a [u32], row: usize) -> &'a [u32] {
    &indices[offsets[row] as usize..offsets[row + 1] as usize]
}

/// Adds the products of one row of inputs, eight outputs at a time: their chains of additions do not
/// wait for each other.
fn dot_products<R: Real>(weight: &[R], x: &[R], output: &mut [R]) {
    const OUTPUTS: usize = 8;
    let n_in = x.len();
    for (ys, weights) in output
        .chunks_mut(OUTPUTS)
        .zip(weight.chunks(OUTPUTS * n_in))
    {
        let mut sums = [R::ZERO; OUTPUTS];
        sums[..ys.len()].copy_from_slice(ys);
        for (i, &x) in x.iter().enumerate() {
            for (sum, w) in sums.iter_mut().zip(weights.chunks_exact(n_in)) {
                *sum += x * w[i];
            }
        }
        ys.copy_from_slice(&sums[..ys.len()]);
    }
}

#[cfg(test)]
mod tests;
