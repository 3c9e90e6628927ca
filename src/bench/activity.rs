//! What a step costs against activity: the share of the neurons that receive an event in it. Dense,
//! sparse and automatically chosen steps of the same network in anchored arithmetic, and dense steps
//! in stepwise arithmetic, take turns.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rheobase_engine::anchored::ModeChoice;
use rheobase_engine::build::BuildOptions;
use rheobase_engine::plan::{NodeKind, Plan};
use rheobase_engine::port::{SpikeSource, SpikeSourceType, StimulusContext};
use rheobase_engine::simulation::Simulation;
use rheobase_report::atomic_write;
use rheobase_report::plot::{ScalingPanel, ScalingPlot, ScalingSeries};
use serde_json::json;

use super::spread::Spread;
use super::{Answers, BenchError, Measurement, Setting, float, plan};

/// Who advances: the arithmetic and the mode.
const RUNNERS: [(&str, &str, ModeChoice); 4] = [
    ("dense", "anchored", ModeChoice::Dense),
    ("sparse", "anchored", ModeChoice::Sparse),
    ("auto", "anchored", ModeChoice::Auto),
    ("stepwise", "stepwise", ModeChoice::Dense),
];
/// Share of the neurons that receive an event in a step.
const ACTIVITIES: [f64; 10] = [1e-5, 1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5];
/// Fan-out whose figures are drawn.
const DRAWN: u64 = 100;

pub(super) fn ask(setting: &Setting, answers: Answers<'_>) -> Result<(), BenchError> {
    let (sizes, fan_outs): (&[u64], &[u64]) = if setting.quick {
        (&[10_000], &[DRAWN])
    } else {
        (&[10_000, 100_000, 1_000_000], &[10, 100, 1000])
    };
    let mut panels = Vec::new();
    for &neurons in sizes {
        for &fan_out in fan_outs {
            let series = sweep(setting, neurons, fan_out, answers)?;
            if fan_out == DRAWN {
                panels.push(ScalingPanel {
                    x: format!("Neurons reached in a step, of {neurons}"),
                    y: "Time of a step (ns)".to_owned(),
                    series,
                });
            }
        }
    }
    let title = "Cost of a step against activity, one thread, fan-out 100";
    let figure = ScalingPlot {
        title,
        panels: &panels,
    }
    .draw()?;
    atomic_write(
        &setting.folder.join("activity.svg"),
        figure.svg().as_bytes(),
    )?;
    atomic_write(&setting.folder.join("activity.png"), &figure.png()?)?;
    Ok(())
}

/// One network at every activity.
fn sweep(
    setting: &Setting,
    neurons: u64,
    fan_out: u64,
    answers: Answers<'_>,
) -> Result<Vec<ScalingSeries>, BenchError> {
    let rate = Arc::new(AtomicU64::new(0));
    let mut runners = Vec::new();
    for (_, arithmetic, mode) in RUNNERS {
        runners.push(build(neurons, fan_out, arithmetic, mode, &rate)?);
    }
    let mut series: Vec<ScalingSeries> = RUNNERS
        .iter()
        .map(|(name, ..)| ScalingSeries {
            label: (*name).to_owned(),
            points: Vec::new(),
            law: None,
        })
        .collect();
    let activities = if setting.quick {
        &[0.001, 0.3][..]
    } else {
        &ACTIVITIES[..]
    };
    for &activity in activities {
        // So many events, at random, reach this share of the neurons.
        let events = -float(neurons) * libm::log1p(-activity);
        rate.store((events / float(fan_out)).to_bits(), Ordering::Relaxed);
        for ((name, ..), runner) in RUNNERS.iter().zip(&mut runners) {
            // Long enough for whoever chooses to have chosen.
            let (settle_s, least) = match *name {
                _ if setting.quick => (0.02, 64),
                "auto" => (0.15, 1024),
                _ => (0.05, 64),
            };
            let (begun, first) = (Instant::now(), runner.now());
            while begun.elapsed().as_secs_f64() < settle_s || runner.now() < first + least {
                advance(runner, 64)?;
            }
            runner.take_recording();
        }
        let rounds = match neurons {
            _ if setting.quick => 3,
            0..=100_000 => 15,
            _ => 5,
        };
        let round_s = if setting.quick { 0.003 } else { 0.02 };
        let mut ns = vec![Vec::new(); RUNNERS.len()];
        let mut counts = vec![(0_u64, 0_u64, 0_u64); RUNNERS.len()];
        for _ in 0..rounds {
            for (k, runner) in runners.iter_mut().enumerate() {
                let begun = Instant::now();
                let mut steps = 0;
                while begun.elapsed().as_secs_f64() < round_s {
                    advance(runner, 64)?;
                    steps += 64;
                }
                ns[k].push(begun.elapsed().as_secs_f64() * 1e9 / float(steps));
                let recording = runner.take_recording();
                counts[k].0 += steps;
                for (_, modes) in &recording.modes {
                    counts[k].1 += modes.executed;
                    counts[k].2 += modes.skipped;
                }
            }
        }
        for (k, (name, ..)) in RUNNERS.iter().enumerate() {
            let spread = Spread::of(std::mem::take(&mut ns[k]));
            series[k]
                .points
                .push((activity * float(neurons), spread.median));
            let (steps, executed, skipped) = counts[k];
            let case = json!({
                "mode": name, "neurons": neurons, "fan_out": fan_out, "activity": activity,
            });
            let figures = json!({
                "ns_per_step": spread.json(),
                "executed_per_step": float(executed) / float(steps),
                "skipped_per_step": float(skipped) / float(steps),
            });
            answers(Measurement::new("activity", 1, case, figures))?;
        }
    }
    Ok(series)
}

fn build(
    neurons: u64,
    fan_out: u64,
    arithmetic: &str,
    mode: ModeChoice,
    rate: &Arc<AtomicU64>,
) -> Result<Simulation<f32>, BenchError> {
    // Enough sources that none has to fire twice in a step.
    let sources = (3 * neurons / (2 * fan_out)).max(1000);
    let text = format!(
        "name = \"activity\"\nduration = \"1 s\"\narithmetic = \"{arithmetic}\"\n\n\
         [populations.target]\nmodel = \"iaf_psc_exp\"\nsize = {neurons}\n\
         initial = {{ v = {{ uniform = [\"-70 mV\", \"-58 mV\"] }} }}\n\n\
         [stimuli.source]\nmodel = \"poisson\"\nsize = {sources}\nrate = \"1 Hz\"\n\n\
         [[projections]]\nsource = \"source\"\ntarget = \"target\"\nport = \"ex\"\n\
         rule = {{ fixed_outdegree = {{ outdegree = {fan_out} }} }}\n\
         weight = \"0.01 pA\"\ndelay = \"1.5 ms\"\n"
    );
    let mut plan: Plan = plan(&text, "activity")?;
    for node in &mut plan.nodes {
        if matches!(node.kind, NodeKind::Source(_)) {
            node.kind = NodeKind::Source(Arc::new(Paced {
                rate: Arc::clone(rate),
            }));
        }
    }
    let options = BuildOptions {
        threads: 1,
        mode,
        ..BuildOptions::default()
    };
    Ok(Simulation::build(Arc::new(plan), options)?)
}

fn advance(simulation: &mut Simulation<f32>, steps: u64) -> Result<(), BenchError> {
    let last = simulation.now() + steps;
    Ok(simulation.advance_to(last)?)
}

/// Sources of which as many fire in every step as is asked for, in turn.
struct Paced {
    /// Spikes a step, as bits.
    rate: Arc<AtomicU64>,
}

impl SpikeSourceType for Paced {
    fn instantiate(&self, context: StimulusContext) -> Box<dyn SpikeSource> {
        Box::new(PacedSource {
            rate: Arc::clone(&self.rate),
            size: context.size,
            credit: 0.0,
            next: 0,
        })
    }
}

struct PacedSource {
    rate: Arc<AtomicU64>,
    size: u32,
    credit: f64,
    next: u32,
}

impl SpikeSource for PacedSource {
    fn emit(&mut self, _: u64, range: Range<u32>, spikes: &mut Vec<u32>) {
        self.credit += f64::from_bits(self.rate.load(Ordering::Relaxed));
        let start = spikes.len();
        while self.credit >= 1.0 {
            self.credit -= 1.0;
            if range.contains(&self.next) {
                spikes.push(self.next);
            }
            self.next = (self.next + 1) % self.size;
        }
        spikes[start..].sort_unstable();
    }
}
