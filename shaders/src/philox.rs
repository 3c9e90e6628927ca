//! Philox4x32-10 in WGSL: the same integers as on the CPU.

use crate::module::{Access, Assembly, Element, Entry, Role, ShaderModule, UniformLayout};

/// The functions `philox4x32_10`, `philox_round` and `multiply_high`, to be put into other shaders.
pub const FUNCTIONS: &str = include_str!("wgsl/philox.wgsl");

/// Words per index that [`blocks`] reads: four of the counter, two of the key.
pub const N_SOURCES: u32 = 6;

/// Words per index that [`blocks`] writes.
pub const N_RESULTS: u32 = 4;

/// A kernel that computes one block per index from an arbitrary counter and key: what known answers
/// are checked with. Arrays of `stride` words: counter words 0–3 and key words 0–1 in
/// [`Role::Sources`], block words 0–3 in [`Role::Results`].
#[must_use]
pub fn blocks() -> ShaderModule {
    Assembly {
        name: "philox_blocks",
        entry_point: "philox_blocks_kernel",
        heading: "One Philox block per index.",
        entry: Entry::PerIndex {
            body: "philox_blocks",
            limit: "params.n",
        },
        functions: &format!("{FUNCTIONS}{}", include_str!("wgsl/philox_blocks.wgsl")),
        uniform: UniformLayout::Places(0),
        storage: &[
            (Role::Sources, Access::Read, Element::U32, N_SOURCES),
            (Role::Results, Access::ReadWrite, Element::U32, N_RESULTS),
        ],
        has_guard: false,
    }
    .finish()
}
