//! Networks on a device, against the processor: one binary, one module per promise.
//!
//! Without an adapter every test is skipped, which is printed and counted; `RHEOBASE_REQUIRE_GPU=1`
//! makes that an error.

#![cfg(feature = "gpu")]
#![allow(clippy::print_stdout, reason = "tests print their figures")]

#[path = "device/harness.rs"]
mod harness;

#[path = "device/circuits.rs"]
mod circuits;
#[path = "device/counters.rs"]
mod counters;
#[path = "device/dense.rs"]
mod dense;
#[path = "device/faults.rs"]
mod faults;
#[path = "device/layers.rs"]
mod layers;
#[path = "device/mixed.rs"]
mod mixed;
#[path = "device/optimizers.rs"]
mod optimizers;
#[path = "device/training.rs"]
mod training;
#[path = "device/whole_runs.rs"]
mod whole_runs;
#[path = "device/zoo.rs"]
mod zoo;
