//! Losses, optimisers and learners of Rheobase.
