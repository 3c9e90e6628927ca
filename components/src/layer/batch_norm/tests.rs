//! Batch normalisation against its definition, differences, and itself in other ways.

use proptest::prelude::*;
use rheobase_engine::plan::WeightFormat;
use rheobase_engine::port::{LayerCall, LayerType, StepInput, Tensor};
use rheobase_engine::random::{Purpose, construction_stream};

use super::super::testing::{
    Spikes, all_bits, backward, call, check_forward, check_spikes, check_threads, distance, dot,
    drawn, forward, made, narrow, numbers, real, refused, zeros,
};
use super::{FoldError, Norm, fold_batch_norm};

/// Values of a channel, over all rows and positions.
fn of_channel(x: &[f64], shape: &[usize], c: usize) -> Vec<f64> {
    let positions: usize = shape[1..].iter().product();
    let width = shape[0] * positions;
    let places = (0..x.len()).filter(|i| i % width / positions == c);
    places.map(|i| x[i]).collect()
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

fn variance(x: &[f64]) -> f64 {
    let mean = mean(x);
    x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64
}

/// The definition in training; `batch` samples, p for each step.
fn naive(p: &[Tensor<f64>], x: &[f64], shape: &[usize], batch: usize, eps: f64) -> Vec<f64> {
    let positions: usize = shape[1..].iter().product();
    let width = shape[0] * positions;
    let channels: Vec<_> = (0..shape[0])
        .map(|c| of_channel(x, shape, c))
        .map(|x| (mean(&x), variance(&x)))
        .collect();
    let value = |(i, x): (usize, &f64)| {
        let c = i % width / positions;
        let (mean, variance) = channels[c];
        let named = |name: &str, k: usize, default: f64| {
            let tensor = p.iter().find(|t| t.name == name);
            tensor.map_or(default, |t| t.values[k.min(t.values.len() - 1)])
        };
        let normal = (x - mean) / (variance + eps).sqrt();
        let y = named("weight", c, 1.0) * normal + named("bias", c, 0.0);
        y * named("p", i / width / batch, 1.0)
    };
    x.iter().enumerate().map(value).collect()
}

#[test]
fn forward_is_the_definition() {
    for shape in [&[4][..], &[3, 17], &[2, 5, 3]] {
        let norm = made("batch_norm", &[("eps", "0.01")]);
        check_forward(&*norm, shape, 6, |p, x| naive(p, x, shape, 6, 0.01));
        let norm = made("batch_norm", &[("affine", "false")]);
        check_forward(&*norm, shape, 6, |p, x| {
            assert!(p.is_empty());
            naive(p, x, shape, 6, 1e-5)
        });
    }
}

#[test]
fn a_mean_far_from_0_costs_no_accuracy() {
    let shape = [2, 50];
    let norm = made("batch_norm", &[]);
    let p = drawn::<f64>(&*norm, &shape, 1);
    let x: Vec<f64> = numbers(400, 2).iter().map(|x| 1e6 + x).collect();
    let mut layer = norm.layer_f64(&shape);
    let y = forward(layer.as_mut(), &call(&p, 4), real(&x, 100), 100);
    assert!(distance(&y, &naive(&p, &x, &shape, 4, 1e-5)) < 1e-9);
}

#[test]
fn running_statistics_follow_training_alone() {
    let shape = [3, 4];
    let norm = made("batch_norm", &[("momentum", "0.25")]);
    let p = drawn::<f64>(&*norm, &shape, 1);
    let x = numbers(5 * 12, 2);
    let mut layer = norm.layer_f64(&shape);
    let of_p = call(&p, 5);
    let run = |layer: &mut dyn rheobase_engine::port::Layer<f64>, call: &LayerCall<'_, f64>| {
        forward(layer, call, real(&x, 12), 12)
    };
    let trained = run(layer.as_mut(), &of_p);
    let check = |buffers: &[Tensor<f64>], n: f64| {
        assert_eq!(buffers[0].name, "running_mean");
        assert_eq!(buffers[1].name, "running_var");
        for c in 0..3 {
            let x = of_channel(&x, &shape, c);
            let unbiased = variance(&x) * n / (n - 1.0);
            assert!((buffers[0].values[c] - 0.25 * mean(&x)).abs() < 1e-14);
            assert!((buffers[1].values[c] - (0.75 + 0.25 * unbiased)).abs() < 1e-14);
        }
    };
    check(layer.buffers(), 20.0);
    let again = LayerCall {
        again: true,
        ..of_p
    };
    assert_eq!(run(layer.as_mut(), &again), trained);
    check(layer.buffers(), 20.0);
    let evaluation = LayerCall {
        training: false,
        ..of_p
    };
    let evaluated = run(layer.as_mut(), &evaluation);
    check(layer.buffers(), 20.0);
    let buffers = layer.buffers().to_vec();
    for (i, (y, x)) in evaluated.iter().zip(&x).enumerate() {
        let c = i / 4 % 3;
        let root = (buffers[1].values[c] + 1e-5).sqrt();
        let normal = (x - buffers[0].values[c]) / root;
        let expected = p[0].values[c] * normal + p[1].values[c];
        assert!((y - expected).abs() < 1e-13);
    }
    // Rows that stand for 3 steps each: 60 numbers.
    let mut layer = norm.layer_f64(&shape);
    run(layer.as_mut(), &LayerCall { repeats: 3, ..of_p });
    check(layer.buffers(), 60.0);
}

/// A pass over rows that stand for two steps is the pass over both steps.
#[test]
fn a_row_that_repeats_is_two_rows() {
    let shape = [2, 3];
    let norm = made("batch_norm", &[]);
    let p = drawn::<f64>(&*norm, &shape, 1);
    let (x, dy) = (numbers(4 * 6, 2), numbers(8 * 6, 3));
    let twice = [&x[..], &x[..]].concat();
    let folded: Vec<f64> = dy[..24].iter().zip(&dy[24..]).map(|(a, b)| a + b).collect();
    let run = |call: LayerCall<'_, f64>, x: &[f64], dy: &[f64]| {
        let mut layer = norm.layer_f64(&shape);
        let y = forward(layer.as_mut(), &call, real(x, 6), 6);
        let (mut dx, mut dp) = (vec![0.0; x.len()], zeros(&p));
        backward(layer.as_mut(), &call, real(x, 6), dy, &mut dx, &mut dp);
        (y, dx, dp, layer.buffers().to_vec())
    };
    let short = run(
        LayerCall {
            repeats: 2,
            ..call(&p, 4)
        },
        &x,
        &folded,
    );
    let long = run(call(&p, 4), &twice, &dy);
    assert!(distance(&short.0, &long.0[..24]) < 1e-14);
    let dx: Vec<f64> = long.1[..24]
        .iter()
        .zip(&long.1[24..])
        .map(|(a, b)| a + b)
        .collect();
    assert!(distance(&short.1, &dx) < 1e-14);
    for (short, long) in short
        .2
        .iter()
        .chain(&short.3)
        .zip(long.2.iter().chain(&long.3))
    {
        assert!(
            distance(&short.values, &long.values) < 1e-14,
            "{}",
            short.name
        );
    }
}

/// Central differences of ⟨dy, y⟩ along random directions, in input and every parameter.
fn check_differences(norm: &dyn LayerType, training: bool) {
    let (shape, rows, batch) = ([3, 5], 6, 2);
    let p = drawn::<f64>(norm, &shape, 1);
    let (x, dy) = (numbers(rows * 15, 2), numbers(rows * 15, 3));
    let mut layer = norm.layer_f64(&shape);
    for buffer in layer.buffers() {
        buffer.values = vec![0.3, 0.8, 1.7];
    }
    let mut value = |p: &[Tensor<f64>], x: &[f64]| {
        let call = LayerCall {
            training,
            again: true,
            ..call(p, batch)
        };
        dot(&dy, &forward(layer.as_mut(), &call, real(x, 15), 15))
    };
    let h = 1e-5;
    let moved = |x: &[f64], d: &[f64], h: f64| -> Vec<f64> {
        x.iter().zip(d).map(|(x, d)| x + h * d).collect()
    };
    let delta = numbers(x.len(), 4);
    let slope = (value(&p, &moved(&x, &delta, h)) - value(&p, &moved(&x, &delta, -h))) / (2.0 * h);
    let mut expected = vec![(slope, delta)];
    for k in 0..p.len() {
        let delta = numbers(p[k].values.len(), 5 + k as u64);
        let mut at = |h: f64| {
            let mut p = p.clone();
            p[k].values = moved(&p[k].values, &delta, h);
            value(&p, &x)
        };
        expected.push(((at(h) - at(-h)) / (2.0 * h), delta));
    }
    let call = LayerCall {
        training,
        again: true,
        ..call(&p, batch)
    };
    let (mut dx, mut dp) = (vec![0.0; x.len()], zeros(&p));
    let _ = forward(layer.as_mut(), &call, real(&x, 15), 15);
    backward(layer.as_mut(), &call, real(&x, 15), &dy, &mut dx, &mut dp);
    let found = std::iter::once(&dx).chain(dp.iter().map(|t| &t.values));
    for (k, (found, (slope, delta))) in found.zip(&expected).enumerate() {
        let found = dot(found, delta);
        let far = (found - slope).abs() / slope.abs().max(1.0);
        assert!(far < 1e-8, "{k}, training {training}: {found} {slope}");
    }
}

#[test]
fn cotangents_are_slopes() {
    for training in [true, false] {
        check_differences(&*made("batch_norm", &[]), training);
        check_differences(&*made("batch_norm", &[("affine", "false")]), training);
        let te = [("variant", "te"), ("steps", "3")];
        check_differences(&*made("batch_norm", &te), training);
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    for shape in [&[7][..], &[5, 3, 9]] {
        check_threads(&*made("batch_norm", &[]), shape, 9);
        let te = [("variant", "te"), ("steps", "3"), ("affine", "false")];
        check_threads(&*made("batch_norm", &te), shape, 9);
    }
}

proptest! {
    #[test]
    fn spikes_give_the_bits_of_zeros_and_ones(
        (channels, positions, rows) in (1_usize..5, 1_usize..20, 1_usize..6),
        density in 0.0..0.8,
        seed in 0_u64..1000,
    ) {
        let norm = made("batch_norm", &[]);
        check_spikes::<f32>(&*norm, &[channels, positions], rows, density, seed);
        check_spikes::<f64>(&*norm, &[channels, positions], rows, density, seed);
    }
}

#[test]
fn te_multiplies_steps_and_td_scales_with_the_threshold() {
    let te = made("batch_norm", &[("variant", "te"), ("steps", "3")]);
    assert!(te.depends_on_step() && te.mixes_rows());
    let shape = [2, 3];
    let mut random = construction_stream(0, Purpose::Layer, 0, 0);
    let first = te.parameters(&shape, &mut random);
    assert_eq!(first[2].name, "p");
    assert_eq!(first[2].values, [1.0; 3]);
    let p = drawn::<f64>(&*te, &shape, 1);
    let x = numbers(4 * 2 * 6, 2);
    let mut layer = te.layer_f64(&shape);
    let y = forward(layer.as_mut(), &call(&p, 2), real(&x, 6), 6);
    // The fourth step has the factor of the third.
    assert!(distance(&y, &naive(&p, &x, &shape, 2, 1e-5)) < 1e-13);
    let later = LayerCall {
        first_step: 1,
        again: true,
        ..call(&p, 2)
    };
    let y = forward(layer.as_mut(), &later, real(&x, 6), 6);
    let mut shifted = p.clone();
    shifted[2].values.remove(0);
    assert!(distance(&y, &naive(&shifted, &x, &shape, 2, 1e-5)) < 1e-13);

    let td = [("variant", "td"), ("alpha", "0.5"), ("v_threshold", "3")];
    let td = made("batch_norm", &td);
    assert!(!td.depends_on_step());
    let first = td.parameters(&shape, &mut random);
    assert_eq!(
        (&first[0].values, &first[1].values),
        (&vec![1.5; 2], &vec![0.0; 2])
    );
}

#[test]
fn a_single_step_has_the_bits_of_evaluation() {
    let shape = [3, 4];
    let norm = made("batch_norm", &[]);
    let p = drawn::<f32>(&*norm, &shape, 1);
    let mut layer = norm.layer_f32(&shape);
    let x: Vec<f32> = narrow(&numbers(5 * 12, 2));
    let _ = forward(layer.as_mut(), &call(&p, 5), real(&x, 12), 12);
    let evaluation = LayerCall {
        training: false,
        ..call(&p, 5)
    };
    // No rows are needed to begin.
    layer.begin(&evaluation, real(&[], 12));
    let mut y = vec![0.0; 60];
    layer.forward(&evaluation, 0..5, real(&x, 12), &mut y, &mut Vec::new());
    let mut both = p.clone();
    both.extend_from_slice(layer.buffers());
    let mut step = norm
        .step_layer_f32(&shape, &both, WeightFormat::Exact)
        .unwrap();
    let mut one = vec![0.0; 12];
    for (x, y) in x.chunks(12).zip(y.chunks(12)) {
        step.step(StepInput::Real(x), &mut one);
        assert_eq!(one, y);
    }
    let spikes = Spikes::<f32>::draw(1, 12, 0.5, 3);
    layer.forward(
        &evaluation,
        0..1,
        spikes.lists(),
        &mut y[..12],
        &mut Vec::new(),
    );
    step.step(StepInput::Spikes(&spikes.indices), &mut one);
    assert_eq!(one, y[..12]);
    let mut step = norm
        .step_layer_f32(&shape, &both, WeightFormat::Int8)
        .unwrap();
    step.step(StepInput::Spikes(&spikes.indices), &mut one);
    assert_eq!(one, y[..12]);
    assert!(step.error() == 0.0);
    let te = made("batch_norm", &[("variant", "te"), ("steps", "3")]);
    let error = te
        .step_layer_f32(&shape, &p, WeightFormat::Exact)
        .err()
        .unwrap();
    assert!(error.contains("depend on the step"));
}

#[test]
fn folding_changes_nothing_but_rounding() {
    let arguments = [
        ("out_channels", "5"),
        ("kernel_size", "3"),
        ("padding", "1"),
    ];
    for (name, arguments, shape) in [
        ("conv2d", &arguments[..], &[4, 6, 7][..]),
        ("linear", &[("out_features", "5")], &[30]),
    ] {
        let (layer, norm) = (made(name, arguments), made("batch_norm", &[]));
        let between = layer.output_shape(shape).unwrap();
        let (n_in, n_out) = (shape.iter().product(), between.iter().product());
        let (mut p, q) = (
            drawn::<f32>(&*layer, shape, 1),
            drawn::<f32>(&*norm, &between, 3),
        );
        let x: Vec<f32> = narrow(&numbers(3 * n_in, 5));
        let run = |p: &[Tensor<f32>]| {
            let mut kernel = layer.layer_f32(shape);
            forward(kernel.as_mut(), &call(p, 3), real(&x, n_in), n_out)
        };
        let mut kernel = norm.layer_f32(&between);
        kernel.buffers()[0].values = narrow(&numbers(5, 6));
        kernel.buffers()[1].values = vec![0.2, 1.0, 3.0, 0.01, 2.0];
        let evaluation = LayerCall {
            training: false,
            ..call(&q, 3)
        };
        let after = forward(kernel.as_mut(), &evaluation, real(&run(&p), n_out), n_out);
        let buffers = kernel.buffers().to_vec();
        let norm = Norm {
            weight: &q[0].values,
            bias: &q[1].values,
            running_mean: &buffers[0].values,
            running_var: &buffers[1].values,
            eps: 1e-5,
        };
        let [weight, bias] = &mut p[..] else { panic!() };
        fold_batch_norm(&mut weight.values, &mut bias.values, &norm).unwrap();
        let wide: Vec<f64> = after.iter().map(|&y| f64::from(y)).collect();
        let far = distance(&run(&p), &wide);
        println!("{name} folded: {far:.1e}");
        assert!(far < 1e-5);
    }
    let short = Norm {
        weight: &[1.0],
        bias: &[0.0],
        running_mean: &[0.0],
        running_var: &[1.0, 2.0],
        eps: 1e-5,
    };
    let error = fold_batch_norm(&mut [1.0, 2.0], &mut [0.0], &short).unwrap_err();
    let FoldError::Length { name, .. } = error;
    assert_eq!(name, "running_var");
    assert!(fold_batch_norm(&mut [], &mut [], &short).is_err());
}

#[test]
fn one_number_alone_has_no_spread() {
    let norm = made("batch_norm", &[]);
    let p = drawn::<f64>(&*norm, &[1], 1);
    let bits = all_bits(&*norm, &[1], &call(&p, 1), real(&[3.0], 1));
    let y = f64::from_bits(bits[0][0].cast_unsigned());
    assert_eq!(y, p[1].values[0]);
    let running = f64::from_bits(bits[5][0].cast_unsigned());
    assert_eq!(running, 0.9);
}

#[test]
fn shapes_and_arguments_that_do_not_fit_are_refused() {
    let norm = made("batch_norm", &[]);
    assert!(norm.output_shape(&[]).unwrap_err().contains("reshape"));
    assert!(norm.output_shape(&[3, 0]).unwrap_err().contains("reshape"));
    assert!(
        norm.output_shape(&[1 << 40, 1 << 40])
            .unwrap_err()
            .contains("elements")
    );
    for shape in [&[][..], &[0], &[3, 0]] {
        let p = drawn::<f32>(&*norm, shape, 1);
        let mut layer = norm.layer_f32(shape);
        assert!(forward(layer.as_mut(), &call(&p, 1), real(&[], 0), 0).is_empty());
    }
    let error = |arguments: &[(&str, &str)]| refused("batch_norm", arguments);
    assert!(error(&[("eps", "0")]).contains("above 0"));
    assert!(error(&[("momentum", "1.5")]).contains("0 to 1"));
    assert!(error(&[("variant", "x")]).contains("plain, td or te"));
    assert!(error(&[("variant", "te")]).contains("required by te"));
    assert!(error(&[("variant", "te"), ("steps", "0")]).contains("expected 1 to"));
    assert!(error(&[("steps", "4")]).contains("no use"));
    assert!(error(&[("variant", "td"), ("affine", "false")]).contains("affine"));
}
