//! `rheobase run`.

mod progress;
mod results;
mod summary;

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use rheobase::run::{Backend, Continue, RunOptions, run_plan_into};

use super::{Failure, NetworkArguments, print};

/// Arguments of `rheobase run`.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  rheobase run examples/coba.toml --duration \"2 s\" --seed 7 --out results/coba\n\nWrites run.json, spikes.npz, raster.svg, raster.png and, of monitored states, traces.npz,\ntraces.svg, traces.png. Monitors that sample at other times go to traces_2.npz, traces_3.npz, …\nFiles of these names from an earlier run are removed. Ctrl-C stops the run and keeps what was recorded."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    network: NetworkArguments,
    /// Worker threads; by default one per 2,500 neurons, at most the processor's. Results are the
    /// same for any number.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Where populations run. `auto` is `cpu`.
    #[arg(long, value_enum, default_value = "auto")]
    backend: BackendArgument,
    /// Folder for results. By default results/NAME, which is written over; a folder named here must
    /// be new or empty.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write over the results in --out.
    #[arg(long)]
    overwrite: bool,
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

/// Values of `--backend`.
#[derive(Clone, Copy, clap::ValueEnum)]
enum BackendArgument {
    Auto,
    Cpu,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plan = arguments.network.resolve()?;
    let options = options(arguments)?;
    let interrupted = progress::watch_for_interrupt()?;
    // Before the network is built, so that nobody waits for results that cannot be kept.
    let folder = results::folder(arguments.out.as_deref(), arguments.overwrite, &plan.name)?;
    let bar = progress::bar(arguments.quiet || arguments.json, &plan);
    let outcome = run_plan_into(plan, &options, &folder, &mut |progress| {
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
            folder.abandon();
            return Err(failure.into());
        }
    };
    let written = results::write(&run, &mut parts, &folder);
    let removed = parts.remove();
    if arguments.json {
        print(&format!("{}\n", run.record.to_json()))?;
    } else if !arguments.quiet {
        print(&summary::text(&run, folder.path()))?;
    }
    written?;
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

fn options(arguments: &Arguments) -> Result<RunOptions, Failure> {
    Ok(RunOptions {
        threads: arguments.threads.map_or(0, usize::from),
        memory_limit: memory_limit(arguments)?,
        backend: match arguments.backend {
            BackendArgument::Auto => Backend::Auto,
            BackendArgument::Cpu => Backend::Cpu,
        },
        keep_recording: false,
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
