//! Transposed convolution against nested loops, and as the adjoint of `conv2d`.

use proptest::prelude::*;
use rheobase_engine::port::Tensor;

use super::super::testing::{
    call, check_adjoint, check_forward, check_spikes, check_threads, dot, drawn, forward, made,
    numbers, real, refused,
};

/// Stride, padding, output padding, dilation, groups, and the shape of the input.
type Case = (
    [usize; 2],
    [usize; 2],
    [usize; 2],
    [usize; 2],
    usize,
    [usize; 3],
);

const CASES: [Case; 4] = [
    ([1, 1], [0, 0], [0, 0], [1, 1], 1, [1, 1, 1]),
    ([2, 2], [1, 1], [1, 1], [1, 1], 1, [20, 7, 6]),
    ([3, 1], [0, 2], [2, 0], [1, 2], 2, [4, 3, 5]),
    ([2, 3], [1, 0], [0, 1], [2, 1], 4, [4, 5, 4]),
];

fn arguments(case: &Case, kernel: [usize; 2]) -> Vec<(&'static str, String)> {
    let (stride, padding, output_padding, dilation, groups, _) = case;
    vec![
        ("out_channels", (4 * groups).to_string()),
        ("kernel_size", format!("{kernel:?}")),
        ("stride", format!("{stride:?}")),
        ("padding", format!("{padding:?}")),
        ("output_padding", format!("{output_padding:?}")),
        ("dilation", format!("{dilation:?}")),
        ("groups", groups.to_string()),
    ]
}

fn borrowed<'a>(of: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    of.iter().map(|(n, v)| (*n, v.as_str())).collect()
}

/// Every input adds to the outputs in its window.
fn naive(case: &Case, p: &[Tensor<f64>], x: &[f64], size: [usize; 2]) -> Vec<f64> {
    let (stride, padding, _, dilation, groups, [channels, height, width]) = *case;
    let [_, per_group, ky, kx] = p[0].shape[..] else {
        panic!()
    };
    let n_out = per_group * groups;
    let mut all = Vec::new();
    for x in x.chunks(channels * height * width) {
        let bias = |i: usize| p[1].values[i / (size[0] * size[1])];
        let mut y: Vec<f64> = (0..n_out * size[0] * size[1]).map(bias).collect();
        for c in 0..channels {
            for (i, j) in (0..height).flat_map(|i| (0..width).map(move |j| (i, j))) {
                for o in 0..per_group {
                    for (a, b) in (0..ky).flat_map(|a| (0..kx).map(move |b| (a, b))) {
                        let at_y = (i * stride[0] + a * dilation[0]).wrapping_sub(padding[0]);
                        let at_x = (j * stride[1] + b * dilation[1]).wrapping_sub(padding[1]);
                        if at_y < size[0] && at_x < size[1] {
                            let channel = c / (channels / groups) * per_group + o;
                            let w = p[0].values[((c * per_group + o) * ky + a) * kx + b];
                            y[(channel * size[0] + at_y) * size[1] + at_x] +=
                                w * x[(c * height + i) * width + j];
                        }
                    }
                }
            }
        }
        all.extend(y);
    }
    all
}

#[test]
fn it_is_the_definition_and_backward_its_adjoint() {
    for case in &CASES {
        for kernel in [[3, 2], [4, 5]] {
            let of = arguments(case, kernel);
            let conv = made("conv_transpose2d", &borrowed(&of));
            let shape = conv.output_shape(&case.5);
            let Ok(shape) = shape else { continue };
            // The formula of the documentation.
            for axis in 0..2 {
                let whole =
                    (case.5[axis + 1] - 1) * case.0[axis] + case.3[axis] * (kernel[axis] - 1);
                assert_eq!(shape[axis + 1], whole + case.2[axis] + 1 - 2 * case.1[axis]);
            }
            let size = [shape[1], shape[2]];
            check_forward(&*conv, &case.5, 3, |p, x| naive(case, p, x, size));
            check_adjoint(&*conv, &case.5, 3);
            check_threads(&*conv, &case.5, 3);
        }
    }
}

/// ⟨conv2d(a), b⟩ = ⟨a, `conv_transpose2d(b)`⟩ with the same weights and no bias.
#[test]
fn it_is_the_adjoint_of_conv2d() {
    let common = [
        ("kernel_size", "3"),
        ("stride", "2"),
        ("padding", "1"),
        ("bias", "false"),
    ];
    let with = |more: &[(&'static str, &'static str)]| [&common[..], more].concat();
    let conv = made("conv2d", &with(&[("out_channels", "5")]));
    let transposed = made(
        "conv_transpose2d",
        &with(&[("out_channels", "3"), ("output_padding", "[0, 1]")]),
    );
    let (wide, narrow) = ([3, 9, 8], [5, 5, 4]);
    assert_eq!(conv.output_shape(&wide), Ok(narrow.to_vec()));
    assert_eq!(transposed.output_shape(&narrow), Ok(wide.to_vec()));
    let p = drawn::<f64>(&*conv, &wide, 1);
    assert_eq!(p[0].shape, drawn::<f64>(&*transposed, &narrow, 1)[0].shape);
    let (a, b) = (numbers(216, 2), numbers(100, 3));
    let of_a = forward(
        conv.layer_f64(&wide).as_mut(),
        &call(&p, 1),
        real(&a, 216),
        100,
    );
    let mut layer = transposed.layer_f64(&narrow);
    let of_b = forward(layer.as_mut(), &call(&p, 1), real(&b, 100), 216);
    assert!((dot(&of_a, &b) - dot(&a, &of_b)).abs() < 1e-12 * 100.0);
}

proptest! {
    #[test]
    fn spikes_give_the_bits_of_zeros_and_ones(
        (channels, height, width) in (1_usize..6, 1_usize..6, 1_usize..6),
        stride in 1_usize..4,
        rows in 1_usize..4,
        density in 0.0..0.8,
        seed in 0_u64..1000,
    ) {
        let stride = stride.to_string();
        let of = [("out_channels", "3"), ("kernel_size", "3"), ("stride", &stride), ("padding", "1")];
        let conv = made("conv_transpose2d", &of);
        let shape = [channels, height, width];
        check_spikes::<f32>(&*conv, &shape, rows, density, seed);
        check_spikes::<f64>(&*conv, &shape, rows, density, seed);
    }
}

#[test]
fn shapes_and_arguments_that_do_not_fit_are_refused() {
    let conv = made(
        "conv_transpose2d",
        &[
            ("out_channels", "4"),
            ("kernel_size", "3"),
            ("padding", "2"),
        ],
    );
    let error = |shape: &[usize]| conv.output_shape(shape).unwrap_err();
    assert!(error(&[30]).contains("reshape"));
    assert!(error(&[1, 0, 9]).contains("empty"));
    assert!(error(&[0, 4, 9]).contains("empty"));
    assert!(error(&[1, 2, 9]).contains("pad less"));
    assert!(error(&[usize::MAX, usize::MAX, 9]).contains("elements"));
    let mut layer = conv.layer_f32(&[1, 2, 9]);
    assert!(forward(layer.as_mut(), &call(&[], 1), real(&[0.0; 18], 18), 0).is_empty());
    let given = [
        ("out_channels", "4"),
        ("kernel_size", "3"),
        ("output_padding", "1"),
    ];
    assert!(refused("conv_transpose2d", &given).contains("output_padding"));
    let groups = made(
        "conv_transpose2d",
        &[("out_channels", "4"), ("kernel_size", "1"), ("groups", "3")],
    );
    assert!(
        groups
            .output_shape(&[3, 2, 2])
            .unwrap_err()
            .contains("groups")
    );
    let huge = [
        ("out_channels", "2147483648"),
        ("kernel_size", "65536"),
        ("stride", "65536"),
        ("dilation", "65536"),
    ];
    assert!(
        made("conv_transpose2d", &huge)
            .output_shape(&[1, 1 << 15, 1 << 15])
            .is_err()
    );
}
