//! Expected memory.

use super::fakes::registry;
use crate::network::{MemoryEstimate, Network};

fn estimate(text: &str) -> MemoryEstimate {
    let network = Network::from_toml(text, "net.toml").unwrap_or_else(|e| panic!("{e}"));
    network
        .resolve(&registry())
        .unwrap_or_else(|e| panic!("{e}"))
        .estimate()
}

fn part(estimate: &MemoryEstimate, name: &str) -> u64 {
    let names: Vec<_> = estimate.parts.iter().map(|p| &p.name).collect();
    let part = estimate.parts.iter().find(|p| p.name == name);
    part.unwrap_or_else(|| panic!("no part {name} in {names:?}"))
        .bytes
}

const PAIR: &str = r#"
duration = "1 s"
[populations.E]
model = "iaf_psc_exp"
size = 1000
[[projections]]
source = "E"
target = "E"
port = "ex"
rule = "all_to_all"
weight = "1 pA"
delay = "1 ms"
"#;

#[test]
fn parts_add_up() {
    let e = estimate(PAIR);
    assert_eq!((e.neurons, e.synapses), (1000, 1e6));
    // v, i_ex, i_in, the refractory counter; two inputs; 1024 lanes of 4 bytes.
    assert_eq!(part(&e, "E"), 6 * 1024 * 4);
    // Targets of 2 bytes, one weight for all; one delay.
    assert_eq!(part(&e, "E -> E (projections[0])"), 2_000_000);
    assert_eq!(part(&e, "synapse tables"), 4_000);
    // 20 Hz for a second, 12 bytes a spike.
    assert_eq!(part(&e, "E (spikes)"), 1000 * 20 * 12);
    assert_eq!(e.bytes, e.parts.iter().map(|p| p.bytes).sum::<u64>());
}

#[test]
fn what_differs_between_members_takes_room() {
    let drawn = PAIR.replace("\"1 pA\"", "{ uniform = [\"0 pA\", \"1 pA\"] }");
    let name = "E -> E (projections[0])";
    assert_eq!(part(&estimate(&drawn), name), 6_000_000);
    let quantised = drawn.replace("duration", "weight_storage = \"quantised\"\nduration");
    assert_eq!(part(&estimate(&quantised), name), 4_000_000);
    let f64s = drawn.replace("duration", "precision = \"f64\"\nduration");
    assert_eq!(part(&estimate(&f64s), name), 10_000_000);
    let delays = PAIR.replace("\"1 ms\"", "{ uniform = [\"1 ms\", \"3 ms\"] }");
    let lists = (30 + 1) * 24;
    assert_eq!(
        part(&estimate(&delays), "synapse tables"),
        21 * 4_000 + lists
    );
    let own = PAIR.replace(
        "size = 1000",
        "size = 1000\nparameters = { tau_m = { uniform = [\"9 ms\", \"11 ms\"] } }",
    );
    assert!(part(&estimate(&own), "E") > part(&estimate(PAIR), "E"));
}

#[test]
fn layers_and_traces_are_counted() {
    let e = estimate(
        r#"
duration = "100 ms"
[populations.readout]
model = "lif"
size = 10
[layers.fc]
model = "linear"
out_features = 10
[inputs.image]
shape = [784]
[[edges]]
source = "image"
target = "fc"
[[edges]]
source = "fc"
target = "readout"
[[monitors]]
state = "readout"
variables = ["v"]
every = "1 ms"
"#,
    );
    assert_eq!(part(&e, "fc (parameters)"), 7840 * 4);
    assert_eq!(part(&e, "readout (state)"), 100 * 10 * 8);
    assert!(e.synapses.abs() < 1e-9);
}

#[test]
fn what_is_too_large_is_refused_with_figures() {
    let large = PAIR.replace("size = 1000", "size = 1000000");
    let e = estimate(&large);
    let refused = e.check(8 << 30).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the network needs about 3.6 TiB (1000000 neurons, 1.000e12 synapses) but only 8.0 GiB may \
         be used; the largest part is E -> E (projections[0]): 3.6 TiB"
    );
    assert!(estimate(PAIR).check(8 << 30).is_ok());
}

/// Few synapses with many delays take a small table; the past is counted by node and thread.
#[test]
fn lists_and_the_past_take_what_will_be_allocated() {
    let list = |n: usize| {
        let join = |f: &dyn Fn(usize) -> String| (0..n).map(f).collect::<Vec<_>>().join(", ");
        format!(
            "[populations.A]\nmodel = \"iaf_psc_exp\"\nsize = 1000000\n\
             [populations.B]\nmodel = \"iaf_psc_exp\"\nsize = 10\n\
             [[projections]]\nsource = \"A\"\ntarget = \"B\"\nport = \"ex\"\n\
             rule = {{ explicit = {{ sources = [{}], targets = [{}], delays = [{}] }} }}",
            join(&|k| k.to_string()),
            join(&|k| (k % 10).to_string()),
            join(&|k| format!("\"{} us\"", 100 * (k + 1)))
        )
    };
    let name = "A -> B (projections[0])";
    let n = 500;
    let e = estimate(&list(n));
    // Target (of 4 bytes in so large a network) and weight; source and start of each segment, its delay.
    assert_eq!(part(&e, name), n as u64 * (4 + 4));
    assert_eq!(part(&e, "synapse tables"), n as u64 * (8 + 8));
    let (max_slice, longest) = (64, n as u64);
    let steps = (longest + max_slice) + max_slice;
    assert_eq!(part(&e, "history"), steps * 8);
    let network = Network::from_toml(&list(n), "net.toml").unwrap_or_else(|e| panic!("{e}"));
    let plan = network
        .resolve(&registry())
        .unwrap_or_else(|e| panic!("{e}"));
    let threads = plan.estimate_for(3);
    assert_eq!(part(&threads, "history"), 3 * steps * 8);
    // One delay for all: the table of starts.
    assert_eq!(part(&estimate(&list(1)), "synapse tables"), 4_000_000);
}
