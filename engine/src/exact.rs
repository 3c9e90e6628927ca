//! Populations in continuous time: spikes are solved for, not stepped over.

pub mod flow;
