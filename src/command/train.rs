//! `rheobase train` and `rheobase eval`.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use rheobase::report::ResultFolder;
use rheobase::run::Continue;
use rheobase::train::{
    TrainFailure, TrainOptions, TrainProgress, TrainingFile, WEIGHTS, evaluate, train as train_file,
};

use super::run::BackendArgument;
use super::run::progress::watch_for_interrupt;
use super::{Failure, print};

/// Arguments of `rheobase train`.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  rheobase train examples/digits.toml --epochs 5 --out results/digits\n  rheobase train examples/digits.toml --resume results/digits/weights.safetensors --epochs 20\n\nFILE is a network file with a table [training] (docs/training.md). Writes weights.safetensors\n(parameters and all that is needed to continue), metrics.jsonl, tensorboard/, learning_curve.svg and\n.png, confusion.svg and .png, train.json. Ctrl-C stops and keeps what was learned.\n\nA resumed run ends with the bits of one that was never stopped; only epochs and threads may change.\n\nExit codes: 0 done or stopped by Ctrl-C, 1 training failed (a number blows up, a full disk), 2 wrong\ninput."
)]
pub(crate) struct Arguments {
    /// Network with a table [training]: TOML, or JSON by its extension.
    file: PathBuf,
    /// Epochs, instead of those of the file.
    #[arg(long)]
    epochs: Option<u64>,
    /// Samples of a batch, instead of those of the file.
    #[arg(long)]
    batch: Option<usize>,
    /// Data, instead of those of the file.
    #[arg(long)]
    data: Option<String>,
    /// Seed of every random stream.
    #[arg(long)]
    seed: Option<u64>,
    /// Threads; by default the processor's. Results are the same for any number.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Where passes run. `auto`: on a hardware GPU where an estimate finds it worth it, else on the
    /// processor; if the GPU fails, the processor goes on. `gpu`: on any adapter.
    #[arg(long, value_enum, default_value = "auto")]
    backend: BackendArgument,
    /// With --backend gpu: an adapter whose name contains this text (`rheobase doctor` lists them).
    #[arg(long, value_name = "NAME")]
    adapter: Option<String>,
    /// With --backend gpu: if the GPU fails, go on on the processor.
    #[arg(long)]
    fallback: bool,
    /// Folder for results. By default results/NAME, which is written over; a folder named here must be
    /// new or empty.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write over the results in --out.
    #[arg(long)]
    overwrite: bool,
    /// Continue from this file, in its folder.
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    resume: Option<PathBuf>,
    /// Seconds between checkpoints within an epoch.
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    checkpoint_every: u64,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
    /// No progress bar, no lines.
    #[arg(long)]
    quiet: bool,
}

/// Arguments of `rheobase eval`.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  rheobase eval examples/digits.toml --weights results/digits/weights.safetensors\n\nExit codes: 0 done, 2 wrong input."
)]
pub(crate) struct EvalArguments {
    /// Network with a table [training].
    file: PathBuf,
    /// Weights that `rheobase train` wrote.
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// Data, instead of those of the file.
    #[arg(long)]
    data: Option<String>,
    /// Threads; by default the processor's.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
}

impl From<TrainFailure> for Failure {
    fn from(failure: TrainFailure) -> Self {
        let message = failure.to_string();
        if failure.is_input() {
            Self::Input(message)
        } else {
            Self::Run(message)
        }
    }
}

fn threads(given: Option<u16>) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    given.map_or(processors, usize::from)
}

pub(crate) fn train(arguments: &Arguments) -> Result<(), Failure> {
    arguments
        .backend
        .check(arguments.adapter.as_deref(), arguments.fallback)?;
    let mut file = TrainingFile::from_path(&arguments.file)?;
    if let Some(epochs) = arguments.epochs {
        file.settings.epochs = epochs;
    }
    if let Some(batch) = arguments.batch {
        file.settings.batch = batch;
    }
    if let Some(data) = &arguments.data {
        file.settings.data = data.as_str().into();
    }
    if let Some(seed) = arguments.seed {
        file.network.set("seed", &seed.to_string())?;
    }
    let options = TrainOptions {
        threads: threads(arguments.threads),
        checkpoint_every: Duration::from_secs(arguments.checkpoint_every),
        resume: arguments.resume.clone(),
        backend: arguments.backend.into(),
        adapter: arguments.adapter.clone(),
        fallback: arguments.fallback,
        ..TrainOptions::default()
    };
    let name = file.network.resolve(&rheobase::registry())?.name;
    let interrupted = watch_for_interrupt()?;
    let folder = folder(arguments, &name)?;
    let bar = bar(arguments.quiet || arguments.json);
    let quiet = arguments.quiet || arguments.json;
    let outcome = train_file(
        &file,
        &rheobase::registry(),
        &options,
        &folder,
        &mut |progress| {
            show(&bar, &progress, quiet);
            if interrupted.load(Ordering::Acquire) {
                Continue::Stop
            } else {
                Continue::Yes
            }
        },
    );
    bar.finish_and_clear();
    let record = match outcome {
        Ok(record) => record,
        Err(failure) => {
            if !folder.file(WEIGHTS).is_file() {
                folder.abandon();
            }
            return Err(failure.into());
        }
    };
    if arguments.json {
        let json = serde_json::to_string(&record).unwrap_or_default();
        return print(&format!("{json}\n"));
    }
    if !arguments.quiet {
        let mut text = format!(
            "{}: {} epochs, {} batches, {:.1} s; test loss {:.4}, test accuracy {:.2} %\nresults in {}\n",
            record.name,
            record.epochs,
            record.batches,
            record.seconds,
            record.test_loss,
            100.0 * record.test_accuracy,
            folder.path().display()
        );
        for warning in &record.warnings {
            text.push_str(&format!("note: {warning}\n"));
        }
        print(&text)?;
    }
    if record.interrupted {
        eprintln!(
            "stopped; to continue: rheobase train {} --resume {}",
            arguments.file.display(),
            folder.file(WEIGHTS).display()
        );
    }
    Ok(())
}

fn folder(arguments: &Arguments, name: &str) -> Result<ResultFolder, Failure> {
    let input = |e: rheobase::report::FileError| Failure::Input(e.to_string());
    if let Some(checkpoint) = &arguments.resume {
        let parent = checkpoint.parent().filter(|p| !p.as_os_str().is_empty());
        let parent = parent.unwrap_or_else(|| Path::new("."));
        return ResultFolder::create(parent, true).map_err(input);
    }
    match &arguments.out {
        Some(path) => ResultFolder::create(path, arguments.overwrite).map_err(input),
        None => ResultFolder::create(&Path::new("results").join(name), true).map_err(input),
    }
}

fn bar(hidden: bool) -> ProgressBar {
    if hidden {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} [{wide_bar}] {percent:>3} %, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(1).with_style(style)
}

fn show(bar: &ProgressBar, progress: &TrainProgress<'_>, quiet: bool) {
    bar.set_length(progress.epochs * progress.batches);
    bar.set_position(progress.epoch * progress.batches + progress.batch);
    bar.set_message(format!(
        "epoch {} of {}: loss {:.4}, accuracy {:.1} %, {:.0} samples/s",
        progress.epoch + 1,
        progress.epochs,
        progress.loss,
        100.0 * progress.accuracy,
        progress.samples_per_second
    ));
    if let Some(line) = progress.line
        && !quiet
    {
        bar.suspend(|| eprintln!("{line}"));
    }
}

pub(crate) fn eval(arguments: &EvalArguments) -> Result<(), Failure> {
    let mut file = TrainingFile::from_path(&arguments.file)?;
    if let Some(data) = &arguments.data {
        file.settings.data = data.as_str().into();
    }
    let registry = rheobase::registry();
    let threads = threads(arguments.threads);
    let record = evaluate(&file, &registry, &arguments.weights, threads)?;
    if arguments.json {
        let json = serde_json::to_string(&record).unwrap_or_default();
        return print(&format!("{json}\n"));
    }
    let mut text = format!(
        "{}: {} samples, loss {:.4}, accuracy {:.2} %, {:.2} s\n",
        record.data,
        record.samples,
        record.loss,
        100.0 * record.accuracy,
        record.seconds
    );
    text.push_str("label: samples by predicted class\n");
    for (label, row) in record.confusion.chunks(record.classes.max(1)).enumerate() {
        let row: Vec<String> = row.iter().map(|n| format!("{n:>5}")).collect();
        text.push_str(&format!("{label:>5}: {}\n", row.join("")));
    }
    print(&text)
}
