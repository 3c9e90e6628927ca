//! How tests run a layer: whole passes over plain arrays.

use std::sync::Arc;

use rheobase_engine::plan::WeightFormat;
use rheobase_engine::port::{
    Layer, LayerCall, LayerInput, LayerType, StepInput, StepLayer, Tensor,
};
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
        version: 0,
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

/// The computation of a layer in either precision.
pub(super) trait Precise: Real {
    fn layer(of: &dyn LayerType, shape: &[usize]) -> Box<dyn Layer<Self>>;

    fn step_layer(
        of: &dyn LayerType,
        shape: &[usize],
        parameters: &[Tensor<Self>],
        weights: WeightFormat,
    ) -> Box<dyn StepLayer<Self>>;
}

impl Precise for f32 {
    fn layer(of: &dyn LayerType, shape: &[usize]) -> Box<dyn Layer<f32>> {
        of.layer_f32(shape)
    }

    fn step_layer(
        of: &dyn LayerType,
        shape: &[usize],
        parameters: &[Tensor<f32>],
        weights: WeightFormat,
    ) -> Box<dyn StepLayer<f32>> {
        of.step_layer_f32(shape, parameters, weights).unwrap()
    }
}

impl Precise for f64 {
    fn layer(of: &dyn LayerType, shape: &[usize]) -> Box<dyn Layer<f64>> {
        of.layer_f64(shape)
    }

    fn step_layer(
        of: &dyn LayerType,
        shape: &[usize],
        parameters: &[Tensor<f64>],
        weights: WeightFormat,
    ) -> Box<dyn StepLayer<f64>> {
        of.step_layer_f64(shape, parameters, weights).unwrap()
    }
}

/// A layer from arguments as in a file.
pub(super) fn made(name: &str, arguments: &[(&str, &str)]) -> Arc<dyn LayerType> {
    let arguments: Vec<_> = arguments
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    crate::layer(name, &arguments).unwrap()
}

/// What is wrong with these arguments.
pub(super) fn refused(name: &str, arguments: &[(&str, &str)]) -> String {
    let arguments: Vec<_> = arguments
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    crate::layer(name, &arguments).err().unwrap().to_string()
}

/// In this precision.
pub(super) fn narrow<R: Real>(values: &[f64]) -> Vec<R> {
    values.iter().map(|&x| R::from_f64(x)).collect()
}

/// Normal numbers in the shapes of a layer's parameters.
pub(super) fn drawn<R: Real>(of: &dyn LayerType, shape: &[usize], seed: u64) -> Vec<Tensor<R>> {
    let mut random = construction_stream(0, Purpose::Layer, 0, 0);
    let tensors = of.parameters(shape, &mut random).into_iter();
    let drawn = tensors.zip(seed..).map(|(t, seed)| Tensor {
        values: narrow(&numbers(t.values.len(), seed)),
        name: t.name,
        shape: t.shape,
    });
    drawn.collect()
}

/// Rows of zeros and ones, and the same as index lists.
pub(super) struct Spikes<R> {
    pub(super) values: Vec<R>,
    pub(super) offsets: Vec<u32>,
    pub(super) indices: Vec<u32>,
    pub(super) width: usize,
}

impl<R: Real> Spikes<R> {
    pub(super) fn draw(rows: usize, width: usize, density: f64, seed: u64) -> Self {
        let mut random = construction_stream(seed, Purpose::Layer, 1, 0);
        let mut spikes = Self {
            values: Vec::new(),
            offsets: vec![0],
            indices: Vec::new(),
            width,
        };
        for _ in 0..rows {
            // Rows differ in how active they are.
            let density = density * 2.0 * random.uniform();
            for i in 0..width as u32 {
                let fires = random.uniform() < density;
                spikes.values.push(if fires { R::ONE } else { R::ZERO });
                spikes.indices.extend(fires.then_some(i));
            }
            spikes.offsets.push(spikes.indices.len() as u32);
        }
        spikes
    }

    pub(super) fn real(&self) -> LayerInput<'_, R> {
        real(&self.values, self.width)
    }

    pub(super) fn lists(&self) -> LayerInput<'_, R> {
        LayerInput::Spikes {
            offsets: &self.offsets,
            indices: &self.indices,
            width: self.width,
        }
    }
}

pub(super) fn real<R>(values: &[R], width: usize) -> LayerInput<'_, R> {
    LayerInput::Real { values, width }
}

/// Everything a pass and its reversal give, as bits: output, cotangents of input and parameters. The
/// reversal adds to what is there, twice.
pub(super) fn all_bits<R: Precise>(
    of: &dyn LayerType,
    shape: &[usize],
    call: &LayerCall<'_, R>,
    input: LayerInput<'_, R>,
) -> Vec<Vec<i64>> {
    let n_out = of.output_shape(shape).unwrap().iter().product::<usize>();
    let mut layer = R::layer(of, shape);
    let y = forward(layer.as_mut(), call, input, n_out);
    let dy: Vec<R> = narrow(&numbers(y.len(), 77));
    let mut dx = vec![R::ZERO; input.rows() * input.width()];
    let mut dp = zeros(call.parameters);
    for _ in 0..2 {
        backward(layer.as_mut(), call, input, &dy, &mut dx, &mut dp);
    }
    let bits = |v: &[R]| v.iter().map(|x| x.to_int_bits()).collect::<Vec<_>>();
    let mut all = vec![bits(&y), bits(&dx)];
    all.extend(dp.iter().map(|t| bits(&t.values)));
    all.extend(layer.buffers().iter().map(|t| bits(&t.values)));
    all
}

/// Index lists and the same zeros and ones give the same bits, forward and backward.
pub(super) fn check_spikes<R: Precise>(
    of: &dyn LayerType,
    shape: &[usize],
    rows: usize,
    density: f64,
    seed: u64,
) {
    let spikes = Spikes::<R>::draw(rows, shape.iter().product(), density, seed);
    let p = drawn(of, shape, seed);
    let results =
        [spikes.real(), spikes.lists()].map(|input| all_bits(of, shape, &call(&p, rows), input));
    assert!(
        results[0] == results[1],
        "{shape:?} {rows} {density} {seed}"
    );
}

/// Single steps have the bits of rows of a pass in evaluation, for numbers and for spikes of any
/// density; where spikes pass as a list, they are the ones of the same step. Returns whether they do.
pub(super) fn check_steps<R: Precise>(of: &dyn LayerType, shape: &[usize], seed: u64) -> bool {
    let width: usize = shape.iter().product();
    let n_out = of.output_shape(shape).unwrap().iter().product::<usize>();
    let p = drawn::<R>(of, shape, seed);
    let evaluation = LayerCall {
        training: false,
        ..call(&p, 1)
    };
    let mut layer = R::layer(of, shape);
    let mut step = R::step_layer(of, shape, &p, WeightFormat::Exact);
    let bits = |v: &[R]| v.iter().map(|x| x.to_int_bits()).collect::<Vec<_>>();
    let mut output = vec![R::from_f64(f64::NAN); n_out];
    let x: Vec<R> = narrow(&numbers(width, seed));
    let expected = forward(layer.as_mut(), &evaluation, real(&x, width), n_out);
    step.step(StepInput::Real(&x), &mut output);
    assert!(bits(&output) == bits(&expected), "{shape:?} {seed}");
    let mut passes_lists = false;
    for density in [0.0, 0.1, 0.4, 2.0] {
        let spikes = Spikes::<R>::draw(1, width, density, seed);
        let expected = forward(layer.as_mut(), &evaluation, spikes.real(), n_out);
        step.step(StepInput::Spikes(&spikes.indices), &mut output);
        assert!(
            bits(&output) == bits(&expected),
            "{shape:?} {density} {seed}"
        );
        // What stands twice counts twice, in the same way.
        let twice: Vec<u32> = spikes.indices.iter().flat_map(|&i| [i, i]).collect();
        let offsets = [0, twice.len() as u32];
        let lists = LayerInput::Spikes {
            offsets: &offsets,
            indices: &twice,
            width,
        };
        let doubled = forward(layer.as_mut(), &evaluation, lists, n_out);
        step.step(StepInput::Spikes(&twice), &mut output);
        assert!(
            bits(&output) == bits(&doubled),
            "twice {shape:?} {density} {seed}"
        );
        let mut fired = vec![u32::MAX];
        passes_lists = step.relay(&spikes.indices, &mut fired);
        if passes_lists {
            let ones = (0_u32..).zip(&expected).filter(|(_, y)| **y != R::ZERO);
            assert!(ones.clone().all(|(_, y)| *y == R::ONE));
            let ones: Vec<u32> = ones.map(|(i, _)| i).collect();
            assert_eq!(fired, ones, "{shape:?} {density} {seed}");
        }
    }
    passes_lists
}

/// Weights in fewer bits: an output is off by no more than the stated bound for each active input that
/// reaches it, and by more than nothing somewhere.
pub(super) fn check_formats(of: &dyn LayerType, shape: &[usize]) {
    let width: usize = shape.iter().product();
    let n_out = of.output_shape(shape).unwrap().iter().product::<usize>();
    let p = drawn::<f64>(of, shape, 3);
    let outputs = |format: WeightFormat, spikes: &Spikes<f64>| {
        let mut step = f64::step_layer(of, shape, &p, format);
        let mut output = vec![0.0; n_out];
        step.step(StepInput::Spikes(&spikes.indices), &mut output);
        (output, step.error())
    };
    for density in [0.3, 2.0] {
        let spikes = Spikes::<f64>::draw(1, width, density, 9);
        let n = spikes.indices.len() as f64;
        let (exact, none) = outputs(WeightFormat::Exact, &spikes);
        assert!(none == 0.0 && n > 0.0);
        check_single_weights(of, shape);
        let mut coarser = 0.0;
        for format in [WeightFormat::Int16, WeightFormat::Int8] {
            let (output, error) = outputs(format, &spikes);
            let far = exact.iter().zip(&output).map(|(a, b)| (a - b).abs());
            let far = far.fold(0.0_f64, f64::max);
            assert!(far > 0.0 && far <= n * error, "{shape:?}: {far} {error}");
            assert!(error > coarser);
            coarser = error;
        }
    }
}

/// Each weight alone, in f32, is as near as stated; spikes and ones give the same bits.
fn check_single_weights(of: &dyn LayerType, shape: &[usize]) {
    let width: usize = shape.iter().product();
    let n_out = of.output_shape(shape).unwrap().iter().product::<usize>();
    let mut p = drawn::<f32>(of, shape, 3);
    p.iter_mut().skip(1).for_each(|bias| bias.values.fill(0.0));
    for format in [WeightFormat::Int16, WeightFormat::Int8] {
        let mut exact = f32::step_layer(of, shape, &p, WeightFormat::Exact);
        let mut kept = f32::step_layer(of, shape, &p, format);
        let [mut a, mut b] = [vec![0.0; n_out], vec![0.0; n_out]];
        for i in 0..width as u32 {
            exact.step(StepInput::Spikes(&[i]), &mut a);
            kept.step(StepInput::Spikes(&[i]), &mut b);
            let far = a
                .iter()
                .zip(&b)
                .map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
            assert!(far.fold(0.0, f64::max) <= kept.error(), "{shape:?} {i}");
        }
        let spikes = Spikes::<f32>::draw(1, width, 2.0, 5);
        kept.step(StepInput::Spikes(&spikes.indices), &mut a);
        kept.step(StepInput::Real(&spikes.values), &mut b);
        assert_eq!(a, b);
    }
}

/// One thread and three give the same bits.
pub(super) fn check_threads(of: &dyn LayerType, shape: &[usize], rows: usize) {
    let width = shape.iter().product();
    let p = drawn::<f32>(of, shape, 5);
    let x: Vec<f32> = narrow(&numbers(rows * width, 6));
    let spikes = Spikes::<f32>::draw(rows, width, 0.15, 7);
    for input in [real(&x, width), spikes.lists()] {
        let results = [1, 3].map(|n| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build();
            pool.unwrap()
                .install(|| all_bits(of, shape, &call(&p, rows), input))
        });
        assert!(results[0] == results[1]);
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// ⟨dy, J·δ⟩ = ⟨Jᵀ·dy, δ⟩ for input and every parameter of a layer that is affine in each.
pub(super) fn check_adjoint(of: &dyn LayerType, shape: &[usize], rows: usize) {
    let width: usize = shape.iter().product();
    let n_out = of.output_shape(shape).unwrap().iter().product::<usize>();
    let p = drawn::<f64>(of, shape, 1);
    let x = numbers(rows * width, 20);
    let dy = numbers(rows * n_out, 21);
    let mut layer = of.layer_f64(shape);
    let mut output = |p: &[Tensor<f64>], x: &[f64]| {
        forward(layer.as_mut(), &call(p, rows), real(x, width), n_out)
    };
    let at = output(&p, &x);
    let change = |y: &[f64]| y.iter().zip(&at).map(|(y, at)| y - at).collect::<Vec<_>>();
    let sum = |x: &[f64], d: &[f64]| x.iter().zip(d).map(|(x, d)| x + d).collect::<Vec<_>>();
    let delta = numbers(x.len(), 22);
    let mut changes = vec![(dot(&dy, &change(&output(&p, &sum(&x, &delta)))), delta)];
    for k in 0..p.len() {
        let delta = numbers(p[k].values.len(), 23 + k as u64);
        let mut moved = p.clone();
        moved[k].values = sum(&p[k].values, &delta);
        changes.push((dot(&dy, &change(&output(&moved, &x))), delta));
    }
    let (mut dx, mut dp) = (vec![0.0; x.len()], zeros(&p));
    let (c, input) = (call(&p, rows), real(&x, width));
    let _ = forward(layer.as_mut(), &c, input, n_out);
    backward(layer.as_mut(), &c, input, &dy, &mut dx, &mut dp);
    let cotangents = std::iter::once(&dx).chain(dp.iter().map(|t| &t.values));
    let scale = dot(&dy, &dy).sqrt() * dot(&at, &at).sqrt();
    for (k, (cotangent, (change, delta))) in cotangents.zip(&changes).enumerate() {
        let adjoint = dot(cotangent, delta);
        let distance = (adjoint - change).abs();
        assert!(distance < 1e-12 * scale.max(1.0), "{k}: {adjoint} {change}");
    }
}

/// Largest distance, over the largest magnitude expected.
pub(super) fn distance<R: Real>(found: &[R], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    let far = pairs.map(|(f, e)| (f.to_f64() - e).abs());
    // NaN must not pass for small.
    let far = far.fold(0.0_f64, |m, d| if d <= m { m } else { d });
    far / expected.iter().fold(1e-300_f64, |m, e| m.max(e.abs()))
}

/// The output of rows of real values in either precision against an independent f64 computation.
pub(super) fn check_forward(
    of: &dyn LayerType,
    shape: &[usize],
    rows: usize,
    reference: impl Fn(&[Tensor<f64>], &[f64]) -> Vec<f64>,
) {
    let width: usize = shape.iter().product();
    let n_out = of.output_shape(shape).unwrap().iter().product::<usize>();
    let x32: Vec<f32> = narrow(&numbers(rows * width, 2));
    let p32 = drawn::<f32>(of, shape, 1);
    let wide = |v: &[f32]| v.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
    let p64: Vec<Tensor<f64>> = p32
        .iter()
        .map(|t| Tensor {
            name: t.name.clone(),
            shape: t.shape.clone(),
            values: wide(&t.values),
        })
        .collect();
    let x64 = wide(&x32);
    let expected = reference(&p64, &x64);
    let mut layer = of.layer_f64(shape);
    let found = forward(layer.as_mut(), &call(&p64, rows), real(&x64, width), n_out);
    let far = distance(&found, &expected);
    assert!(far <= 1e-12, "f64 {shape:?}: {far:e}");
    let mut layer = of.layer_f32(shape);
    let found = forward(layer.as_mut(), &call(&p32, rows), real(&x32, width), n_out);
    let far = distance(&found, &expected);
    assert!(far <= 1e-5, "f32 {shape:?}: {far:e}");
}
