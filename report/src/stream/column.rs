//! A file that only grows, with a buffer in front of it.

use crate::FileError;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// Opened anew for each write: there may be more columns than a process may have open files, and
/// writes are few and large.
#[derive(Debug)]
pub(super) struct Column {
    path: PathBuf,
    /// Bytes in the file.
    written: u64,
    buffer: Vec<u8>,
    /// Bytes buffered at most.
    limit: usize,
}

impl Column {
    /// A new column, or one of which the first `length` bytes are kept.
    pub(super) fn open(
        path: PathBuf,
        length: Option<u64>,
        limit: usize,
    ) -> Result<Self, FileError> {
        let written = length.unwrap_or(0);
        let outcome = match length {
            None => File::create_new(&path).map(|_| ()),
            Some(length) => cut(&path, length),
        };
        outcome.map_err(|e| FileError::io("open", &path, e))?;
        Ok(Self {
            path,
            written,
            buffer: Vec::new(),
            limit,
        })
    }

    /// Bytes of the column, those in the buffer included.
    pub(super) fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn extend<const N: usize>(
        &mut self,
        values: impl Iterator<Item = [u8; N]>,
    ) -> Result<(), FileError> {
        for value in values {
            if self.buffer.len() + N > self.limit {
                self.flush()?;
            }
            self.buffer.extend_from_slice(&value);
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<(), FileError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.append(false)
    }

    /// Writes what is buffered and waits for the disk.
    pub(super) fn synchronise(&mut self) -> Result<(), FileError> {
        self.append(true)
    }

    fn append(&mut self, synchronise: bool) -> Result<(), FileError> {
        let append = || {
            let mut file = OpenOptions::new().append(true).open(&self.path)?;
            file.write_all(&self.buffer)?;
            if synchronise {
                file.sync_data()
            } else {
                Ok(())
            }
        };
        append().map_err(|e| FileError::io("write", &self.path, e))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// The bytes of the file, from its beginning.
    pub(super) fn read(&self) -> Result<impl Read + use<>, FileError> {
        let file = File::open(&self.path).map_err(|e| FileError::io("read", &self.path, e))?;
        Ok(BufReader::with_capacity(1 << 16, file.take(self.written)))
    }
}

fn cut(path: &Path, length: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    let found = file.metadata()?.len();
    if found < length {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("it has {found} bytes, the checkpoint tells of {length}"),
        ));
    }
    file.set_len(length)
}
