//! A neuron written by hand in Rust, for what equations do not reach: it implements the same port
//! as every built-in neuron and runs through the same schedule.
//!
//! `cargo run --release --example rust_neuron`

#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::collections::VecDeque;
use std::sync::Arc;

use rheobase::engine::port::{Kernel, NeuronPorts, NeuronType, Quantity};
use rheobase::equations::native::StepArgs;
use rheobase::equations::real::Real;
use rheobase::equations::unit::{QuantityError, parse_unit};
use rheobase::prelude::*;
use rheobase::run::{Continue, simulate_with};

/// Fires when at least `needed` input spikes arrived within the last `window`: a sliding window
/// over the past, which no finite set of state equations holds.
struct Coincidence {
    ports: NeuronPorts,
}

impl Coincidence {
    fn new() -> Result<Self, QuantityError> {
        let quantity = |name: &str, doc: &str, unit: &str, default: f64| {
            let unit = parse_unit(unit)?;
            Ok::<_, QuantityError>(Quantity {
                name: name.into(),
                doc: doc.into(),
                unit,
                default,
            })
        };
        Ok(Self {
            ports: NeuronPorts {
                parameters: vec![
                    quantity("needed", "input spikes needed", "1", 4.0)?,
                    quantity("window", "length of the window", "ms", 3.0)?,
                ],
                states: vec![quantity("count", "input spikes in the window", "1", 0.0)?],
                inputs: vec![quantity("ex", "input spikes, weighted", "1", 0.0)?],
                ..NeuronPorts::default()
            },
        })
    }
}

impl NeuronType for Coincidence {
    fn ports(&self) -> &NeuronPorts {
        &self.ports
    }

    fn derive(&self, parameters: &[f64], dt_ms: f64) -> Vec<f64> {
        vec![parameters[0], (parameters[1] / dt_ms).round()]
    }

    fn initial_states(&self, _parameters: &[f64], _dt_ms: f64) -> Vec<f64> {
        vec![0.0]
    }

    fn kernel_f32(&self) -> Box<dyn Kernel<f32>> {
        Box::new(CoincidenceKernel::default())
    }

    fn kernel_f64(&self) -> Box<dyn Kernel<f64>> {
        Box::new(CoincidenceKernel::default())
    }
}

/// The past inputs of every neuron of a shard.
#[derive(Default)]
struct CoincidenceKernel<R> {
    past: Vec<VecDeque<R>>,
}

impl<R: Real> Kernel<R> for CoincidenceKernel<R> {
    fn step(&mut self, args: &mut StepArgs<'_, R>) {
        self.past.resize_with(args.n, VecDeque::new);
        let (needed, window) = (args.derived[0].block(0)[0], args.derived[1].block(0)[0]);
        for (i, past) in self.past.iter_mut().enumerate() {
            past.push_back(args.inputs[i]);
            args.states[i] += args.inputs[i];
            args.inputs[i] = R::ZERO;
            #[allow(clippy::cast_precision_loss, reason = "short windows")]
            if past.len() as f64 > window.to_f64() {
                args.states[i] -= past.pop_front().unwrap_or(R::ZERO);
            }
            if args.states[i] >= needed {
                args.spikes.push(u32::try_from(i).unwrap_or(u32::MAX));
                args.states[i] = R::ZERO;
                past.clear();
            }
        }
    }

    fn name(&self) -> &'static str {
        "rust"
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut registry = rheobase::registry();
    registry
        .neurons
        .insert("coincidence".to_owned(), Arc::new(Coincidence::new()?));
    println!("rate of 50 inputs [Hz]   rate of detectors [Hz]");
    for rate in [5, 10, 20, 40, 80] {
        let inputs = Stimulus::new("poisson")
            .size(50)
            .argument("rate", format!("{rate} Hz"));
        let network = Network::builder("coincidence")
            .dt("0.1 ms")
            .duration("5 s")
            .stimulus("in", inputs)
            .population("detector", Population::new("coincidence", 100))
            .projection(
                Projection::new("in", "detector")
                    .rule("pairwise_bernoulli")
                    .argument("p", 0.5)
                    .weight(1.0)
                    .delay("1 ms"),
            )
            .build()?;
        let options = RunOptions::default();
        let run = simulate_with(&network, &registry, &options, &mut |_| Continue::Yes)?;
        println!("{rate:>22}   {:>22.2}", run.record.populations[0].rate_hz);
    }
    Ok(())
}
