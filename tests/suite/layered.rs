//! A layered network from the description that carries circuits: what it emits and how it learns, against
//! SpikingJelly 2.0.0 (`tests/golden/spikingjelly/`) and against a small case by hand.

use std::sync::Arc;

use rheobase::engine::build::BuildOptions;
use rheobase::engine::network::Network;
use rheobase::engine::simulation::Simulation;
use rheobase::engine::unrolled::{Sequence, UnrolledNetwork, UnrolledOptions};
use rheobase::learning::loss::mse_rate;
use rheobase::learning::optimizer::{AdamW, Optimizer, Sgd};
use safetensors::SafeTensors;

use crate::harness;

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

/// The network, its parameters, input and loss.
const START: &[u8] = include_bytes!("../golden/spikingjelly/mlp_mse_rate.f64.safetensors");
/// The same, trained.
const TRAINED: &[u8] = include_bytes!("../golden/spikingjelly/mlp_opt.f64.safetensors");

fn tensor(file: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    of_case(file, "mlp_mse_rate", name)
}

fn of_case(file: &SafeTensors<'_>, case: &str, name: &str) -> Vec<f64> {
    let view = file.tensor(&format!("{case}/{name}")).unwrap();
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

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "labels"
)]
fn labels(file: &SafeTensors<'_>) -> Vec<usize> {
    tensor(file, "y").iter().map(|&y| y as usize).collect()
}

fn assert_close(name: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    let error = found
        .iter()
        .zip(expected)
        .fold(0.0_f64, |m, (a, b)| m.max((a - b).abs()));
    println!("{name}: largest error {error:.2e} of {largest:.2e}");
    assert!(
        error <= 1e-9 * largest.max(f64::MIN_POSITIVE),
        "{name}: {error} of {largest}"
    );
}

fn simulation() -> Simulation<f64> {
    let plan = harness::plan(&Network::from_toml(MLP, "mlp").unwrap());
    Simulation::build(Arc::new(plan), BuildOptions::default()).unwrap()
}

fn unrolled(text: &str, (steps, batch): (usize, usize), outputs: &[&str]) -> UnrolledNetwork<f64> {
    let plan = harness::plan(&Network::from_toml(text, "unrolled").unwrap());
    let options = UnrolledOptions {
        steps,
        batch,
        outputs: outputs.iter().map(|&o| o.to_owned()).collect(),
        input_cotangents: true,
        ..UnrolledOptions::default()
    };
    UnrolledNetwork::new(Arc::new(plan), &options).unwrap()
}

#[test]
fn a_simulation_emits_what_spikingjelly_does() {
    let file = SafeTensors::deserialize(START).unwrap();
    let mut simulation = simulation();
    let mut loaded = 0;
    simulation.visit_parameters(|node, parameter| {
        parameter.values = tensor(&file, &letter(node, parameter.shape.len()));
        loaded += 1;
    });
    assert_eq!(loaded, 4);
    simulation.set_input("x", 1, tensor(&file, "x")).unwrap();
    simulation.advance_to(8).unwrap();
    let node = |name: &str| {
        simulation
            .plan()
            .nodes
            .iter()
            .position(|n| n.name == name)
            .unwrap()
    };
    let emitted = |name: &str| -> Vec<f64> {
        (1..=8)
            .flat_map(|step| simulation.emitted(node(name), step).unwrap())
            .collect()
    };
    assert_close("i1", &emitted("fc1"), &tensor(&file, "i1"));
    assert_eq!(emitted("lif1"), tensor(&file, "s1"), "spikes of layer 1");
    assert_close("i2", &emitted("fc2"), &tensor(&file, "i2"));
    assert_eq!(emitted("lif2"), tensor(&file, "s2"), "spikes of layer 2");
}

/// One input, one weight of 3, one LIF (tau 2): charge 0.9, fire at 1.05 in step 2.
#[test]
fn a_neuron_by_hand() {
    let text = MLP
        .replace("batch = 4", "batch = 1")
        .replace("shape = [20]", "shape = [1]")
        .replace("out_features = 32", "out_features = 1")
        .replace("size = 32", "size = 1");
    let mut network = unrolled(&text, (2, 1), &["lif1"]);
    network.visit_parameters(|_, p, _| {
        let value = if p.shape.len() == 2 { 3.0 } else { 0.0 };
        p.values.fill(value);
    });
    network
        .forward(&[Sequence::Steps(&[0.6, 0.4])], true)
        .unwrap();
    // h = 0.9 (no spike), then 0.9 + (1.2 − 0.9)/2 = 1.05: a spike, v back to 0.
    assert_eq!(network.output("lif1").unwrap(), [0.0, 1.0]);

    // ∂s[2]/∂x[2] = σ'(0.05)·(1/2)·3 and ∂s[2]/∂x[1] = σ'(0.05)·∂h[2]/∂v[1]·∂v[1]/∂h[1]·(1/2)·3,
    // where ∂h/∂v = 1/2 and ∂v[1]/∂h[1] = 1 + (v_reset − h)·σ'(h − 1) at h = 0.9.
    let surrogate = |x: f64| 1.0 / (1.0 + (std::f64::consts::PI * x) * (std::f64::consts::PI * x));
    network.backward(&[("lif1", &[0.0, 1.0])]).unwrap();
    let expected_2 = surrogate(0.05) * 1.5;
    let through_reset = 1.0 - 0.9 * surrogate(-0.1);
    let expected_1 = surrogate(0.05) * 0.5 * through_reset * 1.5;
    let found = network.input_cotangent("x").unwrap();
    for (found, expected) in found.iter().zip([expected_1, expected_2]) {
        assert!((found - expected).abs() < 1e-14, "{found} {expected}");
    }
}

#[test]
fn a_run_cut_into_calls_gives_the_same_bits() {
    let x: Vec<f64> = (0..8 * 4 * 20)
        .map(|k| f64::from(k % 17) * 0.2 - 0.5)
        .collect();
    let run = |cuts: &[u64]| {
        let mut simulation = simulation();
        simulation.set_input("x", 1, x.clone()).unwrap();
        for &cut in cuts {
            simulation.advance_to(cut).unwrap();
        }
        simulation.state("lif2", "v").unwrap()
    };
    let whole = run(&[8]);
    assert_eq!(run(&[1, 2, 3, 4, 5, 6, 7, 8]), whole);
    assert_eq!(run(&[3, 8]), whole);
}

/// Options and surrogate of a component, chosen in the network file.
#[test]
fn a_network_chooses_options_and_surrogate() {
    let text = |choice: &str| {
        format!(
            "name = \"choice\"\ndt = \"1 ms\"\nduration = \"4 ms\"\nprecision = \"f64\"\n\
             [inputs.x]\nshape = [1]\n[populations.n]\nmodel = \"if\"\nsize = 1\n{choice}\n\
             [[edges]]\nsource = \"x\"\ntarget = \"n\"\n"
        )
    };
    let run = |choice: &str| {
        let mut network = unrolled(&text(choice), (4, 1), &[]);
        network
            .forward(&[Sequence::Steps(&[0.75; 4])], true)
            .unwrap();
        let spikes = network.output("n").unwrap().to_vec();
        network.backward(&[("n", &[1.0, 0.0, 0.0, 0.0])]).unwrap();
        (spikes, network.input_cotangent("x").unwrap()[0])
    };
    // 0.75, 1.5 and back to 0; or 1.5 − 1 = 0.5, 1.25, 1.0.
    let (spikes, slope) = run("");
    assert_eq!(spikes, [0.0, 1.0, 0.0, 1.0]);
    let (soft, _) = run("options = { soft_reset = true }");
    assert_eq!(soft, [0.0, 1.0, 1.0, 1.0]);
    // The derivative of a spike at 0.25 below the threshold: of sigmoid(4) by itself, then chosen.
    let (_, rectangle) = run("surrogate = \"rect(1)\"");
    assert!((rectangle - 1.0).abs() < 1e-15, "{rectangle}");
    assert!(slope != rectangle);

    for (choice, expected) in [
        (
            "options = { soft_rest = true }",
            "did you mean `soft_reset`?",
        ),
        (
            "options = { soft_reset = \"perhaps\" }",
            "cannot be `perhaps`",
        ),
        (
            "options = { soft_reset = 3 }",
            "expected true, false or a word",
        ),
        ("surrogate = \"atn(2)\"", "atan"),
    ] {
        let error = Network::from_toml(&text(choice), "choice")
            .and_then(|network| network.resolve(&rheobase::registry()))
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// The name of a parameter in the file.
fn letter(node: &str, n_axes: usize) -> String {
    let kind = if n_axes == 2 { "w" } else { "b" };
    format!("{kind}{}", node.strip_prefix("fc").unwrap())
}

/// Five steps on one batch: losses before each, parameters after the first and the last.
fn train(case: &str, mut optimizer: Optimizer<f64>) {
    let start = SafeTensors::deserialize(START).unwrap();
    let trained = SafeTensors::deserialize(TRAINED).unwrap();
    let mut network = unrolled(MLP, (8, 4), &[]);
    network.visit_parameters(|node, p, _| {
        let name = letter(node, p.shape.len());
        p.values = tensor(&start, &name);
    });
    let labels = labels(&start);
    let losses = of_case(&trained, case, "loss");
    let mut largest = 0.0_f64;
    for (step, expected) in losses.iter().enumerate() {
        let x = tensor(&start, "x");
        network.forward(&[Sequence::Steps(&x)], true).unwrap();
        let output = network.output("lif2").unwrap();
        let loss = mse_rate(output, [8, 4, 10], &labels).unwrap();
        assert!(
            (loss.value - expected).abs() < 1e-9 * expected,
            "{case} {step}"
        );
        network.clear_gradients();
        network.backward(&[("lif2", &loss.cotangent)]).unwrap();
        let mut pass = optimizer.pass();
        network.visit_parameters(|node, p, gradient| pass.update(node, p, gradient));
        pass.finish().unwrap();
        let Some(kept) = [0, 4].iter().position(|&k| k == step) else {
            continue;
        };
        network.visit_parameters(|node, p, _| {
            let n = p.values.len();
            let name = letter(node, p.shape.len());
            let expected = &of_case(&trained, case, &name)[kept * n..][..n];
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
