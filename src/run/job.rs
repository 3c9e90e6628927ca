//! One run: build, advance in stretches, take what was recorded.

use std::sync::Arc;
use std::time::Instant;

use rheobase_engine::Instantiate;
use rheobase_engine::actor::RunError;
use rheobase_engine::build::BuildOptions;
use rheobase_engine::plan::Plan;
use rheobase_engine::simulation::Simulation;
use rheobase_report::stream::PartFiles;
use rheobase_report::{ResultFolder, Timings};

use super::collect::Collector;
use super::{
    Continue, Progress, Run, RunFailure, RunOptions, STRETCH_BYTES, available_memory, estimate,
    record, record_all_populations, seconds, threads,
};

pub(super) fn run_in<R: Instantiate>(
    mut plan: Plan,
    options: &RunOptions,
    folder: Option<&ResultFolder>,
    progress: &mut dyn FnMut(Progress) -> Continue,
) -> Result<(Run, Option<PartFiles>), RunFailure> {
    let limit = options.memory_limit.or_else(available_memory);
    estimate(&plan, options).check(limit.unwrap_or(u64::MAX))?;
    let threads = threads(&plan, options);
    let monitored = plan.monitors.clone();
    record_all_populations(&mut plan);
    let plan = Arc::new(plan);
    let begun = Instant::now();
    let build_options = BuildOptions {
        threads,
        ..BuildOptions::default()
    };
    let mut simulation = Simulation::<R>::build(Arc::clone(&plan), build_options)?;
    let build_s = begun.elapsed().as_secs_f64();
    let empty = simulation.take_recording();
    let traces = empty.traces.clone();
    let mut collector = Collector::new(&plan, empty, &monitored, options.keep_recording)?;
    if let Some(folder) = folder {
        let layout = collector.layout(&plan, &traces);
        collector.stream_to(folder, layout)?;
    }
    let begun = Instant::now();
    let stopped = advance(&mut simulation, &mut collector, progress)?;
    let simulation_s = begun.elapsed().as_secs_f64();
    let fingerprint = simulation.fingerprint_with(&collector.hashes());
    let timings = Timings {
        biological_s: seconds(&plan, simulation.now()),
        build_s,
        simulation_s,
    };
    let mut record = record::of(&simulation, &collector, timings, threads)?;
    options.backend.name().clone_into(&mut record.backend);
    record.fingerprint = format!("{fingerprint:016x}");
    let run = Run {
        record,
        recording: collector.total,
        plan,
        build: simulation.report().clone(),
        stopped,
        fingerprint,
    };
    Ok((run, collector.parts))
}

/// Advances to the end in stretches of about a tenth of a second of wall time.
fn advance<R: Instantiate>(
    simulation: &mut Simulation<R>,
    collector: &mut Collector,
    progress: &mut dyn FnMut(Progress) -> Continue,
) -> Result<Option<RunError>, RunFailure> {
    let begun = Instant::now();
    let steps = simulation.plan().steps;
    let longest = collector.longest_stretch(simulation.plan(), STRETCH_BYTES);
    let mut stretch = 100_u64;
    while simulation.now() < steps {
        let from = Instant::now();
        let target = (simulation.now() + stretch.min(longest)).min(steps);
        let outcome = simulation.advance_to(target);
        collector.take(simulation.take_recording())?;
        if let Err(error) = outcome {
            return Ok(Some(error));
        }
        match from.elapsed().as_millis() {
            0..50 => stretch = stretch.saturating_mul(2),
            50..200 => {}
            _ => stretch = (stretch / 2).max(1),
        }
        let report = Progress {
            time_ms: 1e3 * seconds(simulation.plan(), simulation.now()),
            end_ms: 1e3 * seconds(simulation.plan(), steps),
            wall: begun.elapsed(),
        };
        if progress(report) == Continue::Stop {
            return Ok(None);
        }
    }
    Ok(None)
}
