//! Gradients of synapses: against a layer, differences and the adjoint.

use super::*;

/// All-to-all synapses with a delay of one step are a layer without bias on an edge of one step.
#[test]
fn all_to_all_synapses_are_a_layer() {
    const STEPS: usize = 25;
    const BATCH: usize = 3;
    let ends = input("x", "6")
        + &linear("a", 40, true)
        + &population("h", "lif", 40, "surrogate = \"sigmoid(4)\"")
        + &population("y", "lif", 5, "")
        + &edge("x", "a", 0)
        + &edge("a", "h", 0);
    let layers = ends.clone()
        + &linear("r", 40, false)
        + &linear("o", 5, false)
        + &edge("h", "r", 1)
        + &edge("r", "h", 0)
        + &edge("h", "o", 0)
        + &edge("o", "y", 0);
    let all = "\"all_to_all\"";
    let synapses = ends
        + &projection("h", "h", all, "1.0", "\"1 ms\"")
        + &projection("h", "y", all, "1.0", "\"0 ms\"");
    let options = options(STEPS, BATCH, &["h", "y"]);
    let weights = |n: usize, frequency: f64| -> Vec<f64> {
        (0..n).map(|k| 0.5 * wave(k, frequency)).collect()
    };
    // [out, in] of the layers, [source, target] of the synapses.
    let transposed = |w: &[f64], n_out: usize| -> Vec<f64> {
        let n_in = w.len() / n_out;
        (0..w.len())
            .map(|k| w[k % n_out * n_in + k / n_out])
            .collect()
    };
    let (r, o) = (weights(1600, 0.31), weights(200, 0.77));
    let x: Vec<f64> = (0..STEPS * BATCH * 6)
        .map(|k| 8.0 * wave(k, 0.61))
        .collect();
    let run = |text: &str, given: &[(&str, Vec<f64>)]| {
        let mut network = unrolled::<f64>(text, &options);
        let mut set = 0;
        network.visit_parameters(|node, p, _| {
            if let Some((_, values)) = given.iter().find(|(name, _)| *name == node) {
                assert_eq!(p.values.len(), values.len());
                p.values.clone_from(values);
                set += 1;
            }
        });
        assert_eq!(set, given.len());
        network.forward(&[Sequence::Steps(&x)], true).unwrap();
        let output = emitted(&network, &["h", "y"]);
        let g: Vec<f64> = (0..output[1].len()).map(|k| wave(k, 0.37)).collect();
        network.backward(&[("y", &g)]).unwrap();
        let gx = network.input_cotangent("x").unwrap().to_vec();
        let mut gradients = Vec::new();
        network.visit_parameters(|node, p, g| {
            gradients.push((format!("{node}.{}", p.name), g.values.clone()));
        });
        (output, gx, gradients)
    };
    let (hh, hy) = ("h -> h (projections[0])", "h -> y (projections[1])");
    let of_layers = run(&layers, &[("r", r.clone()), ("o", o.clone())]);
    let of_synapses = run(
        &synapses,
        &[(hh, transposed(&r, 40)), (hy, transposed(&o, 5))],
    );
    assert_eq!(of_layers.0, of_synapses.0);
    let n_spikes: f64 = of_layers.0.iter().flatten().sum();
    assert!(n_spikes > 200.0, "{n_spikes}");
    let gradient = |all: &[(String, Vec<f64>)], name: &str| {
        let found = all.iter().find(|(n, _)| n.starts_with(name)).unwrap();
        found.1.clone()
    };
    let (a, b) = (&of_layers.2, &of_synapses.2);
    let pairs = [
        (of_layers.1.clone(), of_synapses.1.clone()),
        (gradient(a, "a.weight"), gradient(b, "a.weight")),
        (transposed(&gradient(a, "r."), 40), gradient(b, hh)),
        (transposed(&gradient(a, "o."), 5), gradient(b, hy)),
    ];
    for (place, (expected, found)) in pairs.iter().enumerate() {
        let largest = expected.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        assert!(largest > 0.0);
        let differences = expected.iter().zip(found).map(|(a, b)| (a - b).abs());
        let worst = differences.fold(0.0, f64::max);
        println!("{place}: largest difference {:.1e}", worst / largest);
        assert!(worst <= 1e-12 * largest, "{place}: {worst} {largest}");
    }
}

/// What hands on smooth values where it would fire: spikes replaced by their primitive.
const SMOOTH: &str = r#"
[models]
smooth = """
neuron smooth
  parameter theta = 0.7
  input x : 1
  input y : 1
  state v = 0 : 1
  state a = 0 : 1
  update v = v + (x - v)/3 - 0.2*a
  z = 1/(1 + exp(-3*(v - theta)))
  update a = 0.8*a + z + 0.1*y*v
  update v = v - theta/(1 + exp(-3*(v - theta)))
  output potential = z : 1
"""
relay = """
neuron relay
  input x : 1
  state v = 0 : 1
  update v = x
  output value = v : 1
"""
"#;

/// The plan in which some populations emit values that its projections, written for spikes, carry on.
fn valued(text: &str, names: &[&str]) -> Arc<Plan> {
    let mut plan = plan(text, "f64").as_ref().clone();
    for node in plan
        .nodes
        .iter_mut()
        .filter(|n| names.contains(&n.name.as_str()))
    {
        if let NodeKind::Population(p) = &mut node.kind {
            p.emits = Some(0);
        }
    }
    Arc::new(plan)
}

#[test]
fn gradients_are_those_of_central_differences() {
    const STEPS: usize = 20;
    const BATCH: usize = 3;
    let drawn = "{ normal = { mean = 0.2, sd = 0.8 } }";
    let onto = |text: String, port: &str| text + &format!("port = \"{port}\"\n");
    let some = "{ pairwise_bernoulli = { p = 0.5 } }";
    let text = input("x", "9")
        + &population("g", "smooth", 9, "")
        + &population("h", "smooth", 12, "")
        + &population("y", "smooth", 4, "")
        + &onto(edge("x", "g", 0), "x")
        + &onto(projection("g", "h", some, drawn, "{ uniform = [\"0 ms\", \"4 ms\"] }"), "x")
        + &onto(projection("h", "h", some, drawn, "{ uniform = [\"1 ms\", \"6 ms\"] }"), "x")
        + &onto(projection("h", "h", some, drawn, "\"2 ms\""), "y")
        + &onto(projection("h", "y", some, drawn, "{ uniform = [\"0 ms\", \"3 ms\"] }"), "x")
        + &onto(projection("g", "y", some, drawn, "\"1 ms\""), "x")
        // Multapses.
        + &onto(projection("y", "h", "{ fixed_indegree = { indegree = 6 } }", drawn, "\"3 ms\""), "x")
        + SMOOTH;
    let plan = valued(&text, &["g", "h", "y"]);
    let mut network = UnrolledNetwork::<f64>::new(plan, &options(STEPS, BATCH, &["y"])).unwrap();
    let mut x: Vec<f64> = (0..STEPS * BATCH * 9)
        .map(|k| 1.5 * wave(k, 0.61))
        .collect();
    let loss = |network: &mut UnrolledNetwork<f64>, x: &[f64]| -> f64 {
        network.forward(&[Sequence::Steps(x)], true).unwrap();
        let output = network.output("y").unwrap().iter().enumerate();
        output.map(|(k, y)| y * wave(k, 0.37)).sum()
    };
    loss(&mut network, &x);
    let n = network.output("y").unwrap().len();
    let g: Vec<f64> = (0..n).map(|k| wave(k, 0.37)).collect();
    network.backward(&[("y", &g)]).unwrap();
    let mut gradients = Vec::new();
    network.visit_parameters(|name, _, g| gradients.push((name.to_owned(), g.values.clone())));
    assert_eq!(gradients.len(), 6);
    let gx = network.input_cotangent("x").unwrap().to_vec();
    let all = gradients.iter().flat_map(|(_, g)| g).chain(&gx);
    let largest = all.fold(0.0_f64, |m, g| m.max(g.abs()));
    let (h, mut worst) = (1e-5, 0.0_f64);
    let mut judge = |name: &str, found: f64, plus: f64, minus: f64| {
        let difference = (plus - minus) / (2.0 * h);
        worst = worst.max((found - difference).abs() / largest);
        assert!(
            (found - difference).abs() <= 1e-6 * largest,
            "{name}: {found} {difference}"
        );
    };
    for (array, (name, gradient)) in gradients.iter().enumerate() {
        assert!(gradient.iter().any(|g| g.abs() > 1e-6 * largest), "{name}");
        for k in (0..gradient.len()).step_by(1 + gradient.len() / 9) {
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
            judge(name, gradient[k], plus, minus);
        }
    }
    for k in (0..x.len()).step_by(41) {
        x[k] += h;
        let plus = loss(&mut network, &x);
        x[k] -= 2.0 * h;
        let minus = loss(&mut network, &x);
        x[k] += h;
        judge("x", gx[k], plus, minus);
    }
    println!("largest difference {worst:.1e} of the largest gradient");
}

/// ⟨J v, u⟩ = ⟨v, Jᵀ u⟩, for a projection alone: linear in what the source emits, and in the weights.
#[test]
fn reverse_is_the_adjoint_of_forward() {
    const STEPS: usize = 20;
    const BATCH: usize = 3;
    let rule = "{ fixed_indegree = { indegree = 40 } }";
    let (weight, delay) = (
        "{ normal = { mean = 0.0, sd = 1.0 } }",
        "{ uniform = [\"0 ms\", \"9 ms\"] }",
    );
    let targets = population("y", "relay", 33, "emits = \"value\"");
    let of_values = input("x", "50")
        + &population("g", "relay", 50, "")
        + &targets
        + &edge("x", "g", 0)
        + &projection("g", "y", rule, weight, delay)
        + SMOOTH;
    let of_spikes = "[inputs.x]\nshape = [50]\nkind = \"spikes\"\n".to_owned()
        + &targets
        + &projection("x", "y", rule, weight, delay)
        + SMOOTH;
    let vector = |n: usize, f: f64| -> Vec<f64> { (0..n).map(|k| wave(k, f)).collect() };
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let u = vector(STEPS * BATCH * 33, 0.53);
    let judge = |name: &str, forward: f64, reverse: f64| {
        let error = (forward - reverse).abs() / forward.abs();
        println!("{name}: {error:.1e}");
        assert!(
            forward.abs() > 1.0 && error <= 1e-12,
            "{name}: {forward} {reverse}"
        );
    };
    let x = vector(STEPS * BATCH * 50, 0.61);
    let fires: Vec<f64> = x.iter().map(|x| f64::from(u8::from(*x > 0.6))).collect();
    for (name, plan, x) in [
        ("values", valued(&of_values, &["g"]), x),
        ("spikes", plan(&of_spikes, "f64"), fires),
    ] {
        let mut network =
            UnrolledNetwork::<f64>::new(plan, &options(STEPS, BATCH, &["y"])).unwrap();
        network.forward(&[Sequence::Steps(&x)], true).unwrap();
        network.backward(&[("y", &u)]).unwrap();
        let y = network.output("y").unwrap();
        judge(
            name,
            dot(y, &u),
            dot(&x, network.input_cotangent("x").unwrap()),
        );
        let (mut weights, mut gradient) = (Vec::new(), Vec::new());
        network.visit_parameters(|_, w, g| {
            gradient.clone_from(&g.values);
            weights.clone_from(&w.values);
        });
        assert_eq!(weights.len(), 33 * 40);
        judge(
            "weights as drawn",
            dot(network.output("y").unwrap(), &u),
            dot(&weights, &gradient),
        );
        let v = vector(weights.len(), 0.29);
        network.visit_parameters(|_, w, _| w.values.clone_from(&v));
        network.forward(&[Sequence::Steps(&x)], true).unwrap();
        judge(
            "other weights",
            dot(network.output("y").unwrap(), &u),
            dot(&v, &gradient),
        );
    }
}
