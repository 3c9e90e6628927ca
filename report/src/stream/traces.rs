//! Traces: rows of samples on disk, grouped into archives.

use super::PartFiles;
use super::column::Column;
use super::decimate::Decimated;
use super::spikes::Numbers;
use crate::npz::{NpzError, NpzWriter};
use crate::{FileError, ResultFolder};

/// One traced variable of one population.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceLayout {
    /// Name of the population.
    pub population: String,
    /// Name of the variable.
    pub variable: String,
    /// Its unit.
    pub unit: String,
    /// The traced neurons, one a column.
    pub neurons: Vec<u32>,
    /// A row is taken at every step that is a multiple of this.
    pub every_steps: u64,
}

#[derive(Debug)]
pub(super) struct TracePart {
    pub(super) layout: TraceLayout,
    pub(super) values: Column,
}

impl TracePart {
    pub(super) fn rows(&self) -> u64 {
        let row = 8 * self.layout.neurons.len() as u64;
        self.values.bytes().checked_div(row).unwrap_or(0)
    }
}

impl PartFiles {
    /// Traces by archive: those of one archive share their times, and the traces of a population
    /// in it share their neurons. Denser ones first; traces without samples are left out.
    #[must_use]
    pub fn trace_groups(&self) -> Vec<Vec<usize>> {
        let mut sampled: Vec<usize> = (0..self.traces.len())
            .filter(|&k| self.traces[k].rows() > 0)
            .collect();
        sampled.sort_by_key(|&k| self.traces[k].layout.every_steps);
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for k in sampled {
            match groups.iter_mut().find(|group| self.fits(group, k)) {
                Some(group) => group.push(k),
                None => groups.push(vec![k]),
            }
        }
        groups
    }

    fn fits(&self, group: &[usize], k: usize) -> bool {
        let new = &self.traces[k];
        group.iter().all(|&other| {
            let other = &self.traces[other];
            let apart = other.layout.population != new.layout.population;
            let beside = other.layout.variable != new.layout.variable
                && other.layout.neurons == new.layout.neurons;
            other.layout.every_steps == new.layout.every_steps
                && other.rows() == new.rows()
                && (apart || beside)
        })
    }

    /// Writes an archive of the traces of one group.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_traces(
        &mut self,
        folder: &ResultFolder,
        stem: &str,
        group: &[usize],
    ) -> Result<(), NpzError> {
        self.flush()?;
        let mut archive = NpzWriter::create(&folder.file(&format!("{stem}.npz")))?;
        archive.scalar("dt_ms", self.layout.dt_ms)?;
        let Some(first) = group.first().map(|&k| &self.traces[k]) else {
            return archive.finish();
        };
        let (rows, every) = (first.rows(), first.layout.every_steps);
        let times = (1..=rows).map(|row| self.dt.time_ms(row * every));
        archive.array("time_ms", &[rows], times)?;
        let mut named: Vec<&str> = Vec::new();
        for part in group.iter().map(|&k| &self.traces[k]) {
            let TraceLayout {
                population,
                variable,
                neurons,
                ..
            } = &part.layout;
            let columns = neurons.len() as u64;
            if !named.contains(&population.as_str()) {
                named.push(population);
                archive.array(
                    &format!("{population}.neurons"),
                    &[columns],
                    neurons.iter().copied(),
                )?;
            }
            archive.copy::<f64>(
                &format!("{population}.{variable}"),
                &[rows, columns],
                &mut part.values.read()?,
            )?;
        }
        archive.finish()
    }

    /// All samples of the `k`-th trace, row by row. Memory: that of the trace.
    ///
    /// # Errors
    /// When the column cannot be read.
    ///
    /// # Panics
    /// When there are fewer traces.
    pub fn trace_values(&mut self, k: usize) -> Result<Vec<f64>, FileError> {
        self.flush()?;
        let part = &self.traces[k];
        let samples = part.rows() * part.layout.neurons.len() as u64;
        let mut values = Vec::new();
        Numbers::open(part.values.path(), 0)?.block(
            usize::try_from(samples).unwrap_or(usize::MAX),
            &mut values,
            f64::from_le_bytes,
        )?;
        Ok(values)
    }

    /// The first `lines` columns of a trace, thinned to what a figure can show. Memory: some
    /// thousand samples a line.
    ///
    /// # Errors
    /// When the column cannot be read.
    pub fn decimated(&mut self, k: usize, lines: usize) -> Result<Decimated, FileError> {
        self.flush()?;
        let part = &self.traces[k];
        Decimated::read(
            self.dt,
            &part.layout,
            part.values.path(),
            part.rows(),
            lines,
        )
    }
}
