//! Neurons against SpikingJelly 2.0.0, forward and backward (`tests/golden/spikingjelly`).

use std::collections::BTreeMap;

use rheobase_equations::choice::Choices;
use rheobase_equations::real::{Precision, Real};
use rheobase_equations::unroll::{Gradients, ParameterGradient, Unrolled, Upstream};

use crate::golden::{Case, Golden, chosen, distance, gap};

/// Relative to the largest value of each array.
const F64: f64 = 1e-9;
/// Or, where the dynamics amplify rounding (one case), as many times what SpikingJelly's own float32
/// gradient deviates by.
const F32: f64 = 1e-5;
const OWN_F32: f64 = 5.0;

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
    let (neuron, names) = counterpart(class);
    if !matches!(class, "ComplementaryLIFNode" | "GatedLIFNode") {
        flag("soft_reset", case.number("v_reset").is_none());
        flag("detach_reset", case.flag("detach_reset"));
    }
    if matches!(
        class,
        "LIFNode" | "ParametricLIFNode" | "KLIFNode" | "LIAFNode"
    ) {
        flag("decay_input", case.flag("decay_input"));
    }
    if class == "KLIFNode" {
        flag("scale_reset", case.flag("scale_reset"));
    }
    if class == "LIAFNode" {
        flag("threshold_related", case.flag("threshold_related"));
        choices = choices.option("activation", case.text("act"));
    }
    let always = [("v_threshold", "v_threshold"), ("v_reset", "v_reset")];
    let names = names.iter().chain(&always);
    let parameters = names.filter_map(|(theirs, ours)| Some((*ours, case.number(theirs)?)));
    let mut parameters: Vec<(&'static str, f64)> = parameters.collect();
    if choices
        .options
        .get("soft_reset")
        .is_some_and(|s| s == "true")
    {
        parameters.push(("v_reset", 0.0));
    }
    if class == "GatedLIFNode" {
        parameters.clear();
    }
    Setup {
        neuron,
        choices,
        parameters,
        analogue: (class == "LIAFNode").then_some("y"),
        states: match class {
            "IzhikevichNode" => &["w"],
            "CUBALIFNode" => &["c"],
            "ComplementaryLIFNode" => &["m"],
            _ => &[],
        },
    }
}

/// Our neuron, and its parameters by their names and ours.
fn counterpart(class: &str) -> (&'static str, &'static [(&'static str, &'static str)]) {
    const TAU: &[(&str, &str)] = &[("tau", "tau")];
    const QIF: &[(&str, &str)] = &[
        ("tau", "tau"),
        ("a0", "a0"),
        ("v_rest", "v_rest"),
        ("v_c", "v_c"),
    ];
    const EIF: &[(&str, &str)] = &[
        ("tau", "tau"),
        ("delta_T", "delta_t"),
        ("theta_rh", "theta_rh"),
        ("v_rest", "v_rest"),
    ];
    const IZHIKEVICH: &[(&str, &str)] = &[
        ("tau", "tau"),
        ("a0", "a0"),
        ("v_rest", "v_rest"),
        ("v_c", "v_c"),
        ("tau_w", "tau_w"),
        ("w_rest", "w_rest"),
        ("a", "a"),
        ("b", "b"),
    ];
    match class {
        "IFNode" => ("if", &[]),
        "LIFNode" => ("lif", TAU),
        "ParametricLIFNode" => ("plif", &[]),
        "QIFNode" => ("qif", QIF),
        "EIFNode" => ("eif", EIF),
        "IzhikevichNode" => ("izhikevich_discrete", IZHIKEVICH),
        "KLIFNode" => ("klif", TAU),
        "LIAFNode" => ("liaf", TAU),
        "ComplementaryLIFNode" => ("clif", TAU),
        "CUBALIFNode" => (
            "cuba_lif",
            &[("c_decay", "c_decay"), ("v_decay", "v_decay")],
        ),
        "GatedLIFNode" => ("gated_lif", &[]),
        other => panic!("no counterpart of {other}"),
    }
}

/// One value for all neurons, or one per channel: the channel of a neuron of `[N, C, H, W]`.
fn channel(case: &Case<'_>, neuron: usize, values: usize) -> usize {
    match (values, &case.shape("x")[1..]) {
        (1, _) => 0,
        (_, [_, c, h, w]) => neuron / (h * w) % c,
        (_, shape) => panic!("{}: channels of {shape:?}", case.name()),
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

/// `[steps, ports, n]`: x and, where there is one per step, the conductance.
fn inputs<R: Real>(case: &Case<'_>, x: &[f64], steps: usize) -> Vec<R> {
    let Some(conduct) = case.array("p_conduct") else {
        return to(x);
    };
    let n = x.len() / steps;
    let channels = conduct.len() / steps;
    let mut all = Vec::new();
    for (x, conduct) in x.chunks(n).zip(conduct.chunks(channels)) {
        all.extend_from_slice(x);
        all.extend((0..n).map(|i| conduct[channel(case, i, channels)]));
    }
    to(&all)
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
    for parameter in &component.model.parameters {
        if let Some(values) = case.array(&format!("p_{}", parameter.name)) {
            let own = (0..n).map(|i| values[channel(case, i, values.len())]);
            let values: Vec<f64> = own.take(if values.len() == 1 { 1 } else { n }).collect();
            cells.set_parameter(&parameter.name, &values).unwrap();
        }
    }
    if let Some(v0) = case.array("v0") {
        cells.set_start("v", &to::<R>(&v0)).unwrap();
    }
    let inputs = inputs(case, &x, steps);
    let ports = component.model.inputs.len();
    if step_by_step {
        for row in inputs.chunks(ports * n) {
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
    let ports = component.model.inputs.len();
    let rows = gradients.inputs.chunks(n);
    let gx: Vec<R> = rows.step_by(ports).flatten().copied().collect();
    note(gaps, &format!("gx{suffix}"), gap(&gx, &expected));
    if let Some(expected) = case.array(&format!("gp_conduct{suffix}")) {
        // The conductance of a step is shared by all neurons of a channel.
        let steps = case.shape("x")[0];
        let channels = expected.len() / steps;
        let mut sums = vec![0.0; expected.len()];
        for (step, row) in gradients.inputs.chunks(ports * n).enumerate() {
            for (neuron, x) in row[n..].iter().enumerate() {
                sums[step * channels + channel(case, neuron, channels)] += x.to_f64();
            }
        }
        note(gaps, "gp_conduct", gap(&sums, &expected));
    }
    let of = |gradient: &ParameterGradient| {
        let name = &component.model.parameters[gradient.parameter as usize].name;
        let expected = case.expect(&format!("gp_{name}{suffix}"));
        (name.clone(), expected)
    };
    let all = gradients.parameters.iter().flat_map(|g| of(g).1);
    let largest = all.fold(0.0_f64, |m, x| m.max(x.abs()));
    for gradient in &gradients.parameters {
        let (name, expected) = of(gradient);
        let mut sums = vec![0.0; expected.len()];
        for (neuron, x) in gradient.values.iter().enumerate() {
            sums[channel(case, neuron, expected.len())] += x;
        }
        // In f32, sums that cancel are judged by the size of the parameters' gradient as a whole.
        let gap = match R::PRECISION {
            Precision::F64 => gap(&sums, &expected),
            Precision::F32 => distance(&sums, &expected) / largest,
        };
        note(gaps, &format!("gp_{name}"), gap);
        if name == "w"
            && let Some(expected) = case.array(&format!("gtau{suffix}"))
        {
            let tau = case.expect("tau")[0];
            let gtau = [-sums[0] / (tau - 1.0)];
            note(gaps, "gtau", crate::golden::gap(&gtau, &expected));
        }
    }
    if let Some(expected) = case.array(&format!("gv0{suffix}")) {
        let v = component.states.iter().position(|s| s.name == "v").unwrap();
        note(gaps, "gv0", gap(&gradients.start[v * n..][..n], &expected));
    }
}

fn compare<R: Real>(tolerance: f64) {
    let golden = Golden::open("spikingjelly", "neurons");
    let mut seen = 0;
    for case in golden.cases() {
        seen += 1;
        for step_by_step in [false, true] {
            let mut gaps = Gaps::new();
            let same = run_case::<R>(&case, step_by_step, &mut gaps);
            println!("{}: {gaps:?}", case.name());
            let own = match R::PRECISION {
                Precision::F32 => OWN_F32 * case.number("fw_f32_gx_maxrel").unwrap(),
                Precision::F64 => 0.0,
            };
            let tolerance = tolerance.max(own);
            assert!(same, "{}: spikes differ", case.name());
            for (what, gap) in &gaps {
                assert!(*gap <= tolerance, "{}: {what} {gap:e}", case.name());
            }
        }
    }
    assert_eq!(seen, 78);
}

#[test]
fn neurons_f64() {
    compare::<f64>(F64);
}

#[test]
fn neurons_f32() {
    compare::<f32>(F32);
}
