//! Arrays of numbers as files hold them, and what reading one guards against.
//!
//! [`idx`](crate::idx) and [`npz`](crate::npz) read a header into a promise: kind of number, shape,
//! bytes. Before anything is allocated the promise is held against [`Limits`] and against what a file
//! of this length can hold (DEFLATE expands at most 1032 times). Values are then read in blocks of
//! 64 KiB, memory growing with what really arrives, and exactly as many as promised: a stream that
//! ends early or goes on is an error.

use std::io::{self, Read};

/// What an array may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of the values of one array, unpacked. Default 4 GiB.
    pub array_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            array_bytes: 4 << 30,
        }
    }
}

/// Dimensions of an array at most.
pub const MAX_DIMENSIONS: usize = 32;

/// An array in row-major order: the last index is the fastest.
#[derive(Clone, PartialEq, Debug)]
pub struct Array {
    /// Length of each dimension; empty for a single value.
    pub shape: Vec<usize>,
    /// The values, as many as the product of the lengths.
    pub values: Values,
}

/// What can be wrong with a file of arrays: which file, which array in it, what is wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file}{}{array}: {problem}", if .array.is_empty() { "" } else { ", array " })]
pub struct ArrayError {
    /// The file.
    pub file: String,
    /// The array in it; empty for the file as a whole.
    pub array: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Io(String),
    /// Not a file of this format.
    #[error("is no {format} file: it begins with {found:02x?}")]
    Format {
        /// The format.
        format: &'static str,
        /// Its first bytes.
        found: Vec<u8>,
    },
    /// A header that does not follow the format.
    #[error("has a header that cannot be read: {0}")]
    Header(String),
    /// A kind of number that is not read.
    #[error("holds numbers of type {found}: this reader takes {expected}; convert the array first")]
    Kind {
        /// As the file calls it.
        found: String,
        /// What can be read.
        expected: &'static str,
    },
    /// Columns before rows.
    #[error(
        "is in Fortran order (the first index fastest): save it again with numpy.ascontiguousarray"
    )]
    FortranOrder,
    /// More than the limit.
    #[error(
        "shape {shape:?} takes {bytes} bytes, the limit is {limit}: raise the limit if the file is to be trusted"
    )]
    Limit {
        /// The promised shape.
        shape: Vec<u64>,
        /// Its size, at least.
        bytes: u128,
        /// The limit.
        limit: u64,
    },
    /// More than a file of this length can hold.
    #[error(
        "shape {shape:?} takes {bytes} bytes, but the file can hold at most {room}: it was cut or is damaged, fetch it again"
    )]
    Room {
        /// The promised shape.
        shape: Vec<u64>,
        /// Its size.
        bytes: u64,
        /// Bytes there is room for.
        room: u64,
    },
    /// The values end early.
    #[error("ends after {found} of {expected} bytes of values: it was cut, fetch it again")]
    Cut {
        /// Bytes of values there are.
        found: u64,
        /// Bytes of values promised.
        expected: u64,
    },
    /// Something follows the values.
    #[error(
        "goes on after the {expected} bytes of values its shape tells: it is damaged or two files in one"
    )]
    Long {
        /// Bytes of values promised.
        expected: u64,
    },
    /// Bytes that do not unpack, or whose checksum is another.
    #[error("cannot be unpacked: {0}; fetch the file again")]
    Packed(String),
    /// A truth value that is neither 0 nor 1.
    #[error("value {index} is {value}: a truth value is 0 or 1")]
    Truth {
        /// Where.
        index: usize,
        /// The byte.
        value: u8,
    },
    /// No array of that name.
    #[error("is not there; the archive holds {}", listed(.holds))]
    Missing {
        /// What is there instead.
        holds: Vec<String>,
    },
    /// No memory for the values.
    #[error("{bytes} bytes of memory cannot be had")]
    Memory {
        /// Bytes asked for.
        bytes: u64,
    },
}

/// The first names of a list.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 12;
    match names.len() {
        0 => "no array".to_owned(),
        n if n > SHOWN => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
        _ => names.join(", "),
    }
}

impl Problem {
    pub(crate) fn of(self, file: &str, array: &str) -> ArrayError {
        ArrayError {
            file: file.to_owned(),
            array: array.to_owned(),
            problem: self,
        }
    }

    /// What a stream of packed or plain bytes ran into outside the values.
    pub(crate) fn stream(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Header("the file ends in it".to_owned()),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                Self::Packed(error.to_string())
            }
            _ => Self::Io(error.to_string()),
        }
    }
}

macro_rules! kinds {
    ($($variant:ident $t:ty, $name:literal;)*) => {
        /// The values of an array, in the type the file holds.
        #[derive(Clone, PartialEq, Debug)]
        #[non_exhaustive]
        pub enum Values {
            $(
                #[doc = concat!("As `", $name, "`.")]
                $variant(Vec<$t>),
            )*
        }

        /// A kind of number.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Kind { $($variant,)* }

        impl Kind {
            /// Bytes of one number.
            fn bytes(self) -> usize {
                match self { $(Self::$variant => size_of::<$t>(),)* }
            }
        }

        impl Values {
            /// Number of values.
            #[must_use]
            pub fn len(&self) -> usize {
                match self { $(Self::$variant(values) => values.len(),)* }
            }

            /// Whether there are none.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Name of their type, as Rust has it.
            #[must_use]
            pub fn type_name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }
        }
    };
}
kinds! {
    U8 u8, "u8";
    Bool bool, "bool";
    I8 i8, "i8";
    I16 i16, "i16";
    I32 i32, "i32";
    I64 i64, "i64";
    F32 f32, "f32";
    F64 f64, "f64";
}

/// What a header tells of the values behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Promise {
    pub(crate) kind: Kind,
    pub(crate) big_endian: bool,
    shape: Vec<usize>,
    count: usize,
}

impl Promise {
    /// Checks a header against the limits and against the bytes there is room for.
    pub(crate) fn new(
        (kind, big_endian): (Kind, bool),
        shape: &[u64],
        room: u64,
        limits: &Limits,
    ) -> Result<Self, Problem> {
        if shape.len() > MAX_DIMENSIONS {
            return Err(Problem::Header(format!(
                "{} dimensions, at most {MAX_DIMENSIONS} are read",
                shape.len()
            )));
        }
        let over = |bytes| Problem::Limit {
            shape: shape.to_vec(),
            bytes,
            limit: limits.array_bytes,
        };
        let bytes = shape
            .iter()
            .try_fold(kind.bytes() as u128, |product, &n| {
                product.checked_mul(u128::from(n))
            })
            .ok_or(over(u128::MAX))?;
        let held = u64::try_from(bytes)
            .ok()
            .filter(|&b| b <= limits.array_bytes);
        let bytes = held.ok_or(over(bytes))?;
        if bytes > room {
            return Err(Problem::Room {
                shape: shape.to_vec(),
                bytes,
                room,
            });
        }
        let sizes: Option<Vec<usize>> = shape.iter().map(|&n| usize::try_from(n).ok()).collect();
        let count = usize::try_from(bytes).ok().map(|b| b / kind.bytes());
        let (Some(shape), Some(count)) = (sizes, count) else {
            return Err(over(u128::from(bytes)));
        };
        Ok(Self {
            kind,
            big_endian,
            shape,
            count,
        })
    }

    /// Reads the promised values, and sees that the stream ends behind them.
    pub(crate) fn read(self, stream: &mut impl Read) -> Result<Array, Problem> {
        let (count, big) = (self.count, self.big_endian);
        let values = match self.kind {
            Kind::U8 => Values::U8(numbers(stream, count, big)?),
            Kind::Bool => Values::Bool(truths(&numbers(stream, count, big)?)?),
            Kind::I8 => Values::I8(numbers(stream, count, big)?),
            Kind::I16 => Values::I16(numbers(stream, count, big)?),
            Kind::I32 => Values::I32(numbers(stream, count, big)?),
            Kind::I64 => Values::I64(numbers(stream, count, big)?),
            Kind::F32 => Values::F32(numbers(stream, count, big)?),
            Kind::F64 => Values::F64(numbers(stream, count, big)?),
        };
        Ok(Array {
            shape: self.shape,
            values,
        })
    }
}

fn truths(bytes: &[u8]) -> Result<Vec<bool>, Problem> {
    let wrong = bytes.iter().position(|&b| b > 1);
    if let Some(index) = wrong {
        let value = bytes[index];
        return Err(Problem::Truth { index, value });
    }
    Ok(bytes.iter().map(|&b| b == 1).collect())
}

/// A number of fixed size.
trait Number: Copy {
    fn little(bytes: &[u8]) -> Self;
    fn big(bytes: &[u8]) -> Self;
}

macro_rules! numbers {
    ($($t:ty)*) => {$(
        impl Number for $t {
            fn little(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<$t>()];
                own.copy_from_slice(bytes);
                Self::from_le_bytes(own)
            }
            fn big(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<$t>()];
                own.copy_from_slice(bytes);
                Self::from_be_bytes(own)
            }
        }
    )*};
}
numbers!(u8 i8 i16 i32 i64 f32 f64);

/// Bytes read at once; a multiple of the size of every number.
const BLOCK: usize = 1 << 16;

fn numbers<T: Number>(stream: &mut impl Read, count: usize, big: bool) -> Result<Vec<T>, Problem> {
    let size = size_of::<T>();
    let expected = (count * size) as u64;
    let mut values: Vec<T> = Vec::new();
    let mut buffer = vec![0; BLOCK.min(count * size)];
    while values.len() < count {
        let left = count - values.len();
        let block = &mut buffer[..(BLOCK / size).min(left) * size];
        let found = |read| (values.len() * size + read) as u64;
        let read = match fill(stream, block) {
            // A packed stream says so itself where it was cut.
            Err((read, e)) if e.kind() == io::ErrorKind::UnexpectedEof => {
                let found = found(read);
                return Err(Problem::Cut { found, expected });
            }
            Err((_, e)) => return Err(Problem::stream(&e)),
            Ok(read) => read,
        };
        if read < block.len() {
            let found = found(read);
            return Err(Problem::Cut { found, expected });
        }
        let n = block.len() / size;
        if values.capacity() - values.len() < n {
            // Doubles, but never beyond what was promised: memory follows what arrives.
            let more = left.min(values.len().max(n));
            let full = |_| Problem::Memory { bytes: expected };
            values.try_reserve_exact(more).map_err(full)?;
        }
        let one = if big { T::big } else { T::little };
        values.extend(block.chunks_exact(size).map(one));
    }
    // Reaching the end also has the checksum of packed streams looked at.
    match fill(stream, &mut [0]) {
        Ok(0) => Ok(values),
        Ok(_) => Err(Problem::Long { expected }),
        Err((_, e)) if e.kind() == io::ErrorKind::UnexpectedEof => Err(Problem::Packed(
            "the file ends before its checksum".to_owned(),
        )),
        Err((_, e)) => Err(Problem::stream(&e)),
    }
}

/// Reads until the buffer is full or the stream ends; gives the bytes read, also beside an error.
fn fill(stream: &mut impl Read, buffer: &mut [u8]) -> Result<usize, (usize, io::Error)> {
    let mut read = 0;
    while read < buffer.len() {
        match stream.read(&mut buffer[read..]) {
            Ok(0) => break,
            Ok(n) => read += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err((read, e)),
        }
    }
    Ok(read)
}

/// Bytes that so many packed ones can become at most: DEFLATE gives no more than 1032 for one.
pub(crate) fn unpacked_room(packed: u64) -> u64 {
    packed.saturating_mul(1032)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise(shape: &[u64], room: u64) -> Result<Promise, Problem> {
        Promise::new((Kind::I16, true), shape, room, &Limits::default())
    }

    #[test]
    fn promises_are_checked_before_anything_is_read() {
        assert!(matches!(
            promise(&[u64::MAX; 4], u64::MAX),
            Err(Problem::Limit { .. })
        ));
        assert!(matches!(
            promise(&[1 << 40], u64::MAX),
            Err(Problem::Limit { bytes, .. }) if bytes == 2 << 40
        ));
        assert!(matches!(
            promise(&[6], 11),
            Err(Problem::Room {
                bytes: 12,
                room: 11,
                ..
            })
        ));
        assert!(matches!(promise(&[1; 33], 99), Err(Problem::Header(_))));
        assert_eq!(promise(&[3, 2], 12).unwrap().count, 6);
        assert_eq!(promise(&[0, 9], 0).unwrap().count, 0);
    }

    #[test]
    fn values_come_in_both_orders_of_bytes() {
        let bytes = [1, 2, 255, 254];
        let mut little = promise(&[2], 4).unwrap();
        little.big_endian = false;
        let big = promise(&[2], 4).unwrap().read(&mut &bytes[..]).unwrap();
        assert_eq!(big.values, Values::I16(vec![258, -2]));
        let little = little.read(&mut &bytes[..]).unwrap();
        assert_eq!(little.values, Values::I16(vec![513, -257]));
    }

    #[test]
    fn too_few_and_too_many_bytes_are_told() {
        let read = |bytes: &[u8]| promise(&[2], 9).unwrap().read(&mut &bytes[..]);
        let cut = Problem::Cut {
            found: 3,
            expected: 4,
        };
        assert_eq!(read(&[0; 3]), Err(cut));
        assert_eq!(read(&[0; 5]), Err(Problem::Long { expected: 4 }));
        let truths = Promise::new((Kind::Bool, false), &[2], 2, &Limits::default()).unwrap();
        let wrong = Problem::Truth { index: 1, value: 7 };
        assert_eq!(truths.read(&mut &[1, 7][..]), Err(wrong));
    }

    #[test]
    fn errors_say_where() {
        let holds = vec!["x".to_owned(), "y".to_owned()];
        let error = Problem::Missing { holds }.of("a.npz", "z");
        assert_eq!(
            error.to_string(),
            "a.npz, array z: is not there; the archive holds x, y"
        );
    }
}
