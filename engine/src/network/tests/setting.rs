//! Changing entries by path.

use super::fakes::registry;
use crate::network::Network;

const TEXT: &str = r#"
[models]
leak = "neuron leak\n  dv/dt = -v/(10 ms) : mV\n  input syn(w : mV): v += w"

[populations.E]
model = "iaf_psc_exp"
size = 80

[populations.I]
model = "iaf_psc_exp"
size = 20
parameters = { tau_m = "10 ms" }

[stimuli.background]
model = "poisson_background"
target = "E"
port = "ex"
rate = "20 kHz"
weight = "1 pA"

[[projections]]
source = "E"
target = "I"
port = "ex"
rule = { pairwise_bernoulli = { p = 0.1 } }
weight = "4 pA"
delay = "1.5 ms"
"#;

fn network() -> Network {
    Network::from_toml(TEXT, "net.toml").unwrap()
}

/// The network as if it had been written with `new` instead of `old`.
fn written(old: &str, new: &str) -> Network {
    assert!(TEXT.contains(old), "`{old}` is not in the text");
    Network::from_toml(&TEXT.replacen(old, new, 1), "net.toml").unwrap()
}

#[test]
fn setting_equals_writing() {
    let cases = [
        ("populations.E.size", "400", "size = 80", "size = 400"),
        (
            "populations.I.parameters.tau_m",
            "\"12 ms\"",
            "tau_m = \"10 ms\"",
            "tau_m = \"12 ms\"",
        ),
        (
            "populations.I.parameters.tau_m",
            "12 ms",
            "tau_m = \"10 ms\"",
            "tau_m = \"12 ms\"",
        ),
        (
            "populations.E.parameters.e_l",
            "-60 mV",
            "size = 80",
            "size = 80\nparameters = { e_l = \"-60 mV\" }",
        ),
        (
            "populations.E.initial.v",
            "{ uniform = [\"-60 mV\", \"-50 mV\"] }",
            "size = 80",
            "size = 80\ninitial = { v = { uniform = [\"-60 mV\", \"-50 mV\"] } }",
        ),
        ("stimuli.background.rate", "10 kHz", "20 kHz", "10 kHz"),
        ("projections[0].weight", "5 pA", "4 pA", "5 pA"),
        ("projections.0.delay", "2 ms", "1.5 ms", "2 ms"),
        (
            "projections[0].rule.pairwise_bernoulli.p",
            "0.02",
            "p = 0.1",
            "p = 0.02",
        ),
        (
            "projections[0].rule",
            "all_to_all",
            "{ pairwise_bernoulli = { p = 0.1 } }",
            "\"all_to_all\"",
        ),
        ("seed", "5", "[models]", "seed = 5\n[models]"),
        (
            "name",
            "my network",
            "[models]",
            "name = \"my network\"\n[models]",
        ),
        (
            "precision",
            "f64",
            "[models]",
            "precision = \"f64\"\n[models]",
        ),
        (
            "monitors",
            "[{ spikes = \"E\" }]",
            "[[projections]]",
            "[[monitors]]\nspikes = \"E\"\n[[projections]]",
        ),
    ];
    for (path, value, old, new) in cases {
        let mut set = network();
        set.set(path, value)
            .unwrap_or_else(|e| panic!("{path}: {e}"));
        assert_eq!(set, written(old, new), "{path} = {value}");
        assert!(set.resolve(&registry()).is_ok(), "{path} = {value}");
    }
}

#[test]
fn paths_that_lead_nowhere() {
    let cases = [
        (
            "populations.F.size",
            "4",
            "populations.F: unknown population `F`; expected E or I",
        ),
        (
            "populations.F",
            "{}",
            "populations.F: unknown population `F`; expected E or I",
        ),
        (
            "stimuli.backgroud.rate",
            "4 Hz",
            "stimuli.backgroud: unknown stimulus `backgroud`; did you mean `background`?",
        ),
        (
            "models.leek",
            "x",
            "models.leek: unknown model `leek`; did you mean `leak`?",
        ),
        (
            "population.E.size",
            "4",
            "unknown entry `population`; did you mean `populations`?",
        ),
        (
            "populations.E.sise",
            "4",
            "populations.E: unknown entry `sise`; did you mean `size`?",
        ),
        (
            "populations.E.size.x",
            "4",
            "populations.E.size: holds 80, nothing lies below it",
        ),
        (
            "projections[1].weight",
            "4 pA",
            "projections: there is no element 1; the list has 1, counted from 0",
        ),
        (
            "projections.first.weight",
            "4 pA",
            "projections: there is no element first; the list has 1, counted from 0",
        ),
        (
            "projections[x].weight",
            "4 pA",
            "`projections[x].weight` is no path: `[x]` is no place in a list",
        ),
        (
            "edges[0].delay",
            "1 ms",
            "edges: there is no element 0; the list has 0, counted from 0",
        ),
        (
            "populations..size",
            "4",
            "`populations..size` is no path: an empty name in it",
        ),
        ("", "4", "`` is no path: an empty name in it"),
        (
            "populations.E.size",
            "-4",
            "populations.E.size: expected a whole number from 1 to 2147483648, found -4",
        ),
        (
            "populations.E.size",
            "many",
            "populations.E.size: `many` is no quantity: `many` is no parameter, unit or constant",
        ),
        (
            "dt",
            "0.1",
            "dt: the number 0.1 has no unit; write \"0.1 ms\"",
        ),
        ("seed", "nan", "seed: NaN is not finite"),
        (
            "populations.E.initial.v",
            "{ uniform = ",
            "populations.E.initial.v: `{ uniform = ` is no value: unclosed inline table, expected `}`",
        ),
    ];
    let mut wrong = String::new();
    for (path, value, expected) in cases {
        let mut set = network();
        let found = set
            .set(path, value)
            .map_or_else(|e| e.to_string(), |()| "no error".to_owned());
        if found != expected {
            wrong += &format!("\n{path} = {value}\n  expected: {expected}\n  found:    {found}\n");
        }
        assert_eq!(set, network(), "{path}: an error changes nothing");
    }
    assert!(wrong.is_empty(), "{wrong}");
}
