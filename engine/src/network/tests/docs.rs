//! The blocks of docs/network.md.

use super::fakes::registry;
use super::files::Folder;
use crate::network::Network;
use crate::plan::{EdgeKind, NodeKind};

const TEXT: &str = include_str!("../../../../docs/network.md");

fn blocks() -> Vec<&'static str> {
    let blocks: Vec<_> = TEXT.split("```toml\n").skip(1).collect();
    blocks
        .into_iter()
        .map(|b| b.split("```").next().unwrap_or(""))
        .collect()
}

#[test]
fn every_block_can_be_read() {
    let blocks = blocks();
    assert!(blocks.len() >= 7, "{}", blocks.len());
    for block in blocks {
        if let Err(e) = Network::from_toml(block, "network.md") {
            panic!("{e} in\n{block}");
        }
    }
}

#[test]
fn all_blocks_together_are_a_network() {
    let folder = Folder::new("docs-network");
    let other = "neuron other\n  dv/dt = -v/(10 ms) : mV\n  spike when v >= 1 mV, reset v = 0";
    folder.write("other.rheo", other);
    let path = folder.write("net.toml", &blocks().concat());
    let network = Network::from_path(&path).unwrap_or_else(|e| panic!("{e}"));
    let plan = network
        .resolve(&registry())
        .unwrap_or_else(|e| panic!("{e}"));
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
    let layers = plan
        .nodes
        .iter()
        .filter(|n| matches!(n.kind, NodeKind::Layer(_)));
    assert_eq!(layers.map(|n| n.size()).collect::<Vec<_>>(), [512]);
    let fixed = plan.edges.iter().filter(|e| match &e.kind {
        EdgeKind::Synapses(s) => s.rule.fixes_weights(),
        EdgeKind::Identity { .. } => false,
    });
    assert_eq!(fixed.count(), 1);
    assert_eq!(plan.edges.len(), 5);
}

/// A list of delays is rounded where that is asked for, with one word about it.
#[test]
fn listed_delays_are_rounded_on_request() {
    let text = "[populations.E]\nmodel = \"iaf_psc_exp\"\nsize = 4\n[[projections]]\n\
        source = \"E\"\ntarget = \"E\"\nport = \"ex\"\nround_delay = true\n\
        rule = { explicit = { sources = [0, 1, 2], targets = [1, 1, 1], \
        delays = [\"0.1 ms\", \"0.17 ms\", \"0.32 ms\"] } }";
    let network = Network::from_toml(text, "net.toml").unwrap_or_else(|e| panic!("{e}"));
    let plan = network
        .resolve(&registry())
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(
        plan.warnings,
        [
            "projections[0].rule.explicit.delays[1]: rounded to whole steps, as are 2 of 3 delays of \
          the list"
        ]
    );
    let EdgeKind::Synapses(s) = &plan.edges[0].kind else {
        panic!("a projection has synapses")
    };
    assert!(s.round_delay && s.min_delay_steps == 1);
}
