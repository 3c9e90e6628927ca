//! `rheobase analyze`.

#[cfg(feature = "hdf5")]
mod sonata;
mod source;
mod table;
mod write;

use std::path::{Path, PathBuf};

use rheobase::report::ResultFolder;
use rheobase::report::analysis::{AnalysisOptions, PopulationAnalysis, analyse};
use rheobase::run::available_memory;

use super::{Failure, print, time_ms};
use source::Opened;

/// Arguments of `rheobase analyze`.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  rheobase analyze results/microcircuit --discard \"0.5 s\" --bin \"2 ms\"\n\nWrites analysis.json and, as SVG and PNG, raster (the last second), rates, cv and spectrum.\ndocs/results.md defines every figure. Spikes are read in blocks: memory does not grow with their\nnumber."
)]
pub(crate) struct Arguments {
    /// Folder with the results of a run (spikes.npz), or with spikes in the SONATA format
    /// (spikes.h5).
    folder: PathBuf,
    /// Time from the start left out, e.g. "0.5 s"; by default what the run left out.
    #[arg(long, value_name = "TIME")]
    discard: Option<String>,
    /// Bins of the correlation of spike counts, a whole number of steps.
    #[arg(long, value_name = "TIME", default_value = "2 ms")]
    bin: String,
    /// Step that spike times of a SONATA file are rounded to; by default what run.json tells, else
    /// 0.1 ms.
    #[arg(long, value_name = "TIME")]
    dt: Option<String>,
    /// Folder for tables and plots; by default that of the spikes.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Also write the spikes of each population as a table, POPULATION.csv, all of them.
    #[arg(long)]
    csv: bool,
    /// Print one JSON object, the content of analysis.json, and nothing else.
    #[arg(long)]
    json: bool,
}

/// What was analysed, for those who write it down.
pub(crate) struct Analysed {
    pub(crate) title: String,
    pub(crate) options: AnalysisOptions,
    pub(crate) populations: Vec<PopulationAnalysis>,
}

pub(crate) fn analyze(arguments: &Arguments) -> Result<(), Failure> {
    let dt_ms = arguments.dt.as_ref();
    let dt_ms = dt_ms.map(|text| time_ms("--dt", text)).transpose()?;
    let mut opened = source::open(&arguments.folder, dt_ms)?;
    let options = options(arguments, &mut opened)?;
    let path = arguments.out.as_deref().unwrap_or(&arguments.folder);
    let folder = ResultFolder::create(path, true).map_err(|e| Failure::Input(e.to_string()))?;
    let mut populations = Vec::new();
    for source in &mut opened.populations {
        let analysis =
            analyse(source.as_mut(), &options).map_err(|e| Failure::Input(e.to_string()))?;
        populations.push(analysis);
    }
    let analysed = Analysed {
        title: opened.title.clone(),
        options,
        populations,
    };
    let object = write::json(&analysed);
    write::files(&analysed, &object, &mut opened, &folder)?;
    if arguments.csv {
        table::write(&mut opened, &folder)?;
    }
    if arguments.json {
        print(&format!("{object}\n"))
    } else {
        print(&write::table(&analysed, folder.path()))
    }
}

fn options(arguments: &Arguments, opened: &mut Opened) -> Result<AnalysisOptions, Failure> {
    let dt_ms = opened.dt_ms;
    let start_step = match &arguments.discard {
        Some(text) => whole_steps("--discard", text, dt_ms, 0)?,
        None => opened.discard_steps,
    };
    let end_step = match opened.end_step {
        Some(step) => step,
        None => opened.last_spike()?,
    };
    if end_step <= start_step {
        return Err(Failure::Input(format!(
            "--discard: nothing is left of {} ms",
            ms(end_step, dt_ms)
        )));
    }
    Ok(AnalysisOptions {
        dt_ms,
        start_step,
        end_step,
        bin_steps: whole_steps("--bin", &arguments.bin, dt_ms, 1)?,
        memory_limit: available_memory().unwrap_or(u64::MAX),
    })
}

/// A time given on the command line as a number of steps, at least `least`.
fn whole_steps(option: &str, text: &str, dt_ms: f64, least: u64) -> Result<u64, Failure> {
    let steps = time_ms(option, text)? / dt_ms;
    let whole = steps.round();
    if (steps - whole).abs() > 1e-6 * whole.max(1.0) {
        return Err(Failure::Input(format!(
            "{option} {text}: expected a whole number of steps of {dt_ms} ms"
        )));
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be in range"
    )]
    let n = if (0.0..9e15).contains(&whole) {
        whole as u64
    } else {
        0
    };
    if n < least || whole < 0.0 {
        return Err(Failure::Input(format!(
            "{option} {text}: expected at least {}",
            if least == 0 { "0 ms" } else { "a step" }
        )));
    }
    Ok(n)
}

#[allow(clippy::cast_precision_loss, reason = "a time to be shown")]
fn ms(steps: u64, dt_ms: f64) -> f64 {
    steps as f64 * dt_ms
}

/// The name of a folder, for titles.
fn name_of(folder: &Path) -> String {
    let named = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    named
        .file_name()
        .map_or_else(|| "Spikes".to_owned(), |n| n.to_string_lossy().into_owned())
}
