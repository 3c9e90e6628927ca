//! An own neuron in Rust: one string, compiled to a fused native kernel by `neuron!`.
//!
//! `cargo run --release --example own_neuron`

#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::sync::Arc;

use rheobase::engine::neuron::EquationNeuron;
use rheobase::equations::native::NativeComponent;
use rheobase::prelude::*;
use rheobase::run::{Continue, simulate_with};

/// A leaky neuron whose threshold rises with every spike and relaxes.
const ADAPTIVE: NativeComponent = neuron!(
    r#"
neuron adaptive "Leaky integrate-and-fire with an adaptive threshold"
  parameter tau = 10 ms, tau_theta = 80 ms, theta_0 = 15 mV, step = 2 mV
  parameter drive = 2.2 mV/ms
  dv/dt     = -v/tau + drive : mV
  dtheta/dt = (theta_0 - theta)/tau_theta : mV = theta_0
  input ex(w : mV): v += w
  spike when v >= theta, reset v = 0, theta += step
"#
);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut registry = rheobase::registry();
    let adaptive = EquationNeuron::from_native(ADAPTIVE)?;
    registry
        .neurons
        .insert("adaptive".to_owned(), Arc::new(adaptive));
    let network = Network::builder("adaptive threshold")
        .dt("0.1 ms")
        .duration("500 ms")
        .population("n", Population::new("adaptive", 100))
        .monitor(Monitor::state("n", "theta").first(1).every("50 ms"))
        .monitor(Monitor::spikes("n"))
        .build()?;
    let run = simulate_with(&network, &registry, &RunOptions::default(), &mut |_| {
        Continue::Yes
    })?;
    let spikes = &run.recording.spikes[0].1;
    let of_first: Vec<u64> = spikes
        .steps
        .iter()
        .zip(&spikes.neurons)
        .filter(|(_, n)| **n == 0)
        .map(|(s, _)| *s)
        .collect();
    println!("kernel: {}", run.build.kernels[0].1);
    println!("inter-spike intervals of neuron 0 [ms]:");
    for pair in of_first.windows(2) {
        #[allow(clippy::cast_precision_loss, reason = "a few hundred steps")]
        let interval_ms = (pair[1] - pair[0]) as f64 * run.plan.dt_ms;
        print!(" {interval_ms:.1}");
    }
    println!(
        "\nthreshold every 50 ms [mV]: {:.2?}",
        run.recording.traces[0].values
    );
    Ok(())
}
