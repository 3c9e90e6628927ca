//! Networks unrolled in time: forward, loss and gradients, and training.

#![allow(clippy::print_stdout, reason = "tests print their figures")]
#![allow(clippy::unwrap_used, reason = "a failure is a failed test")]

mod golden;
mod gradients;
mod invariance;
mod nets;
mod network;
mod projections;
