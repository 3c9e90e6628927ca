//! Anchored arithmetic: neurons that are linear between events, kept so that nothing happens to them
//! without an event.
//!
//! The states x of a neuron are not stored as they are now, but as the amplitudes z that its modes
//! had at the beginning of the current *epoch*:
//!
//! x(k) = V·G(n)·z + p(n),   n = k mod epoch,   G(n) = e^{D n dt}
//!
//! with V, D, p those of [`rheobase_equations::linear_system::Modes`] and G(n) from a table, the same
//! for all neurons. Time passes without touching z. An event of weight w adds G(n)⁻¹V⁻¹g·w; the
//! margin of the threshold is a product of z with a row of the table. At the end of an epoch, which
//! lasts some time constants, all z are multiplied by G(epoch) (`epochs`: those that nothing touches,
//! later).
//!
//! Neurons stand in blocks of eight (`layout`), and what a block does in a step is written once
//! (`block`). Two ways to run it give the same bits, because they do the same operations on z:
//! - *dense*: every block in every step;
//! - *sparse*: only blocks with a neuron that received something (`marks`), or for which a bound
//!   (`bound`) cannot exclude that it crosses the threshold by itself in this step (`agenda`).
//!
//! A refractory neuron lives in a second regime in which held states stand still; it is carried over
//! when it fires and when it is released.

mod agenda;
mod block;
mod bound;
pub mod choice;
mod epochs;
mod layout;
mod marks;
mod neurons;
mod regime;
mod rule;
mod threshold;
mod view;

pub(crate) use block::Lanes;
pub use choice::{ModeChoice, ModeReport, Switch};
pub(crate) use layout::WIDTH as BLOCK;
pub(crate) use marks::Marks;
pub(crate) use neurons::Anchored;
pub use rule::{Arithmetic, ArithmeticReport};
pub(crate) use rule::{Decision, LEAST_NEURONS, decide};
