//! Time, spikes, network description and schedule of Rheobase.
