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

use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::port::{Entry, Layer, LayerInput, LayerType, Tensor};
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
<<<<<<< HEAD
    let n_out = usize::try_from(n).ok().filter(|_| (1..=MAX_FEATURES).contains(&n)).ok_or_else(
        || ArgumentError::new("out_features", format!("expected 1 to {MAX_FEATURES}, found {n}")),
    )?;
    Ok(Arc::new(Linear { n_out, bias: arguments.boolean("bias")? }))
=======
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
>>>>>>> main
}

impl LayerType for Linear {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, String> {
        match input {
            &[n_in] if n_in > 0 => Ok(vec![self.n_out]),
<<<<<<< HEAD
            _ => Err(format!("linear expects a vector, found the shape {input:?}; flatten it first")),
=======
            _ => Err(format!(
                "linear expects a vector, found the shape {input:?}; flatten it first"
            )),
>>>>>>> main
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
    fn parameters(&self, input: &[usize], random: &mut Construction) -> Vec<Tensor<f64>> {
        let n_in: usize = input.iter().product();
        let bound = 1.0 / (n_in as f64).sqrt();
        let mut tensor = |name: &str, shape: Vec<usize>| {
            let n = shape.iter().product();
<<<<<<< HEAD
            let values = (0..n).map(|_| bound * (2.0 * random.uniform() - 1.0)).collect();
            Tensor { name: name.to_owned(), shape, values }
=======
            let values = (0..n)
                .map(|_| bound * (2.0 * random.uniform() - 1.0))
                .collect();
            Tensor {
                name: name.to_owned(),
                shape,
                values,
            }
>>>>>>> main
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
}

impl Linear {
    fn kernel<R>(&self, input: &[usize]) -> Kernel<R> {
<<<<<<< HEAD
        Kernel { n_in: input.iter().product(), n_out: self.n_out, turned: Vec::new() }
=======
        Kernel {
            n_in: input.iter().product(),
            n_out: self.n_out,
            turned: Vec::new(),
        }
>>>>>>> main
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
<<<<<<< HEAD
                    row.iter_mut().zip(&bias.values).for_each(|(y, &b)| *y = b + R::ZERO);
=======
                    row.iter_mut()
                        .zip(&bias.values)
                        .for_each(|(y, &b)| *y = b + R::ZERO);
>>>>>>> main
                }
                None => row.fill(R::ZERO),
            }
        }
        match input {
            LayerInput::Real { values, .. } => self.dense(weight, values, output),
<<<<<<< HEAD
            LayerInput::Spikes { offsets, indices, .. } => {
=======
            LayerInput::Spikes {
                offsets, indices, ..
            } => {
>>>>>>> main
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
<<<<<<< HEAD
            let dy = Strided { values: output_cotangent, row_stride: self.n_out, column_stride: 1 };
            let rows = output_cotangent.len() / self.n_out;
            let size = Size { rows, depth: self.n_out, columns: self.n_in };
            multiply_add(size, dy, &parameters[0].values, dx);
        }
        let Some((d_weight, d_bias)) = parameter_cotangents.split_first_mut() else { return };
        match input {
            LayerInput::Real { values, .. } => {
                let rows = output_cotangent.len() / self.n_out;
                let dy =
                    Strided { values: output_cotangent, row_stride: 1, column_stride: self.n_out };
                let size = Size { rows: self.n_out, depth: rows, columns: self.n_in };
                multiply_add(size, dy, values, &mut d_weight.values);
            }
            LayerInput::Spikes { offsets, indices, .. } => {
=======
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
>>>>>>> main
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
<<<<<<< HEAD
        let x = Strided { values, row_stride: self.n_in, column_stride: 1 };
        let size = Size { rows, depth: self.n_in, columns: self.n_out };
=======
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
>>>>>>> main
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
<<<<<<< HEAD
    for (ys, weights) in output.chunks_mut(OUTPUTS).zip(weight.chunks(OUTPUTS * n_in)) {
=======
    for (ys, weights) in output
        .chunks_mut(OUTPUTS)
        .zip(weight.chunks(OUTPUTS * n_in))
    {
>>>>>>> main
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
<<<<<<< HEAD
mod tests {
    use proptest::prelude::*;
    use rheobase_engine::random::{Purpose, construction_stream};

    use super::*;

    fn numbers(n: usize, seed: u64) -> Vec<f64> {
        let mut random = construction_stream(seed, Purpose::Layer, 0, 0);
        (0..n).map(|_| random.normal()).collect()
    }

    fn linear(n_out: usize, bias: bool) -> Linear {
        Linear { n_out, bias }
    }

    fn tensors<R: Real>(n_in: usize, n_out: usize, seed: u64) -> Vec<Tensor<R>> {
        let drawn = numbers(n_in * n_out + n_out, seed);
        let narrow = |v: &[f64]| v.iter().map(|&x| R::from_f64(x)).collect();
        let (weight, bias) = drawn.split_at(n_in * n_out);
        vec![
            Tensor { name: "weight".into(), shape: vec![n_out, n_in], values: narrow(weight) },
            Tensor { name: "bias".into(), shape: vec![n_out], values: narrow(bias) },
        ]
    }

    fn zeros<R: Real>(like: &[Tensor<R>]) -> Vec<Tensor<R>> {
        like.iter().map(|t| Tensor { values: vec![R::ZERO; t.values.len()], ..t.clone() }).collect()
    }

    /// The definition, element by element.
    fn reference(p: &[Tensor<f64>], x: &[f64], n_in: usize) -> Vec<f64> {
        let outputs = |x: &[f64]| {
            let dot = |(w, &b): (&[f64], &f64)| {
                w.iter().zip(x).fold(b, |sum, (w, x)| sum + w * x)
            };
            p[0].values.chunks(n_in).zip(&p[1].values).map(dot).collect::<Vec<_>>()
        };
        x.chunks(n_in).flat_map(outputs).collect()
    }

    #[test]
    fn forward_is_the_definition() {
        for (rows, n_in, n_out) in [(1, 1, 1), (1, 30, 21), (3, 5, 40), (9, 33, 17), (8, 64, 32)] {
            let p = tensors(n_in, n_out, 1);
            let x = numbers(rows * n_in, 2);
            let mut y = vec![f64::NAN; rows * n_out];
            let input = LayerInput::Real { values: &x, width: n_in };
            linear(n_out, true).layer_f64(&[n_in]).forward(&p, input, &mut y);
            assert_eq!(y, reference(&p, &x, n_in), "{rows} {n_in} {n_out}");
        }
    }

    /// ⟨dy, J·δ⟩ = ⟨Jᵀ·dy, δ⟩ for every argument: the layer is linear in each.
    #[test]
    fn backward_is_the_adjoint_of_forward() {
        let (rows, n_in, n_out) = (7, 29, 18);
        let p = tensors::<f64>(n_in, n_out, 1);
        let x = numbers(rows * n_in, 2);
        let dy = numbers(rows * n_out, 3);
        let mut layer = linear(n_out, true).layer_f64(&[n_in]);
        let (mut dx, mut dp) = (vec![0.0; rows * n_in], zeros(&p));
        let input = LayerInput::Real { values: &x, width: n_in };
        layer.backward(&p, input, &dy, Some(&mut dx), &mut dp);

        let mut forward = |p: &[Tensor<f64>], x: &[f64]| {
            let mut y = vec![0.0; rows * n_out];
            layer.forward(p, LayerInput::Real { values: x, width: n_in }, &mut y);
            y
        };
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12 * a.abs().max(100.0), "{a} {b}");
        let without_bias = [p[0].clone(), zeros(&p)[1].clone()];
        let delta = numbers(x.len(), 4);
        close(dot(&dy, &forward(&without_bias, &delta)), dot(&dx, &delta));
        let delta_w = tensors(n_in, n_out, 5);
        let only_weight = [delta_w[0].clone(), zeros(&p)[1].clone()];
        close(dot(&dy, &forward(&only_weight, &x)), dot(&dp[0].values, &delta_w[0].values));
        let only_bias = [zeros(&p)[0].clone(), delta_w[1].clone()];
        close(dot(&dy, &forward(&only_bias, &x)), dot(&dp[1].values, &delta_w[1].values));
    }

    /// Both ways into the layer, forward and backward, on the same zeros and ones.
    fn compare<R: Real>(mut layer: Box<dyn Layer<R>>, n_in: usize, n_out: usize, rows: &[Vec<bool>]) {
        let p = tensors::<R>(n_in, n_out, 1);
        let values: Vec<R> =
            rows.iter().flatten().map(|&on| if on { R::ONE } else { R::ZERO }).collect();
        let (mut offsets, mut indices) = (vec![0], Vec::new());
        for row in rows {
            indices.extend((0_u32..).zip(row).filter(|(_, on)| **on).map(|(i, _)| i));
            offsets.push(indices.len() as u32);
        }
        let inputs = [
            LayerInput::Real { values: &values, width: n_in },
            LayerInput::Spikes { offsets: &offsets, indices: &indices, width: n_in },
        ];
        let dy: Vec<R> =
            numbers(rows.len() * n_out, 7).into_iter().map(R::from_f64).collect();
        let results = inputs.map(|input| {
            let mut y = vec![R::ZERO; rows.len() * n_out];
            layer.forward(&p, input, &mut y);
            let (mut dx, mut dp) = (vec![R::ZERO; rows.len() * n_in], zeros(&p));
            layer.backward(&p, input, &dy, Some(&mut dx), &mut dp);
            // A second call adds to the first.
            layer.backward(&p, input, &dy, Some(&mut dx), &mut dp);
            let bits = |v: &[R]| v.iter().map(|x| x.to_int_bits()).collect::<Vec<_>>();
            (bits(&y), bits(&dx), dp.iter().map(|t| bits(&t.values)).collect::<Vec<_>>())
        });
        assert_eq!(results[0], results[1]);
    }

    proptest! {
        #[test]
        fn spikes_give_the_bits_of_zeros_and_ones(
            n_in in 1_usize..40,
            n_out in 1_usize..40,
            n_rows in 1_usize..8,
            density in 0.0..1.0,
            seed in 0_u64..1000,
        ) {
            let mut random = construction_stream(seed, Purpose::Layer, 1, 0);
            let rows: Vec<Vec<bool>> = (0..n_rows)
                .map(|_| (0..n_in).map(|_| random.uniform() < density).collect())
                .collect();
            compare(linear(n_out, true).layer_f32(&[n_in]), n_in, n_out, &rows);
            compare(linear(n_out, true).layer_f64(&[n_in]), n_in, n_out, &rows);
        }
    }

    #[test]
    fn an_input_that_spikes_twice_counts_twice() {
        let p = tensors::<f64>(3, 2, 1);
        let mut layer = linear(2, true).layer_f64(&[3]);
        let spikes = LayerInput::Spikes { offsets: &[0, 2], indices: &[1, 1], width: 3 };
        let (mut y, mut dp) = (vec![0.0; 2], zeros(&p));
        layer.forward(&p, spikes, &mut y);
        layer.backward(&p, spikes, &[1.0, 10.0], None, &mut dp);
        let w = &p[0].values;
        let b = &p[1].values;
        assert_eq!(y, [b[0] + w[1] + w[1], b[1] + w[4] + w[4]]);
        assert_eq!(dp[0].values, [0.0, 2.0, 0.0, 0.0, 20.0, 0.0]);
        assert_eq!(dp[1].values, [1.0, 10.0]);
    }

    /// Bounds, mean and variance of 1/√in: within 4.5 standard errors.
    #[test]
    fn parameters_start_uniform() {
        let (n_in, n_out) = (400, 300);
        let mut random = construction_stream(1, Purpose::Layer, 0, 0);
        let p = linear(n_out, true).parameters(&[n_in], &mut random);
        assert_eq!((&p[0].shape, &p[1].shape), (&vec![300, 400], &vec![300]));
        let bound = 0.05;
        assert!(p.iter().flat_map(|t| &t.values).all(|w| w.abs() < bound));
        let n = (n_in * n_out) as f64;
        let mean = p[0].values.iter().sum::<f64>() / n;
        let second = p[0].values.iter().map(|w| w * w).sum::<f64>() / n;
        let variance = bound * bound / 3.0;
        assert!(mean.abs() < 4.5 * (variance / n).sqrt());
        // Var(w²) = b⁴·(1/5 − 1/9).
        assert!((second - variance).abs() < 4.5 * (bound.powi(4) * (4.0 / 45.0) / n).sqrt());
        assert_eq!(linear(n_out, false).parameters(&[n_in], &mut random).len(), 1);
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        assert!(linear(2, true).output_shape(&[3, 4]).unwrap_err().contains("flatten"));
        assert!(linear(2, true).output_shape(&[0]).is_err());
        let error = crate::layer("linear", &[("out_features", "0".into())]).err().unwrap();
        assert!(error.to_string().contains("expected 1 to"));
    }
}
=======
mod tests;
>>>>>>> main
