//! How tests run a layer: whole passes over plain arrays.

use rheobase_engine::port::{Layer, LayerCall, LayerInput, Tensor};
use rheobase_engine::random::{Philox, Purpose, construction_stream};
use rheobase_equations::real::Real;

/// Normal numbers.
pub(super) fn numbers(n: usize, seed: u64) -> Vec<f64> {
    let mut random = construction_stream(seed, Purpose::Layer, 0, 0);
    (0..n).map(|_| random.normal()).collect()
}

/// Tensors of the same shapes, filled with zeros.
pub(super) fn zeros<R: Real>(like: &[Tensor<R>]) -> Vec<Tensor<R>> {
    like.iter()
        .map(|t| Tensor {
            values: vec![R::ZERO; t.values.len()],
            ..t.clone()
        })
        .collect()
}

/// A pass in training over samples of one step.
pub(super) fn call<R: Real>(parameters: &[Tensor<R>], batch: usize) -> LayerCall<'_, R> {
    LayerCall {
        parameters,
        training: true,
        again: false,
        batch,
        first_step: 0,
        repeats: 1,
        stream: Philox::new(1, Purpose::Layer, 0),
        pass: 0,
    }
}

/// The output, `[rows, out]`; rows are computed one range after the other, the last first.
pub(super) fn forward<R: Real>(
    layer: &mut dyn Layer<R>,
    call: &LayerCall<'_, R>,
    input: LayerInput<'_, R>,
    n_out: usize,
) -> Vec<R> {
    let rows = input.rows();
    let mut output = vec![R::from_f64(f64::NAN); rows * n_out];
    layer.begin(call, input);
    let mut scratch = vec![R::from_f64(f64::NAN); 3];
    for range in [rows / 3..rows, 0..rows / 3] {
        let part = &mut output[range.start * n_out..range.end * n_out];
        let input = input.slice(range.clone());
        layer.forward(call, range, input, part, &mut scratch);
    }
    output
}

/// Adds the cotangents of input and parameters.
pub(super) fn backward<R: Real>(
    layer: &mut dyn Layer<R>,
    call: &LayerCall<'_, R>,
    input: LayerInput<'_, R>,
    dy: &[R],
    dx: &mut [R],
    dp: &mut [Tensor<R>],
) {
    let rows = input.rows();
    let (n_in, n_out) = (input.width(), dy.len() / rows);
    layer.begin_reverse(call, input, dy);
    let mut scratch = Vec::new();
    for range in [rows / 2..rows, 0..rows / 2] {
        let dx = &mut dx[range.start * n_in..range.end * n_in];
        let dy = &dy[range.start * n_out..range.end * n_out];
        let input = input.slice(range.clone());
        layer.reverse(call, range, input, dy, dx, &mut scratch);
    }
    layer.add_gradients(call, input, dy, dp);
}
