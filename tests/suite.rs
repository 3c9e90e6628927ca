//! The test suite of whole networks: one binary, one module per promise.

#![allow(clippy::print_stdout, reason = "tests print their figures")]

#[path = "suite/harness.rs"]
mod harness;

#[path = "suite/actors.rs"]
mod actors;
#[path = "suite/analyze.rs"]
mod analyze;
#[path = "suite/bench.rs"]
mod bench;
#[path = "suite/cart_pole.rs"]
mod cart_pole;
#[path = "suite/checkpoint.rs"]
mod checkpoint;
#[path = "suite/circuits.rs"]
mod circuits;
#[path = "suite/command.rs"]
mod command;
#[path = "suite/compat.rs"]
mod compat;
#[path = "suite/components_by_hand.rs"]
mod components_by_hand;
#[path = "suite/corners.rs"]
mod corners;
#[path = "suite/determinism.rs"]
mod determinism;
#[path = "suite/exact.rs"]
mod exact;
#[path = "suite/infer.rs"]
mod infer;
#[path = "suite/infer_limits.rs"]
mod infer_limits;
#[path = "suite/layered.rs"]
mod layered;
#[path = "suite/macros.rs"]
mod macros;
#[path = "suite/nest.rs"]
mod nest;
#[path = "suite/resume.rs"]
mod resume;
#[cfg(feature = "hdf5")]
#[path = "suite/sonata.rs"]
mod sonata;
#[path = "suite/sparse.rs"]
mod sparse;
#[path = "suite/statistics.rs"]
mod statistics;
#[path = "suite/stream_events.rs"]
mod stream_events;
#[path = "suite/training.rs"]
mod training;
#[path = "suite/training_examples.rs"]
mod training_examples;
#[path = "suite/training_learn.rs"]
mod training_learn;
