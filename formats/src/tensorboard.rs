//! Event files of TensorBoard: scalars over steps.
//!
//! A file is a row of records: length (u64, little-endian), its masked CRC-32C (u32), the bytes, their
//! masked CRC-32C. Each record is a message `Event` of Protocol Buffers, of which these fields are
//! written:
//!
//! | message | field | type | content |
//! |---|---|---|---|
//! | `Event` | 1 `wall_time` | f64 | seconds since 1970 |
//! | | 2 `step` | varint | as given |
//! | | 3 `file_version` | string | `brain.Event:2`, in the first record only |
//! | | 5 `summary` | message | the scalars |
//! | `Summary` | 1 `value` | message, repeated | a scalar |
//! | `Summary.Value` | 1 `tag` | string | its name |
//! | | 2 `simple_value` | f32 | its value |
//!
//! The clock is not read here: the caller says what time it is, so equal calls give equal bytes.
//!
//! Source: TensorFlow's `record_writer.cc`, `event.proto` and `summary.proto`; CRC-32C: RFC 3720,
//! appendix B.4; varints: "Encoding" of the documentation of Protocol Buffers.
//!
//! # Example
//! ```
//! use rheobase_formats::tensorboard::EventWriter;
//!
//! let folder = tempfile::tempdir()?;
//! let mut events = EventWriter::create(folder.path(), "run", 1_700_000_000.0)?;
//! events.scalars(0, 1_700_000_001.0, &[("loss/train", 2.3), ("accuracy/train", 0.1)])?;
//! events.scalars(1, 1_700_000_002.0, &[("loss/train", 1.9), ("accuracy/train", 0.4)])?;
//! let name = events.path().file_name().and_then(|n| n.to_str()).unwrap_or_default();
//! assert_eq!(name, "events.out.tfevents.1700000000.run");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why events cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The file cannot be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A name that cannot be part of a file's.
    #[error(
        "`{name}` cannot end the name of a file: use letters, digits, `.`, `-` and `_`, 1 to 100"
    )]
    Name {
        /// The refused name.
        name: String,
    },
    /// A time that is none.
    #[error("time {seconds} s: expected 0 to 1e12 seconds since 1970")]
    Time {
        /// The refused time.
        seconds: f64,
    },
    /// A scalar without a name.
    #[error("scalar {index} of step {step} has no name")]
    Tag {
        /// Which, from 0.
        index: usize,
        /// The step.
        step: i64,
    },
}

/// Writes a file of events; each call is one whole record, so that a file is readable up to its last
/// call at any time.
#[derive(Debug)]
pub struct EventWriter {
    file: File,
    path: PathBuf,
}

impl EventWriter {
    /// Begins the file `events.out.tfevents.<seconds>.<name>` in a folder, which is made where there is
    /// none. `name` keeps runs apart that begin in the same second.
    ///
    /// # Errors
    /// If name or time cannot be, the file is there already, or it cannot be written.
    pub fn create(folder: &Path, name: &str, wall_time_s: f64) -> Result<Self, EventError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.is_empty() || name.len() > 100 || !name.chars().all(fits) {
            let name = name.to_owned();
            return Err(EventError::Name { name });
        }
        check_time(wall_time_s)?;
        let path = folder.join(format!(
            "events.out.tfevents.{:010.0}.{name}",
            wall_time_s.floor()
        ));
        let open = || -> io::Result<File> {
            std::fs::create_dir_all(folder)?;
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&path)?;
            file.write_all(&record(&version_event(wall_time_s)))?;
            Ok(file)
        };
        match open() {
            Ok(file) => Ok(Self { file, path }),
            Err(source) => Err(EventError::Io { path, source }),
        }
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the scalars of a step. `step` counts whatever the caller counts, epochs or batches;
    /// TensorBoard shows values that are not finite as such. O(scalars), one system call.
    ///
    /// # Errors
    /// If a name is empty or the time cannot be (nothing is written then), or the file cannot be
    /// written.
    pub fn scalars(
        &mut self,
        step: i64,
        wall_time_s: f64,
        scalars: &[(&str, f32)],
    ) -> Result<(), EventError> {
        check_time(wall_time_s)?;
        if let Some(index) = scalars.iter().position(|(tag, _)| tag.is_empty()) {
            return Err(EventError::Tag { index, step });
        }
        let record = record(&scalar_event(step, wall_time_s, scalars));
        self.file
            .write_all(&record)
            .map_err(|source| EventError::Io {
                path: self.path.clone(),
                source,
            })
    }
}

fn check_time(seconds: f64) -> Result<(), EventError> {
    if (0.0..=1e12).contains(&seconds) {
        return Ok(());
    }
    Err(EventError::Time { seconds })
}

/// How the value of a field is laid out.
const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const BYTES: u8 = 2;
const FIXED_32: u8 = 5;

/// Field number and layout, for numbers below 16.
const fn key(field: u8, layout: u8) -> u8 {
    field << 3 | layout
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn bytes(out: &mut Vec<u8>, field: u8, content: &[u8]) {
    out.push(key(field, BYTES));
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn version_event(wall_time_s: f64) -> Vec<u8> {
    let mut event = vec![key(1, FIXED_64)];
    event.extend_from_slice(&wall_time_s.to_le_bytes());
    bytes(&mut event, 3, b"brain.Event:2");
    event
}

fn scalar_event(step: i64, wall_time_s: f64, scalars: &[(&str, f32)]) -> Vec<u8> {
    let mut event = vec![key(1, FIXED_64)];
    event.extend_from_slice(&wall_time_s.to_le_bytes());
    event.push(key(2, VARINT));
    // Negative numbers are written as their two's complement, ten bytes long.
    varint(&mut event, step.cast_unsigned());
    let (mut summary, mut value) = (Vec::new(), Vec::new());
    for (tag, number) in scalars {
        value.clear();
        bytes(&mut value, 1, tag.as_bytes());
        value.push(key(2, FIXED_32));
        value.extend_from_slice(&number.to_le_bytes());
        bytes(&mut summary, 1, &value);
    }
    bytes(&mut event, 5, &summary);
    event
}

/// A record around some bytes.
fn record(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let mut record = length.to_vec();
    record.extend_from_slice(&masked(crc32c(&length)).to_le_bytes());
    record.extend_from_slice(content);
    record.extend_from_slice(&masked(crc32c(content)).to_le_bytes());
    record
}

/// Checksums are turned and shifted, because a checksum of data that holds checksums is a poor one.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli): reflected polynomial 0x82f63b78, started and ended with all ones.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        let index = crc.to_le_bytes()[0] ^ byte;
        crc >> 8 ^ TABLE[usize::from(index)]
    })
}

/// What eight zero bits make of each byte.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u32;
    while byte < 256 {
        let (mut crc, mut bit) = (byte, 0);
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_the_published_ones() {
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        for (bytes, crc) in [
            // RFC 3720, B.4.
            (vec![0; 32], 0x8a91_36aa),
            (vec![0xff; 32], 0x62a8_ab43),
            (ascending, 0x46dd_794e),
            (descending, 0x113f_db5c),
            // The check value of catalogues of CRCs.
            (b"123456789".to_vec(), 0xe306_9283),
            (vec![], 0),
        ] {
            assert_eq!(crc32c(&bytes), crc, "{bytes:?}");
        }
    }

    #[test]
    fn varints_are_those_of_the_documentation() {
        let of = |value| {
            let mut out = Vec::new();
            varint(&mut out, value);
            out
        };
        assert_eq!(of(0), [0]);
        assert_eq!(of(127), [127]);
        assert_eq!(of(150), [0x96, 0x01]);
        assert_eq!(of(u64::MAX), [[0xff; 9].as_slice(), &[1]].concat());
    }

    /// What the committed file holds; `tests/fixtures/tensorboard/read_back.py` expects the same.
    fn write(folder: &Path) -> PathBuf {
        let mut events = EventWriter::create(folder, "golden", 1_700_000_000.5).unwrap();
        for step in 0..5_i64 {
            let loss = [2.5, 1.25, 0.625, f32::NAN, f32::INFINITY][usize::try_from(step).unwrap()];
            let seconds = [1.0, 2.0, 3.0, 4.0, 5.0][usize::try_from(step).unwrap()];
            let scalars = [("loss/train", loss), ("Genauigkeit/prüfung", 0.5)];
            events
                .scalars(step * 300, 1_700_000_000.5 + seconds, &scalars)
                .unwrap();
        }
        events.scalars(1 << 40, 1_700_000_010.0, &[]).unwrap();
        events.path().to_owned()
    }

    #[test]
    fn the_file_is_the_one_tensorboard_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(&folder.path().join("new"));
        let name = path.file_name().unwrap();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tensorboard");
        let written = std::fs::read(&path).unwrap();
        if std::env::var_os("RHEOBASE_MINT").is_some() {
            std::fs::write(golden.join(name), &written).unwrap();
        }
        assert_eq!(written, std::fs::read(golden.join(name)).unwrap());
    }

    #[test]
    fn wrong_calls_are_errors_and_write_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["", "a/b", "..\\x", &"x".repeat(101), "ü"] {
            let error = EventWriter::create(folder.path(), name, 0.0).unwrap_err();
            assert!(matches!(error, EventError::Name { .. }));
        }
        for seconds in [-1.0, f64::NAN, f64::INFINITY] {
            let error = EventWriter::create(folder.path(), "x", seconds).unwrap_err();
            assert!(matches!(error, EventError::Time { .. }));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut events = EventWriter::create(folder.path(), "x", 3.0).unwrap();
        let length = std::fs::metadata(events.path()).unwrap().len();
        assert!(events.scalars(0, 3.0, &[("a", 1.0), ("", 1.0)]).is_err());
        assert!(events.scalars(0, f64::NAN, &[("a", 1.0)]).is_err());
        assert_eq!(std::fs::metadata(events.path()).unwrap().len(), length);
        let twice = EventWriter::create(folder.path(), "x", 3.9).unwrap_err();
        assert!(
            twice
                .to_string()
                .contains("events.out.tfevents.0000000003.x: cannot be written")
        );
    }
}
