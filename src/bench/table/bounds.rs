//! What bounds a figure: its share of each limit of the machine.
//!
//! Delivery reads the bytes of its synapses (memory bandwidth), adds each to a place in an array
//! that should stay in a cache (scattered additions: latency and ports of the caches), and every
//! neuron is updated in every step (arithmetic). A share near 100 % means that the machine gives no
//! more in that respect; shares of one thread add up where they cannot overlap.

use serde_json::Value;

use super::{Measurement, Record, threads, value};

/// Columns of [`cells`].
pub(super) const TITLES: [&str; 4] = [
    "of the memory bandwidth",
    "of scattered additions",
    "of the update",
    "bound by",
];

/// Below this share of every limit, what is in between costs most: segments, exchange, spikes.
const CLOSE: f64 = 0.4;

/// A share of a limit, by its place in [`TITLES`].
pub(super) type Share = (usize, f64);

/// The limits of a machine, from its records.
#[derive(Default)]
pub(super) struct Limits {
    /// Threads and GB/s.
    triad: Vec<(f64, f64)>,
    scatter: Vec<Scatter>,
    /// Neuron and ns per step, in f32, compiled.
    update: Vec<(String, f64)>,
}

struct Scatter {
    array_bytes: f64,
    bytes_per_addition: f64,
    per_s: f64,
}

impl Limits {
    pub(super) fn of(records: &[&Record]) -> Self {
        let mut limits = Self::default();
        for record in records {
            limits.take(&record.measurement);
        }
        limits
    }

    fn take(&mut self, m: &Measurement) {
        let word = |key| m.case.get(key).and_then(Value::as_str).unwrap_or("");
        match (m.question.as_str(), word("what")) {
            ("limits", "triad") => {
                let rate = value(&m.figures, "gb_per_s");
                self.triad.extend(rate.map(|x| (threads(m), x)));
            }
            ("limits", "scatter-add") => self.scatter.extend(scatter(m)),
            ("update", _) if word("precision") == "f32" && word("kernel") == "native" => {
                let ns = value(&m.figures, "ns_per_neuron_step");
                self.update
                    .extend(ns.map(|x| (word("neuron").to_owned(), x)));
            }
            _ => {}
        }
    }

    /// Shares of the limits that a measurement reaches; none where it has none.
    pub(super) fn shares(&self, m: &Measurement) -> Vec<Share> {
        let in_shard = match m.question.as_str() {
            "delivery" => value(&m.case, "targets"),
            "threads" => value(&m.figures, "neurons").map(|n| n / threads(m)),
            _ => return Vec::new(),
        };
        let figure = |key| value(&m.figures, key);
        let mut shares = Vec::new();
        if let (Some(rate), Some(limit)) = (figure("gb_per_s"), self.bandwidth(threads(m))) {
            shares.push((0, rate / limit));
        }
        if let (Some(rate), Some(n), Some(bytes)) = (
            figure("events_per_s"),
            in_shard,
            figure("bytes_per_synapse"),
        ) && let Some(limit) = self.additions(4.0 * n, bytes)
        {
            shares.push((1, rate / threads(m) / limit));
        }
        let model = m.case.get("model").and_then(Value::as_str);
        if let (Some(rate), Some(model)) = (figure("neuron_steps_per_s"), model)
            && let Some((_, ns)) = self.update.iter().find(|(name, _)| name == model)
        {
            shares.push((2, rate / threads(m) * ns * 1e-9));
        }
        shares
    }

    fn bandwidth(&self, threads: f64) -> Option<f64> {
        let same = |t: &&(f64, f64)| (t.0 - threads).abs() < 0.5;
        self.triad.iter().find(same).map(|t| t.1)
    }

    /// Additions per second into the smallest measured array that holds `array_bytes` (else the
    /// largest), from the leanest list that says as much as synapses of so many bytes.
    fn additions(&self, array_bytes: f64, bytes_per_synapse: f64) -> Option<f64> {
        let weighted = bytes_per_synapse > 5.0;
        let fits = |s: &&Scatter| (s.bytes_per_addition > 5.0) == weighted;
        let far = |s: &Scatter| {
            if s.array_bytes >= array_bytes {
                s.array_bytes / array_bytes
            } else {
                1e6 * array_bytes / s.array_bytes
            }
        };
        let order = |a: &&Scatter, b: &&Scatter| {
            (far(a).total_cmp(&far(b))).then(a.bytes_per_addition.total_cmp(&b.bytes_per_addition))
        };
        self.scatter
            .iter()
            .filter(fits)
            .min_by(order)
            .map(|s| s.per_s)
    }
}

fn scatter(m: &Measurement) -> Option<Scatter> {
    Some(Scatter {
        array_bytes: 1024.0 * value(&m.case, "array_kib")?,
        bytes_per_addition: value(&m.case, "bytes_per_addition")?,
        per_s: value(&m.figures, "additions_per_s")?,
    })
}

/// The columns [`TITLES`].
pub(super) fn cells(shares: &[Share]) -> [String; 4] {
    let percent = |column: usize| {
        let share = shares.iter().find(|s| s.0 == column);
        share.map_or_else(String::new, |s| format!("{:.0} %", 100.0 * s.1))
    };
    let most = shares.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    let bound = match most {
        None => "",
        Some((_, share)) if *share < CLOSE => "what lies between",
        Some((0, _)) => "bytes",
        Some((1, _)) => "additions",
        Some(_) => "arithmetic",
    };
    [percent(0), percent(1), percent(2), bound.to_owned()]
}
