//! Steps and programs on a graphics device, through wgpu.
//!
//! The only module that names wgpu. It runs the shaders `rheobase-shaders` makes: [`StepKernel`]
//! advances a population under the contract of the CPU kernels, [`ProgramKernel`] runs any program
//! (an adjoint, say), [`Kernel`] runs any module. [`GpuDevice`] is an open device, [`adapters`] lists
//! what could be opened.
//!
//! **Trouble is a value.** No adapter, a limit, no memory, a lost device, a rejected shader: each
//! is a [`GpuError`]; nothing here panics, and a call that fails leaves the caller's arrays as they
//! were. Every call to the device runs inside error scopes; what slips through them (and the loss of
//! the device) is caught by callbacks and returned by the next call.
//!
//! **Agreement.** Shaders are emitted with contraction prevented, so where a program holds neither
//! a division nor a square root, the results are the CPU's f32 kernel's, bit for bit, on devices
//! that round additions and products to nearest and keep subnormals.

mod adapter;
mod bind;
mod circuit;
pub mod cost;
mod device;
mod error;
mod kernel;
mod memory;
mod program;
mod step;
mod unrolled;

pub use adapter::{AdapterChoice, AdapterInfo, AdapterKind, adapters};
pub use circuit::DeviceCounts;
pub use device::GpuDevice;
pub use error::GpuError;
pub use kernel::{Kernel, Storage, Words};
pub use program::ProgramKernel;
pub use step::StepKernel;
