//! Encoders, and optimisers on a spiking network, against SpikingJelly 2.0.0
//! (`tests/golden/spikingjelly/`).

#![allow(clippy::print_stdout, reason = "tests print their figures")]

use std::sync::Arc;

use rheobase_engine::build::BuildOptions;
use rheobase_engine::network::Network;
use rheobase_engine::simulation::Simulation;
use rheobase_equations::real::Real;
use rheobase_learning::encode::{
    Draws, Encoder, Integrate, Latency, Samples, Tuning, WeightedPhase, dense,
};
use rheobase_learning::loss::mse_rate;
use rheobase_learning::optimizer::{AdamW, Optimizer, Sgd};
use safetensors::SafeTensors;
use serde_json::Value;

const ENCODERS: &str = include_str!("../../tests/golden/spikingjelly/encoders.json");
const NETWORK: &[u8] =
    include_bytes!("../../tests/golden/spikingjelly/mlp_mse_rate.f64.safetensors");
const TRAINED: &[u8] = include_bytes!("../../tests/golden/spikingjelly/mlp_opt.f64.safetensors");

fn encoders() -> Value {
    serde_json::from_str(ENCODERS).unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    let text = |x: &Value| x.as_str().unwrap().to_owned();
    value.as_array().unwrap().iter().map(text).collect()
}

/// Spikes of every element, as text.
fn trains<R: Real>(encoder: &dyn Encoder<R>, steps: usize, values: &[R]) -> Vec<String> {
    let n = values.len();
    let samples = Samples::new(values, n, &[0]).unwrap();
    let mut out = Vec::new();
    dense(encoder, steps, samples, Draws::new(1, 0), &mut out).unwrap();
    let digit = |&x: &R| if x == R::ONE { '1' } else { '0' };
    let train = |k: usize| out.iter().skip(k).step_by(n).map(digit).collect();
    (0..n).map(train).collect()
}

/// The values of a byte, computed in R.
fn grid<R: Real>() -> Vec<R> {
    (0..=255_i16)
        .map(|k| R::from_i16(k) / R::from_i16(255))
        .collect()
}

fn latencies_of<R: Real>(latency: Latency, case: &Value) {
    let steps = usize::try_from(case["steps"].as_u64().unwrap()).unwrap();
    let times = case["times"].as_array().unwrap();
    let expected: Vec<String> = times
        .iter()
        .map(|t| {
            let t = usize::try_from(t.as_u64().unwrap()).unwrap();
            "0".repeat(t) + "1" + &"0".repeat(steps - 1 - t)
        })
        .collect();
    assert_eq!(
        trains::<R>(&latency, steps, &grid()),
        expected,
        "{latency:?}"
    );
}

#[test]
fn latencies() {
    let golden = encoders();
    let cases = golden["latency"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let latency = match case["function"].as_str().unwrap() {
            "linear" => Latency::Linear,
            _ => Latency::Logarithmic,
        };
        match case["dtype"].as_str().unwrap() {
            "f32" => latencies_of::<f32>(latency, case),
            _ => latencies_of::<f64>(latency, case),
        }
    }
}

fn phases_of<R: Real>(phases: u32, case: &Value) {
    let scale = R::from_f64(1.0 - (-f64::from(phases)).exp2());
    let values: Vec<R> = grid::<R>().into_iter().map(|x| x * scale).collect();
    let found = trains(&WeightedPhase { phases }, phases as usize, &values);
    assert_eq!(found, strings(&case["digits"]), "{phases}");
}

#[test]
fn weighted_phases() {
    let golden = encoders();
    let cases = golden["phase"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let phases = u32::try_from(case["phases"].as_u64().unwrap()).unwrap();
        match case["dtype"].as_str().unwrap() {
            "f32" => phases_of::<f32>(phases, case),
            _ => phases_of::<f64>(phases, case),
        }
    }
}

#[test]
fn populations() {
    let golden = encoders();
    let case = &golden["population"];
    let float = |x: &Value| x.as_f64().unwrap();
    let n = u32::try_from(case["n"].as_u64().unwrap()).unwrap();
    let (low, high, sigma) = (
        float(&case["low"]),
        float(&case["high"]),
        float(&case["sigma"]),
    );
    let values = case["values"].as_array().unwrap();
    let values: Vec<f64> = values.iter().map(float).collect();
    let tuning = Tuning::even(low, high, n, sigma).unwrap();
    let samples = Samples::new(&values, values.len(), &[0]).unwrap();
    let activities = tuning.activities(samples).unwrap();
    let found = trains(&Integrate::default(), 20, &activities);
    assert_eq!(found, strings(&case["trains"]));
}

const MLP: &str = r#"
name = "mlp"
dt = "1 ms"
duration = "8 ms"
precision = "f64"
batch = 4

[inputs.x]
shape = [20]

[layers.fc1]
model = "linear"
out_features = 32

[populations.lif1]
model = "lif"
size = 32

[layers.fc2]
model = "linear"
out_features = 10

[populations.lif2]
model = "lif"
size = 10

[[edges]]
source = "x"
target = "fc1"

[[edges]]
source = "fc1"
target = "lif1"

[[edges]]
source = "lif1"
target = "fc2"

[[edges]]
source = "fc2"
target = "lif2"
"#;

fn tensor(file: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let view = file.tensor(name).unwrap();
    let words = view.data().as_chunks::<8>().0;
    match view.dtype() {
        safetensors::Dtype::F64 => words.iter().map(|w| f64::from_le_bytes(*w)).collect(),
        #[allow(clippy::cast_precision_loss, reason = "labels below 10")]
        safetensors::Dtype::I64 => words
            .iter()
            .map(|w| i64::from_le_bytes(*w) as f64)
            .collect(),
        other => panic!("{name}: {other:?}"),
    }
}

/// The name of a parameter in the file.
fn letter(node: &str, n_axes: usize) -> String {
    let kind = if n_axes == 2 { "w" } else { "b" };
    format!("{kind}{}", node.strip_prefix("fc").unwrap())
}

/// Five steps on one batch: losses before each, parameters after the first and the last.
fn train(case: &str, mut optimizer: Optimizer<f64>) {
    let start = SafeTensors::deserialize(NETWORK).unwrap();
    let trained = SafeTensors::deserialize(TRAINED).unwrap();
    let plan = Network::from_toml(MLP, "mlp")
        .unwrap()
        .resolve(&rheobase_components::registry())
        .unwrap();
    let position = |name: &str| plan.nodes.iter().position(|n| n.name == name).unwrap();
    let last = position("lif2");
    let options = BuildOptions {
        threads: 1,
        tape_steps: Some(8),
        ..BuildOptions::default()
    };
    let mut simulation = Simulation::<f64>::build(Arc::new(plan), options).unwrap();
    simulation.visit_parameters(|node, p, _| {
        let name = letter(node, p.shape.len());
        p.values = tensor(&start, &format!("mlp_mse_rate/{name}"));
    });
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "labels"
    )]
    let labels: Vec<usize> = tensor(&start, "mlp_mse_rate/y")
        .iter()
        .map(|&y| y as usize)
        .collect();
    let losses = tensor(&trained, &format!("{case}/loss"));
    let mut largest = 0.0_f64;
    for (step, expected) in losses.iter().enumerate() {
        simulation.reset();
        let x = tensor(&start, "mlp_mse_rate/x");
        simulation.set_input("x", 1, x).unwrap();
        simulation.advance_to(8).unwrap();
        let output: Vec<f64> = (1..=8)
            .flat_map(|step| simulation.emitted(last, step))
            .collect();
        let loss = mse_rate(&output, [8, 4, 10], &labels).unwrap();
        assert!(
            (loss.value - expected).abs() < 1e-9 * expected,
            "{case} {step}"
        );
        let mut cotangents = simulation.cotangents(8);
        cotangents.node(last).copy_from_slice(&loss.cotangent);
        simulation.visit_parameters(|_, _, gradient| gradient.values.fill(0.0));
        simulation.backward(&mut cotangents).unwrap();
        let mut pass = optimizer.pass();
        simulation.visit_parameters(|node, p, gradient| pass.update(node, p, gradient));
        pass.finish().unwrap();
        let Some(kept) = [0, 4].iter().position(|&k| k == step) else {
            continue;
        };
        simulation.visit_parameters(|node, p, _| {
            let name = format!("{case}/{}", letter(node, p.shape.len()));
            let n = p.values.len();
            let expected = &tensor(&trained, &name)[kept * n..][..n];
            let size = expected.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
            for (a, b) in p.values.iter().zip(expected) {
                largest = largest.max((a - b).abs() / size);
            }
        });
    }
    println!("{case}: {largest:.1e}");
    assert!(largest < 1e-9, "{case}: {largest}");
}

#[test]
fn a_spiking_network_learns_as_in_the_reference() {
    let sgd = Sgd {
        learning_rate: 0.1,
        momentum: 0.9,
        ..Sgd::default()
    };
    train("mlp_opt_sgdm", Optimizer::new(sgd).unwrap());
    let nesterov = Sgd {
        nesterov: true,
        weight_decay: 1e-3,
        ..sgd
    };
    train("mlp_opt_sgd_nesterov_wd", Optimizer::new(nesterov).unwrap());
    let adamw = Optimizer::new(AdamW::default()).unwrap();
    train("mlp_opt_adamw", adamw);
}
