//! Neurons in continuous time against references in 113-bit arithmetic (`tests/golden/exact`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test: what it expects is tested, what it finds is printed"
)]

#[path = "exact/cases.rs"]
mod cases;
#[path = "exact/golden.rs"]
mod golden;
#[path = "exact/speed.rs"]
mod speed;
