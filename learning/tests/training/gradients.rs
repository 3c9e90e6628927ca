//! Gradients of whole networks: three layers, recurrent and delayed, over 20 steps.

use rheobase_engine::Instantiate;
use rheobase_engine::unrolled::{Sequence, UnrolledNetwork, UnrolledOptions};
use rheobase_equations::real::Real;

use crate::network::{chain, edge, input, linear, population, unrolled};

const STEPS: usize = 20;
const BATCH: usize = 3;

/// A neuron that hands on a smooth curve in place of spikes, and is reset by one.
const SMOOTH: &str = r#"
[models]
smooth = """
neuron smooth
  parameter tau = 3 learnable, theta = 0.7 learnable
  input x : 1
  input y : 1
  state v = 0.1*theta : 1
  state a = 0 : 1
  update v = v + (x - v)/tau - 0.2*a
  z = 1/(1 + exp(-3*(v - theta)))
  update a = 0.8*a + z + 0.1*y*v
  update v = v - theta/(1 + exp(-3*(v - theta)))
  output potential = z : 1
"""
"#;

fn smooth() -> String {
    let mut text = input("x", "6") + "[layers.a]\nmodel = \"linear\"\nout_features = 9\n";
    text += &linear("r", 9, false);
    text += &linear("b", 8, true);
    text += &linear("c", 4, true);
    text += &linear("skip", 4, false);
    for (name, size) in [("h", 9), ("g", 8), ("y", 4)] {
        text += &population(name, "smooth", size, "emits = \"potential\"");
    }
    let onto = |source: &str, target: &str, port: &str, delay: usize| {
        edge(source, target, delay) + &format!("port = \"{port}\"\n")
    };
    for (layer, population) in [("a", "h"), ("b", "g"), ("c", "y")] {
        text += &onto(layer, population, "x", 0);
    }
    text += &(edge("x", "a", 0) + &edge("h", "b", 0) + &edge("g", "c", 0));
    // Recurrent through a layer, onto itself, delayed, past a layer.
    text += &edge("h", "r", 1);
    text += &onto("r", "h", "x", 1);
    text += &edge("h", "skip", 3);
    text += &onto("skip", "y", "x", 0);
    text += &onto("g", "g", "y", 2);
    text + SMOOTH
}

fn spiking() -> String {
    let mut text = input("x", "6");
    text += &linear("a", 40, true);
    text += &linear("r", 40, false);
    text += &linear("b", 30, true);
    text += &linear("c", 5, true);
    text += &linear("skip", 5, false);
    text += &population("h", "lif", 40, "");
    text += &population("g", "plif", 30, "options = { soft_reset = true }");
    text += &population("y", "lif", 5, "surrogate = \"sigmoid(4)\"");
    text += &chain(&["x", "a", "h", "b", "g", "c", "y"]);
    text += &edge("h", "r", 1);
    text += &edge("r", "h", 1);
    text += &edge("h", "skip", 3);
    text + &edge("skip", "y", 0)
}

fn x<R: Real>() -> Vec<R> {
    (0..STEPS * BATCH * 6)
        .map(|k| R::from_f64(((k as f64) * 0.61).sin() * 1.5))
        .collect()
}

fn make<R: Instantiate>(text: &str, scale: f64) -> UnrolledNetwork<R> {
    let options = UnrolledOptions {
        steps: STEPS,
        batch: BATCH,
        input_cotangents: true,
        ..UnrolledOptions::default()
    };
    let mut network = unrolled::<R>(text, &options);
    network.visit_parameters(|_, p, _| {
        if p.shape.len() == 2 {
            p.values.iter_mut().for_each(|w| *w *= R::from_f64(scale));
        }
    });
    network
}

fn weights<R: Real>(n: usize) -> Vec<R> {
    (0..n)
        .map(|k| R::from_f64(((k as f64) * 0.37).cos()))
        .collect()
}

/// Σ g·y, with fixed weights g.
fn loss(network: &mut UnrolledNetwork<f64>, x: &[f64]) -> f64 {
    network.forward(&[Sequence::Steps(x)], true).unwrap();
    let output = network.output("y").unwrap();
    let weights = weights::<f64>(output.len());
    output.iter().zip(weights).map(|(y, g)| y * g).sum()
}

/// Gradients against central differences: every learned parameter of the neurons, some of every layer's
/// weights, some inputs.
#[test]
fn gradients_are_those_of_central_differences() {
    let mut network = make::<f64>(&smooth(), 2.0);
    let x = x::<f64>();
    loss(&mut network, &x);
    let n = network.output("y").unwrap().len();
    network.backward(&[("y", &weights::<f64>(n))]).unwrap();
    let mut gradients = Vec::new();
    network.visit_parameters(|node, p, g| {
        gradients.push((format!("{node}.{}", p.name), g.values.clone()));
    });
    let gx = network.input_cotangent("x").unwrap().to_vec();
    let largest = gradients.iter().flat_map(|(_, g)| g).chain(&gx);
    let largest = largest.fold(0.0_f64, |m, g| m.max(g.abs()));
    let mut worst = 0.0_f64;
    let mut judge = |name: &str, found: f64, plus: f64, minus: f64, h: f64| {
        let difference = (plus - minus) / (2.0 * h);
        worst = worst.max((found - difference).abs() / largest);
        assert!(
            (found - difference).abs() <= 1e-6 * largest,
            "{name}: {found} {difference}"
        );
    };
    let h = 1e-5;
    for (array, (name, gradient)) in gradients.iter().enumerate() {
        assert!(gradient.iter().any(|g| g.abs() > 1e-6 * largest), "{name}");
        for k in (0..gradient.len()).step_by(1 + gradient.len() / 7) {
            let shifted = |network: &mut UnrolledNetwork<f64>, by: f64| {
                let mut place = 0;
                network.visit_parameters(|_, p, _| {
                    if place == array {
                        p.values[k] += by;
                    }
                    place += 1;
                });
            };
            shifted(&mut network, h);
            let plus = loss(&mut network, &x);
            shifted(&mut network, -2.0 * h);
            let minus = loss(&mut network, &x);
            shifted(&mut network, h);
            judge(name, gradient[k], plus, minus, h);
        }
    }
    for k in (0..x.len()).step_by(37) {
        let mut moved = x.clone();
        moved[k] += h;
        let plus = loss(&mut network, &moved);
        moved[k] -= 2.0 * h;
        let minus = loss(&mut network, &moved);
        judge("x", gx[k], plus, minus, h);
    }
    println!("largest difference {worst:.1e} of the largest gradient");
}

/// f32 and f64 with the same spikes.
#[test]
fn precisions_agree_where_spikes_do() {
    fn run<R: Instantiate>(keep: &[&str]) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let mut network = make::<R>(&spiking(), 5.0);
        let x = x::<R>();
        network.forward(&[Sequence::Steps(&x)], true).unwrap();
        let wide = |v: &[R]| v.iter().map(|x| x.to_f64()).collect::<Vec<f64>>();
        let spikes = keep
            .iter()
            .map(|_| wide(network.output("y").unwrap()))
            .collect();
        let n = network.output("y").unwrap().len();
        network.backward(&[("y", &weights::<R>(n))]).unwrap();
        let mut gradients = vec![wide(network.input_cotangent("x").unwrap())];
        network.visit_parameters(|_, _, g| gradients.push(wide(&g.values)));
        (spikes, gradients)
    }
    let (narrow, wide) = (run::<f32>(&["y"]), run::<f64>(&["y"]));
    assert_eq!(narrow.0, wide.0);
    let spikes: f64 = wide.0.iter().flatten().sum();
    assert!(spikes > 20.0, "{spikes}");
    let largest = wide.1.iter().flatten().fold(0.0_f64, |m, g| m.max(g.abs()));
    let pairs = narrow.1.iter().flatten().zip(wide.1.iter().flatten());
    let worst = pairs.fold(0.0_f64, |m, (a, b)| m.max((a - b).abs()));
    println!(
        "{spikes} spikes; largest difference {:.1e} of the largest gradient",
        worst / largest
    );
    assert!(worst <= 1e-4 * largest, "{worst} {largest}");
}
