//! Encoders against SpikingJelly 2.0.0 (`tests/golden/spikingjelly/`).

#![allow(clippy::print_stdout, reason = "tests print their figures")]

use rheobase_equations::real::Real;
use rheobase_learning::encode::{
    Draws, Encoder, Integrate, Latency, Samples, Tuning, WeightedPhase, dense,
};
use serde_json::Value;

const ENCODERS: &str = include_str!("../../tests/golden/spikingjelly/encoders.json");

fn encoders() -> Value {
    serde_json::from_str(ENCODERS).unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    let text = |x: &Value| x.as_str().unwrap().to_owned();
    value.as_array().unwrap().iter().map(text).collect()
}

/// Spikes of every element, as text.
fn trains<R: Real>(encoder: &dyn Encoder<R>, steps: usize, values: &[R]) -> Vec<String> {
    let n = values.len();
    let samples = Samples::new(values, n, &[0]).unwrap();
    let mut out = Vec::new();
    dense(encoder, steps, samples, Draws::new(1, 0), &mut out).unwrap();
    let digit = |&x: &R| if x == R::ONE { '1' } else { '0' };
    let train = |k: usize| out.iter().skip(k).step_by(n).map(digit).collect();
    (0..n).map(train).collect()
}

/// The values of a byte, computed in R.
fn grid<R: Real>() -> Vec<R> {
    (0..=255_i16)
        .map(|k| R::from_i16(k) / R::from_i16(255))
        .collect()
}

fn latencies_of<R: Real>(latency: Latency, case: &Value) {
    let steps = usize::try_from(case["steps"].as_u64().unwrap()).unwrap();
    let times = case["times"].as_array().unwrap();
    let expected: Vec<String> = times
        .iter()
        .map(|t| {
            let t = usize::try_from(t.as_u64().unwrap()).unwrap();
            "0".repeat(t) + "1" + &"0".repeat(steps - 1 - t)
        })
        .collect();
    assert_eq!(
        trains::<R>(&latency, steps, &grid()),
        expected,
        "{latency:?}"
    );
}

#[test]
fn latencies() {
    let golden = encoders();
    let cases = golden["latency"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let latency = match case["function"].as_str().unwrap() {
            "linear" => Latency::Linear,
            _ => Latency::Logarithmic,
        };
        match case["dtype"].as_str().unwrap() {
            "f32" => latencies_of::<f32>(latency, case),
            _ => latencies_of::<f64>(latency, case),
        }
    }
}

fn phases_of<R: Real>(phases: u32, case: &Value) {
    let scale = R::from_f64(1.0 - (-f64::from(phases)).exp2());
    let values: Vec<R> = grid::<R>().into_iter().map(|x| x * scale).collect();
    let found = trains(&WeightedPhase { phases }, phases as usize, &values);
    assert_eq!(found, strings(&case["digits"]), "{phases}");
}

#[test]
fn weighted_phases() {
    let golden = encoders();
    let cases = golden["phase"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let phases = u32::try_from(case["phases"].as_u64().unwrap()).unwrap();
        match case["dtype"].as_str().unwrap() {
            "f32" => phases_of::<f32>(phases, case),
            _ => phases_of::<f64>(phases, case),
        }
    }
}

#[test]
fn populations() {
    let golden = encoders();
    let case = &golden["population"];
    let float = |x: &Value| x.as_f64().unwrap();
    let n = u32::try_from(case["n"].as_u64().unwrap()).unwrap();
    let (low, high, sigma) = (
        float(&case["low"]),
        float(&case["high"]),
        float(&case["sigma"]),
    );
    let values = case["values"].as_array().unwrap();
    let values: Vec<f64> = values.iter().map(float).collect();
    let tuning = Tuning::even(low, high, n, sigma).unwrap();
    let samples = Samples::new(&values, values.len(), &[0]).unwrap();
    let activities = tuning.activities(samples).unwrap();
    let found = trains(&Integrate::default(), 20, &activities);
    assert_eq!(found, strings(&case["trains"]));
}
