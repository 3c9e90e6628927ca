//! One array: the header of NumPy's format, and values in little-endian order.

use std::io::{self, Read};

/// The types an array can hold: `f32`, `f64`, `i64`, `u32`, `u64`.
pub trait Element: Copy + sealed::Sealed {
    /// NumPy's name of the type.
    const DESCR: &'static str;
    /// Bytes of a value.
    const BYTES: usize;
    /// Appends the value in little-endian order.
    fn put(self, bytes: &mut Vec<u8>);
    /// Reads a value of [`BYTES`](Self::BYTES) bytes.
    fn get(bytes: &[u8]) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! elements {
    ($($t:ty: $descr:literal)*) => {$(
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const DESCR: &'static str = $descr;
            const BYTES: usize = size_of::<$t>();

            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn get(bytes: &[u8]) -> Self {
                let mut array = [0; size_of::<$t>()];
                array.copy_from_slice(bytes);
                Self::from_le_bytes(array)
            }
        }
    )*};
}
elements!(f32: "<f4" f64: "<f8" i64: "<i8" u32: "<u4" u64: "<u8");

/// Bytes of a header at most; NumPy's for five dimensions has 128.
const MAX_HEADER: usize = 4096;
const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// The header of an array of the given shape, in version 1.0 of the format.
pub(super) fn header<T: Element>(shape: &[u64]) -> Vec<u8> {
    let sizes: Vec<String> = shape.iter().map(u64::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    let mut text = format!(
        "{{'descr': '{}', 'fortran_order': False, 'shape': ({}{comma}), }}",
        T::DESCR,
        sizes.join(", ")
    );
    // Magic, version and length take 10 bytes; data begin at a multiple of 64.
    let whole = (10 + text.len() + 1).next_multiple_of(64);
    text.extend(std::iter::repeat_n(' ', whole - 10 - text.len() - 1));
    text.push('\n');
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&[1, 0]);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// Reads a header and gives the shape; the data follow.
///
/// # Errors
/// When it is none, is longer than 4 KiB, or tells of another type or order.
pub(super) fn read_header<T: Element>(reader: &mut impl Read) -> io::Result<Vec<u64>> {
    let mut fixed = [0; 8];
    reader.read_exact(&mut fixed)?;
    if &fixed[..6] != MAGIC {
        return Err(invalid("no NumPy array"));
    }
    let length = match fixed[6] {
        1 => {
            let mut length = [0; 2];
            reader.read_exact(&mut length)?;
            usize::from(u16::from_le_bytes(length))
        }
        2 | 3 => {
            let mut length = [0; 4];
            reader.read_exact(&mut length)?;
            usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX)
        }
        version => return Err(invalid(&format!("version {version} of NumPy's format"))),
    };
    if length > MAX_HEADER {
        return Err(invalid(&format!(
            "a header of {length} bytes; at most {MAX_HEADER} are read"
        )));
    }
    let mut text = vec![0; length];
    reader.read_exact(&mut text)?;
    let text = String::from_utf8(text).map_err(|_| invalid("a header that is no text"))?;
    check::<T>(&text)
}

fn check<T: Element>(text: &str) -> io::Result<Vec<u64>> {
    let descr = entry(text, "descr")
        .and_then(quoted)
        .ok_or_else(|| invalid("a header without a plain type"))?;
    if descr != T::DESCR {
        return Err(invalid(&format!(
            "values of type {descr:?}, expected {:?}",
            T::DESCR
        )));
    }
    let shape = entry(text, "shape")
        .and_then(sizes)
        .ok_or_else(|| invalid("a header without a shape"))?;
    let order = entry(text, "fortran_order").ok_or_else(|| invalid("a header without an order"))?;
    match order.starts_with("False") {
        false if shape.len() > 1 => Err(invalid("not in row-major order")),
        _ => Ok(shape),
    }
}

/// What stands behind a key.
fn entry<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("'{key}'"))?;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

fn quoted(text: &str) -> Option<&str> {
    let (word, _) = text.strip_prefix('\'')?.split_once('\'')?;
    Some(word)
}

fn sizes(text: &str) -> Option<Vec<u64>> {
    let (inner, _) = text.strip_prefix('(')?.split_once(')')?;
    inner
        .split(',')
        .map(str::trim)
        .filter(|size| !size.is_empty())
        .map(|size| size.parse().ok())
        .collect()
}

/// Number of values of a shape; `None` beyond 2⁶⁴.
pub(super) fn count(shape: &[u64]) -> Option<u64> {
    shape
        .iter()
        .try_fold(1_u64, |product, &n| product.checked_mul(n))
}

pub(super) fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back() {
        for shape in [vec![], vec![5], vec![3, 2], vec![u64::MAX, 1, 7]] {
            let bytes = header::<f32>(&shape);
            assert_eq!(bytes.len() % 64, 0, "data are aligned");
            let read = read_header::<f32>(&mut bytes.as_slice()).unwrap();
            assert_eq!(read, shape);
            let other = read_header::<f64>(&mut bytes.as_slice()).unwrap_err();
            assert!(other.to_string().contains("\"<f4\", expected \"<f8\""));
        }
    }

    #[test]
    fn hostile_headers_are_refused_before_anything_is_allocated() {
        let long = [MAGIC.as_slice(), &[2, 0], &u32::MAX.to_le_bytes()].concat();
        let nested = format!("{{'descr': {}, 'shape': (1,)}}", "[".repeat(4000));
        let mut deep = [MAGIC.as_slice(), &[1, 0]].concat();
        deep.extend_from_slice(&u16::try_from(nested.len()).unwrap().to_le_bytes());
        deep.extend_from_slice(nested.as_bytes());
        for bytes in [long, deep, b"PK\x03\x04 no array".to_vec(), Vec::new()] {
            assert!(read_header::<f64>(&mut bytes.as_slice()).is_err());
        }
        assert_eq!(count(&[1 << 40, 1 << 40]), None);
    }
}
