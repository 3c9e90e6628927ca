//! Whole networks against SpikingJelly: spikes identical, losses and gradients to 1e-9.

use rheobase_engine::Instantiate;
use rheobase_engine::unrolled::{Sequence, UnrolledNetwork, UnrolledOptions};
use rheobase_equations::real::Real;
use rheobase_learning::loss::{Logits, Loss, cross_entropy, mse_rate};

use crate::golden::{array, assert_close, labels};
use crate::network::{chain, edge, input, linear, on_device, population, unrolled};

fn tolerance<R: Real>() -> f64 {
    if R::BYTES == 4 { 1e-5 } else { 1e-9 }
}

fn narrow<R: Real>(values: &[f64]) -> Vec<R> {
    values.iter().map(|&x| R::from_f64(x)).collect()
}

fn wide<R: Real>(values: &[R]) -> Vec<f64> {
    values.iter().map(|x| x.to_f64()).collect()
}

fn options(steps: usize, batch: usize, outputs: &[&str]) -> UnrolledOptions {
    UnrolledOptions {
        steps,
        batch,
        outputs: outputs.iter().map(|&o| o.to_owned()).collect(),
        input_cotangents: true,
        ..UnrolledOptions::default()
    }
}

/// Sets parameters by node and name, from arrays of the case.
fn load<R: Real>(network: &mut UnrolledNetwork<R>, case: &str, names: &[(&str, &str, &str)]) {
    let mut loaded = 0;
    network.visit_parameters(|node, parameter, _| {
        let found = names.iter().find(|n| n.0 == node && n.1 == parameter.name);
        let (_, _, file) = found.unwrap_or_else(|| panic!("{node} {}", parameter.name));
        let values = array(case, file);
        assert_eq!(values.len(), parameter.values.len(), "{file}");
        parameter.values = narrow(&values);
        loaded += 1;
    });
    assert_eq!(loaded, names.len());
}

fn check_gradients<R: Real>(
    network: &mut UnrolledNetwork<R>,
    case: &str,
    names: &[(&str, &str, &str)],
) {
    network.visit_parameters(|node, parameter, gradient| {
        let file = names
            .iter()
            .find(|n| n.0 == node && n.1 == parameter.name)
            .unwrap()
            .2;
        let expected = array(case, &format!("g{file}"));
        let name = format!("{case} g{file}");
        assert_close(&name, &wide(&gradient.values), &expected, tolerance::<R>());
    });
}

fn mlp<R: Instantiate>(case: &str, loss: impl Fn(&[R], &[usize]) -> Loss<R>) {
    let text = input("x", "20")
        + &linear("fc1", 32, true)
        + &population("lif1", "lif", 32, "surrogate = \"atan(2)\"")
        + &linear("fc2", 10, true)
        + &population("lif2", "lif", 10, "surrogate = \"atan(2)\"")
        + &chain(&["x", "fc1", "lif1", "fc2", "lif2"]);
    let names = [
        ("fc1", "weight", "w1"),
        ("fc1", "bias", "b1"),
        ("fc2", "weight", "w2"),
        ("fc2", "bias", "b2"),
    ];
    let mut network = unrolled::<R>(&text, &options(8, 4, &["lif2", "lif1", "fc1", "fc2"]));
    load(&mut network, case, &names);
    let x = narrow(&array(case, "x"));
    network.forward(&[Sequence::Steps(&x)], true).unwrap();
    let emitted = |name: &str| wide(network.output(name).unwrap());
    assert_close("i1", &emitted("fc1"), &array(case, "i1"), tolerance::<R>());
    assert_eq!(emitted("lif1"), array(case, "s1"), "{case}");
    assert_close("i2", &emitted("fc2"), &array(case, "i2"), tolerance::<R>());
    assert_eq!(emitted("lif2"), array(case, "s2"), "{case}");
    let loss = loss(network.output("lif2").unwrap(), &labels(case));
    assert_close(
        "loss",
        &[loss.value.to_f64()],
        &array(case, "loss"),
        tolerance::<R>(),
    );
    network.backward(&[("lif2", &loss.cotangent)]).unwrap();
    let gx = wide(network.input_cotangent("x").unwrap());
    assert_close("gx", &gx, &array(case, "gx"), tolerance::<R>());
    check_gradients(&mut network, case, &names);
}

#[test]
fn layered() {
    let shape = [8, 4, 10];
    mlp::<f64>("mlp_mse_rate", |o, y| mse_rate(o, shape, y).unwrap());
    mlp::<f32>("mlp_mse_rate", |o, y| mse_rate(o, shape, y).unwrap());
    mlp::<f64>("mlp_ce_rate", |o, y| {
        cross_entropy(o, shape, y, Logits::Mean).unwrap()
    });
    mlp::<f32>("mlp_ce_rate", |o, y| {
        cross_entropy(o, shape, y, Logits::Mean).unwrap()
    });
}

fn recurrent<R: Instantiate>(case: &str, detach: bool) {
    let choices = format!("surrogate = \"atan(2)\"\noptions = {{ detach_reset = {detach} }}");
    let text = input("x", "16")
        + &linear("wi", 24, true)
        + &linear("wr", 24, false)
        + &population("h", "lif", 24, &choices)
        + &linear("wo", 5, true)
        + &population("y", "lif", 5, &choices)
        + &chain(&["x", "wi", "h", "wo", "y"])
        // What the layer sums up now was emitted a step before.
        + &edge("h", "wr", 1)
        + &edge("wr", "h", 0);
    let names = [
        ("wi", "weight", "wi"),
        ("wi", "bias", "bi"),
        ("wr", "weight", "wr"),
        ("wo", "weight", "wo"),
        ("wo", "bias", "bo"),
    ];
    let mut network = unrolled::<R>(&text, &options(20, 3, &["h", "y"]));
    load(&mut network, case, &names);
    let x = narrow(&array(case, "x"));
    network.forward(&[Sequence::Steps(&x)], true).unwrap();
    assert_eq!(
        wide(network.output("h").unwrap()),
        array(case, "h"),
        "{case}"
    );
    assert_eq!(
        wide(network.output("y").unwrap()),
        array(case, "s"),
        "{case}"
    );
    let output = network.output("y").unwrap();
    let loss = cross_entropy(output, [20, 3, 5], &labels(case), Logits::Mean).unwrap();
    assert_close(
        "loss",
        &[loss.value.to_f64()],
        &array(case, "loss"),
        tolerance::<R>(),
    );
    network.backward(&[("y", &loss.cotangent)]).unwrap();
    let gx = wide(network.input_cotangent("x").unwrap());
    assert_close("gx", &gx, &array(case, "gx"), tolerance::<R>());
    check_gradients(&mut network, case, &names);
}

#[test]
fn recurrent_layers() {
    recurrent::<f64>("rec_nodet", false);
    recurrent::<f32>("rec_nodet", false);
}

/// y(t) = LIF(W·[x(t), y(t−1)] + b): the two halves of W are layers of their own.
#[test]
fn a_recurrent_container() {
    let case = "linear_recurrent_container";
    let text = input("x", "8")
        + &linear("wx", 8, true)
        + &linear("wy", 8, false)
        + &population("y", "lif", 8, "surrogate = \"atan(2)\"")
        + &chain(&["x", "wx", "y"])
        + &edge("y", "wy", 1)
        + &edge("wy", "y", 0);
    let mut network = unrolled::<f64>(&text, &options(12, 3, &["y"]));
    let w = array(case, "w");
    let half = |first: usize, w: &[f64]| -> Vec<f64> {
        w.chunks(16)
            .flat_map(|row| row[first..first + 8].to_vec())
            .collect()
    };
    network.visit_parameters(|node, p, _| match (node, p.name.as_str()) {
        ("wx", "weight") => p.values = half(0, &w),
        ("wy", "weight") => p.values = half(8, &w),
        _ => p.values = array(case, "b"),
    });
    let x = array(case, "x");
    network.forward(&[Sequence::Steps(&x)], true).unwrap();
    assert_eq!(network.output("y").unwrap(), array(case, "s"));
    let g = array(case, "g");
    network.backward(&[("y", &g)]).unwrap();
    assert_close(
        "gx",
        network.input_cotangent("x").unwrap(),
        &array(case, "gx"),
        1e-9,
    );
    let gw = array(case, "gw");
    network.visit_parameters(|node, p, gradient| {
        let expected = match (node, p.name.as_str()) {
            ("wx", "weight") => half(0, &gw),
            ("wy", "weight") => half(8, &gw),
            _ => array(case, "gb"),
        };
        assert_close(node, &gradient.values, &expected, 1e-9);
    });
}

/// Convolution, batch normalisation, IF, pooling, twice; two linear layers.
fn convolutional<R: Instantiate>(case: &str) {
    let conv = |name: &str, out: usize| {
        format!(
            "[layers.{name}]\nmodel = \"conv2d\"\nout_channels = {out}\nkernel_size = 3\npadding = 1\nbias = false\n"
        )
    };
    let layer = |name: &str, rest: &str| format!("[layers.{name}]\n{rest}\n");
    let pool = "model = \"max_pool2d\"\nkernel_size = 2";
    let spiking = |name: &str, shape: &str| {
        format!(
            "[populations.{name}]\nmodel = \"if\"\nshape = [{shape}]\nsurrogate = \"atan(2)\"\n"
        )
    };
    let text = input("x", "1, 12, 12")
        + &conv("f0", 4)
        + &layer("f1", "model = \"batch_norm\"")
        + &spiking("f2", "4, 12, 12")
        + &layer("f3", pool)
        + &conv("f4", 6)
        + &layer("f5", "model = \"batch_norm\"")
        + &spiking("f6", "6, 6, 6")
        + &layer("f7", pool)
        + &layer("f8", "model = \"flatten\"")
        + &linear("f9", 16, false)
        + &spiking("f10", "16")
        + &linear("f11", 5, false)
        + &spiking("f12", "5")
        + &chain(&[
            "x", "f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10", "f11", "f12",
        ]);
    let nodes: Vec<String> = (0..13).map(|k| format!("f{k}")).collect();
    let outputs: Vec<&str> = nodes.iter().map(String::as_str).collect();
    for threads in [1, 2] {
        let options = UnrolledOptions {
            threads,
            ..options(4, 3, &outputs)
        };
        let mut network = unrolled::<R>(&text, &options);
        network.visit_parameters(|node, p, _| {
            let name = format!("p.f.{}.{}", &node[1..], p.name);
            p.values = narrow(&array(case, &name));
        });
        network.visit_buffers(|node, b| {
            let name = format!("p.f.{}.{}", &node[1..], b.name);
            b.values = narrow(&array(case, &name));
        });
        let x = array(case, "x");
        let image = narrow::<R>(&x[..3 * 144]);
        let every_step = narrow::<R>(&x);
        // An image that is the same in all steps may be given once.
        for (given, sequence) in [
            ("once", Sequence::Constant(&image)),
            ("in every step", Sequence::Steps(&every_step)),
        ] {
            network.visit_buffers(|node, b| {
                let name = format!("p.f.{}.{}", &node[1..], b.name);
                b.values = narrow(&array(case, &name));
            });
            network.clear_gradients();
            network.forward(&[sequence], true).unwrap();
            for node in &nodes {
                let found = wide(network.output(node).unwrap());
                let expected = array(case, &format!("out{}", &node[1..]));
                if ["f2", "f6", "f10", "f12"].contains(&node.as_str()) {
                    assert_eq!(found, expected, "{case} {node} {given}");
                }
                let tolerance = tolerance::<R>();
                assert_close(&format!("{node} {given}"), &found, &expected, tolerance);
            }
            network.visit_buffers(|node, b| {
                let name = format!("after.f.{}.{}", &node[1..], b.name);
                assert_close(
                    &name,
                    &wide(&b.values),
                    &array(case, &name),
                    tolerance::<R>(),
                );
            });
            let labels = labels(case);
            let loss = mse_rate(network.output("f12").unwrap(), [4, 3, 5], &labels).unwrap();
            let value = loss.value.to_f64();
            assert_close("loss", &[value], &array(case, "loss"), tolerance::<R>());
            network.backward(&[("f12", &loss.cotangent)]).unwrap();
            network.visit_parameters(|node, p, g| {
                let name = format!("g.f.{}.{}", &node[1..], p.name);
                assert_close(
                    &name,
                    &wide(&g.values),
                    &array(case, &name),
                    tolerance::<R>(),
                );
            });
            let gx = wide(network.input_cotangent("x").unwrap());
            let expected = array(case, "gx");
            if given == "once" {
                let sums: Vec<f64> = (0..3 * 144)
                    .map(|k| expected.iter().skip(k).step_by(3 * 144).sum())
                    .collect();
                assert_close("gx, summed", &gx, &sums, tolerance::<R>());
            } else {
                assert_close("gx", &gx, &expected, tolerance::<R>());
            }
        }
    }
}

#[test]
fn convolutional_layers() {
    convolutional::<f64>("conv_train");
    convolutional::<f32>("conv_train");
}

/// On a device, to 1e-5 in f32.
#[test]
fn on_a_device() {
    on_device(|| {
        let shape = [8, 4, 10];
        mlp::<f32>("mlp_mse_rate", |o, y| mse_rate(o, shape, y).unwrap());
        mlp::<f32>("mlp_ce_rate", |o, y| {
            cross_entropy(o, shape, y, Logits::Mean).unwrap()
        });
        recurrent::<f32>("rec_nodet", false);
        convolutional::<f32>("conv_train");
    });
}
