//! What the tests share: the device, networks, runs on both sides.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use rheobase::engine::anchored::Arithmetic;
use rheobase::engine::backend::gpu::{AdapterChoice, GpuDevice, GpuError};
use rheobase::engine::build::BuildOptions;
use rheobase::engine::network::Network;
use rheobase::engine::plan::{Monitor, NodeKind, Plan};
use rheobase::engine::simulation::{Recording, Simulation};

/// The device all tests share; `None` where there is none, and that is no error.
pub(crate) fn device() -> Option<GpuDevice> {
    static DEVICE: OnceLock<Result<GpuDevice, GpuError>> = OnceLock::new();
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    let required = std::env::var_os("RHEOBASE_REQUIRE_GPU").is_some_and(|v| v == "1");
    match DEVICE
        .get_or_init(|| GpuDevice::request(&AdapterChoice::Any))
        .clone()
    {
        Ok(device) => Some(device),
        Err(e @ GpuError::NoAdapter { .. }) if !required => {
            let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
            println!("SKIPPED (device test no. {count} without an adapter): {e}");
            None
        }
        Err(e) => panic!("a GPU is required: {e}"),
    }
}

/// A file that comes with the project.
pub(crate) fn read(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Resolves a network with the standard registry: f32, stepwise arithmetic, every spike recorded.
pub(crate) fn plan(text: &str, seed: u64, steps: u64) -> Plan {
    let network = Network::from_toml(text, "").unwrap_or_else(|e| panic!("{e}"));
    let plan = network
        .resolve(&rheobase::registry())
        .unwrap_or_else(|e| panic!("{e}"));
    with_plan(plan, seed, steps)
}

/// The same of a plan.
pub(crate) fn with_plan(mut plan: Plan, seed: u64, steps: u64) -> Plan {
    plan.seed = seed;
    plan.steps = steps;
    for (node, n) in plan.nodes.iter_mut().enumerate() {
        if let NodeKind::Population(p) = &mut n.kind {
            p.arithmetic = Arithmetic::Stepwise;
            let monitor = Monitor::Spikes { node };
            if !plan.monitors.contains(&monitor) {
                plan.monitors.push(monitor);
            }
        }
    }
    plan
}

/// A network at the end of its run, and what was recorded.
pub(crate) struct Ran {
    pub(crate) simulation: Simulation<f32>,
    pub(crate) recording: Recording,
}

impl Ran {
    /// As far as it goes.
    fn to_end(mut simulation: Simulation<f32>) -> Self {
        let end = simulation.plan().steps;
        // What stops it is kept: `Simulation::failed`.
        let _ = simulation.advance_to(end);
        let recording = simulation.take_recording();
        Self {
            simulation,
            recording,
        }
    }

    /// On the processor.
    pub(crate) fn on_cpu(plan: &Plan) -> Self {
        let built = Simulation::build(Arc::new(plan.clone()), BuildOptions::default());
        Self::to_end(built.unwrap_or_else(|e| panic!("{e}")))
    }

    /// On the device.
    pub(crate) fn on_gpu(plan: &Plan, device: &GpuDevice) -> Self {
        let options = BuildOptions::default();
        let built = Simulation::build_on(Arc::new(plan.clone()), options, device);
        Self::to_end(built.unwrap_or_else(|e| panic!("{e}")))
    }

    /// Spikes of all populations.
    pub(crate) fn n_spikes(&self) -> u64 {
        self.recording.n_spikes.iter().sum()
    }

    /// Every state of every population, as bits.
    pub(crate) fn states(&mut self) -> Vec<(String, String, Vec<u32>)> {
        let mut all: Vec<(String, String, Vec<u32>)> = Vec::new();
        self.simulation.visit_state(|node, variable, values| {
            let bits = values.iter().map(|x| x.to_bits()).collect();
            all.push((node.to_owned(), variable.to_owned(), bits));
        });
        all.sort();
        all
    }
}

/// Both sides recorded the same spikes and traces, and ended in the same states.
pub(crate) fn assert_same(name: &str, cpu: &mut Ran, gpu: &mut Ran) {
    let failed = |ran: &Ran| ran.simulation.failed().map(ToString::to_string);
    assert_eq!(failed(cpu), failed(gpu), "{name}");
    for ((node, a), (other, b)) in cpu.recording.spikes.iter().zip(&gpu.recording.spikes) {
        assert_eq!(node, other);
        let first = a
            .steps
            .iter()
            .zip(&a.neurons)
            .zip(b.steps.iter().zip(&b.neurons));
        let first = first.clone().find(|(x, y)| x != y);
        assert_eq!(
            first, None,
            "{name}: node {node}: the first spike that differs"
        );
        assert_eq!(a.len(), b.len(), "{name}: node {node}: spikes");
    }
    assert_eq!(cpu.recording.n_spikes, gpu.recording.n_spikes, "{name}");
    assert_eq!(cpu.recording.traces, gpu.recording.traces, "{name}: traces");
    assert_eq!(
        cpu.recording.synaptic_events, gpu.recording.synaptic_events,
        "{name}: synaptic events"
    );
    if let Some(error) = cpu.simulation.failed() {
        println!(
            "{name}: {} spikes and the same error: {error}",
            cpu.n_spikes()
        );
        return;
    }
    assert!(cpu.states() == gpu.states(), "{name}: states at the end");
    println!("{name}: {} spikes, the same bits", cpu.n_spikes());
}
