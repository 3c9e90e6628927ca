//! Networks from text.

use std::sync::Arc;

use rheobase_engine::Instantiate;
use rheobase_engine::network::Network;
use rheobase_engine::plan::Plan;
use rheobase_engine::unrolled::{UnrolledNetwork, UnrolledOptions};

/// The plan of a network of layers and populations: `nodes` and `edges` in the language of network
/// files.
pub(crate) fn plan(text: &str, precision: &str) -> Arc<Plan> {
    let head = format!(
        "name = \"test\"\ndt = \"1 ms\"\nduration = \"1 ms\"\nprecision = \"{precision}\"\n"
    );
    let network = Network::from_toml(&(head + text), "test").unwrap();
    Arc::new(network.resolve(&rheobase_components::registry()).unwrap())
}

/// The network in f32 or f64.
pub(crate) fn unrolled<R: Instantiate>(
    text: &str,
    options: &UnrolledOptions,
) -> UnrolledNetwork<R> {
    let precision = if R::BYTES == 4 { "f32" } else { "f64" };
    UnrolledNetwork::new(plan(text, precision), options).unwrap()
}

/// An edge.
pub(crate) fn edge(source: &str, target: &str, delay: usize) -> String {
    format!("[[edges]]\nsource = \"{source}\"\ntarget = \"{target}\"\ndelay = \"{delay} ms\"\n")
}

/// A chain of edges without delay.
pub(crate) fn chain(nodes: &[&str]) -> String {
    nodes.windows(2).map(|w| edge(w[0], w[1], 0)).collect()
}

/// A linear layer.
pub(crate) fn linear(name: &str, out: usize, bias: bool) -> String {
    format!("[layers.{name}]\nmodel = \"linear\"\nout_features = {out}\nbias = {bias}\n")
}

/// A population with some choices.
pub(crate) fn population(name: &str, model: &str, size: usize, more: &str) -> String {
    format!("[populations.{name}]\nmodel = \"{model}\"\nsize = {size}\n{more}\n")
}

/// An input of real values.
pub(crate) fn input(name: &str, shape: &str) -> String {
    format!("[inputs.{name}]\nshape = [{shape}]\n")
}
