//! Whole networks on 1, 2, … cores: wall seconds per biological second, and what share of the
//! added cores is used. The networks are those of `examples/`.

use rheobase_report::RunRecord;
use serde_json::{Value, json};

use super::process::{Job, Scratch};
use super::spread::Spread;
use super::{Answers, BenchError, Measurement, Setting, float, thread_counts};

/// A network of `examples/`.
struct Network {
    name: &'static str,
    text: &'static str,
    set: &'static [&'static str],
    storage: &'static str,
    seconds: f64,
    quick: bool,
}

const MICROCIRCUIT: &str = include_str!("../../examples/microcircuit.toml");
const QUANTISED: &str = "weight_storage=quantised";

const NETWORKS: [Network; 7] = [
    Network {
        name: "coba",
        text: include_str!("../../examples/coba.toml"),
        set: &[],
        storage: "exact",
        seconds: 5.0,
        quick: true,
    },
    Network {
        name: "cuba",
        text: include_str!("../../examples/cuba.toml"),
        set: &[],
        storage: "exact",
        seconds: 5.0,
        quick: false,
    },
    Network {
        name: "brunel",
        text: include_str!("../../examples/brunel.toml"),
        set: &[],
        storage: "exact",
        seconds: 5.0,
        quick: false,
    },
    Network {
        name: "microcircuit, 10 %",
        text: MICROCIRCUIT,
        set: &["scale=0.1"],
        storage: "exact",
        seconds: 5.0,
        quick: false,
    },
    Network {
        name: "microcircuit, 10 %",
        text: MICROCIRCUIT,
        set: &["scale=0.1", QUANTISED],
        storage: "quantised",
        seconds: 5.0,
        quick: false,
    },
    Network {
        name: "microcircuit",
        text: MICROCIRCUIT,
        set: &["scale=1"],
        storage: "exact",
        seconds: 5.0,
        quick: false,
    },
    Network {
        name: "microcircuit",
        text: MICROCIRCUIT,
        set: &["scale=1", QUANTISED],
        storage: "quantised",
        seconds: 5.0,
        quick: false,
    },
];

pub(super) fn ask(setting: &Setting, answers: Answers<'_>) -> Result<(), BenchError> {
    let scratch = Scratch::new()?;
    for network in NETWORKS.iter().filter(|n| n.quick || !setting.quick) {
        sweep(network, setting, &scratch, answers)?;
    }
    Ok(())
}

fn sweep(
    network: &Network,
    setting: &Setting,
    scratch: &Scratch,
    answers: Answers<'_>,
) -> Result<(), BenchError> {
    let (rounds, seconds) = if setting.quick {
        (1, 0.05)
    } else {
        (3, network.seconds)
    };
    let counts = thread_counts(setting.threads);
    let mut records = vec![Vec::new(); counts.len()];
    for seed in 1..=rounds {
        for (records, &threads) in records.iter_mut().zip(&counts) {
            let job = Job {
                name: network.name,
                text: network.text,
                set: network.set.iter().map(|s| (*s).to_owned()).collect(),
                seconds,
                threads,
                seed,
            };
            records.push(job.run(setting, scratch)?);
        }
    }
    let one = wall(&records[0]).median;
    for (records, threads) in records.iter().zip(counts) {
        let case = json!({
            "network": network.name, "storage": network.storage, "model": model(&records[0]),
        });
        answers(Measurement::new(
            "threads",
            threads,
            case,
            figures(records, threads, one),
        ))?;
    }
    Ok(())
}

/// Wall seconds per biological second.
fn wall(records: &[RunRecord]) -> Spread {
    Spread::of(records.iter().map(|r| r.real_time_factor).collect())
}

fn figures(records: &[RunRecord], threads: usize, one_thread: f64) -> Value {
    let record = &records[0];
    let wall = wall(records);
    let per_s = |count: u64| float(count) / record.biological_s / wall.median;
    let neuron_steps = float(record.neurons) * 1e3 / record.dt_ms;
    let bytes_per_synapse = float(record.synapse_bytes) / float(record.synapses.max(1));
    let median = |of: fn(&RunRecord) -> f64| Spread::of(records.iter().map(of).collect()).median;
    json!({
        "s_per_biological_s": wall.json(),
        "efficiency": one_thread / wall.median / float(threads as u64),
        "build_s": median(|r| r.build_s),
        "peak_gib": median(|r| float(r.peak_rss_bytes) / f64::from(1 << 30)),
        "neurons": record.neurons,
        "synapses": record.synapses,
        "events_per_s": per_s(record.synaptic_events),
        "bytes_per_synapse": bytes_per_synapse,
        "gb_per_s": bytes_per_synapse * per_s(record.synaptic_events) * 1e-9,
        "neuron_steps_per_s": neuron_steps / wall.median,
    })
}

/// The neuron of the network.
fn model(record: &RunRecord) -> Option<String> {
    record.populations.first()?.component.clone()
}
