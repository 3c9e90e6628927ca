//! Neurons against SpikingJelly 2.0.0, forward and backward (`tests/golden/spikingjelly`).

use std::collections::BTreeMap;

use rheobase_equations::choice::Choices;
use rheobase_equations::real::Real;
use rheobase_equations::unroll::{Gradients, Unrolled, Upstream};

use crate::golden::{Case, Golden, chosen, gap};

/// Relative to the largest value of each array.
const F64: f64 = 1e-9;
const F32: f64 = 1e-5;

fn surrogate(name: &str) -> &'static str {
    match name {
        "sigmoid4" => "sigmoid(4)",
        "atan2" => "atan(2)",
        "rect1" => "rect(1)",
        "pwquad1" => "piecewise_quadratic(1)",
        "softsign2" => "soft_sign(2)",
        "erf2" => "erf(2)",
        "pwlrelu" => "piecewise_leaky_relu(1, 0.01)",
        "fourier" => "squarewave_fourier_series(2, 8)",
        "s2nn" => "s2nn(4, 1)",
        "qpseudo2" => "q_pseudo_spike(2)",
        "leakyk" => "leaky_k_relu(0, 1)",
        "logtail" => "log_tailed_relu(0)",
        "detpass" => "pass_through",
        other => panic!("no counterpart of {other}"),
    }
}

/// How a case is run here.
struct Setup {
    neuron: &'static str,
    choices: Choices,
    /// Parameters by our name.
    parameters: Vec<(&'static str, f64)>,
    /// State, or output, that the array `s` is.
    analogue: Option<&'static str>,
    /// Further states and the arrays that hold them.
    states: &'static [&'static str],
}

fn setup(case: &Case<'_>) -> Setup {
    let mut choices = Choices::new().surrogate(surrogate(case.text("surrogate")));
    let mut flag = |ours: &str, on: bool| {
        choices.options.insert(ours.to_owned(), on.to_string());
    };
    let class = case.text("neuron");
    flag("soft_reset", case.number("v_reset").is_none());
    flag("detach_reset", case.flag("detach_reset"));
    let (neuron, names): (_, &[(&str, &'static str)]) = match class {
        "IFNode" => ("if", &[]),
        other => panic!("no counterpart of {other}"),
    };
    let always = [("v_threshold", "v_threshold"), ("v_reset", "v_reset")];
    let names = names.iter().chain(&always);
    let parameters = names.filter_map(|(theirs, ours)| Some((*ours, case.number(theirs)?)));
    let mut parameters: Vec<(&'static str, f64)> = parameters.collect();
    if case.number("v_reset").is_none() {
        parameters.push(("v_reset", 0.0));
    }
    Setup {
        neuron,
        choices,
        parameters,
        analogue: None,
        states: &[],
    }
}

fn to<R: Real>(values: &[f64]) -> Vec<R> {
    values.iter().map(|&x| R::from_f64(x)).collect()
}

/// Rows of `n` among zeros: `[steps, states, n]` with values for one state alone.
fn of_state<R: Real>(values: &[f64], index: usize, states: usize, n: usize) -> Vec<R> {
    let mut all = vec![R::ZERO; values.len() * states];
    for (step, row) in values.chunks(n).enumerate() {
        let start = (step * states + index) * n;
        all[start..start + n].copy_from_slice(&to::<R>(row));
    }
    all
}

/// Worst gap by what it is of.
type Gaps = BTreeMap<String, f64>;

fn note(gaps: &mut Gaps, what: &str, gap: f64) {
    let worst = gaps.entry(what.to_owned()).or_default();
    *worst = worst.max(gap);
}

fn run_case<R: Real>(case: &Case<'_>, step_by_step: bool, gaps: &mut Gaps) -> bool {
    let setup = setup(case);
    let component = chosen(setup.neuron, &setup.choices);
    let x = case.expect("x");
    let steps = case.shape("x")[0];
    let n = x.len() / steps;
    let mut cells = Unrolled::<R>::new(&component, n, 1.0);
    for (name, value) in &setup.parameters {
        cells.set_parameter(name, &[*value]).unwrap();
    }
    if let Some(v0) = case.array("v0") {
        cells.set_start("v", &to::<R>(&v0)).unwrap();
    }
    let inputs = to::<R>(&x);
    if step_by_step {
        for row in inputs.chunks(n) {
            cells.forward(1, row, &[]).unwrap();
        }
    } else {
        cells.forward(steps, &inputs, &[]).unwrap();
    }
    // Spikes are identical, analogue outputs close.
    let s = case.expect("s");
    let mut same = true;
    for (step, expected) in s.chunks(n).enumerate() {
        match setup.analogue {
            Some(name) => note(gaps, "y", gap(cells.output(name, step).unwrap(), expected)),
            None => same &= cells.spikes(step) == to::<R>(expected),
        }
    }
    for name in ["v"].iter().chain(setup.states) {
        let found: Vec<R> = (0..steps)
            .flat_map(|step| cells.state(name, step).unwrap().to_vec())
            .collect();
        note(gaps, name, gap(&found, &case.expect(name)));
    }
    let states = component.states.len();
    let v = component.states.iter().position(|s| s.name == "v").unwrap();
    let g = to::<R>(&case.expect("g"));
    let gv = of_state::<R>(&case.expect("gv"), v, states, n);
    for (suffix, states) in [("", &[][..]), ("_sv", &gv[..])] {
        let none: &[R] = &[];
        let is_spike = setup.analogue.is_none();
        let upstream = Upstream {
            spikes: if is_spike { &g } else { none },
            outputs: if is_spike { none } else { &g },
            states,
        };
        let gradients = cells.backward(&upstream).unwrap();
        compare_gradients(case, suffix, &component, &gradients, n, gaps);
    }
    same
}

fn compare_gradients<R: Real>(
    case: &Case<'_>,
    suffix: &str,
    component: &rheobase_equations::lower::Component,
    gradients: &Gradients<R>,
    n: usize,
    gaps: &mut Gaps,
) {
    let expected = case.expect(&format!("gx{suffix}"));
    note(gaps, "gx", gap(&gradients.inputs, &expected));
    if let Some(expected) = case.array(&format!("gv0{suffix}")) {
        let v = component.states.iter().position(|s| s.name == "v").unwrap();
        note(gaps, "gv0", gap(&gradients.start[v * n..][..n], &expected));
    }
}

fn compare<R: Real>(tolerance: f64) {
    let golden = Golden::open("spikingjelly", "neurons");
    let mut seen = 0;
    for case in golden.cases() {
        if case.text("neuron") != "IFNode" {
            continue;
        }
        seen += 1;
        for step_by_step in [false, true] {
            let mut gaps = Gaps::new();
            let same = run_case::<R>(&case, step_by_step, &mut gaps);
            println!("{}: {gaps:?}", case.name());
            assert!(same, "{}: spikes differ", case.name());
            for (what, gap) in &gaps {
                assert!(*gap <= tolerance, "{}: {what} {gap:e}", case.name());
            }
        }
    }
    assert_eq!(seen, 7);
}

#[test]
fn neurons_f64() {
    compare::<f64>(F64);
}

#[test]
fn neurons_f32() {
    compare::<f32>(F32);
}
