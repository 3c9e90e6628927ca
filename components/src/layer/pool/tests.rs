//! Pooling against nested loops.

use proptest::prelude::*;

use super::super::testing::{
    Spikes, backward, call, check_adjoint, check_forward, check_spikes, check_steps, check_threads,
    distance, drawn, forward, made, narrow, numbers, real, refused,
};

/// Kernel, stride and padding, and the shape of the input.
const CASES: [([usize; 2], [usize; 2], [usize; 2], [usize; 3]); 5] = [
    ([1, 1], [1, 1], [0, 0], [1, 1, 1]),
    ([2, 2], [2, 2], [0, 0], [3, 6, 5]),
    ([3, 2], [1, 2], [1, 0], [2, 7, 8]),
    ([3, 3], [2, 1], [1, 1], [2, 5, 4]),
    ([2, 5], [4, 3], [1, 2], [1, 9, 11]),
];

fn arguments(
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> [(&'static str, String); 3] {
    [
        ("kernel_size", format!("{kernel:?}")),
        ("stride", format!("{stride:?}")),
        ("padding", format!("{padding:?}")),
    ]
}

fn pool(
    name: &str,
    of: &[(&'static str, String)],
) -> std::sync::Arc<dyn rheobase_engine::port::LayerType> {
    let of: Vec<(&str, &str)> = of.iter().map(|(n, v)| (*n, v.as_str())).collect();
    made(name, &of)
}

/// What `fold` makes of the inputs of each window, in order, with their places in the row.
fn naive<T>(
    (kernel, stride, padding, shape): ([usize; 2], [usize; 2], [usize; 2], [usize; 3]),
    x: &[f64],
    fold: impl Fn(Vec<(usize, f64)>) -> T,
) -> Vec<T> {
    let [channels, height, width] = shape;
    let n = |m: usize, a: usize| (m + 2 * padding[a] - kernel[a]) / stride[a] + 1;
    let mut all = Vec::new();
    for row in 0..x.len() / (channels * height * width) {
        for c in 0..channels {
            for i in 0..n(height, 0) {
                for j in 0..n(width, 1) {
                    let mut window = Vec::new();
                    for a in 0..kernel[0] {
                        for b in 0..kernel[1] {
                            let y = (i * stride[0] + a).wrapping_sub(padding[0]);
                            let z = (j * stride[1] + b).wrapping_sub(padding[1]);
                            if y < height && z < width {
                                let at = ((row * channels + c) * height + y) * width + z;
                                window.push((at, x[at]));
                            }
                        }
                    }
                    all.push(fold(window));
                }
            }
        }
    }
    all
}

fn mean(n: Option<f64>) -> impl Fn(Vec<(usize, f64)>) -> f64 {
    move |window| {
        let sum: f64 = window.iter().map(|(_, x)| x).sum();
        sum / n.unwrap_or(window.len() as f64)
    }
}

#[test]
fn averages_are_the_definition() {
    for case in CASES {
        let (kernel, stride, padding, shape) = case;
        let mut of = arguments(kernel, stride, padding).to_vec();
        let whole = (kernel[0] * kernel[1]) as f64;
        check_forward(&*pool("avg_pool2d", &of), &shape, 3, |_, x| {
            naive(case, x, mean(Some(whole)))
        });
        check_adjoint(&*pool("avg_pool2d", &of), &shape, 3);
        check_threads(&*pool("avg_pool2d", &of), &shape, 3);
        of.push(("count_include_pad", "false".to_owned()));
        check_forward(&*pool("avg_pool2d", &of), &shape, 3, |_, x| {
            naive(case, x, mean(None))
        });
        check_adjoint(&*pool("avg_pool2d", &of), &shape, 3);
    }
}

#[test]
fn adaptive_averages_are_the_definition() {
    // Sizes that divide: windows that do not overlap.
    let case = ([3, 2], [3, 2], [0, 0], [2, 9, 4]);
    let adaptive = made("adaptive_avg_pool2d", &[("output_size", "[3, 2]")]);
    check_forward(&*adaptive, &[2, 9, 4], 2, |_, x| naive(case, x, mean(None)));
    // 7 to 3: [0, 3), [2, 5), [4, 7); 2 to 5: 0, 0 and 1, ….
    let adaptive = made("adaptive_avg_pool2d", &[("output_size", "[5, 3]")]);
    let spans_y = [0..1, 0..1, 0..2, 1..2, 1..2];
    let spans_x = [0..3, 2..5, 4..7];
    check_forward(&*adaptive, &[1, 2, 7], 1, |_, x| {
        let mean = |y: &std::ops::Range<usize>, z: &std::ops::Range<usize>| {
            let places = y.clone().flat_map(|y| z.clone().map(move |z| y * 7 + z));
            places.map(|at| x[at]).sum::<f64>() / (y.len() * z.len()) as f64
        };
        let pairs = spans_y
            .iter()
            .flat_map(|y| spans_x.iter().map(move |z| (y, z)));
        pairs.map(|(y, z)| mean(y, z)).collect()
    });
    check_adjoint(&*adaptive, &[3, 2, 7], 2);
}

/// The first of the largest, and where it stands.
fn first_largest(window: Vec<(usize, f64)>) -> (usize, f64) {
    let largest = window.iter().fold(f64::NEG_INFINITY, |m, &(_, x)| m.max(x));
    *window.iter().find(|&&(_, x)| x == largest).unwrap()
}

#[test]
fn largest_are_the_definition() {
    for case in CASES {
        let (kernel, stride, padding, shape) = case;
        let max = pool("max_pool2d", &arguments(kernel, stride, padding));
        check_forward(&*max, &shape, 3, |_, x| {
            naive(case, x, |window| first_largest(window).1)
        });
        check_threads(&*max, &shape, 3);
        // Negative numbers, and many ties.
        let width = shape.iter().product();
        let x: Vec<f64> = numbers(3 * width, 1)
            .iter()
            .map(|x| x.round() - 3.0)
            .collect();
        let expected = naive(case, &x, first_largest);
        let mut layer = max.layer_f64(&shape);
        let n_out = expected.len() / 3;
        let y = forward(layer.as_mut(), &call(&[], 3), real(&x, width), n_out);
        assert_eq!(y, expected.iter().map(|(_, x)| *x).collect::<Vec<_>>());
        let dy = numbers(y.len(), 2);
        let mut dx = vec![0.0; x.len()];
        backward(
            layer.as_mut(),
            &call(&[], 3),
            real(&x, width),
            &dy,
            &mut dx,
            &mut [],
        );
        let mut expected_dx = vec![0.0; x.len()];
        for ((at, _), dy) in expected.iter().zip(&dy) {
            expected_dx[*at] += dy;
        }
        // Windows that overlap may add in another order.
        assert!(distance(&dx, &expected_dx) < 1e-15);
    }
}

#[test]
fn a_nan_is_not_lost() {
    let max = made("max_pool2d", &[("kernel_size", "2")]);
    let mut layer = max.layer_f64(&[1, 2, 4]);
    let x = [1.0, f64::NAN, 0.0, 1.0, 2.0, 3.0, 2.0, 0.0];
    let y = forward(layer.as_mut(), &call(&[], 1), real(&x, 8), 2);
    assert!(y[0].is_nan() && y[1] == 2.0);
}

proptest! {
    #[test]
    fn spikes_give_the_bits_of_zeros_and_ones(
        (channels, height, width) in (1_usize..4, 1_usize..9, 1_usize..9),
        kernel in (1_usize..4, 1_usize..4),
        stride in (1_usize..4, 1_usize..4),
        padded in any::<bool>(),
        density in 0.0..0.8,
        seed in 0_u64..1000,
    ) {
        let shape = [channels, height, width];
        let kernel = [kernel.0, kernel.1];
        let padding = kernel.map(|k| if padded { k / 2 } else { 0 });
        let of = arguments(kernel, [stride.0, stride.1], padding);
        for name in ["max_pool2d", "avg_pool2d"] {
            let pool = pool(name, &of);
            if pool.output_shape(&shape).is_ok() {
                check_spikes::<f32>(&*pool, &shape, 3, density, seed);
                check_spikes::<f64>(&*pool, &shape, 3, density, seed);
                let passes_lists = check_steps::<f32>(&*pool, &shape, seed);
                assert_eq!(passes_lists, name == "max_pool2d");
            }
        }
    }
}

/// More windows in a line than a word has bits.
#[test]
fn spikes_pass_wide_lines_as_lists() {
    for (stride, seed) in [("1", 1), ("2", 2), ("3", 3)] {
        let sizes = [("kernel_size", "2"), ("stride", stride), ("padding", "1")];
        let pool = made("max_pool2d", &sizes);
        assert!(check_steps::<f32>(&*pool, &[2, 3, 250], seed));
    }
    // Tables grow with the width, not with its square.
    let pool = made("max_pool2d", &[("kernel_size", "[1, 2]")]);
    assert!(check_steps::<f32>(&*pool, &[1, 1, 300_000], 4));
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    for name in ["max_pool2d", "avg_pool2d"] {
        let pool = made(name, &[("kernel_size", "3")]);
        // Windows follow one another unless told otherwise; what is left over is dropped.
        assert_eq!(pool.output_shape(&[2, 8, 9]), Ok(vec![2, 2, 3]));
        let error = |shape: &[usize]| pool.output_shape(shape).unwrap_err();
        assert!(error(&[9, 9]).contains("reshape"));
        assert!(error(&[1, 2, 9]).contains("window"));
        assert!(error(&[1, 0, 9]).contains("at least 1"));
        assert!(error(&[1 << 40, 1 << 40, 9]).contains("elements"));
        let mut layer = pool.layer_f32(&[1, 2, 9]);
        let y = forward(layer.as_mut(), &call(&[], 1), real(&[0.0; 18], 18), 0);
        assert!(y.is_empty());
        let given = [("kernel_size", "[4, 3]"), ("padding", "2")];
        assert!(refused(name, &given).contains("half the kernel"));
        assert!(refused(name, &[("kernel_size", "0")]).contains("expected 1 to"));
    }
    let adaptive = made("adaptive_avg_pool2d", &[("output_size", "65536")]);
    assert!(
        adaptive
            .output_shape(&[1, 2, 2])
            .unwrap_err()
            .contains("elements")
    );
    assert!(adaptive.output_shape(&[4]).unwrap_err().contains("reshape"));
}

/// `cargo test --release -p rheobase-components --lib pool::tests::time -- --ignored --nocapture`
#[test]
#[ignore = "measures time"]
fn time() {
    let shape = [32, 28, 28];
    let (rows, width) = (256, 32 * 784);
    for (name, of) in [
        ("max_pool2d", &[("kernel_size", "2")][..]),
        ("avg_pool2d", &[("kernel_size", "2")]),
        ("batch_norm", &[]),
        ("dropout", &[]),
    ] {
        let layer_type = made(name, of);
        let n_out = layer_type
            .output_shape(&shape)
            .unwrap()
            .iter()
            .product::<usize>();
        let p = drawn::<f32>(&*layer_type, &shape, 1);
        let x: Vec<f32> = narrow(&numbers(rows * width, 2));
        let spikes = Spikes::<f32>::draw(rows, width, 0.1, 3);
        let dy: Vec<f32> = narrow(&numbers(rows * n_out, 4));
        for (kind, input) in [("real", real(&x, width)), ("spikes", spikes.lists())] {
            let mut layer = layer_type.layer_f32(&shape);
            let (mut y, mut dx) = (vec![0.0; rows * n_out], vec![0.0; x.len()]);
            let (call, mut scratch) = (call(&p, rows), Vec::new());
            let mut best = [f64::MAX; 4];
            for _ in 0..5 {
                let mut start = std::time::Instant::now();
                let mut lap = |k: usize| {
                    best[k] = best[k].min(start.elapsed().as_secs_f64());
                    start = std::time::Instant::now();
                };
                layer.begin(&call, input);
                lap(0);
                layer.forward(&call, 0..rows, input, &mut y, &mut scratch);
                lap(1);
                layer.begin_reverse(&call, input, &dy);
                lap(2);
                layer.reverse(&call, 0..rows, input, &dy, &mut dx, &mut scratch);
                lap(3);
            }
            let [begin, forward, begin_reverse, reverse] =
                best.map(|t| 1e9 * t / (rows * width) as f64);
            println!(
                "{name}, {kind}: ns per input: begin {begin:.2}, forward {forward:.2}, \
                 begin_reverse {begin_reverse:.2}, reverse {reverse:.2}"
            );
        }
    }
}
