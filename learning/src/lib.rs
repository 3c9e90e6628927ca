//! Training in Rheobase: from data to spikes, from outputs to losses, from gradients to weights.
//!
//! What lives here: [`data`] in batches, [`encode`] and [`decode`] at the two ends of a network, [`loss`]
//! and [`metric`] over its output, [`optimizer`] and [`schedule`] for its parameters, the [`trainer`] that
//! puts them together, [`record`] for what was measured; learners join them.
//!
//! What may not: reaching into the engine except through its ports.

pub mod data;
pub mod decode;
pub mod encode;
pub mod loss;
pub mod metric;
pub mod optimizer;
pub mod output;
pub mod record;
pub mod schedule;
pub mod trainer;
