//! How wall time and peak memory grow with the network and with its activity.
//!
//! The networks of the sweep fire at a rate that does not depend on their size: leaky neurons driven
//! by a current, each with the same number of synapses, which are too weak to change anything.
//! So an exponent is that of the engine and not of the dynamics. The cortical microcircuit, whose
//! synapses do act, stands beside them.

use rheobase_engine::network::Network;
use rheobase_report::plot::{ScalingPanel, ScalingPlot, ScalingSeries};
use rheobase_report::{PowerLaw, RunRecord, atomic_write};
use serde_json::{Value, json};

use super::process::{Job, Scratch};
use super::spread::Spread;
use super::{Answers, BenchError, Measurement, Setting, float};
use crate::run::{RunOptions, available_memory, estimate};

const MICROCIRCUIT: &str = include_str!("../../examples/microcircuit.toml");
/// Synapses of the microcircuit at full scale.
const MICROCIRCUIT_SYNAPSES: f64 = 298_880_970.0;
/// Synapses onto each neuron of the other networks.
const IN_DEGREE: u64 = 1000;
/// Rate of the sweep over sizes \[Hz\].
const RATE_HZ: f64 = 10.0;

/// What is swept.
struct Sweep {
    sizes: &'static [f64],
    rates_hz: &'static [f64],
    /// Synapses of the networks whose activity is swept.
    active: f64,
    rounds: u64,
    /// Longest biological time \[s\].
    most_s: f64,
    microcircuit: bool,
}

const FULL: Sweep = Sweep {
    sizes: &[1e6, 3e6, 1e7, 3e7, 1e8, 3e8],
    rates_hz: &[1.0, 3.0, 10.0, 30.0, 100.0],
    active: 3e7,
    rounds: 3,
    most_s: 10.0,
    microcircuit: true,
};

const QUICK: Sweep = Sweep {
    sizes: &[1e6, 3e6],
    rates_hz: &[10.0, 100.0],
    active: 1e6,
    rounds: 1,
    most_s: 0.02,
    microcircuit: false,
};

/// A family of networks.
#[derive(Clone, Copy, PartialEq)]
enum Series {
    /// One weight, one delay.
    Compact,
    /// Normal weights, kept exactly, and normal delays.
    Exact,
    /// The cortical microcircuit, weights kept exactly.
    Microcircuit,
}

impl Series {
    fn name(self) -> &'static str {
        match self {
            Self::Compact => "one weight, one delay",
            Self::Exact => "drawn weights and delays",
            Self::Microcircuit => "microcircuit",
        }
    }
}

/// One point of a sweep.
struct Point {
    synapses: f64,
    events_per_biological_s: f64,
    wall: Spread,
    /// Wall time per biological second without synapses \[s\].
    bare_s: f64,
    /// Peak memory above that of a network of a few neurons \[bytes\].
    memory_bytes: f64,
}

pub(super) fn ask(setting: &Setting, answers: Answers<'_>) -> Result<(), BenchError> {
    let sweep = if setting.quick { QUICK } else { FULL };
    let scratch = Scratch::new()?;
    let runs = Runs {
        setting,
        scratch,
        sweep,
    };
    let empty = runs.of(Series::Compact, f64::from(1 << 10), RATE_HZ, 0.01)?;
    let empty_bytes = float(empty[0].peak_rss_bytes);
    let mut grown = Vec::new();
    for series in [Series::Compact, Series::Exact, Series::Microcircuit] {
        if series == Series::Microcircuit && !runs.sweep.microcircuit {
            continue;
        }
        grown.push((series, runs.sizes(series, empty_bytes, answers)?));
    }
    let mut active = Vec::new();
    for series in [Series::Compact, Series::Exact] {
        active.push((series, runs.rates(series, empty_bytes, answers)?));
    }
    let panels = panels(&grown, &active);
    laws(&panels, setting.threads, answers)?;
    draw(&panels, setting)
}

struct Runs<'a> {
    setting: &'a Setting,
    scratch: Scratch,
    sweep: Sweep,
}

impl Runs<'_> {
    fn sizes(
        &self,
        series: Series,
        empty_bytes: f64,
        answers: Answers<'_>,
    ) -> Result<Vec<Point>, BenchError> {
        let mut points = Vec::new();
        for &synapses in self.sweep.sizes {
            let seconds = seconds_for(synapses, self.sweep.most_s);
            let records = match self.fits(series, synapses)? {
                Ok(()) => self.of(series, synapses, RATE_HZ, seconds)?,
                Err(skipped) => {
                    let case = json!({
                        "series": series.name(), "sweep": "size", "synapses": synapses,
                    });
                    let figures = json!({"skipped": skipped});
                    answers(Measurement::new(
                        "scaling",
                        self.setting.threads,
                        case,
                        figures,
                    ))?;
                    continue;
                }
            };
            let point = point(&records, 0.0, empty_bytes);
            answers(self.measurement(series, "size", &records, &point))?;
            points.push(point);
        }
        Ok(points)
    }

    fn rates(
        &self,
        series: Series,
        empty_bytes: f64,
        answers: Answers<'_>,
    ) -> Result<Vec<Point>, BenchError> {
        let mut points = Vec::new();
        for &rate_hz in self.sweep.rates_hz {
            let seconds = self.sweep.most_s.min(1.0);
            let records = self.of(series, self.sweep.active, rate_hz, seconds)?;
            let text = text(series, self.sweep.active, rate_hz, false);
            let bare = self.repeat(series, &text, &[], seconds)?;
            let bare_s = wall(&bare).median;
            let point = point(&records, bare_s, empty_bytes);
            answers(self.measurement(series, "activity", &records, &point))?;
            points.push(point);
        }
        Ok(points)
    }

    fn measurement(
        &self,
        series: Series,
        sweep: &str,
        records: &[RunRecord],
        point: &Point,
    ) -> Measurement {
        let record = &records[0];
        let rate_hz = float(record.spikes) / float(record.neurons) / record.biological_s;
        let case = json!({
            "series": series.name(), "sweep": sweep, "synapses": record.synapses,
            "neurons": record.neurons, "rate_hz": (rate_hz * 10.0).round() / 10.0,
        });
        let mut figures = json!({
            "s_per_biological_s": point.wall.json(),
            "events_per_s": point.events_per_biological_s / point.wall.median,
            "peak_mib": float(record.peak_rss_bytes) / f64::from(1 << 20),
            "bytes_per_synapse": float(record.synapse_bytes) / float(record.synapses.max(1)),
            "build_s": Spread::of(records.iter().map(|r| r.build_s).collect()).median,
        });
        if point.bare_s > 0.0
            && let Some(figures) = figures.as_object_mut()
        {
            figures.insert("without_synapses_s".to_owned(), point.bare_s.into());
        }
        Measurement::new("scaling", self.setting.threads, case, figures)
    }

    /// Whether a network fits into memory; if not, why.
    fn fits(&self, series: Series, synapses: f64) -> Result<Result<(), String>, BenchError> {
        let mut network = Network::from_toml(&text(series, synapses, RATE_HZ, true), "scaling")?;
        for entry in set(series, synapses) {
            if let Some((path, value)) = entry.split_once('=') {
                network.set(path, value)?;
            }
        }
        let plan = network.resolve(&crate::registry())?;
        let options = RunOptions {
            threads: self.setting.threads,
            keep_recording: false,
            ..RunOptions::default()
        };
        let available = available_memory().unwrap_or(u64::MAX);
        Ok(estimate(&plan, &options)
            .check(available)
            .map_err(|e| e.to_string()))
    }

    fn of(
        &self,
        series: Series,
        synapses: f64,
        rate_hz: f64,
        seconds: f64,
    ) -> Result<Vec<RunRecord>, BenchError> {
        let text = text(series, synapses, rate_hz, true);
        self.repeat(series, &text, &set(series, synapses), seconds)
    }

    fn repeat(
        &self,
        series: Series,
        text: &str,
        set: &[String],
        seconds: f64,
    ) -> Result<Vec<RunRecord>, BenchError> {
        let job = |seed| Job {
            name: series.name(),
            text,
            set: set.to_vec(),
            seconds,
            threads: self.setting.threads,
            seed,
        };
        (1..=self.sweep.rounds)
            .map(|seed| job(seed).run(self.setting, &self.scratch))
            .collect()
    }
}

/// Biological time of about a thousand million events, no shorter than half a second, in whole
/// hundredths of a second.
fn seconds_for(synapses: f64, most_s: f64) -> f64 {
    let seconds = (1e9 / (synapses * RATE_HZ)).max(0.5).min(most_s);
    (seconds * 100.0).round() / 100.0
}

fn set(series: Series, synapses: f64) -> Vec<String> {
    match series {
        Series::Microcircuit => {
            let scale = (synapses / MICROCIRCUIT_SYNAPSES).sqrt().min(1.0);
            vec![format!("scale={scale:.6}")]
        }
        _ => Vec::new(),
    }
}

fn text(series: Series, synapses: f64, rate_hz: f64, wired: bool) -> String {
    let (weight, delay) = match series {
        Series::Microcircuit => return MICROCIRCUIT.to_owned(),
        Series::Compact => ("\"1e-4 pA\"", "\"1.5 ms\""),
        Series::Exact => (
            "{ normal = { mean = \"1e-4 pA\", sd = \"1e-5 pA\" } }",
            "{ normal = { mean = \"1.5 ms\", sd = \"0.75 ms\" }, redraw = { min = \"0.05 ms\" } }",
        ),
    };
    let neurons = (synapses / float(IN_DEGREE)).round().max(1.0);
    // The slower the membrane, the closer to evenly spread phases come from even potentials.
    let mut text = format!(
        "name = \"scaling\"\n\n[parameters]\nrate = \"{rate_hz} Hz\"\ntau = \"1 s\"\n\
         threshold = \"20 mV\"\nc = \"250 pF\"\n\n\
         [populations.n]\nmodel = \"iaf_psc_exp\"\nsize = {neurons}\n\
         initial = {{ v = {{ uniform = [\"0 mV\", \"20 mV\"] }} }}\n\n\
         [populations.n.parameters]\ntau_m = \"tau\"\nc_m = \"c\"\ne_l = \"0 mV\"\n\
         v_th = \"threshold\"\nv_reset = \"0 mV\"\nt_ref = \"0 ms\"\n\
         i_e = \"c*threshold/tau/(1 - exp(-1/(rate*tau)))\"\n"
    );
    if wired {
        text.push_str(&format!(
            "\n[[projections]]\nsource = \"n\"\ntarget = \"n\"\nport = \"ex\"\n\
             rule = {{ fixed_indegree = {{ indegree = {IN_DEGREE} }} }}\n\
             weight = {weight}\ndelay = {delay}\n"
        ));
    }
    text
}

fn wall(records: &[RunRecord]) -> Spread {
    Spread::of(records.iter().map(|r| r.real_time_factor).collect())
}

fn point(records: &[RunRecord], bare_s: f64, empty_bytes: f64) -> Point {
    let record = &records[0];
    let peaks = records.iter().map(|r| float(r.peak_rss_bytes)).collect();
    Point {
        synapses: float(record.synapses),
        events_per_biological_s: float(record.synaptic_events) / record.biological_s,
        wall: wall(records),
        bare_s,
        memory_bytes: Spread::of(peaks).median - empty_bytes,
    }
}

type Grown = [(Series, Vec<Point>)];

fn panels(grown: &Grown, active: &Grown) -> [ScalingPanel; 3] {
    let panel = |x: &str, y: &str, of: &Grown, place: &dyn Fn(&Point) -> (f64, f64)| ScalingPanel {
        x: x.to_owned(),
        y: y.to_owned(),
        series: of
            .iter()
            .map(|(series, points)| {
                let points: Vec<_> = points.iter().map(place).collect();
                ScalingSeries {
                    label: series.name().to_owned(),
                    law: PowerLaw::fit(&points),
                    points,
                }
            })
            .collect(),
    };
    [
        panel("Synapses", "Wall s per biological s", grown, &|p| {
            (p.synapses, p.wall.median)
        }),
        panel(
            "Synapses",
            "Peak memory above an empty run (MiB)",
            grown,
            &|p| (p.synapses, p.memory_bytes / f64::from(1 << 20)),
        ),
        panel(
            "Synaptic events per biological s",
            "Wall s of delivery per biological s",
            active,
            &|p| (p.events_per_biological_s, p.wall.median - p.bare_s),
        ),
    ]
}

/// The exponents, as answers.
fn laws(panels: &[ScalingPanel], threads: usize, answers: Answers<'_>) -> Result<(), BenchError> {
    for panel in panels {
        for series in &panel.series {
            let case = json!({"series": series.label, "of": panel.y, "against": panel.x});
            let figures = match series.law {
                Some(law) => {
                    json!({"exponent": law.exponent, "standard_error": law.exponent_error})
                }
                None => json!({"exponent": Value::Null}),
            };
            answers(Measurement::new("scaling", threads, case, figures))?;
        }
    }
    Ok(())
}

fn draw(panels: &[ScalingPanel], setting: &Setting) -> Result<(), BenchError> {
    // A sweep so short that a difference vanishes has nothing to draw.
    let drawable = |p: &&ScalingPanel| {
        let mut points = p.series.iter().flat_map(|s| &s.points);
        points.any(|point| point.0 > 0.0 && point.1 > 0.0)
    };
    let panels: Vec<ScalingPanel> = panels.iter().filter(drawable).cloned().collect();
    let plot = ScalingPlot {
        title: "Time and memory against size and activity",
        panels: &panels,
    };
    let figure = plot.draw()?;
    atomic_write(&setting.folder.join("scaling.svg"), figure.svg().as_bytes())?;
    atomic_write(&setting.folder.join("scaling.png"), &figure.png()?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_of_the_sweeps_is_understood() {
        for sweep in [FULL, QUICK] {
            for &synapses in sweep.sizes {
                for series in [Series::Compact, Series::Exact, Series::Microcircuit] {
                    let text = text(series, synapses, RATE_HZ, true);
                    let mut network = Network::from_toml(&text, "scaling").unwrap();
                    let seconds = seconds_for(synapses, sweep.most_s);
                    network
                        .set("duration", &format!("\"{seconds} s\""))
                        .unwrap();
                    network.set("discard", "\"0 s\"").unwrap();
                    for entry in set(series, synapses) {
                        let (path, value) = entry.split_once('=').unwrap();
                        network.set(path, value).unwrap();
                    }
                    let plan = network.resolve(&crate::registry()).unwrap();
                    assert!(plan.steps > 0);
                }
            }
        }
    }
}
