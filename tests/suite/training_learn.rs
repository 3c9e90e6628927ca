//! `learn`: which parameters training changes, by what gradient, within which bounds.

use std::sync::Arc;

use rheobase::engine::network::Network;
use rheobase::engine::port::{StepInput, Tensor};
use rheobase::engine::session::{Session, SessionOptions};
use rheobase::engine::unrolled::{Sequence, UnrolledNetwork, UnrolledOptions};

/// Without spikes, so that gradients are derivatives of what is computed.
fn text(parameters: &str, learn: &str) -> String {
    format!(
        r#"
name = "learn"
dt = "1 ms"
precision = "f64"
[inputs.x]
shape = [3]
[populations.p]
model = "leaky_readout"
size = 3
emits = "potential"
parameters = {{ {parameters} }}
{learn}
[[edges]]
source = "x"
target = "p"
"#
    )
}

const STEPS: usize = 6;
const BATCH: usize = 2;

fn unrolled(text: &str) -> UnrolledNetwork<f64> {
    let network = Network::from_toml(text, "learn").unwrap();
    let plan = network.resolve(&rheobase::registry()).unwrap();
    let options = UnrolledOptions {
        steps: STEPS,
        batch: BATCH,
        ..UnrolledOptions::default()
    };
    UnrolledNetwork::new(Arc::new(plan), &options).unwrap()
}

#[allow(clippy::cast_precision_loss, reason = "small counts")]
fn wave(n: usize, factor: f64) -> Vec<f64> {
    (0..n).map(|k| (k as f64 * factor).sin()).collect()
}

/// Sum of weights · output.
fn loss(network: &mut UnrolledNetwork<f64>, g: &[f64]) -> f64 {
    let x = wave(STEPS * BATCH * 3, 0.7);
    network.forward(&[Sequence::Steps(&x)], true).unwrap();
    let output = network.output("p").unwrap();
    output.iter().zip(g).map(|(o, g)| o * g).sum()
}

/// Name, values and gradient of every trained array.
fn arrays(network: &mut UnrolledNetwork<f64>) -> Vec<(String, Vec<f64>, Vec<f64>)> {
    let mut arrays = Vec::new();
    network.visit_parameters(|node, p, g| {
        let name = format!("{node}.{}", p.name);
        arrays.push((name, p.values.clone(), g.values.clone()));
    });
    arrays
}

#[test]
fn gradients_are_differences() {
    let g = wave(STEPS * BATCH * 3, 1.3);
    for (parameters, learn, expected) in [
        ("tau = 2.5", "learn = [\"tau\"]", vec![2.5]),
        ("tau = 2.5", "learn = { tau = \"population\" }", vec![2.5]),
        ("tau = 2.5", "learn = { tau = \"neuron\" }", vec![2.5; 3]),
        ("tau = [2, 3, 4]", "learn = [\"tau\"]", vec![2.0, 3.0, 4.0]),
    ] {
        let mut network = unrolled(&text(parameters, learn));
        loss(&mut network, &g);
        network.clear_gradients();
        network.backward(&[("p", &g)]).unwrap();
        let found = arrays(&mut network);
        let [(name, values, gradient)] = &found[..] else {
            panic!("{learn}: {found:?}")
        };
        assert_eq!((name.as_str(), values), ("p.tau", &expected), "{learn}");
        for (k, &by_hand) in gradient.iter().enumerate() {
            let mut shifted = |d: f64| {
                network.visit_parameters(|_, p, _| p.values[k] = values[k] + d);
                let value = loss(&mut network, &g);
                network.visit_parameters(|_, p, _| p.values[k] = values[k]);
                value
            };
            let difference = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
            assert!(difference.abs() > 1e-3, "{learn}: {difference}");
            let error = (by_hand - difference).abs() / difference.abs();
            assert!(error < 1e-7, "{learn}[{k}]: {by_hand} {difference}");
        }
    }
}

/// What is not named is not trained, even where the text says `learnable`.
#[test]
fn learn_says_what_is_trained_and_what_is_not() {
    let plif = |learn: &str| {
        let text = text("", learn).replace("leaky_readout", "plif");
        arrays(&mut unrolled(&text.replace("emits = \"potential\"", "")))
            .into_iter()
            .map(|(name, ..)| name)
            .collect::<Vec<_>>()
    };
    assert_eq!(plif(""), ["p.w"]);
    assert!(plif("learn = []").is_empty());
    assert_eq!(plif("learn = [\"v_threshold\"]"), ["p.v_threshold"]);
    let both = plif("learn = { v_reset = \"population\", w = \"neuron\" }");
    assert_eq!(both, ["p.w", "p.v_reset"]);
}

#[test]
fn values_stay_within_the_bounds_of_the_text() {
    let text = r#"
name = "bounds"
dt = "1 ms"
precision = "f64"
[models]
bounded = """
neuron bounded
  parameter keep = 0.5 in [0.25, 0.75]
  input x : 1
  state v : 1
  update v = keep*v + x
  output y = v : 1
"""
[inputs.x]
shape = [3]
[populations.p]
model = "bounded"
size = 3
emits = "y"
learn = { keep = "neuron" }
[[edges]]
source = "x"
target = "p"
"#;
    let mut network = unrolled(text);
    network.visit_parameters(|_, p, _| p.values.copy_from_slice(&[-3.0, 0.6, 0.76]));
    loss(&mut network, &[0.0; STEPS * BATCH * 3]);
    assert_eq!(arrays(&mut network)[0].1, [0.25, 0.6, 0.75]);

    // A session does the same with what it is given: v = keep·v + x, twice with x = 1.
    let network = Network::from_toml(text, "bounds").unwrap();
    let plan = network.resolve(&rheobase::registry()).unwrap();
    let keep = Tensor {
        name: "keep".to_owned(),
        shape: vec![3],
        values: vec![-3.0, 0.6, 0.76],
    };
    let options = SessionOptions {
        parameters: vec![("p".to_owned(), keep)],
        ..SessionOptions::default()
    };
    let mut session = Session::<f64>::new(&plan, &options).unwrap();
    session.step(&[StepInput::Real(&[1.0; 3])]).unwrap();
    let emitted = session.step(&[StepInput::Real(&[1.0; 3])]).unwrap();
    assert_eq!(emitted.values(0), [1.25, 1.6, 1.75]);
}

#[test]
fn what_cannot_be_learned_is_told() {
    let fails = |parameters: &str, learn: &str, expected: &str| {
        let network = Network::from_toml(&text(parameters, learn), "learn");
        let outcome = network.and_then(|n| n.resolve(&rheobase::registry()));
        let message = outcome.map(drop).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    fails("", "learn = [\"taw\"]", "did you mean `tau`?");
    fails(
        "",
        "learn = { tau = \"neurons\" }",
        "did you mean `neuron`?",
    );
    fails(
        "",
        "learn = \"tau\"",
        "expected a list of names, or a table",
    );
    let shared = "learn = { tau = \"population\" }";
    fails(
        "tau = [1, 2, 3]",
        shared,
        "its values differ between neurons",
    );
}

/// Layers begin with what the file says; what is not named is drawn as before.
#[test]
#[allow(clippy::cast_precision_loss, reason = "small counts")]
fn layers_begin_with_what_the_file_says() {
    let with = |initial: &str| {
        format!(
            r#"
name = "initial"
dt = "1 ms"
precision = "f64"
[inputs.x]
shape = [40]
[layers.fc]
model = "linear"
out_features = 50
{initial}
[[edges]]
source = "x"
target = "fc"
"#
        )
    };
    let begins = |initial: &str| arrays(&mut unrolled(&with(initial)));
    let plain = begins("");
    let given =
        begins("initial = { weight = { normal = { mean = 1, sd = 0.1 }, redraw = [0.8, 1.2] } }");
    assert_eq!(plain[1], given[1], "biases are drawn as before");
    let weights = &given[0].1;
    let n = weights.len() as f64;
    let mean = weights.iter().sum::<f64>() / n;
    let sd = (weights.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / n).sqrt();
    // A normal distribution cut at two standard deviations has 0.88 of its own; 2,000 draws.
    assert!((mean - 1.0).abs() < 0.01, "{mean}");
    assert!((sd - 0.088).abs() < 0.006, "{sd}");
    assert!(weights.iter().all(|w| (0.8..=1.2).contains(w)));
    let listed: Vec<String> = (0..50).map(|k| format!("{k}.5")).collect();
    let biases = begins(&format!("initial = {{ bias = [{}] }}", listed.join(", ")));
    assert_eq!(
        biases[1].1,
        (0..50).map(|k| f64::from(k) + 0.5).collect::<Vec<_>>()
    );
    assert_eq!(biases[0], plain[0], "weights are drawn as before");

    let fails = |initial: &str, expected: &str| {
        let network = Network::from_toml(&with(initial), "initial").unwrap();
        let message = network
            .resolve(&rheobase::registry())
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(message.contains(expected), "{message}");
    };
    fails("initial = { weigth = 0 }", "did you mean `weight`?");
    fails(
        "initial = { bias = [1, 2] }",
        "2 values for 50 of shape [50]",
    );
    fails("initial = { bias = \"1 mV\" }", "mV");
}
