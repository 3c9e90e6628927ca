//! Where the spikes of a folder come from.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rheobase::report::npz::NpzSpikes;
use rheobase::report::{RunRecord, SpikeSource, TimeStep};

use super::name_of;
use crate::command::Failure;

/// Spikes of a folder, and what is known of the run that left them.
pub(super) struct Opened {
    pub(super) title: String,
    pub(super) dt_ms: f64,
    pub(super) populations: Vec<Box<dyn SpikeSource>>,
    /// Last step of the run, where the folder tells.
    pub(super) end_step: Option<u64>,
    /// Steps the run left out of its statistics.
    pub(super) discard_steps: u64,
}

impl Opened {
    /// Step of the last spike: the end, where nothing else tells.
    pub(super) fn last_spike(&mut self) -> Result<u64, Failure> {
        let mut last = 0;
        for source in &mut self.populations {
            source
                .visit(0, u64::MAX, &mut |spikes| {
                    last = last.max(spikes.steps().last().copied().unwrap_or(0));
                })
                .map_err(|e| Failure::Input(e.to_string()))?;
        }
        if last == 0 {
            return Err(Failure::Input(
                "there is no spike, and no run.json tells how long the run was".to_owned(),
            ));
        }
        Ok(last)
    }
}

/// Opens what a folder holds: each format tells whether its file is there.
///
/// `dt_ms` is the time step of spikes that are given as times, where no run.json tells.
pub(super) fn open(folder: &Path, dt_ms: Option<f64>) -> Result<Opened, Failure> {
    if !folder.is_dir() {
        return Err(Failure::Input(format!(
            "{}: expected a folder with results",
            folder.display()
        )));
    }
    let record = record(folder)?;
    let dt_ms = dt_ms.or(record.as_ref().map(|r| r.dt_ms));
    let found = match npz(folder)? {
        None => sonata(folder, dt_ms)?,
        found => found,
    };
    let Some((dt_ms, populations)) = found else {
        return Err(Failure::Input(format!(
            "{}: there is no {} in it; `rheobase run` writes spikes of populations that a monitor \
             records (all, where no monitor is described)",
            folder.display(),
            FILES.join(" and no "),
        )));
    };
    if populations.is_empty() {
        return Err(Failure::Input(format!(
            "{}: no population in its spikes",
            folder.display()
        )));
    }
    let steps = |seconds: f64| steps(seconds, dt_ms);
    Ok(Opened {
        title: name_of(folder),
        dt_ms,
        populations,
        end_step: record.as_ref().and_then(|r| steps(r.biological_s)),
        discard_steps: record.and_then(|r| steps(r.discard_s)).unwrap_or(0),
    })
}

/// Files that hold spikes.
const FILES: [&str; 2] = ["spikes.npz", "spikes.h5"];

/// Time step \[ms\] of files that hold times, where nothing tells another.
const DEFAULT_DT_MS: f64 = 0.1;

/// Time step \[ms\] and populations.
type Found = Option<(f64, Vec<Box<dyn SpikeSource>>)>;

fn npz(folder: &Path) -> Result<Found, Failure> {
    let path = folder.join("spikes.npz");
    if !path.exists() {
        return Ok(None);
    }
    let (dt_ms, populations) = NpzSpikes::open(&path).map_err(|e| Failure::Input(e.to_string()))?;
    let boxed = populations
        .into_iter()
        .map(|p| Box::new(p) as Box<dyn SpikeSource>);
    Ok(Some((dt_ms, boxed.collect())))
}

#[cfg(feature = "hdf5")]
fn sonata(folder: &Path, dt_ms: Option<f64>) -> Result<Found, Failure> {
    let path = folder.join("spikes.h5");
    if !path.exists() {
        return Ok(None);
    }
    let dt_ms = dt_ms.unwrap_or(DEFAULT_DT_MS);
    let dt = TimeStep::from_ms(dt_ms).map_err(|e| Failure::Input(e.to_string()))?;
    let populations = super::sonata::open(&path, dt)?;
    let boxed = populations
        .into_iter()
        .map(|p| Box::new(p) as Box<dyn SpikeSource>);
    Ok(Some((dt_ms, boxed.collect())))
}

#[cfg(not(feature = "hdf5"))]
fn sonata(folder: &Path, _: Option<f64>) -> Result<Found, Failure> {
    let path = folder.join("spikes.h5");
    if !path.exists() {
        return Ok(None);
    }
    Err(Failure::Input(format!(
        "{}: this program was built without the feature hdf5",
        path.display()
    )))
}

/// Largest run.json that is read.
const MAX_RECORD_BYTES: u64 = 64 << 20;

/// The record of the run, if there is one.
fn record(folder: &Path) -> Result<Option<RunRecord>, Failure> {
    let path: PathBuf = folder.join("run.json");
    if !path.exists() {
        return Ok(None);
    }
    let fail = |e: &dyn std::fmt::Display| Failure::Input(format!("{}: {e}", path.display()));
    let mut text = String::new();
    File::open(&path)
        .and_then(|file| file.take(MAX_RECORD_BYTES).read_to_string(&mut text))
        .map_err(|e| fail(&e))?;
    serde_json::from_str(&text).map(Some).map_err(|e| fail(&e))
}

fn steps(seconds: f64, dt_ms: f64) -> Option<u64> {
    let steps = (seconds * 1e3 / dt_ms).round();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be in range"
    )]
    (0.0..9e15).contains(&steps).then_some(steps as u64)
}
