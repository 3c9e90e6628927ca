//! What a step would take on the processor and on a device, roughly: what `auto` decides by.

use rheobase_equations::ir::{Binary, Op, Unary};
use rheobase_equations::real::Precision;

use super::adapter::{AdapterInfo, AdapterKind};
use super::circuit::placed_nodes;
use crate::anchored::{Decision, decide};
use crate::plan::{EdgeKind, NodeKind, Plan};
use crate::port::Sides;

/// Rate every neuron is taken to fire at \[Hz\].
const RATE_HZ: f64 = 5.0;
/// Nanoseconds of a neuron and step on one thread.
const CPU_NEURON_NS: f64 = 1.5;
/// Nanoseconds of a synaptic event on one thread.
const CPU_EVENT_NS: f64 = 1.7;
/// A device must be so much faster to be chosen.
const MARGIN: f64 = 0.8;
/// Seconds that opening a device and compiling kernels may take.
const START_S: f64 = 1.0;

/// What a kind of device takes.
struct Device {
    /// Microseconds from one kernel to the next.
    launch_us: f64,
    /// Nanoseconds of a neuron and step: its state there and back.
    neuron_ns: f64,
    /// Nanoseconds of a synaptic event: a synapse read, an atomic addition.
    event_ns: f64,
}

impl Device {
    fn of(kind: AdapterKind) -> Self {
        let (launch_us, neuron_ns, event_ns) = match kind {
            AdapterKind::Discrete => (4.0, 0.1, 0.1),
            AdapterKind::Integrated | AdapterKind::Virtual | AdapterKind::Other => (8.0, 1.0, 1.0),
            // The processor itself, with more to do.
            AdapterKind::Software => (50.0, 5.0, 10.0),
        };
        Self {
            launch_us,
            neuron_ns,
            event_ns,
        }
    }
}

/// What a step takes on either side.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Cost {
    /// On so many threads of the processor \[µs\].
    pub cpu_us: f64,
    /// On the device \[µs\].
    pub gpu_us: f64,
    /// Steps of the run.
    pub steps: u64,
}

impl Cost {
    /// Of a step of `plan`, on `threads` threads and on an adapter of that kind.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn of(plan: &Plan, threads: usize, kind: AdapterKind) -> Self {
        let nodes = placed_nodes(plan);
        let neurons: f64 = nodes.iter().map(|&n| plan.nodes[n].size() as f64).sum();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (mut synapses, mut chunk) = (0.0, 64.0_f64);
        for edge in plan.edges.iter().filter(|e| nodes.contains(&e.target)) {
            let inside = nodes.contains(&edge.source);
            let EdgeKind::Synapses(s) = &edge.kind else {
                continue;
            };
            let (n_source, n_target) = (&plan.nodes[edge.source], &plan.nodes[edge.target]);
            synapses += s.rule.expected_synapses(Sides {
                n_source: count(n_source.size()),
                n_target: count(n_target.size()),
                same: edge.source == edge.target,
            });
            let delay = s.delay.constant().filter(|_| !s.rule.fixes_weights());
            let steps = delay.map_or(1.0, |ms| (ms / plan.dt_ms).round().max(1.0));
            if inside {
                chunk = chunk.min(steps);
            }
        }
        let events = synapses * RATE_HZ * plan.dt_ms * 1e-3;
        let device = Device::of(kind);
        let launches = (nodes.len() + 2) as f64 / chunk;
        Self {
            cpu_us: 1e-3 * (neurons * CPU_NEURON_NS + events * CPU_EVENT_NS)
                / threads.max(1) as f64,
            gpu_us: launches * device.launch_us
                + 1e-3 * (neurons * device.neuron_ns + events * device.event_ns),
            steps: plan.steps,
        }
    }

    /// Whether the device is worth it for the whole run.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn favours_device(&self) -> bool {
        let saved_s = (self.cpu_us - self.gpu_us) * 1e-6 * self.steps as f64;
        self.gpu_us < MARGIN * self.cpu_us && saved_s > START_S
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (cpu, gpu, steps) = (self.cpu_us, self.gpu_us, self.steps);
        write!(
            f,
            "about {cpu:.0} us a step on the processor and {gpu:.0} us on the device are expected, for {steps} steps"
        )
    }
}

/// Whether a run on a device has the bits of one on the processor; if not, why: `auto` never changes a
/// result.
///
/// # Errors
/// What differs, as a sentence without its end.
pub fn has_same_bits(plan: &Plan) -> Result<(), String> {
    for id in placed_nodes(plan) {
        let node = &plan.nodes[id];
        let name = &node.name;
        let population = match &node.kind {
            NodeKind::Population(population) => population,
            NodeKind::Layer(_) => {
                return Err(format!("`{name}` adds up in another order on devices"));
            }
            _ => continue,
        };
        if !matches!(
            decide(plan, id, node, population),
            Ok(Decision::Stepwise { .. })
        ) {
            return Err(format!(
                "`{name}` is in anchored arithmetic on the processor"
            ));
        }
        let program = population
            .neuron
            .component()
            .map(|c| c.expanded_step(Precision::F32));
        let rounds_freely =
            |op: &Op| matches!(op, Op::Binary(Binary::Div, ..) | Op::Unary(Unary::Sqrt, _));
        if program.is_none_or(|p| p.ops.iter().any(rounds_freely)) {
            return Err(format!(
                "`{name}` divides or takes roots, whose last bit devices may round otherwise"
            ));
        }
        let sums = plan.edges.iter().find(|e| {
            e.target == id
                && matches!(&e.kind, EdgeKind::Synapses(s) if s.constant_weight().is_none())
        });
        if let Some(edge) = sums {
            return Err(format!(
                "weights of `{}` differ, and devices round them to add them in any order",
                edge.name
            ));
        }
    }
    Ok(())
}

/// What `auto` decides, and why: `Ok` with the adapter to open, or `Err` with the reason to stay on the
/// processor. Software adapters are never chosen.
///
/// # Errors
/// The reason, as a sentence without its end.
pub fn choose(plan: &Plan, threads: usize) -> Result<(AdapterInfo, Cost), String> {
    if placed_nodes(plan).is_empty() {
        return Err("no population can run on a device".to_owned());
    }
    // Looking for adapters takes a moment: not for what the best of them could not speed up.
    let best = Cost::of(plan, threads, AdapterKind::Discrete);
    if !best.favours_device() {
        return Err(format!("{best}: not worth opening one"));
    }
    has_same_bits(plan).map_err(|reason| {
        format!(
            "results of a device would not have the same bits: {reason}; --backend gpu runs there"
        )
    })?;
    let adapters = super::adapter::adapters();
    let hardware = adapters.iter().find(|a| a.kind != AdapterKind::Software);
    let Some(adapter) = hardware else {
        let found = if adapters.is_empty() {
            "there is no GPU adapter"
        } else {
            "there are only software adapters"
        };
        return Err(found.to_owned());
    };
    let cost = Cost::of(plan, threads, adapter.kind);
    if cost.favours_device() {
        Ok((adapter.clone(), cost))
    } else {
        Err(format!("{cost}: not worth opening one"))
    }
}

/// Multiplications and additions of a nanosecond on one thread, and on a device of each kind.
const CPU_PRODUCTS_PER_NS: f64 = 25.0;

/// Whether `auto` trains on a device, and why: passes have so many rows (steps × samples). `Ok` with the
/// adapter and the reason, or `Err` with the reason to stay on the processor.
///
/// # Errors
/// The reason, as a sentence without its end.
#[allow(clippy::cast_precision_loss, reason = "an estimate")]
pub fn choose_training(
    plan: &Plan,
    rows: usize,
    threads: usize,
) -> Result<(AdapterInfo, String), String> {
    let mut products = 0.0;
    let mut kernels = 0.0;
    for (id, node) in plan.nodes.iter().enumerate() {
        kernels += 6.0;
        if let NodeKind::Layer(layer) = &node.kind {
            let source = plan.edges.iter().find(|e| e.target == id).map(|e| e.source);
            let shape = source.and_then(|s| layer.on_device(&plan.nodes[s].shape));
            // Forward, and back to input and weights.
            products += 3.0 * shape.map_or(0.0, |s| s.products() as f64) * rows as f64;
        }
    }
    let cpu_us = 1e-3 * products / CPU_PRODUCTS_PER_NS / threads.max(1) as f64;
    let on = |kind: AdapterKind| {
        let device = Device::of(kind);
        let per_ns = match kind {
            AdapterKind::Discrete => 4000.0,
            AdapterKind::Software => 5.0,
            _ => 200.0,
        };
        kernels * device.launch_us + 1e-3 * products / per_ns
    };
    let sentence = |gpu_us: f64| {
        format!(
            "about {cpu_us:.0} us a batch on the processor and {gpu_us:.0} us on the device are expected"
        )
    };
    let best = on(AdapterKind::Discrete);
    if best > MARGIN * cpu_us {
        return Err(format!("{}: not worth opening one", sentence(best)));
    }
    let adapters = super::adapter::adapters();
    let hardware = adapters
        .into_iter()
        .find(|a| a.kind != AdapterKind::Software);
    let Some(adapter) = hardware else {
        return Err("there is no hardware GPU adapter".to_owned());
    };
    let gpu_us = on(adapter.kind);
    if gpu_us > MARGIN * cpu_us {
        return Err(format!("{}: not worth opening one", sentence(gpu_us)));
    }
    let reason = sentence(gpu_us);
    Ok((adapter, reason))
}
