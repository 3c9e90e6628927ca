//! Reading archives back.

use super::{Element, NpzError};
use crate::FileError;
use std::fs::File;
use std::io::{self, BufReader};
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

/// Reads arrays from an archive that [`NpzWriter`](super::NpzWriter) or `numpy.savez` wrote
/// (uncompressed).
#[derive(Debug)]
pub struct NpzReader {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
}

impl NpzReader {
    /// Opens an archive.
    ///
    /// # Errors
    /// When the file cannot be read or is no ZIP archive.
    pub fn open(path: &Path) -> Result<Self, NpzError> {
        let file = File::open(path).map_err(|e| FileError::io("read", path, e))?;
        let zip = ZipArchive::new(BufReader::new(file))
            .map_err(|e| FileError::io("read", path, e.into()))?;
        Ok(Self {
            path: path.to_owned(),
            zip,
        })
    }

    /// The names of the arrays, in the order they were written.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.zip
            .file_names()
            .filter_map(Result::ok)
            .filter_map(|file| npyz::npz::array_name_from_file_name(&file).map(str::to_owned))
            .collect()
    }

    /// Reads an array.
    ///
    /// # Errors
    /// When it is not there, holds another type, or is damaged. An array cannot make the reader
    /// allocate more than the file holds.
    pub fn array<T: Element>(&mut self, name: &str) -> Result<Array<T>, NpzError> {
        let entry = match self
            .zip
            .by_name(&npyz::npz::file_name_from_array_name(name))
        {
            Ok(entry) => entry,
            Err(ZipError::FileNotFound) => {
                return Err(NpzError::Missing {
                    path: self.path.clone(),
                    name: name.to_owned(),
                });
            }
            Err(e) => return Err(content(&self.path, name, &e)),
        };
        read_entry(entry).map_err(|e| content(&self.path, name, &e))
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

fn read_entry<T: Element, R: io::Read>(entry: zip::read::ZipFile<'_, R>) -> io::Result<Array<T>> {
    let held = entry.size() / size_of::<T>() as u64;
    let array = npyz::NpyFile::new(BufReader::new(entry))?;
    let shape = array.shape().to_vec();
    let promised = shape
        .iter()
        .try_fold(1_u64, |product, &n| product.checked_mul(n));
    if promised.is_none_or(|promised| promised > held) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("shape {shape:?} promises more than the {held} values there is room for"),
        ));
    }
    if shape.len() > 1 && array.header().order() != npyz::Order::C {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "not in row-major order",
        ));
    }
    let values = array
        .data::<T>()
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?
        .collect::<io::Result<Vec<T>>>()?;
    Ok(Array { shape, values })
}
