//! Spikes in continuous time, and of a batch, in one archive.

use super::spikes::{read_population, write_population};
use super::{NpzError, NpzReader, NpzWriter, RecordedPopulation, Stamp};
use crate::{PopulationSpikes, TimeStep};
use std::path::Path;

/// Spikes of a population with what a grid and a single batch item do not need.
#[derive(Debug, Clone, Copy)]
pub struct PopulationEvents<'a> {
    /// Name, size and spikes, sorted by (step, neuron). With a batch, neurons are lanes: neuron n of
    /// batch item c is c · (neurons of an item) + n, and the size is that of all items.
    pub spikes: PopulationSpikes<'a>,
    /// The offset of each spike within its step \[ms\], above 0 and at most dt; `None` on the grid.
    pub offsets_ms: Option<&'a [f64]>,
    /// Number of batch items; 1 in simulation.
    pub batch: u32,
    /// Number of steps.
    pub n_steps: u64,
}

/// What [`read_events`] found of a population.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedEvents {
    /// Name, size and spikes; with a batch, neurons are lanes.
    pub population: RecordedPopulation,
    /// The offset of each spike within its step \[ms\]; `None` on the grid.
    pub offsets_ms: Option<Vec<f64>>,
    /// Number of batch items, at least 1; it divides the size.
    pub batch: u32,
    /// Number of steps, where the file tells.
    pub n_steps: Option<u64>,
}

/// Writes spikes as [`write_spikes`](super::write_spikes) does, stamped with steps, and the further
/// arrays that the [module](super) describes. Who reads the file without them gets the spikes at the
/// ends of their steps, and lanes as neurons. O(spikes).
///
/// # Errors
/// Those of [`write_spikes`](super::write_spikes); when there is not one offset for each spike.
pub fn write_events(
    path: &Path,
    dt_ms: f64,
    populations: &[PopulationEvents<'_>],
) -> Result<(), NpzError> {
    let dt = TimeStep::from_ms(dt_ms)?;
    let mut archive = NpzWriter::create(path)?;
    archive.scalar("dt_ms", dt_ms)?;
    for events in populations {
        write_population(&mut archive, dt, &events.spikes, Stamp::Step)?;
        let name = events.spikes.name;
        if let Some(offsets_ms) = events.offsets_ms {
            let shape = [events.spikes.spikes.len() as u64];
            let offsets_ms = offsets_ms.iter().copied();
            archive.array(&format!("{name}.offset_ms"), &shape, offsets_ms)?;
        }
        archive.scalar(&format!("{name}.batch"), events.batch)?;
        archive.scalar(&format!("{name}.n_steps"), events.n_steps)?;
    }
    archive.finish()
}

/// The time step \[ms\] and the populations of a file that [`write_events`] or
/// [`write_spikes`](super::write_spikes) wrote, in the order they were written. O(spikes).
///
/// # Errors
/// Those of [`read_spikes`](super::read_spikes); offsets outside their step, or not one for each
/// spike; a number of batch items that does not divide the size.
///
/// # Example
/// ```
/// use rheobase_report::npz::{PopulationEvents, read_events, write_events};
/// use rheobase_report::{PopulationSpikes, Spikes};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("spikes.npz");
/// let spikes = Spikes::new(&[7, 9], &[3, 0])?;
/// let events = PopulationEvents {
///     spikes: PopulationSpikes { name: "E", size: 10, spikes },
///     offsets_ms: Some(&[0.025, 0.1]),
///     batch: 1,
///     n_steps: 100,
/// };
/// write_events(&path, 0.1, &[events])?;
/// let (dt_ms, read) = read_events(&path)?;
/// assert_eq!(dt_ms, 0.1);
/// assert_eq!(read[0].offsets_ms, Some(vec![0.025, 0.1]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_events(path: &Path) -> Result<(f64, Vec<RecordedEvents>), NpzError> {
    let mut archive = NpzReader::open(path)?;
    let dt_ms = archive.scalar::<f64>("dt_ms")?;
    let dt = TimeStep::from_ms(dt_ms)?;
    let names = archive.names();
    let populations = names
        .iter()
        .filter_map(|array| array.strip_suffix(".size"))
        .map(|name| read_one(&mut archive, dt, name, &names))
        .collect::<Result<_, _>>()?;
    Ok((dt_ms, populations))
}

fn read_one(
    archive: &mut NpzReader,
    dt: TimeStep,
    name: &str,
    names: &[String],
) -> Result<RecordedEvents, NpzError> {
    let column = |column: &str| format!("{name}.{column}");
    let there = |array: &String| names.contains(array);
    let population = read_population(archive, dt, name, there(&column("step")))?;
    let offset_column = column("offset_ms");
    let offsets_ms = there(&offset_column)
        .then(|| archive.array::<f64>(&offset_column))
        .transpose()?
        .map(|array| array.values);
    if let Some(offsets_ms) = &offsets_ms {
        check_offsets(offsets_ms, population.steps.len(), dt)
            .map_err(|reason| archive.content_error(&offset_column, &reason))?;
    }
    let batch_column = column("batch");
    let batch = there(&batch_column)
        .then(|| archive.scalar::<u32>(&batch_column))
        .transpose()?
        .unwrap_or(1);
    if batch == 0 || !population.size.is_multiple_of(batch) {
        let reason = format!("{batch} batch items in {} lanes", population.size);
        return Err(archive.content_error(&batch_column, &reason));
    }
    let n_steps_column = column("n_steps");
    let n_steps = there(&n_steps_column)
        .then(|| archive.scalar::<u64>(&n_steps_column))
        .transpose()?;
    Ok(RecordedEvents {
        population,
        offsets_ms,
        batch,
        n_steps,
    })
}

fn check_offsets(offsets_ms: &[f64], n_spikes: usize, dt: TimeStep) -> Result<(), String> {
    if offsets_ms.len() != n_spikes {
        let n = offsets_ms.len();
        return Err(format!("{n} offsets of {n_spikes} spikes"));
    }
    let outside = |offset: &&f64| !(**offset > 0.0 && **offset <= dt.ms());
    match offsets_ms.iter().find(outside) {
        Some(offset) => Err(format!(
            "an offset of {offset} ms: expected one above 0, at most {} ms",
            dt.ms()
        )),
        None => Ok(()),
    }
}
