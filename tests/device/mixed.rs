//! Networks of which a part runs on the device: what crosses keeps its order and its sums.

use std::sync::Arc;

use rheobase::engine::backend::gpu::{AdapterChoice, GpuDevice};
use rheobase::engine::build::BuildOptions;
use rheobase::engine::network::Network;
use rheobase::engine::plan::{Monitor, Plan};
use rheobase::engine::port::{Kernel, NeuronPorts, NeuronType};
use rheobase::engine::record::Spikes;
use rheobase::engine::simulation::Simulation;

use crate::harness::{Ran, assert_same, device, plan, with_plan};

/// A neuron of the zoo without its equations: what a user writes in Rust.
pub(crate) struct InRust(pub(crate) Arc<dyn NeuronType>);

impl NeuronType for InRust {
    fn ports(&self) -> &NeuronPorts {
        self.0.ports()
    }
    fn derive(&self, parameters: &[f64], dt_ms: f64) -> Vec<f64> {
        self.0.derive(parameters, dt_ms)
    }
    fn initial_states(&self, parameters: &[f64], dt_ms: f64) -> Vec<f64> {
        self.0.initial_states(parameters, dt_ms)
    }
    fn kernel_f32(&self) -> Box<dyn Kernel<f32>> {
        self.0.kernel_f32()
    }
    fn kernel_f64(&self) -> Box<dyn Kernel<f64>> {
        self.0.kernel_f64()
    }
}

const MIXED: &str = r#"
seed = 3
dt = "0.1 ms"
duration = "100 ms"

[populations.E]
model = "iaf_psc_exp"
size = 400
initial = { v = { uniform = ["-65 mV", "-50 mV"] } }
[populations.I]
model = "MODEL"
size = 100
[populations.F]
model = "iaf_psc_exp"
size = 70

[stimuli.noise]
model = "poisson"
size = 50
rate = "400 Hz"
[stimuli.background]
model = "poisson_background"
target = ["E", "I"]
port = "ex"
rate = "4 kHz"
weight = "90 pA"

[[projections]]
source = "E"
target = ["E", "I"]
port = "ex"
rule = { fixed_indegree = { indegree = 20 } }
weight = "30 pA"
delay = { uniform = ["0.5 ms", "3 ms"] }
[[projections]]
source = "I"
target = ["E", "I"]
port = "in"
rule = { fixed_indegree = { indegree = 10 } }
weight = "-100 pA"
delay = "0.8 ms"
[[projections]]
source = "noise"
target = "E"
port = "ex"
rule = { fixed_indegree = { indegree = 5 } }
weight = "40 pA"
delay = "0.2 ms"
[[projections]]
source = "E"
target = "F"
port = "ex"
rule = { fixed_indegree = { indegree = 100 } }
weight = "60 pA"
delay = "0 ms"

[[monitors]]
state = "E"
variables = ["v", "i_ex"]
neurons = [0, 7, 399]
every = "0.7 ms"
[[monitors]]
state = "E"
variables = ["i_in"]
neurons = [0, 1]
every = "0.2 ms"
"#;

fn mixed() -> Plan {
    let mut registry = rheobase::registry();
    let zoo = Arc::clone(&registry.neurons["iaf_psc_exp"]);
    registry
        .neurons
        .insert("in_rust".to_owned(), Arc::new(InRust(zoo)));
    let text = MIXED.replace("MODEL", "in_rust");
    let network = Network::from_toml(&text, "").unwrap_or_else(|e| panic!("{e}"));
    let plan = network.resolve(&registry).unwrap_or_else(|e| panic!("{e}"));
    with_plan(plan, 3, 1000)
}

#[test]
fn populations_on_both_sides_have_the_bits_of_the_processor() {
    let Some(device) = device() else { return };
    let plan = mixed();
    let (mut cpu, mut gpu) = (Ran::on_cpu(&plan), Ran::on_gpu(&plan, &device));
    let placement = &gpu.simulation.report().placement;
    let stayed: Vec<_> = placement.iter().filter(|p| !p.on_device).collect();
    assert_eq!(stayed.len(), 1, "{placement:?}");
    assert!(stayed[0].reason.contains("`in_rust` is written in Rust"));
    // I hears of E after 0.5 ms and is heard after 0.8: slices of five steps.
    assert_eq!(gpu.simulation.schedule().slice_len, 5);
    assert_same("mixed", &mut cpu, &mut gpu);
    assert!(cpu.recording.traces.iter().all(|t| !t.values.is_empty()));
}

#[test]
fn a_network_that_fits_runs_in_long_submissions() {
    let Some(device) = device() else { return };
    let plan = plan(&MIXED.replace("MODEL", "iaf_psc_exp"), 3, 1000);
    let (mut cpu, mut gpu) = (Ran::on_cpu(&plan), Ran::on_gpu(&plan, &device));
    assert_eq!(gpu.simulation.schedule().slice_len, 64);
    assert_same("whole", &mut cpu, &mut gpu);
}

/// However few steps a submission holds: what is heard late arrives all the same.
#[test]
fn short_submissions_leave_no_trace() {
    let Some(_) = device() else { return };
    let device = GpuDevice::request(&AdapterChoice::Any).unwrap_or_else(|e| panic!("{e}"));
    let plan = mixed();
    let mut cpu = Ran::on_cpu(&plan);
    for steps in [1, 2, 3] {
        device.limit_submission(steps);
        let mut gpu = Ran::on_gpu(&plan, &device);
        let counts = gpu.recording.device;
        assert!(
            counts.submissions * u64::from(steps) >= counts.steps,
            "{counts:?}"
        );
        assert_same(&format!("{steps} steps a submission"), &mut cpu, &mut gpu);
    }
}

/// A monitor of no neurons has steps and no values, as on the processor.
#[test]
fn a_monitor_of_nobody_is_no_obstacle() {
    let Some(device) = device() else { return };
    let mut plan = plan(&MIXED.replace("MODEL", "iaf_psc_exp"), 3, 100);
    for monitor in &mut plan.monitors {
        if let Monitor::State { neurons, .. } = monitor {
            neurons.clear();
        }
    }
    let (mut cpu, mut gpu) = (Ran::on_cpu(&plan), Ran::on_gpu(&plan, &device));
    assert_same("nobody", &mut cpu, &mut gpu);
    assert!(
        cpu.recording
            .traces
            .iter()
            .any(|t| t.neurons.is_empty() && !t.steps.is_empty())
    );
}

/// Saved on either side between any two steps, continued on the other: the same bits.
#[test]
fn checkpoints_cross_between_processor_and_device() {
    let Some(device) = device() else { return };
    let plan = Arc::new(plan(&MIXED.replace("MODEL", "iaf_psc_exp"), 3, 400));
    let build = |on_device: bool| {
        let options = BuildOptions::default();
        let built = if on_device {
            Simulation::build_on(Arc::clone(&plan), options, &device)
        } else {
            Simulation::<f32>::build(Arc::clone(&plan), options)
        };
        built.unwrap_or_else(|e| panic!("{e}"))
    };
    let saved = |simulation: &mut Simulation<f32>| {
        let mut bytes = Vec::new();
        simulation
            .save(&mut bytes)
            .unwrap_or_else(|e| panic!("{e}"));
        bytes
    };
    let end = |simulation: &mut Simulation<f32>| {
        simulation.advance_to(400).unwrap_or_else(|e| panic!("{e}"));
        let recording = simulation.take_recording();
        let later = |s: &Spikes| {
            let events = s.steps.iter().zip(&s.neurons);
            let later = events.filter(|(step, _)| **step > 157);
            later.map(|(&step, &n)| (step, n)).collect::<Vec<_>>()
        };
        let spikes: Vec<_> = recording.spikes.iter().map(|(_, s)| later(s)).collect();
        let mut states = Vec::new();
        simulation.visit_state(|_, _, values| states.extend(values.iter().map(|x| x.to_bits())));
        (spikes, states)
    };
    let expected = end(&mut build(false));
    assert!(expected.0.iter().any(|s| s.len() > 100));
    for (cut, first, second) in [
        (0, true, true),
        (1, true, false),
        (63, false, true),
        (64, true, true),
        (157, true, false),
        (157, false, true),
    ] {
        let mut one = build(first);
        one.advance_to(cut).unwrap_or_else(|e| panic!("{e}"));
        let bytes = saved(&mut one);
        let mut other = build(second);
        // What it did before does not matter.
        other.advance_to(40).unwrap_or_else(|e| panic!("{e}"));
        other
            .load(&mut bytes.as_slice())
            .unwrap_or_else(|e| panic!("{e}"));
        assert!(end(&mut other) == expected, "{cut}, {first} -> {second}");
    }
}

/// However a run is cut, and after a reset, the bits are the same.
#[test]
fn stretches_and_resets_leave_no_trace() {
    let Some(device) = device() else { return };
    let plan = Arc::new(plan(&MIXED.replace("MODEL", "iaf_psc_exp"), 3, 300));
    let options = BuildOptions::default();
    let built = Simulation::build_on(Arc::clone(&plan), options, &device);
    let mut simulation = built.unwrap_or_else(|e| panic!("{e}"));
    let mut prints = Vec::new();
    for cuts in [vec![300], vec![1, 2, 65, 200, 300], vec![128, 300]] {
        for cut in cuts {
            simulation.advance_to(cut).unwrap_or_else(|e| panic!("{e}"));
        }
        let recording = simulation.take_recording();
        prints.push(simulation.fingerprint(&recording));
        simulation.reset();
    }
    assert_eq!(prints[0], prints[1]);
    assert_eq!(prints[0], prints[2]);
}

/// States that a program changes between two stretches are those the device goes on from.
#[test]
fn a_changed_state_reaches_the_device() {
    let Some(device) = device() else { return };
    let plan = plan(&MIXED.replace("MODEL", "iaf_psc_exp"), 3, 200);
    let run = |mut simulation: Simulation<f32>| {
        simulation.advance_to(50).unwrap_or_else(|e| panic!("{e}"));
        simulation.visit_state(|_, variable, values| {
            if variable == "v" {
                values.iter_mut().for_each(|v| *v -= 1.5);
            }
        });
        simulation.advance_to(200).unwrap_or_else(|e| panic!("{e}"));
        let recording = simulation.take_recording();
        simulation.fingerprint(&recording)
    };
    let (plan, options) = (Arc::new(plan), BuildOptions::default());
    let cpu = run(Simulation::build(Arc::clone(&plan), options).unwrap_or_else(|e| panic!("{e}")));
    let gpu = Simulation::build_on(plan, options, &device);
    assert_eq!(cpu, run(gpu.unwrap_or_else(|e| panic!("{e}"))));
}

/// Weights that differ are sums of units: not the bits of the processor, but the same for every run, and
/// close.
#[test]
fn weights_that_differ_are_summed_without_an_order() {
    let Some(device) = device() else { return };
    let text = MIXED.replace("MODEL", "iaf_psc_exp").replace(
        "weight = \"30 pA\"",
        "weight = { normal = { mean = \"30 pA\", sd = \"3 pA\" } }",
    );
    let plan = plan(&text, 3, 1000);
    let cpu = Ran::on_cpu(&plan);
    let mut gpu = Ran::on_gpu(&plan, &device);
    let mut again = Ran::on_gpu(&plan, &device);
    assert!(gpu.states() == again.states());
    assert_eq!(gpu.recording.spikes, again.recording.spikes);
    let bounds = &gpu.simulation.report().weight_error_bounds;
    let bound = bounds.iter().copied().fold(0.0, f64::max);
    println!("weights at most {bound} pA from the drawn ones; {bounds:?}");
    assert!(bound > 0.0 && bound < 1e-5, "{bound}");
    #[allow(clippy::cast_precision_loss, reason = "small counts")]
    let (a, b) = (cpu.n_spikes() as f64, gpu.n_spikes() as f64);
    println!("{a} spikes, {b} on the device");
    assert!((a - b).abs() < 0.03 * a, "{a} {b}");
}
