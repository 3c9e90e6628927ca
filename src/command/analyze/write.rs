//! Tables and plots of an analysis.

use std::path::Path;

use rheobase::report::analysis::Distribution;
use rheobase::report::plot::{Figure, Histograms, PlotError, Raster, Spectra};
use rheobase::report::table::{aligned, grouped};
use rheobase::report::{ResultFolder, SpikeSource};
use serde_json::{Value, json};

use super::source::Opened;
use super::{Analysed, ms};
use crate::command::Failure;

/// The content of analysis.json.
pub(super) fn json(analysed: &Analysed) -> Value {
    let options = &analysed.options;
    let populations: Vec<Value> = analysed
        .populations
        .iter()
        .map(|p| {
            let spectrum = p.spectrum.as_ref().map(
                |s| json!({ "step_hz": s.step_hz, "segments": s.segments, "density": s.density }),
            );
            json!({
                "name": p.name,
                "size": p.statistics.n,
                "spikes": p.statistics.spikes,
                "rate_hz": p.statistics.rate_hz,
                "cv_isi": p.statistics.cv_isi,
                "synchrony": p.statistics.synchrony,
                "correlation": p.correlation,
                "pairs": p.pairs,
                "peak_hz": p.spectrum.as_ref().and_then(|s| s.peak_hz()),
                "rates": distribution(&p.rates),
                "cvs": distribution(&p.cvs),
                "spectrum": spectrum,
            })
        })
        .collect();
    json!({
        "dt_ms": options.dt_ms,
        "start_ms": ms(options.start_step, options.dt_ms),
        "end_ms": ms(options.end_step, options.dt_ms),
        "bin_ms": ms(options.bin_steps, options.dt_ms),
        "populations": populations,
    })
}

fn distribution(d: &Distribution) -> Value {
    json!({
        "width": d.width,
        "counts": d.counts,
        "mean": d.mean,
        "least": d.least,
        "largest": d.largest,
    })
}

pub(super) fn files(
    analysed: &Analysed,
    object: &Value,
    opened: &mut Opened,
    folder: &ResultFolder,
) -> Result<(), Failure> {
    let fail = |e: &dyn std::fmt::Display| Failure::Run(format!("analysis: {e}"));
    let mut text = serde_json::to_string_pretty(object).map_err(|e| fail(&e))?;
    text.push('\n');
    folder
        .write("analysis.json", text.as_bytes())
        .map_err(|e| fail(&e))?;
    let write = |stem: &str, figure: Result<Figure, PlotError>| {
        figure
            .and_then(|figure| figure.write(folder, stem))
            .map(|_| ())
            .map_err(|e| fail(&e))
    };
    write("raster", raster(analysed, opened))?;
    let title = &analysed.title;
    let rates: Vec<(&str, &Distribution)> = named(analysed, |p| Some(&p.rates));
    write("rates", histograms(title, "Rate (Hz)", &rates))?;
    let cvs: Vec<(&str, &Distribution)> = named(analysed, |p| Some(&p.cvs));
    let quantity = "Coefficient of variation of the inter-spike intervals";
    write("cv", histograms(title, quantity, &cvs))?;
    let spectra = named(analysed, |p| p.spectrum.as_ref());
    if spectra.is_empty() {
        return Ok(());
    }
    let spectra = Spectra {
        title,
        populations: &spectra,
    };
    write("spectrum", spectra.draw())
}

fn named<'a, T>(
    analysed: &'a Analysed,
    part: impl Fn(&'a rheobase::report::analysis::PopulationAnalysis) -> Option<&'a T>,
) -> Vec<(&'a str, &'a T)> {
    let populations = analysed.populations.iter();
    populations
        .filter_map(|p| Some((p.name.as_str(), part(p)?)))
        .collect()
}

fn histograms(
    title: &str,
    quantity: &str,
    populations: &[(&str, &Distribution)],
) -> Result<Figure, PlotError> {
    Histograms {
        title,
        quantity,
        populations,
    }
    .draw()
}

/// The last second of the window.
fn raster(analysed: &Analysed, opened: &mut Opened) -> Result<Figure, PlotError> {
    let options = &analysed.options;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number of steps; the cast saturates"
    )]
    let second = (1000.0 / options.dt_ms).round() as u64;
    let first = options
        .end_step
        .saturating_sub(second)
        .max(options.start_step);
    let mut sources: Vec<&mut dyn SpikeSource> = opened
        .populations
        .iter_mut()
        .map(|source| source.as_mut() as &mut dyn SpikeSource)
        .collect();
    Raster::new(&analysed.title, options.dt_ms, first, options.end_step).draw_from(&mut sources)
}

/// The table for the terminal.
pub(super) fn table(analysed: &Analysed, folder: &Path) -> String {
    let header = [
        "population",
        "neurons",
        "spikes",
        "rate [Hz]",
        "CV of ISI",
        "synchrony (3 ms)",
        "correlation",
        "peak [Hz]",
    ];
    let optional = |value: Option<f64>, decimals: usize| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
    };
    let mut lines = vec![header.map(str::to_owned)];
    lines.extend(analysed.populations.iter().map(|p| {
        [
            p.name.clone(),
            grouped(u64::from(p.statistics.n)),
            grouped(p.statistics.spikes),
            format!("{:.3}", p.statistics.rate_hz),
            optional(p.statistics.cv_isi, 3),
            optional(p.statistics.synchrony, 3),
            optional(p.correlation, 5),
            optional(p.spectrum.as_ref().and_then(|s| s.peak_hz()), 1),
        ]
    }));
    let options = &analysed.options;
    format!(
        "{}\n{} to {} ms; correlation of counts in {} ms, at most 200 neurons of a population\nanalysis: {}\n",
        aligned(&lines),
        ms(options.start_step, options.dt_ms),
        ms(options.end_step, options.dt_ms),
        ms(options.bin_steps, options.dt_ms),
        folder.display()
    )
}
