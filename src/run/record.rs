//! The record of a run.

use rheobase_engine::Instantiate;
use rheobase_engine::anchored::Arithmetic;
use rheobase_engine::anchored::choice::Mode;
use rheobase_engine::build::BuildReport;
use rheobase_engine::exact::{bytes_per_event, bytes_per_neuron};
use rheobase_engine::plan::{NodeId, NodeKind, Population, Time};
use rheobase_engine::record::ExactCounts;
use rheobase_engine::simulation::{Recording, Simulation};
use rheobase_equations::real::Precision;
use rheobase_report::{
    AdvanceRecord, ContinuousRecord, DeviceRecord, Kernel, PopulationRecord, RunRecord,
    SwitchRecord, Timings,
};

use super::collect::Collector;
use super::{RunFailure, seconds};

pub(super) fn of<R: Instantiate>(
    simulation: &Simulation<R>,
    collector: &Collector,
    timings: Timings,
    threads: usize,
) -> Result<RunRecord, RunFailure> {
    let plan = simulation.plan();
    let mut record = RunRecord::new(timings, plan.dt_ms, populations(simulation, collector)?);
    record.neurons = simulation.n_neurons() as u64;
    record.synapses = simulation.report().synapses.iter().sum();
    record.spikes = plan
        .nodes
        .iter()
        .zip(&collector.total.n_spikes)
        .filter(|(n, _)| matches!(n.kind, NodeKind::Population(_)))
        .map(|(_, s)| s)
        .sum();
    record.synaptic_events = collector.total.synaptic_events;
    record.threads = u32::try_from(threads).unwrap_or(u32::MAX);
    record.seed = plan.seed;
    record.parameters.clone_from(&plan.parameters);
    record.precision = match plan.precision {
        Precision::F32 => rheobase_report::Precision::F32,
        Precision::F64 => rheobase_report::Precision::F64,
    };
    record.discard_s = seconds(plan, plan.discard_steps);
    record.interrupted = simulation.now() < plan.steps;
    record.rounded_delays = simulation.report().rounded_delays;
    record.raised_delays = simulation.report().raised_delays;
    record.synapse_bytes = simulation.report().synapse_bytes as u64;
    record.weight_errors = weight_errors(simulation);
    Ok(record)
}

/// What happened on a device, if there was one: what moved, and which populations stayed behind.
pub(super) fn device<R: Instantiate>(
    simulation: &Simulation<R>,
    collector: &Collector,
    adapter: Option<String>,
) -> Option<DeviceRecord> {
    let counts = collector.total.device;
    let stayed = simulation.report().placement.iter();
    Some(DeviceRecord {
        adapter: adapter?,
        submissions: counts.submissions,
        steps: counts.steps,
        bytes_read: counts.bytes_read,
        bytes_written: counts.bytes_written,
        state_bytes: counts.state_bytes,
        on_processor: stayed
            .filter(|p| !p.on_device)
            .map(|p| {
                let name = simulation.plan().nodes[p.node].name.clone();
                (name, p.reason.clone())
            })
            .collect(),
    })
}

fn populations<R: Instantiate>(
    simulation: &Simulation<R>,
    collector: &Collector,
) -> Result<Vec<PopulationRecord>, RunFailure> {
    let plan = simulation.plan();
    let kernels = &simulation.report().kernels;
    let mut records = Vec::new();
    for (node, statistics) in collector.statistics(simulation.now())? {
        let NodeKind::Population(p) = &plan.nodes[node].kind else {
            continue;
        };
        let name = &plan.nodes[node].name;
        let mut entry = PopulationRecord::new(name, &statistics);
        entry.component = Some(p.model.clone());
        entry.integrator = Some(p.integrator.name().to_owned());
        describe_advance(&mut entry, node, simulation.report(), &collector.total);
        entry.kernel = kernels
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, kernel)| match *kernel {
                "native" => Kernel::Native,
                "block" => Kernel::Block,
                "modes" => Kernel::Modes,
                "wgsl" => Kernel::Wgsl,
                _ => Kernel::Rust,
            });
        entry.state_dim = u32::try_from(p.neuron.ports().states.len()).ok();
        if p.time.is_continuous() {
            entry.mode = Some(rheobase_report::Mode::Exact);
            (entry.arithmetic, entry.kernel) = (None, None);
            entry.continuous = Some(continuous(p, node, collector));
        }
        records.push(entry);
    }
    Ok(records)
}

/// Arithmetic and mode of a population, and why.
fn describe_advance(
    entry: &mut PopulationRecord,
    node: NodeId,
    build: &BuildReport,
    recorded: &Recording,
) {
    let decided = build.arithmetic.iter().find(|(n, _)| *n == node);
    entry.arithmetic = decided.map(|(_, d)| match d.arithmetic {
        Arithmetic::Anchored => rheobase_report::Arithmetic::Anchored,
        Arithmetic::Stepwise | Arithmetic::Auto => rheobase_report::Arithmetic::Stepwise,
    });
    entry.arithmetic_reason = decided.map(|(_, d)| d.reason.clone());
    entry.mode = Some(rheobase_report::Mode::Dense);
    let Some((_, modes)) = recorded.modes.iter().find(|(n, _)| *n == node) else {
        return;
    };
    if modes.skipped > 0 {
        entry.mode = Some(rheobase_report::Mode::Sparse);
    }
    let mode = |mode: Mode| match mode {
        Mode::Dense => rheobase_report::Mode::Dense,
        Mode::Sparse => rheobase_report::Mode::Sparse,
    };
    entry.advance = Some(AdvanceRecord {
        neuron_steps_executed: modes.executed,
        neuron_steps_skipped: modes.skipped,
        state_bytes: modes.bytes,
        n_switches: modes.n_switches,
        switches: modes
            .switches
            .iter()
            .map(|s| SwitchRecord {
                step: s.step,
                mode: mode(s.mode),
                dense_ns: s.dense_ns,
                sparse_ns: s.sparse_ns,
            })
            .collect(),
    });
}

/// What a population in continuous time had to do.
fn continuous(population: &Population, node: NodeId, collector: &Collector) -> ContinuousRecord {
    let counts = collector.total.exact.iter().find(|(n, _)| *n == node);
    let counts = counts.map_or(ExactCounts::default(), |(_, c)| *c);
    let time = match population.time {
        Time::Adaptive => "adaptive",
        Time::Grid | Time::Exact => "exact",
    };
    ContinuousRecord {
        time: time.to_owned(),
        events: counts.events,
        spikes: counts.spikes,
        predictions: counts.predictions,
        grazing: counts.grazing,
        bytes_per_neuron: bytes_per_neuron(population.neuron.ports().states.len()) as u64,
        bytes_per_event: bytes_per_event() as u64,
    }
}

/// Projections whose weights are quantised, with the bound of the error in the unit of the port.
fn weight_errors<R: Instantiate>(simulation: &Simulation<R>) -> Vec<(String, String)> {
    let plan = simulation.plan();
    let bounds = simulation.report().weight_error_bounds.iter();
    plan.edges
        .iter()
        .zip(bounds)
        .filter(|(_, bound)| **bound > 0.0)
        .filter_map(|(edge, &bound)| {
            let NodeKind::Population(population) = &plan.nodes[edge.target].kind else {
                return None;
            };
            let unit = &population.neuron.ports().inputs[edge.port].unit;
            let text = format!("{:.2e} {}", unit.from_base(bound), unit.name);
            Some((edge.name.clone(), text.trim_end().to_owned()))
        })
        .collect()
}
