//! Layers in sessions, simulations and unrolled networks: sums over several edges, batch norm with its
//! running statistics.

use rheobase::engine::unrolled::{Sequence, UnrolledNetwork, UnrolledOptions};

use super::*;

const STEPS: usize = 24;

/// A block whose branches meet in a layer of their own, and a readout that hears of two populations,
/// of one of them later and once more by way of a cycle.
const RESIDUAL: &str = r#"
name = "residual"
dt = "1 ms"
duration = "24 ms"
precision = "f32"
inputs = { x = { shape = [12] } }

[layers]
fc1 = { model = "linear", out_features = 16 }
fc2 = { model = "linear", out_features = 16 }
join = { model = "sum" }
readout = { model = "linear", out_features = 5 }

[populations]
h1 = { model = "lif", size = 16 }
h2 = { model = "lif", size = 16 }
out = { model = "lif", size = 5 }

[[edges]]
source = "x"
target = "fc1"
[[edges]]
source = "fc1"
target = "h1"
[[edges]]
source = "h1"
target = "fc2"
[[edges]]
source = "fc2"
target = "join"
[[edges]]
source = "h1"
target = "join"
[[edges]]
source = "join"
target = "h2"
[[edges]]
source = "h2"
target = "readout"
[[edges]]
source = "h1"
target = "readout"
delay = "2 ms"
[[edges]]
source = "h2"
target = "fc2"
delay = "1 ms"
[[edges]]
source = "readout"
target = "out"
"#;

fn values(n: usize) -> Vec<f32> {
    (0..STEPS * n)
        .map(|k| 2.0 * noise(k) as f32 - 0.4)
        .collect()
}

/// `[T, *]` of each output, spikes as zeros and ones.
fn by_session(
    plan: &Plan,
    parameters: &[(String, Tensor<f64>)],
    outputs: &[&str],
    x: &[f32],
) -> Vec<Vec<f32>> {
    let options = SessionOptions {
        outputs: outputs.iter().map(|&o| o.to_owned()).collect(),
        parameters: parameters.to_vec(),
        ..SessionOptions::default()
    };
    let mut session = Session::<f32>::new(plan, &options).unwrap();
    let mut all = vec![Vec::new(); outputs.len()];
    for x in x.chunks_exact(x.len() / STEPS) {
        let emitted = session.step(&[StepInput::Real(x)]).unwrap();
        for (k, all) in all.iter_mut().enumerate() {
            let node = plan.nodes.iter().find(|n| n.name == outputs[k]).unwrap();
            let first = all.len();
            all.extend_from_slice(emitted.values(k));
            all.resize(first + node.size(), 0.0);
            for &n in emitted.spikes(k) {
                all[first + n as usize] += 1.0;
            }
        }
    }
    all
}

fn unrolled(plan: &Plan, outputs: &[&str], batch: usize) -> UnrolledNetwork<f32> {
    let options = UnrolledOptions {
        steps: STEPS,
        batch,
        outputs: outputs.iter().map(|&o| o.to_owned()).collect(),
        ..UnrolledOptions::default()
    };
    UnrolledNetwork::new(Arc::new(plan.clone()), &options).unwrap()
}

#[test]
fn sums_over_edges_have_the_same_bits_in_all_ways_to_run() {
    let plan = plan(RESIDUAL);
    let parameters: Vec<_> = parameters(&plan)
        .into_iter()
        .map(|(node, mut tensor)| {
            tensor.values.iter_mut().for_each(|x| *x *= 2.0);
            (node, tensor)
        })
        .collect();
    let outputs = ["join", "readout", "h2", "out"];
    let x = values(12);
    let found = by_session(&plan, &parameters, &outputs, &x);

    let mut network = unrolled(&plan, &outputs, 1);
    network.visit_parameters(|node, tensor, _| {
        let of = parameters.iter();
        let from = of.clone().find(|(n, t)| n == node && t.name == tensor.name);
        tensor.values = from.unwrap().1.values.iter().map(|&x| x as f32).collect();
    });
    network.forward(&[Sequence::Steps(&x)], false).unwrap();

    let mut simulation =
        Simulation::<f32>::build(Arc::new(plan.clone()), BuildOptions::default()).unwrap();
    simulation.visit_parameters(|node, tensor| {
        let mut of = parameters.iter();
        let from = of.find(|(n, t)| n == node && t.name == tensor.name);
        tensor.values = from.unwrap().1.values.iter().map(|&x| x as f32).collect();
    });
    simulation.set_input("x", 1, x).unwrap();
    let mut simulated = vec![Vec::new(); outputs.len()];
    for step in 1..=STEPS as u64 {
        simulation.advance_to(step).unwrap();
        for (name, all) in outputs.iter().zip(&mut simulated) {
            let node = plan.nodes.iter().position(|n| n.name == *name).unwrap();
            all.extend(simulation.emitted(node, step).unwrap());
        }
    }
    for ((name, found), simulated) in outputs.iter().zip(&found).zip(&simulated) {
        assert_eq!(found.as_slice(), network.output(name).unwrap(), "{name}");
        assert_eq!(found, simulated, "{name}");
    }
    let active: f32 = found[2].iter().chain(&found[3]).sum();
    assert!(active > 40.0 && active < 400.0, "{active}");
    // Both branches matter.
    assert!(found[0].iter().any(|x| *x > 1.0) && found[0].iter().any(|x| *x < 0.0));
}

#[test]
fn a_sum_needs_one_shape() {
    let text = RESIDUAL.replace(
        "h1 = { model = \"lif\", size = 16 }",
        "h1 = { model = \"lif\", shape = [4, 4] }",
    );
    let network = Network::from_toml(&text, "shapes").unwrap();
    let error = network.resolve(&rheobase::registry()).err().unwrap();
    let error = error.to_string();
    assert!(error.contains("layers.fc2"), "{error}");
    let wide = RESIDUAL.replace(
        "h2 = { model = \"lif\", size = 16 }",
        "h2 = { model = \"lif\", shape = [2, 8] }",
    );
    let network = Network::from_toml(&wide, "shapes").unwrap();
    let error = network.resolve(&rheobase::registry()).err().unwrap();
    let error = error.to_string();
    assert!(error.contains("must have one shape"), "{error}");
    assert!(error.contains("`h2` has shape [2,8]"), "{error}");
}

/// Two blocks of convolution and batch norm, then two fully connected layers.
const CONVOLUTIONAL: &str = r#"
name = "convolutional"
dt = "1 ms"
duration = "24 ms"
inputs = { image = { shape = [2, 8, 8] } }

[layers]
conv1 = { model = "conv2d", out_channels = 6, kernel_size = 3, padding = 1, bias = false }
norm1 = { model = "batch_norm" }
pool1 = { model = "max_pool2d", kernel_size = 2 }
conv2 = { model = "conv2d", out_channels = 16, kernel_size = 3, padding = 1 }
norm2 = { model = "batch_norm" }
pool2 = { model = "avg_pool2d", kernel_size = 2 }
flat = { model = "flatten" }
fc1 = { model = "linear", out_features = 20 }
fc2 = { model = "linear", out_features = 5 }

[populations]
s1 = { model = "if", shape = [6, 8, 8], surrogate = "atan(2)" }
s2 = { model = "plif", shape = [16, 4, 4], surrogate = "atan(2)" }
s3 = { model = "if", size = 20, surrogate = "atan(2)" }
out = { model = "if", size = 5, surrogate = "atan(2)" }

"#;

fn chain(nodes: &[&str]) -> String {
    nodes
        .windows(2)
        .map(|ends| {
            format!(
                "[[edges]]\nsource = \"{}\"\ntarget = \"{}\"\n",
                ends[0], ends[1]
            )
        })
        .collect()
}

pub(crate) fn convolutional() -> String {
    let nodes = [
        "image", "conv1", "norm1", "s1", "pool1", "conv2", "norm2", "s2", "pool2", "flat", "fc1",
        "s3", "fc2", "out",
    ];
    format!("{CONVOLUTIONAL}{}", chain(&nodes))
}

#[test]
fn batch_norm_in_a_session_is_that_of_evaluation() {
    let plan = plan(&convolutional());
    let outputs = ["norm1", "norm2", "s2", "s3", "out"];
    let mut training = unrolled(&plan, &outputs, 3);
    training.visit_parameters(|_, tensor, _| {
        let gain = if tensor.name == "weight" && tensor.shape.len() == 1 {
            0.5
        } else {
            1.0
        };
        tensor.values.iter_mut().enumerate().for_each(|(k, x)| {
            *x = gain * (*x + 0.2 * noise(k) as f32);
        });
    });
    // Statistics that differ from the first ones, and from one channel to the next.
    let batch: Vec<f32> = (0..STEPS * 3 * 128)
        .map(|k| 3.0 * noise(k + 7) as f32)
        .collect();
    for _ in 0..4 {
        training.forward(&[Sequence::Steps(&batch)], true).unwrap();
    }
    let mut parameters: Vec<(String, Tensor<f64>)> = Vec::new();
    let wide = |node: &str, t: &Tensor<f32>| {
        let tensor = Tensor {
            name: t.name.clone(),
            shape: t.shape.clone(),
            values: t.values.iter().map(|&x| f64::from(x)).collect(),
        };
        (node.to_owned(), tensor)
    };
    training.visit_parameters(|node, tensor, _| parameters.push(wide(node, tensor)));
    let learned = parameters.iter().filter(|(n, _)| n == "s2").count();
    assert_eq!(learned, 1, "the time constant of plif is learned");
    training.visit_buffers(|node, tensor| parameters.push(wide(node, tensor)));
    let x = values(128);
    let found = by_session(&plan, &parameters, &outputs, &x);
    training.forward(&[Sequence::Steps(&x)], false).unwrap();
    for (name, found) in outputs.iter().zip(&found) {
        assert_eq!(found.as_slice(), training.output(name).unwrap(), "{name}");
    }
    for spikes in &found[2..] {
        let share = spikes.iter().sum::<f32>() / spikes.len() as f32;
        assert!(share > 0.01 && share < 0.9, "{share}");
    }
    // First statistics give something else.
    let without: Vec<_> = parameters
        .iter()
        .filter(|(_, t)| !t.name.starts_with("running"))
        .cloned()
        .collect();
    assert_ne!(by_session(&plan, &without, &outputs, &x)[0], found[0]);
}

#[test]
fn a_convolutional_step_allocates_nothing() {
    let plan = plan(&convolutional());
    for weights in [WeightFormat::Exact, WeightFormat::Int16, WeightFormat::Int8] {
        let options = SessionOptions {
            weights,
            ..SessionOptions::default()
        };
        let mut session = Session::<f32>::new(&plan, &options).unwrap();
        let rounded: Vec<&str> = session.weight_errors().map(|(name, _)| name).collect();
        let layers: &[&str] = match weights {
            WeightFormat::Exact => &[],
            _ => &["conv1", "conv2", "fc1", "fc2"],
        };
        assert_eq!(rounded, layers);
        let x = values(128);
        let before = ALLOCATIONS.with(Cell::get);
        for x in x.chunks_exact(128) {
            session.step(&[StepInput::Real(x)]).unwrap();
        }
        assert_eq!(ALLOCATIONS.with(Cell::get), before);
    }
}

#[test]
fn layers_that_keep_weights_only_as_they_are_say_so() {
    let text = r#"
name = "transposed"
dt = "1 ms"
[inputs.x]
shape = [1, 3, 3]
[layers]
up = { model = "conv_transpose2d", out_channels = 2, kernel_size = 2 }
[[edges]]
source = "x"
target = "up"
"#;
    let options = SessionOptions {
        weights: WeightFormat::Int8,
        ..SessionOptions::default()
    };
    let error = Session::<f32>::new(&plan(text), &options).err().unwrap();
    let message = error.to_string();
    assert!(
        message.contains("`up`: its weights can only be kept exactly"),
        "{message}"
    );
}

/// Spikes pass pools as lists where nobody looks at the pools, and as arrays otherwise.
#[test]
fn lists_and_arrays_of_spikes_give_the_same_bits() {
    let text = convolutional();
    let joined = "source = \"pool1\"\ntarget = \"conv2\"\n";
    let delayed = text.replace(joined, &format!("{joined}delay = \"1 ms\"\n"));
    assert_ne!(delayed, text);
    for text in [text, delayed] {
        let plan = plan(&text);
        let mut training = unrolled(&plan, &["out"], 1);
        let mut parameters = Vec::new();
        training.visit_parameters(|node, t, _| {
            let gain = if t.shape.len() > 1 { 3.0 } else { 1.0 };
            t.values.iter_mut().for_each(|x| *x *= gain);
            let wide = Tensor {
                name: t.name.clone(),
                shape: t.shape.clone(),
                values: t.values.iter().map(|&x| f64::from(x)).collect(),
            };
            parameters.push((node.to_owned(), wide));
        });
        let x = values(128);
        training.forward(&[Sequence::Steps(&x)], false).unwrap();
        let expected = training.output("out").unwrap();
        assert!(expected.contains(&1.0));
        let lists = by_session(&plan, &parameters, &["out"], &x);
        let arrays = by_session(&plan, &parameters, &["out", "pool1", "pool2", "flat"], &x);
        assert_eq!(lists[0], expected);
        assert_eq!(arrays[0], expected);
        assert!(arrays[1..].iter().all(|x| x.contains(&1.0)));
    }
}

#[test]
fn a_state_fits_whatever_outputs_are_asked_for() {
    let plan = plan(&convolutional());
    let session = |outputs: &[&str]| {
        let options = SessionOptions {
            outputs: outputs.iter().map(|&o| o.to_owned()).collect(),
            ..SessionOptions::default()
        };
        Session::<f32>::new(&plan, &options).unwrap()
    };
    let x = values(128);
    let (begun, rest) = x.split_at(128 * (STEPS / 2));
    for [first, second] in [
        [&["out"][..], &["out", "flat"]],
        [&["out", "flat"], &["out"]],
    ] {
        let (mut first, mut second) = (session(first), session(second));
        for x in begun.chunks_exact(128) {
            first.step(&[StepInput::Real(x)]).unwrap();
        }
        second.restore(&first.state()).unwrap();
        for x in rest.chunks_exact(128) {
            let expected = first
                .step(&[StepInput::Real(x)])
                .unwrap()
                .spikes(0)
                .to_vec();
            let found = second.step(&[StepInput::Real(x)]).unwrap();
            assert_eq!(found.spikes(0), expected);
        }
    }
}

/// Pools whose spikes pass as lists, in all the ways in which they can be heard: twice, by a layer and by
/// neurons, added to one another, late, and in a loop.
const RELAYS: &str = r#"
name = "relays"
dt = "1 ms"
[inputs.x]
shape = [2, 6, 6]
[layers]
pool = { model = "max_pool2d", kernel_size = 3, stride = 1, padding = 1 }
halves = { model = "max_pool2d", kernel_size = 2 }
drop = { model = "dropout" }
both = { model = "sum" }
conv = { model = "conv2d", out_channels = 4, kernel_size = 3, padding = 1 }
flat = { model = "flatten" }
back = { model = "linear", out_features = 72 }
[populations]
first = { model = "if", shape = [2, 6, 6] }
second = { model = "lif", shape = [2, 6, 6] }
third = { model = "if", shape = [4, 6, 6] }
out = { model = "if", shape = [2, 3, 3] }
loop = { model = "lif", size = 72 }

"#;

#[test]
fn lists_of_spikes_are_heard_in_every_way() {
    let edges = [
        ("x", "first", 0),
        ("first", "pool", 1),
        ("pool", "second", 0),
        ("pool", "both", 0),
        ("pool", "conv", 0),
        ("first", "drop", 0),
        ("drop", "both", 0),
        ("conv", "third", 0),
        ("second", "halves", 0),
        ("halves", "out", 2),
        ("both", "second", 3),
        ("second", "flat", 1),
        ("flat", "back", 0),
        ("back", "loop", 0),
        ("loop", "back", 1),
    ];
    let edge = |(source, target, delay): (&str, &str, u32)| {
        format!("[[edges]]\nsource = \"{source}\"\ntarget = \"{target}\"\ndelay = \"{delay} ms\"\n")
    };
    let text = format!("{RELAYS}{}", edges.map(edge).concat());
    let plan = plan(&text);
    let outputs = ["second", "third", "out", "loop"];
    let mut whole = unrolled(&plan, &outputs, 1);
    let x: Vec<f32> = values(72).iter().map(|x| x + 0.2).collect();
    whole.forward(&[Sequence::Steps(&x)], false).unwrap();
    let lists = by_session(&plan, &[], &outputs, &x);
    let mut all = outputs.to_vec();
    all.extend(["pool", "halves", "drop", "flat"]);
    let arrays = by_session(&plan, &[], &all, &x);
    for (k, name) in outputs.iter().enumerate() {
        let expected = whole.output(name).unwrap();
        assert!(expected.contains(&1.0) && expected.contains(&0.0), "{name}");
        assert_eq!(lists[k], expected, "{name}");
        assert_eq!(arrays[k], expected, "{name}");
    }
}
