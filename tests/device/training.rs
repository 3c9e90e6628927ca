//! Passes of unrolled networks on the device: what is emitted, and gradients, against the processor.

use std::sync::Arc;

use rheobase::engine::backend::gpu::GpuDevice;
use rheobase::engine::network::Network;
use rheobase::engine::plan::{Node, NodeKind, Plan};
use rheobase::engine::unrolled::{Sequence, UnrolledError, UnrolledNetwork, UnrolledOptions};

use crate::harness::device;
use crate::layers::layered;

pub(crate) const STEPS: usize = 12;
pub(crate) const BATCH: usize = 5;
/// Relative to the largest gradient of the array.
const TOLERANCE: f64 = 1e-5;

pub(crate) fn plan_of(text: &str) -> Arc<Plan> {
    let network = Network::from_toml(text, "").unwrap_or_else(|e| panic!("{e}\n{text}"));
    let plan = network.resolve(&rheobase::registry());
    Arc::new(plan.unwrap_or_else(|e| panic!("{e}\n{text}")))
}

pub(crate) fn network(plan: &Arc<Plan>, options: &UnrolledOptions) -> UnrolledNetwork<f32> {
    UnrolledNetwork::new(Arc::clone(plan), options).unwrap_or_else(|e| panic!("{e}"))
}

pub(crate) fn options() -> UnrolledOptions {
    UnrolledOptions {
        steps: STEPS,
        batch: BATCH,
        input_cotangents: true,
        ..UnrolledOptions::default()
    }
}

/// Numbers of one period, spread over (−1, 1).
pub(crate) fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        #[allow(clippy::cast_precision_loss, reason = "24 bits")]
        let x = (state >> 8) as f32 / 8_388_608.0 - 1.0;
        x
    };
    (0..n).map(|_| next()).collect()
}

/// What a pass and its reverse gave.
pub(crate) struct Passed {
    pub(crate) output: Vec<f32>,
    /// By name.
    pub(crate) gradients: Vec<(String, Vec<f32>)>,
}

pub(crate) fn pass(
    network: &mut UnrolledNetwork<f32>,
    inputs: &[Sequence<'_, f32>],
) -> Result<Passed, UnrolledError> {
    network.clear_gradients();
    network.forward(inputs, true)?;
    let name = network.output_names().next().unwrap_or_default().to_owned();
    let output = network.output(&name)?.to_vec();
    let cotangent = numbers(output.len(), 77);
    network.backward(&[(&name, &cotangent)])?;
    let mut gradients = Vec::new();
    let names: Vec<String> = network.input_names().map(ToOwned::to_owned).collect();
    for name in names {
        if let Ok(values) = network.input_cotangent(&name) {
            gradients.push((name.clone(), values.to_vec()));
        }
    }
    network.visit_parameters(|node, parameter, gradient| {
        gradients.push((
            format!("{node}.{}", parameter.name),
            gradient.values.clone(),
        ));
    });
    Ok(Passed { output, gradients })
}

pub(crate) fn assert_near(what: &str, cpu: &[f32], gpu: &[f32]) {
    assert_eq!(cpu.len(), gpu.len(), "{what}");
    let largest = cpu.iter().fold(0.0_f64, |m, &x| m.max(f64::from(x.abs())));
    for (k, (&a, &b)) in cpu.iter().zip(gpu).enumerate() {
        let error = f64::from((a - b).abs());
        assert!(
            error <= TOLERANCE * largest.max(1e-30),
            "{what}[{k}]: {a} {b}"
        );
    }
}

/// Two passes on either side, the second with other values: what is emitted and the gradients.
pub(crate) fn compare(
    what: &str,
    text: &str,
    options: &UnrolledOptions,
    spikes: bool,
    device: &GpuDevice,
) {
    let plan = plan_of(text);
    let (mut cpu, mut gpu) = (network(&plan, options), network(&plan, options));
    gpu.run_on(device).unwrap_or_else(|e| panic!("{what}: {e}"));
    let widths: Vec<usize> = plan
        .nodes
        .iter()
        .filter(|n| matches!(n.kind, rheobase::engine::plan::NodeKind::Input(_)))
        .map(rheobase::engine::plan::Node::size)
        .collect();
    let mut total = 0.0;
    for (seed, batch) in [
        (1, options.batch),
        (2, options.batch - 1),
        (3, options.batch),
    ] {
        let values: Vec<Vec<f32>> = (0..)
            .zip(&widths)
            .map(|(k, width)| {
                let values = numbers(options.steps * batch * width, seed + 10 * k);
                if spikes {
                    values
                        .iter()
                        .map(|&x| f32::from(u8::from(x > 0.4)))
                        .collect()
                } else {
                    values.iter().map(|x| 1.5 * x + 0.6).collect()
                }
            })
            .collect();
        let inputs: Vec<Sequence<'_, f32>> = values.iter().map(|v| Sequence::Steps(v)).collect();
        let a = pass(&mut cpu, &inputs).unwrap_or_else(|e| panic!("{what}: {e}"));
        let b = pass(&mut gpu, &inputs).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_near(&format!("{what}: output"), &a.output, &b.output);
        assert_eq!(a.gradients.len(), b.gradients.len(), "{what}");
        for ((name, x), (_, y)) in a.gradients.iter().zip(&b.gradients) {
            assert_near(&format!("{what}: gradient of {name}"), x, y);
            total += x.iter().map(|g| f64::from(g.abs())).sum::<f64>();
        }
    }
    assert!(total > 0.0, "{what}: nothing flows");
}

/// A population of every component of the zoo behind an input at each port.
#[test]
fn every_component_has_the_gradients_of_the_processor() {
    let Some(device) = device() else { return };
    for (name, neuron) in &rheobase::registry().neurons {
        let Some(component) = neuron.component() else {
            continue;
        };
        let mut text = format!(
            "seed = 1\ndt = \"1 ms\"\nduration = \"1 ms\"\n[populations.n]\nmodel = \"{name}\"\nsize = 7\n"
        );
        // What never fires emits its first output.
        if let (None, [output, ..]) = (&component.model.spike, component.model.outputs.as_slice()) {
            text.push_str(&format!("emits = \"{}\"\n", output.name));
        }
        for port in &component.model.inputs {
            let port = &port.name;
            text.push_str(&format!(
                "[inputs.in_{port}]\nshape = [7]\n[[edges]]\nsource = \"in_{port}\"\ntarget = \"n\"\nport = \"{port}\"\n"
            ));
        }
        compare(name, &text, &options(), false, &device);
        println!("{name}: the same");
    }
}

pub(crate) const HEAD: &str = "seed = 1\ndt = \"1 ms\"\nduration = \"1 ms\"\n";

fn loops() -> (String, UnrolledOptions) {
    let text = format!(
        "{HEAD}[inputs.x]\nshape = [6]\n[populations.a]\nmodel = \"lif\"\nsize = 6\n\
         [populations.b]\nmodel = \"lif\"\nsize = 6\n[populations.c]\nmodel = \"plif\"\nsize = 6\n\
         [[edges]]\nsource = \"x\"\ntarget = \"a\"\n[[edges]]\nsource = \"a\"\ntarget = \"b\"\n\
         [[edges]]\nsource = \"x\"\ntarget = \"b\"\ndelay = \"2 ms\"\n\
         [[edges]]\nsource = \"b\"\ntarget = \"b\"\ndelay = \"1 ms\"\n\
         [[edges]]\nsource = \"b\"\ntarget = \"c\"\ndelay = \"3 ms\"\n\
         [[edges]]\nsource = \"c\"\ntarget = \"a\"\ndelay = \"2 ms\"\n"
    );
    let options = UnrolledOptions {
        outputs: vec!["c".to_owned()],
        ..options()
    };
    (text, options)
}

#[test]
fn edges_with_and_without_delays_and_loops() {
    let Some(device) = device() else { return };
    let (text, options) = loops();
    compare("loops", &text, &options, false, &device);
}

/// Where memory is short, and where back-propagation is cut: the gradients of the processor, cut alike.
#[test]
fn segments_have_the_gradients_of_the_processor() {
    let Some(device) = device() else { return };
    let (loops, base) = loops();
    let chain = format!(
        "{HEAD}[inputs.x]\nshape = [9]\n[layers.l]\nmodel = \"linear\"\nout_features = 6\n\
         [populations.n]\nmodel = \"lif\"\nsize = 6\n[layers.m]\nmodel = \"linear\"\nout_features = 4\n\
         [[edges]]\nsource = \"x\"\ntarget = \"l\"\n[[edges]]\nsource = \"l\"\ntarget = \"n\"\n\
         [[edges]]\nsource = \"n\"\ntarget = \"m\"\ndelay = \"2 ms\"\n"
    );
    for (what, text, outputs) in [("loops", &loops, base.outputs), ("chain", &chain, vec![])] {
        let whole = UnrolledOptions {
            outputs: outputs.clone(),
            ..options()
        };
        let mut all = network(&plan_of(text), &whole);
        all.run_on(&device)
            .unwrap_or_else(|e| panic!("{what}: {e}"));
        // A little less each time, until it does not suffice for all steps.
        let short = (50..100).rev().map(|k| all.kept_bytes() * k / 100);
        let short = short.into_iter().find(|&max| {
            let options = UnrolledOptions {
                max_bytes: Some(max),
                ..whole.clone()
            };
            let mut network = network(&plan_of(text), &options);
            network.run_on(&device).is_ok() && network.segment_steps() < STEPS
        });
        assert!(short.is_some(), "{what}");
        for (truncate_steps, max_bytes, most) in [
            (Some(4), None, 4),
            (Some(6), None, 6),
            (None, short, STEPS - 1),
            (Some(5), None, 5),
        ] {
            let options = UnrolledOptions {
                outputs: outputs.clone(),
                truncate_steps,
                max_bytes,
                ..options()
            };
            let plan = plan_of(text);
            let mut gpu = network(&plan, &options);
            gpu.run_on(&device)
                .unwrap_or_else(|e| panic!("{what}: {e}"));
            let segment = gpu.segment_steps();
            println!(
                "{what}: segments of {segment} steps, {} bytes",
                gpu.kept_bytes()
            );
            assert!(segment <= most, "{segment}");
            compare(what, text, &options, false, &device);
        }
    }
}

/// An input that is the same in every step runs through the layers behind it once.
#[test]
fn constant_inputs_are_run_once() {
    let Some(device) = device() else { return };
    let text = format!(
        "{HEAD}[inputs.x]\nshape = [9]\n[layers.l]\nmodel = \"linear\"\nout_features = 6\n\
         [populations.n]\nmodel = \"plif\"\nsize = 6\n[layers.m]\nmodel = \"linear\"\nout_features = 4\n\
         [[edges]]\nsource = \"x\"\ntarget = \"l\"\n[[edges]]\nsource = \"l\"\ntarget = \"n\"\n\
         [[edges]]\nsource = \"n\"\ntarget = \"m\"\n"
    );
    let plan = plan_of(&text);
    let (mut cpu, mut gpu) = (network(&plan, &options()), network(&plan, &options()));
    gpu.run_on(&device).unwrap_or_else(|e| panic!("{e}"));
    let values: Vec<f32> = numbers(BATCH * 9, 4).iter().map(|x| 3.0 * x).collect();
    let inputs = [Sequence::Constant(&values)];
    let a = pass(&mut cpu, &inputs).unwrap_or_else(|e| panic!("{e}"));
    let b = pass(&mut gpu, &inputs).unwrap_or_else(|e| panic!("{e}"));
    assert_near("output", &a.output, &b.output);
    for ((name, x), (_, y)) in a.gradients.iter().zip(&b.gradients) {
        assert_near(name, x, y);
    }
}

/// What a device cannot train is an error that says what to do, and the network goes on as before.
#[test]
fn what_a_device_cannot_train_is_named() {
    let Some(device) = device() else { return };
    let linear = layered("model = \"linear\"\nout_features = 3", "[7]", false);
    let transposed = layered(
        "model = \"conv_transpose2d\"\nout_channels = 2\nkernel_size = 2",
        "[1, 3, 3]",
        false,
    );
    let small = UnrolledOptions {
        max_bytes: Some(3000),
        ..options()
    };
    for (text, options, words) in [
        (
            &transposed,
            options(),
            "`l`: such a layer cannot be trained on a device",
        ),
        (&linear, small, "bytes"),
    ] {
        let plan = plan_of(text);
        let mut network = match UnrolledNetwork::<f32>::new(Arc::clone(&plan), &options) {
            Ok(network) => network,
            Err(e) => {
                // The processor does not manage with so little either.
                assert!(e.to_string().contains(words), "{e}");
                continue;
            }
        };
        let error = network.run_on(&device).err().map(|e| e.to_string());
        let error = error.unwrap_or_else(|| panic!("{text}"));
        println!("{error}");
        assert!(error.contains(words), "{error}");
        let is_input = |n: &&Node| matches!(n.kind, NodeKind::Input(_));
        let width = plan.nodes.iter().find(is_input).map_or(0, Node::size);
        let values = vec![1.0; options.steps * options.batch * width];
        assert!(pass(&mut network, &[Sequence::Steps(&values)]).is_ok());
    }
}

/// Two layers onto one, one of them heard later; a stimulus on a trained population; a constant input
/// that some hear after a delay.
#[test]
fn sums_delays_and_stimuli_in_one_network() {
    let Some(device) = device() else { return };
    let text = format!(
        "{HEAD}[inputs.x]\nshape = [6]\n[layers.a]\nmodel = \"linear\"\nout_features = 5\n\
         [layers.b]\nmodel = \"linear\"\nout_features = 5\n[layers.s]\nmodel = \"sum\"\n\
         [populations.n]\nmodel = \"plif\"\nsize = 5\n[layers.r]\nmodel = \"linear\"\nout_features = 5\n\
         [layers.o]\nmodel = \"linear\"\nout_features = 3\n\
         [stimuli.p]\nmodel = \"poisson_background\"\ntarget = \"n\"\nport = \"x\"\nrate = \"200 Hz\"\nweight = 0.5\n\
         [stimuli.c]\nmodel = \"constant_current\"\ntarget = \"n\"\nport = \"x\"\namplitude = 0.2\n\
         [[edges]]\nsource = \"x\"\ntarget = \"a\"\n[[edges]]\nsource = \"x\"\ntarget = \"b\"\n\
         [[edges]]\nsource = \"a\"\ntarget = \"s\"\n[[edges]]\nsource = \"b\"\ntarget = \"s\"\ndelay = \"2 ms\"\n\
         [[edges]]\nsource = \"s\"\ntarget = \"n\"\n[[edges]]\nsource = \"n\"\ntarget = \"r\"\ndelay = \"1 ms\"\n\
         [[edges]]\nsource = \"r\"\ntarget = \"n\"\n[[edges]]\nsource = \"n\"\ntarget = \"o\"\n"
    );
    compare("sums", &text, &options(), false, &device);
    let plan = plan_of(&text);
    let (mut cpu, mut gpu) = (network(&plan, &options()), network(&plan, &options()));
    gpu.run_on(&device).unwrap_or_else(|e| panic!("{e}"));
    // Constant and not in turn: what is the same in every step changes from pass to pass.
    for seed in 0..4 {
        let steps = if seed % 2 == 0 { 1 } else { STEPS };
        let values: Vec<f32> = numbers(steps * BATCH * 6, seed)
            .iter()
            .map(|x| 2.0 * x)
            .collect();
        let input = if steps == 1 {
            Sequence::Constant(&values)
        } else {
            Sequence::Steps(&values)
        };
        let a = pass(&mut cpu, &[input]).unwrap_or_else(|e| panic!("{e}"));
        let b = pass(&mut gpu, &[input]).unwrap_or_else(|e| panic!("{e}"));
        assert_near("output", &a.output, &b.output);
        for ((name, x), (_, y)) in a.gradients.iter().zip(&b.gradients) {
            assert_near(&format!("pass {seed}, {name}"), x, y);
        }
    }
}

/// Bits and index lists are what the numbers are; evaluation uses the statistics that training left; two
/// cotangents of one output add up.
#[test]
fn inputs_in_every_form_and_evaluation() {
    let Some(device) = device() else { return };
    let text = layered("model = \"batch_norm\"", "[70]", true);
    let plan = plan_of(&text);
    let (mut cpu, mut gpu) = (network(&plan, &options()), network(&plan, &options()));
    gpu.run_on(&device).unwrap_or_else(|e| panic!("{e}"));
    let rows = STEPS * BATCH;
    let values: Vec<f32> = numbers(rows * 70, 5)
        .iter()
        .map(|&x| f32::from(u8::from(x > 0.3)))
        .collect();
    let (mut bits, mut offsets, mut indices) = (Vec::new(), vec![0], Vec::new());
    for row in values.chunks_exact(70) {
        let mut words = [0_u64; 2];
        for (i, _) in row.iter().enumerate().filter(|(_, x)| **x > 0.0) {
            words[i / 64] |= 1 << (i % 64);
            indices.push(u32::try_from(i).unwrap_or(0));
        }
        bits.extend(words);
        offsets.push(u32::try_from(indices.len()).unwrap_or(0));
    }
    let lists = Sequence::Spikes {
        offsets: &offsets,
        indices: &indices,
    };
    for input in [Sequence::Steps(&values), Sequence::Bits(&bits), lists] {
        let a = pass(&mut cpu, &[input]).unwrap_or_else(|e| panic!("{e}"));
        let b = pass(&mut gpu, &[input]).unwrap_or_else(|e| panic!("{e}"));
        assert_near("output", &a.output, &b.output);
    }
    let mut evaluated = Vec::new();
    for network in [&mut cpu, &mut gpu] {
        network
            .forward(&[lists], false)
            .unwrap_or_else(|e| panic!("{e}"));
        evaluated.push(
            network
                .output("l")
                .unwrap_or_else(|e| panic!("{e}"))
                .to_vec(),
        );
        let mut statistics = Vec::new();
        network.visit_buffers(|_, buffer| {
            statistics.extend_from_slice(&buffer.values);
            buffer.values.iter_mut().for_each(|x| *x += 0.5);
        });
        evaluated.push(statistics);
        network
            .forward(&[lists], false)
            .unwrap_or_else(|e| panic!("{e}"));
        evaluated.push(
            network
                .output("l")
                .unwrap_or_else(|e| panic!("{e}"))
                .to_vec(),
        );
    }
    for k in 0..3 {
        assert_near("evaluation", &evaluated[k], &evaluated[k + 3]);
    }
    assert!(evaluated[0] != evaluated[2]);
    let mut doubled = Vec::new();
    for network in [&mut cpu, &mut gpu] {
        network.clear_gradients();
        network
            .forward(&[lists], true)
            .unwrap_or_else(|e| panic!("{e}"));
        let n = network.output("l").unwrap_or_else(|e| panic!("{e}")).len();
        let (a, b) = (numbers(n, 1), numbers(n, 2));
        network
            .backward(&[("l", &a), ("l", &b)])
            .unwrap_or_else(|e| panic!("{e}"));
        let mut gradients = Vec::new();
        network.visit_parameters(|_, _, gradient| gradients.extend_from_slice(&gradient.values));
        doubled.push(gradients);
    }
    assert_near("two cotangents", &doubled[0], &doubled[1]);
}

/// Projections: from spikes of an input, of a stimulus that may fire twice in a step, and of neurons in a
/// loop; with delays and weights that differ, one of them not trained. Forward the bits of the processor.
#[test]
fn synapses_have_the_gradients_of_the_processor() {
    let Some(device) = device() else { return };
    let projection = |source: &str, target: &str, rule: &str, weight: &str, more: &str| {
        format!(
            "[[projections]]\nsource = \"{source}\"\ntarget = \"{target}\"\nport = \"x\"\nrule = {rule}\n\
             weight = {weight}\n{more}\n"
        )
    };
    let normal = "{ normal = { mean = 0.3, sd = 0.2 } }";
    let delays = "delay = { uniform = [\"1 ms\", \"4 ms\"] }";
    let text = format!(
        "{HEAD}[inputs.x]\nshape = [20]\nkind = \"spikes\"\n[stimuli.s]\nmodel = \"poisson\"\nsize = 9\nrate = \"600 Hz\"\n\
         [populations.a]\nmodel = \"lif\"\nsize = 13\n[populations.b]\nmodel = \"plif\"\nsize = 8\n"
    ) + &projection(
        "x",
        "a",
        "{ fixed_indegree = { indegree = 6 } }",
        normal,
        "delay = \"0 ms\"",
    ) + &projection(
        "s",
        "a",
        "{ pairwise_bernoulli = { p = 0.4 } }",
        "0.4",
        delays,
    ) + &projection(
        "a",
        "a",
        "{ fixed_indegree = { indegree = 4 } }",
        normal,
        delays,
    ) + &projection(
        "a",
        "b",
        "\"all_to_all\"",
        normal,
        "delay = \"1 ms\"\nlearnable = false",
    ) + &projection(
        "b",
        "a",
        "{ fixed_outdegree = { outdegree = 3 } }",
        "-0.2",
        "delay = \"2 ms\"",
    );
    let base = UnrolledOptions {
        outputs: vec!["b".to_owned()],
        ..options()
    };
    let cut = UnrolledOptions {
        truncate_steps: Some(4),
        ..base.clone()
    };
    for options in [base, cut] {
        compare("synapses", &text, &options, true, &device);
    }
}
