//! `rheobase run`.

pub(super) mod progress;
mod results;
mod summary;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use rheobase::engine::anchored::ModeChoice;
use rheobase::engine::plan::Plan;
use rheobase::report::ResultFolder;
use rheobase::run::{
    Backend, CHECKPOINT, Checkpoints, Continue, Output, RunOptions, run_plan_into,
};

use super::{Failure, NetworkArguments, print, time_ms};

/// Arguments of `rheobase run`.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  rheobase run examples/coba.toml --duration \"2 s\" --seed 7 --out results/coba\n\nWrites run.json, spikes.npz, raster.svg, raster.png and, of monitored states, traces.npz,\ntraces.svg, traces.png; of a SONATA network also spikes.h5 and its reports. Monitors that sample at other times go to traces_2.npz, traces_3.npz, …\nFiles of these names from an earlier run are removed. Ctrl-C stops the run and keeps what was recorded.\n\nWith --checkpoint-every, checkpoint.rheobase in the results folder is replaced whenever that much\nbiological time has passed, on Ctrl-C, and at the end:\n  rheobase run my.toml --out results/my --checkpoint-every \"1 s\"\n  rheobase run my.toml --resume results/my/checkpoint.rheobase\nThe resumed run ends with the results of one that was never stopped. The number of threads may\ndiffer, and the duration: a longer one extends a run. Anything else that differs is refused. The\nfolder keeps .rheobase-parts, spikes and traces so far, which a checkpoint needs; remove both when\nthe run is done.\n\nExit codes: 0 done or stopped by Ctrl-C, 1 the run failed (a state that blows up, a full disk), 2\nwrong input (also a damaged checkpoint, or one of another model)."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    network: NetworkArguments,
    /// Worker threads; by default one per 2,500 neurons, at most the processor's. Results are the
    /// same for any number.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Where populations run. `auto`: on a hardware GPU where an estimate finds it worth it, else on the
    /// processor; if the GPU fails, the run goes on on the processor. `gpu`: on any adapter.
    #[arg(long, value_enum, default_value = "auto")]
    backend: BackendArgument,
    /// With --backend gpu: an adapter whose name contains this text (`rheobase doctor` lists them).
    #[arg(long, value_name = "NAME")]
    adapter: Option<String>,
    /// With --backend gpu: if the GPU fails, go on on the processor.
    #[arg(long)]
    fallback: bool,
    /// How populations in anchored arithmetic advance: every neuron in every step, only those to which
    /// something happens, or whichever costs less. Results are the same; run.json tells what was
    /// chosen when.
    #[arg(long, value_enum, default_value = "auto")]
    mode: ModeArgument,
    /// Folder for results. By default results/NAME, which is written over; a folder named here must
    /// be new or empty.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write over the results in --out.
    #[arg(long)]
    overwrite: bool,
    /// Biological time between checkpoints, e.g. "1 s".
    #[arg(long, value_name = "TIME")]
    checkpoint_every: Option<String>,
    /// Continue from this checkpoint, in its folder. Checkpoints are written as often as before,
    /// unless --checkpoint-every says otherwise.
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    resume: Option<PathBuf>,
    /// Refuse to build a network that needs more memory than this, in GiB (default: what is
    /// available).
    #[arg(long, value_name = "GIB")]
    max_memory: Option<f64>,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
    /// No progress bar, no table.
    #[arg(long)]
    quiet: bool,
}

/// Values of `--mode`.
#[derive(Clone, Copy, clap::ValueEnum)]
enum ModeArgument {
    Auto,
    Dense,
    Sparse,
}

/// Values of `--backend`.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(super) enum BackendArgument {
    Auto,
    Cpu,
    Gpu,
}

impl BackendArgument {
    /// What goes with `gpu` alone is refused elsewhere.
    pub(super) fn check(self, adapter: Option<&str>, fallback: bool) -> Result<(), Failure> {
        let option = match (adapter, fallback) {
            _ if matches!(self, Self::Gpu) => return Ok(()),
            (Some(_), _) => "--adapter",
            (None, true) => "--fallback",
            (None, false) => return Ok(()),
        };
        Err(Failure::Input(format!("{option} goes with --backend gpu")))
    }
}

impl From<BackendArgument> for Backend {
    fn from(argument: BackendArgument) -> Self {
        match argument {
            BackendArgument::Auto => Self::Auto,
            BackendArgument::Cpu => Self::Cpu,
            BackendArgument::Gpu => Self::Gpu,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let loaded = arguments.network.load()?;
    let plan = loaded.plan;
    let options = options(arguments)?;
    let checkpoints = checkpoints(arguments, &plan, loaded.text)?;
    let interrupted = progress::watch_for_interrupt()?;
    // Before the network is built, so that nobody waits for results that cannot be kept.
    let folder = folder(arguments, &plan)?;
    let bar = progress::bar(arguments.quiet || arguments.json, &plan);
    let output = Output {
        folder: &folder,
        checkpoints: checkpoints.as_ref(),
    };
    let outcome = run_plan_into(plan, &options, output, &mut |progress| {
        progress::show(&bar, progress);
        if interrupted.load(Ordering::Acquire) {
            Continue::Stop
        } else {
            Continue::Yes
        }
    });
    bar.finish_and_clear();
    let (run, mut parts) = match outcome {
        Ok(run) => run,
        Err(failure) => {
            let path = folder.file(CHECKPOINT);
            let left = checkpoints.is_some() && path.is_file();
            folder.abandon();
            let path = left.then_some(path.as_path());
            return Err(with_checkpoint(arguments, failure.into(), path));
        }
    };
    let written = results::write(&run, &mut parts, &folder);
    #[cfg(feature = "hdf5")]
    let written = written.and_then(|()| match &loaded.sonata {
        Some(outputs) => super::sonata::write(outputs, &run, &mut parts, &folder),
        None => Ok(()),
    });
    // A checkpoint needs what was recorded before it.
    let removed = match checkpoints {
        Some(_) => Ok(()),
        None => parts.remove(),
    };
    if arguments.json {
        print(&format!("{}\n", run.record.to_json()))?;
    } else if !arguments.quiet {
        print(&summary::text(&run, folder.path()))?;
    }
    if run.record.interrupted
        && let Some(path) = &run.checkpoint
    {
        eprintln!("stopped; to continue: {}", resume_with(arguments, path));
    }
    written.map_err(|e| with_checkpoint(arguments, e, run.checkpoint.as_deref()))?;
    removed.map_err(|e| Failure::Run(format!("results: {e}")))?;
    match run.stopped {
        Some(error) => Err(Failure::Run(format!(
            "{error}\nwhat was recorded up to {} s is in {}",
            run.record.biological_s,
            folder.path().display()
        ))),
        None => Ok(()),
    }
}

/// The folder for results; that of the checkpoint, where a run is continued.
fn folder(arguments: &Arguments, plan: &Plan) -> Result<ResultFolder, Failure> {
    let Some(path) = &arguments.resume else {
        return results::folder(arguments.out.as_deref(), arguments.overwrite, &plan.name);
    };
    if !path.is_file() {
        return Err(Failure::Input(format!(
            "--resume {}: there is no such file",
            path.display()
        )));
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    results::folder(Some(parent), true, &plan.name)
}

fn checkpoints(
    arguments: &Arguments,
    plan: &Plan,
    model: String,
) -> Result<Option<Checkpoints>, Failure> {
    let every_steps = match &arguments.checkpoint_every {
        None => None,
        Some(text) => {
            let steps = (time_ms("--checkpoint-every", text)? / plan.dt_ms).round();
            if !(1.0..9e15).contains(&steps) {
                return Err(Failure::Input(format!(
                    "--checkpoint-every {text}: expected at least a step of {} ms",
                    plan.dt_ms
                )));
            }
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked to be in range"
            )]
            Some(steps as u64)
        }
    };
    let resume = arguments.resume.clone();
    Ok(
        (every_steps.is_some() || resume.is_some()).then_some(Checkpoints {
            model,
            every_steps,
            resume,
        }),
    )
}

/// A failure with what is left: the last checkpoint, if there is one.
fn with_checkpoint(arguments: &Arguments, failure: Failure, path: Option<&Path>) -> Failure {
    match (failure, path) {
        (Failure::Run(message), Some(path)) => Failure::Run(format!(
            "{message}\nthe last checkpoint is valid; to continue from it: {}",
            resume_with(arguments, path)
        )),
        (other, _) => other,
    }
}

fn resume_with(arguments: &Arguments, path: &Path) -> String {
    format!(
        "rheobase run {} --resume {}",
        arguments.network.file,
        path.display()
    )
}

fn options(arguments: &Arguments) -> Result<RunOptions, Failure> {
    arguments
        .backend
        .check(arguments.adapter.as_deref(), arguments.fallback)?;
    Ok(RunOptions {
        threads: arguments.threads.map_or(0, usize::from),
        memory_limit: memory_limit(arguments)?,
        backend: arguments.backend.into(),
        adapter: arguments.adapter.clone(),
        fallback: arguments.fallback,
        mode: match arguments.mode {
            ModeArgument::Auto => ModeChoice::Auto,
            ModeArgument::Dense => ModeChoice::Dense,
            ModeArgument::Sparse => ModeChoice::Sparse,
        },
        keep_recording: false,
        ..RunOptions::default()
    })
}

fn memory_limit(arguments: &Arguments) -> Result<Option<u64>, Failure> {
    match arguments.max_memory {
        None => Ok(None),
        Some(gib) if gib > 0.0 && gib < 1e9 =>
        {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "positive and below 2^60"
            )]
            Ok(Some((gib * 1024.0 * 1024.0 * 1024.0) as u64))
        }
        Some(gib) => Err(Failure::Input(format!(
            "--max-memory {gib}: expected a positive number"
        ))),
    }
}
