//! What tests share: files, runs, skips.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rheobase::engine::build::BuildOptions;
use rheobase::engine::network::Network;
use rheobase::engine::plan::Plan;
use rheobase::engine::simulation::{Recording, Simulation};

/// The root of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file that comes with the project.
pub fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A file of reference data kept beside the project; `None`, printed as a skip, where it is absent.
/// `RHEOBASE_DATA` names the folder.
pub fn shared(path: &str) -> Option<PathBuf> {
    let folder =
        std::env::var_os("RHEOBASE_DATA").map_or_else(|| root().join("../shared"), PathBuf::from);
    let file = folder.join(path);
    if file.exists() {
        return Some(file);
    }
    println!("skipped: 1 (reference data `{path}` is not there; RHEOBASE_DATA names its folder)");
    None
}

/// Resolves a network with the standard registry.
pub fn plan(network: &Network) -> Plan {
    network
        .resolve(&rheobase::registry())
        .unwrap_or_else(|e| panic!("{e}"))
}

/// Runs a plan to its end.
pub fn run<R: rheobase::engine::Instantiate>(
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
