//! Runs and trainings as the command makes them: on a device, and on the processor where it fails.

use std::time::Duration;

use rheobase::engine::backend::gpu::{AdapterChoice, GpuDevice};
use rheobase::engine::network::Network;
use rheobase::report::ResultFolder;
use rheobase::run::{Backend, Continue, Run, RunOptions, simulate_with};
use rheobase::train::{TrainOptions, TrainingFile, TrainingRecord, train};

use crate::harness::{device, read};

fn own_device() -> Option<GpuDevice> {
    device()?;
    Some(GpuDevice::request(&AdapterChoice::Any).unwrap_or_else(|e| panic!("{e}")))
}

fn run(options: &RunOptions, progress: &mut dyn FnMut(f64)) -> Run {
    let text = read("examples/coba.toml").replace("\"1 s\"", "\"150 ms\"");
    let network = Network::from_toml(&text, "").unwrap_or_else(|e| panic!("{e}"));
    let run = simulate_with(&network, &rheobase::registry(), options, &mut |p| {
        progress(p.time_ms);
        Continue::Yes
    });
    run.unwrap_or_else(|e| panic!("{e}"))
}

fn on(device: &GpuDevice, fallback: bool) -> RunOptions {
    RunOptions {
        backend: Backend::Gpu,
        device: Some(device.clone()),
        fallback,
        ..RunOptions::default()
    }
}

#[test]
fn a_run_on_a_device_is_a_run_on_the_processor() {
    let Some(device) = own_device() else { return };
    let cpu = run(&RunOptions::default(), &mut |_| {});
    let gpu = run(&on(&device, false), &mut |_| {});
    assert_eq!(cpu.fingerprint, gpu.fingerprint);
    assert_eq!(cpu.record.synaptic_events, gpu.record.synaptic_events);
    assert_eq!(
        (cpu.record.backend.as_str(), gpu.record.backend.as_str()),
        ("cpu", "gpu")
    );
    let reason = cpu.record.backend_reason.unwrap_or_default();
    assert!(reason.contains("not worth opening"), "{reason}");
    let record = gpu.record.device.unwrap_or_else(|| panic!("a device"));
    assert!(
        record.steps == 1500 && record.on_processor.is_empty(),
        "{record:?}"
    );
}

/// The same spikes and states as without the accident: counted sums have the bits of the processor.
#[test]
fn the_processor_goes_on_where_a_device_fails() {
    let Some(device) = own_device() else { return };
    let cpu = run(&RunOptions::default(), &mut |_| {});
    let mut destroyed = false;
    let gpu = run(&on(&device, true), &mut |time_ms| {
        if time_ms > 40.0 && !destroyed {
            destroyed = true;
            device.destroy();
        }
    });
    assert!(destroyed);
    assert_eq!(gpu.record.backend, "gpu, then cpu");
    let reason = gpu.record.backend_reason.clone().unwrap_or_default();
    println!("{reason}");
    assert!(
        reason.contains("continued on the processor from 0."),
        "{reason}"
    );
    assert!(gpu.stopped.is_none());
    assert_eq!(cpu.fingerprint, gpu.fingerprint);
    assert_eq!(cpu.recording.spikes, gpu.recording.spikes);
}

#[test]
fn without_fallback_a_failed_device_ends_the_run_with_what_was_recorded() {
    let Some(device) = own_device() else { return };
    let gpu = run(&on(&device, false), &mut |time_ms| {
        if time_ms > 40.0 {
            device.destroy();
        }
    });
    let error = gpu.stopped.map(|e| e.to_string()).unwrap_or_default();
    assert!(error.contains("the device is lost"), "{error}");
    assert!(gpu.record.interrupted && gpu.record.spikes > 0);
}

fn trained(
    options: &TrainOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<TrainingRecord, String> {
    Ok(trained_file("digits", options, progress)?.0)
}

/// The record, and lines of metrics.
fn trained_file(
    name: &str,
    options: &TrainOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<(TrainingRecord, usize), String> {
    let text = read(&format!("examples/{name}.toml"));
    let file = TrainingFile::from_toml(&text, name).unwrap_or_else(|e| panic!("{e}"));
    let mut file = file;
    file.settings.epochs = 2;
    let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let results = ResultFolder::create(&folder.path().join("r"), true);
    let results = results.unwrap_or_else(|e| panic!("{e}"));
    let record = train(&file, &rheobase::registry(), options, &results, &mut |p| {
        progress(p.epoch * p.batches + p.batch);
        Continue::Yes
    });
    let record = record.map_err(|e| e.to_string())?;
    let metrics = std::fs::read_to_string(folder.path().join("r/metrics.jsonl"));
    let metrics = metrics.unwrap_or_else(|e| panic!("{e}"));
    Ok((record, metrics.lines().count()))
}

fn training_on(device: &GpuDevice, fallback: bool) -> TrainOptions {
    TrainOptions {
        backend: Backend::Gpu,
        device: Some(device.clone()),
        fallback,
        checkpoint_every: Duration::from_secs(3600),
        ..TrainOptions::default()
    }
}

/// Accuracy within a point, and two submissions a batch: forward, backward.
#[test]
fn training_on_a_device_learns_what_the_processor_learns() {
    let Some(device) = own_device() else { return };
    let cpu = trained(&TrainOptions::default(), &mut |_| {}).unwrap_or_else(|e| panic!("{e}"));
    let gpu = trained(&training_on(&device, false), &mut |_| {}).unwrap_or_else(|e| panic!("{e}"));
    println!(
        "{} on the processor, {} on the device",
        cpu.test_accuracy, gpu.test_accuracy
    );
    assert!((cpu.test_accuracy - gpu.test_accuracy).abs() < 0.01);
    assert!((cpu.test_loss - gpu.test_loss).abs() < 0.02 * cpu.test_loss);
    assert_eq!(cpu.warnings, gpu.warnings);
    let submissions = gpu.device_submissions.unwrap_or(0);
    println!("{submissions} submissions for {} batches", gpu.batches);
    // Besides: evaluation after each epoch and at the end, and what health asks for.
    assert!(submissions < 2 * gpu.batches + gpu.batches, "{submissions}");
}

#[test]
fn the_processor_goes_on_training_where_a_device_fails() {
    if own_device().is_none() {
        return;
    }
    let cpu = trained_file("digits", &TrainOptions::default(), &mut |_| {});
    let (cpu, lines) = cpu.unwrap_or_else(|e| panic!("{e}"));
    let per_epoch = cpu.batches / 2;
    assert!(per_epoch < 64 && lines == 4, "{per_epoch} {lines}");
    // In the first epoch: everything is done once more, by the processor. With the last batch of an epoch,
    // and with the first of the next: nothing is recorded twice. At the very end.
    for at in [
        20,
        per_epoch - 1,
        per_epoch,
        per_epoch + 1,
        2 * per_epoch - 1,
    ] {
        let Some(device) = own_device() else { return };
        let mut destroyed = false;
        let options = TrainOptions {
            // Copies in between are not those that training returns to.
            checkpoint_every: Duration::ZERO,
            ..training_on(&device, true)
        };
        let outcome = trained_file("digits", &options, &mut |batch| {
            if batch >= at && !destroyed {
                destroyed = true;
                device.destroy();
            }
        });
        let (record, lines) = outcome.unwrap_or_else(|e| panic!("{at}: {e}"));
        assert!(destroyed && record.backend == "gpu, then cpu", "{record:?}");
        assert_eq!((record.batches, lines), (cpu.batches, 4), "{at}");
        if at < per_epoch {
            assert_eq!(record.test_loss, cpu.test_loss, "{at}");
        }
        assert!((cpu.test_accuracy - record.test_accuracy).abs() < 0.01);
    }
    let Some(device) = own_device() else { return };
    let error = trained(&training_on(&device, false), &mut |batch| {
        if batch == 20 {
            device.destroy();
        }
    });
    let error = error.err().unwrap_or_default();
    println!("{error}");
    assert!(
        error.contains("epoch 1, batch 21: on the device: the device is lost"),
        "{error}"
    );
}

/// A neuron that stands in the file, with learned parameters, and nothing else to be done.
#[test]
fn a_neuron_of_the_file_trains_as_it_is() {
    let Some(device) = own_device() else { return };
    let cpu = trained_file("adaptive", &TrainOptions::default(), &mut |_| {});
    let gpu = trained_file("adaptive", &training_on(&device, false), &mut |_| {});
    let (cpu, gpu) = match (cpu, gpu) {
        (Ok((cpu, _)), Ok((gpu, _))) => (cpu, gpu),
        (cpu, gpu) => panic!("{cpu:?} {gpu:?}"),
    };
    println!(
        "{} on the processor, {} on the device",
        cpu.test_accuracy, gpu.test_accuracy
    );
    assert_eq!(gpu.backend, "gpu");
    assert!((cpu.test_accuracy - gpu.test_accuracy).abs() < 0.02);
}
