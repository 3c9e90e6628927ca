//! The engine of Rheobase.
//!
//! What lives here: grid time, random streams, spikes, the network description and its plan, the
//! ports that components implement, shards, mailboxes and the schedule, recording.
//!
//! What may not: any concrete component (the [`port::Registry`] is handed in); only `backend/gpu`
//! names wgpu.

pub mod actor;
pub mod anchored;
pub mod arguments;
pub mod backend;
pub mod build;
pub mod checkpoint;
pub mod exact;
mod fetch;
pub mod fingerprint;
mod group;
mod instantiate;
mod layer;
mod mailbox;
pub mod network;
pub mod neuron;
mod normal;
pub mod packet;
pub mod pages;
pub mod plan;
mod population;
pub mod port;
pub mod random;
pub mod record;
pub mod rows;
pub mod schedule;
pub mod session;
pub mod simd;
pub mod simulation;
mod source;
pub mod spikes;
mod stepwise;
pub mod suggest;
pub mod time;
pub mod unrolled;
mod user_actor;
pub mod value;
mod worker;

pub use instantiate::Instantiate;
