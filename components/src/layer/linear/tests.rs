//! The linear layer against its definition, and against itself the other way in.

use proptest::prelude::*;
use rheobase_engine::random::{Purpose, construction_stream};

use super::super::testing::{backward, call, check_formats, check_steps, forward, numbers, zeros};
use super::*;

fn linear(n_out: usize, bias: bool) -> Linear {
    Linear {
        n_out,
        bias,
        products: Products::Auto,
    }
}

fn tensors<R: Real>(n_in: usize, n_out: usize, seed: u64) -> Vec<Tensor<R>> {
    let drawn = numbers(n_in * n_out + n_out, seed);
    let narrow = |v: &[f64]| v.iter().map(|&x| R::from_f64(x)).collect();
    let (weight, bias) = drawn.split_at(n_in * n_out);
    vec![
        Tensor {
            name: "weight".into(),
            shape: vec![n_out, n_in],
            values: narrow(weight),
        },
        Tensor {
            name: "bias".into(),
            shape: vec![n_out],
            values: narrow(bias),
        },
    ]
}

/// The definition, element by element.
fn reference(p: &[Tensor<f64>], x: &[f64], n_in: usize) -> Vec<f64> {
    let outputs = |x: &[f64]| {
        let dot = |(w, &b): (&[f64], &f64)| w.iter().zip(x).fold(b, |sum, (w, x)| sum + w * x);
        p[0].values
            .chunks(n_in)
            .zip(&p[1].values)
            .map(dot)
            .collect::<Vec<_>>()
    };
    x.chunks(n_in).flat_map(outputs).collect()
}

#[test]
fn forward_is_the_definition() {
    for (rows, n_in, n_out) in [(1, 1, 1), (1, 30, 21), (3, 5, 40), (9, 33, 17), (8, 64, 32)] {
        let p = tensors(n_in, n_out, 1);
        let x = numbers(rows * n_in, 2);
        let input = LayerInput::Real {
            values: &x,
            width: n_in,
        };
        let mut layer = linear(n_out, true).layer_f64(&[n_in]);
        let y = forward(layer.as_mut(), &call(&p, rows), input, n_out);
        for (y, expected) in y.iter().zip(reference(&p, &x, n_in)) {
            assert!((y - expected).abs() < 1e-13, "{y} {expected}");
        }
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
    let input = LayerInput::Real {
        values: &x,
        width: n_in,
    };
    let of_p = call(&p, rows);
    backward(layer.as_mut(), &of_p, input, &dy, &mut dx, &mut dp);

    let mut forward = |p: &[Tensor<f64>], x: &[f64]| {
        let input = LayerInput::Real {
            values: x,
            width: n_in,
        };
        forward(layer.as_mut(), &call(p, rows), input, n_out)
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12 * a.abs().max(100.0), "{a} {b}");
    let without_bias = [p[0].clone(), zeros(&p)[1].clone()];
    let delta = numbers(x.len(), 4);
    close(dot(&dy, &forward(&without_bias, &delta)), dot(&dx, &delta));
    let delta_w = tensors(n_in, n_out, 5);
    let only_weight = [delta_w[0].clone(), zeros(&p)[1].clone()];
    close(
        dot(&dy, &forward(&only_weight, &x)),
        dot(&dp[0].values, &delta_w[0].values),
    );
    let only_bias = [zeros(&p)[0].clone(), delta_w[1].clone()];
    close(
        dot(&dy, &forward(&only_bias, &x)),
        dot(&dp[1].values, &delta_w[1].values),
    );
}

/// Both ways into the layer, forward and backward, on the same zeros and ones.
fn compare<R: Real>(mut layer: Box<dyn Layer<R>>, n_in: usize, n_out: usize, rows: &[Vec<bool>]) {
    let p = tensors::<R>(n_in, n_out, 1);
    let values: Vec<R> = rows
        .iter()
        .flatten()
        .map(|&on| if on { R::ONE } else { R::ZERO })
        .collect();
    let (mut offsets, mut indices) = (vec![0], Vec::new());
    for row in rows {
        indices.extend((0_u32..).zip(row).filter(|(_, on)| **on).map(|(i, _)| i));
        offsets.push(indices.len() as u32);
    }
    let inputs = [
        LayerInput::Real {
            values: &values,
            width: n_in,
        },
        LayerInput::Spikes {
            offsets: &offsets,
            indices: &indices,
            width: n_in,
        },
    ];
    let dy: Vec<R> = numbers(rows.len() * n_out, 7)
        .into_iter()
        .map(R::from_f64)
        .collect();
    let results = inputs.map(|input| {
        let of_p = call(&p, rows.len());
        let y = forward(layer.as_mut(), &of_p, input, n_out);
        let (mut dx, mut dp) = (vec![R::ZERO; rows.len() * n_in], zeros(&p));
        backward(layer.as_mut(), &of_p, input, &dy, &mut dx, &mut dp);
        // A second call adds to the first.
        backward(layer.as_mut(), &of_p, input, &dy, &mut dx, &mut dp);
        let bits = |v: &[R]| v.iter().map(|x| x.to_int_bits()).collect::<Vec<_>>();
        (
            bits(&y),
            bits(&dx),
            dp.iter().map(|t| bits(&t.values)).collect::<Vec<_>>(),
        )
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
        for products in [Products::Auto, Products::Gather, Products::Dense] {
            let linear = Linear { products, ..linear(n_out, true) };
            compare(linear.layer_f32(&[n_in]), n_in, n_out, &rows);
            compare(linear.layer_f64(&[n_in]), n_in, n_out, &rows);
        }
    }
}

#[test]
fn single_steps_have_the_bits_of_passes() {
    for (n_in, n_out) in [(1, 1), (7, 16), (40, 33), (130, 64), (300, 90)] {
        let linear = linear(n_out, true);
        assert!(!check_steps::<f32>(&linear, &[n_in], 4));
        assert!(!check_steps::<f64>(&linear, &[n_in], 5));
        if n_in >= 40 {
            check_formats(&linear, &[n_in]);
        }
    }
}

#[test]
fn an_input_that_spikes_twice_counts_twice() {
    let p = tensors::<f64>(3, 2, 1);
    let products = Products::Dense;
    let mut layer = Linear {
        products,
        ..linear(2, true)
    }
    .layer_f64(&[3]);
    let spikes = LayerInput::Spikes {
        offsets: &[0, 2],
        indices: &[1, 1],
        width: 3,
    };
    let (mut dx, mut dp) = (vec![0.0; 3], zeros(&p));
    let y = forward(layer.as_mut(), &call(&p, 1), spikes, 2);
    let dy = [1.0, 10.0];
    backward(layer.as_mut(), &call(&p, 1), spikes, &dy, &mut dx, &mut dp);
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
    assert_eq!(
        linear(n_out, false).parameters(&[n_in], &mut random).len(),
        1
    );
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    assert!(
        linear(2, true)
            .output_shape(&[3, 4])
            .unwrap_err()
            .contains("flatten")
    );
    assert!(linear(2, true).output_shape(&[0]).is_err());
    let error = crate::layer("linear", &[("out_features", "0".into())])
        .err()
        .unwrap();
    assert!(error.to_string().contains("expected 1 to"));
}
