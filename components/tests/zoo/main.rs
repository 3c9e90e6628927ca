//! The neurons of this crate: against other programs' output, against closed forms, and against
//! what every neuron must do.

#![allow(clippy::print_stdout, reason = "tests print the figures they judge")]

mod cell;
mod conformance;
mod examples;
mod golden;
mod gradients;
mod nest;
mod networks;
mod snntorch;
mod spikingjelly;
mod spikingjelly_gradients;
mod texts;
