//! What a synaptic event costs: poisson sources onto a silent population, against the same network
//! without synapses. Both advance in turn; the difference is divided by the events.

use std::time::Instant;

use rheobase_engine::simulation::Simulation;
use serde_json::{Value, json};

use super::spread::Spread;
use super::{Answers, BenchError, Measurement, Setting, float, plan, simulation};

/// How weights are given and kept.
const WEIGHTS: [&str; 3] = ["constant", "exact", "quantised"];
/// How delays are given.
const DELAYS: [&str; 2] = ["one", "many"];
/// Steps before the clock starts: longer than any delay.
const WARM_UP_STEPS: u64 = 200;

/// A network to measure.
#[derive(Clone, Copy)]
struct Case {
    weights: &'static str,
    delays: &'static str,
    sources: u32,
    targets: u32,
    /// Synapses per source; on one thread all lie in one shard.
    fan_out: u32,
    rate_hz: u32,
}

/// How long and how often.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    /// Wall time of a round \[s\], about.
    round_s: f64,
}

pub(super) fn ask(setting: &Setting, answers: Answers<'_>) -> Result<(), BenchError> {
    let effort = if setting.quick {
        Effort {
            rounds: 2,
            round_s: 0.002,
        }
    } else {
        Effort {
            rounds: 21,
            round_s: 0.03,
        }
    };
    for case in cases(setting.quick) {
        answers(measure(case, effort)?)?;
    }
    Ok(())
}

fn cases(quick: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    let pairs = WEIGHTS.into_iter().flat_map(|w| DELAYS.map(|d| (w, d)));
    for (weights, delays) in pairs {
        let case = |sources, targets, fan_out, rate_hz| Case {
            weights,
            delays,
            sources,
            targets,
            fan_out,
            rate_hz,
        };
        if quick {
            cases.push(case(1000, 2000, 100, 100));
            continue;
        }
        cases.extend([10, 100, 1000].map(|fan_out| case(10_000, 10_000, fan_out, 100)));
        cases.extend([1, 10].map(|rate_hz| case(10_000, 10_000, 1000, rate_hz)));
        cases.extend([100_000, 1_000_000].map(|targets| case(10_000, targets, 1000, 100)));
    }
    cases
}

impl Case {
    fn text(&self, wired: bool) -> String {
        let Self {
            sources,
            targets,
            fan_out,
            rate_hz,
            ..
        } = self;
        let mut text = format!(
            "name = \"delivery\"\nduration = \"1 s\"\n\n\
             [populations.target]\nmodel = \"iaf_psc_delta\"\nsize = {targets}\n\n\
             [stimuli.source]\nmodel = \"poisson\"\nsize = {sources}\nrate = \"{rate_hz} Hz\"\n"
        );
        if !wired {
            return text;
        }
        if self.weights == "quantised" {
            text.insert_str(0, "weight_storage = \"quantised\"\n");
        }
        // Too weak to make a target fire: the update costs the same with synapses and without.
        let weight = match self.weights {
            "constant" => "\"1e-6 mV\"",
            _ => "{ normal = { mean = \"1e-6 mV\", sd = \"1e-7 mV\" } }",
        };
        let delay = match self.delays {
            "one" => "\"1.5 ms\"",
            _ => {
                "{ normal = { mean = \"1.5 ms\", sd = \"0.75 ms\" }, redraw = { min = \"0.1 ms\" } }"
            }
        };
        text.push_str(&format!(
            "\n[[projections]]\nsource = \"source\"\ntarget = \"target\"\nport = \"delta\"\n\
             rule = {{ fixed_outdegree = {{ outdegree = {fan_out} }} }}\n\
             weight = {weight}\ndelay = {delay}\n"
        ));
        text
    }

    fn json(&self) -> Value {
        json!({
            "weights": self.weights, "delays": self.delays, "fan_out": self.fan_out,
            "rate_hz": self.rate_hz, "targets": self.targets, "sources": self.sources,
        })
    }
}

fn measure(case: Case, effort: Effort) -> Result<Measurement, BenchError> {
    let build = |wired| simulation(plan(&case.text(wired), "delivery")?, 1);
    let (mut wired, mut bare) = (build(true)?, build(false)?);
    let (synapses, bytes) = {
        let report = wired.report();
        (
            report.synapses.iter().sum::<u64>(),
            report.synapse_bytes as u64,
        )
    };
    let warm = advance(&mut wired, WARM_UP_STEPS)? + advance(&mut bare, WARM_UP_STEPS)?;
    wired.take_recording();
    let steps = steps_for(effort.round_s, warm / float(WARM_UP_STEPS));
    let mut ns = Vec::with_capacity(effort.rounds);
    for round in 0..=effort.rounds {
        // Who goes first alternates.
        let (with, without) = if round % 2 == 0 {
            let with = advance(&mut wired, steps)?;
            (with, advance(&mut bare, steps)?)
        } else {
            let without = advance(&mut bare, steps)?;
            (advance(&mut wired, steps)?, without)
        };
        let events = wired.take_recording().synaptic_events;
        // The first round fills caches.
        if round > 0 && events > 0 {
            ns.push((with - without) * 1e9 / float(events));
        }
    }
    let ns = Spread::of(ns);
    let bytes_per_synapse = float(bytes) / float(synapses.max(1));
    let figures = json!({
        "ns_per_event": ns.json(),
        "events_per_s": 1e9 / ns.median,
        "bytes_per_synapse": bytes_per_synapse,
        "gb_per_s": bytes_per_synapse / ns.median,
    });
    Ok(Measurement::new("delivery", 1, case.json(), figures))
}

/// Wall time of so many steps \[s\].
fn advance(simulation: &mut Simulation<f32>, steps: u64) -> Result<f64, BenchError> {
    let last = simulation.now() + steps;
    let begun = Instant::now();
    simulation.advance_to(last)?;
    Ok(begun.elapsed().as_secs_f64())
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, and the cast saturates"
)]
fn steps_for(round_s: f64, step_s: f64) -> u64 {
    ((round_s / step_s.max(1e-9)) as u64).clamp(20, 100_000)
}
