//! One run: build, advance in stretches, take what was recorded, write checkpoints.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use rheobase_engine::Instantiate;
use rheobase_engine::actor::RunError;
use rheobase_engine::build::{BuildError, BuildOptions};
use rheobase_engine::plan::Plan;
use rheobase_engine::record::Trace;
use rheobase_engine::simulation::Simulation;
use rheobase_report::stream::PartFiles;
use rheobase_report::{FileError, ResultFolder, Timings};

use super::backend::{Make, Place};
use super::checkpoint::{self, CheckpointFailure, Saved};
use super::collect::Collector;
use super::{
    CHECKPOINT, Checkpoints, Continue, Output, Progress, Run, RunFailure, RunOptions,
    STRETCH_BYTES, available_memory, estimate, record, record_all_populations, seconds, threads,
};

pub(super) fn run_in<R: Instantiate>(
    mut plan: Plan,
    options: &RunOptions,
    mut place: Place<R>,
    output: Option<Output<'_>>,
    progress: &mut dyn FnMut(Progress) -> Continue,
) -> Result<(Run, Option<PartFiles>), RunFailure> {
    let limit = options.memory_limit.or_else(available_memory);
    estimate(&plan, options).check(limit.unwrap_or(u64::MAX))?;
    let threads = threads(&plan, options);
    // Before the network is built: nobody waits for what is refused.
    let resumed = output.map_or(Ok(None), resumed)?;
    if let Some(saved) = &resumed {
        saved.keep_arithmetic(&mut plan);
    }
    let monitored = plan.monitors.clone();
    record_all_populations(&mut plan);
    let plan = Arc::new(plan);
    let begun = Instant::now();
    let build_options = BuildOptions {
        threads,
        mode: options.mode,
        ..BuildOptions::default()
    };
    let mut simulation = match (place.make)(Arc::clone(&plan), build_options) {
        // The network does not suit the device.
        Err(BuildError::Device(reason)) if place.rescue.is_some() => {
            place = Place::cpu(reason);
            (place.make)(Arc::clone(&plan), build_options)?
        }
        built => built?,
    };
    let build_s = begun.elapsed().as_secs_f64();
    let empty = simulation.take_recording();
    let traces = empty.traces.clone();
    let mut job = Job {
        collector: Collector::new(&plan, empty, &monitored, options.keep_recording)?,
        simulation,
        checkpoints: None,
        done: checkpoint::Progress::default(),
        begun: Instant::now(),
        rescue: place.rescue.map(|make| Rescue {
            make,
            options: build_options,
            last: Vec::new(),
        }),
        rescued: None,
    };
    if let Some(output) = output {
        job.prepare(output, resumed, &traces)?;
    }
    job.begun = Instant::now();
    let mut stopped = job.advance(progress)?;
    let timings = Timings {
        biological_s: seconds(&plan, job.simulation.now()),
        build_s,
        simulation_s: job.simulation_s(),
    };
    let mut fingerprint = job.simulation.fingerprint_with(&job.collector.hashes());
    if let Some(error) = job.simulation.device_trouble() {
        // The device has failed after the last step: its states are those of before.
        if job.take_over(error.clone())? {
            fingerprint = job.simulation.fingerprint_with(&job.collector.hashes());
        } else {
            stopped = stopped.or(Some(error));
        }
    }
    let mut record = record::of(&job.simulation, &job.collector, timings, threads)?;
    place.name.clone_into(&mut record.backend);
    record.backend_reason = Some(place.reason);
    record.device = record::device(&job.simulation, &job.collector, place.adapter);
    if let Some((error, at_s)) = job.rescued {
        record.backend = format!("{}, then cpu", record.backend);
        record.backend_reason = Some(format!("{error}; continued on the processor from {at_s} s"));
    }
    record.fingerprint = format!("{fingerprint:016x}");
    record.resumed_s.clone_from(&job.done.resumed_s);
    let written = job.checkpoints.filter(|c| c.written).map(|c| c.path);
    let run = Run {
        record,
        recording: job.collector.total,
        plan,
        build: job.simulation.report().clone(),
        checkpoint: written,
        stopped,
        fingerprint,
    };
    Ok((run, job.collector.parts))
}

/// The checkpoint to continue from, if there is to be one.
fn resumed(output: Output<'_>) -> Result<Option<Saved>, CheckpointFailure> {
    let path = output.checkpoints.and_then(|c| c.resume.as_ref());
    path.map(|path| Saved::read(path)).transpose()
}

/// A run under way.
struct Job<R> {
    simulation: Simulation<R>,
    collector: Collector,
    checkpoints: Option<Writer>,
    /// Of earlier parts of the run.
    done: checkpoint::Progress,
    begun: Instant,
    rescue: Option<Rescue<R>>,
    /// Why the processor took over, and from when on.
    rescued: Option<(RunError, f64)>,
}

/// What takes over where a device fails.
struct Rescue<R> {
    make: Make<R>,
    options: BuildOptions,
    /// The state of the network when recordings were last taken.
    last: Vec<u8>,
}

/// Where checkpoints go.
struct Writer {
    path: PathBuf,
    model: String,
    written: bool,
}

impl<R: Instantiate> Job<R> {
    /// Opens the columns; continues from a checkpoint.
    fn prepare(
        &mut self,
        output: Output<'_>,
        resumed: Option<Saved>,
        traces: &[Trace],
    ) -> Result<(), RunFailure> {
        let layout = self.collector.layout(self.simulation.plan(), traces);
        let Some(wanted) = output.checkpoints else {
            remove_checkpoint(output.folder)?;
            return Ok(self.collector.stream_to(output.folder, layout, None)?);
        };
        self.checkpoints = Some(Writer {
            path: output.folder.file(CHECKPOINT),
            model: wanted.model.clone(),
            written: false,
        });
        match resumed.zip(wanted.resume.clone()) {
            None => {
                remove_checkpoint(output.folder)?;
                self.collector.stream_to(output.folder, layout, None)?;
            }
            Some((saved, path)) => {
                let model = &wanted.model;
                let simulation = &mut self.simulation;
                self.done = saved.restore(model, &mut self.collector, simulation)?;
                let at_s = seconds(self.simulation.plan(), self.done.now);
                self.done.resumed_s.push(at_s);
                self.collector
                    .stream_to(output.folder, layout, Some(&self.done.columns))
                    .map_err(|e| CheckpointFailure::Columns {
                        path,
                        reason: e.to_string(),
                    })?;
            }
        }
        self.done.every_steps = interval(wanted, self.done.every_steps);
        Ok(())
    }

    fn simulation_s(&self) -> f64 {
        self.done.simulation_s + self.begun.elapsed().as_secs_f64()
    }

    /// Advances to the end in stretches of about a tenth of a second of wall time.
    fn advance(
        &mut self,
        progress: &mut dyn FnMut(Progress) -> Continue,
    ) -> Result<Option<RunError>, RunFailure> {
        let steps = self.simulation.plan().steps;
        let longest = self
            .collector
            .longest_stretch(self.simulation.plan(), STRETCH_BYTES);
        let mut stretch = 128_u64;
        if let Err(error) = self.remember() {
            self.take_over(error)?;
        }
        while self.simulation.now() < steps {
            let from = Instant::now();
            let now = self.simulation.now();
            let target = (now + stretch.min(longest)).min(steps).min(self.next_due());
            let mut outcome = self.simulation.advance_to(target);
            if outcome.is_ok() {
                // Before anything is taken: what was taken belongs to the state that is kept.
                outcome = self.remember();
            }
            match outcome {
                Err(error @ RunError::Device { .. }) if self.rescue.is_some() => {
                    self.take_over(error)?;
                    continue;
                }
                other => outcome = other,
            }
            self.collector.take(self.simulation.take_recording())?;
            if let Err(error) = outcome {
                return Ok(Some(error));
            }
            match from.elapsed().as_millis() {
                0..50 => stretch = stretch.saturating_mul(2),
                50..200 => {}
                _ => stretch = (stretch / 2).max(1),
            }
            let report = Progress {
                time_ms: 1e3 * seconds(self.simulation.plan(), target),
                end_ms: 1e3 * seconds(self.simulation.plan(), steps),
                wall: self.begun.elapsed(),
            };
            let stop = progress(report) == Continue::Stop;
            if stop || target == steps || target == self.last_due() {
                self.write_checkpoint()?;
            }
            if stop {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Whether a device gives its state no more, where the processor could go on.
    fn lost(&mut self) -> Option<RunError> {
        self.rescue.as_ref()?;
        self.simulation.visit_state(|_, _, _| {});
        self.simulation.device_trouble()
    }

    /// Keeps the state of a network that may have to go on elsewhere.
    fn remember(&mut self) -> Result<(), RunError> {
        let Some(rescue) = &mut self.rescue else {
            return Ok(());
        };
        let mut state = Vec::with_capacity(rescue.last.len());
        match self.simulation.save(&mut state) {
            Ok(()) => {
                rescue.last = state;
                Ok(())
            }
            Err(e) => Err(RunError::Device {
                message: e.to_string(),
                time_ms: 1e3 * seconds(self.simulation.plan(), self.simulation.now()),
            }),
        }
    }

    /// Goes on on the processor from the state that was kept; what was recorded since is made anew. False
    /// if there is nothing to go on with.
    fn take_over(&mut self, error: RunError) -> Result<bool, RunFailure> {
        let Some(rescue) = self.rescue.take() else {
            return Ok(false);
        };
        let plan = Arc::new(self.simulation.plan().clone());
        let mut simulation = (rescue.make)(plan, rescue.options)?;
        if !rescue.last.is_empty() {
            simulation
                .load(&mut rescue.last.as_slice())
                .map_err(|e| RunFailure::Device(format!("{error}; and its state is lost: {e}")))?;
        }
        let at_s = seconds(simulation.plan(), simulation.now());
        self.simulation = simulation;
        self.rescued = Some((error, at_s));
        Ok(true)
    }

    /// The next step at which a checkpoint is due.
    fn next_due(&self) -> u64 {
        match self.done.every_steps {
            0 => u64::MAX,
            every => (self.simulation.now() / every + 1).saturating_mul(every),
        }
    }

    /// The last step, up to now, at which one was due.
    fn last_due(&self) -> u64 {
        match self.done.every_steps {
            0 => 0,
            every => self.simulation.now() / every * every,
        }
    }

    fn write_checkpoint(&mut self) -> Result<(), RunFailure> {
        let simulation_s = self.simulation_s();
        if self.checkpoints.is_some()
            && let Some(error) = self.lost()
        {
            self.take_over(error)?;
        }
        let (Some(writer), Some(parts)) = (&mut self.checkpoints, &mut self.collector.parts) else {
            return Ok(());
        };
        parts.synchronise()?;
        let progress = checkpoint::Progress {
            now: self.simulation.now(),
            simulation_s,
            columns: parts.lengths(),
            ..self.done.clone()
        };
        checkpoint::write(
            &writer.path,
            &writer.model,
            &progress,
            &self.collector,
            &mut self.simulation,
        )?;
        writer.written = true;
        Ok(())
    }
}

fn interval(wanted: &Checkpoints, before: u64) -> u64 {
    wanted.every_steps.unwrap_or(before)
}

/// A new run makes the columns an old checkpoint tells of anew.
fn remove_checkpoint(folder: &ResultFolder) -> Result<(), FileError> {
    folder.clear(|name| name == CHECKPOINT)
}
