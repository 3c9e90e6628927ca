//! What `neuron!` generates, against the block interpreter (bit for bit, at every level of the
//! machine) and the f64 reference.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "small numbers"
)]

// The expansion names `::rheobase::equations`: this crate is that here.
extern crate self as rheobase;
pub use rheobase_equations as equations;

#[path = "native/agreement.rs"]
mod agreement;
#[path = "native/population.rs"]
mod population;
#[path = "native/zoo.rs"]
mod zoo;
