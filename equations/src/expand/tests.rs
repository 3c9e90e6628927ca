use super::*;
use crate::interpret::{Interpreter, run, run_in};
use crate::ir::Type;
use crate::real::Real;

/// Rows of numbers of the reference table that begin with `name`: arguments, value, the rest.
fn table(name: &str) -> Vec<Vec<f64>> {
    let rows = include_str!("references.tsv")
        .lines()
        .map(|line| line.split('\t'));
    let rows = rows.filter_map(|mut row| (row.next() == Some(name)).then_some(row));
    let rows: Vec<Vec<f64>> = rows.map(|row| row.map(number).collect()).collect();
    assert!(rows.len() >= 50, "{name}: {} rows", rows.len());
    rows
}

fn number(text: &str) -> f64 {
    text.parse().expect("a number")
}

/// Declared bounds in units in the last place: (function, f32, f64).
const BOUNDS: &[(Unary, f64, f64)] = &[
    (Unary::Exp, 1.5, 1.5),
    (Unary::Expm1, 2.0, 2.0),
    (Unary::Exprel, 3.0, 3.0),
    (Unary::Ln, 1.5, 1.5),
    (Unary::Ln1p, 2.0, 2.0),
    (Unary::Tanh, 3.0, 3.0),
    (Unary::Erf, 3.0, 3.0),
    (Unary::Sigmoid, 3.0, 3.0),
];

fn program(function: Unary, precision: Precision) -> Program {
    let mut b = Builder::new();
    let x = b.load(Slot::Argument(0));
    let y = b.unary(function, x);
    b.store(Slot::Output(0), y);
    expand(&b.finish(), precision)
}

fn reference(function: Unary) -> Program {
    let mut b = Builder::new();
    let x = b.load(Slot::Argument(0));
    let y = b.unary(function, x);
    b.store(Slot::Output(0), y);
    b.finish()
}

struct Function<R>(Interpreter<R>);

impl<R: Real> Function<R> {
    fn new(program: Program) -> Self {
        Self(Interpreter::new(program))
    }

    fn at(&mut self, x: R) -> R {
        let mut result = R::ZERO;
        self.0.run(|_| x, |_, y| result = y);
        result
    }
}

/// Distance of neighbouring f32 at `x`, of the smallest normal number below that.
fn ulp_f32(x: f64) -> f64 {
    let x = (x.abs() as f32).max(f32::MIN_POSITIVE);
    f64::from(x.next_up()) - f64::from(x)
}

fn ulp_f64(x: f64) -> f64 {
    let x = x.abs().max(f64::MIN_POSITIVE);
    x.next_up() - x
}

/// Arguments of f32 that cover `low..high` evenly and, near 0, by magnitude.
fn grid(low: f64, high: f64) -> Vec<f32> {
    let n = 40_000;
    let even = (0..=n).map(|k| low + (high - low) * f64::from(k) / f64::from(n));
    let small = (0..8_000).flat_map(|k| {
        let x = 10.0_f64.powf(-f64::from(k) / 400.0) * high.min(1.0);
        [x, -x]
    });
    even.chain(small)
        .filter(|x| (low..=high).contains(x))
        .map(|x| x as f32)
        .collect()
}

fn f32_range(function: Unary) -> (f64, f64) {
    match function {
        Unary::Exp => (-87.33, 88.722),
        Unary::Expm1 | Unary::Exprel => (-120.0, 88.722),
        Unary::Ln => (1e-5, 50.0),
        Unary::Ln1p => (-0.999_999, 100.0),
        Unary::Sigmoid => (-87.0, 120.0),
        _ => (-12.0, 12.0),
    }
}

#[test]
fn f32_expansions_keep_their_bounds() {
    for &(function, bound, _) in BOUNDS {
        let mut expanded = Function::<f32>::new(program(function, Precision::F32));
        let mut exact = Function::<f64>::new(reference(function));
        let (low, high) = f32_range(function);
        let mut worst = (0.0, 0.0);
        for x in grid(low, high) {
            let expected = exact.at(f64::from(x));
            let error = (f64::from(expanded.at(x)) - expected).abs() / ulp_f32(expected);
            if error > worst.0 || error.is_nan() {
                worst = (error, x);
            }
        }
        eprintln!("{function:?} in f32: {:.2} ulp at {:e}", worst.0, worst.1);
        assert!(
            worst.0 <= bound,
            "{function:?}: {} ulp at {}",
            worst.0,
            worst.1
        );
        assert!(
            worst.0 > 0.4,
            "{function:?}: {} ulp: the measurement is broken",
            worst.0
        );
    }
}

#[test]
fn f32_ln_of_every_magnitude() {
    let mut expanded = Function::<f32>::new(program(Unary::Ln, Precision::F32));
    for exponent in -126..=127 {
        for mantissa in [1.0, 1.1, 1.414, 1.415, 1.7, 1.999] {
            let x = mantissa * 2.0_f32.powi(exponent);
            let expected = f64::from(x).ln();
            let error = (f64::from(expanded.at(x)) - expected).abs();
            assert!(error <= 1.5 * ulp_f32(expected), "ln({x})");
        }
    }
}

#[test]
fn f64_expansions_keep_their_bounds() {
    for &(function, _, bound) in BOUNDS {
        let mut expanded = Function::<f64>::new(program(function, Precision::F64));
        let mut worst = (0.0, 0.0);
        for row in table(&format!("{function:?}")) {
            let (x, high, low) = (row[0], row[1], row[2]);
            let error = ((expanded.at(x) - high) - low).abs() / ulp_f64(high);
            if error > worst.0 || error.is_nan() {
                worst = (error, x);
            }
        }
        eprintln!("{function:?} in f64: {:.2} ulp at {:e}", worst.0, worst.1);
        assert!(
            worst.0 <= bound,
            "{function:?}: {} ulp at {}",
            worst.0,
            worst.1
        );
        assert!(
            worst.0 > 0.4,
            "{function:?}: {} ulp: the measurement is broken",
            worst.0
        );
    }
}

#[test]
fn sine_and_cosine_keep_their_bounds() {
    for function in [Unary::Sin, Unary::Cos] {
        let mut f32s = Function::<f32>::new(program(function, Precision::F32));
        let mut exact = Function::<f64>::new(reference(function));
        let mut worst: f64 = 0.0;
        for x in grid(-8192.0, 8192.0).into_iter().chain(grid(-10.0, 10.0)) {
            worst = worst.max((f64::from(f32s.at(x)) - exact.at(f64::from(x))).abs());
        }
        eprintln!("{function:?} in f32: {worst:e}");
        assert!(worst <= 1.5e-7, "{function:?} in f32: {worst}");
        let mut f64s = Function::<f64>::new(program(function, Precision::F64));
        for row in table(&format!("{function:?}")) {
            let (x, high, low) = (row[0], row[1], row[2]);
            let error = ((f64s.at(x) - high) - low).abs();
            assert!(error <= 3e-16, "{function:?}({x}) in f64: {error}");
        }
        assert!(f32s.at(1e20).abs() <= 1.0 && f64s.at(1e300).abs() <= 1.0);
    }
}

#[test]
fn small_sines_are_accurate_relatively() {
    let mut sin = Function::<f32>::new(program(Unary::Sin, Precision::F32));
    for x in grid(-3.0, 3.0) {
        let expected = f64::from(x).sin();
        assert!(
            (f64::from(sin.at(x)) - expected).abs() <= 2.0 * ulp_f32(expected),
            "sin({x})"
        );
    }
}

fn power_program(precision: Precision) -> Program {
    let mut b = Builder::new();
    let (x, y) = (b.load(Slot::Argument(0)), b.load(Slot::Argument(1)));
    let z = b.binary(Binary::Pow, x, y);
    b.store(Slot::Output(0), z);
    expand(&b.finish(), precision)
}

fn power<R: Real>(program: &Program, x: R, y: R) -> R {
    let mut load = |slot| if slot == Slot::Argument(0) { x } else { y };
    run_in::<R>(program, &mut load)[0].1
}

#[test]
fn powers_keep_their_bounds() {
    let (f32s, f64s) = (power_program(Precision::F32), power_program(Precision::F64));
    let (mut worst_f32, mut worst_f64) = (0.0_f64, 0.0_f64);
    for row in table("Pow") {
        let (x, y, high, low) = (row[0], row[1], row[2], row[3]);
        let error = ((power::<f64>(&f64s, x, y) - high) - low).abs() / ulp_f64(high);
        assert!(error <= 1.5, "{x}^{y} in f64: {error} ulp");
        worst_f64 = worst_f64.max(error);
        let (x, y) = (x as f32, y as f32);
        let expected = f64::from(x).powf(f64::from(y));
        if expected > 1.2e-38 && expected < 3.4e38 {
            let error = (f64::from(power::<f32>(&f32s, x, y)) - expected).abs();
            worst_f32 = worst_f32.max(error / ulp_f32(expected));
            assert!(error <= 1.5 * ulp_f32(expected), "{x}^{y} in f32");
        }
    }
    eprintln!("pow: {worst_f32:.2} ulp in f32, {worst_f64:.2} ulp in f64");
    for program in [&f32s, &f64s] {
        let at = |x: f32, y: f32| {
            if std::ptr::eq(program, &f32s) {
                f64::from(power::<f32>(program, x, y))
            } else {
                power::<f64>(program, f64::from(x), f64::from(y))
            }
        };
        assert_eq!((at(0.0, 2.5), at(0.0, 0.0), at(1.0, 1e6)), (0.0, 1.0, 1.0));
        assert!(at(10.0, 1e6).is_finite() && at(0.0, -0.5).is_finite());
        assert_eq!(at(10.0, -1e6), 0.0);
    }
}

#[test]
fn nothing_overflows_and_nothing_is_subnormal() {
    let extreme = [
        0.0, -0.0, 1e-45, 1e-38, -1e-38, 1.0, -1.0, 87.4, -87.4, 88.8, -88.8, 710.0, -746.0, 1e9,
        -1e9, 3e38, -3e38,
    ];
    for &(function, ..) in BOUNDS {
        let mut f32s = Function::<f32>::new(program(function, Precision::F32));
        let mut f64s = Function::<f64>::new(program(function, Precision::F64));
        for x in extreme {
            let y = f32s.at(x as f32);
            assert!(y.is_finite(), "{function:?}({x}) = {y} in f32");
            let reciprocal = function == Unary::Exprel && x < -8e37;
            let exempt = (x as f32).is_subnormal() || reciprocal;
            assert!(
                exempt || !y.is_subnormal(),
                "{function:?}({x}) = {y} in f32"
            );
            let y = f64s.at(x);
            assert!(
                y.is_finite() && !y.is_subnormal(),
                "{function:?}({x}) = {y} in f64"
            );
            assert!(
                f32s.at(f32::NAN).is_nan() && f64s.at(f64::NAN).is_nan(),
                "{function:?}(NaN)"
            );
        }
    }
}

#[test]
fn f32_exp_is_short() {
    let mut counted = program(Unary::Exp, Precision::F32).ops;
    let free = |op: &Op| {
        matches!(
            op,
            Op::Const(_) | Op::Int(_) | Op::Load(_) | Op::Unary(Unary::ToBits | Unary::FromBits, _)
        )
    };
    counted.retain(|op| !free(op));
    assert_eq!(counted.len(), 25);
}

#[test]
fn exp_and_exprel_share_their_reduction() {
    let mut b = Builder::new();
    let x = b.load(Slot::Argument(0));
    let (e, r) = (b.unary(Unary::Exp, x), b.unary(Unary::Exprel, x));
    b.store(Slot::Output(0), e);
    b.store(Slot::Output(1), r);
    let both = expand(&b.finish(), Precision::F32).ops.len();
    let one = program(Unary::Exp, Precision::F32).ops.len();
    assert!(both < one + 20, "{both} {one}");
}

#[test]
fn f32_programs_need_no_wide_integers() {
    for &(function, ..) in BOUNDS {
        let p = program(function, Precision::F32);
        for (op, ty) in p.ops.iter().zip(p.types()) {
            if let Op::Int(k) = op {
                assert!(i32::try_from(*k).is_ok(), "{function:?}: {k}");
                assert_eq!(ty, Type::Int);
            }
            assert!(!is_transcendental(op));
        }
    }
}

#[test]
fn functions_of_constants_become_constants() {
    let mut b = Builder::new();
    let two = b.constant(2.0);
    let root = b.constant(0.3);
    let e = b.unary(Unary::Exp, two);
    let p = b.binary(Binary::Pow, two, root);
    b.store(Slot::Output(0), e);
    b.store(Slot::Output(1), p);
    let p = expand(&b.finish(), Precision::F32);
    assert!(p.ops.iter().all(|op| matches!(op, Op::Const(_))), "{p}");
    let results = run(&p, &mut |_| 0.0);
    assert!((results[0].1 - 2.0_f64.exp()).abs() < 2e-15);
    assert!((results[1].1 - 2.0_f64.powf(0.3)).abs() < 1e-15);
}

#[test]
fn normal_numbers_keep_their_bounds() {
    let build = |precision| {
        let mut b = Builder::new();
        let u = b.load(Slot::Argument(0));
        let x = normal_from_uniform(&mut b, u, precision);
        b.store(Slot::Output(0), x);
        b.finish()
    };
    let mut f64s = Function::<f64>::new(build(Precision::F64));
    for row in table("Normal") {
        let (u, high, low) = (row[0], row[1], row[2]);
        let error = ((f64s.at(u) - high) - low).abs();
        // Near 1 the error of u(1 − u) is that of u itself.
        assert!(error <= 3e-15 * high.abs().max(1e-300), "Φ⁻¹({u}): {error}");
    }
    let mut f32s = Function::<f32>::new(build(Precision::F32));
    let mut worst = 0.0_f64;
    for k in 1..100_000 {
        for u in [
            k as f32 / 100_000.0,
            2.0_f32.powf(-(k as f32) / 3_100.0),
            1.0 - k as f32 / 2.0_f32.powi(24),
        ] {
            let expected = f64s.at(f64::from(u));
            let error = (f64::from(f32s.at(u)) - expected).abs() / expected.abs().max(1e-30);
            if u != 0.5 {
                worst = worst.max(error);
            }
        }
    }
    eprintln!("normal in f32: relative error {worst:e}");
    assert!(worst < 4e-7, "{worst}");
    assert!(f32s.at(f32::MIN_POSITIVE).is_finite() && f32s.at(1.0).is_finite());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 300,
        max_global_rejects: 60_000,
        ..Default::default()
    })]

    /// Whole programs mean the same expanded; branches and steps may flip where rounding decides,
    /// so only programs without them are compared.
    #[test]
    fn expanded_programs_agree_with_the_reference(
        random in crate::testing::random_program(30), shift in 0.0_f64..3.0,
    ) {
        let jumps = |op: &Op| matches!(
            op,
            Op::Select(..) | Op::Heaviside { .. }
                | Op::Unary(Unary::Floor | Unary::Round | Unary::Indicator, _)
        );
        proptest::prop_assume!(!random.program.ops.iter().any(jumps));
        let load = |slot| match slot {
            Slot::Argument(k) => (f64::from(k) * 0.9 + shift).sin(),
            _ => 0.0,
        };
        let expected = run(&random.program, &mut { load });
        let expanded = expand(&random.program, Precision::F64);
        proptest::prop_assert!(!expanded.ops.iter().any(is_transcendental));
        for ((_, p), (_, q)) in run(&expanded, &mut { load }).iter().zip(&expected) {
            proptest::prop_assert!((p - q).abs() <= 1e-11 * q.abs().max(1.0), "{p} {q}");
        }
    }
}
