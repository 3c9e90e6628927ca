//! Running a network to its end: progress, interruption, statistics, the record of the run.

mod backend;
mod checkpoint;
mod collect;
mod job;
mod record;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use backend::Backend;
pub use checkpoint::CheckpointFailure;

use rheobase_engine::actor::RunError;
use rheobase_engine::anchored::ModeChoice;
use rheobase_engine::build::{BuildError, BuildReport};
use rheobase_engine::network::{MemoryError, MemoryEstimate, MemoryPart, Network, NetworkErrors};
use rheobase_engine::plan::{Monitor, NodeKind, Plan};
use rheobase_engine::port::Registry;
use rheobase_engine::simulation::Recording;
use rheobase_equations::real::Precision;
use rheobase_report::npz::NpzError;
use rheobase_report::statistics::StatisticsError;
use rheobase_report::stream::PartFiles;
use rheobase_report::{FileError, ResultFolder, RunRecord};

/// How a network is run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Worker threads; 0 chooses by size ([`default_threads`]). Results do not depend on it.
    pub threads: usize,
    /// Bytes the network may take; `None`: what the system has available.
    pub memory_limit: Option<u64>,
    /// Where populations run.
    pub backend: Backend,
    /// With [`Backend::Gpu`]: an adapter whose name contains this text; any if not given.
    pub adapter: Option<String>,
    /// With [`Backend::Gpu`]: the device, where it is open already.
    #[cfg(feature = "gpu")]
    pub device: Option<rheobase_engine::backend::gpu::GpuDevice>,
    /// With [`Backend::Gpu`]: if the device fails, the run goes on on the processor, as with
    /// [`Backend::Auto`].
    pub fallback: bool,
    /// How populations in anchored arithmetic are advanced; results do not depend on it.
    pub mode: ModeChoice,
    /// Keep what monitors record in memory, for [`Run::recording`]; so it is unless set. Without,
    /// memory does not grow with the length of a run.
    pub keep_recording: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            threads: 0,
            memory_limit: None,
            backend: Backend::default(),
            adapter: None,
            #[cfg(feature = "gpu")]
            device: None,
            fallback: false,
            mode: ModeChoice::Auto,
            keep_recording: true,
        }
    }
}

/// A finished (or interrupted) run.
#[derive(Clone)]
pub struct Run {
    /// What ran, how fast, what came out.
    pub record: RunRecord,
    /// Spikes and traces of the monitors, if they were to be kept; counts in any case.
    pub recording: Recording,
    /// The plan that was run.
    pub plan: Arc<Plan>,
    /// What building found out.
    pub build: BuildReport,
    /// The checkpoint that was written last.
    pub checkpoint: Option<PathBuf>,
    /// What stopped the run early, if anything did.
    pub stopped: Option<RunError>,
    /// Hash of final states and of the spikes of all populations and monitored stimuli, in order:
    /// equal for equal bits.
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
    /// There is no device to run on, or it does not suit the network.
    #[error("the GPU backend: {0}; --backend cpu runs on the processor")]
    Device(String),
    /// Statistics cannot be computed.
    #[error("{0}")]
    Statistics(#[from] StatisticsError),
    /// A recording is inconsistent.
    #[error("{0}")]
    Spikes(#[from] rheobase_report::SpikesError),
    /// What was recorded cannot be kept: the disk is full, say.
    #[error("results: {0}")]
    Output(#[from] NpzError),
    /// A checkpoint cannot be written, or not be continued from.
    #[error("{0}")]
    Checkpoint(Box<CheckpointFailure>),
}

impl From<CheckpointFailure> for RunFailure {
    fn from(failure: CheckpointFailure) -> Self {
        Self::Checkpoint(Box::new(failure))
    }
}

impl From<FileError> for RunFailure {
    fn from(error: FileError) -> Self {
        Self::Output(error.into())
    }
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

/// Runs a plan. Statistics are taken while it runs; what monitors record is kept in memory where
/// [`RunOptions::keep_recording`] says so.
///
/// # Errors
/// As [`simulate`].
pub fn run_plan(
    plan: Plan,
    options: &RunOptions,
    progress: &mut dyn FnMut(Progress) -> Continue,
) -> Result<Run, RunFailure> {
    Ok(start(plan, options, None, progress)?.0)
}

/// Where the results of a run go while it runs, and how it can be continued.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// The folder.
    pub folder: &'a ResultFolder,
    /// Checkpoints, if they are wanted.
    pub checkpoints: Option<&'a Checkpoints>,
}

/// Checkpoints of a run: from the last one it can be continued, with the same results, on any number
/// of threads.
#[derive(Clone, Debug, Default)]
pub struct Checkpoints {
    /// All that results depend on but the duration, as text, a line each. A run is continued only
    /// where this is the same.
    pub model: String,
    /// Steps between two checkpoints; `None`: as before where a run is continued, else at its end
    /// alone.
    pub every_steps: Option<u64>,
    /// The checkpoint to continue from, in the folder of the results.
    pub resume: Option<PathBuf>,
}

/// Name of the checkpoint in the folder of the results.
pub const CHECKPOINT: &str = "checkpoint.rheobase";

/// Runs a plan; what monitors record goes to columns in the folder of `output` while it runs. From
/// them the archives are written afterwards ([`PartFiles::write_spikes`],
/// [`PartFiles::write_traces`]).
///
/// With checkpoints, one is written whenever the interval has passed, at the end, and when
/// `progress` stops the run; the one before stays until the next is in its place.
///
/// # Errors
/// As [`simulate`]; when results or a checkpoint cannot be written (the disk is full, say), the
/// last checkpoint stays valid; when a checkpoint cannot be continued from.
pub fn run_plan_into(
    plan: Plan,
    options: &RunOptions,
    output: Output<'_>,
    progress: &mut dyn FnMut(Progress) -> Continue,
) -> Result<(Run, PartFiles), RunFailure> {
    let (folder, lasting) = (output.folder, output.checkpoints.is_some());
    let outcome = start(plan, options, Some(output), progress);
    if outcome.is_err() && !lasting {
        // The failure is what matters; columns left behind are removed by the next run.
        let _ = PartFiles::discard(folder);
    }
    let (run, parts) = outcome?;
    let parts = parts.ok_or_else(|| NpzError::Missing {
        path: folder.path().to_owned(),
        name: "the columns of the run".to_owned(),
    })?;
    Ok((run, parts))
}

fn start(
    plan: Plan,
    options: &RunOptions,
    output: Option<Output<'_>>,
    progress: &mut dyn FnMut(Progress) -> Continue,
) -> Result<(Run, Option<PartFiles>), RunFailure> {
    if let Some(input) = plan
        .nodes
        .iter()
        .find(|n| matches!(n.kind, NodeKind::Input(_)))
    {
        return Err(RunFailure::Input(input.name.clone()));
    }
    match plan.precision {
        Precision::F32 => {
            let place = backend::choose_f32(&plan, options, threads(&plan, options))?;
            job::run_in(plan, options, place, output, progress)
        }
        Precision::F64 => {
            let place = backend::choose_f64(options)?;
            job::run_in(plan, options, place, output, progress)
        }
    }
}

/// Bytes that recordings take at most where they go to disk or are dropped: those of a stretch of
/// the run.
const STRETCH_BYTES: u64 = 64 << 20;

/// Bytes per neuron that statistics take.
const STATISTICS_BYTES: u64 = 48;

/// Expected memory of a run of `plan` with these options: on its threads, with the statistics, and
/// with what monitors record as far as it is kept.
#[must_use]
pub fn estimate(plan: &Plan, options: &RunOptions) -> MemoryEstimate {
    let mut plan = plan.clone();
    let threads = threads(&plan, options);
    let mut recorded = plan.clone();
    record_all_populations(&mut recorded);
    let recorded = recorded.estimate_for(threads).bytes;
    if !options.keep_recording {
        plan.monitors.clear();
    }
    let mut estimate = plan.estimate_for(threads);
    let mut add = |name: &str, bytes: u64| {
        estimate.bytes = estimate.bytes.saturating_add(bytes);
        estimate.parts.push(MemoryPart {
            name: name.to_owned(),
            bytes,
        });
    };
    add(
        "recordings under way",
        recorded
            .saturating_sub(plan.estimate_for(threads).bytes)
            .min(STRETCH_BYTES),
    );
    let populations = plan
        .nodes
        .iter()
        .filter(|n| matches!(n.kind, NodeKind::Population(_)));
    let neurons: u64 = populations.map(|n| (n.size() * plan.batch) as u64).sum();
    add("statistics", neurons.saturating_mul(STATISTICS_BYTES));
    estimate
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

#[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
fn seconds(plan: &Plan, steps: u64) -> f64 {
    steps as f64 * plan.dt_ms * 1e-3
}

/// Memory the system could give without swapping \[bytes\]; `None` where it does not tell.
#[must_use]
pub fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
