//! SONATA networks of point neurons, and the spikes and reports they leave behind.
//!
//! [`load`] reads a configuration and everything it names and gives a [`Plan`] to run;
//! [`Outputs`] turns what was recorded back into SONATA files. What is read, how it maps onto the
//! neurons of the registry and what is refused is written in `docs/sonata.md`.
//!
//! Edges are read in blocks, twice: counted, then stored in a few bytes each. Cost: O(edges) time,
//! memory that of the result.

mod config;
mod digest;
mod edges;
mod error;
mod listed;
mod models;
mod network;
mod node_sets;
mod nodes;
mod outputs;
mod population;
mod spikes;
mod table;
mod trains;
mod wiring;
mod write;

use std::path::Path;

use rheobase_engine::plan::Plan;
use rheobase_engine::port::Registry;
use rheobase_equations::real::Precision;

pub use config::is_config;
pub use error::SonataError;
pub use outputs::Outputs;
pub use write::{PopulationReport, PopulationSpikes, report_file, spikes_file};

/// What replaces entries of the configuration.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Options {
    /// Length of a step \[ms\] in place of `run.dt`.
    pub dt_ms: Option<f64>,
    /// Biological time to simulate \[ms\] in place of `run.tstop`.
    pub duration_ms: Option<f64>,
    /// Time from the start left out of the statistics \[ms\].
    pub discard_ms: Option<f64>,
    /// Seed of every random stream. A network as files describe it draws nothing.
    pub seed: Option<u64>,
    /// Precision of populations; f64 if none is given.
    pub precision: Option<Precision>,
}

/// A network ready to run.
pub struct Imported {
    /// What is run. Populations and monitors are in the order of the files.
    pub plan: Plan,
    /// What turns recordings into SONATA files.
    pub outputs: Outputs,
    /// All that is described but the duration, a line for each entry, with a digest of parameters,
    /// spikes and synapses: equal texts mean equal networks.
    pub text: String,
}

/// Reads the network of a configuration.
///
/// # Errors
/// If a file is missing, damaged or inconsistent, or asks for something that is not supported; the
/// message names the file, the entry, and what is supported.
pub fn load(path: &Path, options: &Options, registry: &Registry) -> Result<Imported, SonataError> {
    network::load(path, options, registry)
}
