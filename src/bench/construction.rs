//! What it costs to build a synapse, against the same network without synapses.

use std::time::Instant;

use serde_json::json;

use super::spread::Spread;
use super::{Answers, BenchError, Measurement, Setting, float, plan, simulation, thread_counts};

const CONSTANT_WEIGHT: &str = "\"0.1 mV\"";
const CONSTANT_DELAY: &str = "\"1.5 ms\"";
const NORMAL_WEIGHT: &str =
    "{ normal = { mean = \"0.1 mV\", sd = \"0.01 mV\" }, redraw = { min = \"0 mV\" } }";
const NORMAL_DELAY: &str =
    "{ normal = { mean = \"1.5 ms\", sd = \"0.75 ms\" }, redraw = { min = \"0.05 ms\" } }";

/// One projection of a population onto itself.
struct Case {
    rule: &'static str,
    /// The rule's entry, with N for the neurons and S for the synapses.
    entry: &'static str,
    weights: &'static str,
    delays: &'static str,
    storage: &'static str,
}

const fn constant(rule: &'static str, entry: &'static str) -> Case {
    Case {
        rule,
        entry,
        weights: "constant",
        delays: "constant",
        storage: "exact",
    }
}

const fn drawn(weights: &'static str, delays: &'static str, storage: &'static str) -> Case {
    Case {
        rule: "fixed_total_number",
        entry: "fixed_total_number = { n = S }",
        weights,
        delays,
        storage,
    }
}

const CASES: [Case; 8] = [
    constant("fixed_indegree", "fixed_indegree = { indegree = K }"),
    constant("fixed_outdegree", "fixed_outdegree = { outdegree = K }"),
    constant("fixed_total_number", "fixed_total_number = { n = S }"),
    constant("pairwise_bernoulli", "pairwise_bernoulli = { p = 0.1 }"),
    drawn("normal", "constant", "exact"),
    drawn("constant", "normal", "exact"),
    drawn("normal", "normal", "exact"),
    drawn("normal", "normal", "quantised"),
];

pub(super) fn ask(setting: &Setting, answers: Answers<'_>) -> Result<(), BenchError> {
    let (neurons, rounds) = if setting.quick {
        (1000, 1)
    } else {
        (10_000, 7)
    };
    for case in &CASES {
        for threads in thread_counts(setting.threads) {
            answers(measure(case, neurons, threads, rounds)?)?;
        }
    }
    Ok(())
}

impl Case {
    fn text(&self, neurons: u64, wired: bool) -> String {
        let mut text = format!(
            "name = \"construction\"\nduration = \"1 s\"\nweight_storage = \"{}\"\n\n\
             [populations.n]\nmodel = \"iaf_psc_delta\"\nsize = {neurons}\n",
            self.storage
        );
        if wired {
            let in_degree = neurons / 10;
            let rule = self
                .entry
                .replace('K', &in_degree.to_string())
                .replace('S', &(neurons * in_degree).to_string());
            let weight = if self.weights == "normal" {
                NORMAL_WEIGHT
            } else {
                CONSTANT_WEIGHT
            };
            let delay = if self.delays == "normal" {
                NORMAL_DELAY
            } else {
                CONSTANT_DELAY
            };
            text.push_str(&format!(
                "\n[[projections]]\nsource = \"n\"\ntarget = \"n\"\nport = \"delta\"\n\
                 rule = {{ {rule} }}\nweight = {weight}\ndelay = {delay}\n"
            ));
        }
        text
    }
}

fn measure(
    case: &Case,
    neurons: u64,
    threads: usize,
    rounds: usize,
) -> Result<Measurement, BenchError> {
    let (mut synapses, mut bytes, mut ns) = (0, 0, Vec::new());
    for _ in 0..rounds {
        let mut time = |wired| -> Result<f64, BenchError> {
            let plan = plan(&case.text(neurons, wired), "construction")?;
            let begun = Instant::now();
            let built = simulation(plan, threads)?;
            let seconds = begun.elapsed().as_secs_f64();
            if wired {
                synapses = built.report().synapses.iter().sum();
                bytes = built.report().synapse_bytes as u64;
            }
            Ok(seconds)
        };
        let seconds = time(true)? - time(false)?;
        ns.push(seconds * 1e9 / float(synapses.max(1)));
    }
    let label = json!({
        "rule": case.rule, "weights": case.weights, "delays": case.delays,
        "storage": case.storage, "synapses": synapses,
    });
    let figures = json!({
        "ns_per_synapse": Spread::of(ns).json(),
        "bytes_per_synapse": float(bytes) / float(synapses.max(1)),
    });
    Ok(Measurement::new("construction", threads, label, figures))
}
