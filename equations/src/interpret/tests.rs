use super::*;
use crate::ir::Builder;

/// exp[…] to 20 digits (`equations/tools/references.py`).
#[allow(clippy::excessive_precision, reason = "generated")]
const DIFFERENCES: &[(&[f64], f64)] = include!("exp_difference_table.rs");

#[test]
fn divided_differences_match_high_precision() {
    let mut worst: f64 = 0.0;
    for (nodes, expected) in DIFFERENCES {
        let mut nodes = nodes.to_vec();
        let got = exp_difference(&mut nodes);
        let error = ((got - expected) / expected).abs();
        assert!(
            error < 2e-15 + 3e-16 * nodes[0].abs().max(1.0).log2(),
            "{nodes:?}: {got} {expected}"
        );
        worst = worst.max(error);
    }
    assert!(worst > 0.0, "some rounding is expected");
}

#[test]
fn integers_are_as_wide_as_the_float() {
    let mut b = Builder::new();
    let x = b.load(Slot::Argument(0));
    let bits = b.unary(Unary::ToBits, x);
    let one = b.int(1);
    let more = b.binary(Binary::IntAdd, bits, one);
    let next = b.unary(Unary::FromBits, more);
    b.store(Slot::Output(0), next);
    let program = b.finish();
    let f32_next = run_in::<f32>(&program, &mut |_| 1.0)[0].1;
    assert_eq!(f32_next.to_bits(), 1.0_f32.next_up().to_bits());
    let f64_next = run(&program, &mut |_| -1.5)[0].1;
    assert_eq!(f64_next.to_bits(), (-1.5_f64).next_down().to_bits());
}

#[test]
fn shifts_keep_the_sign_and_drop_high_bits() {
    let mut b = Builder::new();
    let x = b.load(Slot::Argument(0));
    let k = b.unary(Unary::ToInt, x);
    let by = b.int(30);
    let left = b.binary(Binary::Shl, k, by);
    let right = b.binary(Binary::Shr, left, by);
    let back = b.unary(Unary::ToFloat, right);
    b.store(Slot::Output(0), back);
    let program = b.finish();
    // Two bits survive in 32: 6 = 0b110 keeps 0b10, read as −2.
    assert_eq!(run_in::<f32>(&program, &mut |_| 6.0)[0].1, -2.0);
    assert_eq!(run(&program, &mut |_| 6.0)[0].1, 6.0);
}

#[test]
fn reference_erf_matches_high_precision() {
    // mpmath 1.3.0: erf at 1e-8, 0.1, 0.5, 1, 2, 3, 5.5.
    let table = [
        (1e-8, 1.128_379_167_095_512_6e-8),
        (0.1, 0.112_462_916_018_284_9),
        (0.5, 0.520_499_877_813_046_5),
        (1.0, 0.842_700_792_949_714_9),
        (2.0, 0.995_322_265_018_952_7),
        (3.0, 0.999_977_909_503_001_4),
        (5.5, 0.999_999_999_999_992_7),
    ];
    for (x, expected) in table {
        for sign in [1.0, -1.0] {
            let got = reference::evaluate(Unary::Erf, sign * x);
            assert!(
                (got - sign * expected).abs() <= 4e-16 * expected,
                "erf({x}) = {got}"
            );
        }
    }
}

#[test]
fn duals_follow_the_chosen_branch_and_the_spike() {
    let mut b = Builder::new();
    let x = b.load(Slot::Argument(0));
    let one = b.constant(1.0);
    let margin = b.sub(x, one);
    let surrogate = crate::surrogate::find("atan").expect("registered");
    let alpha = b.constant(2.0);
    let spike = b.push(Op::Heaviside {
        x: margin,
        strict: false,
        surrogate,
        arguments: vec![alpha],
    });
    let fired = b.unary(Unary::Fired, spike);
    let reset = b.constant(0.25);
    let v = b.select(fired, reset, x);
    b.store(Slot::State(0), v);
    let program = b.finish();
    let dual = |x| {
        run_dual(&program, &mut |_| Dual {
            value: x,
            tangent: 1.0,
        })[0]
            .1
    };
    // atan(2): σ'(u) = 1/(1 + (πu)²).
    let slope = |u: f64| 1.0 / (1.0 + (std::f64::consts::PI * u).powi(2));
    let above = dual(1.5);
    assert_eq!(above.value, 0.25);
    assert!((above.tangent - (0.25 - 1.5) * slope(0.5)).abs() < 1e-15);
    let below = dual(0.5);
    assert_eq!(below.value, 0.5);
    assert!((below.tangent - (1.0 + (0.25 - 0.5) * slope(-0.5))).abs() < 1e-15);
}

#[test]
fn many_distant_nodes_are_cheap() {
    // exp[0, −h, …, −nh] = ((1 − e^−h)/h)ⁿ/n!, here with every span above the series' but the last.
    let (n, h) = (60, 20.0_f64);
    let mut nodes: Vec<f64> = (0..=n).map(|k| -h * f64::from(k)).collect();
    let expected: f64 = (1..=n).map(|k| -(-h).exp_m1() / h / f64::from(k)).product();
    let got = exp_difference(&mut nodes);
    assert!(
        (got - expected).abs() < 1e-13 * expected,
        "{got} {expected}"
    );
}
