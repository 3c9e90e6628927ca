//! Named parameters and expressions.

use proptest::prelude::*;

use super::fakes::registry;
use crate::network::Network;
use crate::plan::{EdgeKind, Monitor, NodeKind, Plan};
use crate::value::{Bounds, Distribution, Shape, Value};

const TEXT: &str = r#"
dt = "step"
duration = "1000*step"

[parameters]
weight_in = "-g*w"             # what it names may stand below
scale = 0.1
step = "0.1 ms"
w = "87.8 pA"
g = 4
growth = "1/sqrt(scale)"

[populations.E]
model = "iaf_psc_exp"
size = "20683*scale"
parameters = { tau_m = "100*step" }
initial = { v = { normal = { mean = "-60 mV", sd = "g*1 mV" }, clip = { max = "-50 mV" } } }

[populations.I]
model = "iaf_psc_exp"
shape = ["40*scale", 5]

[stimuli.background]
model = "poisson_background"
target = "E"
port = "ex"
rate = "8 Hz*1600*scale"
weight = "w*growth"

[[projections]]
source = "E"
target = "I"
port = "ex"
rule = { fixed_indegree = { indegree = "1005*scale" } }
weight = { normal = { mean = "w*growth", sd = "0.1*w*growth" }, redraw = { min = "0 pA" } }
delay = "15*step"

[[projections]]
source = "I"
target = "E"
port = "in"
rule = { explicit = { sources = ["2*5", 0], targets = [0, 1], weights = ["weight_in", "-1 pA"], delays = ["step", "0.2 ms"] } }

[[monitors]]
state = "E"
variables = ["v"]
neurons = { first = "g" }
every = "10*step"
"#;

fn network() -> Network {
    Network::from_toml(TEXT, "net.toml").unwrap_or_else(|e| panic!("{e}"))
}

fn plan(network: &Network) -> Plan {
    network
        .resolve(&registry())
        .unwrap_or_else(|e| panic!("{e}"))
}

fn sizes(plan: &Plan) -> Vec<usize> {
    plan.nodes.iter().map(crate::plan::Node::size).collect()
}

#[test]
fn expressions_are_values() {
    let plan = plan(&network());
    assert_eq!((plan.dt_ms, plan.steps), (0.1, 1000));
    let value = |name: &str| {
        let found = plan.parameters.iter().find(|p| p.0 == name);
        found.map(|p| p.1.as_str())
    };
    assert_eq!(value("w"), Some("87.8 pA"));
    assert_eq!(value("weight_in"), Some("-351.2 pA"));
    assert_eq!(value("scale"), Some("0.1"));
    assert_eq!(sizes(&plan), [2068, 20], "rounded to the nearest");
    let NodeKind::Population(e) = &plan.nodes[0].kind else {
        panic!("E is a population")
    };
    assert!(e.parameters.contains(&Value::Constant(10.0)));
    let bounds = Some(Bounds {
        low: f64::NEG_INFINITY,
        high: -50.0,
        redraw: false,
    });
    let shape = Shape::Normal {
        mean: -60.0,
        sd: 4.0,
    };
    let drawn = Value::Drawn(Distribution { shape, bounds });
    assert_eq!(e.initial, [(0, drawn)]);
    let EdgeKind::Synapses(s) = &plan.edges[0].kind else {
        panic!("a projection has synapses")
    };
    let mean = 87.8 * (1.0 / 0.1_f64.sqrt());
    let Value::Drawn(d) = &s.weight else {
        panic!("the weight is drawn")
    };
    assert_eq!(
        d.shape,
        Shape::Normal {
            mean,
            sd: 0.1 * 87.8 * (1.0 / 0.1_f64.sqrt())
        }
    );
    let above_zero = Bounds {
        low: 0.0,
        high: f64::INFINITY,
        redraw: true,
    };
    assert_eq!(d.bounds, Some(above_zero));
    assert_eq!(s.delay, Value::Constant(1.5));
    // 1005 · 0.1 is 100.5, which rounds up.
    assert!((plan.estimate().synapses - (101.0 * 20.0 + 2.0)).abs() < 1e-9);
    let EdgeKind::Synapses(s) = &plan.edges[1].kind else {
        panic!("a projection has synapses")
    };
    assert_eq!(s.rule.fixed_delays(), [0.1, 0.2]);
    let Monitor::State {
        neurons,
        every_steps,
        ..
    } = &plan.monitors[0]
    else {
        panic!("the monitor records states")
    };
    assert_eq!((neurons.len(), *every_steps), (4, 10));
}

#[test]
fn parameters_are_set_by_name() {
    let mut by_name = network();
    by_name.set("scale", "1/2").unwrap();
    let mut by_path = network();
    by_path.set("parameters.scale", "1/2").unwrap();
    assert_eq!(by_name, by_path);
    let written = TEXT.replace("scale = 0.1", "scale = \"1/2\"");
    assert_eq!(by_name, Network::from_toml(&written, "net.toml").unwrap());
    assert_eq!(sizes(&plan(&by_name)), [10_342, 100]);

    by_name.set("w", "100 pA").unwrap();
    by_name.set("populations.E.size", "7").unwrap();
    by_name.set("populations.I.shape", "[2, \"g\"]").unwrap();
    assert_eq!(sizes(&plan(&by_name)), [7, 8]);

    for (path, value, expected) in [
        ("scal", "1", "unknown entry `scal`; did you mean `scale`?"),
        ("sed", "1", "unknown entry `sed`; did you mean `seed`?"),
        (
            "parameters.scal",
            "1",
            "parameters.scal: unknown parameter `scal`; did you mean `scale`?",
        ),
        (
            "scale",
            "0",
            "parameters.growth: `1/sqrt(scale)` is no quantity: this constant is not finite",
        ),
        (
            "scale",
            "1e-9",
            "populations.E.size: expected a whole number from 1 to 2147483648, found \
             \"20683*scale\", which is 0",
        ),
        (
            "w",
            "[1]",
            "parameters.w: expected a number, or a quantity or expression in quotes, found [1]",
        ),
    ] {
        let mut set = network();
        let error = set.set(path, value).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{path} = {value}\n  {error}");
        assert_eq!(set, network(), "an error changes nothing");
    }
}

#[test]
fn descriptions_keep_their_expressions() {
    let network = network();
    let toml = network.to_toml().unwrap();
    assert!(toml.contains("20683*scale"), "{toml}");
    assert_eq!(Network::from_toml(&toml, "").unwrap(), network);
    let json = network.to_json().unwrap();
    assert_eq!(Network::from_json(&json, "").unwrap(), network);
}

#[test]
fn wrong_parameters_are_located() {
    for (old, new, expected) in [
        (
            "g = 4",
            "g = \"growth*growth/g\"",
            "parameters.g: depends on itself: g -> g",
        ),
        (
            "g = 4",
            "g = \"weight_in\"",
            "parameters.weight_in: depends on itself: weight_in -> g -> weight_in",
        ),
        (
            "g = 4",
            "g = \"sqrt(scal)\"",
            "parameters.g: unknown parameter `scal`; did you mean `scale`?",
        ),
        (
            "g = 4",
            "g = \"w + scale\"",
            "parameters.g: `w + scale` is no quantity: cannot add a pure number to `pA`",
        ),
        (
            "g = 4",
            "g = \"4 mv\"",
            "parameters.g: `4 mv` is no quantity: unknown unit `mv`; did you mean `mV`?",
        ),
        (
            "g = 4",
            "g = true",
            "parameters.g: expected a number, or a quantity or expression in quotes, found true",
        ),
        (
            "g = 4",
            "g = 4\nmV = 3",
            "parameters.mV: `mV` is a unit; choose another name",
        ),
        (
            "g = 4",
            "g = 4\nseed = 3",
            "parameters.seed: `seed` is an entry of every network; choose another name",
        ),
        (
            "g = 4",
            "g = 4\na-b = 3",
            "parameters.a-b: a name in expressions has up to 64 ASCII letters, digits and `_`, \
             with no digit first",
        ),
        (
            "20683*scale",
            "20683*scole",
            "populations.E.size: `20683*scole` is no quantity: `scole` is no parameter, unit or \
             constant; did you mean `scale`?",
        ),
        (
            "20683*scale",
            "w*scale",
            "populations.E.size: expected a whole number from 1 to 2147483648, found \"w*scale\", in pA",
        ),
        (
            "\"w*growth\"\n\n[[projections]]",
            "\"w*step\"\n\n[[projections]]",
            "stimuli.background.weight: expected a quantity in pA, found \"w*step\", in pA*ms",
        ),
        (
            "\"1005*scale\"",
            "\"g - 5\"",
            "projections[0].rule.fixed_indegree.indegree: expected a whole number, found \
             \"g - 5\", which is -1",
        ),
        (
            "redraw = { min = \"0 pA\" }",
            "redraw = { min = \"9*w\" }",
            "projections[0].weight: redraw would keep only 0.00 % of the distribution (at least \
             7 % must lie within the bounds); use clip, or other bounds",
        ),
        (
            "redraw = { min = \"0 pA\" }",
            "redraw = { low = \"0 pA\" }",
            "projections[0].weight.redraw: expected [low, high], { min = low } or { max = high }, \
             found {\"low\":\"0 pA\"}",
        ),
        (
            "redraw = { min = \"0 pA\" }",
            "redraw = { min = \"w\", max = \"0 pA\" }",
            "projections[0].weight.redraw: the lower end is above the upper",
        ),
    ] {
        assert!(TEXT.contains(old), "`{old}` is not in the text");
        let found = Network::from_toml(&TEXT.replacen(old, new, 1), "net.toml")
            .and_then(|network| network.resolve(&registry()));
        let error = found.map_or_else(|e| e.to_string(), |_| "no error".to_owned());
        assert_eq!(error, expected, "{new}");
    }
}

/// One chain through all parameters needs no deep stack, and one more than allowed is refused.
#[test]
fn long_chains_of_parameters() {
    let chain = |n: usize| {
        let links: String = (1..n)
            .map(|i| format!("p{i} = \"p{}\"\n", i - 1))
            .rev()
            .collect();
        let text = format!("[parameters]\n{links}p0 = \"4 ms\"\n");
        Network::from_toml(&format!("dt = \"p{}\"\n{text}", n - 1), "net.toml")
    };
    assert_eq!(plan(&chain(4096).unwrap()).dt_ms.to_bits(), 4_f64.to_bits());
    let error = chain(4097).unwrap_err().to_string();
    assert_eq!(error, "parameters: there are more than 4096 parameters");
    let cycle: String = (0..4096)
        .map(|i| format!("p{i} = \"p{}\"\n", (i + 1) % 4096))
        .collect();
    let error = Network::from_toml(&format!("[parameters]\n{cycle}"), "")
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("parameters.p0: depends on itself: p0 -> p1 ->"),
        "{error}"
    );
}

/// A description that is wrong in very many places is refused in little time.
#[test]
fn a_flood_of_errors_is_cut_short() {
    let names: String = (0..4000)
        .map(|i| format!("parameter_{i} = {i}\n"))
        .collect();
    let wrong = vec!["\"parametre\""; 200_000].join(",");
    let text = format!(
        "[parameters]\n{names}[populations.E]\nmodel = \"iaf_psc_exp\"\nsize = 200000\n\
         parameters = {{ tau_m = [{wrong}] }}"
    );
    let start = std::time::Instant::now();
    let errors = Network::from_toml(&text, "")
        .unwrap()
        .resolve(&registry())
        .err()
        .unwrap();
    assert!(errors.count() >= 1000, "{}", errors.count());
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

#[test]
fn delays_bounded_on_one_side() {
    let with = |distribution: &str| {
        let text = TEXT.replace("delay = \"15*step\"", &format!("delay = {distribution}"));
        Network::from_toml(&text, "net.toml")
            .unwrap()
            .resolve(&registry())
            .map(|plan| plan.warnings)
            .map_err(|e| e.to_string())
    };
    let normal = "normal = { mean = \"1.5 ms\", sd = \"0.75 ms\" }";
    let redrawn = with(&format!("{{ {normal}, redraw = {{ min = \"step/2\" }} }}"));
    assert_eq!(redrawn, Ok(vec![]));
    let from_above = with(&format!("{{ {normal}, redraw = {{ max = \"2 ms\" }} }}")).unwrap();
    assert!(
        from_above[0].contains("3.0 % of the delays drawn are negative"),
        "{from_above:?}"
    );
    let negative = with(&format!("{{ {normal}, clip = {{ min = \"-step\" }} }}"));
    assert_eq!(
        negative.unwrap_err(),
        "projections[0].delay: the lower bound is negative"
    );
}

/// Pieces of expressions, right and wrong.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a",
        "b",
        "c",
        "scale",
        "1",
        "0",
        "-1",
        "2.5",
        "1e308",
        "1e-308",
        "10 ms",
        "3 pA",
        "mV",
        "Hz",
        "+",
        "-",
        "*",
        "/",
        "^",
        "(",
        ")",
        ",",
        "sqrt(",
        "ln(",
        "exp(",
        "min(",
        "clip(",
        "round(",
        "pi",
        "and",
        "<",
        "=",
        "é",
        "#",
        "\n",
        "\"",
        "99999999999999999999",
        "**",
        "per",
    ])
}

fn expression() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..12).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever the expressions are: values or errors, and the same after a round trip.
    #[test]
    fn any_expression_is_a_value_or_an_error(
        texts in prop::collection::vec(expression(), 3),
        places in prop::collection::vec(expression(), 4),
    ) {
        let quoted = |text: &String| serde_json::Value::from(text.as_str()).to_string();
        let [a, b, c] = [0, 1, 2].map(|i| quoted(&texts[i]));
        let [size, weight, k, delay] = [0, 1, 2, 3].map(|i| quoted(&places[i]));
        let json = format!(
            r#"{{ "parameters": {{ "scale": 0.5, "a": {a}, "b": {b}, "c": {c} }},
                "populations": {{ "E": {{ "model": "iaf_psc_exp", "size": {size} }} }},
                "projections": [{{ "source": "E", "target": "E", "port": "ex",
                    "rule": {{ "fixed_indegree": {{ "indegree": {k} }} }},
                    "weight": {{ "normal": {{ "mean": {weight}, "sd": "1 pA" }} }},
                    "delay": {delay} }}] }}"#
        );
        if let Ok(network) = Network::from_json(&json, "") {
            match network.resolve(&registry()) {
                Ok(plan) => prop_assert!(plan.nodes[0].size() >= 1),
                Err(errors) => prop_assert!(!errors.to_string().is_empty()),
            }
            prop_assert_eq!(Network::from_json(&network.to_json().unwrap(), "").unwrap(), network);
        }
    }

    /// Sums and products agree with those of f64.
    #[test]
    fn arithmetic_is_that_of_f64(a in -1e6_f64..1e6, b in 1e-3_f64..1e3, n in 1_u64..1000) {
        let text = format!(
            "[parameters]\na = {a:?}\nb = {b:?}\n[populations.E]\nmodel = \"iaf_psc_exp\"\n\
             size = \"abs(a)*b + {n}\"\ninitial = {{ v = \"(a - b/3)^2*1 mV\" }}"
        );
        let plan = plan(&Network::from_toml(&text, "").unwrap());
        let size = (a.abs() * b + n as f64).round();
        prop_assert_eq!(plan.nodes[0].size() as f64, size);
        let v = (a - b / 3.0) * (a - b / 3.0);
        let NodeKind::Population(e) = &plan.nodes[0].kind else {
            panic!("E is a population")
        };
        prop_assert_eq!(&e.initial, &[(0, Value::Constant(v))]);
    }
}
