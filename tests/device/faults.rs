//! Trouble is a value, and what was recorded is kept.

use std::sync::Arc;

use rheobase::engine::actor::RunError;
use rheobase::engine::backend::gpu::{AdapterChoice, GpuDevice};
use rheobase::engine::build::{BuildError, BuildOptions};
use rheobase::engine::network::Network;
use rheobase::engine::simulation::Simulation;

use crate::harness::{device, plan, read, with_plan};

/// A device of its own: it is going to suffer.
fn own_device() -> Option<GpuDevice> {
    device()?;
    Some(GpuDevice::request(&AdapterChoice::Any).unwrap_or_else(|e| panic!("{e}")))
}

#[test]
fn a_device_destroyed_in_mid_run_ends_it_with_what_was_recorded() {
    let Some(device) = own_device() else { return };
    let plan = Arc::new(plan(&read("examples/coba.toml"), 1, 1000));
    let built = Simulation::build_on(Arc::clone(&plan), BuildOptions::default(), &device);
    let mut simulation = built.unwrap_or_else(|e| panic!("{e}"));
    simulation.advance_to(320).unwrap_or_else(|e| panic!("{e}"));
    device.destroy();
    let error = simulation.advance_to(1000).unwrap_err();
    println!("{error}");
    let RunError::Device { message, time_ms } = &error else {
        panic!("{error:?}");
    };
    assert!(message.contains("the device is lost"), "{message}");
    assert!((time_ms - 32.0).abs() < 1e-9, "{time_ms}");
    assert_eq!(simulation.now(), 320);
    let recording = simulation.take_recording();
    let mut whole = Simulation::<f32>::build(plan, BuildOptions::default()).unwrap();
    whole.advance_to(320).unwrap();
    let expected = whole.take_recording();
    assert_eq!(recording.spikes, expected.spikes);
    assert_eq!(simulation.advance_to(1000).unwrap_err(), error);
}

#[test]
fn memory_that_runs_out_is_told_before_the_run() {
    let Some(device) = own_device() else { return };
    let plan = Arc::new(plan(&read("examples/coba.toml"), 1, 1000));
    let mut refused = 0;
    for kib in [0, 1, 40, 100, 700, 1 << 20] {
        device.limit_memory(kib * 1024);
        match Simulation::build_on(Arc::clone(&plan), BuildOptions::default(), &device) {
            Ok(_) => assert!(kib > 700),
            Err(BuildError::Device(message)) => {
                println!("{kib} KiB: {message}");
                assert!(message.contains("the device is out of memory"), "{message}");
                refused += 1;
            }
            Err(e) => panic!("{e}"),
        }
    }
    assert_eq!(refused, 5);
}

#[test]
fn absurd_sizes_are_told_with_the_limit() {
    let Some(device) = own_device() else { return };
    let text = "dt = \"0.1 ms\"\nduration = \"1 ms\"\n[populations.P]\nmodel = \"lif\"\nsize = 100000000\n";
    let plan = Arc::new(plan(text, 1, 10));
    let error = Simulation::build_on(plan, BuildOptions::default(), &device).err();
    let message = error.map(|e| e.to_string()).unwrap_or_default();
    println!("{message}");
    assert!(
        message.contains("100000000 needed, but the device allows 67108864"),
        "{message}"
    );
}

#[test]
fn a_state_that_blows_up_is_named() {
    let Some(device) = own_device() else { return };
    let text = r#"
dt = "1 ms"
duration = "1 s"
[models]
wild = """
neuron wild "Grows without end"
  dv/dt = v*v/mV/ms : mV = 1 mV
  integrator euler
"""
[populations.P]
model = "wild"
size = 70
"#;
    let plan = Arc::new(plan(text, 1, 1000));
    let mut simulation = Simulation::build_on(plan, BuildOptions::default(), &device).unwrap();
    let error = simulation.advance_to(1000).unwrap_err();
    println!("{error}");
    let RunError::NotFinite {
        population,
        variable,
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((population.as_str(), variable.as_str()), ("P", "v"));
}

/// A shader far larger than any that people write either runs or is an error that says why.
#[test]
fn an_oversized_shader_runs_or_is_an_error() {
    let Some(device) = own_device() else { return };
    for terms in [40, 400] {
        let sum: Vec<String> = (0..terms)
            .map(|k| format!("exp(-v*v/{}.0)", k + 1))
            .collect();
        let states: Vec<String> = (0..terms / 4)
            // As many as the language allows, with `v`.
            .take(63)
            .map(|k| format!("  state s{k} = 0 : 1\n  update s{k} = 0.5*s{k} + v\n"))
            .collect();
        let text = format!(
            "dt = \"1 ms\"\nduration = \"1 s\"\n[models]\nlarge = \"\"\"\nneuron large \"Many terms\"\n  \
             state v = 1 : 1\n  update v = 0.001*({})\n{}\"\"\"\n[populations.P]\nmodel = \"large\"\nsize = 5\n",
            sum.join(" + "),
            states.concat()
        );
        let network = Network::from_toml(&text, "large").unwrap();
        let resolved = network.resolve(&rheobase::registry());
        let plan = Arc::new(with_plan(resolved.unwrap(), 1, 5));
        let options = BuildOptions::default();
        match Simulation::build_on(Arc::clone(&plan), options, &device) {
            Ok(mut gpu) => {
                let mut cpu = Simulation::<f32>::build(plan, options).unwrap();
                gpu.advance_to(5).unwrap();
                cpu.advance_to(5).unwrap();
                assert_eq!(cpu.state("P", "v"), gpu.state("P", "v"), "{terms}");
                println!("{terms} terms: the bits of the processor");
            }
            Err(e) => println!("{terms} terms: {e}"),
        }
    }
    // A submission holds a step at least.
    let options = BuildOptions::default();
    device.limit_submission(0);
    let small = plan(&read("examples/coba.toml"), 1, 10);
    let mut simulation = Simulation::build_on(Arc::new(small), options, &device).unwrap();
    simulation.advance_to(10).unwrap();
    assert_eq!(simulation.take_recording().device.submissions, 10);
}
