//! What a step takes on a GPU, beside the processor: networks of `examples/` on either side in turn, and
//! where the time on the device goes.

use std::sync::Arc;
use std::time::Instant;

use rheobase_engine::backend::gpu::{AdapterChoice, GpuDevice};
use rheobase_engine::build::BuildOptions;
use rheobase_engine::plan::Plan;
use rheobase_engine::simulation::Simulation;
use serde_json::json;

use super::spread::Spread;
use super::{Answers, BenchError, Measurement, Setting, float, plan, simulation};

const NETWORKS: [(&str, &str); 3] = [
    ("coba", include_str!("../../examples/coba.toml")),
    ("brunel", include_str!("../../examples/brunel.toml")),
    (
        "microcircuit",
        include_str!("../../examples/microcircuit.toml"),
    ),
];

pub(super) fn ask(setting: &Setting, answers: Answers<'_>) -> Result<(), BenchError> {
    let device = GpuDevice::request(&AdapterChoice::Any)?;
    for (name, text) in NETWORKS {
        if setting.wants(name) {
            let measured = measure(setting, &device, name, plan(text, name)?)?;
            answers(measured)?;
        }
    }
    Ok(())
}

fn measure(
    setting: &Setting,
    device: &GpuDevice,
    name: &str,
    plan: Plan,
) -> Result<Measurement, BenchError> {
    let (rounds, steps) = if setting.quick { (1, 64) } else { (5, 640) };
    let options = BuildOptions::default();
    let mut gpu = Simulation::build_on(Arc::new(plan.clone()), options, device)?;
    let mut cpu = simulation(plan, setting.threads)?;
    let (mut on_gpu, mut on_cpu, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (a, b) = (time(&mut gpu, steps)?, time(&mut cpu, steps)?);
        // The first fills caches.
        if round > 0 {
            on_gpu.push(a);
            on_cpu.push(b);
            ratios.push(a / b);
        }
    }
    drop(gpu.take_recording());
    let timed = device.measure(true);
    time(&mut gpu, steps)?;
    let _ = device.measure(false);
    let counts = gpu.take_recording().device;
    let all = float(counts.advance_ns + counts.list_ns + counts.deliver_ns);
    let share = |ns: u64| timed.then(|| float(ns) / all);
    let traffic = gpu.report().traffic.first().copied().unwrap_or_default();
    Ok(Measurement::new(
        "device",
        setting.threads,
        json!({
            "network": name,
            "adapter": device.info().to_string(),
        }),
        json!({
            "gpu_us_per_step": Spread::of(on_gpu).json(),
            "cpu_us_per_step": Spread::of(on_cpu).json(),
            "gpu_by_cpu": Spread::of(ratios).json(),
            "kernels_us_per_step": timed.then(|| 1e-3 * all / float(steps)),
            "share_advancing": share(counts.advance_ns),
            "share_listing": share(counts.list_ns),
            "share_delivering": share(counts.deliver_ns),
            "steps_per_chunk": traffic.chunk,
            "neuron_step_bytes": traffic.neuron_step_bytes,
            "least_neuron_step_bytes": traffic.least_neuron_step_bytes,
            "event_bytes": traffic.event_bytes,
            "least_event_bytes": traffic.least_event_bytes,
            "bytes_read_per_step": float(counts.bytes_read) / float(counts.steps.max(1)),
        }),
    ))
}

/// Microseconds of a step.
fn time(simulation: &mut Simulation<f32>, steps: u64) -> Result<f64, BenchError> {
    let begun = Instant::now();
    let last = simulation.now() + steps;
    simulation.advance_to(last)?;
    Ok(1e6 * begun.elapsed().as_secs_f64() / float(steps))
}
