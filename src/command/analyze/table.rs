//! Spikes as tables.

use rheobase::formats::csv::{WriteError, Writer};
use rheobase::report::{AtomicFile, ResultFolder, SpikeSource};

use super::source::Opened;
use crate::command::Failure;

/// Writes a table for each population, all its spikes, block by block.
pub(super) fn write(opened: &mut Opened, folder: &ResultFolder) -> Result<(), Failure> {
    let dt_ms = opened.dt_ms;
    for source in &mut opened.populations {
        let name = source.name();
        if name.is_empty() || name.contains(|c: char| matches!(c, '/' | '\\') || c.is_control()) {
            return Err(Failure::Input(format!(
                "--csv: population {name:?} cannot name a file"
            )));
        }
        let path = folder.path().join(format!("{name}.csv"));
        let fail = |e: &dyn std::fmt::Display| Failure::Run(format!("{}: {e}", path.display()));
        let file = AtomicFile::create(&path).map_err(|e| Failure::Run(e.to_string()))?;
        let mut table = Writer::new(file, dt_ms, false).map_err(|e| fail(&e))?;
        spikes(source.as_mut(), dt_ms, &mut table)?.map_err(|e| fail(&e))?;
        let written = table.into_inner().commit();
        written.map_err(|e| Failure::Run(e.to_string()))?;
    }
    Ok(())
}

/// The outer error is that of reading, the inner that of writing.
fn spikes(
    source: &mut dyn SpikeSource,
    dt_ms: f64,
    table: &mut Writer<AtomicFile>,
) -> Result<Result<(), WriteError>, Failure> {
    let mut written = Ok(());
    let visited = source.visit(0, u64::MAX, &mut |block| {
        for (step, neuron) in block.iter() {
            if written.is_ok() {
                written = table.spike(0, step, dt_ms, neuron);
            }
        }
    });
    visited.map_err(|e| Failure::Input(e.to_string()))?;
    Ok(written)
}
