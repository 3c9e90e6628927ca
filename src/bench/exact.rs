//! What an event costs in continuous time, and how that grows: the balanced network with currents at
//! a fixed in-degree, for more and more neurons, and for more and more silent neurons beside it.

use std::time::Instant;

use rheobase_engine::simulation::Simulation;
use serde_json::json;

use super::spread::Spread;
use super::{Answers, BenchError, Measurement, Setting, float, plan, simulation};

/// Steps before the clock starts.
const WARM_UP_STEPS: u64 = 500;

pub(super) fn ask(setting: &Setting, answers: Answers<'_>) -> Result<(), BenchError> {
    let (sizes, silent): (&[u64], &[u64]) = if setting.quick {
        (&[500], &[1000])
    } else {
        (&[1000, 4000, 16_000, 64_000], &[10_000, 100_000, 1_000_000])
    };
    for &neurons in sizes {
        answers(measure(setting, neurons, 0)?)?;
    }
    for &silent in silent {
        answers(measure(setting, sizes[0], silent)?)?;
    }
    Ok(())
}

/// 80 synapses a neuron, as in `examples/cuba.toml`; `silent` neurons more that receive nothing.
fn text(neurons: u64, silent: u64) -> String {
    let (excitatory, inhibitory) = (neurons * 4 / 5, neurons / 5);
    let parameters = "e_l = \"-49 mV\", v_th = \"-50 mV\", v_reset = \"-60 mV\", t_ref = \"5 ms\", \
                      c_m = \"200 pF\", tau_m = \"20 ms\", tau_ex = \"5 ms\", tau_in = \"10 ms\"";
    let mut text = "name = \"exact\"\nduration = \"1 s\"\ntime = \"exact\"\n".to_owned();
    for (name, size) in [("E", excitatory), ("I", inhibitory)] {
        text.push_str(&format!(
            "[populations.{name}]\nmodel = \"iaf_psc_exp\"\nsize = {size}\nparameters = {{ {parameters} }}\n\
             initial = {{ v = {{ uniform = [\"-60 mV\", \"-50 mV\"] }} }}\n"
        ));
    }
    if silent > 0 {
        text.push_str(&format!(
            "[populations.silent]\nmodel = \"iaf_psc_exp\"\nsize = {silent}\n"
        ));
    }
    for (source, port, indegree, weight) in [("E", "ex", 64, "16.2 pA"), ("I", "in", 16, "-90 pA")]
    {
        text.push_str(&format!(
            "[[projections]]\nsource = \"{source}\"\ntarget = [\"E\", \"I\"]\nport = \"{port}\"\n\
             rule = {{ fixed_indegree = {{ indegree = {indegree} }} }}\nweight = \"{weight}\"\n\
             delay = {{ uniform = [\"0.3 ms\", \"2 ms\"] }}\n"
        ));
    }
    text
}

fn measure(setting: &Setting, neurons: u64, silent: u64) -> Result<Measurement, BenchError> {
    let mut simulation = simulation(plan(&text(neurons, silent), "exact")?, 1)?;
    advance(&mut simulation, WARM_UP_STEPS)?;
    simulation.take_recording();
    let (rounds, steps) = if setting.quick { (2, 200) } else { (7, 2000) };
    let (mut ns_per_event, mut ns_per_step) = (Vec::new(), Vec::new());
    let (mut events, mut spikes, mut predictions) = (0, 0, 0);
    for _ in 0..rounds {
        let seconds = advance(&mut simulation, steps)?;
        let recording = simulation.take_recording();
        let counts = recording.exact.iter().map(|(_, c)| c);
        let here: u64 = counts.clone().map(|c| c.events).sum();
        events += here;
        spikes += counts.clone().map(|c| c.spikes).sum::<u64>();
        predictions += counts.map(|c| c.predictions).sum::<u64>();
        ns_per_event.push(seconds * 1e9 / float(here.max(1)));
        ns_per_step.push(seconds * 1e9 / float(steps));
    }
    let all_steps = float(rounds * steps);
    let per_event = Spread::of(ns_per_event);
    let case = json!({"neurons": neurons, "silent": silent, "indegree": 80});
    let figures = json!({
        "ns_per_event": per_event.json(),
        "events_per_s": 1e9 / per_event.median,
        "ns_per_step": Spread::of(ns_per_step).json(),
        "events_per_step": float(events) / all_steps,
        "spikes_per_step": float(spikes) / all_steps,
        "predictions_per_event": float(predictions) / float(events.max(1)),
    });
    Ok(Measurement::new("exact", 1, case, figures))
}

/// Wall time of so many steps \[s\].
fn advance(simulation: &mut Simulation<f32>, steps: u64) -> Result<f64, BenchError> {
    let last = simulation.now() + steps;
    let begun = Instant::now();
    simulation.advance_to(last)?;
    Ok(begun.elapsed().as_secs_f64())
}
