//! Where the bytes of a file come from, and the limits they pass.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hdf5_pure::{FormatError, Source};

use super::Problem;

/// Limits of what is read from a file. All but those on the whole file are checked before memory is
/// allocated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Length of the file \[bytes\].
    pub file_bytes: u64,
    /// Decoded size of a dataset \[bytes\].
    pub dataset_bytes: u64,
    /// Decoded size of all that is read at once, not in blocks \[bytes\].
    pub loaded_bytes: u64,
    /// Decoded size of a chunk \[bytes\].
    pub chunk_bytes: u64,
    /// Chunks of a dataset.
    pub chunks: u64,
    /// Links of a group that is listed.
    pub links: usize,
    /// Length of a path.
    pub depth: usize,
    /// One piece of metadata \[bytes\].
    pub metadata_piece: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 1 << 40,
            dataset_bytes: 64 << 30,
            loaded_bytes: 8 << 30,
            chunk_bytes: 1 << 30,
            chunks: 1 << 18,
            links: 1 << 12,
            depth: 16,
            metadata_piece: 128 << 10,
        }
    }
}

/// Most that a filter read here can expand.
pub(super) const MAX_EXPANSION: u64 = 1032;

/// Files up to this length are read at once \[bytes\].
const SMALL_BYTES: u64 = 4 << 20;

/// Metadata that may be read of any file, and times the length of the file on top \[bytes\].
const METADATA_BYTES: (u64, u64) = (16 << 20, 4);

/// The same for data. A network is read twice; rows out of order may be read again.
const DATA_BYTES: (u64, u64) = (1 << 20, 64);

/// Pieces of metadata that may be read of any file, and length of the file for each one on top.
const PIECES: (u64, u64) = (1 << 18, 64);

/// Deepest B-tree of version 2. Every level at least doubles what a tree holds.
const MAX_BTREE_DEPTH: u16 = 48;

enum Bytes {
    File(Mutex<std::fs::File>),
    Memory(Arc<[u8]>),
}

/// A source that counts what is read.
pub(super) struct Guarded {
    bytes: Bytes,
    len: u64,
    limits: Limits,
    counters: Arc<Counters>,
}

/// What has been read.
#[derive(Default)]
pub(super) struct Counters {
    metadata_bytes: AtomicU64,
    data_bytes: AtomicU64,
    pieces: AtomicU64,
    /// Data is being read: pieces may be as long as a chunk.
    pub(super) reading_data: AtomicBool,
}

impl Guarded {
    pub(super) fn open(path: &Path, limits: Limits) -> Result<Self, Problem> {
        let io = |e: std::io::Error| Problem::Io(e.to_string());
        let mut file = std::fs::File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(Problem::Io("is not a file".to_owned()));
        }
        if metadata.len() > SMALL_BYTES.min(limits.file_bytes) {
            return Self::new(Bytes::File(Mutex::new(file)), metadata.len(), limits);
        }
        let mut bytes = Vec::new();
        (&mut file)
            .take(SMALL_BYTES)
            .read_to_end(&mut bytes)
            .map_err(io)?;
        Self::memory(bytes.into(), limits)
    }

    pub(super) fn memory(bytes: Arc<[u8]>, limits: Limits) -> Result<Self, Problem> {
        let len = bytes.len() as u64;
        Self::new(Bytes::Memory(bytes), len, limits)
    }

    fn new(bytes: Bytes, len: u64, limits: Limits) -> Result<Self, Problem> {
        if len > limits.file_bytes {
            return Err(Problem::Limit {
                what: "the length of the file in bytes",
                value: len,
                limit: limits.file_bytes,
            });
        }
        Ok(Self {
            bytes,
            len,
            limits,
            counters: Arc::default(),
        })
    }

    pub(super) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Counts a read before it happens.
    fn admit(&self, len: usize) -> Result<(), FormatError> {
        let data = self.counters.reading_data.load(Ordering::Relaxed);
        let bytes = len as u64;
        let most = if data {
            self.limits.chunk_bytes.max(super::file::BLOCK_BYTES) + 4096
        } else {
            self.limits.metadata_piece as u64
        };
        if bytes > most {
            return Err(refuse(&format!(
                "a piece of {bytes} bytes is longer than {most}"
            )));
        }
        let (counter, (base, factor)) = if data {
            (&self.counters.data_bytes, DATA_BYTES)
        } else {
            (&self.counters.metadata_bytes, METADATA_BYTES)
        };
        let total = counter.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if total > base + self.len.saturating_mul(factor) {
            return Err(refuse(
                "more is read than the file holds: it refers to itself",
            ));
        }
        let pieces = self.counters.pieces.fetch_add(1, Ordering::Relaxed);
        if pieces > PIECES.0 + self.len / PIECES.1 {
            return Err(refuse("too many pieces: the file refers to itself"));
        }
        Ok(())
    }
}

fn refuse(what: &str) -> FormatError {
    FormatError::Source(what.to_owned())
}

impl Source for Guarded {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        self.admit(buffer.len())?;
        let end = offset.saturating_add(buffer.len() as u64);
        if end > self.len {
            return Err(end_of_file(end, self.len));
        }
        match &self.bytes {
            Bytes::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let part = bytes
                    .get(start..start.saturating_add(buffer.len()))
                    .ok_or_else(|| end_of_file(end, self.len))?;
                buffer.copy_from_slice(part);
                Ok(())
            }
            Bytes::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(offset))
                    .and_then(|_| file.read_exact(buffer))
                    .map_err(|e| FormatError::Source(e.to_string()))
            }
        }
    }

    fn read_exact_at(&self, offset: u64, len: usize) -> Result<Vec<u8>, FormatError> {
        // Before the buffer exists: both the limits and the end of the file.
        let end = offset.saturating_add(len as u64);
        if end > self.len {
            return Err(end_of_file(end, self.len));
        }
        if !self.counters.reading_data.load(Ordering::Relaxed) && len > self.limits.metadata_piece {
            return Err(refuse(&format!("a piece of metadata of {len} bytes")));
        }
        let mut buffer = vec![0; len];
        self.read_at(offset, &mut buffer)?;
        Ok(buffer)
    }

    fn read_metadata_at(&self, offset: u64, len: usize) -> Result<Vec<u8>, FormatError> {
        if len > self.limits.metadata_piece {
            return Err(refuse(&format!("a piece of metadata of {len} bytes")));
        }
        let bytes = self.read_exact_at(offset, len)?;
        inspect(&bytes).map_err(refuse)?;
        Ok(bytes)
    }
}

fn end_of_file(expected: u64, available: u64) -> FormatError {
    let clamp = |n| usize::try_from(n).unwrap_or(usize::MAX);
    FormatError::UnexpectedEof {
        expected: clamp(expected),
        available: clamp(available),
    }
}

/// Headers whose fields size loops or recursion.
fn inspect(bytes: &[u8]) -> Result<(), &'static str> {
    let byte = |i: usize| bytes.get(i).copied().unwrap_or(0);
    match bytes.get(..4) {
        // Depth of the recursion.
        Some(b"BTHD") if u16::from_le_bytes([byte(12), byte(13)]) > MAX_BTREE_DEPTH => {
            Err("a B-tree deeper than any file needs")
        }
        // Bits of the number of elements; super blocks in the index block, whose number of data
        // blocks doubles with every second one; bits of the elements of a page.
        Some(b"EAHD") if byte(7) > 64 || byte(10) > 16 || byte(11) > 24 => {
            Err("an extensible array larger than any file needs")
        }
        Some(b"FAHD") if byte(7) > 24 => Err("a fixed array with pages larger than any file needs"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_size_loops_are_checked() {
        let mut btree = b"BTHD\0\x05\0\x02\0\0\x0b\0\0\0".to_vec();
        assert!(inspect(&btree).is_ok());
        btree[13] = 1;
        assert!(inspect(&btree).is_err());
        let mut array = b"EAHD\0\0\x08\x20\x04\x10\x04\x0a".to_vec();
        assert!(inspect(&array).is_ok());
        array[10] = 255;
        assert!(inspect(&array).is_err());
        assert!(inspect(b"FAHD\0\0\x08\x0a").is_ok());
        assert!(inspect(b"FAHD\0\0\x08\x40").is_err());
        assert!(inspect(b"EA").is_ok());
    }

    #[test]
    fn reads_are_counted_before_they_happen() {
        let limits = Limits {
            metadata_piece: 16,
            ..Limits::default()
        };
        let source = Guarded::memory(Arc::from(vec![7_u8; 64]), limits).unwrap();
        assert_eq!(source.read_exact_at(60, 4).unwrap(), [7; 4]);
        assert!(source.read_exact_at(60, 5).is_err(), "beyond the end");
        assert!(source.read_exact_at(0, 17).is_err(), "longer than a piece");
        assert!(source.read_exact_at(u64::MAX, 2).is_err());
        let reads = (0..).take_while(|_| source.read_exact_at(0, 1).is_ok());
        assert!(reads.count() as u64 <= PIECES.0 + 1);
    }
}
