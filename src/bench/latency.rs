//! How long one step of one sample takes: networks that are run step by step, by the share of active
//! inputs and by how weights are kept. The clock is read around every step.

use std::time::Instant;

use rheobase_engine::plan::WeightFormat;
use rheobase_engine::port::StepInput;
use rheobase_engine::session::{Session, SessionOptions};
use serde_json::json;

use super::{Answers, BenchError, Measurement, Setting, float, plan};

/// Name, inputs, and the text after them.
const NETWORKS: [(&str, u32, &str); 2] = [
    (
        "784-512-10",
        784,
        "[layers.fc1]\nmodel = \"linear\"\nout_features = 512\n\
         [populations.hidden]\nmodel = \"lif\"\nsize = 512\n\
         [layers.fc2]\nmodel = \"linear\"\nout_features = 10\n\
         [populations.out]\nmodel = \"lif\"\nsize = 10\n\
         [[edges]]\nsource = \"x\"\ntarget = \"fc1\"\n\
         [[edges]]\nsource = \"fc1\"\ntarget = \"hidden\"\n\
         [[edges]]\nsource = \"hidden\"\ntarget = \"fc2\"\n\
         [[edges]]\nsource = \"fc2\"\ntarget = \"out\"\n",
    ),
    (
        "700-256 recurrent-20",
        700,
        "[layers.fc1]\nmodel = \"linear\"\nout_features = 256\n\
         [layers.back]\nmodel = \"linear\"\nout_features = 256\nbias = false\n\
         [populations.hidden]\nmodel = \"lif\"\nsize = 256\n\
         [layers.fc2]\nmodel = \"linear\"\nout_features = 20\n\
         [populations.out]\nmodel = \"lif\"\nsize = 20\n\
         [[edges]]\nsource = \"x\"\ntarget = \"fc1\"\n\
         [[edges]]\nsource = \"fc1\"\ntarget = \"hidden\"\n\
         [[edges]]\nsource = \"hidden\"\ntarget = \"back\"\ndelay = \"1 ms\"\n\
         [[edges]]\nsource = \"back\"\ntarget = \"hidden\"\ndelay = \"1 ms\"\n\
         [[edges]]\nsource = \"hidden\"\ntarget = \"fc2\"\n\
         [[edges]]\nsource = \"fc2\"\ntarget = \"out\"\n",
    ),
];
/// Share of the inputs that are active in a step, at random.
const ACTIVITIES: [f64; 3] = [0.02, 0.1, 0.3];
const FORMATS: [(&str, WeightFormat); 3] = [
    ("f32", WeightFormat::Exact),
    ("int16", WeightFormat::Int16),
    ("int8", WeightFormat::Int8),
];
/// Different inputs that take turns.
const PATTERNS: u64 = 64;

pub(super) fn ask(setting: &Setting, answers: Answers<'_>) -> Result<(), BenchError> {
    let steps = if setting.quick { 500 } else { 20_000 };
    for (name, n_inputs, text) in NETWORKS {
        for (format, weights) in FORMATS {
            for activity in ACTIVITIES {
                let mut session = session(n_inputs, text, weights)?;
                let inputs: Vec<Vec<u32>> = (0..PATTERNS)
                    .map(|pattern| active(pattern, n_inputs, activity))
                    .collect();
                let (ns, spikes) = time(&mut session, &inputs, steps)?;
                let at = |share: f64| quantile(&ns, share);
                let case = json!({"network": name, "weights": format, "activity": activity});
                let figures = json!({
                    "median_ns": at(0.5),
                    "p99_ns": at(0.99),
                    "p999_ns": at(0.999),
                    "spikes_per_step": float(spikes) / float(steps),
                });
                answers(Measurement::new("latency", 1, case, figures))?;
            }
        }
    }
    Ok(())
}

fn session(n_inputs: u32, text: &str, weights: WeightFormat) -> Result<Session<f32>, BenchError> {
    let text = format!(
        "name = \"latency\"\ndt = \"1 ms\"\nduration = \"1 ms\"\n\
         [inputs.x]\nshape = [{n_inputs}]\nkind = \"spikes\"\n{text}"
    );
    let options = SessionOptions {
        weights,
        outputs: vec!["hidden".to_owned(), "out".to_owned()],
        ..SessionOptions::default()
    };
    Ok(Session::new(&plan(&text, "latency")?, &options)?)
}

/// Inputs that are active in a pattern: a hash below the share.
fn active(pattern: u64, n_inputs: u32, activity: f64) -> Vec<u32> {
    let is_active = |i: &u32| {
        let x = (pattern << 32 | u64::from(*i)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let x = (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        float(x >> 40) < activity * float(1 << 24)
    };
    (0..n_inputs).filter(is_active).collect()
}

/// Times of steps \[ns\], ascending, and spikes of the hidden neurons.
fn time(
    session: &mut Session<f32>,
    inputs: &[Vec<u32>],
    steps: u64,
) -> Result<(Vec<f64>, u64), BenchError> {
    let mut ns = Vec::new();
    let mut spikes = 0;
    // A tenth before the clock counts.
    for (k, input) in (0..steps + steps / 10).zip(inputs.iter().cycle()) {
        let begun = Instant::now();
        let emitted = session.step(&[StepInput::Spikes(input)])?;
        let taken = begun.elapsed();
        if k >= steps / 10 {
            spikes += emitted.spikes(0).len() as u64;
            ns.push(taken.as_secs_f64() * 1e9);
        }
    }
    ns.sort_by(f64::total_cmp);
    Ok((ns, spikes))
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
