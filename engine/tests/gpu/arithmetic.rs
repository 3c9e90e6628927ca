//! Random programs on the device against the scalar evaluator.

use rheobase_engine::backend::gpu::{GpuDevice, ProgramKernel};
use rheobase_equations::ir::{Binary, Builder, Op, Program, Slot, SurrogateId, Unary, Value};
use rheobase_shaders::Contraction;

use crate::random::Random;
use crate::{device, scalar};

const N: usize = 4096;
const N_ARGUMENTS: u32 = 4;

fn pick(random: &mut Random, values: &[Value]) -> Value {
    values[random.below(values.len())]
}

/// Sums, products, comparisons, choices: everything but division and square root.
fn random_program(random: &mut Random, n_ops: usize) -> Program {
    let mut b = Builder::new();
    let mut floats: Vec<Value> = (0..N_ARGUMENTS)
        .map(|k| b.load(Slot::Argument(k)))
        .collect();
    for _ in 0..2 {
        let c = f64::from(random.float());
        floats.push(b.constant(c));
    }
    let first = b.binary(Binary::Lt, floats[0], floats[1]);
    let mut flags = vec![first];
    for _ in 0..n_ops {
        // Recent values more often: long chains, where merging would show.
        let recent = floats.len().saturating_sub(4);
        let (x, y) = (pick(random, &floats[recent..]), pick(random, &floats));
        let v = match random.below(14) {
            0..4 => b.add(x, y),
            4..6 => b.sub(x, y),
            6..10 => b.mul(x, y),
            10 => b.neg(x),
            11 => {
                let unary = [Unary::Abs, Unary::Floor, Unary::Round][random.below(3)];
                b.unary(unary, x)
            }
            12 => {
                let binary = [Binary::Min, Binary::Max][random.below(2)];
                b.binary(binary, x, y)
            }
            _ => {
                let comparison = [Binary::Lt, Binary::Le, Binary::Eq][random.below(3)];
                let compared = b.binary(comparison, x, y);
                flags.push(compared);
                let c = pick(random, &flags);
                b.select(c, x, y)
            }
        };
        floats.push(v);
    }
    for (k, &v) in (0..).zip(floats.iter().rev().take(4)) {
        b.store(Slot::Output(k), v);
    }
    b.finish()
}

struct Comparison {
    compared: usize,
    different: usize,
    /// Largest |Δ| in units of ε × the largest intermediate.
    worst: f32,
}

fn compare(
    device: &GpuDevice,
    program: &Program,
    contraction: Contraction,
    arguments: &[Vec<f32>],
) -> Comparison {
    let kernel = ProgramKernel::new(device, program, "random", contraction).expect("compiles");
    let n = arguments[0].len();
    let results = kernel
        .run(n, |slot| match slot {
            Slot::Argument(k) => &arguments[k as usize],
            other => panic!("{other:?}"),
        })
        .expect("runs");
    let mut comparison = Comparison {
        compared: 0,
        different: 0,
        worst: 0.0,
    };
    for i in 0..n {
        let twin = scalar::run(program, |slot| match slot {
            Slot::Argument(k) => arguments[k as usize][i],
            other => panic!("{other:?}"),
        });
        if !twin.is_normal() {
            continue;
        }
        for ((_, got), expected) in results.iter().zip(&twin.stored) {
            comparison.compared += 1;
            comparison.different += usize::from(got[i].to_bits() != expected.to_bits());
            let error = scalar::error(got[i], *expected, f32::EPSILON * twin.largest);
            comparison.worst = comparison.worst.max(error);
        }
    }
    comparison
}

fn arguments(random: &mut Random) -> Vec<Vec<f32>> {
    (0..N_ARGUMENTS)
        .map(|_| (0..N).map(|_| random.float()).collect())
        .collect()
}

#[test]
fn random_programs_give_the_bits_of_the_cpu() {
    let Some(device) = device() else { return };
    let (mut compared, mut merged) = (0, 0);
    for seed in 1..=40 {
        let mut random = Random::new(seed);
        let n_ops = 5 + random.below(40);
        let program = random_program(&mut random, n_ops);
        let arguments = arguments(&mut random);
        let guarded = compare(&device, &program, Contraction::Prevent, &arguments);
        assert_eq!(
            guarded.different, 0,
            "seed {seed}, worst {} ε\n{program}",
            guarded.worst
        );
        compared += guarded.compared;
        merged += compare(&device, &program, Contraction::Allow, &arguments).different;
    }
    println!("{compared} values equal; without guards {merged} would differ");
    assert!(
        compared > 40 * N,
        "most values must be normal numbers, {compared} were"
    );
}

/// Shapes drivers are known to merge: each is another number when it is.
#[test]
fn what_drivers_like_to_merge_stays_apart() {
    let Some(device) = device() else { return };
    type Build = fn(&mut Builder, [Value; 4]) -> Value;
    let shapes: [(&str, Build); 7] = [
        ("a·b + c", |b, [x, y, z, _]| {
            let p = b.mul(x, y);
            b.add(p, z)
        }),
        ("c − a·b", |b, [x, y, z, _]| {
            let p = b.mul(x, y);
            b.sub(z, p)
        }),
        ("a·b + a·c", |b, [x, y, z, _]| {
            let p = b.mul(x, y);
            let q = b.mul(x, z);
            b.add(p, q)
        }),
        ("(a + b) − a", |b, [x, y, ..]| {
            let s = b.add(x, y);
            b.sub(s, x)
        }),
        ("(a + 0.1) + 0.7", |b, [x, ..]| {
            let (c, d) = (b.constant(0.1), b.constant(0.7));
            let s = b.add(x, c);
            b.add(s, d)
        }),
        ("(a · 0.1) · 0.7", |b, [x, ..]| {
            let (c, d) = (b.constant(0.1), b.constant(0.7));
            let s = b.mul(x, c);
            b.mul(s, d)
        }),
        ("(a + (b + c)) + d", |b, [x, y, z, w]| {
            let s = b.add(y, z);
            let s = b.add(x, s);
            b.add(s, w)
        }),
    ];
    for (name, build) in shapes {
        let mut b = Builder::new();
        let loads = [0, 1, 2, 3].map(|k| b.load(Slot::Argument(k)));
        let v = build(&mut b, loads);
        b.store(Slot::Output(0), v);
        let program = b.finish();
        let arguments = arguments(&mut Random::new(7));
        let free = compare(&device, &program, Contraction::Allow, &arguments);
        let kept = compare(&device, &program, Contraction::Prevent, &arguments);
        println!(
            "{name}: {} of {} differ without guards",
            free.different, free.compared
        );
        assert_eq!(kept.compared, N, "{name}");
        assert_eq!(kept.different, 0, "{name}: worst {} ε", kept.worst);
    }
}

#[test]
fn integer_operations_are_exact() {
    let Some(device) = device() else { return };
    let mut b = Builder::new();
    let x = b.load(Slot::Argument(0));
    let y = b.load(Slot::Argument(1));
    // 2ʳ from the bits of a float, r = round(x/16) in ±16: how exponentials are scaled.
    let sixteenth = b.constant(0.0625);
    let scaled = b.mul(x, sixteenth);
    let rounded = b.unary(Unary::Round, scaled);
    let r = b.unary(Unary::ToInt, rounded);
    let bias = b.int(127);
    let biased = b.binary(Binary::IntAdd, r, bias);
    let distance = b.int(23);
    let shifted = b.binary(Binary::Shl, biased, distance);
    let power = b.unary(Unary::FromBits, shifted);
    // Exponent and fraction of y: how logarithms begin.
    let bits = b.unary(Unary::ToBits, y);
    let exponent = b.binary(Binary::Shr, bits, distance);
    let exponent = b.unary(Unary::ToFloat, exponent);
    let (mask, one) = (b.int(0x007f_ffff), b.int(0x3f80_0000));
    let fraction = b.binary(Binary::IntAnd, bits, mask);
    let fraction = b.binary(Binary::IntOr, fraction, one);
    let fraction = b.unary(Unary::FromBits, fraction);
    let difference = b.binary(Binary::IntSub, r, bits);
    let zero = b.int(0);
    let negative = b.binary(Binary::IntLt, difference, zero);
    let negative = b.unary(Unary::Indicator, negative);
    let fired = b.push(Op::Heaviside {
        x,
        strict: false,
        surrogate: SurrogateId(0),
        arguments: vec![],
    });
    for (k, v) in (0..).zip([power, exponent, fraction, negative, fired]) {
        b.store(Slot::Output(k), v);
    }
    let arguments = arguments(&mut Random::new(11));
    let exact = compare(&device, &b.finish(), Contraction::Prevent, &arguments);
    assert_eq!((exact.compared, exact.different), (5 * N, 0));
}

/// WGSL asks 2.5 units in the last place of a division, and that of a square root through its
/// inverse; so these are held to the bound, not to the bits.
#[test]
fn division_and_square_root_keep_their_bound() {
    let Some(device) = device() else { return };
    for (name, is_root) in [("division", false), ("square root", true)] {
        let mut b = Builder::new();
        let x = b.load(Slot::Argument(0));
        let y = b.load(Slot::Argument(1));
        let v = if is_root {
            let size = b.unary(Unary::Abs, x);
            b.unary(Unary::Sqrt, size)
        } else {
            b.div(x, y)
        };
        b.store(Slot::Output(0), v);
        let arguments = arguments(&mut Random::new(13));
        let found = compare(&device, &b.finish(), Contraction::Prevent, &arguments);
        println!(
            "{name}: {} of {} differ, worst {} ε",
            found.different, N, found.worst
        );
        assert_eq!(found.compared, N);
        assert!(found.worst <= 4.0, "{name}: {} ε", found.worst);
    }
}

/// Devices may flush subnormal numbers to zero; nothing else may become of them.
#[test]
fn subnormal_products_are_kept_or_zero() {
    let Some(device) = device() else { return };
    let mut b = Builder::new();
    let x = b.load(Slot::Argument(0));
    let tiny = b.constant(f64::from(f32::MIN_POSITIVE));
    let product = b.mul(x, tiny);
    b.store(Slot::Output(0), product);
    let kernel =
        ProgramKernel::new(&device, &b.finish(), "tiny", Contraction::Prevent).expect("compiles");
    let mut random = Random::new(17);
    let x: Vec<f32> = (0..N).map(|_| random.float() / 256.0).collect();
    let results = kernel.run(N, |_| &x).expect("runs");
    let (mut kept, mut flushed) = (0, 0);
    for (got, x) in results[0].1.iter().zip(&x) {
        let expected = x * f32::MIN_POSITIVE;
        assert!(expected.is_subnormal() || x.abs() >= 1.0);
        kept += usize::from(got.to_bits() == expected.to_bits());
        flushed += usize::from(expected.is_subnormal() && *got == 0.0);
    }
    println!("{kept} of {N} subnormal products kept, {flushed} flushed to zero");
    assert_eq!(kept + flushed, N);
}
