//! Spikes of several populations in one archive.

use super::{NpzError, NpzReader, NpzWriter};
use crate::{PopulationSpikes, Spikes, TimeStep};
use std::path::Path;

/// How the moment of a spike is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stamp {
    /// As the number of the step (i64), exact.
    #[default]
    Step,
    /// As the time \[ms\] (f64).
    TimeMs,
}

/// Writes the spikes of all populations to `path`, atomically. The layout is that of the
/// [module](super). O(spikes), with a buffer of 64 KiB.
///
/// # Errors
/// When two populations share a name, a name cannot be used, or the file cannot be written.
///
/// # Example
/// ```
/// use rheobase_report::{PopulationSpikes, Spikes, npz};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("spikes.npz");
/// let e = PopulationSpikes { name: "E", size: 10, spikes: Spikes::new(&[7, 9], &[3, 0])? };
/// npz::write_spikes(&path, 0.1, &[e], npz::Stamp::Step)?;
///
/// let read = npz::read_spikes(&path)?;
/// assert_eq!(read.populations[0].steps, [7, 9]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_spikes(
    path: &Path,
    dt_ms: f64,
    populations: &[PopulationSpikes<'_>],
    stamp: Stamp,
) -> Result<(), NpzError> {
    let dt = TimeStep::from_ms(dt_ms)?;
    let mut archive = NpzWriter::create(path)?;
    archive.scalar("dt_ms", dt_ms)?;
    for population in populations {
        write_population(&mut archive, dt, population, stamp)?;
    }
    archive.finish()
}

pub(super) fn write_population(
    archive: &mut NpzWriter,
    dt: TimeStep,
    population: &PopulationSpikes<'_>,
    stamp: Stamp,
) -> Result<(), NpzError> {
    let PopulationSpikes { name, size, spikes } = population;
    let shape = [spikes.len() as u64];
    archive.scalar(&format!("{name}.size"), *size)?;
    match stamp {
        Stamp::Step => {
            let name = format!("{name}.step");
            // Sorted: the last step is the largest.
            if let Some(&step) = spikes
                .steps()
                .last()
                .filter(|&&s| i64::try_from(s).is_err())
            {
                return Err(NpzError::Range { name, step });
            }
            archive.array(
                &name,
                &shape,
                spikes.steps().iter().map(|&s| s.cast_signed()),
            )?;
        }
        Stamp::TimeMs => {
            let times = spikes.steps().iter().map(|&step| dt.time_ms(step));
            archive.array(&format!("{name}.time_ms"), &shape, times)?;
        }
    }
    archive.array(
        &format!("{name}.neuron"),
        &shape,
        spikes.neurons().iter().copied(),
    )
}

/// The spikes of one population, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedPopulation {
    /// Name of the population.
    pub name: String,
    /// Number of its neurons.
    pub size: u32,
    /// Step of each spike.
    pub steps: Vec<u64>,
    /// Neuron of each spike.
    pub neurons: Vec<u32>,
}

/// A file of spikes, read back.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedSpikes {
    /// Time step \[ms\].
    pub dt_ms: f64,
    /// The populations, in the order they were written.
    pub populations: Vec<RecordedPopulation>,
}

/// Reads what [`write_spikes`] wrote, with either stamp.
///
/// # Errors
/// When the file cannot be read or does not have that layout: columns of different lengths,
/// negative steps, neurons beyond the population, spikes not sorted.
pub fn read_spikes(path: &Path) -> Result<RecordedSpikes, NpzError> {
    let mut archive = NpzReader::open(path)?;
    let dt_ms = archive.scalar::<f64>("dt_ms")?;
    let dt = TimeStep::from_ms(dt_ms)?;
    let names = archive.names();
    let populations = names
        .iter()
        .filter_map(|array| array.strip_suffix(".size"))
        .map(|name| {
            let stepped = names.contains(&format!("{name}.step"));
            read_population(&mut archive, dt, name, stepped)
        })
        .collect::<Result<_, _>>()?;
    Ok(RecordedSpikes { dt_ms, populations })
}

pub(super) fn read_population(
    archive: &mut NpzReader,
    dt: TimeStep,
    name: &str,
    stepped: bool,
) -> Result<RecordedPopulation, NpzError> {
    let column = if stepped {
        format!("{name}.step")
    } else {
        format!("{name}.time_ms")
    };
    let size = archive.scalar::<u32>(&format!("{name}.size"))?;
    let steps: Option<Vec<u64>> = if stepped {
        let steps = archive.array::<i64>(&column)?.values;
        steps
            .into_iter()
            .map(|step| u64::try_from(step).ok())
            .collect()
    } else {
        let times = archive.array::<f64>(&column)?.values;
        times
            .into_iter()
            .map(|time_ms| dt.nearest_step(time_ms))
            .collect()
    };
    let steps = steps.ok_or_else(|| archive.content_error(&column, &"a time below zero"))?;
    let neurons = archive.array::<u32>(&format!("{name}.neuron"))?.values;
    if let Some(neuron) = neurons.iter().find(|&&neuron| neuron >= size) {
        let reason = format!("neuron {neuron} in a population of {size}");
        return Err(archive.content_error(&format!("{name}.neuron"), &reason));
    }
    Spikes::new(&steps, &neurons).map_err(|e| archive.content_error(&column, &e))?;
    Ok(RecordedPopulation {
        name: name.to_owned(),
        size,
        steps,
        neurons,
    })
}
