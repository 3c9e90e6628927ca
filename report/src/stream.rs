//! Spikes and traces that go to disk while a run goes on.
//!
//! A [`PartFiles`] keeps one column per file, raw and little-endian, in a folder of its own within
//! the result folder ([`PART_FOLDER`]): `0.step` (i64) and `0.neuron` (u32) of the first recorded
//! population (and `0.offset` (f64), if it runs in continuous time), `0.values` (f64, row by row) of the first trace, and so on. Memory is a buffer per
//! column, whatever the length of the run. At the end the columns are copied into archives, as
//! [`write_spikes`](crate::npz::write_spikes) and [`write_traces`](crate::npz::write_traces) would
//! have written them.
//!
//! A checkpoint keeps the [`lengths`](PartFiles::lengths) of the columns;
//! [`PartFiles::resume`] cuts them back to these lengths and goes on.

mod column;
mod decimate;
mod spikes;
mod traces;

pub use decimate::Decimated;
pub use spikes::PartSpikes;
pub use traces::TraceLayout;

use crate::npz::{NpzError, NpzWriter};
use crate::{FileError, ResultFolder, TimeStep};
use column::Column;
use std::fs;
use std::io;
use std::path::PathBuf;
use traces::TracePart;

/// Folder of the columns within the result folder.
pub const PART_FOLDER: &str = ".rheobase-parts";

/// Bytes buffered in all, shared among the columns.
const BUFFERS: usize = 64 << 20;

/// What is streamed: who spikes, what is traced.
#[derive(Debug, Clone, Default)]
pub struct StreamLayout {
    /// Time step \[ms\].
    pub dt_ms: f64,
    /// Name and size of each population whose spikes are recorded.
    pub spikes: Vec<(String, u32)>,
    /// Those among them that run in continuous time: their spikes have offsets.
    pub continuous: Vec<String>,
    /// Traces, in the order of the monitors.
    pub traces: Vec<TraceLayout>,
}

/// Columns on disk that grow while a run goes on.
#[derive(Debug)]
pub struct PartFiles {
    folder: PathBuf,
    layout: StreamLayout,
    dt: TimeStep,
    spikes: Vec<SpikePart>,
    traces: Vec<TracePart>,
}

#[derive(Debug)]
struct SpikePart {
    steps: Column,
    neurons: Column,
    /// Of populations in continuous time.
    offsets: Option<Column>,
}

impl SpikePart {
    fn columns(&mut self) -> impl Iterator<Item = &mut Column> {
        [&mut self.steps, &mut self.neurons]
            .into_iter()
            .chain(&mut self.offsets)
    }
}

impl PartFiles {
    /// Begins empty columns; those of an earlier run that was cut off are removed.
    ///
    /// # Errors
    /// When the folder cannot be written to, or the time step is not usable.
    pub fn create(folder: &ResultFolder, layout: StreamLayout) -> Result<Self, NpzError> {
        Self::discard(folder)?;
        let path = folder.file(PART_FOLDER);
        fs::create_dir(&path).map_err(|e| FileError::io("create", &path, e))?;
        Self::open(path, layout, None)
    }

    /// Continues columns, cut back to the `lengths` a checkpoint remembers.
    ///
    /// # Errors
    /// When a column is missing or shorter, or there are more or fewer of them.
    pub fn resume(
        folder: &ResultFolder,
        layout: StreamLayout,
        lengths: &[u64],
    ) -> Result<Self, NpzError> {
        Self::open(folder.file(PART_FOLDER), layout, Some(lengths))
    }

    fn open(
        folder: PathBuf,
        layout: StreamLayout,
        lengths: Option<&[u64]>,
    ) -> Result<Self, NpzError> {
        let dt = TimeStep::from_ms(layout.dt_ms)?;
        let continuous = |name: &String| layout.continuous.contains(name);
        let with_offsets = layout.spikes.iter().filter(|(name, _)| continuous(name));
        let columns = 2 * layout.spikes.len() + with_offsets.count() + layout.traces.len();
        if lengths.is_some_and(|lengths| lengths.len() != columns) {
            let reason = io::Error::new(io::ErrorKind::InvalidData, "another number of columns");
            return Err(FileError::io("continue", &folder, reason).into());
        }
        let buffer = (BUFFERS / columns.max(1)).clamp(1 << 12, 1 << 20);
        let mut next = 0;
        let mut column = |name: String| {
            let length = lengths.map(|lengths| lengths[next]);
            next += 1;
            Column::open(folder.join(name), length, buffer)
        };
        let mut spikes = Vec::new();
        for (k, (name, _)) in layout.spikes.iter().enumerate() {
            spikes.push(SpikePart {
                steps: column(format!("{k}.step"))?,
                neurons: column(format!("{k}.neuron"))?,
                offsets: match continuous(name) {
                    true => Some(column(format!("{k}.offset"))?),
                    false => None,
                },
            });
        }
        let mut traces = Vec::new();
        for (k, trace) in layout.traces.iter().enumerate() {
            traces.push(TracePart {
                layout: trace.clone(),
                values: column(format!("{k}.values"))?,
            });
        }
        Ok(Self {
            folder,
            layout,
            dt,
            spikes,
            traces,
        })
    }

    /// Appends spikes of the `k`-th recorded population: later ones than those before, sorted.
    ///
    /// # Errors
    /// When they cannot be written: the disk is full, say.
    ///
    /// # Panics
    /// When there are fewer populations.
    pub fn append_spikes(
        &mut self,
        k: usize,
        steps: &[u64],
        neurons: &[u32],
    ) -> Result<(), FileError> {
        let part = &mut self.spikes[k];
        part.steps.extend(steps.iter().map(|s| s.to_le_bytes()))?;
        part.neurons.extend(neurons.iter().map(|n| n.to_le_bytes()))
    }

    /// Appends the offsets of the spikes last appended, of a population in continuous time \[ms\].
    ///
    /// # Errors
    /// When they cannot be written.
    ///
    /// # Panics
    /// When there are fewer populations.
    pub fn append_offsets(&mut self, k: usize, offsets_ms: &[f64]) -> Result<(), FileError> {
        match &mut self.spikes[k].offsets {
            Some(column) => column.extend(offsets_ms.iter().map(|x| x.to_le_bytes())),
            None => Ok(()),
        }
    }

    /// Appends whole rows of the `k`-th trace.
    ///
    /// # Errors
    /// When they cannot be written.
    ///
    /// # Panics
    /// When there are fewer traces.
    pub fn append_trace(&mut self, k: usize, values: &[f64]) -> Result<(), FileError> {
        let part = &mut self.traces[k];
        part.values.extend(values.iter().map(|x| x.to_le_bytes()))
    }

    fn columns(&mut self) -> impl Iterator<Item = &mut Column> {
        let spikes = self.spikes.iter_mut();
        let spikes = spikes.flat_map(SpikePart::columns);
        spikes.chain(self.traces.iter_mut().map(|part| &mut part.values))
    }

    /// Writes what is buffered and waits until the disk has it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn synchronise(&mut self) -> Result<(), FileError> {
        self.columns().try_for_each(Column::synchronise)?;
        crate::atomic::synchronise_folder(&self.folder)
            .map_err(|e| FileError::io("synchronise", &self.folder, e))
    }

    fn flush(&mut self) -> Result<(), FileError> {
        self.columns().try_for_each(Column::flush)
    }

    /// Length of each column in bytes, what is buffered included.
    pub fn lengths(&mut self) -> Vec<u64> {
        self.columns().map(|column| column.bytes()).collect()
    }

    /// What is streamed.
    #[must_use]
    pub fn layout(&self) -> &StreamLayout {
        &self.layout
    }

    /// The recorded spikes so far, to be visited.
    ///
    /// # Errors
    /// When what is buffered cannot be written.
    pub fn spike_sources(&mut self) -> Result<Vec<PartSpikes>, FileError> {
        self.flush()?;
        let named = self.layout.spikes.iter().zip(&self.spikes);
        let source = |((name, size), part): (&(String, u32), &SpikePart)| {
            PartSpikes::new(name, *size, &part.steps, &part.neurons)
        };
        Ok(named.map(source).collect())
    }

    /// Writes an archive of all spikes recorded so far.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_spikes(&mut self, folder: &ResultFolder) -> Result<(), NpzError> {
        self.flush()?;
        let mut archive = NpzWriter::create(&folder.file("spikes.npz"))?;
        archive.scalar("dt_ms", self.layout.dt_ms)?;
        for ((name, size), part) in self.layout.spikes.iter().zip(&self.spikes) {
            archive.scalar(&format!("{name}.size"), *size)?;
            let spikes = [part.neurons.bytes() / 4];
            archive.copy::<i64>(&format!("{name}.step"), &spikes, &mut part.steps.read()?)?;
            archive.copy::<u32>(
                &format!("{name}.neuron"),
                &spikes,
                &mut part.neurons.read()?,
            )?;
            if let Some(offsets) = &part.offsets {
                let name = format!("{name}.offset_ms");
                archive.copy::<f64>(&name, &spikes, &mut offsets.read()?)?;
            }
        }
        archive.finish()
    }

    /// Removes the columns.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub fn remove(self) -> Result<(), FileError> {
        fs::remove_dir_all(&self.folder).map_err(|e| FileError::io("remove", &self.folder, e))
    }

    /// Removes columns that a run which was cut off left in a folder.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub fn discard(folder: &ResultFolder) -> Result<(), FileError> {
        let path = folder.file(PART_FOLDER);
        match fs::remove_dir_all(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(FileError::io("remove", &path, e)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
