//! Populations in continuous time: spikes are solved for, not stepped over.
//!
//! [`flow`] is what a neuron does between events; [`moment`] is continuous time; the actor of a shard
//! takes events in their order from two queues: spikes on their way along synapses, and what neurons
//! do by themselves.

pub(crate) mod actor;
pub mod adaptive;
mod basis;
mod crossing;
mod dormand_prince;
pub mod flow;
pub mod linear;
pub mod make;
mod modes;
pub mod moment;
pub(crate) mod neurons;
pub mod quadratic;
mod queue;
mod quiet;
pub(crate) mod synapses;

#[cfg(test)]
mod tests;

/// Bytes of a neuron with `n_states` states, one that has a next spike: states and their initial
/// values, times of the last event and of the end of the refractory time, and its place in the queue.
#[must_use]
pub const fn bytes_per_neuron(n_states: usize) -> usize {
    neurons::Neurons::bytes_per_neuron(n_states) + queue::Predictions::ENTRY_BYTES
}

/// Bytes of a spike on its way to a shard along the synapses of one edge, whatever their number.
#[must_use]
pub const fn bytes_per_event() -> usize {
    queue::Deliveries::ENTRY_BYTES
}
