//! The files of a run.

use std::path::{Path, PathBuf};

use rheobase::report::plot::{Raster, Series, TracePanel, TracePlot};
use rheobase::report::stream::PartFiles;
use rheobase::report::{FileError, ResultFolder, SpikeSource};
use rheobase::run::Run;

use crate::command::Failure;

/// The folder for results: the one named, or one named after the network.
pub(super) fn folder(
    out: Option<&Path>,
    overwrite: bool,
    network: &str,
) -> Result<ResultFolder, Failure> {
    let (path, overwrite) = match out {
        Some(path) => (path.to_owned(), overwrite),
        None => (PathBuf::from("results").join(file_name(network)), true),
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

/// Whether `rheobase run` writes files of this name.
fn is_result(name: &str) -> bool {
    let Some((stem, extension)) = name.rsplit_once('.') else {
        return false;
    };
    let plot = matches!(extension, "svg" | "png");
    match stem {
        "run" => extension == "json",
        // Of a SONATA network the spikes come in its format too.
        "spikes" => matches!(extension, "npz" | "h5"),
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

/// Writes everything; spikes and traces are copied from the columns of the run.
pub(super) fn write(
    run: &Run,
    parts: &mut PartFiles,
    folder: &ResultFolder,
) -> Result<(), Failure> {
    let fail = |e: &dyn std::fmt::Display| Failure::Run(format!("results: {e}"));
    folder.clear(is_result).map_err(|e| fail(&e))?;
    run.record.write(folder).map_err(|e| fail(&e))?;
    if !parts.layout().spikes.is_empty() {
        parts.write_spikes(folder).map_err(|e| fail(&e))?;
        draw_raster(run, parts, folder)?;
    }
    write_traces(run, parts, folder)
}

/// A raster shows the last second at most: more is a grey wall.
fn draw_raster(run: &Run, parts: &mut PartFiles, folder: &ResultFolder) -> Result<(), Failure> {
    let fail = |e: &dyn std::fmt::Display| Failure::Run(format!("raster: {e}"));
    let last = steps(run.record.biological_s * 1e3, run.plan.dt_ms);
    if last == 0 {
        return Ok(());
    }
    let first = last.saturating_sub(steps(1000.0, run.plan.dt_ms));
    let mut sources = parts.spike_sources().map_err(|e| fail(&e))?;
    let mut sources: Vec<&mut dyn SpikeSource> = sources
        .iter_mut()
        .map(|source| source as &mut dyn SpikeSource)
        .collect();
    Raster::new(&run.plan.name, run.plan.dt_ms, first, last)
        .draw_from(&mut sources)
        .and_then(|figure| figure.write(folder, "raster"))
        .map(|_| ())
        .map_err(|e| fail(&e))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole steps"
)]
fn steps(time_ms: f64, dt_ms: f64) -> u64 {
    (time_ms / dt_ms).round() as u64
}

/// Traces that share times go into one archive, and into one drawing beside it.
fn write_traces(run: &Run, parts: &mut PartFiles, folder: &ResultFolder) -> Result<(), Failure> {
    for (k, group) in parts.trace_groups().iter().enumerate() {
        let stem = if k == 0 {
            "traces".to_owned()
        } else {
            format!("traces_{}", k + 1)
        };
        parts
            .write_traces(folder, &stem, group)
            .map_err(|e| Failure::Run(format!("traces: {e}")))?;
        draw_traces(run, parts, folder, &stem, group)?;
    }
    Ok(())
}

/// Lines drawn of each variable.
const MAX_LINES: usize = 5;

fn draw_traces(
    run: &Run,
    parts: &mut PartFiles,
    folder: &ResultFolder,
    stem: &str,
    group: &[usize],
) -> Result<(), Failure> {
    let fail = |e: &dyn std::fmt::Display| Failure::Run(format!("traces: {e}"));
    let mut labels = Vec::new();
    let mut drawn = Vec::new();
    for &k in group {
        let traces = parts.decimated(k, MAX_LINES).map_err(|e| fail(&e))?;
        let layout = &parts.layout().traces[k];
        let title = format!(
            "{} {} ({})",
            layout.population, layout.variable, layout.unit
        );
        let lines: Vec<String> = layout
            .neurons
            .iter()
            .map(|n| format!("neuron {n}"))
            .collect();
        labels.push((title, lines));
        drawn.push(traces);
    }
    let panels: Vec<TracePanel<'_>> = labels
        .iter()
        .zip(&drawn)
        .map(|((label, lines), traces)| TracePanel {
            label,
            series: lines
                .iter()
                .zip(&traces.lines)
                .map(|(label, values)| Series { label, values })
                .collect(),
        })
        .collect();
    let Some(first) = drawn.first() else {
        return Ok(());
    };
    TracePlot {
        title: &run.plan.name,
        time_ms: &first.time_ms,
        panels: &panels,
    }
    .draw()
    .and_then(|figure| figure.write(folder, stem))
    .map(|_| ())
    .map_err(|e| fail(&e))
}
