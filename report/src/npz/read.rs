//! Reading archives back.

use super::{Element, NpzError, file_name, npy};
use crate::FileError;
use crate::source::BLOCK;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use zip::ZipArchive;
use zip::result::ZipError;

/// An array of an archive.
#[derive(Debug, Clone, PartialEq)]
pub struct Array<T> {
    /// Length of each dimension; empty for a scalar.
    pub shape: Vec<u64>,
    /// Values in row-major order.
    pub values: Vec<T>,
}

/// A file within the archive.
type Entry<'a> = zip::read::ZipFile<'a, BufReader<File>>;

/// Reads arrays from an archive that [`NpzWriter`](super::NpzWriter) or `numpy.savez` wrote
/// (uncompressed).
#[derive(Debug)]
pub struct NpzReader {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    /// Length of the file: no array is longer.
    bytes: u64,
}

impl NpzReader {
    /// Opens an archive.
    ///
    /// # Errors
    /// When the file cannot be read or is no ZIP archive.
    pub fn open(path: &Path) -> Result<Self, NpzError> {
        let file = File::open(path).map_err(|e| FileError::io("read", path, e))?;
        let bytes = file
            .metadata()
            .map_err(|e| FileError::io("read", path, e))?
            .len();
        let zip = ZipArchive::new(BufReader::new(file))
            .map_err(|e| FileError::io("read", path, e.into()))?;
        Ok(Self {
            path: path.to_owned(),
            zip,
            bytes,
        })
    }

    /// The names of the arrays, in the order they were written.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.zip
            .file_names()
            .filter_map(Result::ok)
            .filter_map(|file| file.strip_suffix(".npy").map(str::to_owned))
            .collect()
    }

    /// Reads an array.
    ///
    /// # Errors
    /// When it is not there, holds another type, or is damaged. An array cannot make the reader
    /// allocate more than the file holds.
    pub fn array<T: Element>(&mut self, name: &str) -> Result<Array<T>, NpzError> {
        let bytes = self.bytes;
        let entry = self.entry(name)?;
        read_entry(entry, bytes).map_err(|e| content(&self.path, name, &e))
    }

    pub(super) fn entry(&mut self, name: &str) -> Result<Entry<'_>, NpzError> {
        match self.zip.by_name(&file_name(name)) {
            Ok(entry) => Ok(entry),
            Err(ZipError::FileNotFound) => Err(NpzError::Missing {
                path: self.path.clone(),
                name: name.to_owned(),
            }),
            Err(e) => Err(content(&self.path, name, &e)),
        }
    }

    /// Opens an array of one dimension to be read block by block.
    pub(super) fn column<T: Element>(
        &mut self,
        name: &str,
    ) -> Result<(Column<T, Entry<'_>>, u64), NpzError> {
        let (path, bytes) = (self.path.clone(), self.bytes);
        let mut entry = self.entry(name)?;
        let (shape, count) =
            begin::<T, _>(&mut entry, bytes).map_err(|e| content(&path, name, &e))?;
        if shape.len() != 1 {
            let reason = format!("shape {shape:?}, expected one dimension");
            return Err(content(&path, name, &reason));
        }
        Ok((Column::new(entry, count), count))
    }

    /// Reads an array of one value.
    ///
    /// # Errors
    /// Those of [`array`](Self::array), and when it holds more or fewer values.
    pub fn scalar<T: Element>(&mut self, name: &str) -> Result<T, NpzError> {
        match self.array(name)?.values[..] {
            [value] => Ok(value),
            _ => Err(content(&self.path, name, &"not a single value")),
        }
    }

    pub(super) fn content_error(&self, name: &str, reason: &dyn ToString) -> NpzError {
        content(&self.path, name, reason)
    }
}

fn content(path: &Path, name: &str, reason: &(impl ToString + ?Sized)) -> NpzError {
    NpzError::Content {
        path: path.to_owned(),
        name: name.to_owned(),
        reason: reason.to_string(),
    }
}

fn read_entry<T: Element, R: Read>(
    mut entry: zip::read::ZipFile<'_, R>,
    file_bytes: u64,
) -> io::Result<Array<T>> {
    let (shape, count) = begin::<T, R>(&mut entry, file_bytes)?;
    let mut values = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    let mut column = Column::<T, _>::new(entry, count);
    while column.block(BLOCK, &mut |value| values.push(value))? {}
    Ok(Array { shape, values })
}

/// Reads the header; what it promises is checked against what the file can hold.
pub(super) fn begin<T: Element, R: Read>(
    entry: &mut zip::read::ZipFile<'_, R>,
    file_bytes: u64,
) -> io::Result<(Vec<u64>, u64)> {
    let held = entry.size().min(file_bytes) / T::BYTES as u64;
    let shape = npy::read_header::<T>(entry)?;
    match npy::count(&shape) {
        Some(count) if count <= held => Ok((shape, count)),
        _ => Err(npy::invalid(&format!(
            "shape {shape:?} promises more than the {held} values there is room for"
        ))),
    }
}

/// Values of an entry that are still to be read.
pub(super) struct Column<T, R> {
    reader: R,
    left: u64,
    buffer: Vec<u8>,
    element: PhantomData<T>,
}

impl<T: Element, R: Read> Column<T, R> {
    pub(super) fn new(reader: R, count: u64) -> Self {
        Self {
            reader,
            left: count,
            buffer: Vec::new(),
            element: PhantomData,
        }
    }

    /// Hands over at most `most` values; false once all were read. Reading the last of them
    /// checks the checksum of the entry.
    pub(super) fn block(&mut self, most: usize, take: &mut dyn FnMut(T)) -> io::Result<bool> {
        let n = usize::try_from(self.left).unwrap_or(usize::MAX).min(most);
        self.buffer.resize(n * T::BYTES, 0);
        self.reader.read_exact(&mut self.buffer)?;
        self.buffer
            .chunks_exact(T::BYTES)
            .for_each(|b| take(T::get(b)));
        self.left -= n as u64;
        if self.left == 0 && self.reader.read(&mut [0])? != 0 {
            return Err(npy::invalid("more values than its shape tells"));
        }
        Ok(self.left > 0)
    }
}
