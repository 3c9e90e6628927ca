//! Losses, optimisers and learners of Rheobase.
//!
//! What lives here: learning rules (their updates are equation texts, as neurons are), losses,
//! optimisers, schedules, the trainer. The room is empty so far: adjoints are made by the equations
//! crate, and the engine runs its schedule in reverse.
//!
//! What may not: anything that reaches into the engine except through its ports; a second way to
//! run a network.
