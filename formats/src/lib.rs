//! File formats of Rheobase, each behind its guard.
//!
//! What lives here: readers and writers of foreign formats and of tables of spikes, one file each, with
//! the limits that a hostile file meets before anything is allocated; and what turns a foreign network
//! into a plan, with the names of a registry that is handed in.
//!
//! What may not: trust in a file; a thread that simulates; a neuron, synapse or stimulus of the zoo
//! by anything but its name.

pub mod array;
pub mod csv;
#[cfg(feature = "hdf5")]
pub mod hdf5;
pub mod idx;
pub mod npz;
#[cfg(feature = "hdf5")]
pub mod sonata;
pub mod tensorboard;
