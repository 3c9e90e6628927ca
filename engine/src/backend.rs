//! What runs a population's steps.

#[cfg(feature = "gpu")]
pub mod gpu;
