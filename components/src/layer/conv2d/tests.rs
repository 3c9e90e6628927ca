//! Convolutions against nested loops, and against themselves the other way in.

use proptest::prelude::*;
use rheobase_engine::plan::WeightFormat;
use rheobase_engine::port::{LayerInput, StepInput, Tensor};
use rheobase_engine::random::{Purpose, construction_stream};

use super::super::testing::{
    all_bits, backward, call, check_adjoint, check_formats, check_forward, check_spikes,
    check_steps, check_threads, drawn, forward, made, numbers, real, refused, zeros,
};

/// The definition, element by element: `[out, kernel_y, kernel_x]` etc. are read from the shapes.
struct Naive {
    shape: [usize; 3],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
}

impl Naive {
    fn outputs(&self, p: &[Tensor<f64>], x: &[f64]) -> Vec<f64> {
        let [channels, height, width] = self.shape;
        let [n_out, per_group, ky, kx] = p[0].shape[..] else {
            panic!()
        };
        let size = |n: usize, k: usize, a: usize| {
            (n + 2 * self.padding[a] - self.dilation[a] * (k - 1) - 1) / self.stride[a] + 1
        };
        let (out_y, out_x) = (size(height, ky, 0), size(width, kx, 1));
        let mut y = Vec::new();
        for x in x.chunks(channels * height * width) {
            for o in 0..n_out {
                let group = o / (n_out / self.groups);
                for i in 0..out_y {
                    for j in 0..out_x {
                        let mut sum = p.get(1).map_or(0.0, |b| b.values[o]);
                        for c in 0..per_group {
                            for a in 0..ky {
                                for b in 0..kx {
                                    let at_y = (i * self.stride[0] + a * self.dilation[0]) as isize
                                        - self.padding[0] as isize;
                                    let at_x = (j * self.stride[1] + b * self.dilation[1]) as isize
                                        - self.padding[1] as isize;
                                    if at_y < 0
                                        || at_x < 0
                                        || at_y >= height as isize
                                        || at_x >= width as isize
                                    {
                                        continue;
                                    }
                                    let channel = group * per_group + c;
                                    let at =
                                        (channel * height + at_y as usize) * width + at_x as usize;
                                    let w = ((o * per_group + c) * ky + a) * kx + b;
                                    sum += p[0].values[w] * x[at];
                                }
                            }
                        }
                        y.push(sum);
                    }
                }
            }
        }
        y
    }
}

/// Arguments, the shape of the input, and the definition.
fn cases() -> Vec<(Vec<(&'static str, &'static str)>, Naive)> {
    let naive = |shape, stride, padding, dilation, groups| Naive {
        shape,
        stride,
        padding,
        dilation,
        groups,
    };
    vec![
        (
            vec![("out_channels", "1"), ("kernel_size", "1")],
            naive([1, 1, 1], [1, 1], [0, 0], [1, 1], 1),
        ),
        (
            vec![
                ("out_channels", "33"),
                ("kernel_size", "3"),
                ("padding", "1"),
            ],
            naive([5, 13, 21], [1, 1], [1, 1], [1, 1], 1),
        ),
        (
            vec![
                ("out_channels", "6"),
                ("kernel_size", "[3, 2]"),
                ("stride", "[2, 3]"),
                ("padding", "[0, 1]"),
                ("dilation", "[2, 1]"),
                ("groups", "2"),
            ],
            naive([4, 11, 9], [2, 3], [0, 1], [2, 1], 2),
        ),
        (
            vec![
                ("out_channels", "4"),
                ("kernel_size", "[5, 3]"),
                ("stride", "2"),
                ("padding", "4"),
                ("groups", "4"),
                ("bias", "false"),
            ],
            naive([4, 2, 7], [2, 2], [4, 4], [1, 1], 4),
        ),
        (
            vec![
                ("out_channels", "3"),
                ("kernel_size", "3"),
                ("stride", "[2, 1]"),
                ("padding", "3"),
                ("dilation", "[1, 2]"),
            ],
            naive([40, 6, 3], [2, 1], [3, 3], [1, 2], 1),
        ),
    ]
}

#[test]
fn forward_is_the_definition() {
    for (arguments, naive) in cases() {
        let conv = made("conv2d", &arguments);
        check_forward(&*conv, &naive.shape, 3, |p, x| naive.outputs(p, x));
    }
}

#[test]
fn one_axis_is_two_with_height_1() {
    let conv = made(
        "conv1d",
        &[
            ("out_channels", "6"),
            ("kernel_size", "4"),
            ("stride", "3"),
            ("padding", "2"),
            ("dilation", "2"),
            ("groups", "2"),
        ],
    );
    assert_eq!(conv.output_shape(&[4, 31]), Ok(vec![6, 10]));
    let naive = Naive {
        shape: [4, 1, 31],
        stride: [1, 3],
        padding: [0, 2],
        dilation: [1, 2],
        groups: 2,
    };
    check_forward(&*conv, &[4, 31], 3, |p, x| {
        assert_eq!(p[0].shape, [6, 2, 4]);
        let mut p = p.to_vec();
        p[0].shape = vec![6, 2, 1, 4];
        naive.outputs(&p, x)
    });
    check_adjoint(&*conv, &[4, 31], 3);
}

#[test]
fn backward_is_the_adjoint_of_forward() {
    for (arguments, naive) in cases() {
        check_adjoint(&*made("conv2d", &arguments), &naive.shape, 4);
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    for (arguments, naive) in cases() {
        check_threads(&*made("conv2d", &arguments), &naive.shape, 5);
    }
}

/// Blocks of positions and of taps, of which small shapes have one.
#[test]
fn large_planes_and_deep_windows_are_cut_into_blocks() {
    let arguments = [("out_channels", "2"), ("kernel_size", "3")];
    for shape in [[64, 20, 20], [1, 300, 300]] {
        let conv = made("conv2d", &arguments);
        let naive = Naive {
            shape,
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
        };
        check_forward(&*conv, &shape, 1, |p, x| naive.outputs(p, x));
        check_adjoint(&*conv, &shape, 1);
    }
}

proptest! {
    #[test]
    fn spikes_give_the_bits_of_zeros_and_ones(
        (channels, per_group_out, groups) in (1_usize..4, 1_usize..20, 1_usize..3),
        (height, width) in (1_usize..9, 1_usize..9),
        (ky, kx) in (1_usize..4, 1_usize..4),
        (stride, padding, dilation) in (1_usize..4, 0_usize..3, 1_usize..3),
        rows in 1_usize..5,
        density in 0.0..0.5,
        seed in 0_u64..1000,
    ) {
        let conv = made("conv2d", &[
            ("out_channels", &(groups * per_group_out).to_string()),
            ("kernel_size", &format!("[{ky}, {kx}]")),
            ("stride", &stride.to_string()),
            ("padding", &padding.to_string()),
            ("dilation", &dilation.to_string()),
            ("groups", &groups.to_string()),
        ]);
        let shape = [groups * channels, height, width];
        if conv.output_shape(&shape).is_ok() {
            check_spikes::<f32>(&*conv, &shape, rows, density, seed);
            check_spikes::<f64>(&*conv, &shape, rows, density, seed);
            assert!(!check_steps::<f32>(&*conv, &shape, seed));
            assert!(!check_steps::<f64>(&*conv, &shape, seed));
        }
    }
}

#[test]
fn single_steps_along_one_axis_have_the_bits_of_passes() {
    for (kernel, padding) in [("1", "0"), ("3", "1"), ("5", "4"), ("4", "0")] {
        let conv = made(
            "conv1d",
            &[
                ("out_channels", "19"),
                ("kernel_size", kernel),
                ("padding", padding),
            ],
        );
        for seed in 0..6 {
            assert!(!check_steps::<f32>(&*conv, &[3, 40], seed));
            assert!(!check_steps::<f64>(&*conv, &[3, 40], seed));
        }
    }
}

/// Numbers for which adding twice and multiplying by 2 differ.
#[test]
fn inputs_that_stand_twice_are_added_as_in_the_layer() {
    let conv = made("conv2d", &[("out_channels", "1"), ("kernel_size", "1")]);
    let tensor = |name: &str, shape: &[usize], x: f32| Tensor {
        name: name.into(),
        shape: shape.to_vec(),
        values: vec![x],
    };
    let tiny = 1.0 / 16_777_216.0;
    let p = [
        tensor("weight", &[1, 1, 1, 1], tiny),
        tensor("bias", &[1], 1.0),
    ];
    let shape = [1, 1, 8];
    let mut step = conv
        .step_layer_f32(&shape, &p, WeightFormat::Exact)
        .unwrap();
    let mut layer = conv.layer_f32(&shape);
    for active in [&[1, 1, 3][..], &[1, 1], &[1], &[0, 0, 2, 4, 5, 6]] {
        let offsets = [0, active.len() as u32];
        let lists = LayerInput::Spikes {
            offsets: &offsets,
            indices: active,
            width: 8,
        };
        let expected = forward(layer.as_mut(), &call(&p, 1), lists, 8);
        let mut output = [0.0; 8];
        step.step(StepInput::Spikes(active), &mut output);
        assert_eq!(output.as_slice(), expected, "{active:?}");
    }
}

#[test]
fn weights_in_fewer_bits_are_as_near_as_they_say() {
    let conv = made(
        "conv2d",
        &[
            ("out_channels", "6"),
            ("kernel_size", "3"),
            ("padding", "1"),
            ("groups", "2"),
        ],
    );
    check_formats(&*conv, &[4, 7, 6]);
    let conv = made(
        "conv1d",
        &[("out_channels", "3"), ("kernel_size", "4"), ("stride", "2")],
    );
    check_formats(&*conv, &[2, 30]);
}

#[test]
fn an_input_that_spikes_twice_counts_twice() {
    let conv = made("conv2d", &[("out_channels", "1"), ("kernel_size", "1")]);
    let p = drawn::<f64>(&*conv, &[1, 3, 3], 1);
    let spikes = rheobase_engine::port::LayerInput::Spikes {
        offsets: &[0, 2],
        indices: &[1, 1],
        width: 9,
    };
    let mut layer = conv.layer_f64(&[1, 3, 3]);
    let y = forward(layer.as_mut(), &call(&p, 1), spikes, 9);
    assert_eq!(y[1], p[1].values[0] + p[0].values[0] + p[0].values[0]);
    let (mut dx, mut dp) = (vec![0.0; 9], zeros(&p));
    let dy = [1.0, 10.0, 100.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    backward(layer.as_mut(), &call(&p, 1), spikes, &dy, &mut dx, &mut dp);
    assert_eq!(dp[0].values, [20.0]);
}

/// A row does not depend on its neighbours, nor on what scratch memory holds.
#[test]
fn rows_stand_alone() {
    let (arguments, naive) = cases().swap_remove(1);
    let conv = made("conv2d", &arguments);
    let width = naive.shape.iter().product();
    let p = drawn::<f32>(&*conv, &naive.shape, 1);
    let x: Vec<f32> = numbers(4 * width, 2).iter().map(|&x| x as f32).collect();
    let all = all_bits(&*conv, &naive.shape, &call(&p, 4), real(&x, width));
    let n_out = all[0].len() / 4;
    let one = all_bits(
        &*conv,
        &naive.shape,
        &call(&p, 1),
        real(&x[2 * width..3 * width], width),
    );
    assert_eq!(all[0][2 * n_out..3 * n_out], one[0]);
}

/// Bounds and mean square of 1/√fan: within 4.5 standard errors.
#[test]
fn parameters_start_uniform() {
    let conv = made(
        "conv2d",
        &[
            ("out_channels", "200"),
            ("kernel_size", "[5, 2]"),
            ("groups", "2"),
        ],
    );
    let shape = [80, 9, 9];
    let mut random = construction_stream(1, Purpose::Layer, 0, 0);
    let p = conv.parameters(&shape, &mut random);
    assert_eq!(
        (&p[0].shape, &p[1].shape),
        (&vec![200, 40, 5, 2], &vec![200])
    );
    assert_eq!(conv.parameter_count(&shape), 200 * 400 + 200);
    let bound: f64 = 0.05;
    assert!(p.iter().flat_map(|t| &t.values).all(|w| w.abs() < bound));
    let n = p[0].values.len() as f64;
    let second = p[0].values.iter().map(|w| w * w).sum::<f64>() / n;
    let variance = bound * bound / 3.0;
    assert!((second - variance).abs() < 4.5 * (bound.powi(4) * (4.0 / 45.0) / n).sqrt());
}

#[test]
fn shapes_and_arguments_that_do_not_fit_are_refused() {
    let conv = made("conv2d", &[("out_channels", "4"), ("kernel_size", "5")]);
    let error = |shape: &[usize]| conv.output_shape(shape).unwrap_err();
    assert!(error(&[30]).contains("reshape"));
    assert!(error(&[1, 4, 9]).contains("pad more"));
    assert!(error(&[0, 9, 9]).contains("empty"));
    assert!(error(&[1, 0, 9]).contains("empty"));
    assert!(error(&[1 << 20, 1 << 20, 1 << 20]).contains("elements"));
    assert!(error(&[usize::MAX, usize::MAX, usize::MAX]).contains("elements"));
    // What was refused computes nothing, and does not panic.
    let p = drawn::<f32>(&*conv, &[1, 4, 9], 1);
    assert_eq!(p.len(), 0);
    let mut layer = conv.layer_f32(&[1, 4, 9]);
    let y = forward(layer.as_mut(), &call(&p, 1), real(&[0.0; 36], 36), 0);
    assert!(y.is_empty());

    let huge = made(
        "conv2d",
        &[
            ("out_channels", "2147483648"),
            ("kernel_size", "65536"),
            ("padding", "65536"),
            ("dilation", "65536"),
        ],
    );
    assert!(huge.output_shape(&[1, 4, 9]).is_err());
    let groups = made(
        "conv2d",
        &[("out_channels", "4"), ("kernel_size", "1"), ("groups", "3")],
    );
    assert!(
        groups
            .output_shape(&[3, 2, 2])
            .unwrap_err()
            .contains("groups")
    );
    let with = |name, value| {
        let given = [("out_channels", "4"), ("kernel_size", "3"), (name, value)];
        refused(
            "conv2d",
            if name == "kernel_size" {
                &given[..1]
            } else {
                &given
            },
        )
    };
    assert!(with("stride", "0").contains("expected 1 to"));
    assert!(with("padding", "70000").contains("expected 0 to"));
    assert!(with("dilation", "[1, 2, 3]").contains("list of 2"));
    assert!(with("groups", "0").contains("expected 1 to"));
    assert!(with("kernel_size", "").contains("required"));
    let one = [("out_channels", "4"), ("kernel_size", "[3, 3]")];
    assert!(refused("conv1d", &one).contains("expected a number"));
}

/// `cargo test --release -p rheobase-components --lib conv2d::tests::time -- --ignored --nocapture`
#[test]
#[ignore = "measures time"]
fn time() {
    let (a, b) = (numbers(32 * 288, 1), numbers(288 * 784, 2));
    let [a, b] = [a, b].map(|v| v.iter().map(|&x| x as f32).collect::<Vec<_>>());
    let mut packed = super::super::matmul::Packed::default();
    packed.pack(super::super::matmul::Strided::rows(&b, 784), 288, 784);
    let (mut c, mut scratch) = (vec![0.0; 32 * 784], Vec::new());
    let mut best = f64::MAX;
    for _ in 0..50 {
        let start = std::time::Instant::now();
        let a = super::super::matmul::Strided::rows(&a, 288);
        super::super::matmul::multiply_add(32, a, &packed, &mut c, &mut scratch);
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!(
        "product alone: {:.1} Gflop/s",
        2e-9 * (32 * 288 * 784) as f64 / best
    );
    let conv = made(
        "conv2d",
        &[
            ("out_channels", "32"),
            ("kernel_size", "3"),
            ("padding", "1"),
        ],
    );
    for (channels, density) in [
        (1, 1.0),
        (32, 1.0),
        (32, 0.02),
        (32, 0.1),
        (32, 0.2),
        (32, 0.3),
    ] {
        let shape = [channels, 28, 28];
        let (rows, width, n_out) = (64, channels * 784, 32 * 784);
        let p = drawn::<f32>(&*conv, &shape, 1);
        let x: Vec<f32> = numbers(rows * width, 2).iter().map(|&x| x as f32).collect();
        let spikes = super::super::testing::Spikes::<f32>::draw(rows, width, density / 2.0, 3);
        let input = if density < 1.0 {
            spikes.lists()
        } else {
            real(&x, width)
        };
        let mut layer = conv.layer_f32(&shape);
        let call = call(&p, rows);
        let dy: Vec<f32> = numbers(rows * n_out, 3).iter().map(|&x| x as f32).collect();
        let (mut dx, mut dp) = (vec![0.0; x.len()], zeros(&p));
        let mut y = vec![0.0; rows * n_out];
        let mut scratch = Vec::new();
        layer.begin(&call, input);
        layer.begin_reverse(&call, input, &dy);
        let mut best = [f64::MAX; 3];
        for _ in 0..5 {
            let start = std::time::Instant::now();
            layer.forward(&call, 0..rows, input, &mut y, &mut scratch);
            best[0] = best[0].min(start.elapsed().as_secs_f64());
            let start = std::time::Instant::now();
            layer.reverse(&call, 0..rows, input, &dy, &mut dx, &mut scratch);
            best[1] = best[1].min(start.elapsed().as_secs_f64());
            let start = std::time::Instant::now();
            layer.add_gradients(&call, input, &dy, &mut dp);
            best[2] = best[2].min(start.elapsed().as_secs_f64());
        }
        let work = 2e-9 * (rows * n_out * channels * 9) as f64;
        println!(
            "{channels} channels, density {density}: Gflop/s forward {:.1}, dx {:.1}, dW on {} threads {:.1}",
            work / best[0],
            work / best[1],
            rayon::current_num_threads(),
            work / best[2]
        );
    }
}
