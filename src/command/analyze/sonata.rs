//! Spikes in the SONATA format: `/spikes/<population>/{timestamps, node_ids}`, and the older
//! `/spikes/{timestamps, gids}`.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};

use rheobase::formats::hdf5::{self, File, Hdf5Error, Limits};
use rheobase::report::{BLOCK, Order, SourceError, SpikeSource, Spikes, TimeStep};
use rheobase::run::available_memory;

use crate::command::Failure;

/// Spikes of one population of a file. Files that are sorted by time are read in blocks; others are
/// read as a whole and sorted each time they are visited.
pub(super) struct SonataSpikes {
    path: PathBuf,
    name: String,
    /// Datasets of nodes and of times.
    columns: (String, String),
    /// Milliseconds per unit of time.
    unit_ms: f64,
    dt: TimeStep,
    /// The largest node id plus one.
    size: u32,
    count: u64,
    sorted: bool,
}

/// The populations of a file; times are rounded to steps of `dt`.
pub(super) fn open(path: &Path, dt: TimeStep) -> Result<Vec<SonataSpikes>, Failure> {
    let fail = |e: Hdf5Error| Failure::Input(e.to_string());
    let mut found = Vec::new();
    hdf5::read(path, &Limits::default(), |data| {
        if data.find("/spikes/gids")?.is_some() {
            let columns = ("/spikes/gids".to_owned(), "/spikes/timestamps".to_owned());
            found.extend(SonataSpikes::look(path, "nodes", columns, data, dt)?);
            return Ok::<_, Hdf5Error>(());
        }
        for name in data.groups("/spikes")? {
            let column = |dataset: &str| format!("/spikes/{name}/{dataset}");
            let columns = (column("node_ids"), column("timestamps"));
            found.extend(SonataSpikes::look(path, &name, columns, data, dt)?);
        }
        Ok(())
    })
    .map_err(fail)?;
    for spikes in found.iter().filter(|spikes| !spikes.sorted) {
        spikes.check_memory()?;
    }
    Ok(found)
}

impl SonataSpikes {
    /// Reads through both columns once: how many nodes there are, and whether times ascend. None
    /// where no spike tells of a node.
    fn look(
        path: &Path,
        name: &str,
        columns: (String, String),
        data: &File,
        dt: TimeStep,
    ) -> Result<Option<Self>, Hdf5Error> {
        let (ids, times) = (data.dataset(&columns.0)?, data.dataset(&columns.1)?);
        let count = times.length()?;
        ids.expect_len(count)?;
        let unit_ms = match times.text_attribute("units")?.as_deref() {
            Some("s" | "seconds" | "second") => 1000.0,
            _ => 1.0,
        };
        let (mut largest, mut latest, mut sorted) = (None, f64::NEG_INFINITY, true);
        for first in (0..count).step_by(BLOCK) {
            let range = first..(first + BLOCK as u64).min(count);
            for time in times.floats(range.clone())? {
                sorted &= time >= latest;
                latest = time;
            }
            largest = largest.max(ids.indices(range)?.into_iter().max());
        }
        Ok(largest.map(|largest| Self {
            path: path.to_owned(),
            name: name.to_owned(),
            columns,
            unit_ms,
            dt,
            size: largest.saturating_add(1),
            count,
            sorted,
        }))
    }

    /// Whether spikes that must be sorted fit into memory.
    fn check_memory(&self) -> Result<(), Failure> {
        const SPIKE_BYTES: u64 = 16;
        let bytes = self.count.saturating_mul(SPIKE_BYTES);
        match available_memory() {
            Some(limit) if bytes > limit => Err(Failure::Input(format!(
                "{}: the {} spikes of {} are not sorted by time, and sorting them takes {bytes} \
                 bytes of memory; {limit} are available",
                self.path.display(),
                self.count,
                self.name
            ))),
            _ => Ok(()),
        }
    }

    fn content(&self, reason: &dyn ToString) -> SourceError {
        SourceError::Content {
            population: self.name.clone(),
            reason: format!("{}: {}", self.path.display(), reason.to_string()),
        }
    }

    /// Reads the columns and sends blocks of spikes, sorted by step and node, until nobody listens.
    fn send(
        &self,
        data: &File,
        (start_step, end_step): (u64, u64),
        blocks: &SyncSender<Block>,
    ) -> Result<(), Stopped> {
        let (ids, times) = (
            data.dataset(&self.columns.0)?,
            data.dataset(&self.columns.1)?,
        );
        let block = if self.sorted {
            BLOCK as u64
        } else {
            self.count
        };
        let mut waiting: Vec<(u64, u32)> = Vec::new();
        let mut first = 0;
        while first < self.count {
            let last = first.saturating_add(block).min(self.count);
            let read = times.floats(first..last)?.into_iter();
            for (time, id) in read.zip(ids.indices(first..last)?) {
                waiting.push((self.step(time)?, id));
            }
            waiting.sort_unstable();
            // Of the last step there may be more to come.
            let latest = waiting.last().map_or(0, |&(step, _)| step);
            let ready = if last < self.count {
                waiting.partition_point(|&(step, _)| step < latest)
            } else {
                waiting.len()
            };
            let rest = waiting.split_off(ready);
            waiting.retain(|&(step, _)| step > start_step && step <= end_step);
            for spikes in waiting.chunks(BLOCK) {
                if blocks.send(spikes.iter().copied().unzip()).is_err() {
                    return Ok(());
                }
            }
            (waiting, first) = (rest, last);
        }
        Ok(())
    }

    fn step(&self, time: f64) -> Result<u64, Stopped> {
        let time_ms = time * self.unit_ms;
        let step = self.dt.nearest_step(time_ms);
        step.ok_or_else(|| self.content(&format!("a spike at {time_ms} ms")).into())
    }
}

/// Steps and nodes.
type Block = (Vec<u64>, Vec<u32>);

impl SpikeSource for SonataSpikes {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self) -> u32 {
        self.size
    }

    fn visit(
        &mut self,
        start_step: u64,
        end_step: u64,
        visit: &mut dyn FnMut(Spikes<'_>),
    ) -> Result<(), SourceError> {
        let mut order = Order::new(&self.name, self.size);
        let spikes: &Self = self;
        // Files are read on a thread of their own; blocks come from there one by one.
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel::<Block>(1);
            let reader = scope.spawn(move || {
                hdf5::read(&spikes.path, &Limits::default(), |data| {
                    spikes.send(data, (start_step, end_step), &sender)
                })
            });
            let mut outcome = Ok(());
            for (steps, neurons) in receiver {
                match order.block(&steps, &neurons) {
                    Ok(block) => visit(block),
                    Err(error) => {
                        outcome = Err(error);
                        break;
                    }
                }
            }
            let read = match reader.join() {
                Ok(read) => read,
                Err(_) => return Err(spikes.content(&"the reader stopped")),
            };
            outcome?;
            read.map_err(|e| match e {
                Stopped::Source(e) => e,
                Stopped::File(e) => spikes.content(&e),
            })
        })
    }
}

/// Why a visit ended early.
enum Stopped {
    Source(SourceError),
    File(Hdf5Error),
}

impl From<SourceError> for Stopped {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<Hdf5Error> for Stopped {
    fn from(error: Hdf5Error) -> Self {
        Self::File(error)
    }
}
