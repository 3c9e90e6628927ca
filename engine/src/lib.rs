//! Time, spikes, network description and schedule of Rheobase.

pub mod backend;
