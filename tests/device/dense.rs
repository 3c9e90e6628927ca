//! Networks with layers on the device. Weights are multiples of 1/64, so that sums are exact in any order:
//! everything has the bits of the processor.

use std::sync::Arc;

use rheobase::engine::backend::gpu::{AdapterChoice, GpuDevice};
use rheobase::engine::build::BuildOptions;
use rheobase::engine::network::Network;
use rheobase::engine::plan::Plan;
use rheobase::engine::simulation::Simulation;

use crate::harness::{Ran, assert_same, device, with_plan};
use crate::mixed::InRust;

/// Convolutions, pools, a recurrent population with delays, a readout of real values that is heard later;
/// stimuli of both kinds.
const LAYERED: &str = r#"
name = "layered"
dt = "1 ms"
duration = "300 ms"
[models]
coarse = """
neuron coarse "a leaky sum in whole 32nds: exact in any order"
  input x : 1
  state v = 0 : 1
  update v = floor(16*(v + x))/32
  output y = v : 1
"""
[stimuli.pixels]
model = "poisson"
size = 64
rate = "90 Hz"
[populations.retina]
model = "lif"
shape = [1, 8, 8]
[stimuli.drift]
model = "poisson_background"
target = "retina"
port = "x"
rate = "500 Hz"
weight = 0.75
[layers.conv]
model = "conv2d"
out_channels = 4
kernel_size = 3
padding = 1
[layers.pool]
model = "max_pool2d"
kernel_size = 2
[populations.edges]
model = "lif"
shape = [4, 4, 4]
[layers.flat]
model = "flatten"
[layers.drop]
model = "dropout"
p = 0.3
[layers.fc]
model = "linear"
out_features = 50
[populations.hidden]
model = "MODEL"
size = 50
[layers.out]
model = "linear"
out_features = 5
[populations.readout]
model = "coarse"
size = 5
emits = "y"
[layers.back]
model = "linear"
out_features = 50
[layers.direct]
model = "linear"
out_features = 5

[[edges]]
source = "retina"
target = "conv"
[[edges]]
source = "conv"
target = "pool"
[[edges]]
source = "pool"
target = "edges"
delay = "2 ms"
[[edges]]
source = "edges"
target = "flat"
[[edges]]
source = "flat"
target = "drop"
[[edges]]
source = "drop"
target = "fc"
[[edges]]
source = "fc"
target = "hidden"
[[edges]]
source = "hidden"
target = "out"
[[edges]]
source = "out"
target = "readout"
[[edges]]
source = "readout"
target = "back"
delay = "3 ms"
[[edges]]
source = "back"
target = "hidden"
[[edges]]
source = "pixels"
target = "direct"
delay = "5 ms"
[[edges]]
source = "direct"
target = "readout"
[[projections]]
source = "hidden"
target = "hidden"
port = "x"
rule = { pairwise_bernoulli = { p = 0.2 } }
weight = 0.125
delay = { uniform = ["1 ms", "4 ms"] }
[[projections]]
source = "hidden"
target = "edges"
port = "x"
rule = { pairwise_bernoulli = { p = 0.1 } }
weight = 0.0625
delay = "5 ms"
[[projections]]
source = "pixels"
target = "hidden"
port = "x"
rule = { pairwise_bernoulli = { p = 0.2 } }
weight = 0.25
delay = "3 ms"

[[monitors]]
state = "hidden"
variables = ["v"]
neurons = [3, 7, 40]
every = "2 ms"
[[monitors]]
state = "readout"
variables = ["v"]
every = "5 ms"
"#;

fn layered(model: &str) -> Plan {
    let mut registry = rheobase::registry();
    let zoo = Arc::clone(&registry.neurons["lif"]);
    let in_rust = Arc::new(InRust(zoo));
    registry.neurons.insert("in_rust".to_owned(), in_rust);
    let text = LAYERED.replace("MODEL", model);
    let network = Network::from_toml(&text, "").unwrap_or_else(|e| panic!("{e}"));
    let plan = network.resolve(&registry).unwrap_or_else(|e| panic!("{e}"));
    with_plan(plan, 5, 300)
}

fn built(plan: &Plan, device: Option<&GpuDevice>) -> Simulation<f32> {
    let (plan, options) = (Arc::new(plan.clone()), BuildOptions::default());
    let simulation = match device {
        Some(device) => Simulation::build_on(plan, options, device),
        None => Simulation::build(plan, options),
    };
    let mut simulation = simulation.unwrap_or_else(|e| panic!("{e}"));
    simulation.visit_parameters(|_, p| {
        let scale = |x: f32| (x * 256.0).round() / 64.0;
        p.values.iter_mut().for_each(|x| *x = scale(*x));
    });
    simulation
}

fn run(mut simulation: Simulation<f32>, steps: u64) -> Ran {
    simulation
        .advance_to(steps)
        .unwrap_or_else(|e| panic!("{e}"));
    let recording = simulation.take_recording();
    Ran {
        simulation,
        recording,
    }
}

#[test]
fn layers_on_the_device_have_the_bits_of_the_processor() {
    let Some(device) = device() else { return };
    let plan = layered("lif");
    let mut cpu = run(built(&plan, None), 300);
    let mut gpu = run(built(&plan, Some(&device)), 300);
    let placement = &gpu.simulation.report().placement;
    assert_eq!(placement.len(), 12);
    for p in placement {
        assert!(p.on_device, "{}: {}", plan.nodes[p.node].name, p.reason);
    }
    assert_same("layered", &mut cpu, &mut gpu);
    for (node, n) in cpu.recording.n_spikes.iter().enumerate() {
        let name = &plan.nodes[node].name;
        let fires = ["retina", "edges", "hidden"].contains(&name.as_str());
        assert!(!fires || *n > 100, "{name}: {n}");
    }
    assert!(cpu.recording.traces.iter().all(|t| !t.values.is_empty()));
    for (id, node) in plan.nodes.iter().enumerate() {
        let [a, b] = [&cpu, &gpu].map(|ran| ran.simulation.emitted(id, 300));
        // What is heard on the device alone stays there, and nobody is told zeros instead.
        let layers = [
            "conv", "pool", "flat", "drop", "fc", "out", "back", "direct",
        ];
        let stays = layers.contains(&node.name.as_str()) || node.name == "readout";
        let unseen = &gpu.simulation.report().unseen;
        assert_eq!(unseen.contains(&id), stays, "{}: {unseen:?}", node.name);
        assert_eq!(b, a.filter(|_| !stays), "{}", node.name);
    }
    let counts = gpu.recording.device;
    println!("{counts:?}");
    // Traces are read besides: of the readout, and of hidden neurons from the first to the last asked for.
    let traces = 4 * 150 * 38 + 4 * 60 * 5;
    let allowed = 4 * counts.spikes + 64 * counts.steps + traces;
    assert!(counts.bytes_read <= allowed, "{allowed}");
    assert_eq!(counts.state_bytes, 0);
    assert!(counts.steps >= 50 * counts.submissions.saturating_sub(1));
}

#[test]
fn what_crosses_keeps_its_order_and_delays() {
    let Some(device) = device() else { return };
    let plan = layered("in_rust");
    let mut cpu = run(built(&plan, None), 300);
    let mut gpu = run(built(&plan, Some(&device)), 300);
    let placement = &gpu.simulation.report().placement;
    let stayed: Vec<_> = placement.iter().filter(|p| !p.on_device).collect();
    assert_eq!(stayed.len(), 1, "{placement:?}");
    assert_same("layers on both sides", &mut cpu, &mut gpu);
    // Few steps at a time.
    let device = GpuDevice::request(&AdapterChoice::Any).unwrap_or_else(|e| panic!("{e}"));
    for steps in [1, 3] {
        device.limit_submission(steps);
        for plan in [&plan, &layered("lif")] {
            let mut cpu = run(built(plan, None), 40);
            let mut gpu = run(built(plan, Some(&device)), 40);
            assert_same("few steps", &mut cpu, &mut gpu);
        }
    }
}

/// Again after a reset, and from a checkpoint of either side on either side.
#[test]
fn layers_start_again_and_go_on_from_checkpoints() {
    let Some(device) = device() else { return };
    let plan = layered("lif");
    let mut expected = run(built(&plan, None), 300);
    let mut simulation = built(&plan, Some(&device));
    simulation.advance_to(100).unwrap_or_else(|e| panic!("{e}"));
    simulation.reset();
    let mut again = run(simulation, 300);
    assert_same("after a reset", &mut expected, &mut again);
    for (from, to) in [
        (Some(&device), Some(&device)),
        (Some(&device), None),
        (None, Some(&device)),
    ] {
        let mut first = built(&plan, from);
        first.advance_to(137).unwrap_or_else(|e| panic!("{e}"));
        let mut bytes = Vec::new();
        first.save(&mut bytes).unwrap_or_else(|e| panic!("{e}"));
        let mut second = built(&plan, to);
        second
            .load(&mut bytes.as_slice())
            .unwrap_or_else(|e| panic!("{e}"));
        let mut found = run(second, 300);
        let mut whole = built(&plan, None);
        whole.advance_to(137).unwrap_or_else(|e| panic!("{e}"));
        drop(whole.take_recording());
        let mut whole = run(whole, 300);
        assert_same("from a checkpoint", &mut whole, &mut found);
    }
}

/// A layer whose values are not finite: the population behind it is named.
#[test]
fn states_that_are_not_finite_are_found_behind_layers() {
    let Some(device) = device() else { return };
    let plan = layered("lif");
    let mut simulation = built(&plan, Some(&device));
    simulation.visit_parameters(|name, p| {
        if name == "out" {
            p.values.fill(f32::INFINITY);
        }
    });
    let error = simulation.advance_to(300).err();
    let error = error.map(|e| e.to_string()).unwrap_or_default();
    // What is not finite comes back to `hidden`, and the first population is named.
    let named = error.contains("population `hidden`, neuron 0: `v` is NaN");
    assert!(named && error.contains("every 64 steps"), "{error}");
}

/// What depends on each other in the plan does in the schedule, and nothing else.
#[test]
fn circuits_of_both_kinds_make_no_loop() {
    let Some(device) = device() else { return };
    let text = r#"
name = "two ways"
dt = "1 ms"
duration = "100 ms"
[models]
coarse = """
neuron coarse "a leaky sum in whole 32nds: exact in any order"
  input x : 1
  state v = 0 : 1
  update v = floor(16*(v + x))/32
  output y = v : 1
"""
[inputs.x]
shape = [4]
[stimuli.drift]
model = "poisson_background"
target = "a"
port = "x"
rate = "900 Hz"
weight = 0.75
[layers.fc]
model = "linear"
out_features = 6
[populations.p]
model = "lif"
size = 6
[populations.b]
model = "lif"
size = 6
[populations.a]
model = "lif"
size = 6
[layers.c]
model = "linear"
out_features = 3
[layers.norm]
model = "batch_norm"
[populations.q]
model = "lif"
size = 3
[populations.r]
model = "coarse"
size = 3
emits = "y"
[[edges]]
source = "x"
target = "fc"
[[edges]]
source = "fc"
target = "p"
[[edges]]
source = "p"
target = "b"
[[edges]]
source = "a"
target = "c"
[[edges]]
source = "c"
target = "norm"
[[edges]]
source = "norm"
target = "q"
[[edges]]
source = "q"
target = "r"
[[edges]]
source = "r"
target = "norm"
delay = "1 ms"
"#;
    let text = text.replace(
        "[inputs.x]\nshape = [4]",
        "[stimuli.x]\nmodel = \"poisson\"\nsize = 4\nrate = \"300 Hz\"",
    );
    let resolved = |text: &str| {
        let network = Network::from_toml(text, "").unwrap_or_else(|e| panic!("{e}"));
        let plan = network.resolve(&rheobase::registry());
        with_plan(plan.unwrap_or_else(|e| panic!("{e}")), 7, 100)
    };
    // A batch normalisation on a loop stays on the processor, and what lies around it is taken apart.
    // Without it everything could be two circuits, each of which would hear of the other at once.
    let norm = "[layers.norm]\nmodel = \"batch_norm\"\n";
    let back = "[[edges]]\nsource = \"r\"\ntarget = \"norm\"\ndelay = \"1 ms\"\n";
    let c_to_norm = "[[edges]]\nsource = \"c\"\ntarget = \"norm\"\n";
    let plain = text.replace(norm, "").replace(back, "");
    let plain = plain.replace(c_to_norm, "").replace("\"norm\"", "\"c\"");
    let told = "it takes statistics, and lies on a loop";
    for (text, reasons) in [(text.as_str(), vec![told]), (&plain, Vec::new())] {
        let plan = resolved(text);
        let mut cpu = run(built(&plan, None), 100);
        let mut gpu = run(built(&plan, Some(&device)), 100);
        let stayed = |p: &&rheobase::engine::build::Placement| !p.on_device;
        let placement = gpu.simulation.report().placement.iter();
        let stayed: Vec<_> = placement
            .filter(stayed)
            .map(|p| p.reason.as_str())
            .collect();
        assert_eq!(stayed, reasons);
        let slices = [&cpu, &gpu].map(|ran| ran.simulation.schedule().slice_len);
        assert_eq!(slices[0], slices[1]);
        assert_same("both kinds", &mut cpu, &mut gpu);
    }
}
