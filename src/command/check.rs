//! `rheobase check`.

use rheobase::engine::network::readable_bytes;
use rheobase::engine::plan::{EdgeKind, NodeKind, Plan};
use rheobase::report::table::grouped;
use rheobase::run::{RunOptions, estimate};
use serde_json::json;

use super::{Failure, NetworkArguments, print};

/// Arguments of `rheobase check`.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  rheobase check examples/brunel.toml --set populations.E.size=20000"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    network: NetworkArguments,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
}

pub(crate) fn check(arguments: &Arguments) -> Result<(), Failure> {
    let plan = arguments.network.resolve()?;
    if arguments.json {
        print(&format!("{}\n", as_json(&plan)))
    } else {
        print(&as_text(&plan))
    }
}

fn as_json(plan: &Plan) -> serde_json::Value {
    let estimate = estimate(plan, &as_the_command_runs());
    let nodes: Vec<_> = plan
        .nodes
        .iter()
        .map(|n| json!({"name": n.name, "kind": kind(&n.kind), "size": n.size()}))
        .collect();
    json!({
        "name": plan.name,
        "dt_ms": plan.dt_ms,
        "steps": plan.steps,
        "neurons": estimate.neurons,
        "synapses_expected": estimate.synapses,
        "bytes_estimated": estimate.bytes,
        "nodes": nodes,
        "edges": plan.edges.iter().map(|e| &e.name).collect::<Vec<_>>(),
        "warnings": plan.warnings,
    })
}

fn as_text(plan: &Plan) -> String {
    let estimate = estimate(plan, &as_the_command_runs());
    let mut text = format!("{}: correct\n\n", plan.name);
    for node in &plan.nodes {
        text.push_str(&format!(
            "  {:<16} {:<28} {:>12}\n",
            node.name,
            describe(&node.kind),
            grouped(node.size() as u64)
        ));
    }
    let projections = plan
        .edges
        .iter()
        .filter(|e| matches!(e.kind, EdgeKind::Synapses(_)))
        .count();
    text.push_str(&format!(
        "\n{} projections, {} identity edges, {} drives\n",
        projections,
        plan.edges.len() - projections,
        plan.drives.len()
    ));
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an expected count, shown rounded"
    )]
    text.push_str(&format!(
        "{} neurons, about {} synapses, about {} of memory; {} steps of {} ms\n",
        grouped(estimate.neurons),
        grouped(estimate.synapses as u64),
        readable_bytes(estimate.bytes),
        grouped(plan.steps),
        plan.dt_ms
    ));
    for warning in &plan.warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    text
}

fn kind(kind: &NodeKind) -> &'static str {
    match kind {
        NodeKind::Population(_) => "population",
        NodeKind::Source(_) => "stimulus",
        NodeKind::Layer(_) => "layer",
        NodeKind::Input(_) => "input",
        NodeKind::Actor(_) => "actor",
    }
}

fn describe(node: &NodeKind) -> String {
    match node {
        NodeKind::Population(p) => format!("{} ({})", p.model, p.integrator.name()),
        NodeKind::Actor(a) => format!("{} (actor)", a.model),
        other => kind(other).to_owned(),
    }
}

/// `rheobase run` streams what it records.
fn as_the_command_runs() -> RunOptions {
    RunOptions {
        keep_recording: false,
        ..RunOptions::default()
    }
}
