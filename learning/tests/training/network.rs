//! Networks from text.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;

use rheobase_engine::Instantiate;
use rheobase_engine::backend::gpu::{AdapterChoice, GpuDevice};
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
    let mut network = UnrolledNetwork::new(plan(text, precision), options).unwrap();
    DEVICE.with_borrow(|device| {
        if let Some(device) = device {
            let network: &mut dyn Any = &mut network;
            let network = network.downcast_mut::<UnrolledNetwork<f32>>();
            network
                .expect("devices compute in f32")
                .run_on(device)
                .unwrap();
        }
    });
    network
}

thread_local! {
    static DEVICE: RefCell<Option<GpuDevice>> = const { RefCell::new(None) };
}

/// Runs `test` with networks on a device; without an adapter it is skipped, which is printed, unless
/// `RHEOBASE_REQUIRE_GPU=1` makes that an error.
pub(crate) fn on_device(test: impl FnOnce()) {
    let required = std::env::var_os("RHEOBASE_REQUIRE_GPU").is_some_and(|v| v == "1");
    match GpuDevice::request(&AdapterChoice::Any) {
        Ok(device) => DEVICE.set(Some(device)),
        Err(e) if !required => {
            println!("SKIPPED (without an adapter): {e}");
            return;
        }
        Err(e) => panic!("a GPU is required: {e}"),
    }
    test();
    DEVICE.set(None);
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
