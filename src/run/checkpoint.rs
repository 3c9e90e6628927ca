//! Checkpoints of runs: a file from which a run continues with the same bits.
//!
//! Layout, little-endian ([`Encoder`]): a magic of 16 bytes, the version of the layout, then
//! version of the program, text of the model, step, seconds of simulation so far, times of earlier
//! continuations, interval, choices of arithmetic, lengths of the columns on disk; counters, hashes
//! and statistics; the state of the simulation ([`Simulation::save`]); a checksum of all before.
//! Numbers are u64, floats by their bits, texts and blocks preceded by their length.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use rheobase_engine::Instantiate;
use rheobase_engine::anchored::{Arithmetic, ArithmeticReport};
use rheobase_engine::build::BuildReport;
use rheobase_engine::checkpoint::CheckpointError;
use rheobase_engine::plan::{NodeKind, Plan, Time};
use rheobase_engine::simulation::Simulation;
use rheobase_report::bytes::{DecodeError, Decoder, Encoder, checksum};
use rheobase_report::{FileError, atomic_write};

use super::collect::Collector;

const MAGIC: &[u8; 16] = b"rheobase run\0\0\0\0";
/// Version of the layout.
const VERSION: u64 = 1;
/// Largest file that is read: states of some 10⁸ neurons.
const MOST_BYTES: u64 = 16 << 30;

/// Why a checkpoint cannot be written or continued from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointFailure {
    /// The file itself.
    #[error("checkpoint: {0}")]
    File(#[from] FileError),
    /// Another kind of file.
    #[error("{} is no checkpoint of a run", path.display())]
    NotOne {
        /// The file.
        path: PathBuf,
    },
    /// A layout of another version.
    #[error(
        "checkpoint {}: it has version {found} of the layout, this program reads {VERSION}; \
         continue with the program that wrote it",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Version found.
        found: u64,
    },
    /// Bits were lost or changed.
    #[error("checkpoint {}: it is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How that shows.
        reason: String,
    },
    /// The run was one of another model.
    #[error(
        "checkpoint {}: it belongs to another model (hash {saved:016x}, this one has {given:016x}): \
         {difference}. Only the duration and the number of threads may change",
        path.display()
    )]
    Model {
        /// The file.
        path: PathBuf,
        /// Hash of the model that was saved.
        saved: u64,
        /// Hash of the model that was given.
        given: u64,
        /// The first line that differs.
        difference: String,
    },
    /// The run is to end before the checkpoint.
    #[error(
        "checkpoint {}: it was taken at {at_s} s, after the end of a run of {duration_s} s; ask for a \
         longer --duration",
        path.display()
    )]
    Beyond {
        /// The file.
        path: PathBuf,
        /// Time of the checkpoint \[s\].
        at_s: f64,
        /// Duration of the run \[s\].
        duration_s: f64,
    },
    /// Spikes recorded before it are gone.
    #[error("checkpoint {}: the spikes and traces recorded before it are not there: {reason}", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// The state of the simulation.
    #[error("checkpoint {}: {source}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What the engine says.
        source: CheckpointError,
    },
}

impl CheckpointFailure {
    /// Whether the file is at fault, or what was asked for; else it could not be written.
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::File(FileError::Io { action, .. }) => *action == "read",
            Self::File(_) => false,
            _ => true,
        }
    }
}

/// What is kept of a run besides its state and what was collected.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Progress {
    pub(super) now: u64,
    /// Wall time of all parts of the run so far \[s\].
    pub(super) simulation_s: f64,
    /// Biological times of continuations \[s\].
    pub(super) resumed_s: Vec<f64>,
    /// Steps between checkpoints; 0: at the end alone.
    pub(super) every_steps: u64,
    /// Lengths of the columns on disk.
    pub(super) columns: Vec<u64>,
}

/// Writes a checkpoint; afterwards it is there, or the one before.
pub(super) fn write<R: Instantiate>(
    path: &Path,
    model: &str,
    progress: &Progress,
    collector: &Collector,
    simulation: &mut Simulation<R>,
) -> Result<(), CheckpointFailure> {
    let mut out = Encoder::default();
    out.text(env!("CARGO_PKG_VERSION"));
    out.text(model);
    out.u64(progress.now);
    out.f64(progress.simulation_s);
    out.u64(progress.resumed_s.len() as u64);
    progress.resumed_s.iter().for_each(|&s| out.f64(s));
    out.u64(progress.every_steps);
    out.text(&arithmetic(simulation.plan(), simulation.report()));
    out.u64(progress.columns.len() as u64);
    progress.columns.iter().for_each(|&bytes| out.u64(bytes));
    collector.save(&mut out);
    let mut state = Vec::new();
    simulation
        .save(&mut state)
        .map_err(|source| CheckpointFailure::State {
            path: path.to_owned(),
            source,
        })?;
    out.block(&state);
    let content = out.into_bytes();
    let mut bytes = Vec::with_capacity(MAGIC.len() + 16 + content.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&content);
    bytes.extend_from_slice(&checksum(&bytes).to_le_bytes());
    Ok(atomic_write(path, &bytes)?)
}

/// How populations are computed, a line each: part of what must stay the same.
fn arithmetic(plan: &Plan, build: &BuildReport) -> String {
    let mut text = String::new();
    for (id, node) in plan.nodes.iter().enumerate() {
        if let NodeKind::Population(p) = &node.kind {
            let code = p.neuron.component().map_or(0, |c| c.fingerprint());
            // With the defaults of the component, which the description does not tell.
            let values = format!("{:?} {:?}", p.parameters, p.initial);
            let how = match p.time {
                Time::Grid => {
                    let decided = build.arithmetic.iter().find(|(n, _)| *n == id);
                    let kept = match decided {
                        Some((_, d)) if d.arithmetic == Arithmetic::Anchored => {
                            format!("anchored ({})", d.reason)
                        }
                        _ => "stepwise".to_owned(),
                    };
                    format!("{} {kept} {:?}", p.integrator.name(), plan.precision)
                }
                Time::Exact => "exact F64".to_owned(),
                Time::Adaptive => "adaptive F64".to_owned(),
            };
            text.push_str(&format!(
                "{}: {how}, equations {code:016x}, parameters {:016x}\n",
                node.name,
                checksum(values.as_bytes()),
            ));
        }
    }
    text
}

/// A checkpoint that was read, its checksum found right.
pub(super) struct Saved {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Saved {
    pub(super) fn read(path: &Path) -> Result<Self, CheckpointFailure> {
        let fail = |e| FileError::Io {
            action: "read",
            path: path.to_owned(),
            source: e,
        };
        let file = fs::File::open(path).map_err(fail)?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES)
            .read_to_end(&mut bytes)
            .map_err(fail)?;
        let saved = Self {
            path: path.to_owned(),
            bytes,
        };
        saved.check()?;
        Ok(saved)
    }

    /// Gives populations that would be anchored, but were not in the checkpoint, its arithmetic, if that
    /// is left open: a device computes step by step, and the processor goes on from there.
    pub(super) fn keep_arithmetic(&self, plan: &mut Plan) {
        let content = &self.bytes[MAGIC.len() + 8..self.bytes.len() - 8];
        let mut from = Decoder::new(content);
        let saved = std::cell::RefCell::new(String::new());
        let take = |text: &str| {
            text.clone_into(&mut saved.borrow_mut());
            Ok(())
        };
        let read = from.text().is_ok() && from.text().is_ok();
        // What cannot be read is told when the state is.
        if !read || progress_from(&mut from, take).is_err() {
            return;
        }
        let saved = saved.into_inner();
        for id in 0..plan.nodes.len() {
            let is_anchored = ArithmeticReport::of(plan, id)
                .is_some_and(|report| report.arithmetic == Arithmetic::Anchored);
            let node = &mut plan.nodes[id];
            let mut lines = saved.lines();
            let own = lines.find(|line| line.starts_with(&format!("{}: ", node.name)));
            if let NodeKind::Population(p) = &mut node.kind
                && p.arithmetic == Arithmetic::Auto
                && is_anchored
                && own.is_some_and(|line| line.contains(" stepwise "))
            {
                p.arithmetic = Arithmetic::Stepwise;
            }
        }
    }

    fn check(&self) -> Result<(), CheckpointFailure> {
        let path = self.path.clone();
        let Some(rest) = self.bytes.strip_prefix(MAGIC) else {
            return Err(CheckpointFailure::NotOne { path });
        };
        let version = Decoder::new(rest).u64().map_err(|e| self.damaged(&e))?;
        let Some((content, sum)) = self.bytes.split_last_chunk::<8>() else {
            return Err(CheckpointFailure::NotOne { path });
        };
        let whole = checksum(content) == u64::from_le_bytes(*sum);
        match version {
            VERSION if whole => Ok(()),
            VERSION => Err(self.damaged(&"its checksum is wrong")),
            found => Err(CheckpointFailure::Version { path, found }),
        }
    }

    fn damaged(&self, reason: &dyn ToString) -> CheckpointFailure {
        CheckpointFailure::Damaged {
            path: self.path.clone(),
            reason: reason.to_string(),
        }
    }

    /// Puts simulation and collector into the state of the checkpoint, if it is one of this model.
    pub(super) fn restore<R: Instantiate>(
        &self,
        model: &str,
        collector: &mut Collector,
        simulation: &mut Simulation<R>,
    ) -> Result<Progress, CheckpointFailure> {
        let content = &self.bytes[MAGIC.len() + 8..self.bytes.len() - 8];
        let mut from = Decoder::new(content);
        let decode = |e: DecodeError| self.damaged(&e);
        from.text().map_err(decode)?;
        self.compare(from.text().map_err(decode)?, model)?;
        let progress = progress_from(&mut from, |saved| {
            self.compare(saved, &arithmetic(simulation.plan(), simulation.report()))
        })
        .map_err(|e| e.unwrap_or_else(decode))?;
        self.check_time(&progress, simulation.plan())?;
        collector.restore(&mut from).map_err(decode)?;
        let mut state = from.block().map_err(decode)?;
        from.finish().map_err(decode)?;
        simulation
            .load(&mut state)
            .map_err(|source| CheckpointFailure::State {
                path: self.path.clone(),
                source,
            })?;
        if !state.is_empty() || simulation.now() != progress.now {
            return Err(self.damaged(&"its state is that of another step"));
        }
        Ok(progress)
    }

    fn compare(&self, saved: &str, given: &str) -> Result<(), CheckpointFailure> {
        if saved == given {
            return Ok(());
        }
        Err(CheckpointFailure::Model {
            path: self.path.clone(),
            saved: checksum(saved.as_bytes()),
            given: checksum(given.as_bytes()),
            difference: difference(saved, given),
        })
    }

    fn check_time(&self, progress: &Progress, plan: &Plan) -> Result<(), CheckpointFailure> {
        if progress.now <= plan.steps {
            return Ok(());
        }
        Err(CheckpointFailure::Beyond {
            path: self.path.clone(),
            at_s: super::seconds(plan, progress.now),
            duration_s: super::seconds(plan, plan.steps),
        })
    }
}

/// An error of the comparison, or of the bytes.
enum Either {
    Refused(CheckpointFailure),
    Bytes(DecodeError),
}

impl Either {
    fn unwrap_or_else(self, bytes: impl Fn(DecodeError) -> CheckpointFailure) -> CheckpointFailure {
        match self {
            Self::Refused(failure) => failure,
            Self::Bytes(error) => bytes(error),
        }
    }
}

impl From<DecodeError> for Either {
    fn from(error: DecodeError) -> Self {
        Self::Bytes(error)
    }
}

fn progress_from(
    from: &mut Decoder<'_>,
    compare_arithmetic: impl Fn(&str) -> Result<(), CheckpointFailure>,
) -> Result<Progress, Either> {
    let now = from.u64()?;
    let simulation_s = from.f64()?;
    let times = from.count(8)?;
    let resumed_s = (0..times).map(|_| from.f64()).collect::<Result<_, _>>()?;
    let every_steps = from.u64()?;
    compare_arithmetic(from.text()?).map_err(Either::Refused)?;
    let columns = from.count(8)?;
    let columns = (0..columns).map(|_| from.u64()).collect::<Result<_, _>>()?;
    Ok(Progress {
        now,
        simulation_s,
        resumed_s,
        every_steps,
        columns,
    })
}

/// The first line in which two texts differ, in words.
fn difference(saved: &str, given: &str) -> String {
    let (mut a, mut b) = (saved.lines(), given.lines());
    loop {
        match (a.next(), b.next()) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => {
                return format!("`{}` became `{}`", shortened(a), shortened(b));
            }
            (Some(a), None) => return format!("`{}` is gone", shortened(a)),
            (None, Some(b)) => return format!("`{}` is new", shortened(b)),
            (None, None) => return "ends of lines differ".to_owned(),
        }
    }
}

fn shortened(line: &str) -> String {
    const MOST: usize = 120;
    let line = line.trim().trim_end_matches(',');
    if line.chars().count() <= MOST {
        return line.to_owned();
    }
    let kept: String = line.chars().take(MOST).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        assert_eq!(
            difference("{\n  \"size\": 80,\n}", "{\n  \"size\": 81,\n}"),
            "`\"size\": 80` became `\"size\": 81`"
        );
        assert_eq!(difference("a\nb", "a"), "`b` is gone");
        assert_eq!(difference("a", "a\nb"), "`b` is new");
        assert!(shortened(&"x".repeat(500)).chars().count() < 130);
    }
}
