//! Components as a network file names them.

use rheobase_engine::network::Network;

/// The messages about a network of ten `iaf_psc_exp` neurons and what `rest` adds; empty if it fits.
fn messages(rest: &str) -> String {
    let text = format!(
        "dt = \"0.1 ms\"\nduration = \"10 ms\"\n[populations.E]\nmodel = \"iaf_psc_exp\"\nsize = 10\n{rest}"
    );
    let network = Network::from_toml(&text, "test.toml").unwrap();
    let resolved = network.resolve(&rheobase_components::registry());
    resolved
        .err()
        .map_or_else(String::new, |errors| errors.to_string())
}

fn assert_refused(rest: &str, expected: &str) {
    let found = messages(rest);
    assert!(found.contains(expected), "{found}");
}

#[test]
fn rates_beyond_the_limit_are_refused_before_anything_is_built() {
    let background = |rate: &str| {
        format!(
            "[stimuli.b]\nmodel = \"poisson_background\"\ntarget = \"E\"\nport = \"ex\"\n\
             rate = \"{rate}\"\nweight = \"1 pA\""
        )
    };
    assert_eq!(messages(&background("8 kHz")), "");
    assert_refused(&background("1e15 Hz"), "events per neuron and step");
    let source =
        |rate: &str| format!("[stimuli.b]\nmodel = \"poisson\"\nsize = 3\nrate = \"{rate}\"");
    assert_eq!(messages(&source("8 Hz")), "");
    assert_refused(&source("1e15 Hz"), "events per neuron and step");
    assert_refused(&source("-8 Hz"), "-8 Hz is negative");
}

#[test]
fn rules_are_checked_against_their_sides() {
    let projection = |rule: &str| {
        format!(
            "[[projections]]\nsource = \"E\"\ntarget = \"E\"\nport = \"ex\"\nrule = {rule}\n\
             weight = \"1 pA\"\ndelay = \"1 ms\""
        )
    };
    assert_eq!(messages(&projection("\"all_to_all\"")), "");
    assert_eq!(
        messages(&projection("{ pairwise_bernoulli = { p = 0.2 } }")),
        ""
    );
    assert_refused(
        &projection("{ pairwise_bernoulli = { p = 2 } }"),
        "expected a probability",
    );
    let distinct = "{ fixed_indegree = { indegree = 11, multapses = false } }";
    assert_refused(&projection(distinct), "11 synapses from 10 sources");
    let list = "{ explicit = { sources = [0, 10], targets = [1, 2] } }";
    assert_refused(&projection(list), "sources[1] is 10");
}

/// Weights and delays of an explicit list are in the unit of the port.
#[test]
fn explicit_lists_bring_their_weights() {
    let projection = |weights: &str| {
        format!(
            "[[projections]]\nsource = \"E\"\ntarget = \"E\"\nport = \"ex\"\n\
             rule = {{ explicit = {{ sources = [0, 9], targets = [1, 2], weights = {weights}, \
             delays = [\"1 ms\", \"1.5 ms\"] }} }}"
        )
    };
    assert_eq!(messages(&projection("[\"5 pA\", \"-0.1 nA\"]")), "");
    assert_refused(
        &projection("[\"5 pA\", \"1 mV\"]"),
        "expected a quantity in pA",
    );
}
