//! IDX files, the format of MNIST and its relatives, plain or packed with gzip.
//!
//! | bytes | content |
//! |---|---|
//! | 2 | zero |
//! | 1 | type: 8 `u8`, 9 `i8`, 11 `i16`, 12 `i32`, 13 `f32`, 14 `f64` |
//! | 1 | number of dimensions D, 1 to 32 |
//! | 4·D | length of each, big-endian |
//! | the rest | values, big-endian, row-major |
//!
//! Whether a file is packed is told by its first bytes, not by its name. Guards: those of
//! [`array`](crate::array); a packed file may have several members and nothing behind them.
//!
//! Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section
//! "File formats". Files packed with gzip: RFC 1952.
//!
//! # Example
//! ```
//! use rheobase_formats::array::{Limits, Values};
//! use rheobase_formats::idx;
//!
//! let bytes = [0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 10, 20, 30];
//! let array = idx::parse("tiny", &bytes, &Limits::default())?;
//! assert_eq!(array.shape, [1, 3]);
//! assert_eq!(array.values, Values::U8(vec![10, 20, 30]));
//! # Ok::<(), rheobase_formats::array::ArrayError>(())
//! ```

use crate::array::{Array, ArrayError, Kind, Limits, Problem, Promise, unpacked_room};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads a file. O(values), in memory the values and 128 KiB.
///
/// # Errors
/// If the file cannot be read, is no IDX file, holds more or fewer values than its header tells, or
/// more than the limits allow.
pub fn read(path: &Path, limits: &Limits) -> Result<Array, ArrayError> {
    let name = path.display().to_string();
    let open = || -> std::io::Result<(File, u64)> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    };
    let (file, length) = open().map_err(|e| Problem::Io(e.to_string()).of(&name, ""))?;
    from(BufReader::with_capacity(1 << 16, file), length, limits).map_err(|p| p.of(&name, ""))
}

/// As [`read`], from memory; `name` is for messages.
///
/// # Errors
/// As [`read`].
pub fn parse(name: &str, bytes: &[u8], limits: &Limits) -> Result<Array, ArrayError> {
    from(bytes, bytes.len() as u64, limits).map_err(|p| p.of(name, ""))
}

fn from(mut source: impl BufRead, length: u64, limits: &Limits) -> Result<Array, Problem> {
    let start = source.fill_buf().map_err(|e| Problem::Io(e.to_string()))?;
    if start.starts_with(&GZIP) {
        let room = unpacked_room(length);
        unpacked(&mut MultiGzDecoder::new(source), room, limits)
    } else {
        unpacked(&mut source, length, limits)
    }
}

fn unpacked(stream: &mut impl Read, length: u64, limits: &Limits) -> Result<Array, Problem> {
    let mut head = [0; 4];
    stream
        .read_exact(&mut head)
        .map_err(|e| Problem::stream(&e))?;
    let [0, 0, kind, dimensions] = head else {
        let found = head.to_vec();
        return Err(Problem::Format {
            format: "IDX",
            found,
        });
    };
    let kind = match kind {
        8 => Kind::U8,
        9 => Kind::I8,
        11 => Kind::I16,
        12 => Kind::I32,
        13 => Kind::F32,
        14 => Kind::F64,
        other => {
            return Err(Problem::Kind {
                found: format!("{other:#04x}"),
                expected: "0x08, 0x09 and 0x0b to 0x0e",
            });
        }
    };
    if dimensions == 0 {
        return Err(Problem::Header("it tells of no dimension".to_owned()));
    }
    let mut sizes = vec![0; 4 * usize::from(dimensions)];
    stream
        .read_exact(&mut sizes)
        .map_err(|e| Problem::stream(&e))?;
    let shape: Vec<u64> = sizes
        .chunks_exact(4)
        .map(|b| u64::from(u32::from_be_bytes([b[0], b[1], b[2], b[3]])))
        .collect();
    let room = length.saturating_sub(4 + sizes.len() as u64);
    Promise::new((kind, true), &shape, room, limits)?.read(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Values;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn file(kind: u8, shape: &[u32], values: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, kind, u8::try_from(shape.len()).unwrap()];
        shape.iter().for_each(|n| bytes.extend(n.to_be_bytes()));
        bytes.extend(values);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn parse(bytes: &[u8]) -> Result<Array, Problem> {
        super::parse("file", bytes, &Limits::default()).map_err(|e| e.problem)
    }

    #[test]
    fn every_type_is_read_plain_and_packed() {
        let cases = [
            (8, vec![1, 255], Values::U8(vec![1, 255])),
            (9, vec![1, 255], Values::I8(vec![1, -1])),
            (11, vec![1, 0, 255, 255], Values::I16(vec![256, -1])),
            (
                12,
                vec![0, 0, 1, 0, 255, 255, 255, 254],
                Values::I32(vec![256, -2]),
            ),
            (
                13,
                [1.5_f32, -2.0].map(f32::to_be_bytes).concat(),
                Values::F32(vec![1.5, -2.0]),
            ),
            (
                14,
                [1.5_f64, -2.0].map(f64::to_be_bytes).concat(),
                Values::F64(vec![1.5, -2.0]),
            ),
        ];
        for (kind, bytes, values) in cases {
            let bytes = file(kind, &[2, 1], &bytes);
            let expected = Array {
                shape: vec![2, 1],
                values,
            };
            assert_eq!(parse(&bytes), Ok(expected.clone()));
            assert_eq!(parse(&gzip(&bytes)), Ok(expected.clone()));
            let (head, tail) = bytes.split_at(5);
            let members = [gzip(head), gzip(tail)].concat();
            assert_eq!(parse(&members), Ok(expected));
        }
    }

    #[test]
    fn lies_about_the_size_are_found_before_anything_is_read() {
        let lie = file(8, &[60_000, 28, 28], &[0; 10]);
        assert!(matches!(
            parse(&lie),
            Err(Problem::Room {
                bytes: 47_040_000,
                room: 10,
                ..
            })
        ));
        assert!(matches!(parse(&gzip(&lie)), Err(Problem::Room { .. })));
        let absurd = file(14, &[u32::MAX; 5], &[]);
        assert!(matches!(parse(&absurd), Err(Problem::Limit { .. })));
        // A bomb that keeps its promise meets the limit.
        let bomb = gzip(&file(8, &[1 << 20], &vec![0; 1 << 20]));
        let limits = Limits { array_bytes: 1000 };
        let error = super::parse("bomb", &bomb, &limits).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("bomb: shape [1048576] takes 1048576 bytes, the limit")
        );
        // One that does not is left after one byte.
        let more = gzip(&file(8, &[10], &vec![0; 1 << 20]));
        assert_eq!(parse(&more), Err(Problem::Long { expected: 10 }));
    }

    #[test]
    fn every_cut_and_every_addition_is_an_error() {
        let plain = file(11, &[3, 2], &[7; 12]);
        let packed = gzip(&plain);
        for whole in [&plain, &packed] {
            assert!(parse(whole).is_ok());
            for n in 0..whole.len() {
                assert!(parse(&whole[..n]).is_err(), "cut at {n}");
            }
            let longer = [whole, [0x55; 3].as_slice()].concat();
            assert!(parse(&longer).is_err());
        }
        assert_eq!(
            parse(&plain[..20]),
            Err(Problem::Room {
                shape: vec![3, 2],
                bytes: 12,
                room: 8
            })
        );
    }

    #[test]
    fn other_files_are_named() {
        assert!(matches!(parse(b"\x93NUMPY"), Err(Problem::Format { .. })));
        assert!(matches!(
            parse(&[0, 0, 10, 1, 0, 0, 0, 0]),
            Err(Problem::Kind { .. })
        ));
        assert!(matches!(parse(&[0, 0, 8, 0]), Err(Problem::Header(_))));
        assert!(matches!(parse(&[]), Err(Problem::Header(_))));
        let error = read(Path::new("no such file"), &Limits::default()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("no such file: cannot be read")
        );
    }
}
