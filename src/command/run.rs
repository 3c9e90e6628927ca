//! `rheobase run`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use rheobase::engine::network::readable_bytes;
use rheobase::engine::plan::Plan;
use rheobase::engine::record::Trace;
use rheobase::report::plot::{Raster, Series, TracePanel, TracePlot};
use rheobase::report::{FileError, PopulationSpikes, ResultFolder, Spikes, npz, table};
use rheobase::run::{Backend, Continue, Progress, Run, RunOptions, run_plan};

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
    let interrupted = watch_for_interrupt()?;
    // Before the network is built, so that nobody waits for results that cannot be kept.
    let folder = result_folder(arguments, &plan)?;
    let bar = progress_bar(arguments, &plan);
    let outcome = run_plan(plan, &options, &mut |progress| {
        show(&bar, progress);
        if interrupted.load(Ordering::Acquire) {
            Continue::Stop
        } else {
            Continue::Yes
        }
    });
    bar.finish_and_clear();
    let run = match outcome {
        Ok(run) => run,
        Err(failure) => {
            folder.abandon();
            return Err(failure.into());
        }
    };
    let written = write_results(&run, &folder);
    if arguments.json {
        print(&format!("{}\n", run.record.to_json()))?;
    } else if !arguments.quiet {
        print(&summary(&run, &folder))?;
    }
    written?;
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

fn result_folder(arguments: &Arguments, plan: &Plan) -> Result<ResultFolder, Failure> {
    let (path, overwrite) = match &arguments.out {
        Some(path) => (path.clone(), arguments.overwrite),
        None => (PathBuf::from("results").join(file_name(&plan.name)), true),
    };
    ResultFolder::create(&path, overwrite).map_err(|e| {
        let advice = match e {
            FileError::NotEmpty { .. } => " (--overwrite writes over it)",
            _ => "",
        };
        Failure::Input(format!("--out: {e}{advice}"))
    })
}

/// The network's name with everything but letters, digits, `-` and `_` replaced.
fn file_name(name: &str) -> String {
    let name: String = name
        .chars()
        .take(64)
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect();
    if name.is_empty() {
        "network".to_owned()
    } else {
        name
    }
}

fn progress_bar(arguments: &Arguments, plan: &Plan) -> ProgressBar {
    if arguments.quiet || arguments.json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} [{wide_bar}] {percent:>3} %, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(plan.steps)
        .with_style(style)
        .with_message("building")
}

fn show(bar: &ProgressBar, progress: Progress) {
    let fraction = progress.time_ms / progress.end_ms.max(f64::MIN_POSITIVE);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a fraction of the length of the bar"
    )]
    bar.set_position((fraction * bar.length().unwrap_or(0) as f64) as u64);
    let factor = progress.wall.as_secs_f64() / (progress.time_ms * 1e-3);
    bar.set_message(format!(
        "{:.1} of {:.1} s, {factor:.3} s per biological second",
        progress.time_ms * 1e-3,
        progress.end_ms * 1e-3
    ));
}

/// Set by the first Ctrl-C; the second ends the process.
fn watch_for_interrupt() -> Result<Arc<AtomicBool>, Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::AcqRel) {
            std::process::exit(130);
        }
    })
    .map_err(|e| Failure::Run(format!("signal handler: {e}")))?;
    Ok(interrupted)
}

fn summary(run: &Run, folder: &ResultFolder) -> String {
    let record = &run.record;
    let mut text = table::populations(&record.populations);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let stopped = if record.interrupted {
        " (interrupted)"
    } else {
        ""
    };
    text.push_str(&format!(
        "\n{} neurons, {} synapses; {} s simulated{stopped} in {:.3} s on {} thread{}: {:.3} s per biological second\n",
        table::grouped(record.neurons),
        table::grouped(record.synapses),
        record.biological_s,
        record.simulation_s,
        record.threads,
        if record.threads == 1 { "" } else { "s" },
        record.real_time_factor,
    ));
    text.push_str(&format!(
        "{} synaptic events, built in {:.3} s, peak memory {}\n",
        table::grouped(record.synaptic_events),
        record.build_s,
        readable_bytes(record.peak_rss_bytes),
    ));
    for warning in &run.plan.warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    if record.rounded_delays > 0 {
        text.push_str(&format!(
            "{} rounded to the grid of {} ms\n",
            delays(record.rounded_delays),
            record.dt_ms
        ));
    }
    if record.raised_delays > 0 {
        text.push_str(&format!(
            "{} raised to one step of {} ms, the least on a cycle\n",
            delays(record.raised_delays),
            record.dt_ms
        ));
    }
    text.push_str(&format!("results: {}\n", folder.path().display()));
    text
}

fn delays(n: u64) -> String {
    match n {
        1 => "1 delay was".to_owned(),
        n => format!("{} delays were", table::grouped(n)),
    }
}

/// Whether `rheobase run` writes files of this name.
fn is_result(name: &str) -> bool {
    let Some((stem, extension)) = name.rsplit_once('.') else {
        return false;
    };
    let plot = matches!(extension, "svg" | "png");
    match stem {
        "run" => extension == "json",
        "spikes" => extension == "npz",
        "raster" => plot,
        _ => is_traces(stem) && (plot || extension == "npz"),
    }
}

/// `traces`, `traces_2`, `traces_3`, …
fn is_traces(stem: &str) -> bool {
    stem.strip_prefix("traces").is_some_and(|rest| {
        rest.is_empty()
            || rest.strip_prefix('_').is_some_and(|number| {
                !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
            })
    })
}

fn write_results(run: &Run, folder: &ResultFolder) -> Result<(), Failure> {
    let fail = |e: &dyn std::fmt::Display| Failure::Run(format!("results: {e}"));
    folder.clear(is_result).map_err(|e| fail(&e))?;
    run.record.write(folder).map_err(|e| fail(&e))?;
    let mut populations = Vec::new();
    for (node, spikes) in &run.recording.spikes {
        let node = &run.plan.nodes[*node];
        populations.push(PopulationSpikes {
            name: &node.name,
            size: u32::try_from(node.size() * run.plan.batch).unwrap_or(u32::MAX),
            spikes: Spikes::new(&spikes.steps, &spikes.neurons).map_err(|e| fail(&e))?,
        });
    }
    let dt_ms = run.plan.dt_ms;
    if !populations.is_empty() {
        npz::write_spikes(
            &folder.file("spikes.npz"),
            dt_ms,
            &populations,
            npz::Stamp::Step,
        )
        .map_err(|e| fail(&e))?;
        let last = last_step(run);
        if last > 0 {
            let raster = Raster::new(
                &run.plan.name,
                dt_ms,
                raster_start(run, last),
                last,
                &populations,
            );
            raster
                .draw()
                .and_then(|f| f.write(folder, "raster"))
                .map_err(|e| fail(&e))?;
        }
    }
    write_traces(run, folder)
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole steps"
)]
fn last_step(run: &Run) -> u64 {
    (run.record.biological_s * 1e3 / run.plan.dt_ms).round() as u64
}

/// A raster shows the last second at most: more is a grey wall.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole steps"
)]
fn raster_start(run: &Run, last: u64) -> u64 {
    last.saturating_sub((1000.0 / run.plan.dt_ms).round() as u64)
}

/// Traces that share times go into one archive, and into one drawing beside it.
fn write_traces(run: &Run, folder: &ResultFolder) -> Result<(), Failure> {
    let fail = |e: &dyn std::fmt::Display| Failure::Run(format!("traces: {e}"));
    let mut groups: BTreeMap<&[u64], Vec<&Trace>> = BTreeMap::new();
    for trace in run
        .recording
        .traces
        .iter()
        .filter(|t| !t.steps.is_empty() && !t.neurons.is_empty())
    {
        groups.entry(&trace.steps).or_default().push(trace);
    }
    for (k, (steps, traces)) in groups.into_iter().enumerate() {
        let stem = if k == 0 {
            "traces".to_owned()
        } else {
            format!("traces_{}", k + 1)
        };
        #[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
        let times: Vec<f64> = steps.iter().map(|&s| s as f64 * run.plan.dt_ms).collect();
        let columns: Vec<npz::Trace<'_>> = traces
            .iter()
            .map(|t| npz::Trace {
                population: &run.plan.nodes[t.node].name,
                variable: &t.variable,
                neurons: &t.neurons,
                values: npz::TraceValues::F64(&t.values),
            })
            .collect();
        npz::write_traces(
            &folder.file(&format!("{stem}.npz")),
            run.plan.dt_ms,
            &times,
            &columns,
        )
        .map_err(|e| fail(&e))?;
        draw_traces(run, folder, &stem, &times, &traces)?;
    }
    Ok(())
}

/// Lines drawn of each variable.
const MAX_LINES: usize = 5;

fn draw_traces(
    run: &Run,
    folder: &ResultFolder,
    stem: &str,
    times: &[f64],
    traces: &[&Trace],
) -> Result<(), Failure> {
    let mut labels = Vec::new();
    let mut lines: Vec<Vec<(String, Vec<f64>)>> = Vec::new();
    for trace in traces {
        let name = &run.plan.nodes[trace.node].name;
        labels.push(format!("{name} {} ({})", trace.variable, trace.unit));
        let columns = trace.neurons.iter().take(MAX_LINES).enumerate();
        lines.push(
            columns
                .map(|(c, n)| {
                    let values = trace.values.iter().skip(c).step_by(trace.neurons.len());
                    (format!("neuron {n}"), values.copied().collect())
                })
                .collect(),
        );
    }
    let panels: Vec<TracePanel<'_>> = labels
        .iter()
        .zip(&lines)
        .map(|(label, lines)| TracePanel {
            label,
            series: lines
                .iter()
                .map(|(label, values)| Series { label, values })
                .collect(),
        })
        .collect();
    TracePlot {
        title: &run.plan.name,
        time_ms: times,
        panels: &panels,
    }
    .draw()
    .and_then(|f| f.write(folder, stem))
    .map_err(|e| Failure::Run(format!("traces: {e}")))?;
    Ok(())
}
