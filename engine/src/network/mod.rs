//! Networks as people describe them, and how a description becomes a [`Plan`](crate::plan::Plan).
//!
//! One schema serves TOML, JSON and programs ([`Network::builder`]). Quantities carry units as
//! written (`"10 ms"`); nothing is interpreted before [`Network::resolve`] has the components.
//!
//! ```text
//! text ── from_toml, from_json ──► Network ── resolve(registry) ──► Plan
//!                  builder ──────────┘  ▲
//!                                 set ──┘
//! ```
//!
//! Reading checks entries (unknown ones, types, names); resolving checks meaning (names that refer
//! to something, units, ports, shapes, delays on cycles). Both report several errors per run, each
//! with its place in the description.

mod actor;
mod builder;
mod describe;
mod error;
mod estimate;
mod json_schema;
mod parameters;
mod read;
mod resolve;
mod schema;
mod set;
pub mod values;

#[cfg(test)]
mod tests;

pub use actor::Actor;
pub use builder::NetworkBuilder;
pub use describe::{
    Count, Edge, Input, Layer, Learn, LearnScope, ModelText, Monitor, Names, Network, Neurons,
    Population, Projection, Rule, Stimulus,
};
pub use error::{ErrorKind, NetworkError, NetworkErrors, Path};
pub use estimate::{MemoryError, MemoryEstimate, MemoryPart, readable_bytes};
pub use json_schema::json_schema;
pub use read::MAX_FILE_BYTES;
