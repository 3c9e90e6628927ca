//! State variables of recorded neurons over time.

use super::{NpzError, NpzWriter};
use crate::TimeStep;
use std::collections::BTreeMap;
use std::path::Path;

/// Samples of a variable, row-major: all neurons of a sample, then the next sample.
#[derive(Debug, Clone, Copy)]
pub enum TraceValues<'a> {
    /// Single precision, as the run computed it.
    F32(&'a [f32]),
    /// Double precision.
    F64(&'a [f64]),
}

/// One recorded variable of one population.
#[derive(Debug, Clone, Copy)]
pub struct Trace<'a> {
    /// Name of the population.
    pub population: &'a str,
    /// Name of the variable.
    pub variable: &'a str,
    /// The recorded neurons, one a column.
    pub neurons: &'a [u32],
    /// `[samples, neurons]` values in the variable's own unit.
    pub values: TraceValues<'a>,
}

/// Writes traces sampled at the times `time_ms` \[ms\] to `path`, atomically. The layout is that of
/// the [module](super). Variables of one population share one list of neurons; monitors with
/// other times or neurons go to another file.
///
/// # Errors
/// When values do not fill `[samples, neurons]`, two traces share a name, the traces of a
/// population name different neurons, a name cannot be used, or the file cannot be written.
///
/// # Example
/// ```
/// use rheobase_report::npz::{self, NpzReader, Trace, TraceValues};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("traces.npz");
/// let v = Trace {
///     population: "E",
///     variable: "v",
///     neurons: &[0, 5],
///     values: TraceValues::F32(&[-65.0, -64.0, -63.0, -62.0, -61.0, -60.0]),
/// };
/// npz::write_traces(&path, 0.1, &[0.1, 0.2, 0.3], &[v])?;
/// assert_eq!(NpzReader::open(&path)?.array::<f32>("E.v")?.shape, [3, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_traces(
    path: &Path,
    dt_ms: f64,
    time_ms: &[f64],
    traces: &[Trace<'_>],
) -> Result<(), NpzError> {
    TimeStep::from_ms(dt_ms)?;
    let mut archive = NpzWriter::create(path)?;
    archive.scalar("dt_ms", dt_ms)?;
    archive.array("time_ms", &[time_ms.len() as u64], time_ms.iter().copied())?;
    let mut neurons_of: BTreeMap<&str, &[u32]> = BTreeMap::new();
    for trace in traces {
        let columns = format!("{}.neurons", trace.population);
        match neurons_of.insert(trace.population, trace.neurons) {
            Some(same) if same == trace.neurons => {}
            Some(_) => return Err(NpzError::Duplicate { name: columns }),
            None => {
                let shape = [trace.neurons.len() as u64];
                archive.array(&columns, &shape, trace.neurons.iter().copied())?;
            }
        }
        write_trace(&mut archive, time_ms.len() as u64, trace)?;
    }
    archive.finish()
}

fn write_trace(archive: &mut NpzWriter, samples: u64, trace: &Trace<'_>) -> Result<(), NpzError> {
    let name = format!("{}.{}", trace.population, trace.variable);
    let shape = [samples, trace.neurons.len() as u64];
    match trace.values {
        TraceValues::F32(values) => archive.array(&name, &shape, values.iter().copied()),
        TraceValues::F64(values) => archive.array(&name, &shape, values.iter().copied()),
    }
}
