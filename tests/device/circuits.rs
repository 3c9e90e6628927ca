//! Recurrent networks: equal weights are counted, so that sums have the bits of the processor, and with
//! them every rate, CV and synchrony.

use rheobase::engine::backend::gpu::cost;

use crate::harness::{Ran, assert_same, device, plan, read};

#[test]
fn benchmark_networks_have_the_bits_of_the_processor() {
    let Some(device) = device() else { return };
    for (name, steps) in [("coba", 800), ("cuba", 800), ("brunel", 200)] {
        let text = read(&format!("examples/{name}.toml"));
        for seed in 1..=5 {
            let plan = plan(&text, seed, steps);
            let (mut cpu, mut gpu) = (Ran::on_cpu(&plan), Ran::on_gpu(&plan, &device));
            assert!(cpu.n_spikes() > 100, "{name}, seed {seed}");
            assert_same(&format!("{name}, seed {seed}"), &mut cpu, &mut gpu);
        }
    }
}

/// A neuron that stands in the network file, with noise and parameters of its own for every neuron, and
/// weights that differ: rates as on the processor.
#[test]
fn a_neuron_of_the_file_runs_as_it_is() {
    let Some(device) = device() else { return };
    let text = read("examples/inline_izhikevich.toml");
    let (mut a, mut b) = (0.0, 0.0);
    for seed in 1..=3 {
        let plan = plan(&text, seed, 1000);
        let (cpu, gpu) = (Ran::on_cpu(&plan), Ran::on_gpu(&plan, &device));
        let kernels = &gpu.simulation.report().kernels;
        assert!(
            kernels.iter().all(|(_, kernel)| *kernel == "wgsl"),
            "{kernels:?}"
        );
        #[allow(clippy::cast_precision_loss, reason = "small counts")]
        let counts = (cpu.n_spikes() as f64, gpu.n_spikes() as f64);
        println!(
            "seed {seed}: {} spikes, {} on the device",
            counts.0, counts.1
        );
        (a, b) = (a + counts.0, b + counts.1);
    }
    assert!(a > 1000.0 && (a - b).abs() < 0.05 * a, "{a} {b}");
}

/// `auto` never changes a result: what would have other bits there is told.
#[test]
fn what_would_have_other_bits_is_told() {
    for (name, words) in [
        ("cuba", ""),
        ("brunel", ""),
        ("microcircuit", "differ, and devices round them"),
    ] {
        let text = read(&format!("examples/{name}.toml"));
        let plan = plan(&text, 1, 100);
        let reason = cost::has_same_bits(&plan).err().unwrap_or_default();
        println!("{name}: {reason}");
        assert!(
            reason.contains(words) && reason.is_empty() == words.is_empty(),
            "{reason}"
        );
    }
}

/// The cortical microcircuit at a twentieth: eight populations, weights and delays that differ.
#[test]
fn the_microcircuit_has_the_rates_of_the_processor() {
    let Some(device) = device() else { return };
    let text = read("examples/microcircuit.toml").replace("scale = 0.1 ", "scale = 0.05 ");
    let plan = plan(&text, 1, 800);
    let (cpu, gpu) = (Ran::on_cpu(&plan), Ran::on_gpu(&plan, &device));
    #[allow(clippy::cast_precision_loss, reason = "small counts")]
    let (a, b) = (cpu.n_spikes() as f64, gpu.n_spikes() as f64);
    println!("{a} spikes, {b} on the device");
    assert!(a > 100.0 && (a - b).abs() < 0.1 * a, "{a} {b}");
    let bounds = gpu.simulation.report().weight_error_bounds.iter();
    assert!(bounds.fold(0.0_f64, |m, &b| m.max(b)) < 1e-3);
}
