//! 10⁴ cases of each kind: every spike time, grazing peaks included.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use rheobase_engine::exact::flow::Flow;
use rheobase_engine::exact::make;
use rheobase_equations::lower::{Component, lower};
use rheobase_equations::parse_one;
use serde_json::Value;

use super::cases::{Case, fingerprint};

/// Largest error of a spike time \[ms\].
const TOLERANCE_MS: f64 = 1e-9;
/// How far a spike may be off beyond that, in units of how far it moves where input is changed by one
/// rounding: weights are scaled up to some hundredfold to graze, and rounding is relative to the
/// potentials they would lead to alone.
const MOVES: f64 = 512.0;

const LEAK: &str = "(e_l - v)/tau_m + ";

/// The text of a kind.
pub(crate) fn text(kind: &str) -> String {
    let leak = if kind.starts_with("if_") { "" } else { LEAK };
    let parameters = "parameter tau_m = 10 ms, c_m = 250 pF, e_l = 0 mV, v_th = 15 mV
        parameter v_reset = 0 mV, t_ref = 2 ms, i_e = 0 pA
        parameter d_ex = 2 ms, r_ex = 2 ms, n_ex = 1/(1 ms), d_in = 2 ms, r_in = 2 ms, n_in = 1/(1 ms)
        parameter k = 1/(1 mV*ms), v_r = 0 mV, v_t = 1 mV";
    let membrane =
        |current: &str| format!("dv/dt = {leak}({current}i_e)/c_m : mV (unless refractory)");
    let body = match kind {
        "qif_delta" => "dv/dt = k*(v - v_r)*(v - v_t) + i_e/c_m : mV (unless refractory)
            input ex(w : mV): v += w (unless refractory)
            input in(w : mV): v += w (unless refractory)"
            .to_owned(),
        "delta" | "if_delta" => {
            membrane("")
                + "
            input ex(w : mV): v += w (unless refractory)
            input in(w : mV): v += w (unless refractory)"
        }
        "exp" | "if_exp" => {
            membrane("i_ex + i_in + ")
                + "
            di_ex/dt = -i_ex/d_ex : pA
            di_in/dt = -i_in/d_in : pA
            input ex(w : pA): i_ex += w
            input in(w : pA): i_in += w"
        }
        _ => {
            membrane("i_ex + i_in + ")
                + "
            di_ex/dt = j_ex - i_ex/d_ex : pA
            dj_ex/dt = -j_ex/r_ex : pA/ms
            di_in/dt = j_in - i_in/d_in : pA
            dj_in/dt = -j_in/r_in : pA/ms
            input ex(w : pA): j_ex += w*n_ex
            input in(w : pA): j_in += w*n_in"
        }
    };
    format!(
        "neuron {kind}\n{parameters}\n{body}\n
        spike when v >= v_th, reset v = v_reset, refractory t_ref"
    )
}

/// What j jumps by for a current that peaks at 1.
fn norm([decay, rise]: [f64; 2]) -> f64 {
    if rise == 0.0 {
        return 0.0;
    }
    let excess = (decay - rise) / rise;
    let ratio = if excess == 0.0 {
        1.0
    } else {
        excess.ln_1p() / excess
    };
    (ratio * decay / rise).exp() / decay
}

pub(crate) fn parameters(c: &Case) -> Vec<f64> {
    vec![
        c.tau_m,
        c.c_m,
        c.e_l,
        c.v_th,
        c.v_reset,
        c.t_ref,
        c.i_e,
        c.ex[0],
        c.ex[1],
        norm(c.ex),
        c.inh[0],
        c.inh[1],
        norm(c.inh),
        c.k,
        c.v_r,
        c.v_t,
    ]
}

/// A neuron driven from event to event, one flow alone.
struct Driver<'a> {
    flow: &'a mut dyn Flow,
    states: Vec<f64>,
    now: f64,
    free_from: f64,
    spikes: Vec<f64>,
    grazing: usize,
}

impl Driver<'_> {
    fn advance_to(&mut self, t: f64) {
        let refractory = self.now < self.free_from;
        self.flow
            .advance(&mut self.states, t - self.now, refractory);
        self.now = t;
    }

    fn fire(&mut self) {
        self.spikes.push(self.now);
        self.flow.reset(&mut self.states);
        self.free_from = self.now + self.flow.refractory_ms();
    }

    /// Spikes up to `stop`, then the state there.
    fn run_to(&mut self, stop: f64) {
        while self.now < stop {
            if self.now < self.free_from {
                self.advance_to(self.free_from.min(stop));
                continue;
            }
            let crossing = self.flow.next_crossing(&self.states, stop - self.now);
            self.grazing += usize::from(crossing.grazing);
            match crossing.after_ms {
                Some(after) => {
                    self.advance_to(self.now + after);
                    self.fire();
                }
                None => self.advance_to(stop),
            }
        }
    }

    /// Events at this moment act together.
    fn deliver(&mut self, weights: &[f64]) {
        let refractory = self.now < self.free_from;
        for w in weights {
            let port = usize::from(*w < 0.0);
            self.flow.input(&mut self.states, port, *w, refractory);
        }
        if !refractory && self.flow.fires(&self.states) {
            self.fire();
        }
    }
}

fn run(flow: &mut dyn Flow, case: &Case, end: f64) -> (Vec<f64>, usize) {
    let mut states = vec![0.0; flow.n_states()];
    states[0] = case.v0;
    let mut driver = Driver {
        flow,
        states,
        now: 0.0,
        free_from: 0.0,
        spikes: vec![],
        grazing: 0,
    };
    for events in case.events.chunk_by(|a, b| a.0.to_bits() == b.0.to_bits()) {
        let weights: Vec<f64> = events.iter().map(|e| e.1).collect();
        driver.run_to(events[0].0);
        driver.deliver(&weights);
    }
    driver.run_to(end);
    (driver.spikes, driver.grazing)
}

/// Numbers of a row of a list in the file.
fn row(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().unwrap().iter();
    numbers.map(|x| x.as_f64().unwrap()).collect()
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index in the file"
)]
fn index(x: f64) -> usize {
    x as usize
}

struct Golden {
    count: usize,
    spikes: Vec<Vec<f64>>,
    /// By case: factor of all weights.
    graze: BTreeMap<usize, f64>,
    either: BTreeSet<usize>,
    /// By case and spike: how far rounding of the input moves it.
    sensitive: BTreeMap<(usize, usize), f64>,
}

fn read(kind: &str) -> Golden {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/exact");
    let path = folder.join(format!("cases_{kind}.json"));
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file: Value = serde_json::from_slice(&bytes).unwrap();
    let rows =
        |name: &str| -> Vec<Vec<f64>> { file[name].as_array().unwrap().iter().map(row).collect() };
    let count = file["count"].as_u64().unwrap();
    assert_eq!(file["fingerprint"], fingerprint(kind, count), "{kind}");
    Golden {
        count: usize::try_from(count).unwrap(),
        spikes: rows("spikes_ms"),
        graze: rows("graze").iter().map(|r| (index(r[0]), r[1])).collect(),
        either: rows("either").iter().map(|r| index(r[0])).collect(),
        sensitive: rows("sensitive")
            .iter()
            .map(|r| ((index(r[0]), index(r[1])), r[2]))
            .collect(),
    }
}

pub(crate) fn component(kind: &str) -> Component {
    lower(&Arc::new(parse_one(&text(kind), kind).unwrap()), None).unwrap()
}

fn compare(kind: &str) {
    let golden = read(kind);
    assert_eq!(golden.spikes.len(), golden.count);
    assert!(
        golden.graze.len() * 20 >= golden.count,
        "{kind}: too few graze"
    );
    assert!(
        golden.either.len() * 100 < golden.count,
        "{kind}: too many could go either way"
    );
    let component = component(kind);
    let (mut worst, mut n_spikes, mut loose, mut grazing) = (0.0_f64, 0, 0, 0);
    let mut wrong = Vec::new();
    for (i, expected) in golden.spikes.iter().enumerate() {
        let mut case = Case::draw(kind, i as u64);
        if let Some(scale) = golden.graze.get(&i) {
            case.events.iter_mut().for_each(|e| e.1 *= scale);
        }
        let mut flow = make::flow(&component, &parameters(&case), None).unwrap();
        let (found, n_grazing) = run(flow.as_mut(), &case, 60.0);
        grazing += n_grazing;
        if golden.either.contains(&i) {
            continue;
        }
        if found.len() != expected.len() {
            wrong.push(format!("case {i}: {found:?} instead of {expected:?}"));
            continue;
        }
        for (n, (a, b)) in found.iter().zip(expected).enumerate() {
            // Where a rounding of the input moves the spike, so may one of ours.
            let moves = golden.sensitive.get(&(i, n)).copied().unwrap_or(0.0);
            let error = (a - b).abs();
            if error > TOLERANCE_MS {
                loose += 1;
                if error > MOVES * moves {
                    wrong.push(format!(
                        "case {i} spike {n}: {a} {b} error {error:e}, moves {moves:e}"
                    ));
                }
            } else {
                worst = worst.max(error);
            }
            n_spikes += 1;
        }
    }
    println!(
        "{kind}: {} cases, {n_spikes} spikes, {} grazing by design, {} could go either way; \
         largest error {worst:.1e} ms, {loose} ill-conditioned beyond {TOLERANCE_MS:.0e} ms; \
         {grazing} decisions reported as grazing",
        golden.count,
        golden.graze.len(),
        golden.either.len(),
    );
    assert!(
        wrong.is_empty(),
        "{kind}: {} wrong\n{}",
        wrong.len(),
        wrong[..wrong.len().min(10)].join("\n")
    );
    assert!(
        n_spikes > golden.count / 4 && loose * 200 <= n_spikes,
        "{kind}: {loose} of {n_spikes}"
    );
}

#[test]
fn delta_synapses() {
    compare("delta");
}

#[test]
fn exponential_synapses() {
    compare("exp");
}

#[test]
fn alpha_synapses() {
    compare("alpha");
}

#[test]
fn dual_exponential_synapses() {
    compare("beta");
}

#[test]
fn perfect_integrators_with_delta_synapses() {
    compare("if_delta");
}

#[test]
fn perfect_integrators_with_exponential_synapses() {
    compare("if_exp");
}

#[test]
fn quadratic_neurons_with_delta_synapses() {
    compare("qif_delta");
}
