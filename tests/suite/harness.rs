//! What tests share: files and runs.

use std::path::Path;
use std::sync::Arc;

use rheobase::engine::build::BuildOptions;
use rheobase::engine::network::Network;
use rheobase::engine::plan::Plan;
use rheobase::engine::simulation::{Recording, Simulation};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file that comes with the project.
pub(crate) fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Resolves a network with the standard registry.
pub(crate) fn plan(network: &Network) -> Plan {
    network
        .resolve(&rheobase::registry())
        .unwrap_or_else(|e| panic!("{e}"))
}

/// Runs a plan to its end.
pub(crate) fn run<R: rheobase::engine::Instantiate>(
    plan: Plan,
    threads: usize,
) -> (Simulation<R>, Recording) {
    let options = BuildOptions {
        threads,
        ..BuildOptions::default()
    };
    let mut simulation = Simulation::<R>::build(Arc::new(plan), options).unwrap();
    let end = simulation.plan().steps;
    simulation.advance_to(end).unwrap();
    let recording = simulation.take_recording();
    (simulation, recording)
}
