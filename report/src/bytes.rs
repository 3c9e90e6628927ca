//! Little-endian numbers in a row: how accumulators are kept in a checkpoint.

use thiserror::Error;

/// Why bytes are not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end too early.
    #[error("the data ends {missing} bytes too early")]
    Truncated {
        /// Bytes that are missing.
        missing: usize,
    },
    /// Bytes are left over.
    #[error("{left} bytes are left over at the end")]
    Trailing {
        /// How many.
        left: usize,
    },
    /// A length or a value that cannot be.
    #[error("{what} cannot be {value}")]
    Value {
        /// What is wrong.
        what: &'static str,
        /// The value found.
        value: u64,
    },
}

/// Appends numbers.
///
/// # Example
/// ```
/// use rheobase_report::bytes::{Decoder, Encoder};
///
/// let mut encoder = Encoder::default();
/// encoder.u64(7);
/// encoder.text("E");
/// let bytes = encoder.into_bytes();
/// let mut decoder = Decoder::new(&bytes);
/// assert_eq!(decoder.u64()?, 7);
/// assert_eq!(decoder.text()?, "E");
/// decoder.finish()?;
/// # Ok::<(), rheobase_report::bytes::DecodeError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// Appends a whole number.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Appends a large whole number.
    pub fn u128(&mut self, value: u128) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Appends a float, bit by bit.
    pub fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    /// Appends bytes, preceded by their number.
    pub fn block(&mut self, bytes: &[u8]) {
        self.u64(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a text, preceded by its length.
    pub fn text(&mut self, text: &str) {
        self.block(text.as_bytes());
    }

    /// What was appended.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads what an [`Encoder`] wrote. Lengths are checked against what is there before anything is
/// copied.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    bytes: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Begins at the first byte.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Bytes not read yet.
    #[must_use]
    pub fn left(&self) -> usize {
        self.bytes.len()
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.bytes.split_at_checked(n) else {
            let missing = n - self.bytes.len();
            return Err(DecodeError::Truncated { missing });
        };
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// The next whole number.
    ///
    /// # Errors
    /// When too few bytes are left.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// The next large whole number.
    ///
    /// # Errors
    /// When too few bytes are left.
    pub fn u128(&mut self) -> Result<u128, DecodeError> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    /// The next float.
    ///
    /// # Errors
    /// When too few bytes are left.
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        Ok(f64::from_bits(self.u64()?))
    }

    /// The next block of bytes.
    ///
    /// # Errors
    /// When too few bytes are left.
    pub fn block(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u64()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// The next text.
    ///
    /// # Errors
    /// When too few bytes are left or they are no UTF-8.
    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        let bytes = self.block()?;
        std::str::from_utf8(bytes).map_err(|e| DecodeError::Value {
            what: "the end of a text",
            value: e.valid_up_to() as u64,
        })
    }

    /// The number of entries that follow, each of at least `least` bytes.
    ///
    /// # Errors
    /// When there cannot be so many.
    pub fn count(&mut self, least: usize) -> Result<usize, DecodeError> {
        let count = self.u64()?;
        let room = self.bytes.len() / least.max(1);
        usize::try_from(count)
            .ok()
            .filter(|&count| count <= room)
            .ok_or(DecodeError::Value {
                what: "the number of entries",
                value: count,
            })
    }

    /// Makes sure that all was read.
    ///
    /// # Errors
    /// When bytes are left.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.bytes.len() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing { left }),
        }
    }
}

/// A checksum of bytes, which tells their length too. Any change within eight bytes that lie
/// together is found for certain, any other but for a chance of 2⁻⁶⁴.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, word: u64| {
        // For a given word a bijection of the hash, and the other way round.
        let product = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        product ^ (product >> 32)
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(0x243f_6a88_85a3_08d3, |hash, word| {
        mix(hash, u64::from_le_bytes(*word))
    });
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(mix(hash, u64::from_le_bytes(last)), bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_and_every_cut_changes_the_checksum() {
        let bytes: Vec<u8> = (0..203_u32).map(|k| (k * k % 251) as u8).collect();
        let whole = checksum(&bytes);
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(checksum(&flipped), whole, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_ne!(checksum(&bytes[..length]), whole, "{length}");
        }
        assert_ne!(checksum(&[0; 8]), checksum(&[0; 9]));
    }

    #[test]
    fn what_is_cut_or_too_long_is_an_error() {
        let mut encoder = Encoder::default();
        encoder.u64(3);
        encoder.u128(1 << 100);
        encoder.f64(-0.0);
        encoder.text("größer");
        let bytes = encoder.into_bytes();
        let read = |bytes: &[u8]| -> Result<(), DecodeError> {
            let mut decoder = Decoder::new(bytes);
            assert_eq!(decoder.u64()?, 3);
            assert_eq!(decoder.u128()?, 1 << 100);
            assert_eq!(decoder.f64()?.to_bits(), (-0.0_f64).to_bits());
            assert_eq!(decoder.text()?, "größer");
            decoder.finish()
        };
        read(&bytes).unwrap();
        for length in 0..bytes.len() {
            let error = read(&bytes[..length]).unwrap_err();
            assert!(matches!(error, DecodeError::Truncated { .. }), "{length}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(read(&longer), Err(DecodeError::Trailing { left: 1 }));
    }

    #[test]
    fn lengths_are_checked_before_they_are_believed() {
        let mut encoder = Encoder::default();
        encoder.u64(u64::MAX);
        encoder.u64(0);
        let bytes = encoder.into_bytes();
        assert!(Decoder::new(&bytes).block().is_err());
        assert!(Decoder::new(&bytes).count(8).is_err());
        assert_eq!(Decoder::new(&bytes[8..]).count(8), Ok(0));
    }
}
