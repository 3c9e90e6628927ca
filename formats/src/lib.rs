//! File formats of Rheobase, each behind its guard.
//!
//! What lives here: readers and writers of foreign formats, one file each, with the limits that a
//! hostile file meets before anything is allocated. The room is empty so far: what a run leaves
//! behind is written by the report crate.
//!
//! What may not: trust in a file; anything that knows how a network is run.
