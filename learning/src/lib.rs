//! Losses of Rheobase.
//!
//! What lives here: losses and what follows from them for learning; learners, optimisers and
//! schedules join them.
//!
//! What may not: reaching into the engine except through its ports.

pub mod loss;
