//! The engine of Rheobase.
//!
//! What lives here: grid time, random streams, spikes, the network description and its plan, the
//! ports that components implement, shards, mailboxes and the schedule, recording.
//!
//! What may not: any concrete component (the [`port::Registry`] is handed in); only `backend/gpu`
//! names wgpu.

pub mod arguments;
pub mod plan;
pub mod port;
pub mod random;
pub mod simd;
mod suggest;
pub mod time;
pub mod value;
