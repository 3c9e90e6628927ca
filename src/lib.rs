//! Rheobase: spiking neural networks from one description.
//!
//! A neuron, synapse or learning rule is written once, as equations; everything that runs or trains
//! it is derived from that text.
//!
//! What lives here: the facade. It re-exports the rooms, assembles the registry of components
//! ([`registry`]), knows other frameworks' neurons by their names ([`compat`]), runs networks to their
//! end ([`run`]) or step by step ([`infer`]), measures them ([`bench`](mod@bench)), joins spikes and
//! their files ([`spikes`]), and is the `rheobase` command.
//!
//! What may not: anything a room could do itself. There is no logic of simulation here.
//!
//! ```
//! use rheobase::prelude::*;
//!
//! let network = Network::builder("one neuron")
//!     .dt("0.1 ms")
//!     .duration("100 ms")
//!     .population("n", Population::new("iaf_psc_exp", 1).parameter("i_e", "500 pA"))
//!     .build()?;
//! let run = rheobase::run::simulate(&network, &RunOptions::default())?;
//! assert!(run.record.populations[0].spikes > 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// The macro `neuron!` names this crate in its expansion, also when used here.
extern crate self as rheobase;

pub use rheobase_components as components;
pub use rheobase_engine as engine;
pub use rheobase_equations as equations;
pub use rheobase_equations_macros::neuron;
pub use rheobase_formats as formats;
pub use rheobase_learning as learning;
pub use rheobase_report as report;

pub mod bench;
pub mod compat;
pub mod infer;
pub mod run;
pub mod spikes;
pub mod train;

/// The page about users' own actors, whose code must run.
#[cfg(doctest)]
#[doc = include_str!("../docs/actors.md")]
struct ActorsPage;

/// Every component a network can name: the zoo.
#[must_use]
pub fn registry() -> engine::port::Registry {
    components::registry()
}

/// What most programs need.
pub mod prelude {
    pub use crate::engine::build::BuildOptions;
    pub use crate::engine::network::{
        Edge, Input, Layer, Monitor, Network, Population, Projection, Stimulus,
    };
    pub use crate::engine::plan::Plan;
    pub use crate::engine::port::Registry;
    pub use crate::engine::simulation::Simulation;
    pub use crate::neuron;
    pub use crate::registry;
    pub use crate::run::RunOptions;
}
