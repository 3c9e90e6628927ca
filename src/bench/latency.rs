//! How long one step of one sample takes: networks that are run step by step, by what arrives and by how
//! weights are kept. The clock is read around every step.
//!
//! Weights are scaled, one hidden population after the other, until about a tenth of it fires in a
//! step: a network whose hidden neurons are silent would cost nothing behind its first layer.

mod nets;

use std::time::Instant;

use rheobase_engine::plan::{Plan, WeightFormat};
use rheobase_engine::port::{StepInput, Tensor};
use rheobase_engine::session::{Arrays, Session, SessionOptions};
use serde_json::json;

use super::{Answers, BenchError, Measurement, Setting, float, plan};
use nets::{NETS, Net};

const FORMATS: [(&str, WeightFormat); 3] = [
    ("f32", WeightFormat::Exact),
    ("int16", WeightFormat::Int16),
    ("int8", WeightFormat::Int8),
];
/// Share of a hidden population that is to fire in a step, and what is near enough.
const SHARE: f64 = 0.1;
const NEAR: f64 = 0.01;
/// Halvings of the range of a gain at most.
const HALVINGS: u32 = 16;

pub(super) fn ask(setting: &Setting, answers: Answers<'_>) -> Result<(), BenchError> {
    let steps = if setting.quick { 500 } else { 20_000 };
    for net in NETS.iter().filter(|net| setting.wants(net.key)) {
        for stream in net.streams {
            let (plan, inputs) = (plan(net.text, net.name)?, stream.inputs(net.n_inputs));
            let parameters = calibrated(net, &plan, &inputs)?;
            for (format, weights) in &FORMATS {
                let mut session = session(net, &plan, *weights, &parameters, None)?;
                let times = time(&mut session, &inputs, steps, setting.allocations)?;
                let at = |share: f64| quantile(&times.ns, share);
                let shares = shares(&session, net, &times, steps);
                let case = json!({
                    "network": net.name, "weights": format, "input": stream.name(),
                });
                let mut figures = json!({
                    "median_ns": at(0.5),
                    "p99_ns": at(0.99),
                    "p999_ns": at(0.999),
                    "hidden_share_low": shares.iter().copied().fold(f64::INFINITY, f64::min),
                    "hidden_share_high": shares.iter().copied().fold(0.0, f64::max),
                });
                if setting.allocations.is_some() {
                    figures["allocations"] = json!(times.allocations);
                }
                answers(Measurement::new("latency", 1, case, figures))?;
            }
        }
    }
    Ok(())
}

type Parameters = Vec<(String, Tensor<f64>)>;

fn session(
    net: &Net,
    plan: &Plan,
    weights: WeightFormat,
    parameters: &Parameters,
    output: Option<&str>,
) -> Result<Session<f32>, BenchError> {
    let hidden = || net.hidden.iter().map(|(_, population)| *population);
    let outputs = match output {
        Some(name) => vec![name.to_owned()],
        None => hidden().chain([net.output]).map(str::to_owned).collect(),
    };
    let options = SessionOptions {
        weights,
        outputs,
        parameters: parameters.clone(),
    };
    Ok(Session::new(plan, &options)?)
}

/// Initial weights, scaled; biases are 0.
fn calibrated(net: &Net, plan: &Plan, inputs: &[Vec<f32>]) -> Result<Parameters, BenchError> {
    let mut parameters = Arrays::of(plan)?.parameters;
    for (_, tensor) in &mut parameters {
        if tensor.name == "bias" {
            tensor.values.fill(0.0);
        }
    }
    for (layer, population) in net.hidden {
        let initial = parameters.clone();
        let (mut low, mut high) = (-6.0_f64, 10.0_f64);
        for _ in 0..HALVINGS {
            let exponent = f64::midpoint(low, high);
            parameters.clone_from(&initial);
            scale(&mut parameters, layer, libm::exp2(exponent));
            let share = share(net, plan, &parameters, population, inputs)?;
            if (share - SHARE).abs() < NEAR {
                break;
            }
            if share < SHARE {
                low = exponent;
            } else {
                high = exponent;
            }
        }
    }
    Ok(parameters)
}

fn scale(parameters: &mut Parameters, layer: &str, gain: f64) {
    let of_layer = parameters.iter_mut().filter(|(node, _)| node == layer);
    of_layer.for_each(|(_, tensor)| tensor.values.iter_mut().for_each(|x| *x *= gain));
}

/// Share of a population that fires in a step.
fn share(
    net: &Net,
    plan: &Plan,
    parameters: &Parameters,
    population: &str,
    inputs: &[Vec<f32>],
) -> Result<f64, BenchError> {
    let exact = WeightFormat::Exact;
    let mut session = session(net, plan, exact, parameters, Some(population))?;
    let times = time(&mut session, inputs, inputs.len() as u64, None)?;
    Ok(shares_of(&session, &times, inputs.len() as u64)[0])
}

/// What was found in some steps.
struct Times {
    /// Of each step \[ns\], ascending.
    ns: Vec<f64>,
    /// Spikes of each output.
    spikes: Vec<u64>,
    /// Allocations in all of them.
    allocations: u64,
}

/// Takes a tenth of the steps before the clock counts.
fn time(
    session: &mut Session<f32>,
    inputs: &[Vec<f32>],
    steps: u64,
    allocations: Option<fn() -> u64>,
) -> Result<Times, BenchError> {
    let is_real = session.input(0).is_some_and(|(_, is_real)| is_real);
    let lists: Vec<Vec<u32>> = inputs.iter().map(|x| active(x)).collect();
    let n_outputs = session.output_names().count();
    let count = allocations.unwrap_or(|| 0);
    let mut times = Times {
        ns: Vec::with_capacity(usize::try_from(steps).unwrap_or(0)),
        spikes: vec![0; n_outputs],
        allocations: 0,
    };
    let each = inputs.iter().zip(&lists).cycle();
    for (k, (values, list)) in (0..steps + steps / 10).zip(each) {
        let input = if is_real {
            StepInput::Real(values)
        } else {
            StepInput::Spikes(list)
        };
        let allocated = count();
        let begun = Instant::now();
        let emitted = session.step(&[input])?;
        let taken = begun.elapsed();
        if k >= steps / 10 {
            times.allocations += count() - allocated;
            times.ns.push(taken.as_secs_f64() * 1e9);
            for (output, spikes) in times.spikes.iter_mut().enumerate() {
                *spikes += emitted.spikes(output).len() as u64;
            }
        }
    }
    times.ns.sort_by(f64::total_cmp);
    Ok(times)
}

fn active(values: &[f32]) -> Vec<u32> {
    let elements = (0_u32..).zip(values);
    elements
        .filter(|(_, x)| **x > 0.0)
        .map(|(i, _)| i)
        .collect()
}

/// Share of each hidden population that fires in a step.
fn shares(session: &Session<f32>, net: &Net, times: &Times, steps: u64) -> Vec<f64> {
    let mut shares = shares_of(session, times, steps);
    shares.truncate(net.hidden.len());
    shares
}

fn shares_of(session: &Session<f32>, times: &Times, steps: u64) -> Vec<f64> {
    let outputs = times.spikes.iter().enumerate();
    let share = |(k, spikes): (usize, &u64)| {
        let size = session.output(k).map_or(1, |(size, _)| size);
        float(*spikes) / float(steps) / float(size as u64)
    };
    outputs.map(share).collect()
}

/// Of ascending values, by nearest rank.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a place in a list"
)]
fn quantile(ascending: &[f64], share: f64) -> f64 {
    let place = (share * ascending.len() as f64) as usize;
    let last = ascending.len().saturating_sub(1);
    ascending.get(place.min(last)).copied().unwrap_or(f64::NAN)
}
