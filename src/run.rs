//! Running a network to its end: progress, interruption, statistics, the record of the run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rheobase_engine::Instantiate;
use rheobase_engine::actor::RunError;
use rheobase_engine::build::{BuildError, BuildOptions, BuildReport};
use rheobase_engine::network::{MemoryError, MemoryEstimate, Network, NetworkErrors};
use rheobase_engine::plan::{Monitor, NodeKind, Plan};
use rheobase_engine::port::Registry;
use rheobase_engine::simulation::{Recording, Simulation};
use rheobase_equations::real::Precision;
use rheobase_report::statistics::{Statistics, StatisticsError, summarise};
use rheobase_report::{Kernel, PopulationRecord, RunRecord, Spikes, Timings};

/// How a network is run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Worker threads; 0 chooses by size ([`default_threads`]). Results do not depend on it.
    pub threads: usize,
    /// Bytes the network may take; `None`: what the system has available.
    pub memory_limit: Option<u64>,
    /// Where populations run.
    pub backend: Backend,
}

/// Where populations run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Backend {
    /// Whatever suits the network and the machine: the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
}

impl Backend {
    /// What is used in the end, as the record of the run names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto | Self::Cpu => "cpu",
        }
    }
}

/// A finished (or interrupted) run.
#[derive(Clone)]
pub struct Run {
    /// What ran, how fast, what came out.
    pub record: RunRecord,
    /// Spikes and traces.
    pub recording: Recording,
    /// The plan that was run.
    pub plan: Arc<Plan>,
    /// What building found out.
    pub build: BuildReport,
    /// What stopped the run early, if anything did.
    pub stopped: Option<RunError>,
    /// Hash of final states and recorded spikes, in order: equal for equal bits.
    pub fingerprint: u64,
}

/// Why a network was not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunFailure {
    /// The description is wrong.
    #[error("{0}")]
    Network(#[from] NetworkErrors),
    /// It waits for values only a program can give.
    #[error(
        "inputs.{0}: an input gets its values from a program: build the network with \
         `Simulation::build` of the Rust library and call `Simulation::set_input`; a network that \
         runs by itself has stimuli instead"
    )]
    Input(String),
    /// It does not fit into memory.
    #[error("{0}")]
    Memory(#[from] MemoryError),
    /// It cannot be built.
    #[error("{0}")]
    Build(#[from] BuildError),
    /// Statistics cannot be computed.
    #[error("{0}")]
    Statistics(#[from] StatisticsError),
    /// A recording is inconsistent.
    #[error("{0}")]
    Spikes(#[from] rheobase_report::SpikesError),
}

/// What a progress callback is told.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Biological time done \[ms\].
    pub time_ms: f64,
    /// Biological time of the whole run \[ms\].
    pub end_ms: f64,
    /// Wall time spent simulating.
    pub wall: Duration,
}

/// Whether a run goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Continue {
    /// Yes.
    Yes,
    /// Stop here; what was recorded is kept.
    Stop,
}

/// Runs a network with the standard registry.
///
/// # Errors
/// If the description is wrong, too large, has inputs, or cannot be built. A run that fails half-way is no
/// error: [`Run::stopped`] says why and what was recorded is kept.
pub fn simulate(network: &Network, options: &RunOptions) -> Result<Run, RunFailure> {
    simulate_with(network, &crate::registry(), options, &mut |_| Continue::Yes)
}

/// Runs a network with components of `registry`, telling `progress` how far it is.
///
/// # Errors
/// As [`simulate`].
pub fn simulate_with(
    network: &Network,
    registry: &Registry,
    options: &RunOptions,
    progress: &mut dyn FnMut(Progress) -> Continue,
) -> Result<Run, RunFailure> {
    run_plan(network.resolve(registry)?, options, progress)
}

/// Runs a plan.
///
/// # Errors
/// As [`simulate`].
pub fn run_plan(
    plan: Plan,
    options: &RunOptions,
    progress: &mut dyn FnMut(Progress) -> Continue,
) -> Result<Run, RunFailure> {
    if let Some(input) = plan
        .nodes
        .iter()
        .find(|n| matches!(n.kind, NodeKind::Input(_)))
    {
        return Err(RunFailure::Input(input.name.clone()));
    }
    match plan.precision {
        Precision::F32 => run_in::<f32>(plan, options, progress),
        Precision::F64 => run_in::<f64>(plan, options, progress),
    }
}

/// Expected memory of a run of `plan` with these options: on its threads, with what is recorded
/// for the statistics.
#[must_use]
pub fn estimate(plan: &Plan, options: &RunOptions) -> MemoryEstimate {
    let mut plan = plan.clone();
    record_all_populations(&mut plan);
    plan.estimate_for(threads(&plan, options))
}

fn run_in<R: Instantiate>(
    mut plan: Plan,
    options: &RunOptions,
    progress: &mut dyn FnMut(Progress) -> Continue,
) -> Result<Run, RunFailure> {
    let monitored = plan.monitors.clone();
    record_all_populations(&mut plan);
    let threads = threads(&plan, options);
    let limit = options.memory_limit.or_else(available_memory);
    plan.estimate_for(threads)
        .check(limit.unwrap_or(u64::MAX))?;
    let plan = Arc::new(plan);
    let begun = Instant::now();
    let build_options = BuildOptions {
        threads,
        ..BuildOptions::default()
    };
    let mut simulation = Simulation::<R>::build(Arc::clone(&plan), build_options)?;
    let build_s = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let stopped = advance(&mut simulation, &plan, progress);
    let simulation_s = begun.elapsed().as_secs_f64();
    let mut recording = simulation.take_recording();
    let fingerprint = simulation.fingerprint(&recording);
    let timings = Timings {
        biological_s: seconds(&plan, simulation.now()),
        build_s,
        simulation_s,
    };
    let mut record = record(&plan, &simulation, &recording, timings, threads)?;
    options.backend.name().clone_into(&mut record.backend);
    // Populations nobody monitors were recorded for the statistics only.
    recording
        .spikes
        .retain(|(node, _)| monitored.contains(&Monitor::Spikes { node: *node }));
    let build = simulation.report().clone();
    Ok(Run {
        record,
        recording,
        plan,
        build,
        stopped,
        fingerprint,
    })
}

fn record_all_populations(plan: &mut Plan) {
    for (node, n) in plan.nodes.iter().enumerate() {
        let monitor = Monitor::Spikes { node };
        if matches!(n.kind, NodeKind::Population(_)) && !plan.monitors.contains(&monitor) {
            plan.monitors.push(monitor);
        }
    }
}

fn threads(plan: &Plan, options: &RunOptions) -> usize {
    match options.threads {
        0 => default_threads(plan),
        n => n,
    }
}

/// Worker threads where none are asked for: one per 2,500 neurons, at most the processor's. Below
/// that the exchange between threads costs more than it saves.
#[must_use]
pub fn default_threads(plan: &Plan) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let neurons: usize = plan
        .nodes
        .iter()
        .filter(|n| matches!(n.kind, NodeKind::Population(_)))
        .map(rheobase_engine::plan::Node::size)
        .sum();
    (neurons / 2500).clamp(1, cores)
}

/// Advances to the end in stretches of about a tenth of a second of wall time.
fn advance<R: Instantiate>(
    simulation: &mut Simulation<R>,
    plan: &Plan,
    progress: &mut dyn FnMut(Progress) -> Continue,
) -> Option<RunError> {
    let begun = Instant::now();
    let mut stretch = 100_u64;
    while simulation.now() < plan.steps {
        let from = Instant::now();
        let target = (simulation.now() + stretch).min(plan.steps);
        if let Err(error) = simulation.advance_to(target) {
            return Some(error);
        }
        match from.elapsed().as_millis() {
            0..50 => stretch = stretch.saturating_mul(2),
            50..200 => {}
            _ => stretch = (stretch / 2).max(1),
        }
        let report = Progress {
            time_ms: 1e3 * seconds(plan, simulation.now()),
            end_ms: 1e3 * seconds(plan, plan.steps),
            wall: begun.elapsed(),
        };
        if progress(report) == Continue::Stop {
            return None;
        }
    }
    None
}

#[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
fn seconds(plan: &Plan, steps: u64) -> f64 {
    steps as f64 * plan.dt_ms * 1e-3
}

fn record<R: Instantiate>(
    plan: &Plan,
    simulation: &Simulation<R>,
    recording: &Recording,
    timings: Timings,
    threads: usize,
) -> Result<RunRecord, RunFailure> {
    let mut populations = Vec::new();
    for (node, spikes) in &recording.spikes {
        if let NodeKind::Population(p) = &plan.nodes[*node].kind {
            let name = &plan.nodes[*node].name;
            let statistics = statistics(plan, *node, spikes, simulation.now())?;
            let mut entry = PopulationRecord::new(name, &statistics);
            entry.component = Some(p.model.clone());
            entry.integrator = Some(p.integrator.name().to_owned());
            entry.mode = Some(rheobase_report::Mode::Dense);
            entry.arithmetic = Some(rheobase_report::Arithmetic::Stepwise);
            entry.kernel = simulation
                .report()
                .kernels
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, kernel)| match *kernel {
                    "native" => Kernel::Native,
                    "block" => Kernel::Block,
                    _ => Kernel::Rust,
                });
            entry.state_dim = u32::try_from(p.neuron.ports().states.len()).ok();
            populations.push(entry);
        }
    }
    let mut record = RunRecord::new(timings, plan.dt_ms, populations);
    record.neurons = simulation.n_neurons() as u64;
    record.synapses = simulation.report().synapses.iter().sum();
    record.spikes = plan
        .nodes
        .iter()
        .zip(&recording.n_spikes)
        .filter(|(n, _)| matches!(n.kind, NodeKind::Population(_)))
        .map(|(_, s)| s)
        .sum();
    record.synaptic_events = recording.synaptic_events;
    record.threads = u32::try_from(threads).unwrap_or(u32::MAX);
    record.seed = plan.seed;
    record.precision = match plan.precision {
        Precision::F32 => rheobase_report::Precision::F32,
        Precision::F64 => rheobase_report::Precision::F64,
    };
    record.discard_s = seconds(plan, plan.discard_steps);
    record.interrupted = simulation.now() < plan.steps;
    record.rounded_delays = simulation.report().rounded_delays;
    record.raised_delays = simulation.report().raised_delays;
    Ok(record)
}

fn statistics(
    plan: &Plan,
    node: usize,
    spikes: &rheobase_engine::record::Spikes,
    now: u64,
) -> Result<Statistics, RunFailure> {
    let lanes = plan.nodes[node].size() * plan.batch;
    let spikes = Spikes::new(&spikes.steps, &spikes.neurons)?;
    let n = u32::try_from(lanes).unwrap_or(u32::MAX);
    let start = plan.discard_steps;
    if now <= start {
        // Stopped before the window began.
        return Ok(Statistics {
            n,
            spikes: 0,
            window_s: 0.0,
            rate_hz: 0.0,
            cv_isi: None,
            synchrony: None,
        });
    }
    Ok(summarise(spikes, n, plan.dt_ms, start, now)?)
}

/// Memory the system could give without swapping \[bytes\]; `None` where it does not tell.
#[must_use]
pub fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
