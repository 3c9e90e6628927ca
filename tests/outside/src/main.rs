//! A user's crate: depends on `rheobase` alone.

use std::sync::Arc;

use rheobase::engine::neuron::EquationNeuron;
use rheobase::engine::port::{Kernel, NeuronPorts, NeuronType};
use rheobase::equations::native::{NativeComponent, StepArgs};
use rheobase::equations::real::Real;
use rheobase::prelude::*;
use rheobase::run::{Continue, simulate_with};

const OWN: NativeComponent = neuron!(
    "
neuron own
  parameter a = 0.02/(1 ms), b = 0.2, c = -65 mV, d = 8 mV, v_peak = 30 mV
  input current : mV/ms
  dv/dt = (0.04*v*v/(1 mV) + 5*v + 140 mV - u)/(1 ms) + current : mV = -65 mV
  du/dt = a*(b*v - u) : mV = b*(-65 mV)
  input ex(w : mV): v += w
  spike when v >= v_peak, reset v = c, u += d
  integrator euler
"
);

struct ByHand(NeuronPorts);

impl NeuronType for ByHand {
    fn ports(&self) -> &NeuronPorts {
        &self.0
    }
    fn derive(&self, p: &[f64], dt_ms: f64) -> Vec<f64> {
        [p, &[dt_ms]].concat()
    }
    fn initial_states(&self, p: &[f64], _dt_ms: f64) -> Vec<f64> {
        vec![-65.0, p[1] * -65.0]
    }
    fn kernel_f32(&self) -> Box<dyn Kernel<f32>> {
        Box::new(Hand)
    }
    fn kernel_f64(&self) -> Box<dyn Kernel<f64>> {
        Box::new(Hand)
    }
}

struct Hand;

impl<R: Real> Kernel<R> for Hand {
    fn step(&mut self, args: &mut StepArgs<'_, R>) {
        let [a, b, c, d, v_peak, dt] = [0, 1, 2, 3, 4, 5].map(|k| args.derived[k].block(0)[0]);
        let [k0, k1, k2] = [0.04, 5.0, 140.0].map(R::from_f64);
        let (current, ex) = args.inputs.split_at_mut(args.input_stride);
        let (vs, us) = args.states.split_at_mut(args.stride);
        for i in 0..args.n {
            let (v, u) = (vs[i], us[i]);
            vs[i] = v + dt * (k0 * v * v + k1 * v + k2 - u + current[i]) + ex[i];
            us[i] = u + dt * (a * (b * v - u));
            if vs[i] >= v_peak {
                args.spikes.push(i as u32);
                vs[i] = c;
                us[i] += d;
            }
            (current[i], ex[i]) = (R::ZERO, R::ZERO);
        }
    }
    fn name(&self) -> &'static str {
        "rust"
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut registry = rheobase::registry();
    let ports = registry.neurons["izhikevich"].ports().clone();
    registry.neurons.insert("own".into(), Arc::new(EquationNeuron::from_native(OWN)?));
    registry.neurons.insert("by_hand".into(), Arc::new(ByHand(ports)));
    let mut prints = Vec::new();
    for model in ["izhikevich", "own", "by_hand"] {
        let mut population = Population::new(model, 100);
        if model == "izhikevich" {
            population = population.integrator(rheobase::equations::model::Integrator::Euler);
        }
        let network = Network::builder("outside")
            .dt("0.1 ms")
            .duration("300 ms")
            .population("n", population)
            .stimulus(
                "drive",
                Stimulus::new("constant_current")
                    .target("n")
                    .port("current")
                    .argument("amplitude", "9 mV/ms"),
            )
            .projection(
                Projection::new("n", "n")
                    .port("ex")
                    .rule("fixed_indegree")
                    .argument("indegree", 10)
                    .weight("0.5 mV")
                    .delay("1.5 ms"),
            )
            .build()?;
        let run = simulate_with(&network, &registry, &RunOptions::default(), &mut |_| Continue::Yes)?;
        let (kernel, spikes) = (run.build.kernels[0].1, run.record.spikes);
        println!("{model}: {spikes} spikes, kernel {kernel}, bits {:016x}", run.fingerprint);
        assert!(spikes > 100);
        prints.push(run.fingerprint);
    }
    assert!(prints.iter().all(|p| *p == prints[0]));
    println!("same bits");
    Ok(())
}
