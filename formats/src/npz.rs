//! Arrays of NumPy: single ones (`.npy`) and archives of them (`.npz`).
//!
//! Read are `u1`, `b1`, `i1`, `i2`, `i4`, `i8`, `f4` and `f8` of either order of bytes, in C order (the
//! last index fastest), versions 1 to 3 of the format; archives stored (`numpy.savez`) or deflated
//! (`numpy.savez_compressed`). Guards: those of [`array`](crate::array); a header is at most 64 KiB; an
//! entry of an archive is read no further than its header promises, and its checksum must fit. Object
//! arrays, which run code when loaded, are refused like every other type.
//!
//! Source: `numpy.lib.format` of NumPy 2.4; ZIP: PKWARE's APPNOTE 6.3.
//!
//! # Example
//! ```
//! use rheobase_formats::array::{Limits, Values};
//! use rheobase_formats::npz;
//!
//! // numpy.save of numpy.array([[1, 2, 3]], dtype="u1"), its header padded less.
//! let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3), }\n";
//! let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
//! bytes.extend_from_slice(&u16::try_from(text.len())?.to_le_bytes());
//! bytes.extend_from_slice(text.as_bytes());
//! bytes.extend_from_slice(&[1, 2, 3]);
//! let array = npz::parse_npy("x.npy", &bytes, &Limits::default())?;
//! assert_eq!((array.shape, array.values), (vec![1, 3], Values::U8(vec![1, 2, 3])));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod header;

use crate::array::{Array, ArrayError, Limits, Problem, Promise, unpacked_room};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;

/// Opens a file and tells its length.
fn open(path: &Path, name: &str) -> Result<(BufReader<File>, u64), ArrayError> {
    let open = || -> std::io::Result<(File, u64)> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    };
    let (file, length) = open().map_err(|e| Problem::Io(e.to_string()).of(name, ""))?;
    Ok((BufReader::with_capacity(1 << 16, file), length))
}

/// Reads a file of one array. O(values).
///
/// # Errors
/// If the file cannot be read, is no such file, holds a type or an order that is not read, more or
/// fewer values than its header tells, or more than the limits allow.
pub fn read_npy(path: &Path, limits: &Limits) -> Result<Array, ArrayError> {
    let name = path.display().to_string();
    let (mut file, length) = open(path, &name)?;
    array(&mut file, length, limits).map_err(|p| p.of(&name, ""))
}

/// As [`read_npy`], from memory; `name` is for messages.
///
/// # Errors
/// As [`read_npy`].
pub fn parse_npy(name: &str, mut bytes: &[u8], limits: &Limits) -> Result<Array, ArrayError> {
    let length = bytes.len() as u64;
    array(&mut bytes, length, limits).map_err(|p| p.of(name, ""))
}

/// Reads an array from a stream that gives at most `length` bytes.
fn array(stream: &mut impl Read, length: u64, limits: &Limits) -> Result<Array, Problem> {
    let header = header::read(stream)?;
    let room = length.saturating_sub(header.bytes);
    Promise::new(header.kind, &header.shape, room, limits)?.read(stream)
}

/// An archive of arrays, each read when asked for.
///
/// # Example
/// ```no_run
/// use rheobase_formats::array::Limits;
/// use rheobase_formats::npz::Archive;
///
/// let mut archive = Archive::open("data.npz".as_ref(), Limits::default())?;
/// let images = archive.array("x_train")?;
/// println!("{:?} of {}", images.shape, images.values.type_name());
/// # Ok::<(), rheobase_formats::array::ArrayError>(())
/// ```
#[derive(Debug)]
pub struct Archive<S> {
    name: String,
    zip: ZipArchive<S>,
    length: u64,
    limits: Limits,
}

impl Archive<BufReader<File>> {
    /// Opens a file. O(arrays).
    ///
    /// # Errors
    /// If the file cannot be read or is no ZIP archive.
    pub fn open(path: &Path, limits: Limits) -> Result<Self, ArrayError> {
        let name = path.display().to_string();
        let (file, length) = open(path, &name)?;
        Self::new(name, file, length, limits)
    }
}

impl<S: Read + Seek> Archive<S> {
    /// An archive in anything that can be read; `name` is for messages, `length` in bytes.
    ///
    /// # Errors
    /// As [`open`](Archive::open).
    pub fn new(name: String, source: S, length: u64, limits: Limits) -> Result<Self, ArrayError> {
        let zip = ZipArchive::new(source).map_err(|e| problem(&e).of(&name, ""))?;
        Ok(Self {
            name,
            zip,
            length,
            limits,
        })
    }

    /// Names of the arrays, in the order they were written.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.zip
            .file_names()
            .filter_map(Result::ok)
            .filter_map(|file| file.strip_suffix(".npy").map(str::to_owned))
            .collect()
    }

    /// Whether there is an array of that name.
    #[must_use]
    pub fn has(&self, array: &str) -> bool {
        self.names().iter().any(|name| name == array)
    }

    /// Reads an array. O(values).
    ///
    /// # Errors
    /// If it is not there, and those of [`read_npy`].
    pub fn array(&mut self, array: &str) -> Result<Array, ArrayError> {
        let found = self.entry(array);
        found.map_err(|p| p.of(&self.name, array))
    }

    fn entry(&mut self, name: &str) -> Result<Array, Problem> {
        let holds = self.names();
        let mut entry = match self.zip.by_name(&format!("{name}.npy")) {
            Ok(entry) => entry,
            Err(ZipError::FileNotFound) => return Err(Problem::Missing { holds }),
            Err(e) => return Err(problem(&e)),
        };
        // Sizes an archive tells are as little to be trusted as those an array tells.
        let packed = entry.compressed_size().min(self.length);
        let room = entry.size().min(unpacked_room(packed));
        array(&mut entry, room, &self.limits)
    }
}

/// What the reader of archives says, in our terms.
fn problem(error: &ZipError) -> Problem {
    match error {
        ZipError::Io(e) => Problem::stream(e),
        other => Problem::Packed(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
