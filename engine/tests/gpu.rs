//! The GPU backend against independent twins, on whatever adapter there is (a software one will do).
//!
//! Without an adapter every test is skipped, which is printed and counted;
//! `RHEOBASE_REQUIRE_GPU=1` makes that an error.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "helpers of tests: what they expect is tested, what they find is printed"
)]
#![cfg(feature = "gpu")]

#[path = "gpu/adjoints.rs"]
mod adjoints;
#[path = "gpu/arithmetic.rs"]
mod arithmetic;
#[path = "gpu/components.rs"]
mod components;
#[path = "gpu/faults.rs"]
mod faults;
#[path = "gpu/philox.rs"]
mod philox;
#[path = "gpu/random.rs"]
mod random;
#[path = "gpu/scalar.rs"]
mod scalar;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rheobase_engine::backend::gpu::{AdapterChoice, GpuDevice, GpuError};

/// The device all tests share; `None` where there is none, and that is no error.
fn device() -> Option<GpuDevice> {
    static DEVICE: OnceLock<Result<GpuDevice, GpuError>> = OnceLock::new();
    or_skip(
        DEVICE
            .get_or_init(|| GpuDevice::request(&AdapterChoice::Any))
            .clone(),
    )
}

fn or_skip(requested: Result<GpuDevice, GpuError>) -> Option<GpuDevice> {
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    let required = std::env::var_os("RHEOBASE_REQUIRE_GPU").is_some_and(|v| v == "1");
    match requested {
        Ok(device) => Some(device),
        Err(e @ GpuError::NoAdapter { .. }) if !required => {
            let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
            println!("SKIPPED (GPU test no. {count} without an adapter): {e}");
            None
        }
        Err(e) => panic!("a GPU is required: {e}"),
    }
}

#[test]
fn adapters_are_listed_with_their_limits() {
    let adapters = GpuDevice::adapters();
    for adapter in &adapters {
        println!("{adapter:?}");
        assert!(!adapter.name.is_empty());
        assert!(adapter.max_buffer_bytes >= adapter.max_binding_bytes);
        assert!(adapter.max_storage_buffers >= 6, "a step binds up to six");
    }
    if let Some(device) = device() {
        assert_eq!(adapters.first(), Some(device.info()));
    }
}
