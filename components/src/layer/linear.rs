//! Linear layer: every output is a weighted sum of all inputs.
//!
//! # Equations
//! y = b + W·x, with W `[out, in]` and b `[out]`. Backward, with dy given: dx += dy·W,
//! dW += dyᵀ·x, db += dy.
//!
//! # Update scheme
//! Each output starts from its bias and adds its inputs in ascending order; multiplication and addition
//! are one operation where the machine can. Spikes add the weights of active inputs in the same order,
//! so that an input of zeros and ones gives the same bits either way: where many are active, all are
//! multiplied, as that is faster. Cotangents add outputs (for dx)
//! and rows (for dW, db) in ascending order. O(in · out) per row; for spikes O(active · out) forward and
//! for dW.
//!
//! # Parameters
//! | name | unit | default | range |
//! |---|---|---|---|
//! | `out_features` | 1 | required | ≥ 1 |
//! | `bias` | – | true | – |
//! | `products` | – | auto | auto, gather, dense: how spikes are multiplied |
//!
//! Trained parameters: `weight`, row-major `[out, in]`, and `bias` `[out]` where there is one. Both
//! start uniform between −1/√in and 1/√in.
//!
//! # State
//! None over time. The layer keeps room for its weights in the two layouts of products.
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
//! use rheobase_engine::plan::WeightFormat;
//! use rheobase_engine::port::{StepInput, Tensor};
//!
//! let linear = rheobase_components::layer("linear", &[("out_features", "2".into())])?;
//! assert_eq!(linear.output_shape(&[3]), Ok(vec![2]));
//! let parameters = [
//!     Tensor { name: "weight".into(), shape: vec![2, 3], values: vec![1., 2., 3., 4., 5., 6.] },
//!     Tensor { name: "bias".into(), shape: vec![2], values: vec![0.5, -0.5] },
//! ];
//! let mut step = linear.step_layer_f64(&[3], &parameters, WeightFormat::Exact)?;
//! let mut output = [0.0; 2];
//! step.step(StepInput::Spikes(&[0, 2]), &mut output);
//! assert_eq!(output, [4.5, 9.5]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod rows;
mod step;

use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase_engine::plan::WeightFormat;
use std::ops::Range;

use rayon::prelude::*;
use rheobase_engine::port::{
    Entry, Layer, LayerCall, LayerInput, LayerShape, LayerType, StepLayer, Tensor,
};
use rheobase_engine::random::Construction;
use rheobase_equations::real::Real;

use super::matmul::{
    Left, Packed, Strided, add_to, gather, multiply_add, multiply_left, transpose,
};
use super::window::narrow;

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
        ArgumentSpec {
            name: "products",
            kind: ArgumentKind::Text,
            default: Some("auto"),
            doc: "how spikes are multiplied: auto, gather or dense, with the same bits",
        },
    ],
    make,
};

/// More outputs than any machine holds weights for.
const MAX_FEATURES: u64 = 1 << 31;

struct Linear {
    n_out: usize,
    bias: bool,
    products: Products,
}

/// How spikes are multiplied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Products {
    /// By the share of inputs that are active.
    Auto,
    Gather,
    Dense,
}

impl Products {
    /// Whether all `n` inputs of the rows are multiplied, which takes as long as gathering a share
    /// `crossover` of them.
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    fn is_dense(
        self,
        (offsets, indices): (&[u32], &[u32]),
        (n, n_out): (usize, usize),
        crossover: f64,
    ) -> bool {
        let active = &indices[offsets.first().map_or(0, |&o| o as usize)..];
        let active = &active[..count(offsets)];
        let is_asked = match self {
            Self::Auto => n_out > NARROW && active.len() as f64 > crossover * n as f64,
            Self::Gather => false,
            Self::Dense => true,
        };
        // An input that counts twice is added twice, which is not what multiplying by 2 rounds to.
        is_asked
            && offsets.windows(2).all(|span| {
                let row = &indices[span[0] as usize..span[1] as usize];
                row.is_sorted_by(|a, b| a < b)
            })
    }
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
        products: match arguments.text("products")? {
            "auto" => Products::Auto,
            "gather" => Products::Gather,
            "dense" => Products::Dense,
            other => {
                let expected = format!("expected auto, gather or dense, found {other}");
                return Err(ArgumentError::new("products", expected));
            }
        },
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

    fn on_device(&self, input: &[usize]) -> Option<LayerShape> {
        let &[n_in] = input else {
            return None;
        };
        // Weights and biases together are numbered in 32 bits.
        narrow(n_in.checked_add(1)?.checked_mul(self.n_out)?)?;
        Some(LayerShape::Linear {
            n_in: narrow(n_in).filter(|&n| n > 0)?,
            n_out: narrow(self.n_out)?,
            has_bias: self.bias,
        })
    }

    fn step_layer_f32(
        &self,
        input: &[usize],
        parameters: &[Tensor<f32>],
        weights: WeightFormat,
    ) -> Result<Box<dyn StepLayer<f32>>, String> {
        self.step_layer(input, parameters, weights)
    }

    fn step_layer_f64(
        &self,
        input: &[usize],
        parameters: &[Tensor<f64>],
        weights: WeightFormat,
    ) -> Result<Box<dyn StepLayer<f64>>, String> {
        self.step_layer(input, parameters, weights)
    }
}

impl Linear {
    fn step_layer<R: Real>(
        &self,
        input: &[usize],
        parameters: &[Tensor<R>],
        weights: WeightFormat,
    ) -> Result<Box<dyn StepLayer<R>>, String> {
        let n_in = input.iter().product();
        let shape = (n_in, self.n_out);
        Ok(Box::new(step::Linear::new(shape, parameters, weights)))
    }

    fn kernel<R: Real>(&self, input: &[usize]) -> Kernel<R> {
        Kernel {
            n_in: input.iter().product(),
            n_out: self.n_out,
            by_input: Packed::default(),
            by_output: Packed::default(),
            versions: (0, 0),
            products: self.products,
            factor: Packed::default(),
        }
    }
}

struct Kernel<R> {
    n_in: usize,
    n_out: usize,
    /// Weights as `[in, out]`.
    by_input: Packed<R>,
    /// Weights as `[out, in]`.
    by_output: Packed<R>,
    /// Of the parameters that the two were laid out from.
    versions: (u64, u64),
    products: Products,
    /// The second factor of the weights' cotangents: inputs, or cotangents of outputs.
    factor: Packed<R>,
}

impl<R: Real> Layer<R> for Kernel<R> {
    fn begin(&mut self, call: &LayerCall<'_, R>, _input: LayerInput<'_, R>) {
        if call.version != 0 && self.versions.0 == call.version {
            return;
        }
        self.versions.0 = call.version;
        let weight = Strided::transposed(&call.parameters[0].values, self.n_in);
        self.by_input.pack(weight, self.n_in, self.n_out);
    }

    fn forward(
        &self,
        call: &LayerCall<'_, R>,
        _rows: Range<usize>,
        input: LayerInput<'_, R>,
        output: &mut [R],
        scratch: &mut Vec<R>,
    ) {
        for row in output.chunks_exact_mut(self.n_out) {
            match call.parameters.get(1) {
                // A bias of −0 becomes 0: then adding a product of 0 never changes a sum.
                Some(bias) => {
                    let cells = row.iter_mut().zip(&bias.values);
                    cells.for_each(|(y, &b)| *y = b + R::ZERO);
                }
                None => row.fill(R::ZERO),
            }
        }
        match input {
            LayerInput::Real { values, .. } => {
                let x = Strided::rows(values, self.n_in);
                multiply_add(input.rows(), x, &self.by_input, output, scratch);
            }
            LayerInput::Spikes {
                offsets, indices, ..
            } => {
                let all = input.rows() * self.n_in;
                let (spikes, size) = ((offsets, indices), (all, self.n_out));
                if self.products.is_dense(spikes, size, FORWARD_CROSSOVER) {
                    let x = Left::Spikes { offsets, indices };
                    multiply_left(input.rows(), x, &self.by_input, output, scratch);
                } else {
                    gather(offsets, indices, &self.by_input, output);
                }
            }
        }
    }

    fn begin_reverse(
        &mut self,
        call: &LayerCall<'_, R>,
        _input: LayerInput<'_, R>,
        _output_cotangent: &[R],
    ) {
        if call.version != 0 && self.versions.1 == call.version {
            return;
        }
        self.versions.1 = call.version;
        let weight = Strided::rows(&call.parameters[0].values, self.n_in);
        self.by_output.pack(weight, self.n_out, self.n_in);
    }

    fn reverse(
        &self,
        _call: &LayerCall<'_, R>,
        rows: Range<usize>,
        _input: LayerInput<'_, R>,
        output_cotangent: &[R],
        input_cotangent: &mut [R],
        scratch: &mut Vec<R>,
    ) {
        let dy = Strided::rows(output_cotangent, self.n_out);
        multiply_add(rows.len(), dy, &self.by_output, input_cotangent, scratch);
    }

    fn add_gradients(
        &mut self,
        _call: &LayerCall<'_, R>,
        input: LayerInput<'_, R>,
        output_cotangent: &[R],
        gradients: &mut [Tensor<R>],
    ) {
        let Some((d_weight, d_bias)) = gradients.split_first_mut() else {
            return;
        };
        match input {
            LayerInput::Real { values, .. } => {
                self.multiply(values, output_cotangent, &mut d_weight.values);
            }
            LayerInput::Spikes {
                offsets, indices, ..
            } => {
                let rows = input.rows();
                let all = rows * self.n_in;
                let (spikes, size) = ((offsets, indices), (all, self.n_out));
                if self.products.is_dense(spikes, size, REVERSE_CROSSOVER) {
                    self.factor.pack_spikes(offsets, indices, rows, self.n_in);
                    self.multiply_factor(output_cotangent, &mut d_weight.values);
                } else {
                    self.scatter(offsets, indices, output_cotangent, &mut d_weight.values);
                }
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
    /// dW += dyᵀ·x: outputs are cut among threads.
    fn multiply(&mut self, x: &[R], dy: &[R], d_weight: &mut [R]) {
        let rows = dy.len() / self.n_out;
        self.factor
            .pack(Strided::rows(x, self.n_in), rows, self.n_in);
        self.multiply_factor(dy, d_weight);
    }

    /// The same, with the inputs laid out.
    fn multiply_factor(&self, dy: &[R], d_weight: &mut [R]) {
        let (n_in, n_out) = (self.n_in, self.n_out);
        let factor = &self.factor;
        let part = part(n_out);
        d_weight
            .par_chunks_mut(part * n_in)
            .enumerate()
            .for_each_init(Vec::new, |scratch, (k, d_weight)| {
                let dy = Strided::transposed(&dy[k * part..], n_out);
                multiply_add(d_weight.len() / n_in, dy, factor, d_weight, scratch);
            });
    }

    /// The same for spikes: for every input, the cotangents of the rows in which it was active. Inputs
    /// are cut among threads.
    fn scatter(&mut self, offsets: &[u32], indices: &[u32], dy: &[R], d_weight: &mut [R]) {
        let (n_in, n_out) = (self.n_in, self.n_out);
        if n_out <= NARROW {
            return scatter_rows((n_in, n_out), (offsets, indices), dy, d_weight);
        }
        let rows_of = RowsOfInputs::new(offsets, indices, n_in);
        self.factor
            .pack(Strided::rows(dy, n_out), dy.len() / n_out, n_out);
        let factor = &self.factor;
        let mut turned = vec![R::ZERO; d_weight.len()];
        transpose(n_out, n_in, d_weight, &mut turned);
        let part = part(n_in);
        turned
            .par_chunks_mut(part * n_out)
            .enumerate()
            .for_each(|(k, turned)| {
                let inputs = k * part..k * part + turned.len() / n_out;
                let offsets = &rows_of.offsets[inputs.start..=inputs.end];
                gather(offsets, &rows_of.rows, factor, turned);
            });
        transpose(n_in, n_out, &turned, d_weight);
    }
}

/// Shares of active inputs from which on multiplying all of them is faster than gathering those, of layers
/// with more than [`NARROW`] outputs; others gather at any share (`rheobase bench crossover`).
const FORWARD_CROSSOVER: f64 = 0.25;
const REVERSE_CROSSOVER: f64 = 0.13;

/// Spikes of rows.
fn count(offsets: &[u32]) -> usize {
    match (offsets.first(), offsets.last()) {
        (Some(&first), Some(&last)) => (last - first) as usize,
        _ => 0,
    }
}

/// Most outputs for which cotangents are added to the rows of weights one by one: all of them then stay in
/// the cache, and sorting spikes by input would cost more.
const NARROW: usize = 64;

/// dW += dyᵀ·x for spikes, row by row; every thread takes a part of the inputs.
fn scatter_rows<R: Real>(
    sizes: (usize, usize),
    spikes: (&[u32], &[u32]),
    dy: &[R],
    d_weight: &mut [R],
) {
    match sizes.1 {
        0..=8 => scatter_rows_of::<R, 8>(sizes, spikes, dy, d_weight),
        9..=16 => scatter_rows_of::<R, 16>(sizes, spikes, dy, d_weight),
        17..=32 => scatter_rows_of::<R, 32>(sizes, spikes, dy, d_weight),
        _ => scatter_rows_of::<R, NARROW>(sizes, spikes, dy, d_weight),
    }
}

/// With rows of N outputs, filled up with zeros.
fn scatter_rows_of<R: Real, const N: usize>(
    (n_in, n_out): (usize, usize),
    (offsets, indices): (&[u32], &[u32]),
    dy: &[R],
    d_weight: &mut [R],
) {
    let mut turned = vec![[R::ZERO; N]; n_in];
    for (o, row) in d_weight.chunks_exact(n_in).enumerate() {
        row.iter().zip(&mut turned).for_each(|(&w, t)| t[o] = w);
    }
    let mut padded = vec![[R::ZERO; N]; dy.len() / n_out];
    for (to, from) in padded.iter_mut().zip(dy.chunks_exact(n_out)) {
        to[..n_out].copy_from_slice(from);
    }
    let part = part(n_in);
    turned
        .par_chunks_mut(part)
        .enumerate()
        .for_each(|(k, turned)| add_to_rows(k * part, offsets, indices, &padded, turned));
    for (o, row) in d_weight.chunks_exact_mut(n_in).enumerate() {
        row.iter_mut().zip(&turned).for_each(|(w, t)| *w = t[o]);
    }
}

rheobase_engine::simd::dispatch! {
    /// For every row of `dy`, adds it to the rows of inputs that its list names; `turned` holds those from
    /// input `first` on.
    fn add_to_rows<R: Real, const N: usize> = add_to_rows_body(
        first: usize, offsets: &[u32], indices: &[u32], dy: &[[R; N]], turned: &mut [[R; N]],
    );
}

#[inline(always)]
fn add_to_rows_body<R: Real, const N: usize>(
    first: usize,
    offsets: &[u32],
    indices: &[u32],
    dy: &[[R; N]],
    turned: &mut [[R; N]],
) {
    for (span, dy) in offsets.windows(2).zip(dy) {
        let active = &indices[span[0] as usize..span[1] as usize];
        let from = active.partition_point(|&i| (i as usize) < first);
        for &i in &active[from..] {
            let Some(sums) = turned.get_mut(i as usize - first) else {
                break;
            };
            for l in 0..N {
                sums[l] += dy[l];
            }
        }
    }
}

/// So many of `n` go to a thread at a time.
fn part(n: usize) -> usize {
    n.div_ceil(rayon::current_num_threads()).max(1)
}

/// For every input, the rows in which it is active, ascending.
struct RowsOfInputs {
    offsets: Vec<u32>,
    rows: Vec<u32>,
}

impl RowsOfInputs {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "offsets are counted in 32 bits"
    )]
    fn new(offsets: &[u32], indices: &[u32], n_in: usize) -> Self {
        let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else {
            return Self {
                offsets: vec![0; n_in + 1],
                rows: Vec::new(),
            };
        };
        let mut next = vec![0; n_in + 1];
        for &i in &indices[first as usize..last as usize] {
            next[i as usize + 1] += 1;
        }
        for i in 0..n_in {
            next[i + 1] += next[i];
        }
        let starts = next.clone();
        let mut rows = vec![0; (last - first) as usize];
        for (row, span) in offsets.windows(2).enumerate() {
            for &i in &indices[span[0] as usize..span[1] as usize] {
                let place = &mut next[i as usize];
                rows[*place as usize] = row as u32;
                *place += 1;
            }
        }
        Self {
            offsets: starts,
            rows,
        }
    }
}

#[cfg(test)]
mod tests;
