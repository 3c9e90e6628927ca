use std::path::PathBuf;

use super::*;
use crate::expand::expand;
use crate::interpret::Interpreter;
use crate::ir::{Program, Slot};
use crate::real::Precision;

type Shape = fn(&mut Builder, Value, &[Value]) -> Value;

fn program(shape: Shape, arguments: &[f64]) -> Program {
    let mut b = Builder::new();
    let x = b.load(Slot::Argument(0));
    let arguments: Vec<Value> = arguments.iter().map(|&a| b.constant(a)).collect();
    let y = shape(&mut b, x, &arguments);
    b.store(Slot::Output(0), y);
    b.finish()
}

fn at(interpreter: &mut Interpreter<f64>, x: f64) -> f64 {
    let mut result = f64::NAN;
    interpreter.run(|_| x, |_, y| result = y);
    result
}

/// Arguments other than the defaults, by surrogate.
fn shapes(s: &Surrogate) -> Vec<Vec<f64>> {
    let defaults: Vec<f64> = s.arguments.iter().map(|(_, value)| *value).collect();
    let other = match s.name {
        "squarewave_fourier_series" => vec![5.0, 6.0],
        "q_pseudo_spike" => vec![3.3],
        _ => defaults.iter().map(|a| a * 0.8 + 0.07).collect(),
    };
    vec![defaults, other]
}

/// Where a derivative jumps or bends.
fn near_kink(s: &Surrogate, a: &[f64], x: f64) -> bool {
    let kinks = match s.name {
        "piecewise_quadratic" | "fake_numerical_gradient" => vec![1.0 / a[0]],
        "piecewise_leaky_relu" | "rectangle" | "multi_level_count" => vec![a[0]],
        "rect" => vec![0.5 / a[0]],
        "relu_grad" => vec![a[1]],
        "log_tailed_relu" => vec![1.0],
        _ => vec![],
    };
    kinks
        .iter()
        .chain([&0.0])
        .any(|k| (x.abs() - k).abs() < 1e-3)
}

#[test]
fn derivatives_are_those_of_their_primitives() {
    for s in SURROGATES {
        for a in shapes(s) {
            let mut derivative = Interpreter::new(program(s.derivative, &a));
            let mut primitive = Interpreter::new(program(s.primitive, &a));
            for k in -600..=600 {
                let x = f64::from(k) / 200.0 + 0.000_37;
                if near_kink(s, &a, x) {
                    continue;
                }
                let h = 2e-5;
                let difference =
                    (at(&mut primitive, x + h) - at(&mut primitive, x - h)) / (2.0 * h);
                let got = at(&mut derivative, x);
                let steep = a.iter().fold(1.0_f64, |m, a| m.max(a.abs())).powi(3);
                assert!(
                    (got - difference).abs() < 1e-9 * steep,
                    "{} {a:?} at {x}: {got}, difference {difference}",
                    s.name
                );
            }
        }
    }
}

#[test]
fn names_are_unique_and_found() {
    for (i, s) in SURROGATES.iter().enumerate() {
        let id = find(s.name).expect("its own name");
        assert_eq!(usize::from(id.0), i, "{} occurs twice", s.name);
        assert_eq!(get(id).name, s.name);
        assert!(!s.source.is_empty());
    }
    assert!(find("no such thing").is_none());
    assert_eq!(SURROGATES.len(), 25);
}

#[test]
fn expanded_surrogates_agree_with_the_reference() {
    for s in SURROGATES {
        for shape in [s.derivative, s.primitive] {
            for a in shapes(s) {
                let plain = program(shape, &a);
                let mut reference = Interpreter::<f64>::new(plain.clone());
                let mut f64s = Interpreter::<f64>::new(expand(&plain, Precision::F64));
                let mut f32s = Interpreter::<f32>::new(expand(&plain, Precision::F32));
                for k in -300..=300 {
                    let x = f64::from(k as f32 / 100.0 + 0.003_7);
                    let expected = at(&mut reference, x);
                    let got = at(&mut f64s, x);
                    let scale = expected.abs().max(1.0);
                    assert!(
                        (got - expected).abs() < 2e-15 * scale,
                        "{} at {x}: {got} {expected}",
                        s.name
                    );
                    let mut single = f32::NAN;
                    f32s.run(|_| x as f32, |_, y| single = y);
                    let error = (f64::from(single) - expected).abs();
                    // Rounding the argument of a steep function counts too.
                    let steep = a.iter().fold(1.0_f64, |m, a| m.max(a.abs()));
                    assert!(
                        error < 1e-6 * scale * steep,
                        "{} at {x} in f32: {single} {expected}",
                        s.name
                    );
                }
            }
        }
    }
}

/// The window holds its ends, as that of SpikingJelly does.
#[test]
fn a_count_of_levels_has_a_window_with_its_ends() {
    let s = get(find("multi_level_count").unwrap());
    let mut derivative = Interpreter::new(program(s.derivative, &[3.0]));
    let mut primitive = Interpreter::new(program(s.primitive, &[3.0]));
    for (x, slope, value) in [
        (-0.1, 0.0, 0.0),
        (0.0, 1.0, 0.0),
        (1.7, 1.0, 1.7),
        (3.0, 1.0, 3.0),
        (3.1, 0.0, 3.0),
    ] {
        assert_eq!(at(&mut derivative, x), slope, "{x}");
        assert_eq!(at(&mut primitive, x), value, "{x}");
    }
}

#[test]
fn arctangent_is_accurate_everywhere() {
    let mut atan = Interpreter::<f64>::new({
        let mut b = Builder::new();
        let x = b.load(Slot::Argument(0));
        let y = pen::Pen(&mut b).atan(x);
        b.store(Slot::Output(0), y);
        b.finish()
    });
    for k in -4000..=4000 {
        let x = (f64::from(k) / 300.0).sinh() / 50.0;
        let error = (at(&mut atan, x) - x.atan()).abs();
        assert!(error <= 4.5e-16 * x.atan().abs(), "atan({x}): {error}");
    }
}

/// The tensors of a safetensors file of f64.
struct Tensors {
    header: serde_json::Value,
    data: Vec<u8>,
}

impl Tensors {
    fn open(path: &PathBuf) -> Option<Self> {
        let bytes = std::fs::read(path).ok()?;
        let (length, rest) = bytes.split_at(8);
        let length = usize::try_from(u64::from_le_bytes(length.try_into().ok()?)).ok()?;
        let header = serde_json::from_slice(&rest[..length]).ok()?;
        Some(Self {
            header,
            data: rest[length..].to_vec(),
        })
    }

    fn get(&self, name: &str) -> Option<Vec<f64>> {
        let offsets = self.header.get(name)?.get("data_offsets")?;
        let offset = |i: usize| usize::try_from(offsets.get(i)?.as_u64()?).ok();
        let bytes = &self.data[offset(0)?..offset(1)?];
        let chunks = bytes.chunks_exact(8);
        Some(
            chunks
                .map(|c| f64::from_le_bytes(c.try_into().expect("eight bytes")))
                .collect(),
        )
    }
}

/// The spike itself; snnTorch's is strict.
fn step(s: &Surrogate, arguments: &[f64], strict: bool) -> Program {
    let mut b = Builder::new();
    let x = b.load(Slot::Argument(0));
    let arguments: Vec<Value> = arguments.iter().map(|&a| b.constant(a)).collect();
    let y = b.push(crate::ir::Op::Heaviside {
        x,
        strict,
        surrogate: find(s.name).expect("registered"),
        arguments,
    });
    b.store(Slot::Output(0), y);
    b.finish()
}

/// Name and shape arguments here of a case of the golden file.
fn golden_case(parameters: &serde_json::Value) -> (&'static str, Vec<f64>) {
    let number = |key: &str| {
        parameters[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{key} in {parameters}"))
    };
    let alpha = |name| (name, vec![number("alpha")]);
    match parameters["surrogate"].as_str().expect("a name") {
        "Sigmoid" => alpha("sigmoid"),
        "ATan" => alpha("atan"),
        "PiecewiseQuadratic" => alpha("piecewise_quadratic"),
        "PiecewiseExp" => alpha("piecewise_exp"),
        "SoftSign" => alpha("soft_sign"),
        "SuperSpike" => alpha("super_spike"),
        "Rect" => alpha("rect"),
        "Erf" => alpha("erf"),
        "NonzeroSignLogAbs" => alpha("nonzero_sign_log_abs"),
        "QPseudoSpike" => alpha("q_pseudo_spike"),
        "FakeNumericalGradient" => alpha("fake_numerical_gradient"),
        "LogTailedReLU" => alpha("log_tailed_relu"),
        "PiecewiseLeakyReLU" => ("piecewise_leaky_relu", vec![number("w"), number("c")]),
        "SquarewaveFourierSeries" => (
            "squarewave_fourier_series",
            vec![number("n"), number("T_period")],
        ),
        "S2NN" => ("s2nn", vec![number("alpha"), number("beta")]),
        "LeakyKReLU" => ("leaky_k_relu", vec![number("leak"), number("k")]),
        "DeterministicPass" => ("pass_through", vec![]),
        "fast_sigmoid" => ("fast_sigmoid", vec![number("slope")]),
        other => panic!("no counterpart of {other}"),
    }
}

#[test]
fn curves_equal_those_of_spikingjelly_and_snntorch() {
    let folder = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/golden/spikingjelly"
    ));
    let tensors = Tensors::open(&folder.join("surrogates.f64.safetensors")).expect("arrays");
    let index = std::fs::read(folder.join("surrogates.json")).expect("cases");
    let index: serde_json::Value = serde_json::from_slice(&index).expect("JSON");
    let cases = index["cases"].as_array().expect("cases");
    for case in cases {
        let key = case["case"].as_str().expect("a name");
        let (name, arguments) = golden_case(&case["params"]);
        let surrogate = get(find(name).expect("registered"));
        let x = tensors.get(&format!("{key}/x")).expect("x");
        let y = tensors.get(&format!("{key}/y")).expect("y");
        let mut forward = Interpreter::new(step(surrogate, &arguments, key.starts_with("snn")));
        for (x, expected) in x.iter().zip(&y) {
            assert!(at(&mut forward, *x) == *expected, "{key}/y at {x}");
        }
        for (array, shape) in [
            ("grad", surrogate.derivative),
            ("primitive", surrogate.primitive),
        ] {
            let Some(expected) = tensors.get(&format!("{key}/{array}")) else {
                continue;
            };
            let mut curve = Interpreter::new(program(shape, &arguments));
            for (x, expected) in x.iter().zip(&expected) {
                let got = at(&mut curve, *x);
                let error = (got - expected).abs();
                assert!(
                    error <= 1e-14 * expected.abs().max(1.0),
                    "{key}/{array} at {x}: {got} {expected}"
                );
            }
        }
    }
    assert_eq!(cases.len(), 20);
}
