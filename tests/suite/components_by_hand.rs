//! A neuron of the user gives the bits of the built-in one, written inline or in Rust.

use std::sync::Arc;

use rheobase::engine::network::{Monitor, Population, Projection};
use rheobase::engine::network::{Network, Stimulus};
use rheobase::engine::port::{Kernel, NeuronPorts, NeuronType};
use rheobase::equations::native::StepArgs;
use rheobase::equations::real::{Precision, Real};

use crate::harness;

/// Izhikevich's neuron by hand: one step of the forward Euler method.
struct ByHand {
    ports: NeuronPorts,
}

impl NeuronType for ByHand {
    fn ports(&self) -> &NeuronPorts {
        &self.ports
    }

    fn derive(&self, p: &[f64], dt_ms: f64) -> Vec<f64> {
        let mut derived = p.to_vec();
        derived.push(dt_ms);
        derived
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
        let parameter = |k: usize| args.derived[k].block(0)[0];
        let [a, b, c, d, v_peak, dt] = [0, 1, 2, 3, 4, 5].map(parameter);
        let constant = R::from_f64;
        let (states, stride) = (&mut *args.states, args.stride);
        let (current, ex) = args.inputs.split_at_mut(args.input_stride);
        for i in 0..args.n {
            let (v, u) = (states[i], states[stride + i]);
            let dv = constant(0.04) * v * v + constant(5.0) * v + constant(140.0) - u + current[i];
            let du = a * (b * v - u);
            let mut new_v = v + dt * dv;
            let mut new_u = u + dt * du;
            new_v += ex[i];
            if new_v >= v_peak {
                args.spikes.push(u32::try_from(i).unwrap());
                new_v = c;
                new_u += d;
            }
            states[i] = new_v;
            states[stride + i] = new_u;
            (current[i], ex[i]) = (R::ZERO, R::ZERO);
        }
    }

    fn name(&self) -> &'static str {
        "rust"
    }
}

fn network(model: &str, precision: Precision, inline: Option<&str>) -> Network {
    let mut population = Population::new(model, 200)
        .parameter("d", "6 mV")
        .initial("v", serde_json::json!({"uniform": ["-70 mV", "-50 mV"]}));
    if model != "by_hand" {
        population = population.integrator(rheobase::equations::model::Integrator::Euler);
    }
    let mut builder = Network::builder("izhikevich")
        .dt("0.1 ms")
        .duration("300 ms")
        .precision(precision)
        .population("n", population)
        .stimulus(
            "drive",
            Stimulus::new("constant_current")
                .target("n")
                .port("current")
                .argument("amplitude", "7 mV/ms"),
        )
        .projection(
            Projection::new("n", "n")
                .port("ex")
                .rule("fixed_indegree")
                .argument("indegree", 10)
                .weight("0.5 mV")
                .delay("1.5 ms"),
        )
        .monitor(Monitor::spikes("n"));
    if let Some(text) = inline {
        builder = builder.model(model, text);
    }
    builder.build().unwrap()
}

const INLINE: &str = "
neuron mine
  parameter a = 0.02/(1 ms), b = 0.2, c = -65 mV, d = 8 mV, v_peak = 30 mV
  input current : mV/ms
  dv/dt = (0.04*v*v/(1 mV) + 5*v + 140 mV - u)/(1 ms) + current : mV = -65 mV
  du/dt = a*(b*v - u) : mV = b*(-65 mV)
  input ex(w : mV): v += w
  spike when v >= v_peak, reset v = c, u += d
";

fn same_bits<R: rheobase::engine::Instantiate>(precision: Precision) {
    let built_in = harness::plan(&network("izhikevich", precision, None));
    let inline = harness::plan(&network("mine", precision, Some(INLINE)));
    let mut registry = rheobase::registry();
    let ports = registry.neurons["izhikevich"].ports().clone();
    registry
        .neurons
        .insert("by_hand".to_owned(), Arc::new(ByHand { ports }));
    let by_hand = network("by_hand", precision, None);
    let by_hand = by_hand.resolve(&registry).unwrap_or_else(|e| panic!("{e}"));

    let mut prints = Vec::new();
    for plan in [built_in, inline, by_hand] {
        let (mut simulation, recording) = harness::run::<R>(plan, 2);
        println!(
            "{}: {} spikes, kernel {}",
            R::PRECISION as u8,
            recording.spikes[0].1.len(),
            simulation.report().kernels[0].1
        );
        assert!(recording.spikes[0].1.len() > 500);
        prints.push(simulation.fingerprint(&recording));
    }
    assert_eq!(prints, [prints[0]; 3]);
}

#[test]
fn inline_and_rust_neurons_give_the_bits_of_the_built_in_one_in_f32() {
    same_bits::<f32>(Precision::F32);
}

#[test]
fn inline_and_rust_neurons_give_the_bits_of_the_built_in_one_in_f64() {
    same_bits::<f64>(Precision::F64);
}
