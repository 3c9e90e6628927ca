//! HDF5 behind a guard.
//!
//! A file is read through [`read`] (or [`read_bytes`]), which hands a [`File`] to a closure. What a
//! hostile file meets:
//!
//! - **Bounded reads.** Every byte comes through a source that counts: one piece of metadata is at
//!   most [`Limits::metadata_piece`] bytes, and all of it, and all data, at most a multiple of the
//!   length of the file. Cyclic trees, shared nodes and endless lists run into that.
//! - **Bounded allocation.** Shape, element size, chunk size and number of chunks are checked
//!   against the limits and against what a file of this length can hold (no filter here expands
//!   more than 1032 times) before anything is allocated. Chunks may not overlap.
//! - **Headers that size loops or recursion** (`BTHD`, `EAHD`, `FAHD`) are checked as they are read.
//! - **A stack of its own.** Nested types are parsed recursively; the closure runs on a thread with
//!   room for as many levels as a piece of metadata can hold. A panic there is an error here.
//! - **Nothing outside the file.** Soft and external links are not followed, external storage and
//!   virtual datasets are refused.

mod error;
mod file;
mod kind;
mod source;

use std::path::Path;
use std::sync::Arc;

pub use error::{Hdf5Error, Problem};
pub use file::{Dataset, File};
pub use source::Limits;

use source::Guarded;

/// Stack of the thread that reads \[bytes\]; reserved, not used. One level of a nested type takes 8
/// bytes of a piece of metadata and well below 4 KiB of stack.
const STACK_BYTES: usize = 128 << 20;

/// Opens a file and lets `job` read from it.
///
/// # Errors
/// If it is no HDF5 file, exceeds the limits, or `job` fails.
pub fn read<T: Send, E: From<Hdf5Error> + Send>(
    path: &Path,
    limits: &Limits,
    job: impl FnOnce(&File) -> Result<T, E> + Send,
) -> Result<T, E> {
    let name = path.display().to_string();
    let source = Guarded::open(path, *limits).map_err(|p| Hdf5Error::of_file(&name, p))?;
    on_thread(&name, source, *limits, job)
}

/// As [`read`], from memory; `name` is for messages.
///
/// # Errors
/// As [`read`].
pub fn read_bytes<T: Send, E: From<Hdf5Error> + Send>(
    name: &str,
    bytes: Arc<[u8]>,
    limits: &Limits,
    job: impl FnOnce(&File) -> Result<T, E> + Send,
) -> Result<T, E> {
    let source = Guarded::memory(bytes, *limits).map_err(|p| Hdf5Error::of_file(name, p))?;
    on_thread(name, source, *limits, job)
}

fn on_thread<T: Send, E: From<Hdf5Error> + Send>(
    name: &str,
    source: Guarded,
    limits: Limits,
    job: impl FnOnce(&File) -> Result<T, E> + Send,
) -> Result<T, E> {
    let fail = |problem| E::from(Hdf5Error::of_file(name, problem));
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("hdf5".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || job(&File::new(name, source, limits)?))
            .map_err(|e| fail(Problem::Io(e.to_string())))?;
        thread
            .join()
            .unwrap_or_else(|_| Err(fail(Problem::Panicked)))
    })
}
